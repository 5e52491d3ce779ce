"""WSGI applications that misbehave in one way each, chosen by PATH_INFO."""


def application(environ, start_response):
    return globals()["do_" + environ["PATH_INFO"].strip("/")](environ, start_response)


def do_hello(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def do_length(environ, start):
    body = environ["wsgi.input"].read()
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % len(body)]


def do_lines(environ, start):
    count = sum(1 for _ in environ["wsgi.input"])
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % count]


def do_unread(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"unread"]


def do_short(environ, start):
    start("200 OK", [("Content-Length", "100")])
    return [b"short"]


def do_long(environ, start):
    start("200 OK", [("Content-Length", "4")])
    return [b"much ", b"too long"]


def do_stream(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])

    def pieces():
        yield b"one,"
        yield b"two,"
        yield b"three"
    return pieces()


def do_broken(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])

    def pieces():
        yield b"one,"
        raise RuntimeError("on purpose")
    return pieces()


def do_inject(environ, start):
    from urllib.parse import unquote
    name, _, value = environ["QUERY_STRING"].partition("=")
    start("200 OK", [(unquote(name, "latin-1"), unquote(value, "latin-1"))])
    return [b"set"]


def do_status(environ, start):
    from urllib.parse import unquote
    start(unquote(environ["QUERY_STRING"], "latin-1"), [("Content-Type", "text/plain")])
    return [b"body"]


def do_environ(environ, start):
    import json
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()]

"""A WSGI application: everything below /app is its own"""


def application(environ, start_response):
    body = f"{environ['REQUEST_METHOD']} of {environ['PATH_INFO'] or '(nothing)'} below {environ['SCRIPT_NAME']}\n".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

"""A WSGI application for both servers."""


def main(environ, start_response):
    path = environ.get("PATH_INFO", "<no key>")
    status = "404 Not Found" if path == "/404" else "302 Found" if path == "/302" else "200 OK"
    headers = [("Content-Type", "text/plain")]
    if path == "/302":
        headers.append(("Location", "/there"))
    start_response(status, headers)
    keys = ("SCRIPT_NAME", "QUERY_STRING", "wsgi.version", "wsgi.url_scheme")
    return [("%s %s\n" % (path, [environ.get(k) for k in keys])).encode("latin-1")]

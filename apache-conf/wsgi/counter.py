"""A WSGI application that counts its requests, in each worker process by itself."""
import itertools
import os

numbers = itertools.count(1)


def application(environ, start_response):
    body = f"request {next(numbers)} of process {os.getpid()}, path {environ['PATH_INFO'] or '/'}\n".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

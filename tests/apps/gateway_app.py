"""What the tests of gateways serve: one WSGI application, one mod_python handler."""
from __future__ import annotations

import hashlib
import json
import os
import time

KEYS = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_PROTOCOL", "wsgi.url_scheme",
        "REQUEST_URI", "REMOTE_ADDR", "SERVER_NAME")
count = 0


def seen(environ):
    fields = {key: value for key, value in environ.items() if key.startswith("HTTP_")}
    return {"keys": {key: environ.get(key) for key in KEYS}, "fields": fields, "body": environ["wsgi.input"].read().decode("latin-1")}


def application(environ, start_response):
    global count
    path = environ["PATH_INFO"]
    if path == "/count":
        start_response("200 OK", [("Content-Type", "text/plain")])
        count += 1
        return [b"Hello World fastcgi!\nAccess count %d\n Running pid: %d" % (count, os.getpid())]
    if path == "/note":  # tells what has begun and ended here, beyond the life of the process
        with open(os.path.join(os.path.dirname(__file__), "notes"), "ab", buffering=0) as notes:
            notes.write(b"begin %s\n" % environ["QUERY_STRING"].encode())
            time.sleep(0.01)
            notes.write(b"end %s\n" % environ["QUERY_STRING"].encode())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"noted"]
    if path == "/digest":
        digest, size = hashlib.sha256(), 0
        while block := environ["wsgi.input"].read(65536):
            digest.update(block)
            size += len(block)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{size} {digest.hexdigest()}".encode()]
    if path == "/large":
        size = int(environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))])
        return (b"0123456789abcdef" * 4096 for _ in range(size // 65536))
    if path == "/slow":
        time.sleep(float(environ["QUERY_STRING"]))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"slow"]
    if path == "/stderr":
        environ["wsgi.errors"].write("a word from the application\n")
        environ["wsgi.errors"].flush()
    if path == "/raise":
        raise KeyError("what the application raised")
    if path == "/status":
        start_response("418 Teapot", [("X-Is", "one"), ("X-Is", "two"), ("Content-Type", "text/plain")])
        return [b"short"]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen(environ), sort_keys=True).encode()]


def handler(req):
    if req.path_info == "/log":
        req.log_error("a word from the handler")
    req.add_common_vars()
    env = req.subprocess_env
    fields = {key: env[key] for key in env.keys() if key.startswith("HTTP_")}
    keys = {"method": req.method, "uri": req.uri, "args": req.args, "hostname": req.hostname, "unparsed_uri": req.unparsed_uri,
            "header_only": req.header_only, "is_https": bool(req.is_https()), "client": req.useragent_ip,
            "type": req.headers_in.get("Content-Type"), "length": req.headers_in.get("Content-Length"),
            **{key: env.get(key) for key in ("REQUEST_METHOD", "QUERY_STRING", "REQUEST_URI", "REMOTE_ADDR", "SERVER_NAME", "CONTENT_TYPE")}}
    req.content_type = "application/json"
    req.write(json.dumps({"keys": keys, "fields": fields, "body": req.read().decode("latin-1")}, sort_keys=True))
    return 0

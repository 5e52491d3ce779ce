"""Handlers for the tests of HTTP on the wire: each answers what it saw, or misbehaves in one way."""
import json

from mod_python import apache


def handler(req):
    name = req.uri.rsplit("/", 1)[-1]
    return globals().get("do_" + name, do_echo)(req)


def read_all(req):
    """The body, and what went wrong while it was read."""
    parts = []
    try:
        while data := req.read(8192):
            parts.append(data)
    except Exception as exc:  # noqa: BLE001 - the test wants to see which
        return b"".join(parts), type(exc).__name__
    return b"".join(parts), None


def do_echo(req):
    body, error = read_all(req)
    req.content_type = "application/json"
    req.write(json.dumps({
        "method": req.method, "uri": req.uri, "unparsed_uri": req.unparsed_uri, "args": req.args, "hostname": req.hostname,
        "trailers": list(req.trailers_in.items()), "protocol": req.protocol, "header_only": bool(req.header_only), "headers": list(req.headers_in.items()),
        "body": body.decode("latin-1"), "error": error}))
    return apache.OK


def do_env(req):
    req.add_common_vars()
    req.content_type = "application/json"
    req.write(json.dumps(dict(req.subprocess_env.items())))
    return apache.OK


def do_unread(req):
    """Answers without a look at the body."""
    req.content_type = "text/plain"
    req.write("unread")
    return apache.OK


def do_strict(req):
    """Reads the body as an application does that trusts its server."""
    body = req.read()
    req.content_type = "text/plain"
    req.write(str(len(body)))
    return apache.OK


def do_short(req):
    req.content_type = "text/plain"
    req.set_content_length(100)
    req.write("short")
    return apache.OK


def do_long(req):
    req.content_type = "text/plain"
    req.set_content_length(4)
    req.write("much too long")
    return apache.OK


def do_none(req):
    return apache.OK


def do_stream(req):
    req.content_type = "text/plain"
    for piece in ("one,", "two,", "three"):
        req.write(piece)
        req.flush()
    return apache.OK


def do_status(req):
    req.content_type = "text/plain"
    req.status = int(req.args)
    if req.status != 304:
        req.write(f"body of {req.args}")
    return apache.OK


def do_header(req):
    """?name=value, percent-encoded, latin-1."""
    from urllib.parse import unquote
    name, _, value = req.args.partition("=")
    req.content_type = "text/plain"
    req.headers_out[unquote(name, "latin-1")] = unquote(value, "latin-1")
    req.write("set")
    return apache.OK


def do_close(req):
    for value in (req.args or "close").split("|"):
        req.headers_out.add("Connection", value)
    req.content_type = "text/plain"
    req.write("bye")
    return apache.OK


def do_raise(req):
    raise RuntimeError("on purpose")

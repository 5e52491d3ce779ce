"""Requests that lead to each other: internal redirects, the index of a directory, error documents. What each sees goes into PythonOption record."""
from mod_python import apache


def note(req, text):
    with open(req.get_options()["record"], "a") as file:
        file.write(text + "\n")


def around(req):
    """The requests before, behind and above this one, by their URIs."""
    def uri(other):
        return other and other.uri

    return "prev %s next %s main %s" % (uri(req.prev), uri(req.next), uri(req.main))


def headerparserhandler(req):
    note(req, "%s: header parser, %s" % (req.uri, around(req)))
    req.seen = ["parsed " + req.uri]
    return apache.OK


def fixuphandler(req):
    note(req, "%s: fix-up, %s" % (req.uri, around(req)))
    req.seen = getattr(req, "seen", []) + ["fixed up"]
    return apache.OK


def handler(req):
    note(req, "%s: handler, %s, seen %s" % (req.uri, around(req), req.seen))
    if req.uri.endswith("/start"):
        req.write("start ", 0)
        req.mine = "of the first"
        req.notes["mine"] = "note of the first"
        req.headers_out["X-Out"] = "first"
        req.err_headers_out["X-Err"] = "first"
        if req.args == "flush":
            req.flush()
        req.internal_redirect("/redirect/%s?q=1" % req.args if req.args in ("middle", "lost", "fails") else "/redirect/target?q=1")
        behind = req.next
        note(req, "%s: back, %s, same %s, theirs %r, status %s, sent %s" % (
            req.uri, around(req), behind and behind.prev is req, getattr(behind, "mine", None), req.status, req.bytes_sent > 0))
        return apache.OK
    if req.uri.endswith("/middle"):
        req.mine = "of the second"
        req.write("middle ", 0)
        req.internal_redirect("/redirect/target")
        note(req, "%s: back, %s, prev.next is me %s" % (req.uri, around(req), req.prev.next is req))
        return apache.OK
    if req.uri.endswith("/fails"):
        req.headers_out["X-Out"] = "failed"
        req.mine = "of the failed"
        return apache.HTTP_CONFLICT
    if req.prev:
        req.add_common_vars()
        first = req
        while first.prev:
            first = first.prev
        note(req, "%s: prev %r %s, their attribute %s, note %s, same %s, method %s, args %s, protocol %s, REDIRECT_URL %s, REDIRECT_STATUS %s" % (
            req.uri, first.uri, first.status, getattr(first, "mine", None), first.notes.get("mine"), req.prev.next is req, req.method, req.args,
            req.protocol, req.subprocess_env.get("REDIRECT_URL"), req.subprocess_env.get("REDIRECT_STATUS")))
    req.mine = "of the target"
    if req.uri.endswith("/lost"):
        return apache.HTTP_NOT_FOUND
    req.write("target of %s" % req.uri, 0)
    return apache.OK


def loghandler(req):
    note(req, "%s: log, %s, status %s, attribute %s, of the next %s" % (req.uri, around(req), req.status, getattr(req, "mine", None),
                                                                         getattr(req.next, "mine", None)))
    return apache.OK


def cleanuphandler(req):
    note(req, "%s: end" % req.uri)
    if not req.prev and not req.main:
        note(req, "cleanup of the first")
    return apache.OK

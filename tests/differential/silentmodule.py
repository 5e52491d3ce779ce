"""PythonHandlerModule: only two of the twelve functions are there."""
from mod_python import apache


def fixuphandler(req):
    req.fixed = "fixed up"
    return apache.OK


def handler(req):
    req.content_type = "text/plain"
    req.write(req.fixed)
    return apache.OK

"""PythonInitHandler in a directory."""
from mod_python import apache


def initializer(req):
    req.initialized = True
    return apache.OK


def handler(req):
    req.content_type = "text/plain"
    req.write("initialized %s" % hasattr(req, "initialized"))
    return apache.OK

"""The start page of app.example."""
from mod_python import apache


def handler(req):
    req.content_type = "text/plain"
    req.write(f"app.example in interpreter {req.interpreter}\n")
    return apache.OK

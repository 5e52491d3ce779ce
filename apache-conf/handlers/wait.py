"""A handler that waits, with plain time.sleep, and holds nobody up: try /wait?seconds=2"""
import time

from mod_python import apache, util


def handler(req):
    form = util.FieldStorage(req)
    seconds = min(max(float(form.getfirst("seconds", "1")), 0.0), 30.0)
    started = time.monotonic()
    time.sleep(seconds)
    req.content_type = "text/plain"
    req.write(f"asked to wait {seconds:g} s, waited {time.monotonic() - started:.3f} s\n")
    return apache.OK

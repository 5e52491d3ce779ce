"""Which interpreter each handler and each filter of one request runs in: they say it in the response, and in the file of PythonOption record."""
from mod_python import apache

KEPT = []  # mod_python hands on what a filter writes without holding it: what is freed meanwhile comes out as rubbish


def write(filter, data):
    KEPT.append(data)
    filter.write(data)


def headerparserhandler(req):
    req.mine = apache.interpreter
    req.notes["mine"] = apache.interpreter
    with open(req.get_options()["record"], "w") as file:
        file.write("headerparser %s\n" % req.interpreter)
    return apache.OK


def handler(req):
    if req.method == "POST":
        req.write("%r of %s, " % (req.read(), req.notes["body"]), 0)
    req.write("handler %s %s" % (apache.interpreter, req.interpreter == apache.interpreter), 0)
    if req.args == "attribute":
        req.write(", attribute %s, note %s" % (getattr(req, "mine", None), req.notes["mine"]), 0)
    if req.args == "two":
        req.add_output_filter("SECOND")
    if req.args == "registered":
        req.register_output_filter("MINE", "cases_interp", req.document_root() + "/interp/other")
        req.add_output_filter("MINE")
    return apache.OK


def outputfilter(filter):
    data = filter.read()
    while data:
        write(filter, data)
        data = filter.read()
    if data is None:
        write(filter, (", filter %s" % apache.interpreter).encode())
        filter.close()


def inputfilter(filter):
    filter.req.notes["body"] = apache.interpreter
    line = filter.readline()
    while line:
        write(filter, line.upper())
        line = filter.readline()
    if line is None:
        filter.close()


def broken(filter):
    raise ValueError("in %s" % apache.interpreter)


def record(req, name):
    with open(req.get_options()["record"], "a") as file:
        file.write("%s %s\n" % (name, apache.interpreter))
    return apache.OK


def loghandler(req):
    return record(req, "log")


def cleanuphandler(req):
    return record(req, "cleanup")

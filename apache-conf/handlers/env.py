"""A mod_python handler: what it knows about the request"""
from mod_python import apache


def handler(req):
    req.content_type = "text/plain; charset=utf-8"
    req.add_common_vars()
    req.add_cgi_vars()
    req.write(f"{req.the_request}\n\n")
    for name, value in sorted(req.headers_in.items()):
        req.write(f"{name}: {value}\n")
    req.write(f"\nfilename {req.filename}\npath_info {req.path_info}\ninterpreter {req.interpreter}\n\n")
    for name, value in sorted(req.subprocess_env.items()):
        req.write(f"{name}={value}\n")
    return apache.OK

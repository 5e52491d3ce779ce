"""A folder of handler modules: `/hello` runs hello.py of the folder, `/` its index.py. For `PythonHandler pyhost.folder` in a <Directory>.

What a module is for is seen by what it has: `handler(req)` is called as mod_python does; `application` is a WSGI application, mounted at the
module's URL; else its functions are published (mod_python.publisher). Modules are loaded when they are first asked for and again when they
have changed. Sub-folders work the same way. Names that begin with `_` or `.` are private, and files that are no modules are not served.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from .mod_python import publisher
from .mod_python.constants import HTTP_NOT_FOUND, OK
from .mod_python.importer import load_file

__all__ = ["find", "handler"]


def find(folder: str, path: str) -> tuple[str, str] | None:
    """Find the module that a path means.

    folder: absolute; path: decoded URL path below it. Returns (file, rest of the path: empty or with a leading slash), or None.
    """
    place = folder.rstrip("/")
    names = path.lstrip("/").split("/")
    for index, name in enumerate(names):
        if not name:
            break
        if name[0] in "._" or "\0" in name:
            return None
        file = f"{place}/{name.removesuffix('.py')}.py"
        if os.path.isfile(file):
            return file, "".join("/" + rest for rest in names[index + 1:])
        if not os.path.isdir(f"{place}/{name}"):
            return None
        place += "/" + name
    file = place + "/index.py"
    return (file, "") if os.path.isfile(file) else None


def handler(req: Any) -> int:
    """Answer from the module that the URL names; 404 where there is none. May switch."""
    folder = req.hlist.directory if req.hlist.directory and not req.hlist.is_location else req.document_root()
    whole = (req.filename or "") + (req.path_info or "")
    found = find(folder, whole[len(folder.rstrip("/")):]) if whole.startswith(folder.rstrip("/")) else None
    if found is None:
        return int(HTTP_NOT_FOUND)
    req.filename, req.path_info = found
    config = req.get_config()
    module = load_file(found[0], config.get("PythonAutoReload", "1") == "1", config.get("PythonDebug") == "1")
    if hasattr(module, "handler"):
        return module.handler(req)  # type: ignore[no-any-return]
    if hasattr(module, "application"):
        return run_wsgi(req, module.application)
    return int(publisher.handler(req))


def run_wsgi(req: Any, application: Any) -> int:
    """Call a WSGI application that is mounted at the module's URL. PyWSGIAlias is the quick way; this one needs no configuration."""
    started: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if started and exc_info is None:
            raise AssertionError("start_response was called twice")
        started.append(status)
        req.status, req.status_line = int(status[:3]), status
        for name, value in headers:
            if name.lower() == "content-type":
                req.content_type = value
            elif name.lower() == "content-length":
                req.set_content_length(int(value))
            else:
                req.headers_out.add(name, value)
        return req.write

    output: Iterable[bytes] = application(environ_of(req), start_response)
    try:
        for piece in output:
            if piece:
                req.write(piece, 0)
    finally:
        if hasattr(output, "close"):
            output.close()
    return int(OK)


def environ_of(req: Any) -> dict[str, Any]:
    """PEP 3333's environ; the module's URL is SCRIPT_NAME."""
    req.add_common_vars()
    req.add_cgi_vars()
    mount = req.uri[:len(req.uri) - len(req.path_info)] if req.path_info else req.uri
    return {**{key: value for key, value in req.subprocess_env.items() if value is not None},
            "SCRIPT_NAME": mount.rstrip("/"), "PATH_INFO": req.path_info, "QUERY_STRING": req.args or "", "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if req.is_https() else "http", "wsgi.input": req, "wsgi.errors": sys.stderr, "wsgi.multithread": True,
            "wsgi.multiprocess": True, "wsgi.run_once": False}

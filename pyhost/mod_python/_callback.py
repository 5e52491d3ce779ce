"""The CallBack object of mod_python's C half: dispatch of handlers, connections, filters and imports, and the report of errors.

pyhost's own dispatch of request phases is C (pyphase.c); this one serves programs that call it, with the same rules.
"""
from __future__ import annotations

import html
from types import TracebackType
from typing import Any

from ..boot import traceback_lines
from . import importer
from ._native import SERVER_RETURN, native
from ._resolve import resolve_object
from .constants import APLOG_ERR, DECLINED, DONE, HTTP_INTERNAL_SERVER_ERROR, OK

__all__ = ["CallBack", "return_value"]

_GO_ON: dict[str, frozenset[int]] = {
    "PythonTransHandler": frozenset({DECLINED}), "PythonAuthenHandler": frozenset({DECLINED}), "PythonAuthzHandler": frozenset({DECLINED}),
    "PythonTypeHandler": frozenset({DECLINED}), "PythonHandler": frozenset({OK}), "PythonCleanupHandler": frozenset({OK}),
}
_BOTH = frozenset({OK, DECLINED})


class CallBack:
    """What C calls in an interpreter."""

    def HandlerDispatch(self, req: Any) -> int:
        """Run the handlers of req.hlist and return the last one's value. Exceptions are reported and give 500 or DONE. May switch."""
        phase = req.phase or "PythonHandler"
        default = phase[len("Python"):].lower()
        result = OK
        hlist = req.hlist
        while hlist is not None and hlist.handler is not None:
            name = hlist.handler
            try:
                found = self._find(name, default, hlist, req)
                if found is not None:
                    result = return_value(found, req)
            except Exception as error:
                debug = int(req.get_config().get("PythonDebug", "0") == "1")
                return self.ReportError(type(error), error, error.__traceback__, req=req, phase=phase, hname=name, debug=debug)
            if result not in _GO_ON.get(phase, _BOTH):
                break
            hlist = hlist.next()
        return result

    def _find(self, name: str, default: str, hlist: Any, req: Any) -> Any:
        module_name, _, object_name = name.partition("::")
        config = req.get_config()
        module = importer.load(module_name, hlist.directory, config.get("PythonAutoReload", "1") == "1", config.get("PythonDebug") == "1")
        return resolve_object(module, object_name or default, req, hlist.silent)

    def ConnectionDispatch(self, conn: Any) -> int:
        """Run the first connection handler and return its value. May switch."""
        name = conn.hlist.handler
        try:
            module_name, _, object_name = name.partition("::")
            module = importer.load(module_name, conn.hlist.directory)
            result = resolve_object(module, object_name or "connectionhandler", conn)(conn)
            if result.__class__ is not int:
                raise TypeError(f"connection handler {name!r} returned {result!r}, an int was expected")
            return int(result)
        except Exception as error:
            return self.ReportError(type(error), error, error.__traceback__, srv=conn.base_server, phase="ConnectionHandler", hname=name)

    def FilterDispatch(self, fltr: Any) -> int:
        """Call a filter with its object; its value is ignored, an exception disables it. May switch."""
        try:
            module_name, _, object_name = fltr.handler.partition("::")
            module = importer.load(module_name, fltr.dir)
            resolve_object(module, object_name or ("inputfilter" if fltr.is_input else "outputfilter"), fltr)(fltr)
            if not fltr.closed:
                fltr.flush()
        except SERVER_RETURN as error:
            if error.args and isinstance(error.args[0], int):
                fltr.req.status = error.args[-1]
        except Exception as error:
            fltr.disable()
            debug = int(fltr.req.get_config().get("PythonDebug", "0") == "1")
            self.ReportError(type(error), error, error.__traceback__, req=fltr.req, filter=fltr, phase="Filter: " + fltr.name,
                             hname=fltr.handler, debug=debug)
        return OK

    def IncludeDispatch(self, fltr: Any, tag: str, code: str) -> int:
        """Run the code of a server-side include: `eval` writes the value of an expression, `exec` runs statements. May switch."""
        space = fltr.req.ssi_globals = getattr(fltr.req, "ssi_globals", None) or {"req": fltr.req}
        space["filter"] = fltr
        if tag == "eval":
            value = eval(code.strip(), space)
            if value is not None:
                fltr.write(str(value))
        else:
            exec(code.rstrip() + "\n", space)
        return OK

    def ImportDispatch(self, name: str) -> None:
        """Import `module[::function]` at the start of a process and call the function without arguments. May switch."""
        module_name, _, function = name.partition("::")
        module = importer.load(module_name, None, autoreload=False)
        if function:
            resolve_object(module, function)()

    def ReportError(self, etype: type[BaseException], evalue: BaseException, etb: TracebackType | None, req: Any = None,
                    filter: Any = None, srv: Any = None, phase: str = "N/A", hname: str = "N/A", debug: int = 0) -> int:
        """Log a traceback, one line a call; with debug also write it to the client. Returns DONE where it did, else 500."""
        lines = list(traceback_lines(evalue, etb))
        for line in lines:
            text = f"{phase} {hname}: {line}"
            if req is not None:
                req.log_error(text, APLOG_ERR)
            else:
                native.log_error(text, APLOG_ERR, *([srv] if srv is not None else []))
        if not debug or (req is None and filter is None):
            return HTTP_INTERNAL_SERVER_ERROR
        page = f'\n<pre>\nMod_python error: "{phase} {hname}"\n\n' + "".join(html.escape(line) + "\n" for line in lines) + "</pre>\n"
        if filter is not None:
            filter.write(page.encode("utf-8", "backslashreplace"))
            filter.flush()
        else:
            req.status = HTTP_INTERNAL_SERVER_ERROR
            req.content_type = "text/html; charset=utf-8"
            req.write(page.encode("utf-8", "backslashreplace"))
        return DONE


def return_value(handler: Any, req: Any) -> int:
    """Call a handler and return what it or its SERVER_RETURN says. Raises TypeError when that is not an int."""
    try:
        result = handler(req)
    except SERVER_RETURN as error:
        args = error.args
        if len(args) == 2:
            result, req.status = args
        else:
            result = args[0] if args else None
    if result.__class__ is not int:
        raise TypeError(f"handler returned or raised SERVER_RETURN with {result!r}; an int is expected")
    return int(result)

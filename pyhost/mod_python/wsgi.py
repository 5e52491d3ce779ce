"""mod_python.wsgi: WSGI applications behind `PythonHandler mod_python.wsgi`, `PythonOption mod_python.wsgi.application module::name`.

What start_response says is really sent. `SetHandler wsgi` and PyWSGIAlias are the faster way to the same thing.
"""
from __future__ import annotations

from typing import Any

from . import importer
from ._native import SERVER_RETURN
from ._resolve import resolve_object
from .constants import APLOG_ERR, APLOG_WARNING, DECLINED, HTTP_INTERNAL_SERVER_ERROR, OK

__all__ = ["handler"]


def handler(req: Any) -> int:
    """Run the application that the options name. May switch.

    DECLINED where there is none or the URL is not below `mod_python.wsgi.base_uri`.
    """
    options = req.get_options()
    name = options.get("mod_python.wsgi.application")
    application = _application(req, name)
    environ = req.build_wsgi_env() if application is not None else None
    if application is None or environ is None:
        return DECLINED
    _run(req, application, environ)
    return OK


def _application(req: Any, name: str | None) -> Any:
    if not name:
        req.log_error("mod_python.wsgi: PythonOption mod_python.wsgi.application is not set", APLOG_WARNING)
        return None
    module_name, _, attribute = name.partition("::")
    config = req.get_config()
    directory = getattr(req.hlist, "directory", None)
    module = importer.load(module_name, directory, config.get("PythonAutoReload", "1") == "1", config.get("PythonDebug") == "1")
    found = resolve_object(module, attribute or "application", req, 1)
    if found is None:
        req.log_error(f"mod_python.wsgi: {name!r} was not found", APLOG_WARNING)
    return found


class _Response:
    """start_response() and write() of one request: the status goes out, and so do its headers, with the first byte."""

    def __init__(self, req: Any) -> None:
        self.req = req
        self.started = False
        self.sent = False

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if exc_info is not None:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
            self.req.headers_out.clear()
        elif self.started:
            raise AssertionError("start_response() was called again without exc_info")
        if not isinstance(status, str) or not isinstance(headers, list):
            raise TypeError("start_response() takes a str and a list of (str, str)")
        if len(status) < 3 or not status[:3].isdecimal():
            raise ValueError(f"start_response(): {status[:100]!r} is no status")
        self.req.status, self.req.status_line = int(status[:3]), status
        for name, value in headers:
            self._header(name, value)
        self.started = True
        return self.write

    def _header(self, name: str, value: str) -> None:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"start_response(): header {name!r} is not a pair of str")
        low = name.lower()
        if low == "content-type":
            self.req.content_type = value
        elif low == "content-length":
            self.req.set_content_length(int(value))
        else:
            self.req.headers_out.add(name, value)

    def write(self, data: bytes | str) -> None:
        if not self.started:
            raise AssertionError("write() before start_response()")
        self.sent = self.sent or bool(data)
        self.req.write(data)


def _run(req: Any, application: Any, environ: dict[str, Any]) -> None:
    response = _Response(req)
    body = application(environ, response.start)
    try:
        pieces = iter(body)
        single = len(body) == 1 if isinstance(body, (list, tuple)) else False
        for piece in pieces:
            if single and response.started and not response.sent:
                req.write(piece, 0)  # the whole body: Content-Length can be told
            elif piece:
                response.write(piece)
    finally:
        if hasattr(body, "close"):
            body.close()
    if not response.started:
        req.log_error("mod_python.wsgi: the application did not call start_response()", APLOG_ERR)
        raise SERVER_RETURN(HTTP_INTERNAL_SERVER_ERROR)

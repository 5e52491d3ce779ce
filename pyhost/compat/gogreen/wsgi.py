"""gogreen.wsgi: WSGI applications, as a handler of corohttpd's chain or as a server of their own."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...coro import event_loop
from ...script import serving
from .corohttpd import HttpRequest

__all__ = ["WSGIAppHandler", "serve"]

Application = Callable[..., Iterable[bytes]]


class WSGIAppHandler:
    """A handler that matches everything and gives it to an application."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def match(self, request: HttpRequest) -> bool:
        return True

    def handle_request(self, request: HttpRequest) -> None:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            request.response(int(status.split()[0]))
            request._headers = list(headers)
            return request.push

        result = self._app(request.environ, start)
        try:
            for part in result:
                request.push(part)
        finally:
            if hasattr(result, "close"):
                result.close()


def serve(address: serving.Address, app: Application, access_log: str | None = None, error_log: str | None = None) -> None:
    """Serve an application until SIGTERM, SIGINT or coro.shutdown(). May switch."""
    serving.serve(app, address, "http", access_log, (f'ErrorLog "{error_log}"',) if error_log else ())
    event_loop()

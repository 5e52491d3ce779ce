"""A request without a server: what the pure parts of mod_python (forms, cookies, sessions, publisher's rules) need of one."""
from __future__ import annotations

import io

from pyhost.mod_python._table import mp_table

__all__ = ["PlainHandlerList", "PlainRequest"]


class PlainHandlerList:
    def __init__(self, directory: str | None, is_location: int = 0) -> None:
        self.directory, self.is_location = directory, is_location


class PlainRequest:
    """method, args, headers, options and a body that read() gives in pieces of at most `piece` bytes."""

    def __init__(self, body: bytes = b"", content_type: str | None = None, method: str | None = None, args: str | None = None,
                 headers: dict[str, str] | None = None, options: dict[str, str] | None = None, piece: int = 1 << 30,
                 directory: str | None = "/srv/www/app/", filename: str = "/srv/www/app/index.py") -> None:
        self.method = method or ("POST" if content_type is not None or body else "GET")
        self.args, self.filename, self.path_info = args, filename, ""
        self.headers_in = mp_table(headers or {})
        if self.method == "POST" and "Transfer-Encoding" not in self.headers_in:
            self.headers_in["Content-Length"] = str(len(body))
        if content_type is not None:
            self.headers_in["Content-Type"] = content_type
        self.headers_out, self.err_headers_out = mp_table(), mp_table()
        self.options = options or {}
        self.hlist = PlainHandlerList(directory)
        self.main = self.prev = None
        self.sent_bodyct = 0
        self.status = 200
        self.content_type: str | None = None
        self.log: list[tuple[int, str]] = []
        self.cleanups: list[tuple[object, object]] = []
        self.written = b""
        self.secure = 0
        self._body, self._piece = io.BytesIO(body), piece

    def read(self, n: int = -1) -> bytes:
        return self._body.read(min(n if n >= 0 else 1 << 30, self._piece))

    def write(self, data: str | bytes, flush: int = 1) -> None:
        self.written += data.encode() if isinstance(data, str) else data

    def log_error(self, message: str, level: int = 3) -> None:
        self.log.append((level, message))

    def get_options(self) -> dict[str, str]:
        return self.options

    def get_config(self) -> dict[str, str]:
        return {}

    def register_cleanup(self, function: object, data: object = None) -> None:
        self.cleanups.append((function, data))

    def document_root(self) -> str:
        return "/srv/www"

    def is_https(self) -> int:
        return self.secure

    def end(self) -> None:
        """Run the cleanups, as the server does after the response."""
        while self.cleanups:
            function, data = self.cleanups.pop()
            function(data)  # type: ignore[operator]

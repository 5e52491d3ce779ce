"""corohttpd: HttpServer with a chain of handlers, each with match(request) and handle_request(request). Parsing, connections, limits and the access
log are the C front end's."""
from __future__ import annotations

import logging
import mimetypes
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from http.cookies import Morsel, SimpleCookie
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

from ...coro import Event, sleep
from ...script import serving

__all__ = ["HttpAllow", "HttpFileHandler", "HttpRequest", "HttpServer", "HttpStatisticsHandler"]

REASONS = {200: "OK", 201: "Created", 204: "No Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
           400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error",
           503: "Service Unavailable"}
PERIODS = (15, 60, 300, 600)  # seconds that statistics look back
BLOCK_BYTES = 65536


class Handler(Protocol):
    """What push_handler takes."""

    def match(self, request: HttpRequest) -> bool:
        """Is the request for this handler?"""

    def handle_request(self, request: HttpRequest) -> object:
        """Answer it by request's methods."""


class HttpRequest:
    """A request and its answer."""

    def __init__(self, server: HttpServer, environ: dict[str, Any], start_response: Callable[..., Any]) -> None:
        self.environ, self._server, self._start = environ, server, start_response
        self._code, self._headers, self._parts = 200, [("Content-Type", "text/html")], list[bytes]()
        self._write: Callable[[bytes], object] | None = None
        self._file: Iterable[bytes] | None = None
        self.name = ""

    # what was asked

    def method(self) -> str:
        """The method in lower case."""
        return str(self.environ["REQUEST_METHOD"]).lower()

    def uri(self) -> str:
        """Path and query as sent."""
        return str(self.environ.get("REQUEST_URI") or self.environ["PATH_INFO"])

    def path(self) -> str:
        """The decoded path."""
        return unquote(self.uri().partition("?")[0])

    def version(self) -> str:
        return str(self.environ["SERVER_PROTOCOL"])

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """One field by name, in any case."""
        key = name.upper().replace("-", "_")
        found = self.environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key, default)
        return None if found is None else str(found)

    def get_headers(self) -> dict[str, str]:
        """All fields, names in lower case."""
        return {key[5:].replace("_", "-").lower(): value for key, value in self.environ.items() if key.startswith("HTTP_")}

    def get_query_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True)

    def get_query(self, name: str) -> list[str]:
        """Values of a query argument, in order."""
        return [value for key, value in self.get_query_pairs() if key == name]

    def get_arg(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query argument."""
        return next(iter(self.get_query(name)), default)

    get_arg_list = get_query

    def get_cookie(self, name: str, default: str | None = None, morsel: bool = False) -> str | Morsel[str] | None:
        found = SimpleCookie(self.environ.get("HTTP_COOKIE", "")).get(name)
        return default if found is None else found if morsel else found.value

    def read(self, size: int = -1) -> bytes:
        """Bytes of the body. May switch."""
        return bytes(self.environ["wsgi.input"].read(size))

    def address_string(self) -> str:
        return str(self.environ.get("REMOTE_ADDR", ""))

    def server(self) -> HttpServer:
        return self._server

    # the answer

    def set_name(self, name: object) -> None:
        """Name the request for statistics."""
        self.name = name if isinstance(name, str) else type(name).__name__

    def response(self, code: int) -> None:
        """Set the status."""
        self._code = code

    def set_header(self, name: str, value: str, overwrite: bool = True) -> None:
        if overwrite:
            self._headers = [pair for pair in self._headers if pair[0].lower() != name.lower()]
        self._headers.append((name, str(value)))

    def set_cookie(self, name: str, value: str, domain: str | None = None, path: str = "/", expires: str | None = None) -> None:
        cookie: SimpleCookie = SimpleCookie({name: value})
        for key, given in (("domain", domain), ("path", path), ("expires", expires)):
            if given:
                cookie[name][key] = given
        self.set_header("Set-Cookie", cookie[name].OutputString(), overwrite=False)

    def push(self, data: str | bytes) -> None:
        """Add to the body; it is sent when the handler is done."""
        self._parts.append(data.encode() if isinstance(data, str) else data)

    write = push

    def push_chunked(self, data: str | bytes) -> None:
        """Send a piece of the body now. May switch."""
        if self._write is None:
            self._write = self._start(self.status(), self._headers)
        self.push(data)
        for part in self._parts:
            self._write(part)
        self._parts.clear()

    def connection(self) -> str:
        """`keep-alive` or `close`, as the client wants it."""
        return str(self.get_header("Connection") or "keep-alive").lower()

    def traceback(self) -> None:
        """Write the exception that is being handled to the log."""
        logging.getLogger("corohttpd").exception("%s", self.uri())

    def push_file(self, path: str, kind: str) -> None:
        """Answer with a file. Raises OSError."""
        file = open(path, "rb")
        self.set_header("Content-Type", kind)
        self.set_header("Content-Length", str(os.fstat(file.fileno()).st_size))
        self._file = self.environ["wsgi.file_wrapper"](file, BLOCK_BYTES)

    def send_error(self, code: int, message: str | None = None) -> None:
        """Answer with a small page."""
        self._parts.clear()
        self._code = code
        self.push(f"<h1>{code} {message or REASONS.get(code, '')}</h1>\n")

    def status(self) -> str:
        return f"{self._code} {REASONS.get(self._code, 'Unknown')}"

    def finish(self) -> Iterable[bytes]:
        """What the WSGI application returns."""
        if self._write is not None:
            return self._parts
        self._start(self.status(), self._headers)
        return self._parts if self._file is None else self._file


class HttpServer:
    """An HTTP server of the C front end on one address."""

    def __init__(self, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None, name: str = "HttpServer",
                 postreq: Iterable[Callable[..., object]] = ()) -> None:
        """args: ((host, port), access log file or None). postreq: called with (request, code, seconds) after each request."""
        self.address: serving.Address = args[0]
        self._log = args[1] if len(args) > 1 else None
        self.name, self._postreq = name, list(postreq)
        self._handlers: list[Handler] = []
        self._default_headers: list[tuple[str, str]] = []
        self._recent: list[tuple[float, str, float]] = []
        self._outstanding = self._total = self._most = 0
        self._idle = Event()

    def push_handler(self, handler: Handler) -> None:
        """Add at the end of the chain; the first that matches answers."""
        self._handlers.append(handler)

    def replace_handler(self, old: Handler, new: Handler) -> None:
        self._handlers[self._handlers.index(old)] = new

    def drop_handlers(self) -> None:
        self._handlers.clear()

    def push_default_headers(self, headers: Iterable[tuple[str, str]], merge: bool = False) -> None:
        """Fields of every answer."""
        self._default_headers = [*(self._default_headers if merge else ()), *headers]

    def statistics(self, allow: Iterable[str] = ()) -> None:
        """Answer /statistics; allow: addresses or networks, none means everybody."""
        self._handlers.insert(0, HttpStatisticsHandler(allow))

    def start(self) -> None:
        """Listen and serve; returns at once. Raises OSError."""
        self.address = serving.serve(self, self.address, "http", self._log)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = HttpRequest(self, environ, start_response)
        for name, value in self._default_headers:
            request.set_header(name, value)
        began = time.monotonic()
        self._outstanding += 1
        self._most = max(self._most, self._outstanding)
        try:
            self._dispatch(request)
            return request.finish()
        finally:
            self._ended(request, time.monotonic() - began)

    def _dispatch(self, request: HttpRequest) -> None:
        for handler in list(self._handlers):
            if handler.match(request):
                request.set_name(request.name or handler)
                handler.handle_request(request)
                return
        request.send_error(404)

    def _ended(self, request: HttpRequest, seconds: float) -> None:
        self._outstanding -= 1
        self._total += 1
        now = time.monotonic()
        self._recent.append((now, request.name or "none", seconds))
        if self._recent[0][0] < now - 2 * PERIODS[-1]:
            self._recent = [each for each in self._recent if each[0] >= now - PERIODS[-1]]
        for callback in self._postreq:
            callback(request, request._code, seconds)
        if not self._outstanding:
            self._idle.set()

    def outstanding_requests(self) -> int:
        return self._outstanding

    def num_requests(self) -> int:
        return self._total

    def max_requests(self) -> int:
        """The most that were in hand at once."""
        return self._most

    def request_rate(self) -> list[float]:
        """Requests a second over the last 15, 60, 300 and 600 seconds."""
        now = time.monotonic()
        return [sum(each[0] >= now - period for each in self._recent) / period for period in PERIODS]

    def request_details(self) -> dict[str, tuple[int, float]]:
        """By name: how many in the last 600 seconds, and their mean duration in seconds."""
        counts: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        for _, name, seconds in self._recent:
            counts[name] += 1
            sums[name] += seconds  # type: ignore[assignment]
        return {name: (count, sums[name] / count) for name, count in counts.items()}

    def shutdown(self, grace: float = 0, stop: float = 30) -> bool:
        """Listen no more, wait for what is in hand. grace: seconds before that; stop: seconds to wait. Returns whether all ended. May switch."""
        if grace:
            sleep(grace)
        serving.stop(self.address)
        self._idle.clear()
        return not self._outstanding or bool(self._idle.wait(stop))


class HttpAllow:
    """A list of addresses and networks that may come."""

    def __init__(self, allow: Iterable[str]) -> None:
        from ipaddress import ip_network

        self._nets = [ip_network(each, strict=False) for each in allow]

    def allowed(self, address: str) -> bool:
        """May this address come? Without networks everybody may."""
        from ipaddress import ip_address

        return not self._nets or any(ip_address(address) in net for net in self._nets)


class HttpStatisticsHandler:
    """/statistics: rates and means as plain text."""

    def __init__(self, allow: Iterable[str] = (), name: str = "/statistics") -> None:
        self._allow, self._name = HttpAllow(allow), name

    def match(self, request: HttpRequest) -> bool:
        return request.path() == self._name and self._allow.allowed(request.address_string())

    def handle_request(self, request: HttpRequest) -> None:
        server = request.server()
        request.set_header("Content-Type", "text/plain")
        request.push(f"total: {server.num_requests()}\noutstanding: {server.outstanding_requests()}\nmost: {server.max_requests()}\n")
        request.push("rate: " + " ".join(f"{rate:.2f}" for rate in server.request_rate()) + "\n")
        for name, (count, mean) in sorted(server.request_details().items()):
            request.push(f"{name}: {count} {mean * 1e6:.0f}\n")


class HttpFileHandler:
    """Files of a folder; index.html stands for a folder."""

    def __init__(self, doc_root: str) -> None:
        self._root = os.path.realpath(doc_root)

    def _file(self, request: HttpRequest) -> str | None:
        path = os.path.realpath(os.path.join(self._root, "." + request.path()))
        if os.path.isdir(path):
            path = os.path.join(path, "index.html")
        inside = path == self._root or path.startswith(self._root + os.sep)
        return path if inside and "\0" not in path and os.path.isfile(path) else None

    def match(self, request: HttpRequest) -> bool:
        return request.method() in ("get", "head") and "\0" not in request.path() and self._file(request) is not None

    def handle_request(self, request: HttpRequest) -> None:
        path = self._file(request)
        if path is None:
            request.send_error(404)
        else:
            request.push_file(path, mimetypes.guess_type(path)[0] or "application/octet-stream")

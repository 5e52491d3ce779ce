"""A raw HTTP/1.x client for tests: sends any bytes, and reads responses with no mercy for what RFC 9112 does not allow."""
from __future__ import annotations

import re
import select
import socket
from dataclasses import dataclass, field
from typing import Self

__all__ = ["Client", "ProtocolError", "Response", "build_request"]

TIMEOUT_SECONDS = 15.0
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?[\t ]*")
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class ProtocolError(AssertionError):
    """The server sent what it must not send."""


@dataclass(slots=True)
class Response:
    """One final response; 1xx responses before it are in `interim`."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    interim: list[Response] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    chunked: bool = False
    until_close: bool = False

    def header(self, name: str) -> str | None:
        """Return the value of a field that may come once, or None; fails when it came twice."""
        values = self.all(name)
        if len(values) > 1:
            raise ProtocolError(f"{name} came {len(values)} times")
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of that name, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def closes(self) -> bool:
        """Did the server say that the connection ends here?"""
        return "close" in (self.header("Connection") or "").lower()


def build_request(method: str = "GET", target: str = "/", headers: dict[str, str] | list[tuple[str, str]] | None = None,
                  body: bytes | None = None, version: str = "HTTP/1.1") -> bytes:
    """Return the bytes of a request; Host and Content-Length are added where they are missing."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    names = {name.lower() for name, _ in pairs}
    if "host" not in names:
        pairs.insert(0, ("Host", "localhost"))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    head = f"{method} {target} {version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs) + "\r\n"
    return head.encode("latin-1") + (body or b"")


class Client:
    """One connection, TCP or unix; a context manager. Every wait has a deadline of `timeout` seconds."""

    def __init__(self, address: tuple[str, int] | str, timeout: float = TIMEOUT_SECONDS) -> None:
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    # sending

    def send(self, data: bytes) -> Client:
        self.sock.sendall(data)
        return self

    def send_slowly(self, data: bytes, size: int = 1) -> Client:
        """Send in pieces of `size` bytes, each in a packet of its own; stops quietly when the server has closed."""
        try:
            for at in range(0, len(data), size):
                self.sock.sendall(data[at:at + size])
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def half_close(self) -> Client:
        """Say that nothing more will be sent; responses can still be read."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def request(self, method: str = "GET", target: str = "/", headers: dict[str, str] | list[tuple[str, str]] | None = None,
                body: bytes | None = None, version: str = "HTTP/1.1") -> Response:
        """Send a request and read its response."""
        self.send(build_request(method, target, headers, body, version))
        return self.read_response(head=method == "HEAD")

    # receiving

    def fill(self) -> bool:
        """Receive more; False at the end of the stream. A reset counts as the end only when nothing is half read: it raises."""
        data = self.sock.recv(65536)
        self.received += data
        return bool(data)

    def expect(self, text: bytes) -> Client:
        """Receive until `text` is among what has come and is not read yet; it stays there."""
        while text not in self.received:
            if not self.fill():
                raise ProtocolError(f"the connection ended before {text!r}: {self.received[-200:]!r}")
        return self

    def read_line(self) -> bytes:
        """Return one line without its CRLF; bare CR or LF in it is an error."""
        while b"\n" not in self.received:
            if not self.fill():
                raise ProtocolError(f"the connection ended inside a line: {self.received!r}")
        line, self.received = self.received.split(b"\n", 1)
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise ProtocolError(f"a line that does not end in CRLF: {line!r}")
        return line[:-1]

    def read_exactly(self, count: int) -> bytes:
        while len(self.received) < count:
            if not self.fill():
                raise ProtocolError(f"the connection ended {count - len(self.received)} bytes early")
        data, self.received = self.received[:count], self.received[count:]
        return data

    def read_rest(self) -> bytes:
        """Return everything up to the end of the stream; fails at the deadline when the server does not close."""
        try:
            while self.fill():
                pass
        except ConnectionResetError as exc:
            raise ProtocolError(f"reset by the server after {len(self.received)} bytes") from exc
        data, self.received = self.received, b""
        return data

    def expect_close(self) -> None:
        """Fail unless the server closes the connection (or resets it) without another byte."""
        try:
            rest = self.read_rest()
        except ProtocolError:
            rest, self.received = self.received, b""
        if rest:
            raise ProtocolError(f"bytes after the last response: {rest[:200]!r}")

    def is_open(self) -> bool:
        """Has the server neither closed nor sent anything unasked, so far?"""
        return not self.received and not select.select([self.sock], [], [], 0)[0]

    def read_fields(self) -> list[tuple[str, str]]:
        fields = []
        while line := self.read_line():
            match = FIELD_LINE.fullmatch(line)
            if not match:
                raise ProtocolError(f"not a field line: {line!r}")
            fields.append((match[1].decode("latin-1"), (match[2] or b"").decode("latin-1")))
        return fields

    def read_head(self) -> Response:
        line = self.read_line()
        match = STATUS_LINE.fullmatch(line)
        if not match:
            raise ProtocolError(f"not a status line: {line!r}")
        return Response(int(match[1]), match[2].decode("latin-1"), self.read_fields())

    def read_response(self, head: bool = False) -> Response:
        """Read one final response, checking its framing. head: it answers a HEAD request."""
        interim = []
        response = self.read_head()
        while response.status < 200 and response.status != 101:
            if response.all("Content-Length") or response.all("Transfer-Encoding"):
                raise ProtocolError(f"a {response.status} with framing fields")
            interim.append(response)
            response = self.read_head()
        response.interim = interim
        if response.status >= 200:
            for name in ("Date", "Server"):
                if not response.header(name):
                    raise ProtocolError(f"no {name} in {response.headers}")
        self.read_body(response, head)
        return response

    def read_body(self, response: Response, head: bool) -> None:
        length, coding = response.header("Content-Length"), response.header("Transfer-Encoding")
        if length is not None and (coding is not None or not re.fullmatch(r"\d+", length)):
            raise ProtocolError(f"Content-Length {length!r} with Transfer-Encoding {coding!r}")
        if response.status in (101, 204) and (length or coding):
            raise ProtocolError(f"a {response.status} with framing fields: {response.headers}")
        if head or response.status in (101, 204, 304):
            return
        if coding is not None:
            if coding != "chunked":
                raise ProtocolError(f"Transfer-Encoding {coding!r}")
            response.chunked = True
            response.body = self.read_chunks()
            response.trailers = self.read_fields()
        elif length is not None:
            response.body = self.read_exactly(int(length))
        else:
            if not response.closes:
                raise ProtocolError(f"neither length nor close: {response.headers}")
            response.until_close = True
            response.body = self.read_rest()

    def read_chunks(self) -> bytes:
        parts = []
        while True:
            line = self.read_line()
            if not CHUNK_SIZE.fullmatch(line):
                raise ProtocolError(f"not a chunk size: {line!r}")
            if not int(line, 16):
                return b"".join(parts)
            parts.append(self.read_exactly(int(line, 16)))
            if self.read_exactly(2) != b"\r\n":
                raise ProtocolError("chunk data is not followed by CRLF")

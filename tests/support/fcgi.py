"""Raw clients of FastCGI, SCGI and uwsgi: every byte is the test's."""
from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field

__all__ = ["FastCGI", "Reply", "pairs", "record", "scgi_head", "uwsgi_head", "variables"]

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, GET_VALUES_RESULT, UNKNOWN = range(1, 12)
TIMEOUT_SECONDS = 15.0


def record(kind: int, number: int, content: bytes = b"", padding: int = 0, version: int = 1) -> bytes:
    """One record."""
    return struct.pack(">BBHHBx", version, kind, number, len(content), padding) + content + bytes(padding)


def pairs(values: dict[str, str]) -> bytes:
    """Name-value pairs; long lengths where needed."""
    out = b""
    for name, value in values.items():
        for text in (name, value):
            n = len(text.encode("latin-1"))
            out += bytes([n]) if n < 128 else struct.pack(">I", n | 0x80000000)
        out += name.encode("latin-1") + value.encode("latin-1")
    return out


def variables(method: str = "GET", target: str = "/", body: bytes = b"", **more: str) -> dict[str, str]:
    """What a web server tells of a request."""
    path, _, query = target.partition("?")
    return {"CONTENT_LENGTH": str(len(body)) if body else "", "REQUEST_METHOD": method, "REQUEST_URI": target, "SCRIPT_NAME": "", "PATH_INFO": path,
            "QUERY_STRING": query, "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711", "SERVER_NAME": "front.example",
            "SERVER_PORT": "80", "HTTP_HOST": "front.example", **more}


def scgi_head(values: dict[str, str]) -> bytes:
    values = {"CONTENT_LENGTH": values.get("CONTENT_LENGTH") or "0", "SCGI": "1", **{k: v for k, v in values.items() if k != "CONTENT_LENGTH"}}
    content = b"".join(k.encode("latin-1") + b"\0" + v.encode("latin-1") + b"\0" for k, v in values.items())
    return b"%d:%b," % (len(content), content)


def uwsgi_head(values: dict[str, str]) -> bytes:
    content = b"".join(struct.pack("<H", len(t)) + t for k, v in values.items() for t in (k.encode("latin-1"), v.encode("latin-1")))
    return struct.pack("<BHB", 0, len(content), 0) + content


@dataclass(slots=True)
class Reply:
    """What came for one request id."""

    out: bytearray = field(default_factory=bytearray)
    err: bytes = b""
    ended: bool = False
    app_status: int = 0
    protocol_status: int = 0
    order: list[int] = field(default_factory=list)

    @property
    def head(self) -> dict[str, str]:
        lines = self.out.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def status(self) -> int:
        return int(self.head.get("status", "200").split()[0])

    @property
    def body(self) -> bytes:
        return bytes(self.out.split(b"\r\n\r\n", 1)[1])


class FastCGI:
    """One connection."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        self.sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(address)
        self.received = b""
        self.replies: dict[int, Reply] = {}
        self.management: list[tuple[int, bytes]] = []

    def __enter__(self) -> FastCGI:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> FastCGI:
        self.sock.sendall(data)
        return self

    def begin(self, number: int, keep: bool = True, role: int = 1) -> FastCGI:
        return self.send(record(BEGIN, number, struct.pack(">HB5x", role, int(keep))))

    def params(self, number: int, values: dict[str, str]) -> FastCGI:
        return self.send(record(PARAMS, number, pairs(values)) + record(PARAMS, number))

    def stdin(self, number: int, data: bytes, end: bool = True) -> FastCGI:
        for at in range(0, len(data), 32768):
            self.send(record(STDIN, number, data[at:at + 32768]))
        return self.send(record(STDIN, number)) if end else self

    def start(self, number: int, target: str = "/", method: str = "GET", body: bytes = b"", keep: bool = True, **more: str) -> FastCGI:
        self.begin(number, keep).params(number, variables(method, target, body, **more))
        return self.stdin(number, body)

    def read_record(self) -> tuple[int, int, bytes] | None:
        """The next record as (type, id, content); None at the end of the connection."""
        while True:
            if len(self.received) >= 8:
                version, kind, number, length, padding = struct.unpack(">BBHHBx", self.received[:8])
                assert version == 1
                if len(self.received) >= 8 + length + padding:
                    content = self.received[8:8 + length]
                    self.received = self.received[8 + length + padding:]
                    return kind, number, content
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self.received, f"half a record at the end: {self.received[:60]!r}"
                return None
            self.received += data

    def take(self) -> bool:
        """Read one record into replies or management; False at the end."""
        found = self.read_record()
        if found is None:
            return False
        kind, number, content = found
        if number == 0:
            self.management.append((kind, content))
            return True
        reply = self.replies.setdefault(number, Reply())
        assert not reply.ended, "a record after END_REQUEST"
        reply.order.append(kind)
        if kind == STDOUT:
            reply.out += content
        elif kind == STDERR:
            reply.err += content
        else:
            assert kind == END and len(content) == 8
            reply.ended = True
            reply.app_status, reply.protocol_status = struct.unpack(">IB3x", content)
        return True

    def finish(self, number: int) -> Reply:
        """Read until that request has ended; its reply."""
        while not self.replies.get(number, Reply()).ended:
            assert self.take(), f"the connection ended before request {number}"
        return self.replies.pop(number)

    def get(self, target: str, number: int = 1, **more: object) -> Reply:
        self.start(number, target, **more)  # type: ignore[arg-type]
        return self.finish(number)

    def at_end(self) -> bool:
        """Does the server close, without another record?"""
        return self.read_record() is None

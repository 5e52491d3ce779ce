"""WebSocket (RFC 6455): req.websocket(), environ["pyhost.websocket"], ASGI; the protocol byte by byte, and with a real client library."""
from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable

import pytest

from support.client import Client, Response, build_request
from support.server import Server

Start = Callable[..., Server]

HANDLER = '''
import json
from mod_python import apache
import pyhost.coro

rooms = []

def echo(req):
    ws = req.websocket(protocols=["chat", "v2"])
    for message in ws:
        ws.send(message)
    req.log_error("ended %s %r %s" % (ws.close_code, ws.close_reason, ws.closed), apache.APLOG_NOTICE)
    return apache.OK

def broadcast(req):
    ws = req.websocket()
    rooms.append(ws)
    try:
        for message in ws:
            for other in list(rooms):
                try:
                    other.send(message)
                except OSError:
                    pass
    finally:
        rooms.remove(ws)
    return apache.OK

def count(req):
    req.write(str(len(rooms)))
    return apache.OK

def commands(req):
    ws = req.websocket()
    for line in ws:
        word, _, rest = line.partition(" ")
        if word == "close":
            code, _, reason = rest.partition(" ")
            try:
                ws.close(int(code), reason)
            except ValueError as error:
                ws.send("ValueError: %s" % error)
        elif word == "ping":
            ws.ping(rest.encode())
        elif word == "raise":
            1 / 0
        elif word == "return":
            return apache.OK
        elif word == "timeout":
            try:
                ws.receive(timeout=0.01)
            except TimeoutError as error:
                ws.send("TimeoutError: %s" % error)
        elif word == "state":
            ws.send(json.dumps([ws.protocol, ws.closed, ws.close_code, ws.close_reason]))
        elif word == "big":
            ws.send(b"x" * int(rest))
        elif word == "flood":
            for n in range(int(rest)):
                ws.send(b"x" * 1000000)
            ws.send("done")
    try:
        ws.send("too late")
    except BrokenPipeError as error:
        req.log_error("late: %s" % error, apache.APLOG_NOTICE)
    return apache.OK

def two(req):
    """One greenlet receives, another sends."""
    ws = req.websocket()
    task = pyhost.coro.spawn(lambda: [ws.send(b"t" * 100000) for _ in range(20)])
    heard = sum(len(message) for message in iter(lambda: ws.receive(), "stop"))
    task.join()
    ws.send(str(heard))
    ws.close(1000, "bye")
    ws.receive()
    return apache.OK

def late(req):
    req.write("begun")
    req.flush()
    try:
        req.websocket()
    except OSError as error:
        req.write(str(error))
    return apache.OK
'''

MORE = {"small": "PythonHandler handlers::echo\nPyWebSocketMessageLimit 1000", "ping": "PythonHandler handlers::echo\nPyWebSocketPing 100ms",
        "deadline": "PythonHandler handlers::commands\nPyRequestTimeout 50ms"}
CONF = """
PythonPath "['@ROOT@/www'] + sys.path"
PyWebSocketMessageLimit 20000000
PyWSGIAlias /wsgi app:application
""" + "".join(f"<Location /{name}>\nSetHandler mod_python\n{MORE.get(name, f'PythonHandler handlers::{name}')}\n</Location>\n"
              for name in ["echo", "broadcast", "count", "commands", "two", "late", *MORE])

WSGI = '''
def application(environ, start_response):
    if "pyhost.websocket" not in environ:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"no websocket"]
    ws = environ["pyhost.websocket"](protocols=("v2",))
    ws.send("hello %s %s" % (environ.get("HTTP_ORIGIN"), ws.protocol))
    for message in ws:
        ws.send(message)
    return [b"ignored"]
'''

CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEAD = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY.decode(), "Sec-WebSocket-Version": "13"}


def frame(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x11\x22\x33\x44", form: int | None = None) -> bytes:
    """Return a frame as a client sends it. form: the length's form, 7, 16 or 64 bits, if not the shortest."""
    size = len(payload)
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    length = {7: bytes([size & 127]), 16: b"\x7e" + struct.pack(">H", size & 65535), 64: b"\x7f" + struct.pack(">Q", size)}[form]
    head = bytes([fin << 7 | rsv << 4 | opcode, length[0] | (0x80 if mask else 0)]) + length[1:]
    if not mask:
        return head + payload
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


class Socket(Client):
    """A raw WebSocket client that reads strictly: no masks, no reserved bits, shortest lengths."""

    def open(self, path: str, headers: dict[str, str] | None = None) -> Response:
        self.send(build_request("GET", path, {**HEAD, **(headers or {})}))
        response = self.read_response()
        assert response.status == 101, response
        digest = hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        assert response.header("Sec-WebSocket-Accept") == base64.b64encode(digest).decode()
        assert (response.header("Upgrade"), response.header("Connection")) == ("websocket", "Upgrade")
        assert not response.all("Content-Length") and not response.all("Transfer-Encoding")
        return response

    def read_frame(self) -> tuple[int, bool, bytes]:
        first, second = self.read_exactly(2)
        assert not first & 0x70 and not second & 0x80, (first, second)
        size = second
        if second == 126:
            size = int.from_bytes(self.read_exactly(2), "big")
            assert size > 125
        elif second == 127:
            size = int.from_bytes(self.read_exactly(8), "big")
            assert size > 65535
        return first & 15, bool(first & 128), self.read_exactly(size)

    def read_message(self) -> tuple[int, bytes]:
        """Return (opcode, payload) of the next message or control frame."""
        opcode, fin, payload = self.read_frame()
        parts = [payload]
        while not fin:
            more, fin, payload = self.read_frame()
            assert more == CONTINUE
            parts.append(payload)
        return opcode, b"".join(parts)

    def expect_end(self, code: int | None, answer: bool = True) -> None:
        """The server says close with this code and ends the connection."""
        opcode, payload = self.read_message()
        assert opcode == CLOSE, (opcode, payload)
        assert (int.from_bytes(payload[:2], "big") if payload else None) == code, payload
        if answer:
            self.send(frame(CLOSE, payload))
        self.expect_close()


@pytest.fixture
def host(server: Start) -> Server:
    return server(CONF, files={"www/handlers.py": HANDLER, "www/app.py": WSGI})


def connect(host: Server, path: str = "/echo", headers: dict[str, str] | None = None) -> Socket:
    sock = Socket(("127.0.0.1", host.port))
    host.clients.append(sock)
    sock.open(path, headers)
    return sock

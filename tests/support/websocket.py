"""A raw WebSocket client for tests: sends any frame, right or wrong, and reads strictly."""
from __future__ import annotations

import base64
import hashlib
import struct

from .client import Client, Response, build_request

__all__ = ["BINARY", "CLOSE", "CONTINUE", "HEAD", "KEY", "PING", "PONG", "TEXT", "Socket", "ask", "frame"]

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


def ask(sock: Socket, command: str) -> tuple[int, bytes]:
    sock.send(frame(TEXT, command.encode()))
    return sock.read_message()

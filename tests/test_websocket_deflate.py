"""permessage-deflate (RFC 7692) for WebSockets of handlers, WSGI and ASGI applications: raw, by the client library, and Autobahn's groups 12 and 13.

Autobahn's own program needs a network and Python 2; what its cases do is done here: sizes and fragments (12) on each set of terms (13).
"""
from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from support.client import build_request
from support.server import Server
from support.websocket import BINARY, CLOSE, CONTINUE, HEAD, PING, PONG, TEXT, Socket, frame

Start = Callable[..., Server]
TAIL = b"\x00\x00\xff\xff"
PATIENT: dict[str, Any] = {"open_timeout": 120, "ping_interval": None}  # a busy machine breaks no connection
APART = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

HANDLER = '''
def handler(req):
    for message in (ws := req.websocket()):
        ws.send(message)
    return 0

clients = []

def broadcast(req):
    ws = req.websocket()
    clients.append(ws)
    for message in ws:
        for client in clients:
            client.send(message)
    return 0

def fat(req):
    ws = req.websocket()
    for message in ws:
        ws.send(message[0] * int(message[1:]))
    return 0
'''
WSGI = '''
def application(environ, start_response):
    ws = environ["pyhost.websocket"]()
    for message in ws:
        ws.send(message)
    return []
'''
ASGI = '''
async def application(scope, receive, send):
    if scope["type"] != "websocket":
        raise RuntimeError
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
'''
CONF = """
PythonPath "['@ROOT@/www'] + sys.path"
PyWebSocketMessageLimit 2000000
PyWSGIAlias /wsgi @ROOT@/www/app.py
<Location /asgi>
    SetHandler asgi
    PyWSGIApplication asgi_app:application
</Location>
<Location /py>
    SetHandler mod_python
    PythonHandler handlers
</Location>
<Location /py/off>
    PyWebSocketCompression Off
</Location>
<Location /py/context>
    PyWebSocketCompression Context
</Location>
<Location /py/small>
    PyWebSocketCompression Context
    PyWebSocketWindow 10
</Location>
<Location /py/limit>
    PyWebSocketMessageLimit 1000
</Location>
<Location /py/any>
    PyWebSocketMessageLimit 0
</Location>
<Location /broadcast>
    SetHandler mod_python
    PythonHandler handlers::broadcast
</Location>
<Location /fat>
    SetHandler mod_python
    PythonHandler handlers::fat
</Location>
"""


@pytest.fixture
def host(server: Start) -> Server:
    host = server(CONF, files={"www/handlers.py": HANDLER, "www/app.py": WSGI, "www/asgi_app.py": ASGI})
    host.check_fds = False
    return host


class Deflated(Socket):
    """A raw client that compresses, on the terms that it was given."""

    def agree(self, path: str, offer: str = "permessage-deflate; client_max_window_bits") -> str | None:
        answer = self.open(path, {"Sec-WebSocket-Extensions": offer} if offer else {}).header("Sec-WebSocket-Extensions")
        terms = dict((word.strip() + "=").split("=")[:2] for word in (answer or "").split(";"))
        self.keep_out, self.keep_in = "client_no_context_takeover" not in terms, "server_no_context_takeover" not in terms
        self.out_bits, self.in_bits = int(terms.get("client_max_window_bits") or 15), int(terms.get("server_max_window_bits") or 15)
        self.packer: object = None
        self.unpacker: object = None
        self.pongs: list[bytes] = []
        return answer

    def pack(self, data: bytes) -> bytes:
        if not self.packer or not self.keep_out:
            self.packer = zlib.compressobj(9, zlib.DEFLATED, -self.out_bits)
        packed = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)  # type: ignore[attr-defined]
        assert packed.endswith(TAIL)
        return bytes(packed[:-4])

    def read_packed(self) -> tuple[int, bool, bytes]:
        """Return (opcode, was it compressed, message)."""
        first = True
        packed = False
        kind, parts, fin = 0, [], False
        while not fin:
            head, size = self.read_exactly(2)
            size = int.from_bytes(self.read_exactly(2 if size == 126 else 8), "big") if size > 125 else size
            opcode, fin = head & 15, bool(head & 128)
            assert not head & 0x30 and (first or not head & 0x40)
            if opcode == PONG:  # comes at once, wherever that is
                assert head == 0x80 | PONG
                self.pongs.append(self.read_exactly(size))
                fin = False
                continue
            assert (opcode == CONTINUE) != first
            if first:
                kind, packed, first = opcode, bool(head & 0x40), False
            parts.append(self.read_exactly(size))
        data = b"".join(parts)
        if packed:
            if not self.unpacker or not self.keep_in:
                self.unpacker = zlib.decompressobj(-self.in_bits)
            data = self.unpacker.decompress(data + TAIL)  # type: ignore[attr-defined]
        return kind, packed, data

    def say(self, data: bytes, opcode: int = BINARY, pieces: int = 1) -> None:
        packed = self.pack(data)
        size = max(1, -(-len(packed) // pieces))
        cut = [packed[at:at + size] for at in range(0, len(packed), size)] or [b""]
        for number, piece in enumerate(cut):
            self.send(frame(CONTINUE if number else opcode, piece, fin=number == len(cut) - 1, rsv=0 if number else 4))


def connect(host: Server, path: str = "/py", offer: str = "permessage-deflate; client_max_window_bits") -> Deflated:
    sock = Deflated(("127.0.0.1", host.port))
    host.clients.append(sock)
    sock.agree(path, offer)
    return sock


@pytest.mark.parametrize("path,offer,answer", [
    ("/py", "permessage-deflate", APART),
    ("/py", "permessage-deflate; server_max_window_bits=10", APART + "; server_max_window_bits=10"),
    ("/py", "permessage-deflate; server_max_window_bits=8, permessage-deflate", APART),
    ("/py", "permessage-deflate; unknown", None),
    ("/py", "x-webkit-deflate-frame", None),
    ("/py", "", None),
    ("/py/off", "permessage-deflate", None),
    ("/py/context", "permessage-deflate; client_max_window_bits", "permessage-deflate"),
    ("/py/context", "permessage-deflate; client_no_context_takeover; client_max_window_bits=9",
     "permessage-deflate; client_no_context_takeover; client_max_window_bits=9"),
    ("/py/small", "permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10"),
    ("/py/small", "permessage-deflate", "permessage-deflate; server_max_window_bits=10"),
])
def test_terms(host: Server, path: str, offer: str, answer: str | None) -> None:
    sock = Deflated(host.address)
    host.clients.append(sock)
    assert sock.agree(path, offer) == answer
    text = b"the quick brown fox " * 100
    for _ in range(2):
        if answer:
            sock.say(text, TEXT)
        else:
            sock.send(frame(TEXT, text))
        assert sock.read_packed() == (TEXT, answer is not None, text)


def test_a_header_that_is_no_list_of_extensions_is_400(host: Server) -> None:
    answer = host.client().send(build_request("GET", "/py", {**HEAD, "Sec-WebSocket-Extensions": "permessage-deflate;"})).read_response()
    assert answer.status == 400
    host.allow_log("Sec-WebSocket-Extensions is no list")


PATHS = ["/py", "/py/context", "/py/small", "/wsgi", "/asgi"]


@pytest.mark.parametrize("path", PATHS)
def test_sizes_and_fragments_as_in_autobahn_12(host: Server, path: str) -> None:
    sock = connect(host, path)
    for kind in (lambda size: os.urandom(size), lambda size: json.dumps({"id": 17, "text": "häß " * size}).encode()[:size], lambda size: b"\x00" * size):
        for size in (0, 1, 16, 63, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072):
            for pieces in (1, 5):
                data = kind(size)
                sock.say(data, BINARY, pieces)
                opcode, packed, got = sock.read_packed()
                assert (opcode, got) == (BINARY, data)
                assert packed or size < 64 or len(zlib.compress(data, 1)) >= size - 16


@pytest.mark.parametrize("path", ["/py", "/py/context"])
@pytest.mark.parametrize("offer", [  # 13.1 to 13.7
    "permessage-deflate",
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_max_window_bits; server_max_window_bits=9",
    "permessage-deflate; client_max_window_bits; server_max_window_bits=15",
    "permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=9",
    "permessage-deflate; client_max_window_bits; server_no_context_takeover; server_max_window_bits=15",
    ("permessage-deflate; server_no_context_takeover; client_max_window_bits; server_max_window_bits=9, "
     "permessage-deflate; server_no_context_takeover; client_max_window_bits, permessage-deflate; client_max_window_bits"),
])
def test_terms_as_in_autobahn_13(host: Server, path: str, offer: str) -> None:
    sock = connect(host, path, offer)
    assert sock.in_bits == (9 if "=9" in offer else 15)
    for size in (16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072):
        for number in range(4):
            data = (b'{"number": %d, "words": "here there everywhere"} ' % number * (size // 40 + 1))[:size]
            sock.say(data, TEXT)
            assert sock.read_packed() == (TEXT, size >= 64, data)


def test_a_window_that_is_kept_makes_the_next_message_shorter(host: Server) -> None:
    sizes = {}
    for path in ("/py", "/py/context"):
        sock = connect(host, path)
        message = os.urandom(600).hex().encode()
        before = []
        for _ in range(2):
            sock.say(message)
            head, size = sock.read_exactly(2)
            assert head & 0x40 and size < 127
            before.append(int.from_bytes(sock.read_exactly(2), "big") if size == 126 else size)
            sock.read_exactly(before[-1])
        sizes[path] = before
    assert sizes["/py"][0] == sizes["/py"][1] > 500 and sizes["/py/context"][1] < 50


def test_messages_that_are_not_compressed_may_come_between(host: Server) -> None:
    sock = connect(host, "/py/context")
    text = b"words and words and words and words and words and words and words"
    for _ in range(3):
        sock.say(text, TEXT)
        sock.send(frame(PING, b"x"))
        sock.send(frame(TEXT, text))
        assert sock.read_packed() == (TEXT, True, text)
        assert sock.read_packed() == (TEXT, True, text)
    assert sock.pongs[:2] == [b"x"] * 2


def test_streams_that_a_client_ends(host: Server) -> None:
    sock = connect(host)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    sock.send(frame(TEXT, packer.compress(b"Hello") + packer.flush() + b"\x00", rsv=4))
    assert sock.read_packed() == (TEXT, False, b"Hello")
    sock.send(frame(TEXT, b"\x00", rsv=4))  # an empty message, compressed
    assert sock.read_packed() == (TEXT, False, b"")


@pytest.mark.parametrize("what,frames,code", [
    ("the bit without an agreement", [frame(TEXT, b"x", rsv=4)], 1002),
    ("the bit in a control frame", [frame(PING, b"x", rsv=4)], 1002),
    ("the bit in a later frame", [frame(TEXT, b"\xf2\x48", fin=False, rsv=4), frame(CONTINUE, b"\xcd\xc9\xc9\x07\x00", rsv=4)], 1002),
    ("another bit", [frame(TEXT, b"x", rsv=2)], 1002),
    ("no deflate stream", [frame(TEXT, b"\xff\xff\xff", rsv=4)], 1007),
    ("no UTF-8 in it", [frame(TEXT, zlib.compress(b"\xc3\x28", wbits=-15), rsv=4)], 1007),
    ("half a character in it", [frame(TEXT, zlib.compress(b"x\xc3", wbits=-15), rsv=4)], 1007),
])
def test_what_must_not_be_sent(host: Server, what: str, frames: list[bytes], code: int) -> None:
    sock = connect(host, "/py", "" if "without" in what else "permessage-deflate")
    for each in frames:
        sock.send(each)
    sock.expect_end(code, answer=False)
    host.allow_log("websocket:info")


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(b"\x00" * size) + packer.flush(zlib.Z_SYNC_FLUSH)[:-4]


def test_a_message_is_bounded_when_it_is_expanded(host: Server) -> None:
    for size, good in ((999, True), (1000, True), (1001, False), (900_000, False)):
        sock = connect(host, "/py/limit", "permessage-deflate")
        assert len(bomb(size)) < 1000
        sock.send(frame(BINARY, bomb(size), rsv=4))
        if good:
            assert sock.read_packed() == (BINARY, True, b"\x00" * size)
        else:
            sock.expect_end(1009, answer=False)
            host.expect_log("closed with 1009: the message is too big when it is expanded: PyWebSocketMessageLimit")
    noise = os.urandom(1000)  # what cannot be compressed gets longer, and is no larger for that
    sock = connect(host, "/py/limit", "permessage-deflate")
    sock.say(noise)
    assert sock.read_packed() == (BINARY, False, noise)


def test_a_bomb_costs_no_memory(host: Server) -> None:
    def peak() -> int:
        return int(next(line for line in open(f"/proc/{host.process.pid}/status") if line.startswith("VmHWM")).split()[1])  # type: ignore[union-attr]

    connect(host, "/py/limit").close()
    before = peak()
    for _ in range(20):
        sock = connect(host, "/py/limit", "permessage-deflate")
        sock.send(frame(BINARY, bomb(1_000_000), rsv=4))
        sock.expect_end(1009, answer=False)
    assert peak() - before < 4096, "KiB"
    host.allow_log("websocket:info")


def test_large_messages_go_out_in_fragments_and_mix_with_nothing(host: Server) -> None:
    sock = connect(host, "/py/any")
    noise = os.urandom(250_000).hex().encode()
    sock.say(noise)
    sock.send(frame(PING, b"between"))
    sock.say(b"short, and behind it, of course: it is compressed all the same, for it is longer than 64 bytes")
    assert sock.read_packed() == (BINARY, True, noise)
    assert sock.read_packed()[2].startswith(b"short")
    sock.say(b"x" * 3_000_000)  # above what is compressed in one go
    assert sock.read_packed() == (BINARY, False, b"x" * 3_000_000)
    assert sock.pongs == [b"between"]


def test_a_slow_reader_of_compressed_fragments(host: Server) -> None:
    socks = [connect(host, path) for path in ("/py/context", "/asgi")]
    noise = os.urandom(400_000).hex().encode()
    for _ in range(4):
        for sock in socks:
            sock.say(noise)
    for _ in range(4):
        for sock in socks:
            assert sock.read_packed() == (BINARY, True, noise)


def test_broadcast_compressed_once(host: Server) -> None:
    socks = [connect(host, "/broadcast") for _ in range(50)]
    plain = connect(host, "/broadcast", "")
    small = connect(host, "/broadcast", "permessage-deflate; server_max_window_bits=9")
    message = json.dumps([{"id": n, "name": "everybody"} for n in range(50)]).encode()
    for sock in (*socks, plain, small):  # each has come when its own message is back
        sock.send(frame(TEXT, b"here"))
        while sock.read_packed()[2] != b"here":
            pass
    socks[0].say(message, TEXT)

    def next_long(sock: Deflated) -> tuple[int, bool, bytes]:
        while (got := sock.read_packed())[2] == b"here":
            pass
        return got

    assert all(next_long(sock) == (TEXT, True, message) for sock in (*socks, small))
    assert next_long(plain) == (TEXT, False, message)


def test_close_frames_are_never_compressed(host: Server) -> None:
    sock = connect(host)
    sock.say(b"x" * 100)
    assert sock.read_packed() == (BINARY, True, b"x" * 100)
    sock.send(frame(CLOSE, b"\x03\xe8" + b"bye" * 30))
    sock.expect_end(1000, answer=False)


@pytest.mark.skipif(not importlib.util.find_spec("websockets"), reason="the package websockets is not installed")
@pytest.mark.parametrize("path", PATHS)
def test_the_client_library_agrees(host: Server, path: str) -> None:
    import websockets
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Factory

    factories = [Factory(), Factory(client_max_window_bits=True), Factory(server_no_context_takeover=True, client_no_context_takeover=True),
                 Factory(server_max_window_bits=9, client_max_window_bits=9), Factory(server_max_window_bits=12)]

    async def talk() -> None:
        for factory in factories:
            async with websockets.connect(f"ws://127.0.0.1:{host.port}{path}", compression=None, extensions=[factory], max_size=None, **PATIENT) as ws:
                assert [each.name for each in ws.protocol.extensions] == ["permessage-deflate"]
                for message in ("text", "häß " * 20_000, b"bytes" * 200, os.urandom(100_000), "", "text" * 100, "text" * 100):
                    await ws.send(message)
                    assert await ws.recv() == message
                await ws.send(iter(["frag" * 100, "men", "ted" * 1000]))
                assert await ws.recv() == "frag" * 100 + "men" + "ted" * 1000
                await (await ws.ping())
            assert ws.close_code == 1000

    asyncio.run(asyncio.wait_for(talk(), 120))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_idle_ones_cost_no_more_for_it(host: Server) -> None:
    def memory() -> int:
        return int(open(f"/proc/{host.process.pid}/statm").read().split()[1]) * 4096  # type: ignore[union-attr]

    def talk(count: int) -> list[Deflated]:
        socks = [connect(host) for _ in range(count)]
        for sock in socks:
            sock.say(b"hello " * 100)
            assert sock.read_packed()[2] == b"hello " * 100
        return socks

    first = talk(20)
    before = memory()
    more = talk(300)
    assert (memory() - before) / 300 < 64 * 1024
    assert len(first) + len(more) == 320

"""WebSocket (RFC 6455): req.websocket(), environ["pyhost.websocket"], ASGI; the protocol byte by byte, and with a real client library."""
from __future__ import annotations

import os
import resource
import signal
import struct
import threading
import time
from collections.abc import Callable

import pytest

from support.client import build_request
from support.server import Server, wait_until
from support.websocket import BINARY, CLOSE, CONTINUE, HEAD, PING, PONG, TEXT, Socket, ask, frame

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
        elif word == "surrogate":
            try:
                ws.send("\\udcff")
            except UnicodeError as error:
                ws.send("%s: %s" % (type(error).__name__, error))
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
        "deadline": "PythonHandler handlers::commands\nPyRequestTimeout 1s"}
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

@pytest.fixture
def host(server: Start) -> Server:
    return server(CONF, files={"www/handlers.py": HANDLER, "www/app.py": WSGI})


def connect(host: Server, path: str = "/echo", headers: dict[str, str] | None = None) -> Socket:
    sock = Socket(("127.0.0.1", host.port))
    host.clients.append(sock)
    sock.open(path, headers)
    return sock


# --- the handshake


@pytest.mark.parametrize(("change", "status"), [
    ({"Sec-WebSocket-Version": "12"}, 426), ({"Sec-WebSocket-Version": ""}, 426), ({"Sec-WebSocket-Version": "13, 13"}, 426),
    ({"Sec-WebSocket-Key": "short"}, 400), ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"}, 400), ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=*"}, 400),
    ({"Upgrade": "h2c"}, 426), ({"Connection": "keep-alive"}, 426)], ids=str)
def test_a_bad_handshake_is_refused(host: Server, change: dict[str, str], status: int) -> None:
    response = host.client().request("GET", "/echo", {**HEAD, **change})
    assert response.status == status
    if status == 426:
        assert response.header("Upgrade") == "websocket"
    if "Version" in next(iter(change)):
        assert response.header("Sec-WebSocket-Version") == "13"


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_only_get_opens(host: Server, method: str) -> None:
    assert host.client().request(method, "/echo", HEAD).status == 400


def test_a_body_is_refused(host: Server) -> None:
    assert host.client().request("GET", "/echo", HEAD, b"body").status == 400


def test_http_1_0_is_refused(host: Server) -> None:
    assert host.client().request("GET", "/echo", HEAD, version="HTTP/1.0").status == 426


def test_upgrade_is_a_list_in_any_case(host: Server) -> None:
    connect(host, headers={"Upgrade": "foo, WebSocket", "Connection": "keep-alive, UPGRADE"})


@pytest.mark.parametrize(("offered", "chosen"), [("v2", "v2"), ("x, v2,chat", "chat"), ("Chat", None), ("x", None), (None, None)], ids=str)
def test_the_server_chooses_a_subprotocol(host: Server, offered: str | None, chosen: str | None) -> None:
    sock = Socket(("127.0.0.1", host.port))
    host.clients.append(sock)
    assert sock.open("/echo", {"Sec-WebSocket-Protocol": offered} if offered else None).header("Sec-WebSocket-Protocol") == chosen


def test_frames_that_come_with_the_handshake_are_read(host: Server) -> None:
    sock = Socket(("127.0.0.1", host.port))
    host.clients.append(sock)
    sock.send(build_request("GET", "/echo", HEAD) + frame(TEXT, b"early"))
    assert sock.read_response().status == 101
    assert sock.read_message() == (TEXT, b"early")


def test_a_response_that_has_begun_cannot_become_one(host: Server) -> None:
    assert "has begun" in host.client().request("GET", "/late", HEAD).text


# --- Autobahn's groups. Each case: what is sent, what comes back; a number at the end is the code that the server closes with.

FIVE = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
LONG = bytes(range(256)) * 8
ECHOES: dict[str, tuple[list[bytes], list[tuple[int, bytes]]]] = {
    **{f"1.1 text of {n}": ([frame(TEXT, b"*" * n)], [(TEXT, b"*" * n)]) for n in (0, 125, 126, 127, 128, 65535, 65536)},
    **{f"1.2 binary of {n}": ([frame(BINARY, b"\xfe" * n)], [(BINARY, b"\xfe" * n)]) for n in (0, 125, 126, 127, 128, 65535, 65536)},
    "2.1 empty ping": ([frame(PING)], [(PONG, b"")]),
    "2.2 ping with text": ([frame(PING, b"Hello, world!")], [(PONG, b"Hello, world!")]),
    "2.3 ping with bytes": ([frame(PING, b"\x00\xff\xfe")], [(PONG, b"\x00\xff\xfe")]),
    "2.4 ping of 125": ([frame(PING, b"\xfe" * 125)], [(PONG, b"\xfe" * 125)]),
    "2.7 unasked pong": ([frame(PONG), frame(PING, b"x")], [(PONG, b"x")]),
    "2.8 unasked pong with payload": ([frame(PONG, b"unasked"), frame(PING, b"x")], [(PONG, b"x")]),
    "2.10 ten pings": ([frame(PING, b"%d" % n) for n in range(10)], [(PONG, b"%d" % n) for n in range(10)]),
    "5.3 two fragments": ([frame(TEXT, b"frag1", False), frame(CONTINUE, b"frag2")], [(TEXT, b"frag1frag2")]),
    "5.6 ping between fragments": ([frame(TEXT, b"a", False), frame(PING, b"p"), frame(CONTINUE, b"b")], [(PONG, b"p"), (TEXT, b"ab")]),
    "5.19 pings between many": ([frame(TEXT, b"1", False), frame(CONTINUE, b"2", False), frame(PING, b"p"), frame(CONTINUE, b"3", False),
                                 frame(CONTINUE, b"4", False), frame(PING, b"q"), frame(CONTINUE, b"5")], [(PONG, b"p"), (PONG, b"q"), (TEXT, b"12345")]),
    "6.1 empty fragments": ([frame(TEXT, b"", False), frame(CONTINUE, b"", False), frame(CONTINUE, b"")], [(TEXT, b"")]),
    "6.1 one of them with text": ([frame(TEXT, b"", False), frame(CONTINUE, b"middle", False), frame(CONTINUE, b"")], [(TEXT, b"middle")]),
    "6.2 utf-8": ([frame(TEXT, b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!")],
                  [(TEXT, b"Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!")]),
    "6.2 utf-8, each byte a fragment": ([frame(TEXT, FIVE[:1], False), *(frame(CONTINUE, FIVE[i:i + 1], False) for i in range(1, len(FIVE))), frame(CONTINUE)],
                                        [(TEXT, FIVE)]),
    **{f"6 valid {text.hex()}": ([frame(TEXT, text)], [(TEXT, text)]) for text in [
        *map(str.encode, ["\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0003fffe", "\U0010ffff"]),
        FIVE]},
    "9.1 big text": ([frame(TEXT, b"*" * 4000000)], [(TEXT, b"*" * 4000000)]),
    "9.2 big binary": ([frame(BINARY, LONG * 2000)], [(BINARY, LONG * 2000)]),
    "9.4 ten MiB in fragments": ([frame(BINARY, LONG * 32, False), *(frame(CONTINUE, LONG * 32, False) for _ in range(158)), frame(CONTINUE, LONG * 32)],
                                 [(BINARY, LONG * 5120)]),
    "9.7 a thousand small ones": ([frame(TEXT, b"%d" % n) for n in range(1000)], [(TEXT, b"%d" % n) for n in range(1000)]),
    "10.1 fragments of 1300": ([frame(TEXT, b"*" * 1300, False), *(frame(CONTINUE, b"*" * 1300, False) for _ in range(49)), frame(CONTINUE, b"*" * 536)],
                               [(TEXT, b"*" * 65536)]),
}


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    """One server for the tables."""
    return module_server(CONF, {"www/handlers.py": HANDLER, "www/app.py": WSGI})


def talk(sock: Socket, sent: list[bytes], expected: list[tuple[int, bytes]]) -> None:
    """Send while reading: a server may stop reading until its answers are taken."""
    sender = threading.Thread(target=lambda: [sock.send(part) for part in sent])
    sender.start()
    for what in expected:
        opcode, payload = sock.read_message()
        assert (opcode, len(payload)) == (what[0], len(what[1]))
        assert payload == what[1]
    sender.join()


@pytest.mark.parametrize("case", ECHOES)
def test_autobahn_echo(shared: Server, case: str) -> None:
    with Socket(("127.0.0.1", shared.port)) as sock:
        sock.open("/echo")
        talk(sock, *ECHOES[case])
        sock.send(frame(CLOSE, b"\x03\xe8"))
        sock.expect_end(1000, answer=False)


@pytest.mark.parametrize("case", [name for name, (sent, _) in ECHOES.items() if sum(map(len, sent)) <= 1000])
def test_autobahn_echo_byte_by_byte(shared: Server, case: str) -> None:
    sent, expected = ECHOES[case]
    with Socket(("127.0.0.1", shared.port)) as sock:
        sock.open("/echo")
        sock.send_slowly(b"".join(sent))
        for what in expected:
            assert sock.read_message() == what


BAD_TEXTS = [
    b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", bytes(range(0x80, 0xc0)), b"\xc0 ", b"\xc1 ", b"\xe0 ", b"\xf0 ", b"\xf8 ", b"\xfc ", b"\xfe", b"\xff",
    b"\xfe\xfe\xff\xff", b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80",
    b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc0\x80", b"\xe0\x80\x80",
    b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"Hello\xc0\x80", FIVE + b"\xed\xa0\x80edited", FIVE + b"\xf4\x90\x80\x80"]
FAULTS: dict[str, tuple[bytes, int]] = {
    "2.5 ping of 126": (frame(PING, b"\xfe" * 126), 1002),
    **{f"3 reserved bits {rsv} on {op}": (frame(op, b"x" if op != CLOSE else b"", rsv=rsv), 1002) for rsv in range(1, 8) for op in (TEXT, BINARY, PING, PONG, CLOSE)},
    **{f"4 opcode {op}": (frame(op, b"x"), 1002) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "5.1 fragmented ping": (frame(PING, b"x", False), 1002), "5.2 fragmented pong": (frame(PONG, b"x", False), 1002),
    "7 fragmented close": (frame(CLOSE, b"", False), 1002),
    "5.9 nothing to continue": (frame(CONTINUE, b"x"), 1002), "5.10 nothing to continue, unfinished": (frame(CONTINUE, b"x", False), 1002),
    "5.12 nothing to continue, and a text": (frame(CONTINUE, b"x", False) + frame(TEXT, b"y"), 1002),
    "5.18 text in a text": (frame(TEXT, b"1", False) + frame(TEXT, b"2"), 1002),
    "5 binary in a text": (frame(TEXT, b"1", False) + frame(BINARY, b"2"), 1002),
    "no mask": (frame(TEXT, b"x", mask=None), 1002), "no mask on a ping": (frame(PING, mask=None), 1002), "no mask on a close": (frame(CLOSE, mask=None), 1002),
    "125 in 16 bits": (frame(TEXT, b"x" * 125, form=16), 1002), "125 in 64 bits": (frame(TEXT, b"x" * 125, form=64), 1002),
    "65535 in 64 bits": (frame(TEXT, b"x" * 65535, form=64), 1002), "0 in 64 bits": (frame(TEXT, b"", form=64), 1002),
    "a length of 2^63": (b"\x82\xff\x80" + bytes(7) + b"abcd", 1002), "a length of 2^63 - 1": (b"\x82\xff\x7f" + b"\xff" * 7 + b"abcd", 1009),
    **{f"6 invalid {text.hex()[:60]}": (frame(TEXT, text), 1007) for text in BAD_TEXTS},
    **{f"6 invalid in fragments {text.hex()[:60]}": (frame(TEXT, text[:1], False) + frame(CONTINUE, text[1:]), 1007) for text in BAD_TEXTS},
    "6.4 at once, the rest never comes": (frame(TEXT, FIVE + b"\xf4\x90\x80\x80", False), 1007),
    "6.4 within a frame, the rest never comes": (frame(TEXT, FIVE + b"\xf4\x90" + b"x" * 50)[:-40], 1007),
    "7.3 close with half a code": (frame(CLOSE, b"a"), 1002),
    "7.5 close with a bad reason": (frame(CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80"), 1007),
    "7.3 close with 126 bytes": (frame(CLOSE, b"\x03\xe8" + b"*" * 124), 1002),
    **{f"7.9 close with {code}": (frame(CLOSE, struct.pack(">H", code)), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)},
}


@pytest.mark.parametrize("case", FAULTS)
def test_autobahn_fault(shared: Server, case: str) -> None:
    sent, code = FAULTS[case]
    with Socket(("127.0.0.1", shared.port)) as sock:
        sock.open("/echo")
        sock.send(sent)
        sock.expect_end(code, answer=False)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999, None])
def test_autobahn_close_is_answered_with_its_code(shared: Server, code: int | None) -> None:
    with Socket(("127.0.0.1", shared.port)) as sock:
        sock.open("/echo")
        sock.send(frame(TEXT, b"before") + frame(CLOSE, struct.pack(">H", code) + b"r" * 123 if code else b"") + frame(TEXT, b"behind") + frame(PING))
        opcode, payload = sock.read_message()
        if opcode == TEXT:  # the handler may or may not have been faster
            opcode, payload = sock.read_message()
        assert (opcode, payload) == (CLOSE, struct.pack(">H", code) if code else b"")
        sock.expect_close()


def test_messages_before_a_fault_are_answered(shared: Server) -> None:
    with Socket(("127.0.0.1", shared.port)) as sock:
        sock.open("/echo")
        sock.send(frame(TEXT, b"1"))
        assert sock.read_message() == (TEXT, b"1")
        sock.send(frame(3))
        sock.expect_end(1002, answer=False)


@pytest.mark.parametrize(("size", "pieces", "code"), [(999, 1, None), (1000, 1, None), (1001, 1, 1009), (500, 2, None), (501, 2, 1009), (0, 3000, None)])
def test_message_limit(shared: Server, size: int, pieces: int, code: int | None) -> None:
    with Socket(("127.0.0.1", shared.port)) as sock:
        sock.open("/small")
        sock.send(b"".join(frame(CONTINUE if n else TEXT, b"x" * size, n == pieces - 1) for n in range(pieces)))
        if code:
            sock.expect_end(code, answer=False)
            assert "closed with 1009: the message is too big: PyWebSocketMessageLimit" in shared.error_log
        else:
            assert sock.read_message() == (TEXT, b"x" * size * pieces)


# --- the object


def test_close_says_its_code_and_reason_and_waits_for_the_answer(host: Server) -> None:
    sock = connect(host, "/commands")
    assert ask(sock, "close 4001 that was it") == (CLOSE, struct.pack(">H", 4001) + b"that was it")
    sock.send(frame(TEXT, b"nobody hears this") + frame(CLOSE, struct.pack(">H", 4001)))
    sock.expect_close()
    wait_until(lambda: "late: the WebSocket is closed (4001)" in host.error_log, "the handler's line")


@pytest.mark.parametrize("command", ["close 1005 x", "close 999", "close 5000", "close 1000 " + "x" * 124])
def test_close_refuses_what_must_not_be_sent(host: Server, command: str) -> None:
    assert ask(connect(host, "/commands"), command)[1].startswith(b"ValueError")


def test_state_and_ping_and_timeout(host: Server) -> None:
    sock = connect(host, "/commands")
    assert ask(sock, "state") == (TEXT, b'[null, false, null, ""]')
    assert ask(sock, "ping abc") == (PING, b"abc")
    assert ask(sock, "timeout")[1].startswith(b"TimeoutError")
    sock.send(frame(TEXT, b"return"))
    sock.expect_end(1000)


def test_a_handler_that_raises_closes_with_1011(host: Server) -> None:
    host.allow_log("PythonHandler handlers::commands")
    sock = connect(host, "/commands")
    sock.send(frame(TEXT, b"raise"))
    sock.expect_end(1011)


def test_the_log_tells_when_it_is_over(host: Server) -> None:
    sock = connect(host)
    sock.send(frame(CLOSE, b"\x0f\xa1why"))
    sock.expect_end(4001, answer=False)
    wait_until(lambda: "ended 4001 'why' True" in host.error_log, "the handler's line")
    wait_until(lambda: '"GET /echo HTTP/1.1" 101' in (host.root / "access.log").read_text(), "the access log")


def test_request_timeout_ends_with_the_handshake(host: Server) -> None:
    sock = connect(host, "/deadline")
    time.sleep(1.1)  # longer than PyRequestTimeout: nothing happens, and that can only be seen by waiting
    assert ask(sock, "state")[0] == TEXT


def test_one_receives_while_another_sends(host: Server) -> None:
    sock = connect(host, "/two")
    got = 0
    sock.send(b"".join(frame(TEXT, b"x" * 1000) for _ in range(50)) + frame(TEXT, b"stop"))
    while got < 20:
        opcode, payload = sock.read_message()
        assert (opcode, payload) == (BINARY, b"t" * 100000)
        got += 1
    assert sock.read_message() == (TEXT, b"50000")
    sock.expect_end(1000)


def test_a_slow_reader_holds_little(host: Server) -> None:
    def memory() -> int:
        return int(open(f"/proc/{host.process.pid}/statm").read().split()[1]) * resource.getpagesize()  # type: ignore[union-attr]

    sock = connect(host, "/commands")
    before = memory()
    sock.send(frame(TEXT, b"flood 40"))
    assert host.client().request("GET", "/count").text == "0"
    assert memory() - before < 8 << 20  # of 40
    assert sum(len(sock.read_message()[1]) for _ in range(40)) == 40000000
    assert sock.read_message() == (TEXT, b"done")


def test_a_client_that_does_not_read_pongs_is_not_read_either(host: Server) -> None:
    sock = connect(host, "/commands")
    sock.sock.settimeout(1.0)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 40_000_000:
            sent += sock.sock.send(frame(PING, b"x" * 125) * 500)
    assert sent < 40_000_000


def test_a_client_that_vanishes_wakes_the_receiver(host: Server) -> None:
    connect(host).reset()
    wait_until(lambda: "ended 1006 '' True" in host.error_log, "the handler's line")
    connect(host).close()
    wait_until(lambda: host.error_log.count("ended 1006 '' True") == 2, "the handler's line")


def test_silent_clients_are_pinged_and_dropped(host: Server) -> None:
    sock = connect(host, "/ping")
    assert sock.read_message() == (PING, b"")
    sock.send(frame(PONG))
    assert sock.read_message() == (PING, b"")
    sock.expect_close()
    wait_until(lambda: "does not answer pings" in host.error_log, "the line")


@pytest.mark.slow
def test_a_client_that_does_not_answer_close_is_dropped(host: Server) -> None:
    sock = connect(host, "/commands")
    assert ask(sock, "close 1000 bye") == (CLOSE, b"\x03\xe8bye")
    started = time.monotonic()
    sock.send(frame(TEXT, b"still talking"))
    sock.expect_close()
    assert 3 < time.monotonic() - started < 10


@pytest.mark.slow
def test_a_client_that_takes_nothing_is_dropped(server: Start) -> None:
    host = server("Timeout 1\n" + CONF, files={"www/handlers.py": HANDLER})
    sock = connect(host, "/commands")
    sock.send(frame(TEXT, b"flood 40"))
    wait_until(lambda: "takes no more of the answer: Timeout" in host.error_log, "the line")
    wait_until(lambda: "the client has gone" in host.error_log, "the handler's end")


def test_text_that_is_none_is_not_sent(host: Server) -> None:
    assert ask(connect(host, "/commands"), "surrogate")[1].startswith(b"UnicodeEncodeError")


def test_broadcast_to_200(host: Server) -> None:
    socks = [connect(host, "/broadcast") for _ in range(200)]
    wait_until(lambda: host.client().request("GET", "/count").text == "200", "all are there")
    socks[0].send(frame(TEXT, b"to all"))
    assert all(sock.read_message() == (TEXT, b"to all") for sock in socks)
    for sock in socks[:100]:
        sock.close()
    wait_until(lambda: host.client().request("GET", "/count").text == "100", "half of them have gone")
    socks[-1].send(frame(TEXT, b"again"))
    assert all(sock.read_message() == (TEXT, b"again") for sock in socks[100:])


def test_a_draining_worker_says_1001(server: Start) -> None:
    host = server(CONF, files={"www/handlers.py": HANDLER, "www/app.py": WSGI}, workers=1)
    sock = connect(host)
    assert ask(sock, "x") == (TEXT, b"x")
    host.send_signal(signal.SIGWINCH)
    sock.expect_end(1001)


def test_wsgi(host: Server) -> None:
    assert host.get("/wsgi").text == "no websocket"
    sock = connect(host, "/wsgi", {"Origin": "http://here", "Sec-WebSocket-Protocol": "v1, v2"})
    assert sock.read_message() == (TEXT, b"hello http://here v2")
    assert ask(sock, "echo") == (TEXT, b"echo")
    sock.send(frame(CLOSE))
    sock.expect_end(None, answer=False)
    assert host.client().request("GET", "/wsgi", {**HEAD, "Sec-WebSocket-Version": "7"}).status == 426


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_a_thousand_idle_ones_cost_little(host: Server) -> None:
    def memory() -> int:
        return int(open(f"/proc/{host.process.pid}/statm").read().split()[1]) * 4096  # type: ignore[union-attr]

    socks = [connect(host) for _ in range(20)]
    before = memory()
    socks += [connect(host) for _ in range(1000)]
    each = (memory() - before) / 1000
    assert ask(socks[-1], "x") == (TEXT, b"x")
    assert each < 64 * 1024, each
    print(f"{each:.0f} bytes each")

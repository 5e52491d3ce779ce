"""WebSockets of ASGI applications, raw, by the client library and under Starlette."""
from __future__ import annotations

import asyncio
import importlib.util
import json
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import build_request
from support.server import Server, wait_until
from support.stuck import STAY, let_go, make_fifo, wait_for_stuck
from support.websocket import BINARY, CLOSE, HEAD, TEXT, Socket, ask, frame

Start = Callable[..., Server]

APP = STAY + '''
import asyncio, json

seen = []
everybody = set()

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["word"] = "from the lifespan"
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
    name = scope["path"].rpartition("/")[2]
    assert await receive() == {"type": "websocket.connect"}
    await globals()[name](scope, receive, send)

async def echo(scope, receive, send):
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            seen.append([event["code"], event["reason"]])
            return
        await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})

async def scope(scope, receive, send):
    await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][-1], "headers": [(b"x-mine", b"yes")]})
    scope = {key: value for key, value in scope.items() if key not in ("headers", "client", "server")}
    await send({"type": "websocket.send", "text": json.dumps(scope, default=bytes.decode)})

async def refuse(scope, receive, send):
    await send({"type": "websocket.close"})

async def answer(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 418, "headers": [(b"x-why", b"tea")]})
    await send({"type": "websocket.http.response.body", "body": b"short and ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"stout"})

async def refuse_listening(scope, receive, send):
    """Beside what answers somebody listens."""
    listener = asyncio.create_task(receive())
    await asyncio.sleep(0)
    await (refuse if scope["query_string"] == b"refuse" else answer)(scope, receive, send)
    seen.append((await listener)["code"])

async def close(scope, receive, send):
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4002, "reason": "enough"})
    assert (await receive())["code"] == 4002
    try:
        await send({"type": "websocket.send", "text": "late"})
    except RuntimeError as error:
        seen.append(str(error))

async def crash(scope, receive, send):
    await send({"type": "websocket.accept"})
    1 / 0

async def crash_early(scope, receive, send):
    1 / 0

async def forget(scope, receive, send):
    pass

async def gone(scope, receive, send):
    await send({"type": "websocket.accept"})
    await receive()
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * 100000})
    except OSError as error:
        seen.append("OSError: %s" % error)

async def chat(scope, receive, send):
    await send({"type": "websocket.accept"})
    everybody.add(send)
    try:
        while (event := await receive())["type"] == "websocket.receive":
            await asyncio.gather(*(to(dict(type="websocket.send", text="%d: %s" % (len(everybody), event["text"]))) for to in everybody))
    finally:
        everybody.discard(send)

async def two_senders(scope, receive, send):
    await send({"type": "websocket.accept"})
    await asyncio.gather(*(send({"type": "websocket.send", "bytes": bytes([n]) * 300000}) for n in range(8)))
    await receive()

async def late(scope, receive, send):
    stay(scope["query_string"].decode())
    seen.append("goes on")
    await send({"type": "websocket.accept"})

async def slow(scope, receive, send):
    await asyncio.sleep(30)
'''
CONF = """
PythonPath "['@ROOT@/www'] + sys.path"
PyWebSocketMessageLimit 0
<Location /asgi>
    SetHandler asgi
    PyWSGIApplication app:application
</Location>
"""


def with_loop(host: Server) -> Server:
    """The asyncio loop and its descriptors come with the first request and stay."""
    for files in host.files_before.values():
        files.update({"socket": 2, "anon_inode:[eventpoll]": 1})
    return host


@pytest.fixture
def host(server: Start) -> Server:
    return with_loop(server(CONF, files={"www/app.py": APP}))


def connect(host: Server, name: str, headers: dict[str, str] | None = None) -> Socket:
    sock = Socket(("127.0.0.1", host.port))
    host.clients.append(sock)
    sock.open("/asgi/" + name, headers)
    return sock


def seen(host: Server) -> list[object]:
    return list(json.loads(host.get("/asgi/seen").body))


def test_echo_and_disconnect(host: Server) -> None:
    sock = connect(host, "echo")
    for opcode, payload in ((TEXT, "häß".encode()), (BINARY, b"\x00\xff"), (TEXT, b""), (BINARY, b""), (BINARY, b"x" * 3_000_000)):
        sock.send(frame(opcode, payload))
        assert sock.read_message() == (opcode, payload)
    sock.send(frame(CLOSE, struct.pack(">H", 4001) + b"bye"))
    sock.expect_end(4001, answer=False)
    wait_until(lambda: seen(host) == [[4001, "bye"]], "the event")


def test_a_protocol_fault_is_a_disconnect(host: Server) -> None:
    sock = connect(host, "echo")
    sock.send(frame(TEXT, b"\xff"))
    sock.expect_end(1007, answer=False)
    wait_until(lambda: seen(host) == [[1007, ""]], "the event")


def test_a_client_that_vanishes_is_a_disconnect(host: Server) -> None:
    connect(host, "echo").reset()
    wait_until(lambda: seen(host) == [[1006, ""]], "the event")


def test_a_client_that_goes_before_it_is_accepted_is_no_fault_of_the_application(host: Server, tmp_path: Path) -> None:
    """send() is the first to see that the client has gone."""
    fifo = make_fifo(tmp_path / "fifo")
    client = host.client().send(build_request("GET", f"/asgi/late?{fifo}", {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))
    wait_for_stuck(fifo)
    client.reset()
    let_go(fifo)
    wait_until(lambda: seen(host) == ["goes on"], "the task is past it")
    assert "Traceback" not in host.error_log


def test_scope_subprotocol_and_headers(host: Server) -> None:
    sock = Socket(("127.0.0.1", host.port))
    host.clients.append(sock)
    response = sock.open("/asgi/scope?a=b", {"Sec-WebSocket-Protocol": "one, two"})
    assert (response.header("Sec-WebSocket-Protocol"), response.header("X-Mine")) == ("two", "yes")
    assert json.loads(sock.read_message()[1]) == {
        "type": "websocket", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "scheme": "ws", "path": "/asgi/scope",
        "raw_path": "/asgi/scope", "query_string": "a=b", "root_path": "/asgi", "subprotocols": ["one", "two"], "state": {"word": "from the lifespan"},
        "extensions": {"websocket.http.response": {}}}
    sock.expect_end(1000)


def test_close_before_accept_is_403(host: Server) -> None:
    assert host.client().request("GET", "/asgi/refuse", HEAD).status == 403


def test_an_http_response_instead(host: Server) -> None:
    response = host.client().request("GET", "/asgi/answer", HEAD)
    assert (response.status, response.header("X-Why"), response.body) == (418, "tea", b"short and stout")


@pytest.mark.parametrize("how, status", [("refuse", 403), ("answer", 418)])
def test_who_listens_is_told_of_the_refusal(host: Server, how: str, status: int) -> None:
    assert host.client().request("GET", f"/asgi/refuse_listening?{how}", HEAD).status == status
    wait_until(lambda: seen(host) == [1006], "the listener is told")


def test_close_after_accept(host: Server) -> None:
    sock = connect(host, "close")
    assert sock.read_message() == (CLOSE, struct.pack(">H", 4002) + b"enough")
    sock.send(frame(CLOSE, struct.pack(">H", 4002)))
    sock.expect_close()
    wait_until(lambda: "no place here" in str(seen(host)), "the second send is refused")


def test_faults_of_the_application(host: Server) -> None:
    host.allow_log("asgi|raised|~~~|~~\\^|1 / 0|globals|Traceback|app.py|ZeroDivision|without a whole")
    connect(host, "crash").expect_end(1011)
    assert host.client().request("GET", "/asgi/crash_early", HEAD).status == 500
    assert host.client().request("GET", "/asgi/forget", HEAD).status == 500
    assert host.client().request("GET", "/asgi/echo", {**HEAD, "Sec-WebSocket-Version": "8"}).status == 426


def test_sending_to_one_who_has_gone_is_an_oserror(host: Server) -> None:
    sock = connect(host, "gone")
    sock.send(frame(TEXT, b"go"))
    assert sock.read_message()[0] == BINARY
    sock.reset()
    wait_until(lambda: str(seen(host)).startswith("['OSError"), "the error")


def test_large_messages_of_several_tasks_do_not_mix(host: Server) -> None:
    sock = connect(host, "two_senders")
    messages = [sock.read_message()[1] for _ in range(8)]
    assert sorted(messages) == [bytes([n]) * 300000 for n in range(8)]


def test_broadcast_to_200(host: Server) -> None:
    socks = [connect(host, "chat") for _ in range(200)]
    assert ask(socks[0], "hello") == (TEXT, b"200: hello")
    assert all(sock.read_message() == (TEXT, b"200: hello") for sock in socks[1:])


def test_a_draining_worker_says_1001(server: Start) -> None:
    host = server(CONF, files={"www/app.py": APP}, workers=1)
    sock = connect(host, "echo")
    assert ask(sock, "x") == (TEXT, b"x")
    host.send_signal(signal.SIGWINCH)
    sock.expect_end(1001)


@pytest.mark.skipif(not importlib.util.find_spec("websockets"), reason="the package websockets is not installed")
def test_the_client_library_agrees(host: Server) -> None:
    import websockets

    async def talk() -> None:
        url = f"ws://127.0.0.1:{host.port}/asgi/"
        async with websockets.connect(url + "echo", compression=None, max_size=None) as ws:
            for message in ("text", b"bytes", "ü" * 500_000, b"x" * (10 << 20), ""):
                await ws.send(message)
                assert await ws.recv() == message
            await (await ws.ping())
            await ws.send(iter(["frag", "men", "ted"]))
            assert await ws.recv() == "fragmented"
        assert ws.close_code == 1000
        async with websockets.connect(url + "echo") as ws:  # it offers permessage-deflate
            await ws.send("plain")
            assert await ws.recv() == "plain"
        with pytest.raises(websockets.exceptions.InvalidStatus):
            await websockets.connect(url + "refuse")

    asyncio.run(asyncio.wait_for(talk(), 30))


STARLETTE = '''
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

async def socket(websocket):
    await websocket.accept(subprotocol="v1")
    try:
        while True:
            await websocket.send_json({"name": websocket.path_params["name"], "got": await websocket.receive_text()})
    except WebSocketDisconnect as gone:
        print("starlette saw %d" % gone.code, flush=True)

async def hello(request):
    return PlainTextResponse("hello")

application = Starlette(routes=[WebSocketRoute("/ws/{name}", socket), Route("/", hello)])
'''


@pytest.mark.skipif(not importlib.util.find_spec("starlette"), reason="starlette is not installed")
def test_starlette(server: Start) -> None:
    host = with_loop(server(CONF.replace("Location /asgi", "Location /"), files={"www/app.py": STARLETTE}))
    assert host.get("/").text == "hello"
    sock = Socket(("127.0.0.1", host.port))
    host.clients.append(sock)
    assert sock.open("/ws/joe", {"Sec-WebSocket-Protocol": "v1"}).header("Sec-WebSocket-Protocol") == "v1"
    assert json.loads(ask(sock, "hi")[1]) == {"name": "joe", "got": "hi"}
    sock.send(frame(CLOSE, struct.pack(">H", 1001)))
    sock.expect_end(1001, answer=False)
    assert host.client().request("GET", "/nowhere", HEAD).status in (403, 404)

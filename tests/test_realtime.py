"""What is pushed to many clients at once: Django Channels, FastAPI and Starlette, WebSockets and server-sent events, with real client libraries."""
from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.server import Server, wait_until

Start = Callable[..., Server]
HAS_WEBSOCKETS = importlib.util.find_spec("websockets")
SECONDS = 120.0  # for a whole conversation
PATIENT: dict[str, Any] = {"open_timeout": SECONDS, "ping_interval": None}  # a busy machine breaks no connection

CHANNELS = '''
import sys

import django
from asgiref.sync import async_to_sync
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

settings.configure(SECRET_KEY="only for tests", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], INSTALLED_APPS=["channels", "django.contrib.sessions"],
                   SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies", MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
                   CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import SessionMiddlewareStack
from django.core.asgi import get_asgi_application


class Chat(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept("chat" if "chat" in self.scope["subprotocols"] else None)

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)
        print("left with", code, file=sys.stderr)

    async def receive_json(self, content):
        await self.channel_layer.group_send(self.room, {"type": "said", "text": content["text"]})

    async def said(self, event):
        await self.send_json({"room": self.room, "text": event["text"]})


class Blocking(WebsocketConsumer):
    """Runs in threads, as consumers that use the ORM do."""

    def connect(self):
        if self.scope["query_string"] == b"no":
            self.close()
        else:
            self.accept()

    def receive(self, text_data=None, bytes_data=None):
        if text_data == "bye":
            self.close(4001)
        else:
            self.send(bytes_data=bytes_data[::-1]) if bytes_data else self.send(text_data.upper())


def say(request, room):
    request.session["said"] = request.session.get("said", 0) + 1
    async_to_sync(get_channel_layer().group_send)(room, {"type": "said", "text": request.GET["text"]})
    return HttpResponse(str(request.session["said"]))


urlpatterns = [path("say/<str:room>", say)]
application = ProtocolTypeRouter({
    "http": get_asgi_application(),
    "websocket": AllowedHostsOriginValidator(SessionMiddlewareStack(URLRouter([
        path("chat/<str:room>", Chat.as_asgi()), path("blocking", Blocking.as_asgi())]))),
})
'''
CONF = '<Location />\nSetHandler asgi\nPyWSGIApplication "@ROOT@/app.py"\n</Location>\n'


def serve(server: Start, text: str) -> Server:
    host = server(CONF, {"app.py": text})
    host.check_fds = False
    return host


def talk(conversation: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(conversation(), SECONDS))  # type: ignore[arg-type]


@pytest.mark.skipif(not HAS_WEBSOCKETS, reason="the package websockets is not installed")
def test_django_channels(server: Start) -> None:
    pytest.importorskip("channels")
    import websockets

    host = serve(server, CHANNELS)
    url, origin = f"ws://127.0.0.1:{host.port}", websockets.Origin(f"http://127.0.0.1:{host.port}")
    browser = host.client()

    async def said(sockets: list[websockets.ClientConnection]) -> list[dict[str, str]]:
        return [json.loads(text) for text in await asyncio.gather(*(each.recv() for each in sockets))]

    async def conversation() -> None:
        tea = [await websockets.connect(url + "/chat/tea", origin=origin, subprotocols=["chat"], **PATIENT) for _ in range(20)]  # type: ignore[list-item]
        milk = await websockets.connect(url + "/chat/milk", origin=origin, **PATIENT)
        assert tea[0].subprotocol == "chat" and milk.subprotocol is None
        await tea[3].send('{"text": "who has sugar?"}')
        assert await said(tea) == [{"room": "tea", "text": "who has sugar?"}] * 20
        answer = await asyncio.to_thread(browser.request, "GET", "/say/tea?text=from+HTTP")
        assert answer.text == "1" and await said(tea) == [{"room": "tea", "text": "from HTTP"}] * 20
        cookie = str(answer.header("Set-Cookie")).partition(";")[0]
        assert (await asyncio.to_thread(browser.request, "GET", "/say/milk?text=white", {"Cookie": cookie})).text == "2"
        assert await said([milk]) == [{"room": "milk", "text": "white"}]
        await asyncio.gather(*(each.close(4000) for each in tea[1:]))
        await asyncio.to_thread(wait_until, lambda: host.error_log.count("left with 4000") == 19, "all have left")
        await tea[0].send('{"text": "alone"}')
        assert await said(tea[:1]) == [{"room": "tea", "text": "alone"}]
        async with websockets.connect(url + "/blocking", origin=origin, **PATIENT) as blocking:
            await blocking.send("loud")
            assert await blocking.recv() == "LOUD"
            await blocking.send(b"123")
            assert await blocking.recv() == b"321"
            await blocking.send("bye")
            await blocking.wait_closed()
            assert blocking.close_code == 4001
        for refused in ({"uri": url + "/blocking?no", "origin": origin}, {"uri": url + "/chat/tea", "origin": "http://elsewhere.example"}):
            with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
                await websockets.connect(**PATIENT, **refused)  # type: ignore[arg-type]
        await asyncio.gather(tea[0].close(), milk.close())

    talk(conversation)


FASTAPI = '''
from typing import Annotated

from fastapi import Depends, FastAPI, Query, WebSocket, WebSocketDisconnect, WebSocketException, status

app = FastAPI()
rooms: dict[str, set[WebSocket]] = {}


async def user(token: Annotated[str | None, Query()] = None) -> str:
    if token is None:
        raise WebSocketException(code=status.WS_1008_POLICY_VIOLATION)
    return token


@app.websocket("/rooms/{room}")
async def enter(websocket: WebSocket, room: str, name: Annotated[str, Depends(user)]):
    await websocket.accept(headers=[(b"x-room", room.encode())])
    members = rooms.setdefault(room, set())
    members.add(websocket)
    try:
        async for text in websocket.iter_text():
            for member in members:
                await member.send_json({"from": name, "text": text})
    finally:
        members.discard(websocket)


@app.websocket("/bytes")
async def reverse(websocket: WebSocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_bytes((await websocket.receive_bytes())[::-1])
    except WebSocketDisconnect as gone:
        print("gone with", gone.code, gone.reason, flush=True)


@app.get("/rooms/{room}")
async def count(room: str):
    return len(rooms.get(room, ()))
'''


@pytest.mark.skipif(not HAS_WEBSOCKETS, reason="the package websockets is not installed")
def test_fastapi_websockets(server: Start) -> None:
    pytest.importorskip("fastapi")
    import websockets

    host = serve(server, FASTAPI)
    url = f"ws://127.0.0.1:{host.port}"

    async def conversation() -> None:
        members = [await websockets.connect(f"{url}/rooms/a?token=user{n}", **PATIENT) for n in range(30)]
        assert members[0].response and members[0].response.headers["x-room"] == "a"
        await members[7].send("hello")
        got = await asyncio.gather(*(each.recv() for each in members))
        assert [json.loads(text) for text in got] == [{"from": "user7", "text": "hello"}] * 30
        with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
            await websockets.connect(url + "/rooms/a", **PATIENT)
        await asyncio.gather(*(each.close() for each in members[10:]))
        await asyncio.to_thread(wait_until, lambda: host.get("/rooms/a").text == "10", "twenty have left")
        async with websockets.connect(url + "/bytes", **PATIENT) as sock:
            for size in (1, 1000, 500_000):
                data = bytes(n % 251 for n in range(size))
                await sock.send(data)
                assert await sock.recv() == data[::-1]
            await sock.close(4002, "enough")
        await asyncio.gather(*(each.close() for each in members[:10]))

    talk(conversation)
    host.expect_log("gone with 4002 enough")


STARLETTE = '''
import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

listeners = set()


async def events(request):
    queue = asyncio.Queue()

    async def stream():
        listeners.add(queue)
        try:
            yield ": here\\n\\n"
            while (text := await queue.get()) != "end":
                yield f"data: {text}\\n\\n"
        finally:
            listeners.discard(queue)

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def publish(request):
    for queue in listeners:
        queue.put_nowait(request.query_params["text"])
    return PlainTextResponse(str(len(listeners)))


application = Starlette(routes=[Route("/events", events), Route("/publish", publish)])
'''


def test_server_sent_events_to_many(server: Start) -> None:
    pytest.importorskip("starlette")
    host = serve(server, STARLETTE)
    listeners = [host.client().send(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(100)]
    for client in listeners:
        assert b"text/event-stream" in client.expect(b": here\n\n").received
    assert host.get("/publish?text=one").text == "100"
    for client in listeners:
        client.expect(b"data: one\n\n")
    for client in listeners[:60]:
        client.reset()
    wait_until(lambda: host.get("/publish?text=two").text == "40", "sixty have gone")
    assert host.get("/publish?text=end").text == "40"
    for client in listeners[60:]:
        assert b"data: two\n\n" in client.expect(b"0\r\n\r\n").received
    host.allow_log("asgi:info")


def test_server_sent_events_with_httpx(server: Start) -> None:
    """A real client that reads lines as they come."""
    pytest.importorskip("starlette")
    httpx = pytest.importorskip("httpx")
    host = serve(server, STARLETTE)
    url = f"http://127.0.0.1:{host.port}"
    with httpx.Client(timeout=SECONDS) as client, client.stream("GET", url + "/events") as stream:
        lines = stream.iter_lines()
        assert (next(lines), next(lines)) == (": here", "")
        for text in ("one", "two"):
            assert host.get(f"/publish?text={text}").text == "1"
            assert (next(lines), next(lines)) == (f"data: {text}", "")
        assert host.get("/publish?text=end").text == "1"
        assert list(lines) == []

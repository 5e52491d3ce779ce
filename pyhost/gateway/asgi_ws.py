"""WebSockets of ASGI 3: the messages of one connection, from connect to disconnect. The frames are C's (csrc/gate_ws.c)."""
from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from enum import Enum
from typing import Any

__all__ = ["Session"]

Message = MutableMapping[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]
HTTP_RESPONSE = "websocket.http.response."


class State(Enum):
    NEW = "new"                # the application has not been told of it
    CONNECTING = "connecting"  # it has to accept or to close
    OPEN = "open"
    REFUSING = "refusing"      # it answers with an HTTP response
    CLOSED = "closed"


class Session:
    """What receive and send of a websocket scope belong to.

    cycle: the C half, whose methods never wait; scope: the http scope, taken over; make_future: the loop's.
    """

    def __init__(self, cycle: Any, scope: dict[str, Any], state: dict[str, Any] | None, make_future: Callable[[], Any]) -> None:
        self.cycle, self.make_future = cycle, make_future
        self.state = State.NEW
        self.waiting: list[Any] = []
        self.sending = False
        offered = b",".join(value for name, value in scope["headers"] if name == b"sec-websocket-protocol").decode("latin-1")
        scope.pop("method", None)
        scope.update(type="websocket", scheme="wss" if scope["scheme"] == "https" else "ws", extensions={"websocket.http.response": {}},
                     subprotocols=[word for word in map(str.strip, offered.split(",")) if word])
        scope["state"] = {} if state is None else state.copy()
        self.scope = scope

    def call(self, app: Application) -> Awaitable[None]:
        """Return the application's coroutine."""
        return app(self.scope, self.receive, self.send)

    def wake(self) -> None:
        """Something has happened: whoever waits looks again. Called from C, in the loop."""
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def change(self) -> None:
        future = self.make_future()
        self.waiting.append(future)
        await future

    async def receive(self) -> Message:
        """Return the next event."""
        if self.state is State.NEW:
            self.state = State.CONNECTING
            return {"type": "websocket.connect"}
        while True:
            message = self.cycle.take()
            if message is not None:
                return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}
            end = self.cycle.end() or ((1006, "") if self.state is State.CLOSED else None)
            if end is not None:
                return {"type": "websocket.disconnect", "code": end[0], "reason": end[1]}
            await self.change()

    async def send(self, message: Message) -> None:
        """Take an event of the application.

        Raises OSError when the connection is closed, RuntimeError for what has no place at this point, TypeError, ValueError.
        """
        kind = message["type"]
        if kind == "websocket.send" and self.state is State.OPEN:
            await self.send_message(message)
        elif kind == "websocket.accept" and self.state in (State.NEW, State.CONNECTING):
            self.cycle.accept((message.get("subprotocol") or "").encode("latin-1"), list(message.get("headers") or ()))
            self.state = State.OPEN
        elif kind == "websocket.close" and self.state is State.OPEN:
            self.state = State.CLOSED
            self.cycle.close(message.get("code", 1000) or 1000, message.get("reason") or "")
        elif kind == "websocket.close" and self.state in (State.NEW, State.CONNECTING):
            await self.refuse()
        elif kind.startswith(HTTP_RESPONSE) and self.state in (State.NEW, State.CONNECTING, State.REFUSING):
            self.state = State.REFUSING
            await self.cycle.send({**message, "type": "http.response." + kind.removeprefix(HTTP_RESPONSE)})
            if kind.endswith(".body") and not message.get("more_body"):
                self.state = State.CLOSED
        else:
            raise RuntimeError(f"a message of type {kind!r} has no place here: the WebSocket is {self.state.value}")

    async def refuse(self) -> None:
        self.state = State.CLOSED
        await self.cycle.send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
        await self.cycle.send({"type": "http.response.body", "body": b"Forbidden\n"})

    async def send_message(self, message: Message) -> None:
        """Send in pieces as there is room; another task's message waits for the end of this one."""
        text, data = message.get("text"), message.get("bytes")
        if (text is None) == (data is None):
            raise TypeError("websocket.send needs text or bytes")
        content = text.encode() if text is not None else data
        while self.sending:
            await self.change()
        at = 0
        self.sending = True
        try:
            while (at := self.cycle.push(content, text is not None, at)) >= 0:
                await self.change()
        except BaseException:
            if at > 0:  # half a message is out, and nothing can come behind it
                self.cycle.close(1011, "")
            raise
        finally:
            self.sending = False
            self.wake()

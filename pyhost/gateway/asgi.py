"""ASGI 3: an asyncio loop as a guest of the hub, and applications on it.

Each interpreter has one loop, which runs in a greenlet of its own. When it has nothing to do it parks in the hub, so that other greenlets run;
requests, timers and descriptors wake it.
"""
from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import _asgi
import _coro

from .wsgi import load_object

__all__ = ["HubLoop", "await_", "begin", "in_greenlet", "the_loop"]

Application = Callable[[Any, Any, Any], Awaitable[None]]
SELF_PIPE = 1  # descriptors that every loop has registered


class HubSelector(selectors.EpollSelector):
    """epoll that waits in the hub, and is woken by requests as well as by descriptors."""

    bound = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; waits up to timeout seconds (None: for ever). May switch."""
        if not self.bound:
            _asgi.bind()
            self.bound = True
        if (timeout is None or timeout > 0) and not _asgi.has_marked():
            ready = _coro.wait_fd_or_wake(self.fileno(), timeout)
        else:
            ready = len(self.get_map()) > SELF_PIPE
        for future, value in _asgi.collect():
            if not future.done():
                future.set_result(value)
        return super().select(0) if ready else []


class HubLoop(asyncio.SelectorEventLoop):
    """The asyncio loop of one interpreter."""

    task: Any = None

    def __init__(self) -> None:
        super().__init__(HubSelector())

    def start(self) -> None:
        """Run for ever in a greenlet of its own. Never switches."""
        self.task = _coro.spawn(self.run_forever)

    def wake(self) -> None:
        """Let the loop look at what was scheduled from another greenlet. Never switches."""
        self.task.wake()


loops: list[HubLoop] = []


def the_loop() -> HubLoop:
    """Return the loop of this interpreter; it is started on first use. Never switches."""
    if not loops:
        loop = HubLoop()
        loops.append(loop)
        loop.start()
    return loops[0]


class Lifespan:
    """The startup and shutdown messages of one application (ASGI lifespan protocol)."""

    def __init__(self, app: Application, loop: HubLoop) -> None:
        self.app, self.loop = app, loop
        self.state: dict[str, Any] = {}
        self.events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.started = loop.create_future()
        self.stopped = loop.create_future()
        self.task = loop.create_task(self.run())

    async def run(self) -> None:
        try:
            await self.app({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}, self.events.get, self.send)
        except Exception as error:  # the one place: an application without lifespan support raises here, and goes on without
            if not self.started.done():
                self.started.set_result(None)
            elif not self.stopped.done():
                print(f"lifespan of {self.app!r}: {error!r}", file=sys.stderr)
        finally:
            for future in (self.started, self.stopped):
                if not future.done():
                    future.set_result(None)

    async def send(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not self.started.done():
            self.started.set_result(None)
        elif kind == "lifespan.startup.failed":
            self.started.set_exception(RuntimeError(f"startup failed: {message.get('message', '')}"))
        elif kind.startswith("lifespan.shutdown.") and not self.stopped.done():
            self.stopped.set_result(None)

    async def startup(self) -> None:
        await self.events.put({"type": "lifespan.startup"})
        await self.started

    async def shutdown(self) -> None:
        await self.events.put({"type": "lifespan.shutdown"})
        await self.stopped


class Hosted:
    """One application on the loop: started once, before its first request."""

    def __init__(self, spec: str) -> None:
        self.loop = the_loop()
        found = load_object(spec)
        self.app: Application = found
        self.lifespan: Lifespan | None = None
        self.ready = False
        self.waiting: list[Any] = []
        self.start_task = self.loop.create_task(self.start())

    async def start(self) -> None:
        self.lifespan = Lifespan(self.app, self.loop)
        try:
            await self.lifespan.startup()
        except RuntimeError as error:
            for cycle in self.waiting:
                cycle.over(error)
            self.waiting.clear()
            hosted.clear()
            return
        self.ready = True
        for cycle in self.waiting:
            self.run(cycle)
        self.waiting.clear()

    def run(self, cycle: Any) -> None:
        scope = cycle.scope()
        if self.lifespan is not None and self.lifespan.state:
            scope["state"] = self.lifespan.state.copy()
        make = self.loop.create_future
        coroutine = self.app(scope, lambda: cycle.receive(make), lambda message: cycle.send(message, make))
        task = self.loop.create_task(coroutine)  # type: ignore[arg-type]
        task.add_done_callback(lambda done: cycle.over(None if done.cancelled() else done.exception()))


hosted: dict[str, Hosted] = {}


def begin(spec: str, cycle: Any) -> None:
    """Hand a request to the application that spec names. Called from C on a worker greenlet. Never switches."""
    host = hosted.get(spec)
    if host is None:
        host = hosted[spec] = Hosted(spec)
    if host.ready:
        host.run(cycle)
    else:
        host.waiting.append(cycle)
    host.loop.wake()


def await_(coroutine: Coroutine[Any, Any, Any] | Awaitable[Any]) -> Any:
    """Run a coroutine on the interpreter's asyncio loop from a greenlet, and return its result.

    coroutine: a coroutine or another awaitable. Raises what it raises. May switch.
    """
    loop = the_loop()
    me = _coro.current()
    future = asyncio.ensure_future(coroutine, loop=loop)
    future.add_done_callback(lambda _: me.wake())
    loop.wake()
    while not future.done():
        _coro.park()
    return future.result()


async def in_greenlet(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a blocking function in a greenlet of its own and await its result: what it waits for does not hold up the loop.

    Returns what it returns; raises what it raises.
    """
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def call() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # it belongs to whoever awaits
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)
        if isinstance(loop, HubLoop):
            loop.wake()

    _coro.spawn(call)
    return await future

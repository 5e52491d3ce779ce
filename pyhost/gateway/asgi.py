"""ASGI 3: an asyncio loop as a guest of the hub, and applications on it.

Each interpreter has one loop, which runs in a greenlet of its own. When it has nothing to do it parks in the hub, so that other greenlets run;
requests, timers and descriptors wake it. What happens per request is in C (csrc/pyasgi*.c).
"""
from __future__ import annotations

import asyncio
import heapq
import selectors
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import _asgi
import _coro

from ..compat import signals

__all__ = ["Hosted", "HubLoop", "await_", "in_greenlet", "shutdown", "the_loop"]

Application = Callable[[Any, Any, Any], Awaitable[None]]
T = TypeVar("T")
SELF_PIPE = 1  # descriptors that every loop has registered
TURNS_BEFORE_GIVING_WAY = 8  # of a loop that always has something to do
SHUTDOWN_SECONDS = 10.0
TIMERS_OFF = 100  # called off and not dropped yet; more are looked for
TIMER_SECONDS = 86400.0  # the longest single wait


class HubSelector(selectors.EpollSelector):
    """epoll that waits in the hub, and is woken by requests as well as by descriptors."""

    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; waits up to timeout seconds (None: for ever). May switch."""
        watched = len(self.get_map()) > SELF_PIPE
        if _asgi.has_marked():
            timeout = 0
        if timeout is not None and timeout <= 0:
            self.turns += 1
            if self.turns % TURNS_BEFORE_GIVING_WAY == 0:
                _coro.yield_()
        elif watched:
            _coro.wait_fd_or_wake(self.fileno(), timeout)
        else:
            _coro.park(timeout)
        _asgi.collect()
        return super().select(0) if watched else []


async def as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


class HubLoop(asyncio.SelectorEventLoop):
    """The asyncio loop of one interpreter."""

    task: Any = None
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__(HubSelector())

    def start(self) -> None:
        """Run for ever in a greenlet of its own. Never switches."""
        self.task = _coro.spawn(self.serve)

    def serve(self) -> None:
        _asgi.bind(self.create_future, self.make_task)
        while not self.is_closed():
            try:
                self.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:  # in debug mode, whose turns are asyncio's
                print(f"a task ended with {error!r}; the loop goes on", file=sys.stderr)

    if sys.version_info >= (3, 12):
        def make_task(self, coroutine: Any) -> asyncio.Task[Any]:
            """Start a coroutine; it runs at once until it waits for the first time. Called from C, in the loop."""
            if not asyncio.iscoroutine(coroutine):
                coroutine = as_coroutine(coroutine)
            return asyncio.Task(coroutine, loop=self, eager_start=True)
    else:
        def make_task(self, coroutine: Any) -> asyncio.Task[Any]:
            """Start a coroutine. Called from C, in the loop."""
            return self.create_task(coroutine if asyncio.iscoroutine(coroutine) else as_coroutine(coroutine))

    def _run_once(self) -> None:
        """One turn, in which each step is known as the request's to which it belongs."""
        if self._debug:  # type: ignore[attr-defined]
            super()._run_once()  # type: ignore[misc]
            return
        ready = self._ready  # type: ignore[attr-defined]
        until_timer = self.seconds_to_timer() if self._scheduled else None  # type: ignore[attr-defined]
        events = self._selector.select(0 if ready or self._stopping else until_timer)  # type: ignore[attr-defined]
        if events:
            self._process_events(events)  # type: ignore[attr-defined]
        if until_timer is not None:
            self.take_due_timers()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                try:
                    _asgi.run(handle)
                except (SystemExit, KeyboardInterrupt) as error:  # the loop of a program ends with these, but a server goes on
                    self.report_exit(handle, error)
        handle = None  # a traceback keeps this frame, which would keep the task that keeps the traceback

    def report_exit(self, handle: Any, error: BaseException) -> None:
        task = getattr(handle._callback, "__self__", None)
        if not _asgi.owns(handle._context, task):
            name = task.get_name() if isinstance(task, asyncio.Task) else repr(handle._callback)
            lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            print(f"{name} wants to leave; the server goes on\n{lines}", file=sys.stderr, end="")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report what nobody has caught. Who wants to leave has been reported, by report_exit or as the end of a request."""
        if not isinstance(context.get("exception"), (SystemExit, KeyboardInterrupt)):
            super().call_exception_handler(context)

    def seconds_to_timer(self) -> float | None:
        """Return how long until the first timer is due, None without one; timers that were called off are dropped."""
        timers = self._scheduled  # type: ignore[attr-defined]
        off = self._timer_cancelled_count
        if off > TIMERS_OFF and off > len(timers) // 2:
            for timer in timers:
                timer._scheduled = not timer._cancelled
            timers[:] = [timer for timer in timers if timer._scheduled]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
            self._timer_cancelled_count -= 1
        return min(max(0.0, timers[0]._when - self.time()), TIMER_SECONDS) if timers else None

    def take_due_timers(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        now = self.time() + self._clock_resolution  # type: ignore[attr-defined]
        while timers and timers[0]._when < now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
            else:
                self._ready.append(timer)  # type: ignore[attr-defined]

    def _write_to_self(self) -> None:
        if self.task is not None:
            self.task.wake()

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:  # type: ignore[override]
        """Ignore it, with a warning: signals are the server's."""
        signals.ignore(sig)

    def remove_signal_handler(self, sig: int) -> bool:
        return False

    def wake(self) -> None:
        """Let the loop look at what was scheduled from another greenlet. Never switches."""
        self.task.wake()


loops: list[HubLoop] = []
hosts: list[Hosted] = []  # those that have to be shut down


def the_loop() -> HubLoop:
    """Return the loop of this interpreter; it is started on first use. Never switches."""
    if not loops:
        loop = HubLoop()
        loops.append(loop)
        loop.start()
    return loops[0]


class StartupFailed(Exception):
    """An application has said lifespan.startup.failed."""


class Lifespan:
    """The startup and shutdown messages of one application (ASGI lifespan protocol)."""

    def __init__(self, spec: str, app: Application, loop: HubLoop) -> None:
        self.spec, self.app = spec, app
        self.state: dict[str, Any] = {}
        self.events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.started = loop.create_future()
        self.stopped = loop.create_future()
        self.asked_to_stop = False
        self.told_of_failure = False
        self.task = loop.create_task(self.run())

    async def run(self) -> None:
        try:
            await self.app({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}, self.events.get, self.send)
        except (Exception, SystemExit) as error:  # the one place: an application without lifespan support raises here, and goes on without
            if isinstance(error, SystemExit) and not self.started.done():  # it does not want to run
                self.started.set_exception(StartupFailed(repr(error)))
            elif self.started.done() and not self.told_of_failure:
                self.report("during its shutdown" if self.asked_to_stop else "after its startup", error)
        finally:
            for future in (self.started, self.stopped):
                if not future.done():
                    future.set_result(None)

    def report(self, when: str, error: BaseException) -> None:
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        print(f"{self.spec}: the lifespan raised {when}:\n{lines}", file=sys.stderr, end="")

    async def send(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        self.told_of_failure |= kind.endswith(".failed")
        if kind == "lifespan.startup.complete" and not self.started.done():
            self.started.set_result(None)
        elif kind == "lifespan.startup.failed" and not self.started.done():
            self.started.set_exception(StartupFailed(str(message.get("message", ""))))
        elif kind == "lifespan.shutdown.complete" and not self.stopped.done():
            self.stopped.set_result(None)
        elif kind == "lifespan.shutdown.failed" and not self.stopped.done():
            print(f"{self.spec}: its shutdown failed: {message.get('message', '')}", file=sys.stderr)
            self.stopped.set_result(None)

    async def startup(self) -> None:
        self.events.put_nowait({"type": "lifespan.startup"})
        await self.started

    async def shutdown(self) -> None:
        if self.stopped.done():
            return
        self.asked_to_stop = True
        self.events.put_nowait({"type": "lifespan.shutdown"})
        await self.stopped


class Hosted:
    """One application on the loop: started once, before its first request. C reads `target` and calls `wait`."""

    def __init__(self, spec: str, app: Application) -> None:
        self.spec, self.app = spec, app
        self.loop = the_loop()
        self.target: tuple[Application, dict[str, Any] | None] | None = None  # once it has started
        self.failed = False
        self.waiting: list[Any] = []
        self.lifespan: Lifespan | None = None
        hosts.append(self)
        self.start_task = self.loop.create_task(self.start())
        self.loop.wake()

    async def start(self) -> None:
        self.lifespan = Lifespan(self.spec, self.app, self.loop)
        try:
            await self.lifespan.startup()
        except StartupFailed as error:
            self.failed = True
            hosts.remove(self)
            for cycle in self.waiting:
                cycle.fail(error)
        else:
            self.target = (self.app, self.lifespan.state or None)
            for cycle in self.waiting:
                _asgi.submit(cycle, self.target)
        self.waiting.clear()

    def wait(self, cycle: Any) -> None:
        """Keep a request until the application has started; where that has failed, it is tried again. Never switches."""
        self.waiting.append(cycle)
        if self.failed:
            self.failed = False
            hosts.append(self)
            self.start_task = self.loop.create_task(self.start())
        self.loop.wake()

    async def stop(self) -> None:
        if self in hosts:
            hosts.remove(self)
        if self.lifespan is not None and self.target is not None:
            try:
                await asyncio.wait_for(self.lifespan.shutdown(), SHUTDOWN_SECONDS)
            except TimeoutError:
                print(f"{self.spec}: its shutdown took longer than {SHUTDOWN_SECONDS:.0f} s", file=sys.stderr)

    def retire(self) -> None:
        """Shut it down beside what goes on: a changed application has taken its place. Never switches."""
        self.stop_task = self.loop.create_task(self.stop())
        self.loop.wake()


async def stop_all() -> None:
    await asyncio.gather(*(host.stop() for host in list(hosts)))
    await loops[0].shutdown_asyncgens()  # generators that nobody has finished get to their `finally`


def shutdown() -> None:
    """Tell all applications of this interpreter that the process ends, and wait for them. Called from C. May switch."""
    if loops:
        await_(stop_all())


def await_(awaitable: Awaitable[T]) -> T:
    """Run a coroutine on the interpreter's asyncio loop from a greenlet, and return its result.

    awaitable: a coroutine or another awaitable. Raises what it raises, and RuntimeError outside of a handler. May switch.
    """
    loop = the_loop()
    me = _coro.current()
    if me is None:
        raise RuntimeError("await_() waits in a handler's greenlet only; other threads have asyncio.run_coroutine_threadsafe()")
    if me is loop.task:
        raise RuntimeError("await_() would wait for the loop in the loop itself: use await")
    future = asyncio.ensure_future(awaitable, loop=loop)
    future.add_done_callback(lambda _: me.wake())
    loop.wake()
    try:
        while not future.done():
            _coro.park()
    except BaseException:  # a deadline or a client that has gone ends the coroutine as well
        future.cancel()
        loop.wake()
        raise
    return future.result()


async def in_greenlet(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a blocking function in a greenlet of its own and await its result: what it waits for does not hold up the loop.

    Returns what it returns; raises what it raises.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def call() -> None:
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # it belongs to whoever awaits
            if not future.done():
                future.set_exception(error if not isinstance(error, StopIteration) else RuntimeError("StopIteration"))
        else:
            if not future.done():
                future.set_result(result)
        if isinstance(loop, HubLoop):
            loop.wake()

    _coro.spawn(call)
    return await future

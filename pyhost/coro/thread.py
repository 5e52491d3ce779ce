"""gogreen's Thread: a coroutine with a name, a parent and children, to be subclassed or given a target."""
from __future__ import annotations

import functools
import itertools
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import _coro
from greenlet import GreenletExit

from .errors import CoroutineError

__all__ = ["Thread", "current_thread", "thread_list"]

_ids = itertools.count(1)
_KEY = "pyhost.coro.Thread"
_NOTHING = object()


class Thread:
    """One coroutine. Override run(), or give target; init() runs before it and complete() after it, whatever happened."""

    def __init__(self, name: str | None = None, target: Callable[..., object] | None = None, args: Iterable[object] = (),
                 kwargs: Mapping[str, Any] | None = None) -> None:
        """name: for people. target: what run() calls with args and kwargs."""
        self._id = next(_ids)
        self._name = name or f"coro-{self._id}"
        self._target, self._args, self._kwargs = target, tuple(args), dict(kwargs or {})
        self._task: Any = None
        self._resumed: object = _NOTHING
        self._locals: dict[str, object] = {}
        self._children: set[Thread] = set()  # that have been started, and not ended
        self._family = object()  # what they have of their parent, until it abandons them
        self.daemon = False
        parent = current_thread()
        self._parent = weakref.ref(parent) if parent is not None else None
        self._parents_family = parent._family if parent is not None else None

    def init(self) -> None:
        """Override: first thing in the new coroutine."""

    def run(self) -> object:
        """Override: the work. Its result is what join's caller finds in `.result`."""
        return self._target(*self._args, **self._kwargs) if self._target else None

    def complete(self) -> None:
        """Override: last thing in the coroutine."""

    def start(self) -> None:
        """Let it begin on a later turn. Raises CoroutineError when it has been started. Never switches."""
        if self._task is not None:
            raise CoroutineError("a thread can be started once")
        self._task = _coro.spawn(self._main)
        self._task.name = self._name
        parent = self.parent()
        if parent is not None:
            parent._children.add(self)
            self._task._at_end = functools.partial(parent._children.discard, self)

    def _main(self) -> object:
        self._task.locals[_KEY] = self
        try:
            self.init()
            return self.run()
        except GreenletExit:
            return None
        finally:
            self.complete()

    def join(self, timeout: float | None = None) -> bool | None:
        """Wait for its end. timeout: seconds, None waits for ever. Returns True, False on timeout, None when it never began. May switch."""
        return None if self._task is None else bool(self._task.join(timeout))

    def kill(self) -> None:
        """Raise GreenletExit where it waits. Never switches."""
        if self._task is not None:
            self._task.throw(GreenletExit)

    def Yield(self, timeout: float | None = None, arg: object = None) -> object:
        """Wait for resume(). timeout: seconds, None waits for ever. Returns resume's value, or `arg` on timeout. May switch."""
        if self is not current_thread():
            raise CoroutineError("only a thread itself can yield")
        until = None if timeout is None else time.monotonic() + timeout
        while self._resumed is _NOTHING:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not _coro.park(left) and self._resumed is _NOTHING:
                return arg
        value, self._resumed = self._resumed, _NOTHING
        return value

    def resume(self, value: object = None) -> None:
        """End its Yield() with that value. Never switches."""
        self._resumed = value
        if self._task is not None:
            self._task.wake()

    @property
    def result(self) -> object:
        """What run() returned."""
        return None if self._task is None else self._task.result

    @property
    def exception(self) -> BaseException | None:
        """What run() raised."""
        return None if self._task is None else self._task.exception

    def isAlive(self) -> bool:
        return self._task is not None and not self._task.done

    is_alive = isAlive

    def status(self) -> str:
        """One of initial, running, ended."""
        return "initial" if self._task is None else "ended" if self._task.done else "running"

    def thread_id(self) -> int:
        return self._id

    def getName(self) -> str:
        return self._name

    def setName(self, name: str) -> None:
        self._name = name

    name = property(getName, setName)

    def setDaemon(self, daemon: bool) -> None:
        self.daemon = daemon

    # accounting

    def total_time(self) -> float:
        """Seconds it has run, waits not counted."""
        return 0.0 if self._task is None else float(self._task.counts[0])

    def resume_count(self) -> int:
        """How often it was given the processor."""
        return 0 if self._task is None else int(self._task.counts[1])

    def long_time(self) -> float:
        """Its longest stretch without giving way, seconds."""
        return 0.0 if self._task is None else float(self._task.counts[2])

    # locals

    def get_local(self, name: str, default: object = None) -> object:
        return self._locals.get(name, default)

    def set_local(self, name: str, value: object) -> None:
        self._locals[name] = value

    def set_locals(self, **values: object) -> None:
        self._locals.update(values)

    def pop_local(self, name: str, default: object = None) -> object:
        return self._locals.pop(name, default)

    def has_local(self, name: str) -> bool:
        return name in self._locals

    # parent and children

    def parent(self) -> Thread | None:
        found = self._parent() if self._parent is not None else None
        return found if found is not None and found._family is self._parents_family else None

    def child_list(self) -> list[Thread]:
        return [child for child in tuple(self._children) if child.isAlive()]

    def child_count(self) -> int:
        return len(self.child_list())

    def child_wait(self, timeout: float | None = None) -> int:
        """Wait until no child lives. timeout: seconds, None waits for ever. Returns how many are left. May switch."""
        until = None if timeout is None else time.monotonic() + timeout
        while children := [child for child in self.child_list() if child is not current_thread()]:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                break
            children[0].join(left)
        return self.child_count()

    def abandon(self) -> None:
        """Let the children be nobody's."""
        self._family = object()
        self._children.clear()


def current_thread() -> Thread | None:
    """Return the Thread that runs; None in requests and plain spawned calls that are none."""
    task = _coro.current()
    found = task.locals.get(_KEY) if task is not None else None
    return found if isinstance(found, Thread) else None


def thread_list() -> list[Thread]:
    """Return the Threads of this interpreter that have begun and not ended."""
    found = (task.locals.get(_KEY) for task in _coro.tasks())
    return [each for each in found if isinstance(each, Thread)]

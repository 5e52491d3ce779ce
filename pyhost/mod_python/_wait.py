"""Waiting that lets other greenlets run, until somebody else is done, and the turn that one greenlet has while others wait."""
from __future__ import annotations

import collections
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import greenlet

from ._native import INSIDE, native

__all__ = ["LOADS", "Turn", "pause", "wait_for", "wake"]

_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.01
_KEY_CHANNELS = range(64, 128)  # of pyapache_wait.h; those below are the global locks'
_OWN_CHANNEL = 128  # of this process alone


def pause(seconds: float) -> None:
    """Sleep; other greenlets run meanwhile, also where PyGreen is off. May switch.

    seconds: how long.
    """
    if INSIDE:
        from .. import coro

        if coro.current() is not None:
            coro.sleep(seconds)
            return
    time.sleep(seconds)


def wait_for(key: bytes | None, ready: Callable[[], object], timeout: float | None = None) -> bool:
    """Wait until ready() is true; it is asked again whenever wake(key) is called, in whichever worker. May switch.

    key: some random bytes that both sides know; None: of this process alone. timeout: seconds, None waits for ever.
    Returns False when the time passed.
    """
    if ready():
        return True
    if INSIDE:
        return bool(native._wait(_channel(key), ready, -1.0 if timeout is None else timeout))
    wait, until = _FIRST_PAUSE_S, None if timeout is None else time.monotonic() + timeout
    while not ready():
        if until is not None and time.monotonic() >= until:
            return False
        pause(wait)
        wait = min(wait * 2, _LONGEST_PAUSE_S)
    return True


def wake(key: bytes | None) -> None:
    """Let those who wait for key look again. Never switches."""
    if INSIDE:
        native._wake(_channel(key))


def _channel(key: bytes | None) -> int:
    return _OWN_CHANNEL if key is None else _KEY_CHANNELS[int.from_bytes(key[:8], "big") % len(_KEY_CHANNELS)]


class Turn:
    """A lock that belongs to a greenlet: re-entrant in it, first come first served between them. Acquiring may switch.

    A threading.RLock belongs to a thread, and all handlers of a process share one where PyGreen is off.
    """

    __slots__ = ("_depth", "_owner", "_queue")

    def __init__(self) -> None:
        self._owner: object = None
        self._depth = 0
        self._queue: collections.deque[object] = collections.deque()

    def acquire(self, timeout: float | None = None) -> bool:
        """Wait for the turn. timeout: seconds, None waits for ever. Returns False when it passed. May switch."""
        me = greenlet.getcurrent()
        if self._owner is me:
            self._depth += 1
            return True
        ticket = object()
        self._queue.append(ticket)
        try:
            if not wait_for(None, lambda: self._owner is None and self._queue[0] is ticket, timeout):
                return False
            self._owner, self._depth = me, 1
            return True
        finally:
            self._queue.remove(ticket)
            if self._owner is None and self._queue:
                wake(None)  # the next one may have looked too early

    def release(self) -> None:
        """Give the turn back, as often as it was acquired. Never switches."""
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            if self._queue:
                wake(None)

    def idle(self) -> bool:
        """Return whether nobody has or wants the turn."""
        return self._owner is None and not self._queue

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


#: Of whoever loads a handler's module or an application: nobody finds the half of one that somebody else is at.
LOADS = Turn()

"""Waiting that lets other greenlets run, and the turn that one greenlet has while others wait."""
from __future__ import annotations

import collections
import time
from types import TracebackType
from typing import Self

import greenlet

from ._native import INSIDE

__all__ = ["Turn", "pause"]

_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.01


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
            wait, until = _FIRST_PAUSE_S, None if timeout is None else time.monotonic() + timeout
            while self._owner is not None or self._queue[0] is not ticket:
                if until is not None and time.monotonic() >= until:
                    return False
                pause(wait)
                wait = min(wait * 2, _LONGEST_PAUSE_S)
            self._owner, self._depth = me, 1
            return True
        finally:
            self._queue.remove(ticket)

    def release(self) -> None:
        """Give the turn back, as often as it was acquired. Never switches."""
        self._depth -= 1
        if self._depth == 0:
            self._owner = None

    def idle(self) -> bool:
        """Return whether nobody has or wants the turn."""
        return self._owner is None and not self._queue

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

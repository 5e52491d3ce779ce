"""Queues between coroutines of one worker."""
from __future__ import annotations

import collections
import queue
import time
from typing import Generic, TypeVar

from .sync import cond

__all__ = ["Queue", "fifo"]

Item = TypeVar("Item")


class Queue(Generic[Item]):
    """queue.Queue's interface without threads: put and get wait, and raise queue.Full and queue.Empty."""

    def __init__(self, maxsize: int = 0) -> None:
        """maxsize: items that fit, 0: any number."""
        self.maxsize = maxsize
        self._items: collections.deque[Item] = collections.deque()
        self._getters, self._putters, self._joiners = cond(), cond(), cond()
        self._unfinished = 0

    def qsize(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        return not self._items

    def full(self) -> bool:
        return 0 < self.maxsize <= len(self._items)

    def put(self, item: Item, block: bool = True, timeout: float | None = None) -> None:
        """Add an item. timeout: seconds, None waits for ever. Raises queue.Full. May switch."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.full():
            left = None if until is None else until - time.monotonic()
            if not block or (left is not None and left <= 0) or self._putters.wait(left) is None:
                raise queue.Full
        self._items.append(item)
        self._unfinished += 1
        self._getters.wake_one()

    def get(self, block: bool = True, timeout: float | None = None) -> Item:
        """Take the oldest item. timeout: seconds, None waits for ever. Raises queue.Empty. May switch."""
        until = None if timeout is None else time.monotonic() + timeout
        while not self._items:
            left = None if until is None else until - time.monotonic()
            if not block or (left is not None and left <= 0) or self._getters.wait(left) is None:
                raise queue.Empty
        item = self._items.popleft()
        self._putters.wake_one()
        return item

    def put_nowait(self, item: Item) -> None:
        self.put(item, block=False)

    def get_nowait(self) -> Item:
        return self.get(block=False)

    def task_done(self) -> None:
        """One item that was taken is dealt with. Raises ValueError when there was none."""
        if self._unfinished <= 0:
            raise ValueError("task_done() called too many times")
        self._unfinished -= 1
        if not self._unfinished:
            self._joiners.wake_all()

    def join(self) -> None:
        """Wait until all items are dealt with. May switch."""
        while self._unfinished:
            self._joiners.wait()


class fifo(Queue[Item]):
    """gogreen's coroutine_fifo: push, pop, wake, waiters."""

    def __init__(self, timeout: float | None = None) -> None:
        """timeout: of pop, seconds; None waits for ever."""
        super().__init__()
        self._timeout = timeout

    def push(self, item: Item) -> None:
        """Add an item. Never switches."""
        self.put(item)

    def pop(self, timeout: float | None = None) -> Item | None:
        """Take the oldest item; None when the timeout passed, or somebody called wake(). May switch."""
        timeout = self._timeout if timeout is None else timeout
        until = None if timeout is None else time.monotonic() + timeout
        while not self._items:
            values = self._getters.wait(None if until is None else until - time.monotonic())
            if values is None or (values and not self._items):
                return None
        return self._items.popleft()

    def wake(self) -> None:
        """Let all who wait return None."""
        self._getters.wake_all("nothing comes")

    def waiters(self) -> int:
        return len(self._getters)

"""Pools of connections: bounded, with priorities, health checks, and a list of who holds what since when.

    connections = Pool(lambda: pymysql.connect(…), size=10, check=lambda c: c.ping(reconnect=False))
    with connections.take() as connection:
        …
"""
from __future__ import annotations

import contextlib
import itertools
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pyhost import coro
from pyhost.coro.sync import Waiter

__all__ = ["Held", "Pool", "PoolClosed", "PoolDeadlock", "PoolTimeout"]

Item = TypeVar("Item")


class PoolDeadlock(Exception):
    """A coroutine that holds an item wanted another one while every item is held by coroutines that want another one."""


class PoolTimeout(Exception):
    """No item was free in time."""


class PoolClosed(Exception):
    """The pool is drained: it gives nothing any more."""


@dataclass(frozen=True, slots=True)
class Held:
    """An item in use. since_s: seconds it has been held; stack: where it was taken, innermost last."""

    item: object
    task: object
    since_s: float
    stack: tuple[str, ...]


@dataclass(slots=True)
class _Use(Generic[Item]):
    item: Item
    task: Any
    since: float = field(default_factory=time.monotonic)
    stack: tuple[str, ...] = ()


@dataclass(slots=True, order=True)
class _Wanted:
    rank: tuple[int, int]
    waiter: Waiter = field(compare=False)


class Pool(Generic[Item]):
    """Gives out at most `size` items made by `make`, the most recently used first."""

    def __init__(self, make: Callable[[], Item], size: int = 10, *, check: Callable[[Item], object] | None = None, check_after: float = 1.0,
                 close: Callable[[Item], object] | None = None, max_age: float | None = None, timeout: float | None = None) -> None:
        """make: makes an item; may wait. check: called before an item is used again that idled for `check_after` seconds; raising or returning
        False throws it away. close: ends an item; by default its close(). max_age: seconds after which an item is replaced, None: never.
        timeout: of take, seconds, None waits for ever.
        """
        if size < 1:
            raise ValueError("a pool needs room for one item")
        self.size = size
        self._make, self._check, self._check_after, self._max_age, self._timeout = make, check, check_after, max_age, timeout
        self._close = close
        self._idle: list[tuple[Item, float, float]] = []  # item, made at, given back at
        self._made: dict[int, float] = {}
        self._uses: dict[int, _Use[Item]] = {}
        self._making = 0
        self._promised = 0  # free places that woken coroutines are about to take
        self._queue: list[_Wanted] = []
        self._order = itertools.count()
        self._drained = False
        self._all_back = coro.cond()

    # taking and giving back

    def get(self, priority: int = 0, timeout: float | None = None) -> Item:
        """Take an item. priority: lower goes first. timeout: seconds, None: the pool's. Raises PoolTimeout, PoolDeadlock, PoolClosed, and what
        `make` raises. May switch.
        """
        timeout = self._timeout if timeout is None else timeout
        stack = tuple(line.rstrip() for line in traceback.format_stack(limit=7)[:-1])  # it may read files, and switch: nothing is ours as yet
        self._refuse_if_drained()
        if self._free() <= self._promised or (self._queue and self._queue[0].rank[0] <= priority):
            self._wait(priority, None if timeout is None else time.monotonic() + timeout)
        self._refuse_if_drained()
        self._making += 1  # the place is taken, whatever switches from here on
        try:
            item = self._usable()
            self._refuse_if_drained(item)
        except BaseException:
            self._making -= 1
            self._next()
            raise
        self._making -= 1
        self._uses[id(item)] = _Use(item, coro.current(), stack=stack)
        return item

    def put(self, item: Item) -> None:
        """Give an item back. Raises ValueError when it is not one that is held. Switches only where the pool is drained and closing the item waits."""
        use = self._uses.pop(id(item), None)
        if use is None:
            raise ValueError("this item is not held")
        try:
            if self._drained:
                self._end(item)
            else:
                self._idle.append((item, self._made[id(item)], time.monotonic()))
        finally:
            self._next()

    def discard(self, item: Item) -> None:
        """Give an item back that is broken: it is closed, and a new one may be made. Raises ValueError when it is not one that is held. May switch."""
        if self._uses.pop(id(item), None) is None:
            raise ValueError("this item is not held")
        try:
            self._end(item)
        finally:
            self._next()

    @contextlib.contextmanager
    def take(self, priority: int = 0, timeout: float | None = None) -> Iterator[Item]:
        """Hold an item for a block. One whose block raised is checked before it is used again; one whose block was ended from outside (a Timeout,
        a client that has gone, whatever is no Exception) is thrown away: it may be in the midst of an answer. Raises as get. May switch.
        """
        item = self.get(priority, timeout)
        use = self._uses[id(item)]
        try:
            yield item
        except Exception:
            self._give_back(use, self._put_checked)
            raise
        except BaseException:
            self._give_back(use, self.discard)
            raise
        self._give_back(use, self.put)

    # looking

    def held(self) -> list[Held]:
        """Return who holds what, longest first."""
        now = time.monotonic()
        return [Held(use.item, use.task, now - use.since, use.stack) for use in sorted(self._uses.values(), key=lambda use: use.since)]

    def counts(self) -> dict[str, int]:
        return {"size": self.size, "held": len(self._uses), "idle": len(self._idle), "waiting": len(self._queue), "making": self._making}

    # ending

    def trim(self, age: float = 0.0) -> int:
        """Close items that have idled for `age` seconds. Returns how many. May switch."""
        now = time.monotonic()
        old = [entry for entry in self._idle if now - entry[2] >= age]
        self._idle = [entry for entry in self._idle if now - entry[2] < age]
        for item, _, _ in old:
            self._end(item)
        return len(old)

    def drain(self, timeout: float | None = None) -> bool:
        """Give nothing any more, close what idles, wait for what is held. timeout: seconds, None waits for ever. Returns whether all is back.
        May switch.
        """
        self._drained = True
        self._promised += len(self._queue)
        for wanted in self._queue:
            wanted.waiter.wake(())
        self._queue.clear()
        self.trim()
        until = None if timeout is None else time.monotonic() + timeout
        while self._uses or self._making:
            left = None if until is None else until - time.monotonic()
            if (left is not None and left <= 0) or self._all_back.wait(left) is None:
                return not (self._uses or self._making)
        return True

    # inner

    def _free(self) -> int:
        return self.size - len(self._uses) - self._making

    def _refuse_if_drained(self, item: Item | None = None) -> None:
        if self._drained:
            if item is not None:
                self._end(item)
            raise PoolClosed("the pool is drained")

    def _usable(self) -> Item:
        while self._idle:
            item, made, since = self._idle.pop()
            now = time.monotonic()
            too_old = self._max_age is not None and now - made >= self._max_age
            fine = False
            try:
                fine = not too_old and (now - since < self._check_after or self._healthy(item))
            finally:
                if not fine:
                    self._end(item)
            if fine:
                return item
        item = self._make()
        self._made[id(item)] = time.monotonic()
        return item

    def _healthy(self, item: Item) -> bool:
        try:
            return self._check is None or self._check(item) is not False
        except Exception:  # noqa: BLE001 - whatever a broken connection raises, it is broken
            return False

    def _give_back(self, use: _Use[Item], how: Callable[[Item], None]) -> None:
        if self._uses.get(id(use.item)) is use:  # its block may have done so
            how(use.item)

    def _put_checked(self, item: Item) -> None:
        try:
            fine = self._healthy(item)
        except BaseException:
            self.discard(item)
            raise
        if fine:
            self.put(item)
        else:
            self.discard(item)

    def _wait(self, priority: int, until: float | None) -> None:
        waiter = Waiter()
        waiting = {id(wanted.waiter.task) for wanted in self._queue} | {id(waiter.task)}
        held = self._uses and not self._making and not self._promised
        if held and all(use.task is not None and id(use.task) in waiting for use in self._uses.values()):
            raise PoolDeadlock(f"all {len(self._uses)} items are held by coroutines that wait for another one")
        wanted = _Wanted((priority, next(self._order)), waiter)
        self._queue.append(wanted)
        self._queue.sort()
        try:
            while not waiter.woken:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise PoolTimeout("no item was free in time")
                coro.park(left)
        except BaseException:
            if not waiter.woken:
                self._queue.remove(wanted)
            else:
                self._promised -= 1
                self._next()
            raise
        self._promised -= 1

    def _next(self) -> None:
        if self._queue and self._free() > self._promised:
            self._promised += 1
            self._queue.pop(0).waiter.wake(())
        if not self._uses and not self._making:
            self._all_back.wake_all()

    def _end(self, item: Item) -> None:
        self._made.pop(id(item), None)
        with contextlib.suppress(Exception):
            if self._close is not None:
                self._close(item)
            elif hasattr(item, "close"):
                item.close()

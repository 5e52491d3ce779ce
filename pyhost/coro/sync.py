"""Conditions, locks, events and semaphores between coroutines of one worker. All wake in the order of waiting; none may be used by other threads."""
from __future__ import annotations

import collections
import time
from types import TracebackType

import _coro

from .errors import CoroutineError, LockTimeout

__all__ = ["Event", "Semaphore", "cond", "lock"]

Values = tuple[object, ...]


class Waiter:
    """One coroutine that waits. handed: it was woken alone, with what somebody else is given if it is ended before it runs."""

    __slots__ = ("handed", "since", "task", "values", "woken")

    def __init__(self) -> None:
        task = _coro.current()
        if task is None:
            raise RuntimeError("only a coroutine can wait")
        self.task = task
        self.since = time.monotonic()
        self.values: Values = ()
        self.woken = self.handed = False

    def wake(self, values: Values) -> None:
        self.values, self.woken = values, True
        self.task.wake()


class cond:
    """A place where coroutines wait for each other (gogreen's coroutine_cond)."""

    def __init__(self) -> None:
        self._waiters: collections.deque[Waiter] = collections.deque()

    def wait(self, timeout: float | None = None) -> Values | None:
        """Wait to be woken. timeout: seconds, None waits for ever. Returns the values of the wake, None when the timeout passed. May switch."""
        waiter = Waiter()
        until = None if timeout is None else time.monotonic() + timeout
        self._waiters.append(waiter)
        try:
            while not waiter.woken:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return None
                _coro.park(left)
        except BaseException:
            if waiter.handed:
                self._pass_on(waiter.values)
            raise
        finally:
            if not waiter.woken:
                self._waiters.remove(waiter)
        return waiter.values

    def wake(self, task: object, *values: object) -> bool:
        """Wake that one, if it waits here. Returns whether it did. Never switches."""
        for waiter in self._waiters:
            if waiter.task is task:
                self._waiters.remove(waiter)
                waiter.wake(values)
                return True
        return False

    def wake_one(self, *values: object) -> bool:
        """Wake who has waited longest, or the next one if that one is ended before it runs. Returns whether anybody waited. Never switches."""
        if not self._waiters:
            return False
        waiter = self._waiters.popleft()
        waiter.handed = True
        waiter.wake(values)
        return True

    def wake_all(self, *values: object) -> int:
        """Wake all who wait now, and nobody who comes later. Returns how many. Never switches."""
        count = len(self._waiters)
        for _ in range(count):
            self._waiters.popleft().wake(values)
        return count

    def _pass_on(self, values: Values) -> None:
        self.wake_one(*values)

    def __len__(self) -> int:
        return len(self._waiters)


class Turns(cond):
    """Who waits for a semaphore, and how many may pass at once. A turn that somebody was given and could not take is not lost."""

    def __init__(self, free: int) -> None:
        super().__init__()
        self.free = free

    def give(self) -> None:
        if not self.wake_one():
            self.free += 1

    def _pass_on(self, values: Values) -> None:
        self.give()


class Semaphore:
    """So many may pass; the others wait their turn."""

    def __init__(self, value: int = 1) -> None:
        """value: how many may pass before somebody has to wait. Raises ValueError when it is below 0."""
        if value < 0:
            raise ValueError("a semaphore begins with 0 or more")
        self._turns = Turns(value)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Pass, waiting when needed. timeout: seconds, None waits for ever. Returns False when it could not. May switch."""
        if self._turns.free > 0:
            self._turns.free -= 1
            return True
        return blocking and self._turns.wait(timeout) is not None  # release hands its turn over

    def release(self) -> None:
        """Let the next one pass. Never switches."""
        self._turns.give()

    def locked(self) -> bool:
        """Would acquire wait now?"""
        return self._turns.free == 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class lock(Semaphore):
    """One at a time (gogreen's coroutine_lock; also acquire and release, and a context manager). Not re-entrant."""

    def __init__(self) -> None:
        super().__init__(1)
        self.owner: object = None

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """As Semaphore.acquire. Raises CoroutineError when this coroutine holds it already. May switch."""
        if self.owner is not None and self.owner is _coro.current() and blocking:
            raise CoroutineError("this coroutine holds the lock already: it would wait for itself")
        if not super().acquire(blocking, timeout):
            return False
        self.owner = _coro.current()
        return True

    def release(self) -> None:
        """Let the next one in. Raises CoroutineError when nobody holds it."""
        if not self.locked():
            raise CoroutineError("the lock is not held")
        self.owner = None
        super().release()

    def lock(self, timeout: float | None = None) -> None:
        """Take it. timeout: seconds, None waits for ever. Raises LockTimeout. May switch."""
        if not self.acquire(timeout=timeout):
            raise LockTimeout(f"not free within {timeout} s")

    def unlock(self) -> None:
        """Give it back."""
        self.release()

    def tset(self) -> bool:
        """Take it if it is free. Returns whether it was. Never switches."""
        return self.acquire(blocking=False)


class Event:
    """Something that happens once, or again after clear()."""

    def __init__(self) -> None:
        self._set = False
        self._queue = cond()

    def is_set(self) -> bool:
        """Has it happened? Never switches."""
        return self._set

    def set(self) -> None:
        """It has happened: all go on. Never switches."""
        self._set = True
        self._queue.wake_all()

    def clear(self) -> None:
        """It has not happened any more. Never switches."""
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it. timeout: seconds, None waits for ever. Returns False when the timeout passed. May switch."""
        return self._set or self._queue.wait(timeout) is not None

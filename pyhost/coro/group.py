"""A bounded group of coroutines."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import _coro

from .sync import Semaphore

__all__ = ["Pool"]

Result = TypeVar("Result")


class Pool:
    """At most `size` calls at once; spawn() waits for room."""

    def __init__(self, size: int) -> None:
        """size: calls that may run at the same time. Raises ValueError when it is below 1."""
        if size < 1:
            raise ValueError("a pool needs room for one")
        self.size = size
        self._room = Semaphore(size)
        self._tasks: set[Any] = set()

    def spawn(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Any:
        """Call it in a coroutine, as soon as there is room. Returns its Task. Raises TypeError: it cannot be called. May switch."""
        self._room.acquire()
        try:
            task = _coro.spawn(function, *args, **kwargs)
        except BaseException:
            self._room.release()
            raise

        def leave() -> None:
            self._tasks.discard(task)
            self._room.release()

        task._at_end = leave
        self._tasks.add(task)
        return task

    def map(self, function: Callable[[Any], Result], items: Iterable[Any]) -> list[Result]:
        """Return the results in the order of the items; raises what any call raised. May switch."""
        return [task.get() for task in [self.spawn(function, item) for item in items]]

    def join(self, timeout: float | None = None) -> bool:
        """Wait for all. timeout: seconds for each, None waits for ever. Returns whether all have ended. May switch."""
        ended = [task.join(timeout) for task in list(self._tasks)]
        return all(ended)

    def kill(self, exception: type[BaseException] = SystemExit) -> None:
        """Raise an exception in all of them. Never switches."""
        for task in list(self._tasks):
            task.throw(exception)

    def __len__(self) -> int:
        return len(self._tasks)

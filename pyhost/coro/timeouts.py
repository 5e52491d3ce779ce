"""Deadlines for a part of a handler, whatever it waits on."""
from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import _coro

__all__ = ["Timeout", "deadline"]


class Timeout(BaseException):
    """Raises itself in the running coroutine when the time is over, unless the `with` block has been left.

    It is no Exception, so that `except Exception` on the way does not swallow it.

        with Timeout(2):        raises this Timeout after two seconds
        with Timeout(2, error): raises `error` instead
        with Timeout(2, False): leaves the block quietly; `.rang` tells
    """

    def __init__(self, seconds: float | None = None, exception: BaseException | type[BaseException] | bool | None = None) -> None:
        """seconds: from the entry of the block, None: never. exception: what to raise; None: itself; False: nothing leaves the block."""
        super().__init__(seconds)
        self.seconds = seconds
        self.exception = exception
        self.rang = False
        self._alarm: Any = None

    def start(self) -> None:
        """Begin to count. Raises RuntimeError outside a coroutine."""
        raised = self.exception() if isinstance(self.exception, type) else self.exception
        if self.seconds is not None:
            self._alarm = _coro.alarm(self.seconds, raised if isinstance(raised, BaseException) else self)

    def cancel(self) -> None:
        """Stop counting."""
        if self._alarm is not None:
            self.rang = not self._alarm.cancel()
            self._alarm = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> bool:
        self.cancel()
        if value is not self or self.exception is not False:
            return False
        self.__traceback__ = None  # its frames know this object, and would live until the garbage collector comes
        return True

    def __str__(self) -> str:
        return "no limit" if self.seconds is None else f"{self.seconds:g} s are over"


def deadline(seconds: float) -> Timeout:
    """Return a context manager that raises Timeout in this coroutine when its block takes longer than `seconds`."""
    return Timeout(seconds)

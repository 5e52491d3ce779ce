"""Moving calls that would hold up everybody (long computations that let the GIL go, files) to real threads."""
from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import _coro

if TYPE_CHECKING:
    import concurrent.futures

__all__ = ["blocking"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_executor: concurrent.futures.ThreadPoolExecutor | None = None


def _threads() -> concurrent.futures.ThreadPoolExecutor:
    global _executor
    if _executor is None:
        import concurrent.futures  # not before it is needed: each interpreter has its own copy

        _executor = concurrent.futures.ThreadPoolExecutor(min(32, (os.cpu_count() or 1) + 4), "blocking")
    return _executor


def blocking(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function that runs `function` in a real thread while the caller waits and others go on.

    Also a decorator. It raises what the function raises; when an exception is thrown into the wait, the call goes on unheard. May switch.
    """
    @functools.wraps(function)
    def offloaded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        task = _coro.current()
        if task is None:
            return function(*args, **kwargs)
        future = _threads().submit(function, *args, **kwargs)
        future.add_done_callback(lambda _: task.wake())
        try:
            while not future.done():
                _coro.park()
        except BaseException:
            future.cancel()
            raise
        return future.result()

    return offloaded

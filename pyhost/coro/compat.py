"""The few pieces of the standard library that a stack-copying switch cannot wait in.

CPython 3.13 keeps who waits for a `queue.SimpleQueue` or for the end of a thread on the C stack, where nobody finds it while another greenlet
runs. Both get an equal that waits elsewhere. Earlier versions need nothing.
"""
from __future__ import annotations

import sys
import threading
import time
from typing import Any

import _coro

__all__ = ["install"]

FIRST_PAUSE_S = 0.0005
LONGEST_PAUSE_S = 0.02


def install() -> None:
    """Put the replacements in place in this interpreter. Called once, before any handler is imported."""
    if sys.version_info >= (3, 13):
        replace_simple_queue()
        replace_thread_join()


def replace_simple_queue() -> None:
    """Let queue.SimpleQueue be the standard library's own version in Python, which waits on a lock."""
    import _queue
    import queue

    python_queue: Any = vars(queue)["_PySimpleQueue"]
    setattr(queue, "SimpleQueue", python_queue)
    setattr(_queue, "SimpleQueue", python_queue)


def replace_thread_join() -> None:
    """Let Thread.join look from time to time when it is called in a handler."""
    real_join = threading.Thread.join

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        if _coro.current() is not None and self.ident is not None and self is not threading.current_thread():
            until = None if timeout is None else time.monotonic() + timeout
            pause = FIRST_PAUSE_S
            while self.is_alive():
                left = pause if until is None else min(pause, until - time.monotonic())
                if left <= 0:
                    return
                _coro.sleep(left)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        real_join(self, timeout)

    setattr(threading.Thread, "join", join)

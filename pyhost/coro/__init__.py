"""Coroutines on pyhost's hub: what waits here lets other requests run.

Blocking code needs none of this inside a handler (its system calls give way by themselves); these are for code that wants to say so, with
gogreen's names: Thread, spawn, sleep, Yield, cond, lock, fifo, and what grew since then: Queue, Event, Semaphore, Timeout, deadline, Pool, blocking,
where. Nothing here waits outside a handler greenlet: there it raises RuntimeError, but for sleep, which sleeps.
"""
from __future__ import annotations

import select
import time
from typing import Any

import _coro
from _coro import ClientGone, RequestTimeout, Task, blocked, counts, current, fd_closing, park, spawn, tasks, yield_

from .errors import CoroutineError, LockTimeout
from .fifo import Queue, fifo
from .group import Pool
from .offload import blocking
from .sync import Event, Semaphore, cond, lock
from .thread import Thread, current_thread, thread_list
from .timeouts import Timeout, deadline
from .trace import Where, where

__all__ = [
    "ClientGone",
    "CoroutineError",
    "Event",
    "LockTimeout",
    "Pool",
    "Queue",
    "RequestTimeout",
    "Semaphore",
    "Task",
    "Thread",
    "Timeout",
    "Where",
    "Yield",
    "blocked",
    "blocking",
    "cond",
    "coroutine_cond",
    "coroutine_fifo",
    "coroutine_lock",
    "counts",
    "current",
    "current_thread",
    "deadline",
    "event_loop",
    "fd_closing",
    "fifo",
    "lock",
    "new",
    "park",
    "shutdown",
    "sleep",
    "spawn",
    "tasks",
    "thread_list",
    "wait_fd",
    "wait_read",
    "wait_write",
    "where",
    "yield_",
]

coroutine_cond, coroutine_lock, coroutine_fifo = cond, lock, fifo
new = spawn

FileLike = Any


def sleep(seconds: float = 0) -> None:
    """Wait that long; 0 gives way once. Outside a handler it is time.sleep. May switch."""
    if _coro.current() is None:
        time.sleep(max(seconds, 0))
    else:
        _coro.sleep(seconds)


def Yield(timeout: float | None = None) -> bool:
    """Give way once, or with a timeout wait for wake() that long. Returns whether it was woken. May switch."""
    if timeout is None:
        _coro.yield_()
        return True
    return bool(_coro.park(timeout))


def event_loop(max_timeout: float = 30.0) -> None:
    """Serve until shutdown(), SIGTERM or SIGINT, in a script's main code; elsewhere do nothing: the server's own loop runs already. May switch."""
    from ..script.program import loop

    if loop.task is not None and loop.task is _coro.current():
        loop.wait()


def shutdown(countdown: float = 0) -> None:
    """Let event_loop() return, after that many seconds. May switch."""
    from ..script.program import loop

    if countdown:
        sleep(countdown)
    loop.stop()


def wait_fd(fd: FileLike, events: int, timeout: float | None = None) -> int:
    """Wait for epoll events on a descriptor or an object with fileno().

    events: bits of select.EPOLLIN and EPOLLOUT. timeout: seconds, None waits for ever. Returns the bits that came, 0 when the timeout passed.
    Raises OSError when the descriptor cannot be waited on, or is closed meanwhile. May switch.
    """
    return int(_coro.wait_fd(fd, events, timeout))


def wait_read(fd: FileLike, timeout: float | None = None) -> bool:
    """Wait until a descriptor can be read (or is at its end, or broken).

    timeout: seconds, None waits for ever. Returns False when it passed. Raises OSError. May switch.
    """
    return bool(_coro.wait_fd(fd, select.EPOLLIN, timeout))


def wait_write(fd: FileLike, timeout: float | None = None) -> bool:
    """Wait until a descriptor can be written to (or is broken).

    timeout: seconds, None waits for ever. Returns False when it passed. Raises OSError. May switch.
    """
    return bool(_coro.wait_fd(fd, select.EPOLLOUT, timeout))

"""Coroutines on pyhost's hub: what waits here lets other requests run.

Blocking code needs none of this inside a handler (its system calls give way by themselves); these are for code that wants to say so.
"""
from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

import _coro
from _coro import Task, current, fd_closing, park, sleep, spawn, yield_

__all__ = ["Task", "current", "fd_closing", "park", "sleep", "spawn", "wait_fd", "wait_read", "wait_write", "yield_"]

FileLike = Any
SpawnTarget = Callable[..., object]


def wait_fd(fd: FileLike, events: int, timeout: float | None = None) -> int:
    """Wait for epoll events on a descriptor or an object with fileno().

    events: bits of select.EPOLLIN and EPOLLOUT. timeout: seconds, None waits for ever. Returns the bits that came, 0 when the timeout passed.
    Raises OSError when the descriptor cannot be waited on, or is closed meanwhile. May switch.
    """
    return _coro.wait_fd(fd, events, timeout)


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

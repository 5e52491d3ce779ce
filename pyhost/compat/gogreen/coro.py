"""gogreen.coro: pyhost.coro under its old name, and the names that are gogreen's alone.

Not there: preemption in signal handlers (PyTimeSlice and the blocked-worker warning are in its place), and the switches of profiling and tracing
(what they counted is always counted: Thread.total_time, resume_count, long_time, coro.where).
"""
from __future__ import annotations

import logging
import socket

from ... import coro as _coro
from ...coro import *

log = logging.getLogger("coro")
TimeoutError = socket.timeout
ConnectionError = ConnectionError  # gogreen's name for it is Python's own by now
CoroutineSocketError = OSError
setdefaulttimeout, getdefaulttimeout = socket.setdefaulttimeout, socket.getdefaulttimeout
real_socket = socket.socket
_default_store: dict[str, object] = {}
coroutine_thread = _coro.Thread
current_id = _coro.current


def make_socket(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, **_: object) -> socket.socket:
    """A socket; every one waits without holding up others."""
    return socket.socket(family, kind)


coroutine_socket = new_socket = make_socket


def socket_emulate() -> None:
    """Do nothing: sockets are cooperative as they are."""


def socket_reverse() -> None:
    """Do nothing: there is nothing to take back."""


def schedule(thread: _coro.Thread, value: object = None) -> None:
    """Let a thread that waits in Yield() go on with that value. Never switches."""
    thread.resume(value)


def get_local(name: str, default: object = None) -> object:
    """Of the running Thread; of everything that is none, together."""
    thread = _coro.current_thread()
    return _default_store.get(name, default) if thread is None else thread.get_local(name, default)


def set_local(name: str, value: object) -> None:
    """See get_local."""
    thread = _coro.current_thread()
    if thread is None:
        _default_store[name] = value
    else:
        thread.set_local(name, value)


def set_locals(**values: object) -> None:
    """Several of them."""
    for name, value in values.items():
        set_local(name, value)


def pop_local(name: str, default: object = None) -> object:
    """Take it away and return it."""
    thread = _coro.current_thread()
    return _default_store.pop(name, default) if thread is None else thread.pop_local(name, default)


def has_local(name: str) -> bool:
    """Is there such a value?"""
    thread = _coro.current_thread()
    return name in _default_store if thread is None else thread.has_local(name)


def use_epoll(size: int = 0) -> None:
    """Do nothing: the loop is epoll."""

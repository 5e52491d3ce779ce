"""gogreen.coro: pyhost.coro under its old name, and the few names that are gogreen's alone."""
from __future__ import annotations

import logging
import socket

from ... import coro as _coro
from ...coro import *

log = logging.getLogger("coro")
TimeoutError = socket.timeout
coroutine_thread = _coro.Thread
current_id = _coro.current


def make_socket(family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, **_: object) -> socket.socket:
    """A socket; every one waits without holding up others."""
    return socket.socket(family, kind)


coroutine_socket = new_socket = make_socket


def socket_emulate() -> None:
    """Do nothing: sockets are cooperative as they are."""


def use_epoll(size: int = 0) -> None:
    """Do nothing: the loop is epoll."""

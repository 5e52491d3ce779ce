"""Handlers of signals that applications set in a server's process.

Signals are the server's there: they stop it, reload it, reopen its logs. CPython's own `signal.signal()` raises ValueError in what is not the main
thread, so an application that was written for a process of its own could not even be imported. Here the registration is ignored, with a
warning that says where it was made (as with mod_wsgi). A child that a handler forks is a process of its own, and has its signals.
"""
from __future__ import annotations

import importlib
import operator
import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["allow_all", "ignore", "install"]

_signal: Any = importlib.import_module("_signal")  # what signal.py asks at each call, and cheaper to import
_BETWEEN = (__name__, "signal", "pyhost.gateway.asgi")
_WARNING = 4  # as apache.APLOG_WARNING
_real: dict[str, Callable[..., Any]] = {}
_server: list[int] = []  # the process whose signals are the server's
_seen: set[tuple[str, int, int]] = set()


def ignore(signalnum: int) -> None:
    """Warn that a handler of signalnum is ignored, once for each place that sets one. Never switches."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    where = (frame.f_code.co_filename, frame.f_lineno, signalnum)
    if where in _seen:
        return
    _seen.add(where)
    text = (f"a handler of signal {signalnum} ({_signal.strsignal(signalnum)}) is ignored, signals are the server's: "
            f"set in {where[0]}, line {where[1]}")
    importlib.import_module("_apache").log_error(text, _WARNING)


def _set_handler(signalnum: int, handler: Any, /) -> Any:
    if os.getpid() not in _server:
        return _real["signal"](signalnum, handler)
    number = operator.index(signalnum)
    if not 1 <= number < _signal.NSIG:
        raise ValueError("signal number out of range")
    if not callable(handler) and handler not in (_signal.SIG_DFL, _signal.SIG_IGN):
        raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
    before = _signal.getsignal(number)
    ignore(number)
    return before


def install() -> None:
    """From now on, in this interpreter and process."""
    _server[:] = [os.getpid()]
    if not _real:
        _real["signal"] = _signal.signal
        _signal.signal = _set_handler


def allow_all() -> None:
    """This is a program, whose signals are its own."""
    if _real:
        _signal.signal = _real.pop("signal")

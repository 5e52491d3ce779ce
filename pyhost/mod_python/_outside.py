"""What `_apache` offers, for programs that import mod_python without the server: unit tests of handlers, scripts, documentation.

Data types behave as in the server. Questions about the server answer as a single process does; locks hold within the process.
"""
from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from ._table import mp_table as table
from .constants import (
    AP_CONN_CLOSE,
    AP_CONN_KEEPALIVE,
    AP_CONN_UNKNOWN,
    APR_BLK,
    APR_CHR,
    APR_DIR,
    APR_LNK,
    APR_NOFILE,
    APR_PIPE,
    APR_REG,
    APR_SOCK,
    APR_UNKFILE,
    MODULE_MAGIC_NUMBER_MAJOR,
    MODULE_MAGIC_NUMBER_MINOR,
)

__all__ = [
    "APR_BLK", "APR_CHR", "APR_DIR", "APR_LNK", "APR_NOFILE", "APR_PIPE", "APR_REG", "APR_SOCK", "APR_UNKFILE", "AP_CONN_CLOSE",
    "AP_CONN_KEEPALIVE", "AP_CONN_UNKNOWN", "MODULE_MAGIC_NUMBER_MAJOR", "MODULE_MAGIC_NUMBER_MINOR", "SERVER_RETURN", "config_tree",
    "exists_config_define", "log_error", "mpm_query", "parse_qs", "parse_qsl", "register_cleanup", "server_root", "stat", "table",
]


class SERVER_RETURN(Exception):
    """Ends a handler; the argument is what the handler returns, a second one the status."""


_locks: dict[object, threading.Lock] = {}


def log_error(message: str, level: int = 3, server: object = None) -> None:
    """Write a line to the standard error."""
    print(message, file=sys.stderr)


def config_tree() -> list[Any]:
    """Return the configuration: empty without a server."""
    return []


def server_root() -> str:
    """Return the working directory."""
    return os.getcwd()


def mpm_query(code: int) -> int:
    """Answer as one process without threads: 0 to every question."""
    return 0


def exists_config_define(name: str) -> bool:
    """Return False: nothing is defined with -D."""
    return False


def register_cleanup(interpreter: str, server: object, function: Callable[..., object], data: object = None) -> None:
    """Call function(data) when the program ends."""
    import atexit

    atexit.register(function, data)


def parse_qs(query: str, keep_blank_values: bool = False, strict_parsing: bool = False) -> Any:
    """Return {name: [values]}; see util.parse_qs."""
    from ._query import parse_qs as parse

    return parse(query, keep_blank_values, strict_parsing)


def parse_qsl(query: str, keep_blank_values: bool = False, strict_parsing: bool = False) -> Any:
    """Return [(name, value)]; see util.parse_qsl."""
    from ._query import parse_qsl as parse

    return parse(query, keep_blank_values, strict_parsing)


def stat(fname: str, wanted: int = 0) -> os.stat_result:
    """Return os.stat(fname)."""
    return os.stat(fname)


def _global_lock(server: object, key: object, index: int = -1) -> None:
    _locks.setdefault(key, threading.Lock()).acquire()


def _global_trylock(server: object, key: object, index: int = -1) -> int:
    return int(_locks.setdefault(key, threading.Lock()).acquire(blocking=False))


def _global_unlock(server: object, key: object, index: int = -1) -> None:
    _locks[key].release()

"""mod_python.Session: what a client's next request finds again.

`Session(req)` is the kind that `PythonOption mod_python.session.session_type` names: SqliteSession (the default, shared by all
workers), FileSession, DbmSession, MemorySession (one process only), RedisSession (several machines), or `module::Class` of your own.
"""
from __future__ import annotations

import tempfile
from typing import Any

from . import importer
from ._native import SERVER_RETURN
from ._resolve import resolve_object
from ._session_base import CLEANUP_CHANCE, COOKIE_NAME, DFT_LOCK, DFT_TIMEOUT, BaseSession, option
from ._session_shared import RedisSession, SqliteSession
from ._session_stores import (
    DFT_CLEANUP_TIME_LIMIT,
    DFT_FAST_CLEANUP,
    DFT_GRACE_PERIOD,
    DFT_VERIFY_CLEANUP,
    FS_STAT_VERSION,
    DbmSession,
    FileSession,
    MemorySession,
)
from .constants import APLOG_ERR, HTTP_INTERNAL_SERVER_ERROR

__all__ = [
    "CLEANUP_CHANCE", "COOKIE_NAME", "DFT_CLEANUP_TIME_LIMIT", "DFT_FAST_CLEANUP", "DFT_GRACE_PERIOD", "DFT_LOCK", "DFT_TIMEOUT",
    "DFT_VERIFY_CLEANUP", "FS_STAT_VERSION", "BaseSession", "DbmSession", "FileSession", "MemorySession", "RedisSession", "Session",
    "SqliteSession",
]

tempdir = tempfile.gettempdir()
_KINDS: dict[str, type[BaseSession]] = {
    kind.__name__: kind for kind in (DbmSession, FileSession, MemorySession, RedisSession, SqliteSession)
}


def Session(req: Any, sid: str | int | None = 0, secret: str | bytes | None = None, timeout: float = 0,
            lock: int = DFT_LOCK) -> BaseSession:
    """Return the session of this client, begun where there is none. May switch.

    Arguments and errors as BaseSession's. A session_type that does not exist is logged and raises SERVER_RETURN(500).
    """
    name = option(req, "session.session_type", "session") or "SqliteSession"
    kind = _KINDS.get(name)
    if kind is None and "::" in name:
        module, _, attribute = name.partition("::")
        kind = resolve_object(importer.load(module, getattr(req.hlist, "directory", None)), attribute)
    if kind is None:
        req.log_error(f"mod_python.session.session_type {name!r} is none of {', '.join(_KINDS)}", APLOG_ERR)
        raise SERVER_RETURN(HTTP_INTERNAL_SERVER_ERROR)
    return kind(req, sid=sid, secret=secret, timeout=timeout, lock=lock)

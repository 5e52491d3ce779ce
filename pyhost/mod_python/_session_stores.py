"""MemorySession, FileSession and DbmSession: in the process, one file each, one dbm file."""
from __future__ import annotations

import dbm
import os
import pickle
import secrets
import time
from collections.abc import Callable, MutableMapping
from contextlib import contextmanager
from typing import IO, Any

from ._session_base import DFT_LOCK, BaseSession, _key_locks, option, option_flag, option_number, session_directory

__all__ = ["DbmSession", "FileSession", "MemorySession"]

DFT_FAST_CLEANUP = True
DFT_VERIFY_CLEANUP = True
DFT_GRACE_PERIOD = 240
DFT_CLEANUP_TIME_LIMIT = 2
FS_STAT_VERSION = "MPFS_3.2"
_DBM_BATCH = 100
_memory: dict[str, dict[str, Any]] = {}


def _ended(found: dict[str, Any]) -> bool:
    return bool(time.time() - found["_accessed"] > found["_timeout"])


class MemorySession(BaseSession):
    """Sessions in the memory of this process and interpreter: gone when it ends, not shared by workers."""

    def __init__(self, req: Any, sid: str | int | None = 0, secret: str | bytes | None = None, timeout: float = 0,
                 lock: int = DFT_LOCK) -> None:
        super().__init__(req, sid, secret, lock, timeout)

    def do_load(self) -> dict[str, Any] | None:
        """Return the stored dict."""
        return _memory.get(self.id())

    def do_save(self, dict: dict[str, Any]) -> None:
        """Keep the dict."""
        _memory[self.id()] = dict

    def do_delete(self) -> None:
        """Drop it."""
        _memory.pop(self.id(), None)

    def do_cleanup(self) -> None:
        """Drop those that have ended, after the response."""
        self._after_response(mem_cleanup, _memory)


def mem_cleanup(sdict: dict[str, dict[str, Any]]) -> None:
    """Drop the sessions that have ended from a dict of them."""
    for sid in [sid for sid, found in list(sdict.items()) if _ended(found)]:
        sdict.pop(sid, None)


class FileSession(BaseSession):
    """Sessions as pickles, one file each, `DIRECTORY/ab/abcd…`; written beside and renamed, so never half there."""

    def __init__(self, req: Any, sid: str | int | None = 0, secret: str | bytes | None = None, timeout: float = 0,
                 lock: int = DFT_LOCK, fast_cleanup: int = -1, verify_cleanup: int = -1) -> None:
        self._directory = os.path.join(session_directory(req, "file_session"), "mp_sess")
        self._fast = option_flag(req, "file_session.enable_fast_cleanup", DFT_FAST_CLEANUP, "session_fast_cleanup") \
            if fast_cleanup == -1 else bool(fast_cleanup)
        self._verify = option_flag(req, "file_session.verify_session_timeout", DFT_VERIFY_CLEANUP, "session_verify_cleanup") \
            if verify_cleanup == -1 else bool(verify_cleanup)
        super().__init__(req, sid, secret, lock, timeout)

    def _path(self) -> str:
        return os.path.join(self._directory, self.id()[:2], self.id())

    def do_load(self) -> dict[str, Any] | None:
        """Read the file."""
        try:
            with open(self._path(), "rb") as file:
                return _unpickle(file.read())
        except FileNotFoundError:
            return None

    def do_save(self, dict: dict[str, Any]) -> None:
        """Write the file."""
        path = self._path()
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        beside = f"{path}.{secrets.token_hex(4)}.new"
        with _private(beside) as file:
            file.write(pickle.dumps(dict))
        os.replace(beside, path)

    def do_delete(self) -> None:
        """Remove the file."""
        try:
            os.unlink(self._path())
        except FileNotFoundError:
            pass

    def do_cleanup(self) -> None:
        """Remove files of sessions that have ended, after the response, for at most cleanup_time_limit seconds."""
        data = {"directory": self._directory, "timeout": self._timeout, "fast": self._fast, "verify": self._verify,
                "grace": option_number(self._req, "file_session.cleanup_grace_period", DFT_GRACE_PERIOD, "session_grace_period"),
                "limit": option_number(self._req, "file_session.cleanup_time_limit", DFT_CLEANUP_TIME_LIMIT,
                                       "session_cleanup_time_limit")}
        self._after_response(filesession_cleanup, data)

    def lock_file(self) -> None:
        """As lock(): files are written whole, so they need no lock of their own."""
        self.lock()

    def unlock_file(self) -> None:
        """As unlock()."""
        self.unlock()


def _private(path: str) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "wb")


def _unpickle(data: bytes) -> dict[str, Any]:
    found = pickle.loads(data)
    if not isinstance(found, dict) or not {"_data", "_created", "_accessed", "_timeout"} <= found.keys():
        raise ValueError("what is stored is no session")
    return found


def filesession_cleanup(data: dict[str, Any]) -> None:
    """Remove the files of sessions that have ended; with `fast` by their age, with `verify` only after a look inside."""
    until = time.monotonic() + data["limit"] if data["limit"] else float("inf")
    try:
        folders = sorted(os.scandir(data["directory"]), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    start = int(time.time()) % (len(folders) or 1)  # a limited clean-up does not begin at the same folder each time
    for folder in folders[start:] + folders[:start]:
        for entry in os.scandir(folder.path) if folder.is_dir() else ():
            if time.monotonic() > until:
                return
            _clean_file(entry, data)


def _clean_file(entry: os.DirEntry[str], data: dict[str, Any]) -> None:
    try:
        old = time.time() - entry.stat().st_mtime > data["timeout"] + data["grace"]
        if not old and data["fast"]:
            return
        if data["verify"] or not data["fast"]:
            with open(entry.path, "rb") as file:
                if not _ended(_unpickle(file.read())):
                    return
        os.unlink(entry.path)
    except (OSError, ValueError, pickle.UnpicklingError, EOFError, AttributeError, ImportError):
        return  # another process was faster, or it is not ours to judge


class DbmSession(BaseSession):
    """Sessions in a dbm file, opened for each access under a lock that all workers share."""

    def __init__(self, req: Any, dbm: str | None = None, sid: str | int | None = 0, secret: str | bytes | None = None,
                 dbmtype: Any = dbm, timeout: float = 0, lock: int = DFT_LOCK) -> None:
        name = dbm or option(req, "dbm_session.database_filename", "session_dbm")
        self._dbmfile = os.path.join(session_directory(req, "dbm_session"), name or "mp_sess.dbm")
        self._dbmtype = dbmtype
        super().__init__(req, sid, secret, lock, timeout)

    @contextmanager
    def _open(self) -> Any:
        with _dbm_open(_key_locks(self._req), self._dbmtype, self._dbmfile) as store:
            yield store

    def do_load(self) -> dict[str, Any] | None:
        """Read the entry."""
        with self._open() as store:
            data = store.get(self.id().encode())
        return None if data is None else _unpickle(data)

    def do_save(self, dict: dict[str, Any]) -> None:
        """Write the entry."""
        data = pickle.dumps(dict)
        with self._open() as store:
            store[self.id().encode()] = data

    def do_delete(self) -> None:
        """Remove the entry."""
        with self._open() as store:
            if self.id().encode() in store:
                del store[self.id().encode()]

    def do_cleanup(self) -> None:
        """Remove those that have ended, after the response, some at a time so that nobody waits for all of them."""
        locks, kind, path = _key_locks(self._req), self._dbmtype, self._dbmfile
        self._after_response(dbm_cleanup, lambda: _dbm_open(locks, kind, path))


@contextmanager
def _dbm_open(locks: Any, kind: Any, path: str) -> Any:
    owner = object()
    try:
        locks.acquire("dbm:" + path, owner)
        store: MutableMapping[bytes, bytes] = kind.open(path, "c", 0o600)
        try:
            yield store
        finally:
            store.close()  # type: ignore[attr-defined]
    finally:
        locks.release("dbm:" + path, owner)


def dbm_cleanup(data: Callable[[], Any]) -> None:
    """Remove the sessions that have ended from a dbm file; data() opens it under its lock. May switch."""
    with data() as store:
        keys = list(store.keys())
    for at in range(0, len(keys), _DBM_BATCH):
        with data() as store:
            for key in keys[at:at + _DBM_BATCH]:
                if key in store and _unreadable_or_ended(store[key]):
                    del store[key]


def _unreadable_or_ended(data: bytes) -> bool:
    try:
        return _ended(_unpickle(data))
    except (ValueError, pickle.UnpicklingError, EOFError, AttributeError, ImportError):
        return True

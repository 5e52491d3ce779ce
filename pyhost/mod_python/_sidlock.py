"""Locks by key across the greenlets, interpreters and processes of a server: one byte range of one file per key.

A range lock of an open file description (F_OFD_SETLK) dies with its process, costs no file per key, and a hash of 62 bits leaves no
collisions to dead-lock on. Within an interpreter the owner is a request, so a handler and its PSP page may both open the session.
Waiting gives way to other greenlets.
"""
from __future__ import annotations

import collections
import fcntl
import hashlib
import os
import struct
import tempfile
import time
from typing import Any

from ._wait import pause

__all__ = ["KeyLocks", "private_directory", "root_request"]

_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.01
_FLOCK = "@hhqqi4x"  # struct flock: l_type, l_whence, l_start, l_len, l_pid


def private_directory() -> str:
    """Return the folder for session files where none is configured: in the temporary directory, of this user alone.

    Raises PermissionError when somebody else made it.
    """
    path = os.path.join(tempfile.gettempdir(), f"mod_python-{os.geteuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if found.st_uid != os.geteuid() or found.st_mode & 0o40077 != 0o40000:
            raise PermissionError(f"{path} is not a folder of this user alone; set PythonOption "
                                  "mod_python.session.database_directory") from None
    return path


def root_request(req: Any) -> Any:
    """Return the request the client sent, of which req is a sub-request or an internal redirect."""
    while True:
        parent = getattr(req, "main", None) or getattr(req, "prev", None)
        if parent is None:
            return req
        req = parent


class _State:
    __slots__ = ("depth", "owner", "queue")

    def __init__(self) -> None:
        self.owner: object = None
        self.depth = 0
        self.queue: collections.deque[object] = collections.deque()


class KeyLocks:
    """Locks whose file is in one directory. Re-entrant for an owner, first come first served within the interpreter."""

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "mp_sess.lock")
        self._states: dict[str, _State] = {}
        self._file = (0, -1)  # pid that opened it, descriptor

    def acquire(self, key: str, owner: object, timeout: float | None = None) -> bool:
        """Take the lock. timeout: seconds, None waits for ever. Returns False when it passed. Raises OSError. May switch."""
        state = self._states.setdefault(key, _State())
        if state.owner is owner:
            state.depth += 1
            return True
        until = None if timeout is None else time.monotonic() + timeout
        ticket = object()
        state.queue.append(ticket)
        try:
            if not _poll(lambda: state.owner is None and state.queue[0] is ticket, until):
                return False
            state.owner, state.depth = owner, 1
        finally:
            state.queue.remove(ticket)
            self._forget_idle(key, state)
        try:
            if _poll(lambda: self._range(key, fcntl.F_WRLCK), until):
                return True
        except BaseException:
            state.owner, state.depth = None, 0
            self._forget_idle(key, state)
            raise
        state.owner, state.depth = None, 0
        self._forget_idle(key, state)
        return False

    def release(self, key: str, owner: object) -> None:
        """Give the lock back, as often as it was taken; nothing happens when owner has not got it. Never switches."""
        state = self._states.get(key)
        if state is None or state.owner is not owner:
            return
        state.depth -= 1
        if state.depth == 0:
            self._range(key, fcntl.F_UNLCK)
            state.owner = None
            self._forget_idle(key, state)

    def holds(self, key: str, owner: object) -> bool:
        """Return whether owner has the lock."""
        state = self._states.get(key)
        return state is not None and state.owner is owner

    def _forget_idle(self, key: str, state: _State) -> None:
        if state.owner is None and not state.queue:
            self._states.pop(key, None)

    def _descriptor(self) -> int:
        if self._file[0] != os.getpid():  # an open file description inherited from a parent would share the parent's locks
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.getpid(), os.open(self._path, flags, 0o600)
        return self._file[1]

    def _range(self, key: str, kind: int) -> bool:
        start = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 2
        try:
            fcntl.fcntl(self._descriptor(), fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, start, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        return True


def _poll(ready: Any, until: float | None) -> bool:
    wait = _FIRST_PAUSE_S
    while not ready():
        if until is not None and time.monotonic() >= until:
            return False
        pause(wait)
        wait = min(wait * 2, _LONGEST_PAUSE_S)
    return True

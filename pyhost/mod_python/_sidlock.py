"""Locks by key across the greenlets, interpreters and processes of a server: one byte range of one file per key.

A range lock of an open file description (F_OFD_SETLK) dies with its process, costs no file per key, and a hash of 62 bits leaves no
collisions to dead-lock on. Within an interpreter the owner is a request, so a handler and its PSP page may both open the session.
Who waits gives way to other greenlets and is woken by whoever gives the lock back, in whichever worker.
"""
from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import tempfile
from typing import Any

from ._wait import wait_for, wake

__all__ = ["KeyLocks", "private_directory", "root_request"]

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


class _Held:
    """Who has a key: a request, for as many sessions of it as there are tokens."""

    __slots__ = ("owner", "tokens")

    def __init__(self, owner: object, token: object) -> None:
        self.owner = owner
        self.tokens = {id(token)}


class KeyLocks:
    """Locks whose file is in one directory. Re-entrant for an owner.

    A handler may be switched away, or an exception thrown into it, between any two steps: every change is one atomic step, and
    release() undoes what acquire() has done so far, however far that was.
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "mp_sess.lock")
        self._held: dict[str, _Held] = {}
        self._file = (0, -1)  # pid that opened it, descriptor

    def acquire(self, key: str, owner: object, token: object = None, timeout: float | None = None) -> bool:
        """Take the lock. token: what release() names; timeout: seconds, None waits for ever.

        Returns False when the time passed. Raises OSError. May switch.
        """
        mine = _Held(owner, token)
        held = self._held.setdefault(key, mine)
        if held is not mine and held.owner is owner:
            held.tokens.add(id(token))
            return True
        if wait_for(_digest(key), lambda: self._held.setdefault(key, mine) is mine and self._range(key, fcntl.F_WRLCK), timeout):
            return True
        self.release(key, owner, token)
        return False

    def release(self, key: str, owner: object, token: object = None) -> None:
        """Give the lock back for this token; nothing happens when owner has not got it. Never switches."""
        held = self._held.get(key)
        if held is None or held.owner is not owner:
            return
        held.tokens.discard(id(token))
        if not held.tokens:
            self._range(key, fcntl.F_UNLCK)
            self._held.pop(key, None)
            wake(_digest(key))

    def holds(self, key: str, owner: object) -> bool:
        """Return whether owner has the lock."""
        held = self._held.get(key)
        return held is not None and held.owner is owner

    def _descriptor(self) -> int:
        made = self._file
        if made[0] != os.getpid():  # an open file description inherited from a parent would share the parent's locks
            made = os.getpid(), os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if self._file[0] == made[0]:  # another greenlet was faster
                os.close(made[1])
            else:
                self._file = made
        return self._file[1]

    def _range(self, key: str, kind: int) -> bool:
        start = int.from_bytes(_digest(key), "big") >> 2
        try:
            fcntl.fcntl(self._descriptor(), fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, start, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        return True


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8]

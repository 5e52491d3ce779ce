"""SqliteSession, the default that all workers share, and RedisSession, which all machines share."""
from __future__ import annotations

import os
import pickle
import secrets
import time
from typing import Any

from ._native import SERVER_RETURN
from ._session_base import DFT_LOCK, BaseSession, option, option_number, session_directory
from ._session_stores import _unpickle
from ._wait import pause
from .constants import APLOG_ERR, HTTP_SERVICE_UNAVAILABLE

__all__ = ["RedisSession", "SqliteSession"]

_BUSY_S = 30.0
_LONGEST_PAUSE_S = 0.01
_CLEANUP_ROWS = 1000
_IDLE_CONNECTIONS = 4
_LOOK_AGAIN_S = 1
# Whoever has waited longest is told by a token in a list, which is gone soon where nobody waits.
_UNLOCK = """if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('del', KEYS[1])
if redis.call('llen', KEYS[2]) == 0 then redis.call('rpush', KEYS[2], '1') end
redis.call('pexpire', KEYS[2], 5000)
return 1"""
_SCHEMA = "CREATE TABLE IF NOT EXISTS session (sid TEXT PRIMARY KEY, ends REAL NOT NULL, data BLOB NOT NULL) WITHOUT ROWID"


class _Database:
    """Connections to a session database; each is one greenlet's while it is in use, and kept for the next."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._idle: list[tuple[tuple[int, int], Any]] = []  # ((pid that connected, inode of the file), connection)

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Execute one statement, waiting while another process writes. Raises sqlite3.Error. May switch."""
        import sqlite3

        made, connection = self._take(sqlite3)
        wait, until = 0.001, time.monotonic() + _BUSY_S
        while True:
            try:
                rows: list[tuple[Any, ...]] = connection.execute(statement, values).fetchall()
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
            pause(wait)
            wait = min(wait * 2, _LONGEST_PAUSE_S)
        if len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append((made, connection))
        return rows

    def _take(self, sqlite3: Any) -> tuple[tuple[int, int], Any]:
        while self._idle:
            try:
                made, connection = self._idle.pop()
            except IndexError:
                break
            if made == (os.getpid(), _inode(self.path)):  # a connection must not cross a fork, nor outlive its file
                return made, connection
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self.path, timeout=5, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_SCHEMA)
        connection.execute("CREATE INDEX IF NOT EXISTS session_ends ON session (ends)")
        connection.execute("PRAGMA busy_timeout=0")  # from here on we wait ourselves, so that others run
        return (os.getpid(), _inode(self.path)), connection


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


_databases: dict[str, _Database] = {}


class SqliteSession(BaseSession):
    """Sessions in an SQLite database that all workers share: `mod_python.sqlite_session.database_filename`, mp_sess.sqlite."""

    def __init__(self, req: Any, sid: str | int | None = 0, secret: str | bytes | None = None, timeout: float = 0,
                 lock: int = DFT_LOCK) -> None:
        name = option(req, "sqlite_session.database_filename") or "mp_sess.sqlite"
        path = os.path.join(session_directory(req, "sqlite_session"), name)
        self._database = _databases.setdefault(path, _Database(path))
        super().__init__(req, sid, secret, lock, timeout)

    def do_load(self) -> dict[str, Any] | None:
        """Read the row."""
        rows = self._database.run("SELECT data FROM session WHERE sid = ?", (self.id(),))
        return _unpickle(rows[0][0]) if rows else None

    def do_save(self, dict: dict[str, Any]) -> None:
        """Write the row."""
        ends = dict["_accessed"] + dict["_timeout"]
        self._database.run("INSERT OR REPLACE INTO session VALUES (?, ?, ?)", (self.id(), ends, pickle.dumps(dict)))

    def do_delete(self) -> None:
        """Remove the row."""
        self._database.run("DELETE FROM session WHERE sid = ?", (self.id(),))

    def do_cleanup(self) -> None:
        """Remove rows that have ended, after the response, some at a time."""
        self._after_response(_sqlite_cleanup, self._database)


def _sqlite_cleanup(database: _Database) -> None:
    some = f"SELECT sid FROM session WHERE ends < ? LIMIT {_CLEANUP_ROWS}"
    while len(database.run(f"DELETE FROM session WHERE sid IN ({some}) RETURNING sid", (time.time(),))) == _CLEANUP_ROWS:
        pause(0)


_clients: dict[tuple[int, str], Any] = {}


class RedisSession(BaseSession):
    """Sessions in Redis (`pip install pyhost[redis]`), locked across machines; `mod_python.redis_session.url`, redis://localhost.

    Redis ends them by itself. The lock lasts `mod_python.session.lock_timeout` seconds at most, should its holder die.
    """

    def __init__(self, req: Any, sid: str | int | None = 0, secret: str | bytes | None = None, timeout: float = 0,
                 lock: int = DFT_LOCK) -> None:
        self._redis = _redis_client(option(req, "redis_session.url") or "redis://localhost")
        self._prefix = option(req, "redis_session.prefix") or "mod_python:session:"
        self._token = ""
        super().__init__(req, sid, secret, lock, timeout)

    def do_load(self) -> dict[str, Any] | None:
        """Read the key."""
        data = self._redis.get(self._prefix + self.id())
        return None if data is None else _unpickle(data)

    def do_save(self, dict: dict[str, Any]) -> None:
        """Write the key with its time to live."""
        self._redis.set(self._prefix + self.id(), pickle.dumps(dict), px=max(1, int(dict["_timeout"] * 1000)))

    def do_delete(self) -> None:
        """Remove the key."""
        self._redis.delete(self._prefix + self.id())

    def lock(self) -> None:
        """Take the session in this process, then among all. Raises SERVER_RETURN(503) after lock_timeout. May switch."""
        if not self._lock or self._locked:
            return
        super().lock()
        limit = option_number(self._req, "session.lock_timeout", 300.0) or 300.0
        held = getattr(self._req, "_redis_locks", None)
        if held is None:
            held = self._req._redis_locks = {}
        key = self._prefix + "lock:" + self.id()
        if key in held:
            return  # another Session of this request has it, and gives it back
        token = secrets.token_hex(16)
        if not self._take(key, token, limit):
            self._req.log_error(f"session {self._sid} was locked for more than {limit:g} s (mod_python.session.lock_timeout)", APLOG_ERR)
            raise SERVER_RETURN(HTTP_SERVICE_UNAVAILABLE)
        held[key] = self._token = token

    def _take(self, key: str, token: str, limit: float) -> bool:
        """Take the lock among all machines; who has it dies with it after limit seconds."""
        until = time.monotonic() + limit
        while not self._redis.set(key, token, nx=True, px=int(limit * 1000)):
            if time.monotonic() > until:
                return False
            self._redis.blpop([key + ":free"], timeout=_LOOK_AGAIN_S)
        return True

    def unlock(self) -> None:
        """Let others have the session. May switch."""
        if self._token:
            key, token = self._prefix + "lock:" + self.id(), self._token
            self._token = ""
            self._req._redis_locks.pop(key, None)
            self._redis.eval(_UNLOCK, 2, key, key + ":free", token)
        super().unlock()


def _redis_client(url: str) -> Any:
    key = os.getpid(), url
    if key not in _clients:
        try:
            import redis  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise ImportError("RedisSession needs the package redis: pip install pyhost[redis]") from error
        _clients[key] = redis.Redis.from_url(url)
    return _clients[key]

"""BaseSession: a dict that belongs to a client. What is common to all kinds of store."""
from __future__ import annotations

import os
import random
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from . import Cookie
from ._ending import at_handler_end
from ._native import SERVER_RETURN
from ._sidlock import KeyLocks, private_directory, root_request
from .constants import APLOG_ERR, APLOG_WARNING, HTTP_SERVICE_UNAVAILABLE

__all__ = ["BaseSession", "option", "option_flag", "option_number", "session_directory"]

COOKIE_NAME = "pysid"
DFT_TIMEOUT = 1800
DFT_LOCK = True
CLEANUP_CHANCE = 1000
_SID = re.compile(r"[0-9a-f]{32}\Z")
_LOCK_TIMEOUT_S = 300.0
_locks: dict[str, KeyLocks] = {}
_made: set[str] = set()


def option(req: Any, name: str, *aliases: str) -> str | None:
    """Return PythonOption mod_python.NAME, or that of a deprecated alias, or None."""
    options = req.get_options()
    for key in ("mod_python." + name, *aliases):
        value = options.get(key)
        if value:
            return str(value)
    return None


def option_flag(req: Any, name: str, default: bool, *aliases: str) -> bool:
    """Return an option that is On or Off (1, true, yes …)."""
    value = option(req, name, *aliases)
    return default if value is None else value.lower() in ("on", "1", "true", "yes")


def option_number(req: Any, name: str, default: float, *aliases: str) -> float:
    """Return an option that is a number. Raises ValueError that names it when it is none."""
    value = option(req, name, *aliases)
    try:
        return default if value is None else float(value)
    except ValueError:
        raise ValueError(f"PythonOption mod_python.{name}: {value!r} is not a number") from None


def session_directory(req: Any, kind: str = "session") -> str:
    """Return the folder of session files: `mod_python.KIND.database_directory`, `mod_python.session.database_directory`, or our own.

    It is made where it is not there, for this user alone. Raises OSError.
    """
    found = option(req, f"{kind}.database_directory") or option(req, "session.database_directory", "session_directory")
    if not found:
        return private_directory()
    if found not in _made:
        os.makedirs(found, 0o700, exist_ok=True)
        _made.add(found)
    return found


def _key_locks(req: Any) -> KeyLocks:
    directory = option(req, "mutex_directory") or session_directory(req)
    if directory not in _locks:
        _locks[directory] = KeyLocks(directory)
    return _locks[directory]


class BaseSession(dict[str, Any]):
    """A session: a dict whose content the next request of the same client finds again, once save() was called.

    Kinds of store derive from it and implement do_load() -> dict or None, do_save(dict), do_delete() and do_cleanup().
    """

    def __init__(self, req: Any, sid: str | int | None = None, secret: str | bytes | None = None, lock: int = DFT_LOCK,
                 timeout: float = 0) -> None:
        """Find the client's session, or begin a new one and send its cookie. May switch while another request has the session.

        req: the request. sid: the id to take instead of the cookie's (32 lower-case hex digits, else ValueError). secret: sign the
        cookie; a forged one begins a new session. lock: keep other requests of the session out until the handler ends. timeout:
        seconds without a request after which a new session ends; 0: 1800.
        Raises SERVER_RETURN(503) when the lock is not free within `mod_python.session.lock_timeout` seconds (300).
        """
        super().__init__()
        self._req, self._secret, self._lock = req, secret, bool(lock)
        self._locked = self._invalid = 0
        self._new = 1
        self._created = 0.0
        self._accessed = time.time()
        self._timeout = timeout or DFT_TIMEOUT
        self._cookie_name = option(req, "session.cookie_name", "session_cookie_name") or COOKIE_NAME
        if sid and not _SID.match(str(sid)):
            raise ValueError(f"Invalid Session ID: sid={str(sid)[:100]}")
        self._sid = str(sid) if sid else self._sid_of_cookie()
        self.init_lock()
        if self._sid:
            self.lock()
            if self.load():
                self._new = 0
        if self._new:
            self._begin()
        if random.randrange(CLEANUP_CHANCE) == 0:
            self.cleanup()

    def _begin(self) -> None:
        self.unlock()
        self._sid = secrets.token_hex(16)
        self._created = self._accessed
        self.lock()
        Cookie.add_cookie(self._req, self.make_cookie())

    def _sid_of_cookie(self) -> str | None:
        try:
            if self._secret:
                cookie = Cookie.get_cookie(self._req, self._cookie_name, Cookie.SignedCookie, secret=self._secret,
                                           mismatch=Cookie.Cookie.IGNORE)
            else:
                cookie = Cookie.get_cookie(self._req, self._cookie_name)
        except Cookie.CookieError as error:
            self._req.log_error(f"session cookie refused: {error}", APLOG_WARNING)
            return None
        if cookie is None:
            return None
        if not _SID.match(str(cookie.value)):
            self._req.log_error(f"session cookie refused: {str(cookie.value)[:100]!r} is no session id", APLOG_WARNING)
            return None
        return str(cookie.value)

    # What it says about itself.

    def is_new(self) -> bool:
        """Return whether the client came without this session."""
        return bool(self._new)

    def id(self) -> str:
        """Return the id: 32 lower-case hex digits."""
        assert self._sid is not None
        return self._sid

    def created(self) -> float:
        """Return when it began, seconds since the epoch."""
        return self._created

    def last_accessed(self) -> float:
        """Return when a request last had it, seconds since the epoch."""
        return self._accessed

    def timeout(self) -> float:
        """Return the seconds without a request after which it ends."""
        return self._timeout

    def set_timeout(self, secs: float) -> None:
        """Set timeout(); kept by save()."""
        self._timeout = secs

    # The cookie.

    def make_cookie(self) -> Cookie.Cookie:
        """Return the cookie that carries the id, with path, domain and the modern attributes that the options say."""
        cookie: Cookie.Cookie
        if self._secret:
            cookie = Cookie.SignedCookie(self._cookie_name, self._sid, self._secret)
        else:
            cookie = Cookie.Cookie(self._cookie_name, self._sid)
        cookie.path = self._cookie_path()
        domain = option(self._req, "session.application_domain")
        if domain:
            cookie.domain = domain
        samesite = option(self._req, "session.cookie_samesite") or "Lax"
        if samesite.lower() != "off":
            cookie.samesite = samesite
        cookie.httponly = option_flag(self._req, "session.cookie_httponly", True)
        cookie.secure = option_flag(self._req, "session.cookie_secure", bool(self._req.is_https()))
        return cookie

    def _cookie_path(self) -> str:
        """application_path, else the handler's directory as the client sees it, else `/`."""
        path = option(self._req, "session.application_path", "ApplicationPath")
        if path:
            return path
        hlist = self._req.hlist
        directory = hlist.directory if hlist is not None else None
        if not directory:
            return "/"
        if hlist.is_location:
            path = directory if directory.startswith("/") and not set(directory) & set("*?[(") else "/"
        else:
            root = (self._req.document_root() or "").rstrip("/") + "/"
            path = "/" + directory[len(root):] if directory.startswith(root) else "/"
        return str(path)

    # Content.

    def load(self) -> bool:
        """Read the content from the store. Returns False when there is none or it has ended. May switch."""
        if self._invalid:
            return False
        try:
            found = self.do_load()
        except Exception as error:  # a store that cannot be read begins a new session, it does not shut the client out
            self._req.log_error(f"session {self._sid} cannot be read: {type(error).__name__}: {error}", APLOG_ERR)
            return False
        if found is None or time.time() - found["_accessed"] > found["_timeout"]:
            return False
        self._created, self._timeout = found["_created"], found["_timeout"]
        self.clear()
        self.update(found["_data"])
        return True

    def save(self) -> None:
        """Write the content to the store. May switch."""
        if not self._invalid:
            self.do_save({"_data": dict(self), "_created": self._created, "_accessed": self._accessed, "_timeout": self._timeout})

    def delete(self) -> None:
        """Remove it from the store, and empty it. May switch."""
        self.do_delete()
        self.clear()

    def invalidate(self) -> None:
        """End the session: remove it from the store and the cookie from the client; later save() calls do nothing. May switch."""
        cookie = self.make_cookie()
        cookie.expires = 0
        Cookie.add_cookie(self._req, cookie)
        self.delete()
        self._invalid = 1

    def cleanup(self) -> None:
        """Remove sessions that have ended from the store, after this response. Happens by itself in one of 1000 requests."""
        self.do_cleanup()

    def _after_response(self, function: Callable[[Any], object], data: Any) -> None:
        """Call function(data) after the response; for stores' do_cleanup()."""
        self._req.register_cleanup(function, data)

    # Stores override these.

    def do_load(self) -> dict[str, Any] | None:
        """Return what do_save() was given, or None."""
        raise NotImplementedError

    def do_save(self, dict: dict[str, Any]) -> None:
        """Store the dict under id(), until its `_accessed` + `_timeout`."""
        raise NotImplementedError

    def do_delete(self) -> None:
        """Remove the session from the store."""
        raise NotImplementedError

    def do_cleanup(self) -> None:
        """Remove the sessions that have ended."""

    # The lock.

    def init_lock(self) -> None:
        """Prepare the lock; stores with a lock of their own override it with lock() and unlock()."""

    def lock(self) -> None:
        """Take the session for this request. Re-entrant in the request. Raises SERVER_RETURN(503) after lock_timeout. May switch."""
        if not self._lock or self._locked:
            return
        owner, key = root_request(self._req), self._lock_key()
        limit = option_number(self._req, "session.lock_timeout", _LOCK_TIMEOUT_S)
        locks = _key_locks(self._req)
        self._locked = 1
        at_handler_end(self._req, self.unlock)  # first, so that nothing that happens from here on keeps the lock
        if not locks.acquire(key, owner, self, limit or None):
            self._locked = 0
            self._req.log_error(f"session {self._sid} was locked for more than {limit:g} s (mod_python.session.lock_timeout)", APLOG_ERR)
            raise SERVER_RETURN(HTTP_SERVICE_UNAVAILABLE)

    def unlock(self) -> None:
        """Let other requests have the session. Happens by itself when the handler ends. Never switches."""
        if self._lock and self._locked:
            self._locked = 0
            _key_locks(self._req).release(self._lock_key(), root_request(self._req), self)

    def _lock_key(self) -> str:
        return f"{self._cookie_name}:{self._sid}"

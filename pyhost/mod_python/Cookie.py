"""mod_python.Cookie: cookies as RFC 6265 has them, plain, signed, and signed with a marshalled value.

Values are latin-1 str on the wire; other characters are sent as UTF-8 and read back as such. The signature is HMAC-SHA256 over name and
value, compared in constant time. What a client sends that is no cookie is skipped, never an error.
"""
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import marshal
import re
import time
from collections.abc import Iterable
from typing import Any, ClassVar, Self, TypeVar

from ._query import decode
from .constants import APLOG_WARNING

__all__ = ["Cookie", "CookieError", "MarshalCookie", "SignedCookie", "add_cookie", "get_cookie", "get_cookies"]

C = TypeVar("C", bound="Cookie")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f;]")
_DATE = "%a, %d-%b-%Y %H:%M:%S GMT"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Attributes in the order in which they are written, and their spelling on the wire (case does not matter there).
_ATTRIBUTES = {name: name.replace("_", "-") for name in (
    "version", "path", "domain", "secure", "comment", "expires", "max_age", "samesite", "commentURL", "discard", "port", "httponly", "partitioned")}
_FLAGS = frozenset({"secure", "discard", "httponly", "partitioned"})


class CookieError(Exception):
    """A cookie cannot be made, or (with mismatch EXCEPTION) was not signed with our secret."""


class Cookie:
    """A cookie: name, value and attributes; `str(cookie)` is the value of a Set-Cookie header.

    value: str; characters of the header's grammar (`;`, controls) are refused when it is written. Attributes are keyword arguments and
    attributes: version, path, domain, secure, comment, expires (`"%a, %d-%b-%Y %H:%M:%S GMT"` or seconds since the epoch), max_age
    (seconds), samesite (`Strict`, `Lax`, `None`), commentURL, discard, port, httponly, partitioned. Any other one raises AttributeError.
    """

    DOWNGRADE: ClassVar[int] = 0
    IGNORE: ClassVar[int] = 1
    EXCEPTION: ClassVar[int] = 3

    def __init__(self, name: str, value: Any, **kw: Any) -> None:
        self.name = name
        self.value = value
        for key, setting in kw.items():
            setattr(self, key, setting)

    def __setattr__(self, key: str, value: Any) -> None:
        if key not in _ATTRIBUTES and key not in ("name", "value") and not key.startswith("_"):
            raise AttributeError(f"a cookie has no attribute {key!r}; it has {', '.join(_ATTRIBUTES)}")
        if key == "expires":
            value = _expires(value)
        super().__setattr__(key, value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}={self.value!r}>"

    def __str__(self) -> str:
        """Return the Set-Cookie value. Raises CookieError for a name, value or attribute that cannot be one."""
        return "; ".join([f"{self.name}={self._wire_value()}", *self._wire_attributes()])

    def _wire_value(self) -> str:
        return _wire(self.name, str(self.value))

    def _wire_attributes(self) -> Iterable[str]:
        for key, spelling in _ATTRIBUTES.items():
            value = getattr(self, key, None)
            if value is None or value is False and key in _FLAGS:
                continue
            if key in _FLAGS:
                if value:
                    yield spelling
                continue
            text = str(value)
            if _UNSAFE.search(text) or not _is_latin1(text):
                raise CookieError(f"{key} of cookie {self.name!r} has characters that a header cannot carry: {text!r}")
            yield f"{spelling}={text}"

    @classmethod
    def parse(cls, text: str, **kw: Any) -> dict[str, Self]:
        """Return {name: cookie} of a Cookie header; the first of a repeated name counts, names that start with `$` are skipped.

        kw: for SignedCookie and MarshalCookie: secret, and mismatch (DOWNGRADE: the cookie is a plain one with the value as it came,
        IGNORE: it is left out, EXCEPTION: CookieError).
        """
        found: dict[str, Self] = {}
        for name, value in _pairs(text):
            if name in found:
                continue
            cookie = cls._received(name, value, **kw)
            if cookie is not None:
                found[name] = cookie
        return found

    @classmethod
    def _received(cls, name: str, value: str, **kw: Any) -> Self | None:
        return cls(name, value)


class SignedCookie(Cookie):
    """A cookie that carries an HMAC-SHA256 of its name and value; `parse()` tells ours from forged ones. The value stays readable."""

    def __init__(self, name: str, value: Any, secret: str | bytes | None = None, **kw: Any) -> None:
        super().__init__(name, value, **kw)
        self.__data__(secret)

    def __data__(self, secret: str | bytes | None) -> None:
        self._secret = secret.encode() if isinstance(secret, str) else secret

    def hexdigest(self, text: str) -> str:
        """Return the signature of a value under this cookie's name. Raises CookieError without a secret."""
        if not self._secret:
            raise CookieError(f"cannot sign cookie {self.name!r} without a secret")
        message = self.name.encode("latin-1", "replace") + b"\0" + text.encode("latin-1", "replace")
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    def _payload(self) -> str:
        return _wire(self.name, str(self.value))

    def _wire_value(self) -> str:
        payload = self._payload()
        return self.hexdigest(payload) + payload

    def _open(self, payload: str) -> Any:
        return payload

    def unsign(self, secret: str | bytes) -> None:
        """Check self.value as it came and replace it by what was signed. Raises CookieError when it was not signed with secret."""
        self.__data__(secret)
        digest, payload = self.value[:64], self.value[64:]
        wire = payload.encode("utf-8").decode("latin-1") if not _is_latin1(payload) else payload
        if not any(hmac.compare_digest(digest.encode("latin-1", "replace"), self.hexdigest(text).encode())
                   for text in dict.fromkeys((wire, _again(payload)))):
            raise CookieError(f"cookie {self.name!r} is not signed with our secret")
        self.value = self._open(payload)

    @classmethod
    def _received(cls, name: str, value: str, secret: str | bytes | None = None, mismatch: int = Cookie.DOWNGRADE,
                  **kw: Any) -> Self | None:
        if not secret:
            raise CookieError(f"a secret is needed to read the {cls.__name__} {name!r}")
        cookie = cls(name, value)
        try:
            cookie.unsign(secret)
        except CookieError:
            if mismatch == Cookie.EXCEPTION:
                raise
            return None if mismatch == Cookie.IGNORE else Cookie(name, value)  # type: ignore[return-value]
        return cookie


class MarshalCookie(SignedCookie):
    """A signed cookie whose value is any object that marshal can write: numbers, str, bytes, tuples, lists, dicts.

    The signature is checked before anything is unmarshalled. 4096 bytes is what clients keep.
    """

    def _payload(self) -> str:
        try:
            data = marshal.dumps(self.value, 4)
        except ValueError as error:
            raise CookieError(f"value of cookie {self.name!r} cannot be marshalled: {error}") from None
        text = base64.urlsafe_b64encode(data).decode("ascii")
        if len(text) > 4000:
            raise CookieError(f"value of cookie {self.name!r} is too long: {len(text)} of 4000 characters")
        return text

    def _open(self, payload: str) -> Any:
        try:
            return marshal.loads(base64.urlsafe_b64decode(payload))
        except (ValueError, EOFError, TypeError, binascii.Error) as error:
            raise CookieError(f"value of cookie {self.name!r} cannot be read: {error}") from None

    def unmarshal(self, secret: str | bytes) -> None:
        """As unsign(): mod_python's name."""
        self.unsign(secret)


def _is_latin1(text: str) -> bool:
    return all(ord(c) < 256 for c in text)


def _again(text: str) -> str:
    """The latin-1 spelling of a text that was decoded from UTF-8."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _wire(name: str, value: str) -> str:
    """The value as header text. Raises CookieError where it would end the cookie or the header."""
    if not _NAME.match(name):
        raise CookieError(f"{name!r} cannot be the name of a cookie")
    if _UNSAFE.search(value):
        raise CookieError(f"value of cookie {name!r} has characters that a header cannot carry: {value!r}")
    return value if value.isascii() else _again(value)


def _expires(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            time.strptime(value, _DATE)
        except ValueError:
            raise ValueError(f"expires must look like {_DATE!r} or be seconds since the epoch, not {value!r}") from None
        return value
    at = time.gmtime(float(value))
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"{_DAYS[at.tm_wday]}, {at.tm_mday:02}-{_MONTHS[at.tm_mon - 1]}-{at.tm_year:04} {clock} GMT"


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    """The cookies of a header as RFC 6265, 4.2 and 5.4 write them; old clients' quotes are taken off."""
    for word in text.split(";"):
        name, equals, value = word.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not equals or not _NAME.match(name) or name.startswith("$"):
            continue
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        yield name, decode(value.encode("latin-1")) if _is_latin1(value) else value


def add_cookie(req: Any, cookie: Cookie | str, value: Any = "", **kw: Any) -> None:
    """Add a Set-Cookie header to the answer, also to error answers, and once `Cache-Control: no-cache="set-cookie"`.

    cookie: a Cookie, or the name of one that is made of value and kw. Raises CookieError when it cannot be written.
    """
    if not isinstance(cookie, Cookie):
        cookie = Cookie(cookie, value, **kw)
    text = str(cookie)
    if "Set-Cookie" not in req.err_headers_out and "Set-Cookie" not in req.headers_out:
        req.err_headers_out.add("Cache-Control", 'no-cache="set-cookie"')
    req.err_headers_out.add("Set-Cookie", text)


def get_cookies(req: Any, Class: type[C] = Cookie, **kw: Any) -> dict[str, C]:  # type: ignore[assignment]
    """Return {name: cookie} of the request. Class, kw: see Cookie.parse(). Raises CookieError with mismatch EXCEPTION."""
    return Class.parse(_header(req), **kw)


def get_cookie(req: Any, name: str, Class: type[C] = Cookie, **kw: Any) -> C | None:  # type: ignore[assignment]
    """Return one cookie of the request or None; a forged one is logged. Raises CookieError with mismatch EXCEPTION."""
    for key, value in _pairs(_header(req)):
        if key == name:
            cookie = Class._received(name, value, **kw)
            if (cookie is None or not isinstance(cookie, Class)) and hasattr(req, "log_error"):
                req.log_error(f"cookie {name!r} is not signed with our secret", APLOG_WARNING)
            return cookie
    return None


def _header(req: Any) -> str:
    found = req.headers_in.get("Cookie")
    return found if found is not None else ""

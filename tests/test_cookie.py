"""mod_python.Cookie: what is written, what is read, and what a forged one comes to."""
from __future__ import annotations

import base64
import hashlib
import hmac
import marshal
import random
import time

import pytest

from pyhost.mod_python import Cookie
from support.plain import PlainRequest

SECRET = "s3cret"


def test_attributes_are_written_in_one_order() -> None:
    cookie = Cookie.Cookie("n", "v", httponly=True, domain="x.example", path="/p", secure=1, max_age=60, samesite="Lax", version=1,
                           comment="c", expires=0, commentURL="u", discard=1, port="80", partitioned=True)
    assert str(cookie) == ("n=v; version=1; path=/p; domain=x.example; secure; comment=c; expires=Thu, 01-Jan-1970 00:00:00 GMT; max-age=60; "
                           "samesite=Lax; commentURL=u; discard; port=80; httponly; partitioned")


def test_flags_that_are_off_are_not_written() -> None:
    assert str(Cookie.Cookie("n", "v", secure=False, httponly=0, path=None)) == "n=v"


def test_expires_is_a_date_or_seconds() -> None:
    at = time.strptime("Sun, 06-Nov-1994 08:49:37 GMT", "%a, %d-%b-%Y %H:%M:%S GMT")
    for value in ("Sun, 06-Nov-1994 08:49:37 GMT", 784111777, 784111777.5):
        assert Cookie.Cookie("n", "v", expires=value).expires == "Sun, 06-Nov-1994 08:49:37 GMT"
    assert at.tm_year == 1994
    with pytest.raises(ValueError, match="expires must look like"):
        Cookie.Cookie("n", "v", expires="tomorrow")


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        Cookie.Cookie("n", "v", colour="red")


@pytest.mark.parametrize(("name", "value"), [
    ("n", "a;b"), ("n", "a\r\nX: y"), ("n", "a\0"), ("n m", "v"), ("", "v"), ("n=", "v"), ("n;", "v"), ("é", "v"),
])
def test_what_would_break_the_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(Cookie.CookieError):
        str(Cookie.Cookie(name, value))


def test_attribute_that_would_break_the_header_is_refused() -> None:
    with pytest.raises(Cookie.CookieError, match="path"):
        str(Cookie.Cookie("n", "v", path="/\r\nX: y"))


@pytest.mark.parametrize(("header", "cookies"), [
    ("a=1; b=2", {"a": "1", "b": "2"}),
    ("a=1;b=2;;  ;c", {"a": "1", "b": "2"}),
    ("a=1; a=2", {"a": "1"}),
    ("$Version=1; a=1; $Path=/", {"a": "1"}),
    ('a="quo\\"ted"; b=""', {"a": 'quo"ted', "b": ""}),
    ("a=b=c=d", {"a": "b=c=d"}),
    ("a = 1 ; b\t=2", {"a": "1", "b": "2"}),
    ("a=\xc3\xa9; b=\xe9", {"a": "é", "b": "é"}),
    ("bad name=1; ok=2; =3", {"ok": "2"}),
    ("", {}),
    (";" * 10000, {}),
])
def test_cookie_header_is_read_as_rfc_6265_says(header: str, cookies: dict[str, str]) -> None:
    assert {name: cookie.value for name, cookie in Cookie.Cookie.parse(header).items()} == cookies
    found = Cookie.get_cookies(PlainRequest(headers={"Cookie": header}))
    assert {name: cookie.value for name, cookie in found.items()} == cookies


def test_get_cookie_finds_one_or_none() -> None:
    request = PlainRequest(headers={"Cookie": "a=1; b=2"})
    found = Cookie.get_cookie(request, "b")
    assert found is not None and found.value == "2" and Cookie.get_cookie(request, "c") is None
    assert Cookie.get_cookies(PlainRequest()) == {}


def test_non_latin_values_travel_as_utf8() -> None:
    written = str(Cookie.Cookie("n", "€")).partition("=")[2]
    assert written == "\xe2\x82\xac" and Cookie.Cookie.parse("n=" + written)["n"].value == "€"


def test_add_cookie_sets_the_header_and_forbids_caching_once() -> None:
    request = PlainRequest()
    Cookie.add_cookie(request, "a", "1", path="/")
    Cookie.add_cookie(request, Cookie.Cookie("b", "2"))
    assert request.err_headers_out["Set-Cookie"] == ["a=1; path=/", "b=2"]
    assert request.err_headers_out["Cache-Control"] == 'no-cache="set-cookie"'


def test_signed_cookie_comes_back() -> None:
    for value in ("hello", "", "é", "€", "x" * 3000):
        written = str(Cookie.SignedCookie("n", value, SECRET, path="/"))
        header = written.partition(";")[0]
        found = Cookie.SignedCookie.parse(header, secret=SECRET)["n"]
        assert type(found) is Cookie.SignedCookie and found.value == value
    expected = hmac.new(SECRET.encode(), b"n\0hello", hashlib.sha256).hexdigest()
    assert str(Cookie.SignedCookie("n", "hello", SECRET)) == f"n={expected}hello"


@pytest.mark.parametrize("value", [None, 1, 1.5, "text", b"bytes", [1, (2, "x")], {"k": [True, None]}])
def test_marshal_cookie_comes_back(value: object) -> None:
    header = str(Cookie.MarshalCookie("n", value, SECRET))
    found = Cookie.MarshalCookie.parse(header, secret=SECRET)["n"]
    assert found.value == value and isinstance(found, Cookie.MarshalCookie)


def forged(cls: type[Cookie.SignedCookie], value: object) -> list[str]:
    good = str(cls("n", value, SECRET)).partition("=")[2]
    other = str(cls("m", value, SECRET)).partition("=")[2]
    return [good[:-1] + ("A" if good[-1] != "A" else "B"), "0" * 64 + good[64:], str(cls("n", value, "other")).partition("=")[2], other,
            good[1:], good[:64], "", "x", "\xe9" * 70, good.upper()]


@pytest.mark.parametrize("cls", [Cookie.SignedCookie, Cookie.MarshalCookie])
def test_forged_cookie_is_what_the_mismatch_mode_says(cls: type[Cookie.SignedCookie]) -> None:
    for text in forged(cls, "value"):
        header = "n=" + text
        plain = cls.parse(header, secret=SECRET)["n"]
        assert type(plain) is Cookie.Cookie
        assert cls.parse(header, secret=SECRET, mismatch=Cookie.Cookie.IGNORE) == {}
        with pytest.raises(Cookie.CookieError, match="not signed with our secret"):
            cls.parse(header, secret=SECRET, mismatch=Cookie.Cookie.EXCEPTION)


def test_forged_cookie_is_logged() -> None:
    request = PlainRequest(headers={"Cookie": "n=forged"})
    assert type(Cookie.get_cookie(request, "n", Cookie.SignedCookie, secret=SECRET)) is Cookie.Cookie
    assert request.log == [(4, "cookie 'n' is not signed with our secret")]


def test_nothing_is_unmarshalled_before_the_signature_is_right() -> None:
    data = base64.urlsafe_b64encode(marshal.dumps("x")[:-1]).decode()
    signature = Cookie.SignedCookie("n", "", SECRET).hexdigest(data)
    with pytest.raises(Cookie.CookieError, match="cannot be read"):
        Cookie.MarshalCookie.parse(f"n={signature}{data}", secret=SECRET, mismatch=Cookie.Cookie.EXCEPTION)
    assert type(Cookie.MarshalCookie.parse(f"n={'0' * 64}{data}", secret=SECRET)["n"]) is Cookie.Cookie


def test_marshal_cookie_has_a_bound() -> None:
    with pytest.raises(Cookie.CookieError, match="too long"):
        str(Cookie.MarshalCookie("n", "x" * 4000, SECRET))
    with pytest.raises(Cookie.CookieError, match="cannot be marshalled"):
        str(Cookie.MarshalCookie("n", object(), SECRET))


def test_signing_and_reading_need_a_secret() -> None:
    with pytest.raises(Cookie.CookieError, match="without a secret"):
        str(Cookie.SignedCookie("n", "v"))
    with pytest.raises(Cookie.CookieError, match="a secret is needed"):
        Cookie.SignedCookie.parse("n=v")


def test_any_cookie_header_can_be_read() -> None:
    random.seed(3)
    for _ in range(500):
        header = "".join(chr(random.choice([random.randrange(256), 59, 61, 34, 92])) for _ in range(random.randrange(60)))
        for name, cookie in Cookie.Cookie.parse(header).items():
            assert name and isinstance(cookie.value, str)
        Cookie.SignedCookie.parse(header, secret=SECRET)

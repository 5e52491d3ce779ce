"""Converters of single values: numbers, times, sizes, flags, words, paths, addresses. Each raises ValueError saying what was expected."""
from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .model import Address, Net, Regex
from .table import Context, Convert

__all__ = ["absolute_path", "address_list", "choice", "duration", "flag", "integer", "net", "off_or", "path", "regex", "size", "text", "unix_address", "user_group",
           "word_list"]

DURATION = re.compile(r"(\d{1,12})\s*(ms|s|mi|min|m|h)?$", re.IGNORECASE)
FACTORS = {"ms": 1, "s": 1000, "mi": 60_000, "min": 60_000, "m": 60_000, "h": 3_600_000}
INT64_MAX = 2**63 - 1
INT_MAX = 2**31 - 1


def flag(_ctx: Context, words: Sequence[str]) -> int:
    """On or Off."""
    lower = words[0].lower()
    if lower not in ("on", "off"):
        raise ValueError(f"On or Off expected, not {words[0]}")
    return int(lower == "on")


def number(text_: str, least: int, most: int, what: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,20}", text_) or not least <= int(text_) <= most:
        bound = f"from {least} to {most}" if most not in (INT_MAX, INT64_MAX) else f"of at least {least}"
        raise ValueError(f"{what} {bound} expected, not {text_}")
    return int(text_)


def integer(least: int = 0, most: int = INT_MAX) -> Convert:
    """A whole number within bounds."""
    return lambda _ctx, words: number(words[0], least, most, "a number")


def size(least: int = 0) -> Convert:
    """A number of bytes."""
    return lambda _ctx, words: number(words[0], least, INT64_MAX, "a number of bytes")


def milliseconds(text_: str, unit: str) -> int:
    """`10`, `10s`, `500ms`, `2min`, `1h` in milliseconds; without a suffix in unit."""
    found = DURATION.match(text_)
    if not found:
        raise ValueError(f"a time such as 10, 500ms, 10s, 2min or 1h expected (without a suffix: {unit}), not {text_}")
    return int(found[1]) * FACTORS[(found[2] or unit).lower()]


def duration(unit: str, least_ms: int = 0) -> Convert:
    """A time, in milliseconds; unit (of FACTORS) holds for a bare number."""
    def convert(_ctx: Context, words: Sequence[str]) -> int:
        value = milliseconds(words[0], unit)
        if value < least_ms:
            raise ValueError(f"a time of at least {least_ms} ms expected, not {words[0]}")
        return value
    return convert


def off_or(convert: Convert, off: Any = 0) -> Convert:
    """`Off`, or what convert takes."""
    return lambda ctx, words: off if words[0].lower() == "off" else convert(ctx, words)


def choice(values: Mapping[str, Any]) -> Convert:
    """One of several words, any case. values: the word as documented -> value."""
    lower = {key.lower(): value for key, value in values.items()}
    names = " or ".join([", ".join(list(values)[:-1]), list(values)[-1]]) if len(values) > 1 else next(iter(values))

    def convert(_ctx: Context, words: Sequence[str]) -> Any:
        if words[0].lower() not in lower:
            raise ValueError(f"{names} expected, not {words[0]}")
        return lower[words[0].lower()]
    return convert


def text(_ctx: Context, words: Sequence[str]) -> str:
    """Any text."""
    return words[0]


def word_list(_ctx: Context, words: Sequence[str]) -> tuple[str, ...]:
    """The words as they are."""
    return tuple(words)


def absolute_path(ctx: Context, name: str) -> str:
    """A path, made absolute by ServerRoot, without `.`, `..` and trailing slash."""
    if not name:
        raise ValueError("a path expected, not an empty word")
    whole = os.path.normpath(os.path.join(ctx.server_root, name))
    return "/" + whole.lstrip("/")


def path(kind: str = "") -> Convert:
    """A path by ServerRoot. kind "file" or "folder": it must be there ("folder" is only warned of, as httpd does)."""
    def convert(ctx: Context, words: Sequence[str]) -> str:
        whole = absolute_path(ctx, words[0])
        if ctx.check_files and kind == "file" and not os.path.isfile(whole):
            raise ValueError(f"a file expected: there is no {whole}")
        if ctx.check_files and kind == "folder" and not os.path.isdir(whole):
            ctx.warn(f"{ctx.name} {whole} is not there")
        return whole
    return convert


def regex(pattern: str, nocase: bool = False) -> Regex:
    """A regular expression; whether PCRE2 takes it is found when it is installed."""
    if "\0" in pattern:
        raise ValueError("a regular expression without NUL expected")
    return Regex(pattern, nocase)


def net(word: str) -> Net:
    """`10.1.2.3`, `10.1`, `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `::1`, `fe80::/10`."""
    address, _, mask = word.partition("/")
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){0,2}\.?", address) and not mask:  # the first bytes of an address
        parts = address.rstrip(".").split(".")
        word = ".".join(parts + ["0"] * (4 - len(parts))) + f"/{8 * len(parts)}"
    try:
        found = ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise ValueError(f"an address, the beginning of one, or address/bits expected, not {word}") from None
    if found.version == 4:
        return Net(bytes(10) + b"\xff\xff" + found.network_address.packed, 96 + found.prefixlen)
    return Net(found.network_address.packed, found.prefixlen)


def split_port(word: str) -> tuple[str, int | None]:
    """`host:port`, `[v6]:port`, `host` or `*:*` -> (host without brackets, port or None)."""
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d{1,5}|\*))?", word)
    if not found:
        raise ValueError(f"address:port expected (IPv6 in brackets), not {word}")
    port = None if found[2] in (None, "*") else number(found[2], 0, 65535, "a port")
    return found[1].strip("[]"), port


def address_list(host: str, port: int) -> list[Address]:
    """All addresses of a host; `*`, `_default_` and `` are any address."""
    if host.lower() in ("*", "_default_", ""):
        return [Address(port=port)]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=0 if host[:1].isalpha() else socket.AI_NUMERICHOST)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"an address or a name that resolves expected, not {host} ({error})") from None
    result = []
    for family, _, _, _, where in found:
        packed = ipaddress.ip_address(str(where[0]).partition("%")[0]).packed
        result.append(Address(int(family), packed.ljust(16, b"\0"), port))
    return list(dict.fromkeys(result))


def unix_address(server_root: str, word: str) -> Address:
    """`unix:/path`; a relative path lies under server_root."""
    name = word.removeprefix("unix:")
    if not name:
        raise ValueError("a path expected behind unix:")
    path = "/" + os.path.normpath(os.path.join(server_root, name)).lstrip("/")
    if len(os.fsencode(path)) > 107:
        raise ValueError(f"a path of at most 107 bytes expected: {path}")
    return Address(family=1, path=path)


UNCHANGED_ID = 0xFFFFFFFF  # (uid_t)-1, which the system takes for "as before"


def user_group(find: Callable[[str], Any], what: str) -> Convert:
    """The name of a user or group of the system, or #number."""
    def convert(_ctx: Context, words: Sequence[str]) -> str:
        if re.fullmatch(r"#[0-9]{1,10}", words[0]) and int(words[0][1:]) < UNCHANGED_ID:
            return words[0]
        try:
            find(words[0])
        except KeyError:
            raise ValueError(f"a {what} of this system or #number expected: there is no {words[0]}") from None
        return words[0]
    return convert


user = user_group(pwd.getpwnam, "user")
group = user_group(grp.getgrnam, "group")

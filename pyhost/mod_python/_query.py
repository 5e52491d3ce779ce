"""Query strings and urlencoded forms, as mod_python splits them; and the one rule by which form bytes become str."""
from __future__ import annotations

import re
from collections.abc import Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import TypeVar, overload

__all__ = ["decode", "pairs_of", "parse_qs", "parse_qsl"]

Text = TypeVar("Text", str, bytes)
_HEX = re.compile(rb"%([0-9A-Fa-f]{2})")
_SEPARATOR = re.compile(rb"[&;]")
_NAME_MAX = 40
# A client names the charset. Python's other codecs are none (zlib), take time in the square of the text (punycode: minutes for 1 MB) or run what is
# not text (unicode_escape); and a name that no codec has would be looked for in files, and remembered for ever.
_CHARSETS = frozenset(aliases.values()).union(
    "cp1006 cp720 cp737 cp856 cp874 cp875 koi8_t koi8_u mac_arabic mac_croatian mac_farsi mac_romanian utf_8_sig".split()).difference(
    "base64_codec bz2_codec hex_codec mbcs quopri_codec rot_13 utf_7 uu_codec zlib_codec".split())


def _charset(name: str) -> str | None:
    """The codec of a charset, or None."""
    codec = normalize_encoding(name).lower() if len(name) <= _NAME_MAX else ""
    codec = aliases.get(codec, codec)
    return codec if codec in _CHARSETS else None


def decode(data: bytes, charset: str | None = None) -> str:
    """Return form bytes as str: in the charset that was declared, else UTF-8, else (where they are neither) Latin-1. Never fails."""
    for name in (_charset(charset) if charset else None, "utf-8"):
        if name:
            try:
                return data.decode(name)
            except (ValueError, LookupError):
                pass
    return data.decode("latin-1")


def _unquote(word: bytes) -> bytes:
    word = word.replace(b"+", b" ")
    return _HEX.sub(lambda match: bytes((int(match[1], 16),)), word) if b"%" in word else word


def pairs_of(query: bytes, keep_blank_values: bool = False, strict_parsing: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the (name, value) pairs of a query string, lazily, decoded from + and %XX; broken % stay as they are.

    keep_blank_values: pairs with an empty value are kept. strict_parsing: a word without `=` raises ValueError instead of being one.
    """
    at = 0
    while at <= len(query):
        gap = _SEPARATOR.search(query, at)
        end = gap.start() if gap else len(query)
        word, at = query[at:end], end + 1
        if not word:
            continue
        name, equals, value = word.partition(b"=")
        if not equals and strict_parsing:
            raise ValueError(f"bad query field: {decode(word)[:100]!r}")
        if value or keep_blank_values:
            yield _unquote(name), _unquote(value)


@overload
def parse_qsl(qs: str, keep_blank_values: bool | int = False, strict_parsing: bool | int = False) -> list[tuple[str, str]]: ...
@overload
def parse_qsl(qs: bytes, keep_blank_values: bool | int = False, strict_parsing: bool | int = False) -> list[tuple[bytes, bytes]]: ...
def parse_qsl(qs: str | bytes, keep_blank_values: bool | int = False,
              strict_parsing: bool | int = False) -> list[tuple[str, str]] | list[tuple[bytes, bytes]]:
    """Return the (name, value) pairs of a query string, in order; str for str, bytes for bytes.

    qs: split at `&` and `;`; `+` and %XX decoded; bytes that are not UTF-8 are read as Latin-1. keep_blank_values, strict_parsing: see
    pairs_of(). Raises ValueError when strict.
    """
    if isinstance(qs, bytes):
        return list(pairs_of(qs, bool(keep_blank_values), bool(strict_parsing)))
    raw = _raw(qs)
    return [(decode(name), decode(value)) for name, value in pairs_of(raw, bool(keep_blank_values), bool(strict_parsing))]


@overload
def parse_qs(qs: str, keep_blank_values: bool | int = False, strict_parsing: bool | int = False) -> dict[str, list[str]]: ...
@overload
def parse_qs(qs: bytes, keep_blank_values: bool | int = False, strict_parsing: bool | int = False) -> dict[bytes, list[bytes]]: ...
def parse_qs(qs: str | bytes, keep_blank_values: bool | int = False,
             strict_parsing: bool | int = False) -> dict[str, list[str]] | dict[bytes, list[bytes]]:
    """Return {name: [values]} of a query string; see parse_qsl()."""
    if isinstance(qs, bytes):
        return _grouped(parse_qsl(qs, keep_blank_values, strict_parsing))
    return _grouped(parse_qsl(qs, keep_blank_values, strict_parsing))


def _grouped(pairs: list[tuple[Text, Text]]) -> dict[Text, list[Text]]:
    out: dict[Text, list[Text]] = {}
    for name, value in pairs:
        out.setdefault(name, []).append(value)
    return out


def _raw(text: str) -> bytes:
    """A query string's bytes: those of the request line (Latin-1) where they fit, else the text's UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")

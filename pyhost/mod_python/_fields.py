"""The values of a form: StringField for text, Field for what has a file, FieldList that finds them by name."""
from __future__ import annotations

import io
from collections.abc import Iterable
from typing import IO, Any, Self

from ._native import table
from ._query import decode

__all__ = ["Field", "FieldList", "StringField"]

Raw = bytes  # the fields have an attribute of that name


class _Described:
    """What fields say about themselves besides their value."""

    name: str
    filename: str | None = None
    type: str = "text/plain"
    type_options: dict[str, str]
    disposition: str = ""
    disposition_options: dict[str, str]
    headers: Any

    def describe(self, name: str, headers: Iterable[tuple[str, str]] = (), type_: tuple[str, dict[str, str]] = ("text/plain", {}),
                 disposition: tuple[str, dict[str, str]] = ("", {})) -> None:
        """Set name, headers, type and disposition; the last two as parse_header() returns them."""
        self.name = name
        self.type, self.type_options = type_
        self.disposition, self.disposition_options = disposition
        self.headers = table()
        for key, value in headers:
            self.headers.add(key, value)


class Field(_Described):
    """A part of a form that is kept in a file: an upload.

    file: its content, positioned at the start, removed when the request is over. filename: as the client says, never to be trusted as a
    path. value: the content as bytes (reads the whole file). type, disposition and their options, headers: of the part.
    """

    def __init__(self, name: str, file: IO[bytes] | None = None, filename: str | None = None) -> None:
        self.file: IO[bytes] = io.BytesIO() if file is None else file
        self.filename = filename
        self.describe(name)

    @property
    def value(self) -> bytes:
        """The whole content; leaves the file at its start."""
        self.file.seek(0)
        data = self.file.read()
        self.file.seek(0)
        return data

    @property
    def bytes(self) -> Raw:
        """The whole content, as value."""
        return self.value

    def __repr__(self) -> str:
        return f"Field({self.name!r}, filename={self.filename!r}, type={self.type!r})"


class StringField(str, _Described):
    """A text of a form: a str with a name.

    value: the text as plain str. bytes: as it came, before it was decoded. file: a file over bytes. The others as Field has them.
    """

    __slots__ = ("__dict__", "bytes")
    bytes: Raw

    def __new__(cls, value: str | Raw = "", name: str = "", charset: str | None = None) -> Self:
        """Make one of text, or of bytes that are decoded (charset, UTF-8, Latin-1)."""
        raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        self = super().__new__(cls, value if isinstance(value, str) else decode(value, charset))
        self.bytes = raw
        self.describe(name)
        return self

    @property
    def value(self) -> str:
        """The text."""
        return str.__str__(self)

    @property
    def file(self) -> IO[Any]:
        """A file over the bytes."""
        return io.BytesIO(self.bytes)

    def __str__(self) -> str:
        return str.__str__(self)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str.__str__(self),)  # a session keeps the text, not the request's headers


class FieldList(list[Any]):
    """A list of fields in the order of the form, with a table of their names."""

    def table(self) -> dict[str, list[Any]]:
        """Return {name: [fields]}, names in the order of the form."""
        found: dict[str, list[Any]] = {}
        for field in self:
            found.setdefault(field.name, []).append(field)
        return found

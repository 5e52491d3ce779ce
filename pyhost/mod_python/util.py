"""mod_python.util: forms, query strings, redirects.

One rule for text: names and values are str (UTF-8, else Latin-1), the bytes as they came are `field.bytes`; files are bytes.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any

from ._apply import apply_fs_data
from ._fields import Field, FieldList, StringField
from ._form import FormReader
from ._header import parse_header
from ._native import SERVER_RETURN
from ._query import parse_qs, parse_qsl
from .constants import DONE, HTTP_MOVED_PERMANENTLY, HTTP_MOVED_TEMPORARILY

__all__ = ["Field", "FieldList", "FieldStorage", "StringField", "apply_fs_data", "parse_header", "parse_qs", "parse_qsl", "redirect"]


class FieldStorage:
    """The form of a request: the fields of its query string, then (POST) those of its body.

    `form[name]` is the field, or the list of several; KeyError when there is none. Text is StringField (a str), a file is Field.
    """

    def __init__(self, req: Any, keep_blank_values: int = 0, strict_parsing: int = 0,
                 file_callback: Callable[[str], IO[bytes]] | None = None, field_callback: Callable[[], IO[bytes]] | None = None) -> None:
        """Read the form. May switch while the body arrives.

        req: the request; needs method, args, headers_in, read(n) and log_error(). keep_blank_values: whether fields without a value
        count. strict_parsing: whether a word without `=` is refused (400). file_callback(filename): returns the binary file an upload
        is written to (default: memory, then a temporary file). field_callback(): the same for parts that are no files, which then are
        Field.
        Raises SERVER_RETURN with 400 (broken), 408, 411 (POST without length), 413 (a bound of `mod_python.form.*`, see FormLimits),
        501 (unknown type); the log says why.
        """
        self.list = FieldList(FormReader(req, bool(keep_blank_values), bool(strict_parsing), file_callback, field_callback).read())

    def __getitem__(self, key: str) -> Any:
        found = self.getlist(key)
        if not found:
            raise KeyError(key)
        return found[0] if len(found) == 1 else found

    def __setitem__(self, key: str, value: str | bytes) -> None:
        """Replace the fields of that name by one."""
        self.__delitem__(key)
        self.add_field(key, value)

    def __delitem__(self, key: str) -> None:
        self.list[:] = [field for field in self.list if field.name != key]

    def __contains__(self, key: object) -> bool:
        return any(field.name == key for field in self.list)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self.keys())

    def __bool__(self) -> bool:
        return bool(self.list)

    def __repr__(self) -> str:
        return repr(self.list.table())

    def add_field(self, key: str, value: str | bytes) -> None:
        """Add a text field behind the others."""
        self.list.append(StringField(value, key))

    def clear(self) -> None:
        """Remove all fields."""
        self.list.clear()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field or list of fields of that name, or default."""
        found = self.getlist(key)
        return (found[0] if len(found) == 1 else found) if found else default

    def getfirst(self, key: str, default: Any = None) -> Any:
        """Return the first field of that name, or default."""
        return next((field for field in self.list if field.name == key), default)

    def getlist(self, key: str) -> list[Any]:
        """Return the fields of that name, an empty list when there is none."""
        return [field for field in self.list if field.name == key]

    def has_key(self, key: str) -> bool:
        """Return whether there is a field of that name."""
        return key in self

    def keys(self) -> list[str]:
        """Return the names in the order of the form, each once."""
        return list(self.list.table())

    def items(self) -> list[tuple[str, Any]]:
        """Return (name, field) for each field, in the order of the form."""
        return [(field.name, field) for field in self.list]


def redirect(req: Any, location: str, permanent: int = 0, text: str | None = None) -> None:
    """Send the client to another place: 302, or 301 when permanent.

    location: URL, sent as it is; characters outside Latin-1 are percent-encoded as UTF-8. text: body; a short page by default.
    Raises OSError when the answer has begun; else SERVER_RETURN(DONE): nothing after it in the handler runs.
    """
    if req.sent_bodyct:
        raise OSError("Cannot redirect after headers have already been sent.")
    if any(c in location for c in "\r\n\0"):
        raise ValueError(f"line end in the location of a redirect: {location!r}")
    req.err_headers_out["Location"] = "".join(c if ord(c) < 256 else "".join(f"%{b:02X}" for b in c.encode()) for c in location)
    req.status = HTTP_MOVED_PERMANENTLY if permanent else HTTP_MOVED_TEMPORARILY
    if text is None:
        link = location.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        if not getattr(req, "_content_type_set", 0):
            req.content_type = "text/html; charset=utf-8"
        text = f'<p>The document has moved <a href="{link}">here</a></p>\n'
    req.write(text)
    raise SERVER_RETURN(DONE)

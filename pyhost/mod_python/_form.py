"""Reading a form from a request: the query string, an urlencoded or a multipart body; every bound has an option and a status."""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import IO, Any

from ._fields import Field, StringField
from ._header import parse_header
from ._multipart import Begin, Data, MultipartError, parse_multipart
from ._native import SERVER_RETURN
from ._query import decode, pairs_of
from .constants import APLOG_WARNING

__all__ = ["FormLimits", "FormReader"]

FileCallback = Callable[[str], IO[bytes]]
FieldCallback = Callable[[], IO[bytes]]
_CHUNK_BYTES = 65536


class FormError(Exception):
    """The form is refused: status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class FormLimits:
    """Bounds of a form, each `PythonOption mod_python.form.NAME number`; 0 is no bound.

    max_fields: fields of query and body together (413). max_value_bytes: of one text field (413). max_form_bytes: of all text fields
    and of an urlencoded body (413). max_file_bytes: of one uploaded file (413). max_header_bytes: headers of one part (400).
    spool_bytes: a file is kept in memory up to this size, then in a temporary file.
    """

    max_fields: int = 1000
    max_value_bytes: int = 1 << 20
    max_form_bytes: int = 8 << 20
    max_file_bytes: int = 0
    max_header_bytes: int = 16384
    spool_bytes: int = 256 << 10

    @classmethod
    def of(cls, req: Any) -> FormLimits:
        """Return the limits that the request's options set. Raises ValueError for an option that is no number."""
        options = req.get_options() if hasattr(req, "get_options") else {}
        found = {}
        for one in fields(cls):
            text = options.get("mod_python.form." + one.name)
            if text:
                if not text.isdecimal():
                    raise ValueError(f"PythonOption mod_python.form.{one.name}: {text!r} is not a number")
                found[one.name] = int(text)
        return cls(**found)


class FormReader:
    """Reads one form. Iterating gives its fields in order; may switch while the body arrives."""

    def __init__(self, req: Any, keep_blank_values: bool, strict_parsing: bool, file_callback: FileCallback | None = None,
                 field_callback: FieldCallback | None = None) -> None:
        self.req = req
        self.keep_blank, self.strict = keep_blank_values, strict_parsing
        self.file_callback, self.field_callback = file_callback, field_callback
        self.limits = FormLimits.of(req)
        self.count = 0
        self.text_bytes = 0

    def read(self) -> Iterator[Field | StringField]:
        """Iterate over the fields. Raises SERVER_RETURN with 400, 408, 411, 413 or 501, after a log line that says why."""
        try:
            if self.req.args:
                yield from self._pairs(self.req.args.encode("latin-1", "replace"))
            if self.req.method == "POST":
                yield from self._post()
        except FormError as error:
            self._refuse(error.status, str(error))
        except MultipartError as error:
            self._refuse(400, str(error))
        except TimeoutError as error:
            self._refuse(408, f"the form's body did not arrive in time: {error}")
        except OSError as error:
            self._refuse(400, f"the form's body could not be read: {error}")

    def _refuse(self, status: int, reason: str) -> None:
        self.req.log_error(f"form refused with {status}: {reason}", APLOG_WARNING)
        raise SERVER_RETURN(status) from None

    def _post(self) -> Iterator[Field | StringField]:
        headers = self.req.headers_in
        if headers.get("Content-Length") is None and headers.get("Transfer-Encoding") is None:
            raise FormError(411, "POST without Content-Length")
        line = headers.get("Content-Type") or "application/x-www-form-urlencoded"
        kind, options = parse_header(line)
        kind = kind.lower()
        if kind == "application/x-www-form-urlencoded":
            yield from self._pairs(self._whole_body(), options.get("charset"))
        elif kind == "multipart/form-data" or kind.startswith("multipart/"):
            yield from self._multipart(options)
        else:
            raise FormError(501, f"a form of type {kind[:100]!r} is not known")

    def _whole_body(self) -> bytes:
        room = self.limits.max_form_bytes
        body = bytearray()
        while data := self.req.read(_CHUNK_BYTES):
            body += data
            if room and len(body) > room:
                raise FormError(413, f"urlencoded body larger than mod_python.form.max_form_bytes ({room})")
        return bytes(body)

    def _counted(self) -> None:
        self.count += 1
        if self.limits.max_fields and self.count > self.limits.max_fields:
            raise FormError(413, f"more fields than mod_python.form.max_fields ({self.limits.max_fields})")

    def _pairs(self, query: bytes, charset: str | None = None) -> Iterator[StringField]:
        pairs = pairs_of(query, self.keep_blank, self.strict)
        while True:
            try:
                pair = next(pairs, None)
            except ValueError as error:
                raise FormError(400, str(error)) from None
            if pair is None:
                return
            self._counted()
            if self.limits.max_value_bytes and len(pair[1]) > self.limits.max_value_bytes:
                raise FormError(413, f"a value larger than mod_python.form.max_value_bytes ({self.limits.max_value_bytes})")
            yield StringField(pair[1], decode(pair[0], charset), charset)

    def _multipart(self, options: dict[str, str]) -> Iterator[Field | StringField]:
        boundary = options.get("boundary")
        if not boundary or max(boundary) > "\xff":  # boundary*=utf-8''… could say anything
            raise FormError(400, "multipart form without a boundary of bytes" if boundary else "multipart form without boundary")
        events = parse_multipart(self.req.read, boundary.encode("latin-1"), self.limits.max_header_bytes or 1 << 30, _CHUNK_BYTES)
        for event in events:
            if not isinstance(event, Begin):
                raise MultipartError("a part without a beginning")
            self._counted()
            part = _Part(event)
            content: Iterator[bytes] = (one.data for one in _until_end(events))
            if part.filename is not None or self.field_callback:
                yield self._file(part, content)
            elif part.name is not None:
                yield self._text(part, content)
            else:
                for _ in content:
                    pass  # a part that is no form-data has no name; it is skipped as browsers' servers do

    def _text(self, part: _Part, content: Iterator[bytes]) -> StringField:
        value = bytearray()
        limit, total = self.limits.max_value_bytes, self.limits.max_form_bytes
        for data in content:
            value += data
            self.text_bytes += len(data)
            if limit and len(value) > limit:
                raise FormError(413, f"a value larger than mod_python.form.max_value_bytes ({limit})")
            if total and self.text_bytes > total:
                raise FormError(413, f"values larger than mod_python.form.max_form_bytes ({total})")
        field = StringField(bytes(value), part.name or "", part.type[1].get("charset"))
        part.describe(field)
        return field

    def _file(self, part: _Part, content: Iterator[bytes]) -> Field:
        if part.filename is not None:
            file = self.file_callback(part.filename) if self.file_callback else self._spool()
        else:
            file = self.field_callback() if self.field_callback else self._spool()
        size, limit = 0, self.limits.max_file_bytes
        for data in content:
            size += len(data)
            if limit and size > limit:
                raise FormError(413, f"a file larger than mod_python.form.max_file_bytes ({limit})")
            file.write(data)
        if hasattr(file, "seek"):
            file.seek(0)
        field = Field(part.name or "", file, part.filename)
        part.describe(field)
        return field

    def _spool(self) -> IO[bytes]:
        return tempfile.SpooledTemporaryFile(max_size=self.limits.spool_bytes)


class _Part:
    """What the headers of a part say."""

    def __init__(self, begin: Begin) -> None:
        self.headers = begin.headers
        found = {name.lower(): value for name, value in reversed(begin.headers)}
        self.type = _parsed(found.get("content-type", "text/plain"))
        self.disposition = _parsed(found.get("content-disposition", ""))
        self.name = self.disposition[1].get("name")
        self.filename = self.disposition[1].get("filename")

    def describe(self, field: Field | StringField) -> None:
        field.describe(self.name or "", self.headers, self.type, self.disposition)


def _parsed(value: str) -> tuple[str, dict[str, str]]:
    return parse_header(decode(value.encode("latin-1")))


def _until_end(events: Iterator[Any]) -> Iterator[Data]:
    for event in events:
        if not isinstance(event, Data):
            return
        yield event

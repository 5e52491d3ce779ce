"""multipart/form-data (RFC 7578, RFC 2046): bytes in, events out; memory bounded by one chunk and one part's headers.

Pure: no files, no requests, no log. Lenient where browsers are (a missing last CRLF, bare LF in part headers), strict where a body
would mean two things.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["Begin", "Data", "End", "MultipartError", "parse_multipart"]


class MultipartError(ValueError):
    """The body is not what its Content-Type says; the message says where."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A part begins. headers: (name, value) in order, latin-1 str, continuation lines joined."""

    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Data:
    """Some bytes of the part."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The part is whole."""


Event = Begin | Data | End
_END = End()


class _Source:
    """The bytes that have been read and not yet consumed."""

    def __init__(self, read: Callable[[int], bytes], chunk_bytes: int) -> None:
        self._read, self._chunk_bytes = read, chunk_bytes
        self.buffer = bytearray()
        self.ended = False

    def more(self) -> bool:
        if self.ended:
            return False
        data = self._read(self._chunk_bytes)
        if not data:
            self.ended = True
            return False
        self.buffer += data
        return True

    def need(self, count: int) -> bool:
        while len(self.buffer) < count:
            if not self.more():
                return False
        return True


def parse_multipart(read: Callable[[int], bytes], boundary: bytes, header_bytes: int = 16384,
                    chunk_bytes: int = 65536) -> Iterator[Event]:
    """Iterate over the parts of a body: Begin, Data…, End for each.

    read(n): up to n bytes, b"" at the end; may switch. boundary: 1 to 200 bytes, from the Content-Type. header_bytes: most that the
    headers of one part may take. chunk_bytes: how much is read, and held, at a time.
    Raises MultipartError for a body that is not well-formed or ends before its last boundary.
    """
    if not 0 < len(boundary) <= 200:
        raise MultipartError(f"multipart boundary of {len(boundary)} bytes, 1 to 200 are allowed")
    source = _Source(read, chunk_bytes)
    delimiter = b"--" + boundary
    if not _skip_preamble(source, delimiter):
        return
    delimiter = b"\r\n" + delimiter
    while True:
        yield Begin(_headers(source, header_bytes))
        yield from _body(source, delimiter)
        yield _END
        if _is_last(source):
            return


def _skip_preamble(source: _Source, delimiter: bytes) -> bool:
    """Drop everything up to the first boundary line. False: the body is empty, or its first boundary is the last."""
    at_start = True
    while True:
        source.need(len(delimiter) + 2)
        at = source.buffer.find(delimiter)
        if at == 0 and at_start or at > 0 and source.buffer[at - 1:at] == b"\n":
            del source.buffer[:at + len(delimiter)]
            return not _is_last(source)
        keep = len(delimiter) + 1 if at < 0 else len(source.buffer) - at - 1
        if len(source.buffer) > keep:
            del source.buffer[:len(source.buffer) - keep]
            at_start = False
        if at < 0 and not source.more():
            if at_start and not source.buffer.strip():
                return False
            raise MultipartError("no boundary line in the multipart body")


def _is_last(source: _Source) -> bool:
    """Behind a boundary: whether it is the last one. Else its line's end is consumed."""
    source.need(2)
    if source.buffer[:2] == b"--":
        return True
    spaces = 0
    while source.need(spaces + 1) and source.buffer[spaces] in b" \t" and spaces < 1024:
        spaces += 1
    source.need(spaces + 2)
    if source.buffer[spaces:spaces + 2] == b"\r\n":
        del source.buffer[:spaces + 2]
    elif source.buffer[spaces:spaces + 1] == b"\n":
        del source.buffer[:spaces + 1]
    else:
        raise MultipartError("a multipart boundary is followed by something else than a line end")
    return False


def _line(source: _Source, room: int) -> bytes:
    while True:
        at = source.buffer.find(b"\n")
        if at >= room or at < 0 and len(source.buffer) >= room:
            raise MultipartError("the headers of a multipart part are too long")
        if at >= 0:
            line = bytes(source.buffer[:at + 1])
            del source.buffer[:at + 1]
            return line
        if not source.more():
            raise MultipartError("the multipart body ends inside the headers of a part")


def _headers(source: _Source, header_bytes: int) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    room = header_bytes
    while True:
        raw = _line(source, room)
        room -= len(raw)
        line = raw.rstrip(b"\r\n")
        if not line:
            return tuple(found)
        text = line.decode("latin-1")
        if text[0] in " \t" and found:
            found[-1] = found[-1][0], found[-1][1] + " " + text.strip()
            continue
        name, colon, value = text.partition(":")
        if not colon or not name.strip():
            raise MultipartError(f"malformed header of a multipart part: {text[:100]!r}")
        found.append((name.strip(), value.strip()))


def _body(source: _Source, delimiter: bytes) -> Iterator[Data]:
    """The bytes up to the delimiter (CRLF and boundary), which is consumed. A part without any bytes has its delimiter at once."""
    if source.need(len(delimiter) - 2) and source.buffer.startswith(delimiter[2:]):
        del source.buffer[:len(delimiter) - 2]
        return
    hold = len(delimiter) - 1
    while True:
        at = source.buffer.find(delimiter)
        if at >= 0:
            if at:
                yield Data(bytes(source.buffer[:at]))
            del source.buffer[:at + len(delimiter)]
            return
        ready = len(source.buffer) - hold
        if ready > 0:
            yield Data(bytes(source.buffer[:ready]))
            del source.buffer[:ready]
        if not source.more():
            raise MultipartError("the multipart body ends before its last boundary")

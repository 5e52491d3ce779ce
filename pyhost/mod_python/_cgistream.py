"""The CGI view of a request: its environment, and sys.stdin/sys.stdout over it."""
from __future__ import annotations

import io
import os
import sys
from collections.abc import MutableMapping
from typing import Any

__all__ = ["CGIStdin", "CGIStdout", "NullIO", "build_cgi_env", "restore_nocgi", "setup_cgi"]


class NullIO:
    """A file that is always empty and swallows what is written."""

    def read(self, n: int = -1) -> str:
        """Return nothing."""
        return ""

    def readline(self, length: int | None = None) -> str:
        """Return nothing."""
        return ""

    def readlines(self) -> list[str]:
        """Return no lines."""
        return []

    def write(self, s: Any) -> int:
        """Swallow s."""
        return len(s)

    def writelines(self, list: Any) -> None:
        """Swallow the lines."""

    def seek(self, pos: int, mode: int = 0) -> int:
        """Stay at 0."""
        return 0

    def tell(self) -> int:
        """Return 0."""
        return 0

    def isatty(self) -> int:
        """Return 0."""
        return 0

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def detach(self) -> None:
        """Do nothing."""


class CGIStdin(NullIO):
    """sys.stdin over a request's body: str by default, `buffer` has the bytes. Reading may switch."""

    encoding = "utf-8"
    errors = "surrogateescape"

    def __init__(self, req: Any) -> None:
        self.buffer = io.BufferedReader(_RawBody(req))
        self.pos = 0
        self._text = io.TextIOWrapper(self.buffer, self.encoding, self.errors, newline="\n")

    def read(self, n: int = -1) -> str:
        """Return up to n characters, all of them by default."""
        return self._text.read(n)

    def readline(self, n: int | None = -1) -> str:
        """Return one line."""
        return self._text.readline(-1 if n is None else n)

    def readlines(self) -> list[str]:
        """Return the lines that are left."""
        return self._text.readlines()

    def __iter__(self) -> Any:
        return iter(self._text)


class _RawBody(io.RawIOBase):
    def __init__(self, req: Any) -> None:
        self._req = req

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        data = self._req.read(len(target))
        target[:len(data)] = data
        return len(data)


class CGIStdout(NullIO):
    """sys.stdout over a response: the header lines up to the empty one become headers and status, the rest the body. May switch."""

    encoding = "utf-8"
    errors = "surrogateescape"
    _HEAD_BYTES = 65536

    def __init__(self, req: Any) -> None:
        self.req = req
        self.pos = 0
        self.headers_sent = 0
        self.headers = b""
        self.buffer = _Binary(self)

    def write(self, s: Any) -> int:
        """Write str (as UTF-8; bytes that os.fsdecode made stay what they were) or bytes."""
        data = s if isinstance(s, (bytes, bytearray, memoryview)) else s.encode("utf-8", "surrogateescape")
        self.pos += len(data)
        if self.headers_sent:
            self.req.write(bytes(data), 0)
            return len(s)
        self.headers += bytes(data)
        head, gap, body = self._split()
        if gap:
            self._send_head(head, body)
        elif len(self.headers) > self._HEAD_BYTES:
            raise ValueError(f"CGI script wrote {len(self.headers)} bytes without the empty line that ends its headers")
        return len(s)

    def _split(self) -> tuple[bytes, bytes, bytes]:
        places = [(at, gap) for gap in (b"\r\n\r\n", b"\n\n") if (at := self.headers.find(gap)) >= 0]
        if not places:
            return self.headers, b"", b""
        at, gap = min(places)
        return self.headers[:at], gap, self.headers[at + len(gap):]

    def _send_head(self, head: bytes, body: bytes) -> None:
        self.headers_sent = 1
        self.headers = b""
        for line in head.decode("latin-1").replace("\r\n", "\n").split("\n"):
            name, colon, value = line.partition(":")
            if not colon or not name.strip() or " " in name.strip():
                raise ValueError(f"malformed header line from CGI script: {line[:200]!r}")
            self._header(name.strip(), value.strip())
        if body:
            self.req.write(body, 0)

    def _header(self, name: str, value: str) -> None:
        low = name.lower()
        if low == "status":
            self.req.status = int(value[:3])
            self.req.status_line = value
        elif low == "content-type":
            self.req.content_type = value
        elif low == "location":
            self.req.headers_out["Location"] = value
            if self.req.status == 200:
                self.req.status = 302
        elif low == "set-cookie":
            self.req.headers_out.add(name, value)
        else:
            self.req.headers_out[name] = value

    def finish(self) -> None:
        """Accept output without an empty line as headers only. Raises ValueError when it is none."""
        if not self.headers_sent and self.headers.strip():
            self._send_head(self.headers.rstrip(b"\r\n"), b"")

    def flush(self) -> None:
        """Hand what was written to the client, once the headers are complete."""
        if self.headers_sent:
            self.req.flush()

    def writelines(self, list: Any) -> None:
        """Write the lines."""
        for line in list:
            self.write(line)

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self.pos

    def writable(self) -> bool:
        """Return True."""
        return True


class _Binary(io.RawIOBase):
    """sys.stdout.buffer. Ends with its request, not with a close(), which would flush a request that is over."""

    def __init__(self, text: CGIStdout) -> None:
        self._text = text

    def __del__(self) -> None:
        pass

    def close(self) -> None:
        pass

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._text.write(bytes(data))

    def flush(self) -> None:
        self._text.flush()


def build_cgi_env(req: Any) -> dict[str, str]:
    """Return the environment of a CGI script for this request: RFC 3875's variables over the process's."""
    req.add_common_vars()
    if hasattr(req, "add_cgi_vars"):
        req.add_cgi_vars()
    env = dict(os.environ)
    env.update({key: value for key, value in req.subprocess_env.items() if value is not None})
    env["GATEWAY_INTERFACE"] = "Python-CGI/1.1"
    env["SCRIPT_NAME"] = req.uri[:-len(req.path_info)] if req.path_info and req.uri.endswith(req.path_info) else req.uri
    if req.path_info:
        env["PATH_INFO"] = req.path_info
    authorization = req.headers_in.get("Authorization")
    if authorization is not None:
        env["HTTP_AUTHORIZATION"] = authorization
    return env


def setup_cgi(req: Any) -> tuple[MutableMapping[str, str], Any, Any]:
    """Make sys.stdin, sys.stdout and os.environ those of this request; returns what restore_nocgi() takes back.

    They are the process's: hold a lock where several greenlets do this. cgihandler does it per greenlet.
    """
    saved = os.environ.copy(), sys.stdin, sys.stdout
    env = build_cgi_env(req)
    os.environ.clear()
    os.environ.update(env)
    sys.stdin, sys.stdout = CGIStdin(req), CGIStdout(req)
    return saved


def restore_nocgi(sav_env: MutableMapping[str, str], si: Any, so: Any) -> None:
    """Undo setup_cgi()."""
    os.environ.clear()
    os.environ.update(sav_env)
    sys.stdin, sys.stdout = si, so

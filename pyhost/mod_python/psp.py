"""mod_python.psp: Python Server Pages.

A page has the names req, form (the FieldStorage, read when the page mentions it), session (opened, saved and unlocked when the page
mentions it), psp (PSPInterface), `__file__`, and apache, util, Session, Cookie, os, sys, time. Pages are compiled once and again when
they or what they include change. In a traceback the lines are those of the page.
"""
from __future__ import annotations

import collections
import errno
import html
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from . import Cookie, Session, apache, util
from ._native import SERVER_RETURN
from ._psp_parser import Page, parse_page
from ._query import decode
from .constants import APLOG_ERR, HTTP_NOT_FOUND, OK
from .importer import Stamp, module_stamp

__all__ = ["PSP", "PSPInterface", "handler", "parse", "parsestring"]

_CACHE_PAGES = 512
_NO_SUCH_PAGE = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


class HitsCache:
    """The pages used last: at most `size` of them."""

    def __init__(self, size: int = _CACHE_PAGES) -> None:
        self.size = size
        self._found: collections.OrderedDict[Any, Any] = collections.OrderedDict()

    def store(self, key: Any, val: Any) -> None:
        """Keep val under key; drops the one that was not used for longest."""
        self._found[key] = val
        self._found.move_to_end(key)
        self.clean()

    def get(self, key: Any) -> Any:
        """Return what is kept under key, or None."""
        found = self._found.get(key)
        try:
            self._found.move_to_end(key)
        except KeyError:
            pass  # it was never there, or another greenlet has dropped it
        return found

    def clean(self) -> None:
        """Drop what is too much."""
        while len(self._found) > self.size:
            self._found.popitem(last=False)


class FileCache(HitsCache):
    """Pages by file name, valid for one state of the file and its includes."""

    def store_page(self, page: Page, stamps: Mapping[str, Stamp]) -> None:
        """Keep a page with the states of its files when they were read."""
        self.store(page.path, (page, dict(stamps)))

    def get_page(self, path: str) -> Page | None:
        """Return the page if none of its files has changed."""
        found = self.get(path)
        if found is None:
            return None
        page: Page = found[0]
        return page if all(module_stamp(file) == stamp for file, stamp in found[1].items()) else None


_files = FileCache()
_strings = HitsCache()


def _read(path: str) -> str:
    with open(path, "rb") as file:
        data = file.read()
    charset = "utf-8-sig"
    for line in data.split(b"\n", 2)[:2]:  # PEP 263 holds for pages too
        if b"coding" in line and (match := _coding(line)):
            charset = match
    return decode(data, charset)


def _coding(line: bytes) -> str | None:
    text = line.decode("latin-1").partition("coding")[2].lstrip(":= ")
    word = "".join(c for c in text.split()[:1]).strip("-*#%>\"'") if text.split() else ""
    return word or None


def _load(path: str) -> Page:
    """The page of a file. Raises OSError, SyntaxError."""
    page = _files.get_page(path)
    if page is not None:
        return page
    stamps = {path: module_stamp(path)}

    def include(name: str, near: str) -> tuple[str, str]:
        found = os.path.normpath(os.path.join(os.path.dirname(near), name))
        stamps[found] = module_stamp(found)
        return found, _read(found)

    page = parse_page(_read(path), path, include)
    _files.store_page(page, stamps)
    return page


def parse(filename: str, dir: str | None = None) -> str:
    """Return the Python program of a page file. Raises OSError, SyntaxError with the page's line."""
    return _load(os.path.abspath(os.path.join(dir or "", filename))).source


def parsestring(str: str | bytes) -> str:
    """Return the Python program of a page. Raises SyntaxError with the page's line."""
    return parse_page(decode(str) if isinstance(str, bytes) else str, "<psp string>").source


class PSPInterface:
    """`psp` in a page: what a page may ask for."""

    def __init__(self, req: Any, filename: str | None, form: Any) -> None:
        self.req, self.filename, self.form = req, filename, form
        self.error_page: PSP | None = None

    def set_error_page(self, page: str) -> None:
        """Run another page when this one raises; there `exception` is sys.exc_info(). A leading `/` means the document root."""
        if page.startswith("/"):
            path = os.path.join(self.req.document_root(), page.lstrip("/"))
        else:
            path = os.path.join(os.path.dirname(self.filename or self.req.filename or ""), page)
        self.error_page = PSP(self.req, path)

    def apply_data(self, object: Any) -> Any:
        """Call an object with the fields of the form that it names; returns what it returns. May switch."""
        if self.form is None:
            self.form = _form(self.req)
        return util.apply_fs_data(object, self.form, req=self.req)

    def redirect(self, location: str, permanent: int = 0) -> None:
        """Send the client elsewhere; the page ends here. Raises SERVER_RETURN, and OSError when the answer has begun."""
        util.redirect(self.req, location, permanent)


def _form(req: Any) -> Any:
    if getattr(req, "form", None) is None:
        req.form = util.FieldStorage(req, keep_blank_values=1)
    return req.form


class PSP:
    """A page, of a file or a string; `run()` writes it, `str(page)` too (and is empty), so that pages can stand in pages."""

    def __init__(self, req: Any, filename: str | None = None, string: str | bytes | None = None,
                 vars: Mapping[str, Any] | None = None) -> None:
        """Load a page.

        filename: absolute, or relative to the directory of req.filename; default req.filename. string: the page itself instead.
        vars: names for the page. Raises ValueError for both, SERVER_RETURN(404) without a file, SyntaxError with the page's line.
        """
        if filename and string is not None:
            raise ValueError("Must specify either filename or string, not both")
        self.req, self.vars = req, dict(vars or {})
        self.dir = ""
        if string is not None:
            self.filename = None
            key = string if isinstance(string, bytes) else string.encode("utf-8", "surrogatepass")
            self.page = _strings.get(key) or parse_page(decode(key), "<psp string>")
            _strings.store(key, self.page)
            return
        base = os.path.dirname(req.filename or "")
        self.filename = os.path.normpath(os.path.join(base, filename)) if filename else req.filename
        self.dir = os.path.dirname(self.filename or "")
        try:
            self.page = _load(self.filename)
        except (OSError, TypeError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_SUCH_PAGE:
                raise
            req.log_error(f"psp: {self.filename!r}: {error}", APLOG_ERR)
            raise SERVER_RETURN(HTTP_NOT_FOUND) from None

    def __str__(self) -> str:
        self.req.content_type = "text/html"
        self.run()
        return ""

    def run(self, vars: Mapping[str, Any] | None = None, flush: int = 0) -> None:
        """Write the page. May switch.

        vars: more names for the page, over those of the constructor. flush: hand the output to the client at the end.
        Raises what the page raises, where it has set no error page.
        """
        req, names = self.req, self.page.names
        opened = "session" in names and getattr(req, "session", None) is None
        if opened:
            req.session = Session.Session(req)
        interface = PSPInterface(req, self.filename, _form(req) if "form" in names else getattr(req, "form", None))
        space: dict[str, Any] = {
            "apache": apache, "util": util, "Session": Session, "Cookie": Cookie, "os": os, "sys": sys, "time": time,
            "__name__": "__psp__", "__file__": self.filename, "req": req, "form": interface.form, "psp": interface,
        }
        if "session" in names:
            space["session"] = req.session
        space.update(self.vars)
        space.update(vars or {})
        try:
            self._execute(space, interface)
            if getattr(req, "session", None) is not None:
                req.session.save()
            if flush:
                req.flush()
        finally:
            if opened:
                req.session.unlock()

    def _execute(self, space: dict[str, Any], interface: PSPInterface) -> None:
        assert self.page.code is not None
        try:
            exec(self.page.code, space)
        except SERVER_RETURN:
            raise
        except Exception:
            if interface.error_page is None:
                raise
            interface.error_page.run({"exception": sys.exc_info()})

    def display_code(self) -> None:
        """Write the page's source beside the program made of it, as HTML."""
        req = self.req
        req.write("<!DOCTYPE html><meta charset=utf-8><title>PSP source</title><style>td{vertical-align:top;white-space:pre;"
                  "font-family:monospace;padding:0 1em}td:first-child{text-align:right;color:#777}</style>\n<table>\n")
        source = _read(self.filename).split("\n") if self.filename else []
        made: dict[int, list[str]] = {}
        for text, (file, line) in zip(self.page.source.split("\n"), self.page.lines, strict=False):
            if file == self.page.path:
                made.setdefault(line, []).append(text)
        for number, row in enumerate(source, 1):
            program = html.escape("\n".join(made.get(number, [])))
            req.write(f"<tr><td>{number}</td><td>{html.escape(row)}</td><td>{program}</td></tr>\n")
        req.write("</table>\n")


def handler(req: Any) -> int:
    """Write the page that req.filename is; with PythonDebug On and a `_` behind the name, its source. May switch."""
    config = req.get_config()
    name = req.filename or ""
    req.content_type = "text/html"
    if config.get("PythonDebug", "0") == "1" and name.endswith("_"):
        PSP(req, name[:-1]).display_code()
        return OK
    page = PSP(req)
    if not page.page.source.isascii():
        req.content_type = "text/html; charset=utf-8"
    page.run()
    return OK

"""PSP pages to Python: own parser. Pure: text in, program out; included files come from a function.

`<% code %>`, `<%= expression %>`, `<%@ include file="x"%>`, `<%-- comment --%>`; `%\\>` in code means `%>`. Text is written as it is.

Indentation, as PSP has it: text continues at the indentation of the last code line, one tab deeper after a colon, until new code.
Code that begins on a line of its own brings its indentation along. Code on the line of its `<%` continues at the indentation of the
text; there `else`, `elif`, `except`, `finally` and `case` close the block they belong to, and a comment `# end` closes one block.
"""
from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType

__all__ = ["Page", "PageError", "parse_page"]

_OPEN = re.compile(r"<%(--|@|=|)")
_INCLUDE = re.compile(r"\s*include\s+file\s*=\s*(?:\"([^\"]*)\"|'([^']*)')\s*\Z")
_CLOSERS = re.compile(r"(else|elif|except|finally|case)\b")
_END = re.compile(r"#\s*end\b")
_UNITS = ("\t", "    ", "        ", "  ")
_INCLUDE_DEPTH = 20

#: include(name, file it stands in) -> (path, text); raises OSError.
Include = Callable[[str, str], tuple[str, str]]


class PageError(SyntaxError):
    """A page cannot be parsed; filename and lineno say where in which file."""

    def __init__(self, message: str, path: str, line: int) -> None:
        super().__init__(message, (path, line, 1, None))


@dataclass(slots=True)
class Page:
    """A parsed page. source: the program. lines: for each of its lines, (file, line) it comes from. names: what the program mentions."""

    path: str
    source: str = ""
    lines: list[tuple[str, int]] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    names: frozenset[str] = frozenset()
    code: CodeType | None = None


def parse_page(text: str, path: str, include: Include | None = None) -> Page:
    """Return the page with its code, whose line numbers are those of the page.

    text: of the page. path: its file, for errors. include: see Include; None forbids includes.
    Raises PageError and SyntaxError with file name and line of the page (or the included file), OSError of include.
    """
    first: SyntaxError | None = None
    for unit in _UNITS:  # an author's spaces go with a tab only where Python can tell which is deeper
        writer = _Writer(path, unit, include)
        writer.file(text, path)
        try:
            return _compiled(writer)
        except SyntaxError as error:
            first = first or _located(error, writer)
            if not isinstance(error, IndentationError):
                break
    assert first is not None
    raise first


def _located(error: SyntaxError, writer: _Writer) -> SyntaxError:
    at = min(max(error.lineno or 1, 1), len(writer.lines) or 1) - 1
    file, line = writer.lines[at] if writer.lines else (writer.page.path, 1)
    kind = SyntaxError if isinstance(error, PageError) else type(error)
    return kind(error.msg, (file, line, 1, (error.text or "").strip() or None))


def _compiled(writer: _Writer) -> Page:
    page = writer.page
    page.source = "\n".join(writer.out) + "\n"
    page.lines = writer.lines
    tree = ast.parse(page.source, page.path)
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        if isinstance(node, (ast.expr, ast.stmt, ast.excepthandler, ast.alias, ast.arg, ast.keyword, ast.pattern)):
            line, end = node.lineno, node.end_lineno or node.lineno
            node.lineno, node.end_lineno = writer.page_line(line), writer.page_line(end)
            node.col_offset, node.end_col_offset = 0, 10_000  # the whole line: columns are not the page's
    page.names = frozenset(names)
    page.code = compile(tree, page.path, "exec", dont_inherit=True)
    return page


class _Writer:
    """Writes the program of one page and its includes."""

    def __init__(self, path: str, unit: str, include: Include | None) -> None:
        self.page = Page(path)
        self.out: list[str] = []
        self.lines: list[tuple[str, int]] = []
        self._unit, self._include = unit, include
        self._indent = ""
        self._blocks: list[str] = []   # indentation of the lines that opened the blocks we are in
        self._needs_body = False
        self._via: list[int] = []      # line of the page at which the outermost include stands
        self._files: list[str] = []
        self._page_lines: list[int] = []

    def page_line(self, line: int) -> int:
        return self._page_lines[min(line, len(self._page_lines)) - 1]

    def _emit(self, text: str, file: str, line: int) -> None:
        for offset, one in enumerate(text.split("\n")):
            self.out.append(one)
            self.lines.append((file, line + offset))
            self._page_lines.append(self._via[0] if self._via else line + offset)

    def file(self, text: str, path: str) -> None:
        """Write the program of one file."""
        self._files.append(path)
        text = text.replace("\r\n", "\n")
        at, line = 0, 1
        while True:
            opened = _OPEN.search(text, at)
            end = opened.start() if opened else len(text)
            self._text(text[at:end], path, line)
            line += text.count("\n", at, end)
            if opened is None:
                break
            kind = opened[1]
            closing = "--%>" if kind == "--" else "%>"
            close = text.find(closing, opened.end())
            if close < 0:
                raise PageError(f"<%{kind} is not closed by {closing}", path, line)
            content = text[opened.end():close]
            self._part(kind, content, path, line)
            at = close + len(closing)
            line += text.count("\n", end, at)
        self._files.pop()
        if not self._files and self._needs_body:
            self._emit(self._indent + "pass", path, line)

    def _part(self, kind: str, content: str, path: str, line: int) -> None:
        if "\0" in content and kind != "--":
            raise PageError("a null byte in the code of a page", path, line)
        if kind == "=":
            if content.strip():
                code = content.replace("%\\>", "%>").strip()
                skipped = content[:len(content) - len(content.lstrip())].count("\n")
                self._statement(f"req.write(str((\n{code}\n)),0)", path, line + skipped)
        elif kind == "@":
            self._directive(content, path, line)
        elif kind == "":
            self._code(content.replace("%\\>", "%>"), path, line)

    def _statement(self, text: str, path: str, line: int) -> None:
        rows = text.split("\n")
        self._needs_body = False
        self._emit(self._indent + rows[0], path, line)
        for offset, row in enumerate(rows[1:]):
            self._emit(row, path, line + min(offset, len(rows) - 3))

    def _text(self, text: str, path: str, line: int) -> None:
        if text:
            self._needs_body = False
            self._emit(f"{self._indent}req.write({text!r},0)", path, line)

    def _directive(self, content: str, path: str, line: int) -> None:
        match = _INCLUDE.match(content)
        if not match:
            raise PageError(f"unknown directive <%@{content[:60]}%>; there is <%@ include file=\"…\"%>", path, line)
        name = match[1] if match[1] is not None else match[2]
        if self._include is None or len(self._files) > _INCLUDE_DEPTH:
            raise PageError(f"{name!r} cannot be included here", path, line)
        try:
            found, text = self._include(name, path)
        except OSError as error:
            raise PageError(f"{name!r} cannot be included: {error.strerror or error}", path, line) from error
        if found in self._files:
            raise PageError(f"{name!r} includes itself", path, line)
        self.page.includes.append(found)
        self._via.append(line)
        self.file(text, found)
        self._via.pop()

    # Code.

    def _code(self, content: str, path: str, line: int) -> None:
        if not content.strip():
            return
        head, newline, rest = content.partition("\n")
        if head.strip():
            self._inline(head.strip() + newline + rest.rstrip(), path, line)
        else:
            self._needs_body = False
            self._emit(rest.rstrip(), path, line + 1)
            self._after(rest.rstrip())

    def _inline(self, code: str, path: str, line: int) -> None:
        if (_CLOSERS.match(code) and (not code.startswith("case") or code.endswith(":"))) or _END.match(code):
            self._close(path, line, is_case=code.startswith("case"))
        if "\n" in code:
            self._emit(self._indent + code, path, line)
            self._needs_body = False
            self._after(self._indent + code)
            return
        if not code.startswith("#"):
            self._emit(self._indent + code, path, line)
            self._needs_body = False
            if _opens(code):
                self._open(self._indent)

    def _close(self, path: str, line: int, is_case: bool) -> None:
        if is_case and not self._blocks:
            return
        if self._needs_body:
            if is_case:
                return  # the first case of a match
            self._emit(self._indent + "pass", path, line)
            self._needs_body = False
        if self._blocks:
            self._indent = self._blocks.pop()
        else:
            self._indent = self._indent[:-1] if self._indent.endswith("\t") else self._indent[:-4]

    def _open(self, indent: str) -> None:
        self._blocks.append(indent)
        self._indent = indent + self._unit
        self._needs_body = True

    def _after(self, code: str) -> None:
        """What follows lines with an indentation of their own: theirs, deeper after a colon."""
        indent, opens = _last_line(code)
        self._blocks = [outer for outer in self._blocks if len(outer.expandtabs()) < len(indent.expandtabs())]
        self._indent = indent
        if opens:
            self._open(indent)


def _opens(code: str) -> bool:
    return _last_line(code)[1]


def _last_line(code: str) -> tuple[str, bool]:
    """Indentation of the last logical line (or comment) of some code, and whether it ends in a colon."""
    rows = code.split("\n")
    start, last, fresh = 1, "", True
    try:
        for token in tokenize.generate_tokens(io.StringIO("if 1:\n" + code + "\n").readline):
            if token.start[0] == 1 or token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.ENDMARKER):
                continue
            if token.type == tokenize.NEWLINE:
                fresh = True
            elif token.type == tokenize.COMMENT:
                if fresh:
                    start, last = token.start[0], ""
            else:
                if fresh:
                    start, fresh = token.start[0], False
                last = token.string
        row = rows[start - 2] if 2 <= start < len(rows) + 2 else rows[-1]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):  # the last is 3.12's answer to a bare CR before a character that is not ASCII
        row = next((one for one in reversed(rows) if one.strip()), "")
        last = ":" if row.partition("#")[0].rstrip().endswith(":") else ""
    return row[:len(row) - len(row.lstrip())], last == ":"

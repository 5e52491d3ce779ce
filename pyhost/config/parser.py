"""From files to a tree: sections nested, Include, Define, ${VAR}, <IfDefine>, <IfModule> and <IfFile> carried out while reading.

Every node knows its file and line. Faults are collected, reading goes on after each, so that a check shows all of them at once.
"""
from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ConfigError
from .lexer import MAX_LINE, LexError, logical_lines, split_word, split_words
from .modules import BUILT_IN, is_built_in, is_known

__all__ = ["MAX_FAULTS", "MAX_HTACCESS", "MAX_HTACCESS_FAULTS", "Node", "Parser", "Place"]

VARIABLE = re.compile(r"\$\{([^${}]*)\}")
# Nobody writes so much; whoever does, by mistake or not, has no server that reads for hours.
MAX_DEPTH = 100  # of Include within Include, and of sections within sections
MAX_FILES = 10_000
MAX_FILE = 64 << 20  # characters
MAX_HTACCESS = 1 << 20
MAX_FAULTS = 1000
MAX_HTACCESS_FAULTS = 20  # each request logs them


@dataclass(frozen=True, slots=True)
class Place:
    """Where a directive stands."""

    file: str
    line: int


@dataclass(slots=True)
class Node:
    """A directive, or a section when children is not None. args: what follows the name, not yet split into words."""

    name: str
    args: str
    place: Place
    children: list[Node] | None = None


@dataclass(slots=True)
class Frame:
    """A section that is being read. kept: its children go into the tree; transparent: they go into the parent (IfDefine)."""

    name: str
    place: Place
    children: list[Node]
    active: bool
    transparent: bool


@dataclass(slots=True)
class Parser:
    """Reads files and single lines into `tree`.

    server_root: relative paths of Include start here (ServerRoot changes it while reading, as in httpd);
    defines: names set with -D or Define, with their values ("" for none); environment: for ${VAR} without a Define.
    """

    server_root: str
    defines: dict[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    tree: list[Node] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)
    notes: list[tuple[Place, str]] = field(default_factory=list)
    warnings: list[tuple[Place, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    restricted: bool = False  # .htaccess: no Include, Define or LoadModule
    open_files: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    stopped: bool = False  # there is no use in reading on

    def fail(self, place: Place, name: str, expected: str, stop: bool = False) -> None:
        self.errors.append(ConfigError(place.file, place.line, name, expected))
        self.stopped |= stop or len(self.errors) >= (MAX_HTACCESS_FAULTS if self.restricted else MAX_FAULTS)

    def read_file(self, path: str, included_at: tuple[Place, str] | None = None) -> None:
        """Read a file into the tree; it must close the sections it opens. included_at: place and name of the Include."""
        place, name = included_at or (Place(path, 0), "")
        if len(self.open_files) >= MAX_DEPTH or path in self.open_files:
            self.fail(place, name, f"a file that does not include itself expected, not {path}")
            return
        if len(self.files) >= MAX_FILES:
            self.fail(place, name, f"at most {MAX_FILES} files expected", stop=True)
            return
        room = MAX_HTACCESS if self.restricted else MAX_FILE
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as stream:
                text = stream.read(room + 1).removeprefix("\ufeff")  # some editors put it there
        except OSError as error:
            self.fail(place, name, f"a readable file expected: {path}: {error.strerror}")
            return
        if len(text) > room:
            self.fail(place, name, f"a file of at most {room} bytes expected, not {path}")
            return
        self.files.append(path)
        self.open_files.append(path)
        self.read_text(path, text)
        self.open_files.pop()

    def read_text(self, file: str, text: str) -> None:
        """Read the lines of text as if they stood in file."""
        depth = len(self.frames)
        for number, line in logical_lines(text):
            self.read_line(Place(file, number), line, depth)
            if self.stopped:
                return
        while len(self.frames) > depth:
            frame = self.frames.pop()
            self.fail(frame.place, f"<{frame.name}>", f"</{frame.name}> expected before the end of the file")
            self.close(frame)

    def read_line(self, place: Place, line: str, depth: int = 0) -> None:
        """Read one directive or section border. depth: sections that may not be closed by this line."""
        if "\0" in line:
            self.fail(place, "", "a text file expected: there is a NUL byte in this line")
            return
        if len(line) > MAX_LINE:
            self.fail(place, "", f"a line of at most {MAX_LINE} bytes expected")
            return
        active = not self.frames or self.frames[-1].active
        if line.startswith("</"):
            self.end_section(place, line, depth)
            return
        if "${" in line and active:
            line = self.expand(place, line)
        if line.startswith("<"):
            self.begin_section(place, line, active)
        elif active:
            words = line.split(None, 1)
            self.directive(place, words[0], words[1] if len(words) > 1 else "")

    def expand(self, place: Place, line: str) -> str:
        """Replace ${NAME} by what Define or the environment says (SRVROOT: ServerRoot); an unknown one stays and is warned of."""
        room = MAX_LINE

        def value(found: re.Match[str]) -> str:
            nonlocal room
            made = self.variable(place, found)
            room -= len(made)
            return made if room >= 0 else ""

        expanded = VARIABLE.sub(value, line)
        if room < 0 or len(expanded) > MAX_LINE:
            self.fail(place, "", f"a line of at most {MAX_LINE} bytes expected, with what stands for ${{…}} in it", stop=True)
            return line
        return expanded

    def variable(self, place: Place, found: re.Match[str]) -> str:
        name = found[1]
        if name in self.defines:
            return self.defines[name]
        if name in self.environment:
            return self.environment[name]
        if name == "SRVROOT":  # a convention of httpd's sample files, which Define it; here it is ServerRoot
            return self.server_root
        if len(self.warnings) < MAX_FAULTS:
            self.warnings.append((place, f"${{{name}}} is neither defined nor in the environment"))
        return found[0]

    # sections

    def begin_section(self, place: Place, line: str, active: bool) -> None:
        name, args = line[1:], ""
        found = re.match(r"<([A-Za-z]+)\s*(.*)>$", line, re.DOTALL)
        if not found:
            self.fail(place, name.split(None, 1)[0] if name.split() else "<", "closing > expected")
            found = re.match(r"<([A-Za-z]*)\s*(.*)$", line, re.DOTALL)
            assert found
        name, args = found[1], found[2].strip()
        if len(self.frames) >= MAX_DEPTH:
            self.fail(place, f"<{name}>", f"at most {MAX_DEPTH} sections within each other expected", stop=True)
        condition = name.lower()
        if condition in CONDITIONS:
            holds = active and self.condition(place, condition, args)
            self.frames.append(Frame(name, place, [], holds, True))
        else:
            children: list[Node] = []
            if active:
                self.add(Node(name, args, place, children))
            self.frames.append(Frame(name, place, children, active, False))

    def end_section(self, place: Place, line: str, depth: int) -> None:
        name = line[2:].rstrip().removesuffix(">").strip()
        if not line.rstrip().endswith(">"):
            self.fail(place, f"</{name}", "closing > expected")
        if len(self.frames) <= depth:
            self.fail(place, f"</{name}>", "no section is open here")
            return
        names = [frame.name.lower() for frame in self.frames[depth:]]
        if name.lower() not in names:
            self.fail(place, f"</{name}>", f"</{self.frames[-1].name}> expected (opened in line {self.frames[-1].place.line})")
            return
        while True:
            frame = self.frames.pop()
            self.close(frame)
            if frame.name.lower() == name.lower():
                return
            self.fail(frame.place, f"<{frame.name}>", f"</{frame.name}> expected before </{name}> in line {place.line}")

    def close(self, frame: Frame) -> None:
        if frame.transparent and frame.active:
            (self.frames[-1].children if self.frames else self.tree).extend(frame.children)

    def add(self, node: Node) -> None:
        (self.frames[-1].children if self.frames else self.tree).append(node)

    def condition(self, place: Place, kind: str, args: str) -> bool:
        try:
            words = split_words(args)
        except LexError as error:
            self.fail(place, f"<{kind}>", str(error))
            return False
        if len(words) != 1:
            self.fail(place, CONDITIONS[kind], "one name expected, with ! in front for the opposite")
            return False
        name = words[0].removeprefix("!")
        if kind == "ifdefine":
            holds = name in self.defines
        elif kind == "ifmodule":
            holds = is_built_in(name)
        else:
            holds = os.path.exists(os.path.join(self.server_root, name))
        return holds != words[0].startswith("!")

    # directives that are carried out while reading

    def directive(self, place: Place, name: str, args: str) -> None:
        on_read = ON_READ.get(name.lower())
        if on_read is None:
            if name.lower() == "serverroot":  # also kept in the tree, for the table
                self.set_root(args)
            self.add(Node(name, args, place))
        elif self.restricted:
            self.fail(place, name, "not allowed in .htaccess files")
        else:
            try:
                on_read(self, place, name, split_words(args))
            except LexError as error:
                self.fail(place, name, str(error))

    def set_root(self, args: str) -> None:
        try:
            self.server_root = os.path.abspath(split_word(args)[0])
        except LexError:
            return  # the table's converter reports it

    def include(self, place: Place, name: str, words: list[str]) -> None:
        optional = name.lower() == "includeoptional"
        if len(words) != 1:
            self.fail(place, name, "one file, folder or pattern expected")
            return
        path = os.path.join(self.server_root, words[0])
        if glob.has_magic(path):
            paths = sorted(glob.glob(path))
        else:
            paths = [path] if os.path.exists(path) or not optional else []
        if not paths and not optional:
            self.fail(place, name, f"a file expected: nothing matches {path}")
        for each in paths:
            for file in self.files_below(each):
                self.read_file(file, (place, name))
                if self.stopped:
                    return

    @staticmethod
    def files_below(path: str) -> list[str]:
        """A file itself, or all files of a folder and the folders in it, sorted."""
        if not os.path.isdir(path):
            return [path]
        return [os.path.join(folder, file) for folder, _, files in sorted(os.walk(path)) for file in sorted(files)]

    def define(self, place: Place, name: str, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            self.fail(place, name, "a name and at most one value expected")
        elif ":" in words[0]:
            self.fail(place, name, "a name without ':' expected")
        else:
            self.defines[words[0]] = words[1] if len(words) > 1 else ""

    def undefine(self, place: Place, name: str, words: list[str]) -> None:
        if len(words) != 1:
            self.fail(place, name, "one name expected")
        else:
            self.defines.pop(words[0], None)

    def load_module(self, place: Place, name: str, words: list[str]) -> None:
        if len(words) != 2:
            self.fail(place, name, "the name of a module and a file expected")
        elif not is_known(words[0]):
            known = ", ".join(f"{each}_module" for each in BUILT_IN)
            self.fail(place, name, f"a module that is built in expected ({known}), not {words[0]}")
        else:
            state = "built in" if is_built_in(words[0]) else "not part of pyhost: its directives are not there"
            self.notes.append((place, f"LoadModule {words[0]}: {state}"))

    def load_file(self, place: Place, name: str, words: list[str]) -> None:
        self.notes.append((place, f"LoadFile {' '.join(words)}: nothing to do"))

    def report(self, place: Place, name: str, words: list[str]) -> None:
        if name.lower() == "error":
            self.fail(place, name, " ".join(words))
        else:
            self.warnings.append((place, " ".join(words)))


CONDITIONS = {"ifdefine": "<IfDefine>", "ifmodule": "<IfModule>", "iffile": "<IfFile>"}
ON_READ = {
    "include": Parser.include, "includeoptional": Parser.include, "define": Parser.define, "undefine": Parser.undefine,
    "loadmodule": Parser.load_module, "loadfile": Parser.load_file, "error": Parser.report, "warning": Parser.report,
}

"""From the tree to settings: which directive goes into which server and section, with every fault collected."""
from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConfigError
from . import values
from .convert_access import CONTAINERS, combine, unquoted
from .directives import find, not_found
from .lexer import LexError, split_words
from .merge import Layer, SectionDraft, Within, gather
from .model import OPTIONS_SHIFT, Address, Expr, Override, Regex, Require, RequireKind, Section, SectionKind, TextKind
from .parser import MAX_FAULTS, MAX_HTACCESS_FAULTS, Node, Place
from .table import CONTEXTS, Context, Directive, Several

__all__ = ["Builder", "ServerDraft"]

OVERRIDES = {"AuthConfig": Override.AUTHCONFIG, "FileInfo": Override.FILEINFO, "Indexes": Override.INDEXES, "Limit": Override.LIMIT,
             "Options": Override.OPTIONS}
SECTION_NAMES = {"directory": SectionKind.DIRECTORY, "directorymatch": SectionKind.DIRECTORY_MATCH, "files": SectionKind.FILES,
                 "filesmatch": SectionKind.FILES_MATCH, "location": SectionKind.LOCATION, "locationmatch": SectionKind.LOCATION_MATCH}
LETTERS = {SectionKind.DIRECTORY: "D", SectionKind.DIRECTORY_MATCH: "D", SectionKind.FILES: "F", SectionKind.FILES_MATCH: "F",
           SectionKind.LOCATION: "L", SectionKind.LOCATION_MATCH: "L"}
#: What a text of a configuration file is checked as in an .htaccess file.
RESTRICTED = {TextKind.CONDITION: TextKind.RESTRICTED_CONDITION, TextKind.EXPR: TextKind.RESTRICTED_EXPR}
SECTIONS_IN = {"S": "directory files location", "V": "directory files location", "D": "files", "H": "files", "L": "", "F": ""}


@dataclass(slots=True)
class ServerDraft:
    """The main server or a virtual host: its own settings, before anything is inherited."""

    place: Place
    addresses: tuple[Address, ...] = ()
    layer: Layer = field(default_factory=dict)  # "server.…"
    base: Layer = field(default_factory=dict)   # "dir.…"
    sections: list[SectionDraft] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # its directives as written, for -S


@dataclass(slots=True)
class Scope:
    """Where the walk through the tree is."""

    where: str
    server: ServerDraft
    layer: Layer           # for dir fields
    lines: list[str]       # of the server or section
    parent_id: int = -1
    within: tuple[Any, ...] = Within.SERVER  # the order of what stands here
    ifs: int = 0           # how many If sections it stands in
    directory: str | None = None
    is_location: bool = False
    directory_is_pattern: bool = False
    chain: int = 0  # id of the <If> or <ElseIf> that <Else> would belong to


@dataclass(slots=True)
class Builder:
    """Settings gathered from trees. regex_error: says what is wrong with a pattern, None when it is good (PCRE2's word, by install).
    text_error: the same for texts of a TextKind. errors: those that the parser has found, too: they count."""

    server_root: str
    regex_error: Callable[[Regex], str | None] | None = None
    text_error: Callable[[int, str], str | None] | None = None
    overrides: int = Override.ALL  # for .htaccess
    in_htaccess: bool = False
    main: Layer = field(default_factory=dict)
    servers: list[ServerDraft] = field(default_factory=list)
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[tuple[Place, str]] = field(default_factory=list)
    next_id: int = 1

    def full(self) -> bool:
        """Are there as many faults as are told?"""
        return len(self.errors) >= (MAX_HTACCESS_FAULTS if self.in_htaccess else MAX_FAULTS)

    def fail(self, place: Place, name: str, expected: str) -> None:
        if not self.full():
            self.errors.append(ConfigError(place.file, place.line, name, expected))

    def build(self, tree: Sequence[Node]) -> None:
        """Walk the tree of a whole configuration."""
        self.servers.append(ServerDraft(Place("", 0)))
        self.walk(tree, Scope("S", self.servers[0], self.servers[0].base, self.servers[0].lines))

    def build_htaccess(self, tree: Sequence[Node], folder: str) -> tuple[Layer, list[SectionDraft]]:
        """Walk the tree of one .htaccess file. Returns its layer and its Files and If sections."""
        self.in_htaccess = True
        server = ServerDraft(Place("", 0))
        self.walk(tree, Scope("H", server, server.base, server.lines, directory=folder.rstrip("/") + "/", within=Within.folder(folder, is_htaccess=True)))
        try:
            self.check_requirements(server.base)
        except ValueError as error:
            self.fail(Place(tree[0].place.file, 0), "Require", str(error))
        return server.base, server.sections

    def walk(self, nodes: Sequence[Node], scope: Scope) -> None:
        for node in nodes:
            if self.full():
                return
            if node.children is None:
                self.directive(node, scope)
            else:
                self.section(node, scope)

    # directives

    def directive(self, node: Node, scope: Scope) -> None:
        row = find(node.name)
        scope.lines.append(f"{node.name} {node.args}")
        if row is None:
            self.fail(node.place, node.name, not_found(node.name))
        elif not self.allowed(row, scope):
            self.fail(node.place, node.name, self.where_allowed(row, scope))
        else:
            try:
                self.store(row, self.convert(row, node, scope), scope)
            except ValueError as error:
                self.fail(node.place, node.name, str(error))

    def allowed(self, row: Directive, scope: Scope) -> bool:
        if self.in_htaccess:
            return "H" in row.contexts and bool(self.overrides & OVERRIDES.get(row.override, Override.ALL))
        return scope.where in row.contexts

    def where_allowed(self, row: Directive, scope: Scope) -> str:
        if self.in_htaccess and "H" in row.contexts:
            return f"AllowOverride {row.override or 'of some class'} expected for this folder"
        names = ", ".join(CONTEXTS[letter] for letter in row.contexts)
        return f"expected in: {names}; not in: {CONTEXTS['H' if self.in_htaccess else scope.where]}"

    def context(self, node: Node, scope: Scope) -> Context:
        def warn(sentence: str) -> None:
            self.warnings.append((node.place, sentence))
        return Context(scope.where, node.place, self.server_root, node.name, warn, scope.directory, scope.is_location, scope.directory_is_pattern,
                       check=self.check_text, args=node.args,
                       options=self.overrides >> OPTIONS_SHIFT if self.overrides & Override.SOME_OPTIONS else -1)

    def check_text(self, kind: int, text: str) -> None:
        if self.in_htaccess:
            kind = RESTRICTED.get(TextKind(kind), kind)
        wrong = self.text_error(kind, text) if self.text_error else None
        if wrong:
            raise ValueError(wrong)

    def convert(self, row: Directive, node: Node, scope: Scope) -> Any:
        words = [node.args] if row.raw else split_words(node.args)
        if len(words) < row.least or (row.most >= 0 and len(words) > row.most) or (row.raw and not node.args):
            raise ValueError(f"{row.arity()}: {row.syntax}")
        value = row.convert(self.context(node, scope), words)
        if self.regex_error is not None and isinstance(value, tuple):
            self.check_regexes(value)
        if row.name == "ServerRoot":
            self.server_root = value
        return value

    def check_regexes(self, value: tuple[Any, ...]) -> None:
        for item in value:
            if isinstance(item, tuple):
                self.check_regexes(item)
                continue
            for name in ("regex", "attribute_regex"):
                pattern = getattr(item, name, None)
                if pattern is not None:
                    self.check_regex(pattern)

    def check_regex(self, regex: Regex) -> Regex:
        wrong = self.regex_error(regex) if self.regex_error else None
        if wrong:
            raise ValueError(f"a regular expression expected: {wrong}: {regex.pattern}")
        return regex

    def store(self, row: Directive, value: Any, scope: Scope) -> None:
        """Put the value into the layers that the row's fields name; server fields only at server level."""
        parts = value if isinstance(value, Several) else (value,) * len(row.fields)
        for name, part in zip(row.fields, parts, strict=False):
            if part is None and isinstance(value, Several):
                continue
            if name.startswith("dir."):
                gather(scope.layer, name, part)
            elif name.startswith("main."):
                gather(self.main, name, part)
            elif scope.where in "SV":
                gather(scope.server.layer, name, part)

    # sections

    def section(self, node: Node, scope: Scope) -> None:
        name = node.name.lower()
        try:
            if name == "virtualhost":
                self.virtual_host(node, scope)
            elif name in SECTION_NAMES:
                self.path_section(node, scope, SECTION_NAMES[name])
            elif name in CONTAINERS:
                self.requirements(node, scope)
            elif name in ("if", "elseif", "else"):
                self.conditional(node, scope, name)
            elif name in ("limit", "limitexcept"):
                self.limit(node, scope, name == "limitexcept")
            else:
                known = "VirtualHost, Directory, Files, Location, their Match forms, If, ElseIf, Else, RequireAll, RequireAny, RequireNone, Limit, LimitExcept"
                raise ValueError(f"one of the sections {known} expected")
        except LexError as error:
            self.fail(node.place, f"<{node.name}>", str(error))
        except ValueError as error:
            self.fail(node.place, f"<{node.name}>", str(error))

    def virtual_host(self, node: Node, scope: Scope) -> None:
        if scope.where != "S":
            raise ValueError(f"expected at server level, not in: {CONTEXTS[scope.where]}")
        words = split_words(node.args)
        if not words:
            raise ValueError("at least one address[:port] expected")
        found: list[Address] = []
        try:
            for word in words:
                if word.startswith("unix:"):
                    found.append(values.unix_address(self.server_root, word))
                    continue
                host, port = values.split_port(word)
                found += values.address_list(host, port or 0)
        finally:  # what is inside is checked even if the address is wrong
            server = ServerDraft(node.place, tuple(found))
            self.servers.append(server)
            self.walk(node.children or (), Scope("V", server, server.base, server.lines))

    def path_section(self, node: Node, scope: Scope, kind: SectionKind) -> None:
        family = SectionKind(kind & ~1)
        inside = scope.where
        if family.name.lower() not in SECTIONS_IN[inside].split() or (inside == "F"):
            raise ValueError(f"not expected in: {CONTEXTS[inside]}")
        words = split_words(node.args)
        is_regex = bool(kind & 1)
        if len(words) == 2 and words[0] == "~" and not is_regex:
            is_regex, words, kind = True, words[1:], SectionKind(kind | 1)
        if len(words) != 1 or not words[0]:
            raise ValueError("one path or pattern expected" if not is_regex else "one regular expression expected")
        section = Section(self.next_id, kind, *self.pattern(words[0], family, is_regex), parent_id=scope.parent_id)
        self.next_id += 1
        draft = SectionDraft(section, node.place)
        scope.server.sections.append(draft)
        inner = replace(scope, where=LETTERS[kind], layer=draft.layer, lines=draft.lines, parent_id=section.id, chain=0)
        if family == SectionKind.DIRECTORY:
            inner.within = Within.PATTERN if is_regex else Within.folder(section.pattern)
            draft.order = () if is_regex else inner.within
            inner.directory = words[0] if is_regex else section.pattern.rstrip("/") + "/"
            inner.directory_is_pattern = is_regex or section.is_glob
        elif family == SectionKind.LOCATION:
            inner.directory, inner.is_location = words[0], True
            inner.within = Within.LOCATION
        else:
            draft.order, inner.within = scope.within, Within.files(scope.within)
        self.walk(node.children or (), inner)
        self.check_requirements(draft.layer)

    def conditional(self, node: Node, scope: Scope, name: str) -> None:
        """<If>, <ElseIf>, <Else>: directives of a location, where the condition holds."""
        if name != "if" and not scope.chain:
            raise ValueError("an <If> or <ElseIf> before it expected")
        if bool(node.args) == (name == "else"):
            raise ValueError("no argument expected" if node.args else "a condition expected")
        condition = Expr(unquoted(node.args)) if node.args else None
        if condition:
            self.check_text(TextKind.CONDITION, condition.text)
        section = Section(self.next_id, SectionKind.IF, node.args, parent_id=scope.parent_id, condition=condition,
                          else_of=scope.chain if name != "if" else 0)
        self.next_id += 1
        scope.chain = section.id if name != "else" else 0
        draft = SectionDraft(section, node.place, order=(scope.ifs, scope.within))
        scope.server.sections.append(draft)
        self.walk(node.children or (), replace(scope, where="L", layer=draft.layer, lines=draft.lines, parent_id=section.id, chain=0, ifs=scope.ifs + 1))
        self.check_requirements(draft.layer)

    def pattern(self, word: str, family: SectionKind, is_regex: bool) -> tuple[str, bool, Regex | None]:
        """(pattern as C wants it, is it a glob, the regular expression)."""
        if is_regex:
            return word, False, self.check_regex(values.regex(word))
        is_glob = any(c in word for c in "*?[")
        if family == SectionKind.DIRECTORY:
            word = os.path.normpath("/" + os.path.join(self.server_root, word).lstrip("/"))
        elif family == SectionKind.LOCATION and not word.startswith("/") and not is_glob:
            raise ValueError(f"a URL path that starts with / expected, not {word}")
        return word, is_glob, None

    @staticmethod
    def check_requirements(layer: Layer) -> None:
        """What stands side by side in a section is one <RequireAny>. Raises ValueError."""
        if "dir._require" in layer:
            combine(RequireKind.ANY_OF, layer["dir._require"])

    def requirements(self, node: Node, scope: Scope) -> None:
        if scope.where in "SV":
            raise ValueError(f"expected in: directory, location, files, .htaccess; not in: {CONTEXTS[scope.where]}")
        if node.args:
            raise ValueError("no argument expected")
        inner = replace(scope, layer={}, lines=[])
        self.only_requirements(node, inner)
        scope.lines += [f"<{node.name}>", *("  " + line for line in inner.lines), f"</{node.name}>"]
        children: tuple[Require, ...] = inner.layer.get("dir._require", ())
        gather(scope.layer, "dir._require", (combine(CONTAINERS[node.name.lower()], children),))

    def only_requirements(self, node: Node, scope: Scope) -> None:
        """Walk a container: nothing but Require and containers stands in it."""
        allowed = {"require", *CONTAINERS}
        for child in node.children or ():
            if child.name.lower() not in allowed:
                self.fail(child.place, child.name, f"only Require and sections of them expected in <{node.name}>")
        self.walk([child for child in node.children or () if child.name.lower() in allowed], scope)

    def limit(self, node: Node, scope: Scope, others: bool) -> None:
        """<Limit METHOD …>: its requirements hold for these methods (LimitExcept: for all others), nothing is asked of the rest."""
        if scope.where in "SV":
            raise ValueError(f"expected in: directory, location, files, .htaccess; not in: {CONTEXTS[scope.where]}")
        methods = tuple(split_words(node.args))
        if not methods:
            raise ValueError("at least one method expected")
        inner = replace(scope, layer={}, lines=[])
        self.only_requirements(node, inner)
        scope.lines += [f"<{node.name} {node.args}>", *("  " + line for line in inner.lines), f"</{node.name}>"]
        children: tuple[Require, ...] = inner.layer.get("dir._require", ())
        elsewhere = Require(RequireKind.METHOD, not others, words=methods)
        if not others:  # a negative requirement takes away and never grants: something must
            elsewhere = Require(RequireKind.ALL_OF, children=(Require(RequireKind.GRANTED), elsewhere))
        whole = Require(RequireKind.ANY_OF, children=(elsewhere, combine(RequireKind.ANY_OF, children)))
        gather(scope.layer, "dir._require", (Require(RequireKind.ALL_OF, children=(whole,)),))



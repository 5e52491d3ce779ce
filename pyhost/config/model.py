"""What converters make of the words of a directive. Field names are those of the structures in csrc/conf.h, so that install can be generic.

A trailing underscore is dropped on the way (`from_` is `from` in C); the enums repeat conf.h's (a test compares them).
"""
from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

__all__ = ["AccessLog", "Address", "Alias", "AliasKind", "ErrorDocument", "Expr", "Filter", "HeaderOp", "HeaderRule", "Hook", "HookList", "Import",
           "IndexMark", "IndexMarkKind", "IndexOption", "Listen", "Net", "Option", "Override", "Pair", "Phase", "Protocol", "Rate", "Regex", "Require", "RequireKind", "Section",
           "SectionKind", "SetEnvIf", "TextKind"]


class Phase(IntEnum):
    CONNECTION, POST_READ_REQUEST, TRANS, HEADER_PARSER, ACCESS, AUTHEN, AUTHZ, TYPE, FIXUP, CONTENT, LOG, CLEANUP = range(12)


class SectionKind(IntEnum):
    DIRECTORY, DIRECTORY_MATCH, FILES, FILES_MATCH, LOCATION, LOCATION_MATCH, IF = range(7)


class Option(IntFlag):
    INDEXES, FOLLOW_SYMLINKS, SYMLINKS_IF_OWNER, EXEC_CGI, MULTIVIEWS, INCLUDES = 1, 2, 4, 8, 16, 32


class Override(IntFlag):
    """SOME_OPTIONS: not all Options, but those whose bits stand OPTIONS_SHIFT bits higher."""

    AUTHCONFIG, FILEINFO, INDEXES, LIMIT, OPTIONS, ALL, SOME_OPTIONS = 1, 2, 4, 8, 16, 31, 64


OPTIONS_SHIFT = 8


class AliasKind(IntEnum):
    PLAIN, MATCH, REDIRECT, REDIRECT_MATCH, SCRIPT, WSGI, ASGI = range(7)


class HeaderOp(IntEnum):
    SET, ADD, APPEND, MERGE, UNSET, SETIFEMPTY, EDIT, EDIT_ALL, NOTE = range(9)


class RequireKind(IntEnum):
    ALL_OF, ANY_OF, NONE_OF, GRANTED, DENIED, IP, LOCAL, HOST, METHOD, ENV, USER, GROUP, VALID_USER, EXPR = range(14)


class Protocol(IntEnum):
    HTTP, FASTCGI, SCGI, UWSGI = range(4)


class IndexOption(IntFlag):
    FOLDERS_FIRST, IGNORE_CASE, SUPPRESS_SIZE, SUPPRESS_LAST_MODIFIED, VERSION_SORT, SUPPRESS_COLUMN_SORTING, IGNORE_CLIENT = 1, 2, 4, 8, 16, 32, 64
    SUPPRESS_ICON, SUPPRESS_DESCRIPTION, ICONS_ARE_LINKS, SUPPRESS_HTML_PREAMBLE = 128, 256, 512, 1024


class TextKind(IntEnum):
    LOG_FORMAT, ERROR_FORMAT, ERROR_FORMAT_CONNECTION, ERROR_FORMAT_REQUEST, CONDITION, EXPR, RESTRICTED_CONDITION, RESTRICTED_EXPR = range(8)


class IndexMarkKind(IntEnum):
    NAME, TYPE, ENCODING, DIRECTORY, BLANK = range(5)


@dataclass(frozen=True, slots=True)
class IndexMark:
    kind: IndexMarkKind
    pattern: str
    value: str


@dataclass(frozen=True, slots=True)
class Pair:
    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Regex:
    pattern: str
    nocase: bool = False


@dataclass(frozen=True, slots=True)
class Expr:
    """kind: 0 a condition, 1 a text (enum expr_kind)."""

    text: str
    kind: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """The place of a section; what is set in it is kept beside (build.SectionDraft)."""

    id: int
    kind: SectionKind
    pattern: str
    is_glob: bool = False
    regex: Regex | None = None
    parent_id: int = -1
    condition: Expr | None = None
    else_of: int = 0


@dataclass(frozen=True, slots=True)
class Alias:
    kind: AliasKind
    from_: str | None
    to: str | None
    status: int = 0
    regex: Regex | None = None


@dataclass(frozen=True, slots=True)
class HeaderRule:
    op: HeaderOp
    always: bool
    name: str
    value: str | None
    env: str | None
    regex: Regex | None = None
    condition: Expr | None = None
    value_expr: Expr | None = None


@dataclass(frozen=True, slots=True)
class SetEnvIf:
    attribute: str
    attribute_regex: Regex | None
    regex: Regex
    set: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Net:
    address: bytes  # 16; IPv4 as ::ffff:a.b.c.d
    bits: int       # of 128


@dataclass(frozen=True, slots=True)
class Require:
    kind: RequireKind
    negate: bool = False
    children: tuple[Require, ...] = ()
    nets: tuple[Net, ...] = ()
    words: tuple[str, ...] = ()
    expr: Expr | None = None


@dataclass(frozen=True, slots=True)
class ErrorDocument:
    status: int
    target: str


@dataclass(frozen=True, slots=True)
class Hook:
    handler: str
    directory: str | None = None
    is_location: bool = False
    directory_is_pattern: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class HookList:
    phase: Phase
    extension: str | None
    hooks: tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    name: str
    hook: Hook


@dataclass(frozen=True, slots=True)
class ModuleLevel:
    module: str
    level: int


@dataclass(frozen=True, slots=True)
class AccessLog:
    path: str
    format: str
    env: str | None = None
    condition: Expr | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    initial_ms: int
    max_ms: int
    min_bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Address:
    family: int = 0  # AF_*; 0: any
    address: bytes = bytes(16)
    port: int = 0
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Listen:
    address: Address
    protocol: Protocol
    where: str


@dataclass(frozen=True, slots=True)
class Import:
    module: str
    function: str | None
    interpreter: str

"""The shape of the table of directives: what a row says, and the rules by which values are gathered and merged."""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .parser import Place

__all__ = [
    "ALIASES_FIRST",
    "APPEND",
    "CONTEXTS",
    "KEYED",
    "KEYED_LISTS",
    "LIST",
    "OPTIONS",
    "OVERLAY",
    "Context",
    "Convert",
    "Directive",
    "Rule",
    "Several",
]

CONTEXTS = {"S": "server", "V": "virtual host", "D": "directory", "L": "location", "F": "files", "H": ".htaccess"}


class Several(tuple[Any, ...]):
    """Values for each of a directive's fields, in their order; None: leave that field alone."""

    __slots__ = ()


def unchecked(_kind: int, _text: str) -> None:
    """Take any text: for defaults, and where C is not there to ask."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a converter may know of the place it works for.

    where: one letter of CONTEXTS; place: file and line; server_root: for relative paths; name: the directive as written;
    directory: of handlers, as mod_python defines it; is_location, directory_is_pattern: of that directory; parser's defines in defines.
    warn: called with a sentence for what is allowed but probably not meant. check: called with a model.TextKind and a text in that language,
    raises ValueError. args: the words as they stand in the file. options: bits of those Options that AllowOverride leaves to this file, -1: all.
    """

    where: str
    place: Place
    server_root: str
    name: str
    warn: Callable[[str], None]
    directory: str | None = None
    is_location: bool = False
    directory_is_pattern: bool = False
    check_files: bool = True
    check: Callable[[int, str], None] = unchecked
    args: str = ""
    options: int = -1


Convert = Callable[[Context, Sequence[str]], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """How values of one field come together.

    gather(old, new): within one section, in the order of the file; merge(outer, inner): a more specific section over a more general one.
    word: how the reference page calls it.
    """

    word: str
    gather: Callable[[Any, Any], Any]
    merge: Callable[[Any, Any], Any]


def last(_old: Any, new: Any) -> Any:
    return new


def overlay(old: dict[Any, Any], new: dict[Any, Any]) -> dict[Any, Any]:
    return {**old, **new}


def gather_lists(old: dict[Any, tuple[Any, ...]], new: dict[Any, tuple[Any, ...]]) -> dict[Any, tuple[Any, ...]]:
    return {**old, **{key: old.get(key, ()) + value for key, value in new.items()}}


def combine_options(old: tuple[bool, int, int], new: tuple[bool, int, int]) -> tuple[bool, int, int]:
    """(absolute, added bits, removed bits): `Options Indexes` starts anew, `Options +Indexes` changes what is there."""
    if new[0]:
        return new
    return old[0], (old[1] & ~new[2]) | new[1], (old[2] & ~new[1]) | new[2]


def inner_first(outer: Any, inner: Any) -> Any:
    return inner + outer


OVERLAY = Rule("the more specific one wins", last, last)
APPEND = Rule("added to the more general ones", operator.add, operator.add)
ALIASES_FIRST = Rule("added, the more specific ones are tried first", operator.add, inner_first)
LIST = Rule("the more specific list replaces the general one; repeated in one section: added", operator.add, last)
KEYED = Rule("the more specific one wins, name by name", overlay, overlay)
KEYED_LISTS = Rule("list by list: the more specific list replaces the general one; repeated in one section: added", gather_lists, overlay)
OPTIONS = Rule("the more specific one wins; words with + or - change the general one", combine_options, combine_options)


@dataclass(frozen=True, slots=True)
class Directive:
    """One row. contexts: letters of CONTEXTS; syntax: its arguments, for people; convert: from words to the value of fields.

    least, most: how many words (most -1: any number; raw: one word, the text as written, without quote processing);
    default: as it would be written, or "(…)" for prose, or "" for none; unit of the value; override: class of AllowOverride that lets
    .htaccess have it ("" with H: any class); fields: "main.x", "server.x" or "dir.x" of conf.h, or with a leading underscore after the dot for
    values that only Python's side knows; doc: one line.
    """

    name: str
    contexts: str
    syntax: str
    convert: Convert
    least: int
    most: int
    raw: bool
    default: str
    unit: str
    override: str
    rule: Rule
    fields: tuple[str, ...]
    doc: str

    def arity(self) -> str:
        """What the number of words should be, for an error."""
        if self.most == 0:
            return "no argument expected"
        if self.most < 0:
            return "at least one argument expected" if self.least < 2 else f"at least {self.least} arguments expected"
        if self.least == self.most:
            return "one argument expected" if self.least == 1 else f"{self.least} arguments expected"
        return f"{self.least} to {self.most} arguments expected"

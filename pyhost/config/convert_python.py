"""Converters of mod_python's directives (reference: mod_python.md 1.1 and 1.2). Handler lists are kept by (directive, extension)."""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .model import Filter, Hook, Import, Phase
from .table import Context, Convert, Several
from .values import flag

__all__ = ["INIT_IN_SECTION", "PHASES"]

HANDLER = re.compile(r"[^\s:]+(::[^\s:]+)?")
PHASES: dict[str, Phase] = {
    "PythonPostReadRequestHandler": Phase.POST_READ_REQUEST, "PythonTransHandler": Phase.TRANS, "PythonInitHandler": Phase.POST_READ_REQUEST,
    "PythonHeaderParserHandler": Phase.HEADER_PARSER, "PythonAccessHandler": Phase.ACCESS, "PythonAuthenHandler": Phase.AUTHEN,
    "PythonAuthzHandler": Phase.AUTHZ, "PythonTypeHandler": Phase.TYPE, "PythonFixupHandler": Phase.FIXUP, "PythonHandler": Phase.CONTENT,
    "PythonLogHandler": Phase.LOG, "PythonCleanupHandler": Phase.CLEANUP}
INIT_IN_SECTION = "PythonInitHandler in a section"  # the key of the form that runs in the header parser phase
BEFORE_MAPPING = ("PythonPostReadRequestHandler", "PythonTransHandler")


def make_hook(ctx: Context, word: str, directive: str, silent: bool = False) -> Hook:
    if not HANDLER.fullmatch(word):
        raise ValueError(f"module or module::object expected, not {word}")
    if directive == "PythonInitHandler" and "::" not in word:
        word += "::inithandler"  # C fills in the default object by phase, and this one runs in phases of others
    return Hook(word, ctx.directory, ctx.is_location, ctx.directory_is_pattern, silent)


def key_of(ctx: Context, directive: str, extension: str | None) -> tuple[str, str | None]:
    return (INIT_IN_SECTION if directive == "PythonInitHandler" and ctx.where not in "SV" else directive), extension


def handlers(directive: str) -> Convert:
    """`handler [handler …] [| .ext [.ext …]]`, no quoting."""
    def convert(ctx: Context, words: Sequence[str]) -> dict[tuple[str, str | None], tuple[Hook, ...]]:
        names, bar, filter_ = words[0].partition("|")
        extensions: list[str | None] = [*filter_.split()]
        if not names.split():
            raise ValueError("a handler (module or module::object) expected")
        if bar and directive in BEFORE_MAPPING:
            raise ValueError("no | .ext expected: there is no file yet in this phase")
        if bar and (not extensions or not all(str(e).startswith(".") for e in extensions)):
            raise ValueError("extensions with their dot expected after |")
        hooks = tuple(make_hook(ctx, word, directive) for word in names.split())
        return {key_of(ctx, directive, extension): hooks for extension in extensions or [None]}
    return convert


def handler_module(ctx: Context, words: Sequence[str]) -> dict[tuple[str, str | None], tuple[Hook, ...]]:
    """Each phase for which the module has the function of that name; those before mapping at server level only."""
    result: dict[tuple[str, str | None], tuple[Hook, ...]] = {}
    for directive in PHASES:
        if directive in BEFORE_MAPPING and ctx.where not in "SV":
            continue
        result[key_of(ctx, directive, None)] = tuple(make_hook(ctx, word, directive, silent=True) for word in words[0].split())
    return result


def connection_handler(ctx: Context, words: Sequence[str]) -> str:
    names = words[0].split()
    if len(names) > 1:
        ctx.warn("only the first connection handler is called")
    return make_hook(ctx, names[0], "PythonConnectionHandler").handler


def filter_handler(ctx: Context, words: Sequence[str]) -> dict[str, Filter]:
    """`handler [name]`"""
    name = words[1] if len(words) > 1 else words[0]
    return {name.lower(): Filter(name, make_hook(ctx, words[0], ctx.name))}


def python_flag(name: str) -> Convert:
    """On or Off, and what get_config() shows."""
    def convert(ctx: Context, words: Sequence[str]) -> Several:
        value = flag(ctx, words)
        shown = {name: str(value)}
        return Several((value, shown, shown))
    return convert


def python_text(name: str) -> Convert:
    def convert(_ctx: Context, words: Sequence[str]) -> Several:
        if not words[0]:
            raise ValueError("a word that is not empty expected")
        shown = {name: words[0]}
        return Several((words[0], shown, shown))
    return convert


def python_path(_ctx: Context, words: Sequence[str]) -> Several:
    """A Python expression; its syntax is checked, its value is not known before it runs."""
    try:
        compile(words[0], "PythonPath", "eval")
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"a Python expression expected ({error}): {words[0]}") from None
    shown = {"PythonPath": words[0]}
    return Several((words[0], shown, shown))


def python_option(_ctx: Context, words: Sequence[str]) -> dict[str, tuple[str, str]]:
    """`key [value]`: keys are told apart without case; an empty value takes the option away in req.get_options()."""
    return {words[0].lower(): (words[0], words[1] if len(words) > 1 else "")}


def python_import(ctx: Context, words: Sequence[str]) -> Any:
    module, _, function = words[0].partition("::")
    if not HANDLER.fullmatch(words[0]):
        raise ValueError(f"module or module::function expected, not {words[0]}")
    if ctx.where != "S":
        ctx.warn("PythonImport in a virtual host is not carried out, as in mod_python: put it outside")
        return ()
    return (Import(module, function or None, words[1]),)


def library_names(_ctx: Context, words: Sequence[str]) -> tuple[str, ...]:
    """Beginnings of file names, `libfoo` for libfoo.so.1."""
    for word in words:
        if "/" in word:
            raise ValueError(f"the beginning of a file name without folders expected, not {word}")
    return tuple(words)

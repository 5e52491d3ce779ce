"""Converters of the directives of logs: where lines go, which, and in what form."""
from __future__ import annotations

import os
from collections.abc import Sequence

from .convert import condition_of
from .model import AccessLog, TextKind
from .modules import identifier, is_known
from .table import Context
from .values import absolute_path

__all__ = ["COMBINED", "COMMON", "custom_log", "error_log", "error_log_format", "log_format", "log_levels", "transfer_log"]

COMMON = '%h %l %u %t "%r" %>s %b'
COMBINED = COMMON + ' "%{Referer}i" "%{User-Agent}i"'


def log_target(ctx: Context, word: str) -> str:
    """An absolute file or `|command`."""
    if word.startswith("|"):
        if not word.lstrip("|$").strip():
            raise ValueError("a command expected after |")
        return "|" + word[1:].removeprefix("|").lstrip("$").strip()
    whole = absolute_path(ctx, word)
    if ctx.check_files and not os.path.isdir(os.path.dirname(whole)):
        raise ValueError(f"a file in a folder that is there expected, not {whole}")
    return whole


def error_log(ctx: Context, words: Sequence[str]) -> str:
    lower = words[0].lower()
    return lower if lower == "syslog" or lower.startswith("syslog:") else log_target(ctx, words[0])


LEVELS = {"emerg": 0, "alert": 1, "crit": 2, "error": 3, "warn": 4, "notice": 5, "info": 6, "debug": 7, **{f"trace{n}": 8 for n in range(1, 9)}}
LOGGERS = ("access", "asgi", "cgi", "config", "core", "coro", "env", "fastcgi", "green", "python", "remoteip", "route", "scgi", "sentinel", "static", "uwsgi", "websocket",
           "wsgi")  # the modules that our own lines name

SPOKEN_FOR = {"cgid": "cgi"}  # httpd's names of modules whose lines have another one here


def log_levels(_ctx: Context, words: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """`level` and `module:level`: ("", level) and (module, level). httpd's other modules may be named; they never say anything."""
    found = []
    for word in words:
        module, colon, level = word.rpartition(":")
        name = SPOKEN_FOR.get(identifier(module), identifier(module))
        if colon and name not in LOGGERS and not is_known(name):
            raise ValueError(f"a module ({', '.join(LOGGERS)}) before the colon expected, not {module}")
        if level.lower() not in LEVELS:
            raise ValueError(f"{', '.join(LEVELS)} expected, not {level}")
        found.append((name, LEVELS[level.lower()]))
    return tuple(found)


EVENT_FORMATS = {"": TextKind.ERROR_FORMAT, "connection": TextKind.ERROR_FORMAT_CONNECTION, "request": TextKind.ERROR_FORMAT_REQUEST}


def error_log_format(ctx: Context, words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`[connection|request] format`"""
    kind = words[0].lower() if len(words) > 1 else ""
    if kind not in EVENT_FORMATS:
        raise ValueError(f"connection or request expected before a format, not {words[0]}")
    if not words[-1]:
        raise ValueError("a format that is not empty expected")
    ctx.check(EVENT_FORMATS[kind], words[-1])
    return {kind: (words[-1],)}


def log_format(ctx: Context, words: Sequence[str]) -> dict[str, str]:
    """Without a nickname: the default format of TransferLog."""
    ctx.check(TextKind.LOG_FORMAT, words[0])
    return {words[1] if len(words) > 1 else "": words[0]}


def custom_log(ctx: Context, words: Sequence[str]) -> tuple[AccessLog, ...]:
    """`target [format or nickname] [env=[!]VAR|expr=condition]`; the nickname is looked up when all formats are known."""
    rest = list(words)
    env, condition = condition_of(ctx, rest, 1)
    if not 1 <= len(rest) <= 2:
        raise ValueError("a file or |command, a format and env=VAR or expr=condition expected")
    if len(rest) > 1:
        ctx.check(TextKind.LOG_FORMAT, rest[1])
    return (AccessLog(log_target(ctx, rest[0]), rest[1] if len(rest) > 1 else "combined", env, condition),)


def transfer_log(ctx: Context, words: Sequence[str]) -> tuple[AccessLog, ...]:
    return (AccessLog(log_target(ctx, words[0]), ""),)

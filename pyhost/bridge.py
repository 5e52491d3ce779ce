"""The door into C: the only importer of `_pyhost`, which exists inside the pyhost program alone."""
from __future__ import annotations

from typing import Any

__all__ = ["available", "configure", "ffi", "generations_in_use", "lib", "limit", "log", "open_check", "regex_error", "slots", "text_error"]

try:
    from _pyhost import ffi, lib  # type: ignore[import-not-found]
except ImportError:  # an ordinary Python: the configuration can be read and checked, not served
    ffi = lib = None

ROOM = 1024
SLOT_VALUES = 32
SLOT_FREE = 0


def available() -> bool:
    """Does this Python run inside the program?"""
    return lib is not None


def text_of(buffer: Any) -> str:
    return str(ffi.string(buffer).decode("utf-8", "replace"))


def regex_error(regex: Any) -> str | None:
    """What PCRE2 finds wrong with a model.Regex, None when it is good."""
    room = ffi.new("char[]", ROOM)
    pattern = ffi.new("char[]", regex.pattern.encode("utf-8", "surrogateescape"))
    compiled = ffi.new("struct regex_conf *", {"pattern": pattern, "nocase": int(regex.nocase)})
    if lib.bridge_regex_compile(compiled, room, ROOM) < 0:
        return text_of(room)
    lib.bridge_regex_free(compiled)
    return None


def text_error(kind: int, text: str) -> str | None:
    """What is wrong with a text of a model.TextKind, None when it is good."""
    room = ffi.new("char[]", ROOM)
    bad = lib.bridge_text_check(kind, ffi.new("char[]", text.encode("utf-8", "surrogateescape")), room, ROOM) < 0
    return text_of(room) if bad else None


def configure(main: Any) -> None:
    """Make it the configuration that is served from now on; the caller keeps it alive."""
    lib.bridge_configure(main)


def open_check(main: Any) -> str | None:
    """Open listeners and logs of a configuration; what failed, None when all is well."""
    room = ffi.new("char[]", ROOM)
    return text_of(room) if lib.bridge_open(main, room, ROOM) < 0 else None


def log(level: int, module: str, message: str) -> None:
    """Write one line into the error log."""
    data = message.encode("utf-8", "surrogateescape")
    lib.bridge_log(level, module.encode(), data, len(data))


def limit(name: str) -> int:
    """One of the server's own bounds (csrc/limit.h) by name; -1: unknown."""
    return int(lib.bridge_limit(name.encode()))


def slots() -> list[list[int]]:
    """The scoreboard (csrc/shm.h, in bridge_slot_read's order): one list for each slot."""
    out = ffi.new("int64_t[]", SLOT_VALUES)
    found: list[list[int]] = []
    while (count := lib.bridge_slot_read(len(found), out, SLOT_VALUES)) > 0:
        found.append(list(out[0:min(count, SLOT_VALUES)]))
    return found


def generations_in_use() -> set[int]:
    """Generations of configurations that the master has in force or some worker serves with; a dead one counts until the master has buried it."""
    current = {int(lib.bridge_generation())} - {0}
    return current | {slot[2] for slot in slots() if slot[0] > 0 and slot[1] != SLOT_FREE}

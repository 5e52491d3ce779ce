"""What the program is made of: directives, modules, build settings, as text and as the reference page."""
from __future__ import annotations

import platform
import struct
import sys
import sysconfig

from .. import __version__
from ..config.directives import TABLE
from ..config.modules import BUILT_IN
from ..config.table import CONTEXTS, Directive

__all__ = ["build_settings", "built_in", "directives", "markdown", "modules"]


def contexts(row: Directive) -> str:
    return "everywhere" if set(row.contexts) == set(CONTEXTS) else ", ".join(CONTEXTS[letter] for letter in row.contexts)


def override(row: Directive) -> str:
    return f" (AllowOverride {row.override or 'any class'})" if "H" in row.contexts else ""


def default(row: Directive) -> str:
    text = row.default or "none"
    return f"{text} {row.unit}" if row.unit and text.isdigit() else text


def directives() -> str:
    """One block for each directive, by name."""
    blocks = []
    for row in sorted(TABLE.values(), key=lambda each: each.name.lower()):
        blocks.append(f"{row.name} {row.syntax}\n\t{row.doc}\n\tAllowed in: {contexts(row)}{override(row)}\n\tDefault: {default(row)}"
                      + (f"\n\tUnit: {row.unit}" if row.unit else ""))
    return "\n".join(blocks)


def markdown() -> str:
    """The reference page."""
    lines = ["# Directives", "", "Printed from the table of the program by `pyhost -L --markdown`; do not edit.", "",
             "Names are httpd's where httpd has the thing, mod_python's for `Python*`, and `Py*` for what is new. Times may have a suffix:",
             "`ms`, `s`, `min`, `h`. *Merging* says how a section's value meets those of more general sections.", ""]
    for row in sorted(TABLE.values(), key=lambda each: each.name.lower()):
        lines += [f"## {row.name}", "", row.doc, "", f"* Syntax: `{row.name} {row.syntax}`", f"* Allowed in: {contexts(row)}{override(row)}",
                  f"* Default: {default(row)}", *([f"* Unit: {row.unit}"] if row.unit else []), f"* Merging: {row.rule.word}", ""]
    return "\n".join(lines).rstrip()


def built_in() -> str:
    """httpd's -l."""
    return "\n".join(["Compiled in modules:", *(f"  {'core' if name == 'core' else 'mod_' + name}.c" for name in BUILT_IN)])


def modules() -> str:
    """httpd's -M."""
    return "\n".join(["Loaded Modules:", *(f" {name}_module (static)  {what}" for name, what in BUILT_IN.items())])


def green_calls() -> tuple[str, ...]:
    """The system calls of handlers that give way; none outside the program."""
    try:
        import _coro
    except ImportError:
        return ()
    return tuple(map(str, _coro.green_calls()))


def build_settings() -> str:
    """httpd's -V, with Python's part."""
    from importlib import metadata
    build = sysconfig.get_config_var("LDLIBRARY")
    rows = {"Python": f"{platform.python_version()} ({build}), prefix {sys.prefix}", "greenlet": metadata.version("greenlet"),
            "Architecture": f"{8 * struct.calcsize('P')}-bit {platform.machine()}", "C library": " ".join(platform.libc_ver()),
            "Server MPM": "event (master, workers; one epoll loop each, requests in greenlets)",
            "Green calls": " ".join(green_calls()), "Packages from": sys.modules["pyhost"].__path__[0]}
    return "\n".join([f"Server version: pyhost/{__version__}", *(f"{name + ':':<16}{value}" for name, value in rows.items())])

"""How rows of the table are written down shortly, and the words for where directives stand."""
from __future__ import annotations

from .table import OVERLAY, Convert, Directive, Rule

__all__ = ["ANYWHERE", "MAIN", "SECTIONS", "SERVER", "row"]

MAIN, SERVER, SECTIONS, ANYWHERE = "S", "SV", "DLFH", "SVDLFH"


def row(name: str, contexts: str, syntax: str, convert: Convert, words: str, fields: str, doc: str, *, default: str = "", unit: str = "",
        override: str = "", rule: Rule = OVERLAY) -> Directive:
    """One directive. words: "1", "1-2", "1-" (any number from 1 on) or "raw"; fields: names with a space between (table.Directive)."""
    least, dash, most = words.partition("-")
    raw = words == "raw"
    bounds = (1, 1) if raw else (int(least), int(most) if most else -1 if dash else int(least))
    return Directive(name, contexts, syntax, convert, *bounds, raw, default, unit, override, rule, tuple(fields.split()), doc)

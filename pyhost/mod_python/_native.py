"""The door to C: the builtin module `_apache` in the server, `_outside` elsewhere (unit tests of applications, scripts)."""
from __future__ import annotations

import importlib
from typing import Any

__all__ = ["INSIDE", "SERVER_RETURN", "native", "table"]


def _find() -> tuple[Any, bool]:
    try:
        return importlib.import_module("_apache"), True
    except ModuleNotFoundError:
        from . import _outside

        return _outside, False


native, INSIDE = _find()
#: Raised to end a handler with a status; `_apache.SERVER_RETURN`.
SERVER_RETURN: type[Exception] = native.SERVER_RETURN
#: The ordered multimap with case-insensitive keys; `_apache.table`.
table: Any = native.table

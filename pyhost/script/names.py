"""Names under which scripts written for others find this server: flup's servers (in place of an installed flup's), and gogreen where it is not
installed."""
from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

from ..alias import alias_spec

__all__ = ["install"]

_FLUP = "pyhost.compat.flup"
_GOGREEN = "pyhost.compat.gogreen"
INSTEAD = {f"flup.server.{name}": f"{_FLUP}.server.{name}" for name in
           ("fcgi", "fcgi_fork", "fcgi_single", "scgi", "scgi_fork", "scgi_single")}
WHERE_MISSING = {"flup": _FLUP, "flup.server": f"{_FLUP}.server", "gogreen": _GOGREEN,
                 **{f"gogreen.{name}": f"{_GOGREEN}.{name}" for name in ("coro", "corohttpd", "wsgi", "backdoor")},
                 **{name: f"{_GOGREEN}.{name}" for name in ("coro", "corohttpd", "wsgi", "backdoor")}}


class Finder:
    """Finds what a table names."""

    def __init__(self, table: dict[str, str]) -> None:
        self._table = table

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        real = self._table.get(fullname)
        if real is None:
            return None
        return alias_spec(fullname, real, fullname in ("flup", "flup.server", "gogreen"))


def install() -> None:
    """From now on imports find these names."""
    sys.meta_path.insert(0, Finder(INSTEAD))
    sys.meta_path.append(Finder(WHERE_MISSING))

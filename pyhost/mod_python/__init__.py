"""mod_python's API inside pyhost; applications import it as `mod_python`.

The C half (request, connection, server, filter, table) is the builtin module `_apache`. The Python half is here, one module per name
of mod_python's manual: `apache`, `util`, `Cookie`, `Session`, `publisher`, `psp`, `cgihandler`, `testhandler`, `httpdconf`, `wsgi`.
Everything but the running server itself works outside of it too, for the unit tests of applications.
"""
from __future__ import annotations

__all__ = ["mp_version", "version"]

version = "3.5.0"
mp_version = version

"""What the files say will be needed, so that it is there before the first request. (.htaccess files may name more, later.)"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .merge import Layer
from .model import Alias, AliasKind

if TYPE_CHECKING:
    from .config import Server

__all__ = ["expects_cgi", "modules_expected"]

#: What handlers of these names need in their interpreter, before their own modules.
MODULES = {"mod_python": "pyhost.mod_python.apache", "python-program": "pyhost.mod_python.apache",
           "wsgi": "pyhost.gateway.loader", "asgi": "pyhost.gateway.asgi"}
MAIN = (None, "", "main_interpreter")


def expects_cgi(servers: Sequence[Server]) -> bool:
    """Does something in the files name CGI scripts?"""
    for server in servers:
        aliases: Sequence[Alias] = server.layer.get("server.aliases", ())
        if any(each.kind == AliasKind.SCRIPT for each in aliases) or any("cgi-script" in handlers(layer) for layer in layers(server)):
            return True
    return False


def modules_expected(servers: Sequence[Server]) -> tuple[str, ...]:
    """Return the modules that what the files name will import in the main interpreter."""
    found = {MODULES[name] for server in servers for layer in layers(server)
             if layer.get("dir.python_interpreter", server.base.get("dir.python_interpreter")) in MAIN for name in handlers(layer) if name in MODULES}
    return tuple(sorted(found))


def layers(server: Server) -> Iterator[Layer]:
    yield server.base
    yield from (section.layer for section in server.sections)


def handlers(layer: Layer) -> list[str]:
    return [name for name in (layer.get("dir.set_handler"), *(layer.get("dir.add_handler") or {}).values()) if name]

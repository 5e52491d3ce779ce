"""Servers that a script starts at run time: listeners of the C front end in this very process."""
from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .. import bridge
from ..config import upcalls
from ..config.config import Request
from . import apps

__all__ = ["Address", "keep", "serve", "stop"]

Address = tuple[str, int] | str
_kept: list[Any] = []


@dataclass(frozen=True, slots=True)
class Served:
    """One listener and what is behind it."""

    address: str
    protocol: str
    app: str
    access_log: str | None
    directives: tuple[str, ...]

    def text(self) -> str:
        """As configuration."""
        log = f'CustomLog "{self.access_log}" combined' if self.access_log else ""
        inside = "\n".join((log, f"PyWSGIAlias / pyhost.script.apps:{self.app}", *self.directives))
        host = self.address.replace("0.0.0.0:", "*:").replace("[::]:", "*:")  # clients come to some address, never to this one
        return f'Listen "{self.address}" {self.protocol}\n<VirtualHost "{host}">\n{inside}\n</VirtualHost>\n'


_served: list[Served] = []
_count = [0]


def keep(made: Any) -> None:
    """Requests in flight point into configurations that have been replaced."""
    _kept.append(made)


def serve(app: Callable[..., Iterable[bytes]], address: Address, protocol: str = "http", access_log: str | None = None,
          directives: Iterable[str] = ()) -> Address:
    """Serve a WSGI application from now on; returns at once.

    address: (host, port), port 0 takes a free one, or the path of a unix socket. protocol: http, fastcgi, scgi or uwsgi. access_log: file.
    directives: of the configuration, for this server. Returns the address. Raises OSError: it cannot be listened to. Never switches.
    """
    if not bridge.available():
        raise RuntimeError("only a script that pyhost runs can serve: pyhost script.py")
    if not isinstance(address, str) and address[1] == 0:
        address = (address[0], free_port(address[0]))
    name = f"app{_count[0]}"
    _count[0] += 1
    setattr(apps, name, app)
    one = Served(address_text(address), protocol, name, os.path.abspath(access_log) if access_log else None, tuple(directives))
    install([*_served, one])
    _served.append(one)
    return address


def stop(address: Address) -> None:
    """Serve no longer there; requests in flight go on. Never switches."""
    left = [each for each in _served if each.address != address_text(address)]
    if len(left) != len(_served):
        install(left)
        _served[:] = left


def install(served: list[Served]) -> None:
    request = Request(None, os.getcwd(), one_process=True, after=(
        "ServerName localhost\nLogLevel warn\nDirectorySlash Off\nGracefulShutdownTimeout 10\n" + "".join(each.text() for each in served),))
    made = upcalls.install(request)
    made.main.script = 1
    made.main.pid_file = bridge.ffi.NULL
    keep(made)
    room = bridge.ffi.new("char[]", bridge.ROOM)
    if bridge.lib.bridge_serve(made.main, room, bridge.ROOM) < 0:
        raise OSError(bridge.text_of(room))


def address_text(address: Address) -> str:
    """As Listen has it."""
    if isinstance(address, str):
        return "unix:" + os.path.abspath(address)
    host, port = address
    host = {"": "0.0.0.0", "localhost": "127.0.0.1"}.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])

"""coro_work in a handler of pyhost: /work?NAME answers a number, /echo?FD... starts the echo server and answers its port."""
from __future__ import annotations

import socket
from typing import Any
from urllib.parse import unquote

import coro_work
from mod_python import apache

from pyhost import coro


def handler(req: Any) -> int:
    req.content_type = "text/plain"
    name = unquote(req.args)
    if name == "echo":
        listener = socket.create_server(("127.0.0.1", 0), backlog=600)
        coro.spawn(coro_work.echo, listener, coro.spawn)
        req.write(str(listener.getsockname()[1]))
    else:
        req.write(str(coro_work.WORKS[name](coro.spawn, coro.sleep)))
    return int(apache.OK)

"""coro_work on gevent: prints each number on a line, then the port of its echo server, and serves until it is killed."""
from __future__ import annotations

import sys

from gevent import monkey

monkey.patch_all()

import gevent

sys.path.insert(0, sys.argv[1])
import socket

import coro_work

for name in sys.argv[2:]:
    print(coro_work.WORKS[name](gevent.spawn, gevent.sleep), flush=True)
listener = socket.create_server(("127.0.0.1", 0), backlog=600)
print(listener.getsockname()[1], flush=True)
coro_work.echo(listener, gevent.spawn)

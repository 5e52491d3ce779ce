"""Requests that wait 10 ms in a database through a C driver: pyhost beside gunicorn with gevent, which cannot patch the driver."""
from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from support.server import free_port

from . import confs
from .scale import wait_for

__all__ = ["run"]

HERE = Path(__file__).resolve().parent
CONNECTIONS, WARM_SECONDS, SECONDS, AT_LEAST = 200, 6.0, 4.0, 50
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def load(port: int, count: int, warm: float, seconds: float) -> float:
    """Requests per second over so many kept connections, each with one request under way. warm: seconds before counting begins, in which the
    application connects to its database."""
    epoll, sockets, parts = select.epoll(), {}, dict[int, bytes]()
    for _ in range(count):
        each = socket.create_connection(("127.0.0.1", port), 60)
        sockets[each.fileno()], parts[each.fileno()] = each, b""
        epoll.register(each, select.EPOLLIN)
        each.sendall(REQUEST)
    done, start, warming = 0, time.monotonic(), True
    while (now := time.monotonic()) - start < (warm if warming else seconds) or warming:
        if warming and now - start >= warm:
            done, start, warming = 0, now, False
        for fd, _ in epoll.poll(0.1):
            got = sockets[fd].recv(4096)
            if not got:
                raise RuntimeError(f"the server on {port} has closed a connection")
            parts[fd] += got
            if parts[fd].endswith(b"\r\n\r\nslept"):
                if not parts[fd].startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(repr(parts[fd]))
                done, parts[fd] = done + 1, b""
                sockets[fd].sendall(REQUEST)
    took = time.monotonic() - start
    for each in sockets.values():
        each.close()
    epoll.close()
    return done / took


def measure(command: list[str], port: int, database: str) -> float:
    server = subprocess.Popen(command, env={**os.environ, "DB": database, "PYTHONPATH": str(HERE)}, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        return load(port, CONNECTIONS, WARM_SECONDS, SECONDS)
    finally:
        server.terminate()
        server.wait()


def run(home: Path, peers: Path) -> None:
    """Print both and their ratio. peers: the Python that has gunicorn and gevent."""
    print("== 10 ms in MariaDB through mysqlclient (C) ==")
    for python, names in ((sys.executable, "MySQLdb"), (str(peers), "MySQLdb, gevent, gunicorn")):
        if subprocess.run([python, "-c", f"import {names}"], stderr=subprocess.DEVNULL).returncode:
            print(f"not installed for {python}: one of {names}")
            return
    from support.databases import mariadb
    conf, ports = home / "driver.conf", {name: free_port() for name in ("pyhost", "gunicorn-gevent")}
    conf.write_text(confs.COMMON.format(home=home, name="driver", port=ports["pyhost"], reload="Off") + f"PyWSGIAlias / {HERE}/driver_app.py:application\n")
    commands = {"pyhost": [str(confs.program()), "-X", "-f", str(conf)],
                "gunicorn-gevent": [str(peers), "-m", "gunicorn", "-b", f"127.0.0.1:{ports['gunicorn-gevent']}", "-w", "1", "-k", "gevent",
                                    "--worker-connections", "1000", "driver_app:application"]}
    with mariadb() as database:
        found = {name: measure(command, ports[name], database) for name, command in commands.items()}
    for name, rate in found.items():
        print(f"{name:<20}{rate:10.0f} requests/s, {CONNECTIONS} connections")
    print(f"ratio {found['pyhost'] / found['gunicorn-gevent']:.0f} (at least {AT_LEAST})", flush=True)

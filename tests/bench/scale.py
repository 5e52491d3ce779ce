"""CPU per request as connections, virtual hosts and locations grow: flat is the aim."""
from __future__ import annotations

import resource
import socket
import subprocess
import time
from pathlib import Path

from . import confs
from .peer import cpu_seconds, wrk


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


def measure(conf: Path, port: int, path: str, connections: int, idle: int = 0) -> float:
    """CPU microseconds per request under wrk with that many active connections and idle ones beside them."""
    server = subprocess.Popen(["taskset", "-c", "0", str(confs.program()), "-X", "-f", str(conf)])
    held: list[socket.socket] = []
    try:
        wait_for(port)
        for _ in range(idle):
            held.append(socket.create_connection(("127.0.0.1", port), 5))
            held[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            held[-1].recv(4096)
        costs = []
        for _ in range(5):
            before = cpu_seconds(server.pid)
            count, _ = wrk(f"http://127.0.0.1:{port}{path}", connections, 2, cpu=1)
            costs.append((cpu_seconds(server.pid) - before) / count * 1e6)
        return sorted(costs)[len(costs) // 2]
    finally:
        for each in held:
            each.close()
        server.terminate()
        server.wait()


def run(made: dict[str, tuple[int, Path, str]]) -> None:
    """Print the table."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    base = 0.0
    print("== scale: CPU us per request ==")
    for label, kind, connections, idle in (("64 connections", "handler", 64, 0), ("and 10,000 idle ones", "handler", 64, 10000),
                                           ("1,000 virtual hosts", "vhosts-1000", 64, 0), ("1,000 locations", "locations-1000", 64, 0)):
        port, conf, path = made[kind]
        cost = measure(conf, port, path, connections, idle)
        base = base or cost
        print(f"{label:24s} {cost:6.2f} us  {cost / base:5.2f}", flush=True)

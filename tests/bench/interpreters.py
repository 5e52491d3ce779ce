"""Named interpreters in one process: how long each takes to start, what memory it keeps, and what a request in the last one costs."""
from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from support.server import free_port

from . import confs
from .scale import wait_for

COUNTS = (1, 10, 100, 300)


def memory_kib(pid: int) -> int:
    """Proportional set size of a process, KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def ask(port: int, number: int) -> float:
    """Ask a page of one interpreter; seconds it took."""
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(f"GET /i{number} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"interpreter {number}: {answer[:200]!r}")
    return time.perf_counter() - start


def run(home: Path) -> None:
    """Print the table."""
    sections = "".join(f"<Location /i{n}>\nSetHandler mod_python\nPythonPath \"sys.path+['{home}']\"\nPythonHandler bench_handler\n"
                       f"PythonInterpreter named{n}\n</Location>\n" for n in range(max(COUNTS)))
    port = free_port()
    conf = home / "interpreters.conf"
    conf.write_text(confs.COMMON.format(home=home, name="interpreters", port=port, reload="On") + sections)
    server = subprocess.Popen([str(confs.program()), "-X", "-f", str(conf)])
    try:
        wait_for(port)
        base, made = memory_kib(server.pid), 0
        print("== named interpreters in one process ==")
        for count in COUNTS:
            started = sum(ask(port, number) for number in range(made, count))
            each, memory = started / (count - made) * 1000, (memory_kib(server.pid) - base) / count / 1024
            made = count
            again = sorted(ask(port, count - 1) for _ in range(21))[10] * 1e6
            print(f"{count:4d} interpreters: {each:6.1f} ms to start one, {memory:5.2f} MiB each, a request in the last one {again:5.0f} us", flush=True)
    finally:
        server.terminate()
        server.wait()

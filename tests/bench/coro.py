"""What waiting costs, beside gevent: the same Python code in a handler of pyhost and in a script patched by gevent."""
from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from . import confs
from .coro_work import READY_RECV, WORKS

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
ECHOES = (50, 500)
SECONDS = 3
ROUNDS = 5
CONF = """\
ServerRoot "{root}"
ServerName localhost
PidFile "{root}/pid"
ErrorLog "{root}/error.log"
DocumentRoot "{root}"
Listen 127.0.0.1:{port}
Timeout 600
<Location />
    SetHandler mod_python
    PythonHandler coro_app
    PythonPath "['{here}'] + sys.path"
    PyBlockedWarning Off
</Location>
"""


def fetch(port: int, name: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/work?{urllib.parse.quote(name)}", timeout=600) as answer:
        return str(answer.read().decode())


def echo(client: Path, port: int) -> list[float]:
    return [float(subprocess.run([client, str(port), str(count), str(SECONDS)], check=True, capture_output=True, text=True).stdout) for count in ECHOES]


def of_plain() -> tuple[float, float]:
    """What a ready recv costs in plain Python: alone, and in a process with a second thread, as pyhost is one."""
    done = subprocess.run([sys.executable, str(HERE / "coro_work.py"), READY_RECV], check=True, capture_output=True, text=True)
    alone, threaded = done.stdout.split()
    return float(alone), float(threaded)


def of_pyhost(root: Path, client: Path) -> list[float]:
    import socket
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    conf = root / "coro.conf"
    conf.write_text(CONF.format(root=root, port=port, here=HERE))
    with subprocess.Popen([str(confs.program()), "-X", "-f", str(conf)]) as process:
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            found = [float(fetch(port, name)) for name in WORKS]
            rounds = [(float(fetch(port, READY_RECV)), *of_plain()) for _ in range(ROUNDS)]  # in turns: all see the same noise
            ready, alone, threaded = (min(column) for column in zip(*rounds, strict=True))
            print(f"ready recv: {ready:.0f} ns in a handler; plain Python {alone:.0f} ns ({ready - alone:+.0f}), with a second thread "
                  f"{threaded:.0f} ns ({ready - threaded:+.0f}; at most +20)", flush=True)
            return [*found, *echo(client, int(fetch(port, "echo")))]
        finally:
            process.terminate()


def of_gevent(client: Path) -> list[float] | None:
    command = [sys.executable, str(HERE / "coro_gevent.py"), str(HERE), *WORKS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(len(WORKS) + 1)]
            if not all(lines):
                return None
            return [*(float(line) for line in lines[:-1]), *echo(client, int(lines[-1]))]
        finally:
            process.kill()


def main() -> None:
    """Print one row per work: pyhost, gevent, and their ratio."""
    with tempfile.TemporaryDirectory(prefix="pyhost-bench-") as name:
        root, client = Path(name), Path(name) / "echo_client"
        subprocess.run(["cc", "-O2", "-o", str(client), str(HERE / "echo_client.c")], check=True)
        ours, theirs = of_pyhost(root, client), of_gevent(client)
    print(f"{'work':<30}{'pyhost':>12}{'gevent':>12}{'ratio':>9}")
    for row, work in enumerate([*WORKS, *(f"echo, {count} connections, msg/s" for count in ECHOES)]):
        peer = theirs[row] if theirs else float("nan")
        print(f"{work:<30}{ours[row]:>12.1f}{peer:>12.1f}{ours[row] / peer:>9.2f}", flush=True)


if __name__ == "__main__":
    main()

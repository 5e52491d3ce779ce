"""WSGI and ASGI beside their peers: `python -m bench.wsgi [--rounds n] [--seconds s]`, in tests/, also a part of `make bench`. A table of what was
measured, one of the standards that it has to meet, and a plot as SVG.

Bodies of 13 bytes, 64 KiB and 10 MiB by each server that is installed in BENCH_HOME's venv (compare.py setup), Flask's hello by the WSGI ones.
A server runs on CPU 0, wrk on CPU 1; servers take turns round by round. The figure to quote is CPU per request: it hardly depends on what else
the machine does, and the least of the rounds is what the work takes.
"""
from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from support.server import free_port

from . import confs
from .peer import HOST, clean_env, cpu_seconds, wrk
from .plot import Panel, bars, time_of

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = Path(os.environ.get("BENCH_HOME", ROOT / ".bench")).resolve()
WORK = HOME / "webapps"  # not HOME itself: what is called pyhost there must not be imported
PYTHON = HOME / "venv" / "bin" / "python"
APP = '''
BODIES = {"/": b"Hello World!\\n", "/64k": b"x" * 65536, "/10m": b"x" * 10485760}

def application(environ, start_response):
    body = BODIES[environ["PATH_INFO"] or "/"]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = BODIES[scope["path"]]
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
'''
FLASK = '''
from flask import Flask, Response
application = Flask(__name__)

@application.route("/")
def hello():
    return Response("Hello World!\\n", mimetype="text/plain")
'''
CONF = """
ServerRoot {home}
PidFile {home}/{name}.pid
ErrorLog {home}/{name}.log
Listen 127.0.0.1:{port}
ServerName localhost
MaxKeepAliveRequests 0
PythonPath "['{home}'{packages}] + sys.path"
{application}
"""
NGINX = """
worker_processes 1; daemon off; error_log stderr; pid nginx.{port}.pid;
events {{ worker_connections 10000; }}
http {{ access_log off; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 "Hello World!\\n"; }} }} }}
"""
ASGI = "<Location />\nSetHandler asgi\nPyWSGIApplication bench_app:asgi\n</Location>"
OURS, FLASK_HELLO = "pyhost WSGI", "Flask hello"
PYTHON_PEERS = ("bjoern", "fastwsgi", "gunicorn", "uWSGI")
LOADS = {"hello": ("/", 64), "64 KiB": ("/64k", 32), "10 MiB": ("/10m", 4)}


@dataclass(slots=True)
class Contender:
    """A server: what runs it ({port} is filled in), which loads it gets, and what was measured."""

    name: str
    command: str
    loads: tuple[str, ...] = tuple(LOADS)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    rows: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def start(self, env: dict[str, str]) -> bool:
        self.port = free_port()
        if self.name == "nginx":
            (WORK / "nginx.conf").write_text(NGINX.format(port=self.port))
        command = ["taskset", "-c", "0", *shlex.split(self.command.format(port=self.port))]
        self.process = subprocess.Popen(command, cwd=WORK, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection((HOST, self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.05)
        self.stop()
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def warm_up(self, load: str) -> None:
        """Imports happen with the first request."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}{LOADS[load.removeprefix('Flask ')][0]}", timeout=20) as answer:
            answer.read()

    def measure(self, load: str, seconds: int) -> None:
        path, connections = LOADS[load.removeprefix("Flask ")]
        assert self.process is not None
        before = cpu_seconds(self.process.pid)
        try:
            requests, rate = wrk(f"http://{HOST}:{self.port}{path}", connections, seconds, cpu=1)
        except RuntimeError as error:
            print(f"{self.name} is not measured: {error}")
            return
        self.rows.setdefault(load, []).append((rate, (cpu_seconds(self.process.pid) - before) / requests * 1e6))

    def best(self, load: str) -> tuple[float, float] | None:
        """Return (requests per second, microseconds of CPU per request), each of its best round."""
        got = self.rows.get(load)
        return (max(rate for rate, _ in got), min(cost for _, cost in got)) if got else None


def pyhost(name: str, application: str) -> str:
    """A configuration whose port is set on the command line; returns the command."""
    packages = "".join(f", '{each}'" for each in (HOME / "venv").glob("lib/python*/site-packages"))
    conf = WORK / f"{name}.conf"
    conf.write_text(CONF.format(home=WORK, name=name, port="${BENCHPORT}", packages=packages, application=application))
    return f"{confs.program()} -X -C 'Define BENCHPORT {{port}}' -f {conf}"


def contenders() -> list[Contender]:
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "bench_app.py").write_text(APP)
    (WORK / "bench_flask.py").write_text(FLASK)
    flask = (FLASK_HELLO,)
    found = [Contender("pyhost WSGI", pyhost("bench_wsgi", "PyWSGIAlias / bench_app:application")),
             Contender("pyhost ASGI", pyhost("bench_asgi", ASGI)),
             Contender("pyhost Flask", pyhost("bench_flask", "PyWSGIAlias / bench_flask:application"), flask)]
    if PYTHON.exists():
        bjoern = f"{PYTHON} -c \"import bjoern, {{module}}; bjoern.run({{module}}.application, '{HOST}', {{{{port}}}})\""
        fast = f"{PYTHON} -c \"import fastwsgi, {{module}}; fastwsgi.run(wsgi_app={{module}}.application, host='{HOST}', port={{{{port}}}})\""
        gunicorn = f"{PYTHON.parent}/gunicorn -b {HOST}:{{{{port}}}} -k gthread --threads 4 --keep-alive 60 --log-level error {{module}}:application"
        uwsgi = f"{PYTHON.parent}/uwsgi --http11-socket {HOST}:{{{{port}}}} --module {{module}}:application --disable-logging --master --die-on-term"
        for name, command in (("bjoern", bjoern), ("fastwsgi", fast), ("gunicorn", gunicorn), ("uWSGI", uwsgi)):
            found += [Contender(name, command.format(module="bench_app")), Contender(f"{name} Flask", command.format(module="bench_flask"), flask)]
        found.append(Contender("uvicorn", f"{PYTHON} -m uvicorn --host {HOST} --port {{port}} --no-access-log --log-level error "
                                          "--loop uvloop --http httptools bench_app:asgi"))
        has_flask = subprocess.run([str(PYTHON), "-c", "import flask"], capture_output=True, check=False).returncode == 0
        found = [each for each in found if has_flask or each.loads != flask]
    if shutil.which("nginx"):
        found.append(Contender("nginx", f"nginx -p {WORK} -c {WORK}/nginx.conf", ("hello",)))
    return found


def least_cost(rows: list[Contender], load: str, names: tuple[str, ...]) -> float | None:
    """Return the least CPU per request of these servers under this load; None: none of them was measured."""
    costs = [cell[1] for each in rows if each.name in names and (cell := each.best(load))]
    return min(costs, default=None)


def standards(rows: list[Contender]) -> str:
    """Return the standards of the project as a table: what is compared, the ratio, what it may be."""
    flasks = tuple(f"{name} Flask" for name in PYTHON_PEERS)
    wanted = [("WSGI hello: CPU, best Python peer", "hello", OURS, PYTHON_PEERS, 0.75), ("WSGI hello: CPU, nginx return 200", "hello", OURS, ("nginx",), 1.05),
              ("Flask hello: CPU, best Python peer", FLASK_HELLO, "pyhost Flask", flasks, 1.0),
              ("ASGI hello: CPU, uvicorn", "hello", "pyhost ASGI", ("uvicorn",), 0.7),
              *((f"ASGI {load}: CPU, uvicorn", load, "pyhost ASGI", ("uvicorn",), 1.0) for load in ("64 KiB", "10 MiB")),
              *((f"WSGI {load}: CPU, bjoern", load, OURS, ("bjoern",), 1.0) for load in ("64 KiB", "10 MiB"))]
    lines = [f"{'pyhost beside':40s}{'ratio':>8s}{'at most':>9s}"]
    for title, load, ours, theirs, most in wanted:
        mine, other = least_cost(rows, load, (ours,)), least_cost(rows, load, theirs)
        if mine is None or not other:
            lines.append(f"{title:40s}{'-':>8s}{most:9.2f}  not measured")
        else:
            lines.append(f"{title:40s}{mine / other:8.2f}{most:9.2f}  {'met' if mine / other <= most else 'MISSED'}")
    return "\n".join(lines)


def table(rows: list[Contender]) -> str:
    lines = [f"{'':16s}" + "".join(f"{load:>26s}" for load in (*LOADS, "Flask hello")), f"{'':16s}" + f"{'req/s':>14s}{'CPU us/req':>12s}" * 4]
    for each in rows:
        cells = [each.best(load) for load in (*LOADS, "Flask hello")]
        lines.append(f"{each.name:16s}" + "".join(f"{cell[0]:14.0f}{cell[1]:12.2f}" if cell else f"{'-':>14s}{'-':>12s}" for cell in cells))
    return "\n".join(lines)


def plot(rows: list[Contender]) -> str:
    """Bars of CPU time per request, shorter is better; one panel for each load, each with a scale of its own."""
    panels = []
    for load in (*LOADS, "Flask hello"):
        found = sorted((cell[1], each.name) for each in rows if (cell := each.best(load)))
        panels.append(Panel(f"{load}: CPU time per request, shorter is better", [(name, cost, time_of(cost)) for cost, name in found]))
    return bars("Python web servers, one process, one CPU", panels)


def run(rounds: int = 3, seconds: int = 2, svg: Path = ROOT / "docs" / "wsgi-bench.svg") -> None:
    """Measure all that are installed, print both tables and write the plot."""
    if not shutil.which("wrk"):
        print("wrk is not installed (Debian: apt-get install wrk): nothing is measured")
        return
    env = clean_env(WORK)
    started = [each for each in contenders() if each.start(env)]
    try:
        for each in started:
            for load in each.loads:
                each.warm_up(load)
        for _ in range(rounds):
            for each in started:
                for load in each.loads:
                    each.measure(load, seconds)
    finally:
        for each in started:
            each.stop()
    print(f"{table(started)}\n\n{standards(started)}")
    svg.write_text(plot(started))
    print(f"the plot: {svg}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--svg", type=Path, default=ROOT / "docs" / "wsgi-bench.svg")
    args = parser.parse_args()
    run(args.rounds, args.seconds, args.svg)


if __name__ == "__main__":
    main()

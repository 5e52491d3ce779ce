"""CPU time per request behind a real nginx, beside flup, flipflop and uWSGI: `python -m bench gateways`.

All serve the same WSGI application in one process, all behind the same nginx, in turns, so that all see the same noise of the machine. The figure is
the CPU time that the processes of the server have used (/proc), over the requests that were answered; of several rounds the smallest counts.
"""
from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, field
from pathlib import Path

from support.nginx import Nginx, program
from support.server import free_port, wait_until

from . import confs
from .plot import markdown, put
from .wsgi import family

__all__ = ["TARGETS", "main", "measured"]

HOST = "127.0.0.1"
PEERS = ("flup-py3", "flipflop", "uwsgi", "gunicorn", "gevent", "packaging")
ROUNDS, SECONDS, CONNECTIONS = 5, 2, 16
APP = '''
BODY = b"Hello World!\\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "13")]

def application(environ, start_response):
    start_response("200 OK", HEADERS)
    return [BODY]
'''
FLUP = "from bench_app import application; from flup.server.{kind} import WSGIServer; WSGIServer(application, bindAddress=('127.0.0.1', {{port}})).run()"
FLIPFLOP = "from bench_app import application; from flipflop import WSGIServer; WSGIServer(application).run()"
CONF = """
ServerRoot {root}
PidFile {root}/{name}.pid
ErrorLog {root}/{name}.log
Listen ${{BENCHADDRESS}} {protocol}
ServerName localhost
PythonAutoReload Off
PythonPath "['{root}'] + sys.path"
PyWSGIAlias / bench_app:application
"""
#: ours, theirs, the most that ours may cost of theirs
TARGETS = (("fastcgi", "pyhost", "flup", 0.35), ("fastcgi", "pyhost", "flipflop", 0.35), ("fastcgi, kept", "pyhost", "flup", 0.35),
           ("uwsgi", "pyhost", "uWSGI", 0.7), ("scgi", "pyhost", "flup", 0.35))
PASS = {"fastcgi": "include {params}/fastcgi_params; fastcgi_pass {address};",
        "fastcgi, kept": "include {params}/fastcgi_params; fastcgi_pass {upstream}; fastcgi_keep_conn on;",
        "scgi": "include {params}/scgi_params; scgi_pass {address};",
        "uwsgi": "include {params}/uwsgi_params; uwsgi_pass {address};",
        "uwsgi, unix": "include {params}/uwsgi_params; uwsgi_pass {address};"}


@dataclass(slots=True)
class Contender:
    """A server behind nginx. command: {port}, {address} or {socket} is filled in; with spawn it finds its listening socket as descriptor 0."""

    protocol: str
    name: str
    command: str
    spawn: bool = False
    port: int = 0
    address: str = ""
    process: subprocess.Popen[bytes] | None = None
    costs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def start(self, root: Path) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | {"PYTHONPATH": str(root)}
        with socket.socket() as listener, open(root / "peers.log", "ab") as log:
            self.port = free_port()
            self.address = f"unix:{root}/{self.name}.sock" if self.protocol.endswith("unix") else f"{HOST}:{self.port}"
            command = self.command.replace("{port}", str(self.port)).replace("{address}", self.address)
            command = command.replace("{socket}", self.address.removeprefix("unix:"))
            if self.spawn:
                listener.bind((HOST, self.port))
                listener.listen(128)
            self.process = subprocess.Popen(shlex.split(command), cwd=root, env=env, start_new_session=True,
                                            stdin=listener if self.spawn else subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.listens, f"{self.name} listens")

    def listens(self) -> bool:
        assert self.process is not None and self.process.poll() is None, f"{self.name} has ended"
        path = self.address.removeprefix("unix:")
        with socket.socket(socket.AF_INET if path == self.address else socket.AF_UNIX) as client:
            return client.connect_ex((HOST, self.port) if path == self.address else path) == 0

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cpu_seconds(self) -> float:
        assert self.process is not None
        ticks = sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) for pid in family(self.process.pid))
        return ticks / os.sysconf("SC_CLK_TCK")

    def measure(self, url: str, seconds: int) -> None:
        before = self.cpu_seconds()
        done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
        requests, rate = re.search(r"(\d+) requests in", done), re.search(r"Requests/sec:\s*([\d.]+)", done)
        if not requests or not rate or not int(requests[1]) or "Non-2xx" in done:
            raise RuntimeError(f"{self.name} by {self.protocol}: {done}")
        self.costs.append((self.cpu_seconds() - before) / int(requests[1]) * 1e6)
        self.rates.append(float(rate[1]))


def peers_python(home: Path) -> Path:
    """The Python of a virtual environment with the peers, of our own version."""
    folder = home / "gateways-venv"
    python = folder / "bin" / "python"
    if not (folder / f"ready-{len(PEERS)}").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PEERS], check=True, stderr=subprocess.DEVNULL)
        (folder / f"ready-{len(PEERS)}").touch()
    return python


def contenders(root: Path, python: Path) -> list[Contender]:
    """Everybody who speaks one of the protocols."""
    (root / "bench_app.py").write_text(APP)
    found = []
    for protocol in PASS:
        kind = protocol.split(",")[0]
        conf = root / f"{protocol.replace(', ', '-')}.conf"
        conf.write_text(CONF.format(root=root, name=conf.stem, protocol=kind))
        found.append(Contender(protocol, "pyhost", f"{confs.program()} -X -C 'Define BENCHADDRESS {{address}}' -f {conf}"))
        if kind != "uwsgi":
            module = "fcgi" if kind == "fastcgi" else "scgi"
            found.append(Contender(protocol, "flup", f'{python} -c "{FLUP.format(kind=module)}"'))
        if kind == "fastcgi":
            found.append(Contender(protocol, "flipflop", f'{python} -c "{FLIPFLOP}"', spawn=True))
        sock = {"fastcgi": "fastcgi-socket", "scgi": "scgi-socket", "uwsgi": "socket"}[kind]
        if protocol != "fastcgi, kept":  # it has no connections that stay
            found.append(Contender(protocol, "uWSGI", f"{python.parent / 'uwsgi'} --{sock} {{socket}} --master --processes 1 --need-app "
                                                      "--single-interpreter --disable-logging --module bench_app:application"))
    return found


def front(root: Path, servers: list[Contender]) -> Nginx:
    http, server = "access_log off;", ""
    for number, each in enumerate(servers):
        fill = {"address": each.address, "upstream": f"kept{number}", "params": "@PARAMS@"}
        http += f" upstream kept{number} {{ server {each.address}; keepalive {CONNECTIONS}; }}"
        server += f"location = /{number} {{ {PASS[each.protocol].format(**fill)} }}\n"
    return Nginx(root / "nginx", server, http)


def measured(root: Path, python: Path, rounds: int = ROUNDS, seconds: int = SECONDS) -> list[Contender]:
    """Run everybody and return them with what they cost; their processes have ended."""
    root.mkdir(parents=True, exist_ok=True)
    servers, proxy = contenders(root, python), None
    try:
        for each in servers:
            each.start(root)
        proxy = front(root, servers)
        for turn in range(rounds + 1):
            for number, each in enumerate(servers):
                each.measure(f"http://{HOST}:{proxy.port}/{number}", seconds if turn else 1)
        for each in servers:  # the first turn was to warm up
            del each.costs[0], each.rates[0]
        return servers
    finally:
        for each in servers:
            each.stop()
        if proxy is not None:
            proxy.stop()


def table(servers: list[Contender]) -> str:
    """What was measured, with the ratios that are promised."""
    cost = {(each.protocol, each.name): min(each.costs) for each in servers}
    ratios = {(protocol, theirs): f"{cost[protocol, ours] / cost[protocol, theirs]:.2f} (at most {most})" for protocol, ours, theirs, most in TARGETS}
    return markdown(["protocol", "server", "CPU time per request", "requests/s", "pyhost's share of it"],
                    [[each.protocol, each.name, f"{min(each.costs):.1f} µs", f"{max(each.rates):.0f}", ratios.get((each.protocol, each.name), "")]
                     for each in servers])


def main(home: Path) -> None:
    """Print the table, and put it into docs/comparison.md."""
    if not program() or not shutil.which("wrk"):
        sys.exit("nginx and wrk are needed (Debian: apt-get install nginx-light wrk)")
    print("== behind nginx ==", flush=True)
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pyhost-gateways-") as name:
        put("gateways", table(measured(Path(name), peers_python(home))))

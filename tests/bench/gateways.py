"""CPU time per request behind a real nginx, beside flup, flipflop and uWSGI: `python -m bench gateways`.

All serve the same WSGI application in one process, all behind the same nginx, in turns, so that all see the same noise of the machine. The figure is
the CPU time that the processes of the server have used (/proc), over the requests that were answered; of several rounds the smallest counts.
"""
from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

from support.nginx import Nginx, program
from support.server import free_port

from . import confs
from .peer import HOST, Peer
from .plot import markdown, put

__all__ = ["TARGETS", "main", "measured"]

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
class Contender(Peer):
    """A server behind nginx. command: {port}, {address} or {socket} is filled in; with spawn it finds its listening socket as descriptor 0."""

    protocol: str
    command: str
    spawn: bool = False
    address: str = ""

    def start(self, root: Path) -> None:
        port = free_port()
        path = f"{root}/{self.name}.sock" if self.protocol.endswith("unix") else None
        self.address = f"unix:{path}" if path else f"{HOST}:{port}"
        command = self.command.replace("{port}", str(port)).replace("{address}", self.address).replace("{socket}", path or self.address)
        with socket.socket() as listener:
            if self.spawn:
                listener.bind((HOST, port))
                listener.listen(128)
            self.run(shlex.split(command), root, path or (HOST, port), listener if self.spawn else subprocess.DEVNULL)


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
        found.append(Contender("pyhost", protocol, f"{confs.program()} -X -C 'Define BENCHADDRESS {{address}}' -f {conf}"))
        if kind != "uwsgi":
            module = "fcgi" if kind == "fastcgi" else "scgi"
            found.append(Contender("flup", protocol, f'{python} -c "{FLUP.format(kind=module)}"'))
        if kind == "fastcgi":
            found.append(Contender("flipflop", protocol, f'{python} -c "{FLIPFLOP}"', spawn=True))
        sock = {"fastcgi": "fastcgi-socket", "scgi": "scgi-socket", "uwsgi": "socket"}[kind]
        if protocol != "fastcgi, kept":  # it has no connections that stay
            found.append(Contender("uWSGI", protocol, f"{python.parent / 'uwsgi'} --{sock} {{socket}} --master --processes 1 --need-app "
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
                each.measure(f"http://{HOST}:{proxy.port}/{number}", CONNECTIONS, seconds if turn else 1)
        for each in servers:
            each.forget_first()
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

"""The claims of the two talks, measured: `python -m bench talks`, in tests/. Writes the tables and plots of docs/comparison.md.

* CGI, FastCGI and in the process: CPU time per request of everything that serves it, nginx and CGI scripts included.
* Threads and coroutines: memory and CPU time of 10,000 that wait, and the time of a switch.
* Sync and coroutine workers: requests per second to an application that waits for 20 ms, as a database makes it wait.
"""
from __future__ import annotations

import json
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.nginx import Nginx, program
from support.server import free_port

from . import confs
from .gateways import FLUP, peers_python
from .peer import HOST, Peer, family
from .plot import DOCS, Panel, bars, markdown, put, time_of

__all__ = ["main"]

HERE = Path(__file__).resolve().parent
ROUNDS, SECONDS, UNITS, WAIT_MS, CLIENTS, SCRIPT_RUNS = 3, 2, 10_000, 20, 200, 20
APP = f'''
import time

def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        time.sleep({WAIT_MS / 1000})
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello World!\\n"]

def handler(req):
    req.content_type = "text/plain"
    req.write("Hello World!\\n")
    return 0
'''
SCRIPT = "#!{python}\nprint('Content-Type: text/plain\\n\\nHello World!')\n"
CONF = """
ServerRoot {root}
PidFile {root}/{name}.pid
ErrorLog {root}/{name}.log
DocumentRoot {root}/www
Listen 127.0.0.1:{port} {protocol}
ServerName localhost
PythonAutoReload Off
PythonPath "['{root}'] + sys.path"
{text}
"""
INSIDE = {
    "cgi": ("http", 'ScriptAlias / "{root}/cgi/"\n<Directory "{root}/cgi">\nRequire all granted\n</Directory>'),
    "cgihandler": ("http", '<Directory "{root}/www">\nRequire all granted\nSetHandler mod_python\nPythonHandler mod_python.cgihandler\n</Directory>'),
    "fastcgi": ("fastcgi", "PyWSGIAlias / bench_app:application"),
    "wsgi": ("http", "PyWSGIAlias / bench_app:application"),
    "mod_python": ("http", "<Location />\nSetHandler mod_python\nPythonHandler bench_app\n</Location>"),
}
APACHE = """
ServerRoot {root}
ServerName localhost
PidFile {root}/apache.pid
ErrorLog {root}/apache.log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule python_module {modules}/mod_python.so
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
<Location />
SetHandler mod_python
PythonHandler bench_app
PythonPath "['{root}'] + sys.path"
</Location>
"""
MODULES = Path("/usr/lib/apache2/modules")


@dataclass(slots=True)
class Server(Peer):
    """What answers. command: its words; target: what is asked for."""

    command: list[str]
    port: int
    target: str = "/"
    front: bool = False  # nginx stands before it

    def start(self, root: Path) -> None:
        self.run(self.command, root, (HOST, self.port))


def script_seconds(path: Path) -> float:
    """CPU time of a CGI script's own process: nobody waits for it whose time could be asked for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(SCRIPT_RUNS):
        subprocess.run([str(path)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / SCRIPT_RUNS


def pss_mib(pid: int) -> float:
    text = "".join(Path(f"/proc/{each}/smaps_rollup").read_text() for each in family(pid))
    return sum(int(found) for found in re.findall(r"^Pss: *(\d+)", text, re.MULTILINE)) / 1024


def pyhost(root: Path, name: str, kind: str, target: str = "/", front: bool = False) -> Server:
    protocol, text = INSIDE[kind]
    port = free_port()
    conf = root / f"{kind}.conf"
    conf.write_text(CONF.format(root=root, name=kind, port=port, protocol=protocol, text=text.format(root=root)))
    return Server(name, [str(confs.program()), "-X", "-f", str(conf)], port, target, front)


def write_programs(root: Path) -> None:
    (root / "bench_app.py").write_text(APP)
    for name in ("cgi", "www"):
        (root / name).mkdir()
        script = root / name / "hello.py"
        script.write_text(SCRIPT.format(python=sys.executable))
        script.chmod(0o755)


# --- CGI, FastCGI, in the process

def ways(root: Path, python: Path) -> list[Server]:
    flup, port = free_port(), free_port()
    (root / "apache.conf").write_text(APACHE.format(root=root, port=port, modules=MODULES))
    found = [
        pyhost(root, "pyhost: CGI", "cgi", "/hello.py"),
        pyhost(root, "pyhost: mod_python.cgihandler", "cgihandler", "/hello.py"),
        Server("nginx, flup: FastCGI", [str(python), "-c", FLUP.format(kind="fcgi").replace("{port}", str(flup))], flup, front=True),
        pyhost(root, "pyhost: FastCGI, with nginx", "fastcgi", front=True),
        pyhost(root, "pyhost: WSGI, in the process", "wsgi"),
        pyhost(root, "pyhost: mod_python handler", "mod_python"),
    ]
    apache = shutil.which("apache2") or "/usr/sbin/apache2"
    if (MODULES / "mod_python.so").exists():
        found.append(Server("Apache: mod_python handler", [apache, "-d", str(root), "-f", str(root / "apache.conf"), "-DFOREGROUND"], port))
    return found


def measure_ways(root: Path, python: Path) -> list[Server]:
    servers, proxy = ways(root, python), None
    try:
        for each in servers:
            each.start(root)
        locations = "".join(f"location = /{number} {{ include @PARAMS@/fastcgi_params; fastcgi_pass {HOST}:{each.port}; }}\n"
                            for number, each in enumerate(servers) if each.front)
        proxy = Nginx(root / "nginx", locations, "access_log off;")
        for turn in range(ROUNDS + 1):
            for number, each in enumerate(servers):
                url = f"http://{HOST}:{proxy.port}/{number}" if each.front else f"http://{HOST}:{each.port}{each.target}"
                each.measure(url, 8, SECONDS if turn else 1, [proxy.process.pid] if each.front else [])
        script = script_seconds(root / "cgi" / "hello.py") * 1e6
        for each in servers:
            each.forget_first()
            if each.name == "pyhost: CGI":
                each.costs[:] = [cost + script for cost in each.costs]
        return servers
    finally:
        for each in servers:
            each.stop()
        if proxy is not None:
            proxy.stop()


# --- threads and coroutines

UNIT_NAMES = {"threads": "threads", "gevent": "gevent's greenlets", "asyncio": "asyncio's tasks", "pyhost": "pyhost's coroutines"}


def measure_units() -> dict[str, dict[str, float]]:
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for kind, name in UNIT_NAMES.items():
            interpreter = str(confs.program()) if kind == "pyhost" else sys.executable
            done = subprocess.run([interpreter, str(HERE / "talks_work.py"), str(UNITS), kind], capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
                continue
            found.setdefault(name, []).append(json.loads(done.stdout))
    return {name: {key: min(each[key] for each in rounds) for key in rounds[0]} for name, rounds in found.items()}


# --- sync and coroutine workers

def workers(root: Path, python: Path) -> list[Server]:
    found = []
    for name, words in (("gunicorn, 4 sync workers", "-w 4 -k sync"), ("gunicorn, 1 worker of 50 threads", "-w 1 -k gthread --threads 50"),
                        ("gunicorn, 1 gevent worker", "-w 1 -k gevent")):
        port = free_port()
        found.append(Server(name, shlex.split(f"{python} -m gunicorn -b {HOST}:{port} {words} bench_app:application"), port, "/wait"))
    return [*found, pyhost(root, "pyhost, 1 worker", "wsgi", "/wait")]


def measure_workers(root: Path, python: Path) -> list[tuple[Server, float]]:
    servers = workers(root, python)
    memory: dict[str, float] = {}
    for each in servers:  # one at a time: each has the machine for itself
        each.start(root)
        try:
            for turn in range(ROUNDS + 1):
                each.measure(f"http://{HOST}:{each.port}{each.target}", CLIENTS, SECONDS if turn else 1)
            assert each.process is not None
            memory[each.name] = pss_mib(each.process.pid)
            each.forget_first()
        finally:
            each.stop()
    return [(each, memory[each.name]) for each in servers]


# --- the page

def publish(name: str, text: str, picture: str) -> None:
    """A table into its place in the page, and the plot beside it."""
    put(name, text)
    (DOCS / f"comparison-{name}.svg").write_text(picture)


def publish_ways(servers: list[Server]) -> None:
    cost = {each.name: min(each.costs) for each in servers}
    rows = [[each.name, time_of(cost[each.name]), f"{max(each.rates):.0f}"] for each in servers]
    panel = Panel("CPU time per request of all processes that serve it, shorter is better", [(name, value, time_of(value)) for name, value in cost.items()])
    without = Panel("the same without CGI", [(name, value, time_of(value)) for name, value in cost.items() if name != "pyhost: CGI"])
    publish("cgi", markdown(["way", "CPU time per request", "requests/s"], rows), bars("CGI, FastCGI, and in the process: Hello World in Python", [panel, without]))


def publish_units(units: dict[str, dict[str, float]]) -> None:
    rows = [[name, f"{found['memory'] / 1024:.1f} KiB", time_of(found["life"]), time_of(found["switch"])] for name, found in units.items()]
    panels = [Panel(title, [(name, found[key], shown(found[key])) for name, found in units.items()]) for title, key, shown in UNIT_PANELS]
    publish("units", markdown(["unit", "memory of one that waits", "CPU time to start, wake and end it", "a switch"], rows),
            bars(f"{UNITS:,} units that wait", panels))


UNIT_PANELS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("memory of one, shorter is better", "memory", lambda value: f"{value / 1024:.1f} KiB"),
    ("CPU time to start, wake and end one", "life", time_of), ("a switch to another one", "switch", time_of))


def publish_workers(found: list[tuple[Server, float]]) -> None:
    rows = [[each.name, f"{statistics.median(each.rates):.0f}", f"{min(each.costs):.0f} µs", f"{memory:.0f} MiB"] for each, memory in found]
    panels = [Panel("requests per second, longer is better", [(each.name, statistics.median(each.rates), f"{statistics.median(each.rates):.0f}")
                                                              for each, _ in found]),
              Panel("memory of all processes, shorter is better", [(each.name, memory, f"{memory:.0f} MiB") for each, memory in found])]
    publish("workers", markdown(["server", "requests/s", "CPU time per request", "memory"], rows),
            bars(f"{CLIENTS} clients ask for what takes {WAIT_MS} ms of waiting", panels))


def main(home: Path) -> None:
    """Measure all, and write the page's tables and plots."""
    if not program() or not shutil.which("wrk"):
        sys.exit("nginx and wrk are needed (Debian: apt-get install nginx-light wrk)")
    home.mkdir(parents=True, exist_ok=True)
    python = peers_python(home)
    for part in (lambda root: publish_ways(measure_ways(root, python)), lambda root: publish_units(measure_units()),
                 lambda root: publish_workers(measure_workers(root, python))):
        with tempfile.TemporaryDirectory(prefix="pyhost-talks-") as name:
            write_programs(Path(name))
            part(Path(name))

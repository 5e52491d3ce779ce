"""System calls per request: one read and one write on a kept connection, epoll shared by a batch, no epoll_ctl; counted by strace."""
from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.client import Client, build_request
from support.conf import APP as APP_CONF
from support.fcgi import pairs, record, scgi_head, uwsgi_head, variables
from support.server import Server, wait_until

CONF = APP_CONF + """
ServerRoot "@ROOT@"
ServerName localhost
PidFile "@ROOT@/pyhost.pid"
ErrorLog "@ROOT@/error.log"
DocumentRoot "@ROOT@/www"
MaxKeepAliveRequests 0
<Directory "@ROOT@/www">
    Require all granted
</Directory>
PythonAutoReload Off
PyWSGIAlias /frameworks @ROOT@/www/app.py:frameworks
PyWSGIAlias /blocks @ROOT@/www/app.py:blocks
"""
APP = """
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    req.write("Hello World!\\n", *[0] * (req.args != "flush"))
    return apache.OK

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello World!\\n"]

def frameworks(environ, start_response):
    yield from application(environ, start_response)

def blocks(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(10):
        yield b"Hello World!\\n"
"""
REQUESTS = 300
ELSEWHERE = {"clock_nanosleep", "restart_syscall", "futex"}  # the sentinel's, on a thread of its own


@contextmanager
def counted(pid: int, into: Path) -> Iterator[dict[str, int]]:
    """Count the system calls of a process; the dictionary is filled at the end."""
    calls: dict[str, int] = {}
    strace = subprocess.Popen(["strace", "-c", "-o", str(into), "-p", str(pid)], stderr=subprocess.PIPE)
    try:
        assert strace.stderr is not None
        assert select.select([strace.stderr], [], [], 20)[0], "strace does not attach"
        said = os.read(strace.stderr.fileno(), 4096).decode()
        if "attached" not in said:
            pytest.skip(f"strace may not look at a process here: {said.strip()}")
        yield calls
    finally:
        if strace.poll() is None:
            strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=20)
    for line in into.read_text().splitlines():
        if match := re.fullmatch(r" *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)", line):
            calls[match[2]] = int(match[1])
    calls.pop("total", None)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"


def rounds(clients: list[Client], target: str, count: int) -> None:
    """Send a request on every connection before the first answer is read."""
    request = build_request("GET", target)
    for _ in range(count):
        for client in clients:
            client.send(request)
        for client in clients:
            assert client.read_response().status == 200


@pytest.fixture
def traced(server: Callable[..., Server]) -> Server:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if os.environ.get("PYHOST_SANITIZE"):
        pytest.skip("a sanitizer makes calls of its own")
    return server(CONF, files={"www/app.py": APP, "www/hello.txt": "Hello World!\n"}, preamble=False)


@pytest.mark.slow
@pytest.mark.parametrize(("target", "write"), [("/app", "sendto"), ("/app?flush", "sendto"), ("/wsgi", "sendto"), ("/frameworks", "sendto"), ("/blocks", "sendto")])
def test_a_request_on_a_kept_connection_is_one_read_and_one_write(traced: Server, tmp_path: Path, target: str, write: str) -> None:
    client = traced.client()
    rounds([client], target, 5)
    with counted(traced.pid, tmp_path / "calls") as calls:
        rounds([client], target, REQUESTS)
    slack = REQUESTS // 20
    for name in ("recvfrom", write):  # strace may miss the call that is on when it lets go
        assert REQUESTS - 2 <= calls[name] <= REQUESTS + slack, calls
    waits = sum(count for name, count in calls.items() if name.startswith("epoll_") and "wait" in name)
    assert waits <= REQUESTS + slack, calls
    assert calls.get("epoll_ctl", 0) <= 2, calls
    rest = sum(count for name, count in calls.items() if name not in ELSEWHERE) - calls["recvfrom"] - calls[write] - waits
    assert rest <= slack * 2, calls


@pytest.mark.slow
def test_connections_that_are_ready_together_share_one_wait(traced: Server, tmp_path: Path) -> None:
    clients = [traced.client() for _ in range(50)]
    rounds(clients, "/app", 2)
    with counted(traced.pid, tmp_path / "calls") as calls:
        request = build_request("GET", "/app")
        for _ in range(10):
            os.kill(traced.pid, signal.SIGSTOP)  # so that the requests of a round are all there when it goes on
            wait_until(lambda: stopped(traced.pid), "the process stands still")
            for client in clients:
                client.send(request)
            os.kill(traced.pid, signal.SIGCONT)
            for client in clients:
                assert client.read_response().status == 200
    waits = sum(count for name, count in calls.items() if name.startswith("epoll_") and "wait" in name)
    assert calls["sendto"] >= 498 and calls.get("epoll_ctl", 0) <= 2, calls
    assert waits <= calls["sendto"] // 4, calls


@pytest.mark.slow
def test_a_static_file_is_opened_sized_read_and_closed(traced: Server, tmp_path: Path) -> None:
    client = traced.client()
    rounds([client], "/hello.txt", 5)
    with counted(traced.pid, tmp_path / "calls") as calls:
        rounds([client], "/hello.txt", REQUESTS)
    each = {name: round(count / REQUESTS) for name, count in calls.items() if name not in ELSEWHERE}
    assert sum(each.values()) <= 8, each
    assert each["recvfrom"] == each["sendto"] == each["openat2"] == 1 and calls.get("epoll_ctl", 0) <= 2, calls


GATES = CONF.replace("PythonAutoReload Off", """PythonAutoReload Off
Listen 127.0.0.1:@PORT@
Listen 127.0.0.1:@PORT2@ fastcgi
Listen 127.0.0.1:@PORT3@ scgi
Listen 127.0.0.1:@PORT4@ uwsgi""")


@pytest.mark.slow
@pytest.mark.parametrize("port", ["PORT2", "PORT3", "PORT4"])
def test_a_request_of_a_gateway_is_accepted_read_answered_and_closed(server: Callable[..., Server], tmp_path: Path, port: str) -> None:
    """No epoll_ctl, no shutdown, no second read: the answer leaves in one packet with the end of the connection."""
    if not shutil.which("strace") or os.environ.get("PYHOST_SANITIZE"):
        pytest.skip("strace is not installed, or a sanitizer makes calls of its own")
    host = server(GATES, files={"www/app.py": APP}, preamble=False)
    values = variables("GET", "/wsgi")
    data = {"PORT2": record(1, 1, b"\0\1\0\0\0\0\0\0") + record(4, 1, pairs(values)) + record(4, 1) + record(5, 1),
            "PORT3": scgi_head(values), "PORT4": uwsgi_head(values)}[port]

    def ask(count: int) -> None:
        for _ in range(count):
            with Client(("127.0.0.1", host.ports[port])) as client:
                assert b"Hello World!" in client.send(data).read_rest()

    ask(5)
    with counted(host.pid, tmp_path / "calls") as calls:
        ask(REQUESTS)
    each = {name: round(count / REQUESTS) for name, count in calls.items() if name not in ELSEWHERE}
    each.pop("accept4")  # once more when there is none: only then is the queue known to be empty
    assert {name: count for name, count in each.items() if count and "wait" not in name} in (
        {"recvfrom": 1, "close": 1, "sendto": 1}, {"recvfrom": 1, "close": 1, "sendmsg": 1}), calls

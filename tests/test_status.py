"""SetHandler server-status: what the page and its machine-readable form say, and who may see them."""
from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from support.cgi import ALIAS, script_server
from support.client import Client, build_request
from support.server import Server, wait_until

Start = Callable[..., Server]
CONF = """
ExtendedStatus On
<Location /server-status>
    SetHandler server-status
    Require local
</Location>
"""
HANDLERS = """
<Location /app>
    SetHandler mod_python
    PythonPath "['@ROOT@/www'] + sys.path"
    PythonHandler app
</Location>
<Location "/app/<stuck>">
    PyTimeSlice Off
    PyBlockedWarning 20ms
    PythonInterpreter "<other>"
</Location>
"""
APP = """
import time
from pyhost import coro

waits = {}

def handler(req):
    if req.uri.endswith("stuck>"):
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass
    elif req.args == "wait":
        req.read()
    req.write("done")
    return 0
"""


def numbers(host: Server) -> dict[str, str]:
    """The lines of ?auto."""
    answer = host.get("/server-status?auto")
    assert answer.status == 200 and answer.header("Content-Type") == "text/plain; charset=utf-8", answer
    assert answer.text.splitlines()[0] == "localhost"
    return dict(line.split(": ", 1) for line in answer.text.splitlines()[1:])


def test_the_page_for_people(server: Start) -> None:
    host = server(CONF + HANDLERS, {"www/app.py": APP, "www/a.txt": "a"}, workers=2)
    host.check_fds = False
    wait_until(lambda: "all workers are ready" in host.error_log, "all workers are ready")
    assert host.get("/a.txt").status == 200 and host.get("/missing").status == 404
    assert host.get("/app/%3Cstuck%3E").text == "done"
    answer = wait_until(lambda: "&lt;stuck&gt;" in (page := host.get("/server-status")).text and page, "the stretch is counted")
    assert answer.status == 200 and answer.header("Content-Type") == "text/html; charset=utf-8" and answer.header("Cache-Control") == "no-store"
    assert all(f"<td>{pid}" in answer.text for pid in host.workers()), answer.text
    assert "<stuck>" not in answer.text and "<other>" not in answer.text, "names of the configuration are escaped"
    assert answer.text.count("(this one)") == 1 and "main_interpreter" in answer.text and "Server status of localhost" in answer.text
    head = host.request("HEAD", "/server-status")
    assert head.status == 200 and int(head.header("Content-Length") or 0) > 1000 and head.body == b""
    assert host.get("/server-status?refresh=7").header("Refresh") == "7"
    assert host.get("/server-status?refresh=-1&x").header("Refresh") == "1"
    assert host.request("POST", "/server-status", body=b"x").status == 405


def test_what_watches_httpd_finds_its_names(server: Start) -> None:
    host = server(CONF + HANDLERS, {"www/app.py": APP, "www/a.txt": "a" * 2048})
    first = numbers(host)
    assert re.fullmatch(r"pyhost/[\d.]+ \(Unix\) Python/3\.\d+\.\d+", first["ServerVersion"]) and first["ServerMPM"] == "pyhost"
    assert {"CurrentTime", "RestartTime", "ParentServerConfigGeneration", "Uptime", "ServerUptimeSeconds", "Load1", "Load5", "Load15", "CPULoad", "Total kBytes",
            "ReqPerSec", "BytesPerSec", "BytesPerReq", "IdleWorkers"} <= set(first)
    assert first["BusyWorkers"] == "1" and first["Scoreboard"] == "W" and first["Processes"] == "1" and first["ConnsTotal"] == "1"
    for _ in range(10):
        host.get("/a.txt")
    host.get("/missing")
    second = wait_until(lambda: (now := numbers(host)) and int(now["Total Accesses"]) >= int(first["Total Accesses"]) + 12 and now, "all are counted")
    assert int(second["Total kBytes"]) >= int(first["Total kBytes"]) + 20 and int(second["Total Errors 4xx"]) == int(first["Total Errors 4xx"]) + 1
    process = second[f"Process {host.pid}"]
    assert re.fullmatch(r"State=W Generation=\d+ Accesses=\d+ Conns=1 Busy=1 CPUms=\d+ MemoryKiB=[1-9]\d+ SilentMs=0", process), process


def test_requests_under_way_and_stretches_are_counted(server: Start) -> None:
    host = server(CONF + HANDLERS, {"www/app.py": APP})
    waiting = [Client(host.address).send(build_request("POST", "/app?wait", {"Content-Length": "1"})) for _ in range(3)]
    wait_until(lambda: numbers(host)["BusyWorkers"] == "4", "three wait")
    now = numbers(host)
    assert re.fullmatch(r"Greenlets=\d+ Idle=\d+ Waiting=3", now["Interpreter main_interpreter"]), now
    for client in waiting:
        assert client.send(b"x").read_response().text == "done"
        client.close()
    assert host.get("/app/%3Cstuck%3E").text == "done"
    wait_until(lambda: int(numbers(host).get("Blocked /app/<stuck>", "0")) >= 1, "the stretch is counted")


def scripts(host: Server) -> tuple[int, ...]:
    """Running, waiting, started, refused, killed."""
    now = numbers(host)
    return tuple(int(now[f"CGI{name}"]) for name in ("Running", "Waiting", "Started", "Refused", "Killed"))


def test_scripts_are_counted(server: Start) -> None:
    host = script_server(server, {"hold.sh": "#!/bin/sh\necho\necho\nexec sleep 1000\n", "hello.sh": "#!/bin/sh\necho\necho hello\n", "broken.sh": "#!/none\n",
                                  "kill.sh": "#!/bin/sh\nkill -9 $$\n"},
                         CONF + ALIAS + "PyCGIProcesses 1\nPyCGIQueue 1\n<Location /cgi-bin/hello.sh/x>\nCGIDScriptTimeout 1\n</Location>\n")
    host.allow_log("cannot be run|was killed by signal 9|end of script output|CGI scripts run and|no place came free")
    assert scripts(host) == (0, 0, 0, 0, 0)
    assert host.get("/cgi-bin/hello.sh").status == 200 and host.get("/cgi-bin/broken.sh").status == 500 and host.get("/cgi-bin/kill.sh").status == 500
    wait_until(lambda: scripts(host) == (0, 0, 2, 1, 1), "all have ended")
    held = host.client().send(build_request("GET", "/cgi-bin/hold.sh"))
    wait_until(lambda: scripts(host)[:3] == (1, 0, 3), "one runs")
    waiting = host.client().send(build_request("GET", "/cgi-bin/hello.sh"))
    wait_until(lambda: scripts(host)[:2] == (1, 1), "one waits")
    assert host.get("/cgi-bin/hello.sh").status == 503
    assert scripts(host) == (1, 1, 3, 2, 1)
    waiting.close()
    wait_until(lambda: scripts(host)[1] == 0, "it has gone away")
    assert host.get("/cgi-bin/hello.sh/x").status == 503
    assert scripts(host) == (1, 0, 3, 3, 1)
    page = host.get("/server-status").text
    assert "<h2>CGI scripts</h2>" in page and "<dt>Started</dt><dd>3</dd>" in page and "<dt>Not started</dt><dd>3</dd>" in page
    held.close()
    wait_until(lambda: scripts(host) == (0, 0, 3, 3, 2), "it is ended with its client")


def test_numbers_of_workers_that_are_gone_stay(server: Start) -> None:
    host = server(CONF + "MaxConnectionsPerChild 4\n", {"www/a.txt": "a"}, workers=1)
    host.check_fds = False
    first = host.workers()
    for _ in range(6):
        wait_until(lambda: host.get("/a.txt").status == 200, "an answer")
    wait_until(lambda: not set(first) & set(host.workers()), "the first worker is gone")
    wait_until(lambda: int(numbers(host)["ProcessesGone"]) >= 1 and int(numbers(host)["Total Accesses"]) >= 6, "its numbers are kept")


@pytest.mark.parametrize(("rule", "status"), [("Require all denied", 403), ("Require ip 192.0.2.1", 403), ("Require local", 200)])
def test_only_who_may_sees_it(server: Start, rule: str, status: int) -> None:
    host = server(CONF.replace("Require local", rule))
    assert host.get("/server-status").status == status and host.get("/server-status?auto").status == status
    host.allow_log("client denied")

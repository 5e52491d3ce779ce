"""PyRequestTimeout, PyCancelOnDisconnect and PyBlockedWarning in ASGI applications, and the timers of the loop that they stand on."""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client, ProtocolError, build_request
from support.server import Server, wait_until
from support.websocket import HEAD, TEXT, Socket, ask

APPS = Path(__file__).parent / "apps"
Start = Callable[..., Server]
TIMED_OUT = "takes longer than the 100 ms of PyRequestTimeout"


def location(path: str, *more: str, name: str = "app") -> str:
    lines = "\n".join(f"    {line}" for line in more)
    return f'<Location {path}>\n    SetHandler asgi\n    PyWSGIApplication "{APPS}/asgi_limits.py:{name}"\n{lines}\n</Location>\n'


def asgi_server(server: Start, conf: str, files: dict[str, str] | None = None) -> Server:
    """A server whose asyncio loop, with its descriptors, comes with the first request and stays."""
    host = server(conf, files)
    host.check_fds = False
    return host


def tells(host: Server) -> str:
    return host.request("GET", "/plain/tell").text


def test_request_timeout_cancels_the_task(server: Start) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 100ms") + location("/plain"))
    slow = host.client().send(build_request("GET", "/slow/sleeps"))
    assert host.request("GET", "/plain/quick").text == "quick"
    assert slow.read_response().status == 504
    assert slow.request("GET", "/plain/quick").text == "quick", "the connection goes on"
    host.expect_log(f"asgi:error.*{TIMED_OUT}: it is cancelled")
    host.expect_log("asgi:error.*in do_sleeps")
    host.expect_log("asgi:error.*in deep_in_it")
    host.allow_log("asgi:error")
    assert tells(host) == "finally"
    assert "Traceback" not in host.error_log


@pytest.mark.parametrize("interpreter", ["main_interpreter", "other"])
def test_request_timeout_while_it_reads(server: Start, interpreter: str) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 100ms", f"PythonInterpreter {interpreter}") +
                       location("/plain", f"PythonInterpreter {interpreter}"))
    slow = host.client().send(b"POST /slow/reads HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    assert slow.read_response().status == 504
    assert host.request("GET", "/plain/quick").text == "quick"
    host.allow_log("asgi:error")
    host.expect_log(TIMED_OUT)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks do not show their context")
def test_stacks_of_the_tasks_that_a_request_has_started(server: Start) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 100ms"))
    assert host.request("GET", "/slow/child").status == 504
    host.allow_log("asgi:error")
    host.expect_log("in do_child")
    host.expect_log("the child waits")


def test_an_application_that_does_not_let_itself_be_cancelled(server: Start) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 100ms") + location("/plain"))
    assert host.request("GET", "/slow/stubborn").status == 504
    wait_until(lambda: tells(host) == "TimeoutError http.disconnect", "send has raised an OSError")
    host.allow_log("asgi:error")


def test_half_an_answer_is_cut(server: Start) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 100ms"))
    with pytest.raises(ProtocolError):
        host.get("/slow/half")
    host.allow_log("asgi:error")
    host.expect_log(TIMED_OUT)


@pytest.mark.slow
def test_request_timeout_counts_until_the_answer_is_whole(server: Start) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 1s") + location("/plain"))
    assert host.get("/slow/answers").text == "whole"
    wait_until(lambda: tells(host) == "afterwards", "the rest of the task has run")


def test_request_timeout_while_the_application_starts(server: Start) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 100ms", name="slow_start") + location("/free", name="slow_start") + location("/plain"))
    assert host.request("GET", "/slow").status == 504
    host.allow_log("asgi:error")
    host.expect_log("its application has not started")
    assert host.request("GET", "/plain/go").text == "go"
    assert host.get("/free").text == "started"
    assert tells(host) == "go called", "the one that was too late has not been called"


@pytest.mark.slow
def test_request_timeout_bounds_the_handshake_of_a_websocket_only(server: Start) -> None:
    host = asgi_server(server, location("/slow", "PyRequestTimeout 1s") + location("/plain"))
    with Socket(host.address) as sock:
        sock.open("/slow/echo")
        assert host.request("GET", "/slow/sleeps").status == 504, "that long it has lasted"
        assert ask(sock, "still here") == (TEXT, b"still here")
    refused = host.client().send(build_request("GET", "/slow/knocks", HEAD))
    assert refused.read_response().status == 504
    host.allow_log("asgi:error")


def test_client_that_goes_away_cancels_its_request(server: Start) -> None:
    host = asgi_server(server, location("/wait", "PyCancelOnDisconnect On") + location("/plain"))
    client = Client(host.address).send(build_request("GET", "/wait/remembers"))
    wait_until(lambda: "began" in tells(host), "the application runs")
    client.reset()
    wait_until(lambda: "finally" in tells(host), "it has been cancelled")
    assert "cancelled" in tells(host)
    host.expect_log("asgi:info.*PyCancelOnDisconnect: cancelled")


FIXUP = """
import sys

def fixuphandler(req):
    vars(sys).setdefault("seen_by_tests", []).append("asked")
    return 0
"""


def test_client_that_goes_away_while_the_application_starts(server: Start) -> None:
    host = asgi_server(server, location("/wait", "PyCancelOnDisconnect On", "PythonFixupHandler fixup", "PythonPath \"['@ROOT@/www'] + sys.path\"",
                                        name="slow_start") + location("/plain"), {"www/fixup.py": FIXUP})
    client = Client(host.address).send(build_request("GET", "/wait"))
    wait_until(lambda: tells(host) == "asked", "the request has come")
    client.reset()
    wait_until(lambda: '"GET /wait' in (host.root / "access.log").read_text(), "the request is over")
    assert host.request("GET", "/plain/go").text == "go"
    assert host.get("/wait").text == "started"
    assert tells(host) == "asked go asked called"


def test_client_that_goes_away_is_told_by_default(server: Start) -> None:
    host = asgi_server(server, location("/plain"))
    client = Client(host.address).send(build_request("GET", "/plain/listens"))
    wait_until(lambda: "began" in tells(host), "the application runs")
    client.reset()
    wait_until(lambda: tells(host) == "began told", "http.disconnect has come")


def test_a_websocket_that_breaks_is_cancelled(server: Start) -> None:
    host = asgi_server(server, location("/wait", "PyCancelOnDisconnect On") + location("/plain"))
    sock = Socket(host.address)
    sock.open("/wait/socket")
    sock.reset()
    wait_until(lambda: tells(host) == "cancelled", "it has been cancelled")


@pytest.mark.parametrize("name", ["computes", "computes_at_once", "computes_in_a_task"])
def test_a_step_that_holds_up_the_worker_is_named(server: Start, name: str) -> None:
    host = asgi_server(server, location("/stuck", "PyTimeSlice Off", "PyBlockedWarning 50ms"))
    assert host.get(f"/stuck/{name}?{host.root}/error.log,1st").text == "computed"
    host.expect_log(rf"sentinel:warn.*held up for \d+ ms by GET /stuck/{name} \(Location /stuck\), the 1st time there")
    host.expect_log(r"sentinel:warn.*in compute\b")


TELLS = """
import sys
from mod_python import apache

def handler(req):
    vars(sys)["seen_by_tests"].append("told")
    req.write("told")
    return apache.OK
"""


def telling(more: str = "") -> str:
    return f"""
<Location /tells>
    SetHandler mod_python
    PythonHandler tells
    PythonPath "['@ROOT@/www'] + sys.path"
    {more}
</Location>
"""


@pytest.mark.parametrize("interpreter", ["main_interpreter", "other"])
@pytest.mark.parametrize("name", ["computes_until_told", "computes_until_told_at_once", "computes_until_told_in_a_task"])
def test_a_step_that_computes_gives_way_to_handlers(server: Start, name: str, interpreter: str) -> None:
    """The one that ends it could not run before; the other tasks of the loop wait until it is over, and its log names it."""
    there = f"PythonInterpreter {interpreter}"
    host = asgi_server(server, location("/busy", "PyBlockedWarning 50ms", there) + telling(there), {"www/tells.py": TELLS})
    assert host.get("/busy/quick").text == "quick"
    busy = host.client().send(build_request("GET", f"/busy/{name}"))
    wait_until(lambda: "asyncio loop has been held up" in host.error_log, "it is named", 30)  # on a busy machine the worker as a whole may be, before
    waits = host.client().send(build_request("GET", "/busy/quick"))
    assert host.get("/tells").text == "told"
    assert busy.read_response().text == "told" and waits.read_response().text == "quick"
    host.expect_log(rf"asgi:warn.*the asyncio loop has been held up for \d+ ms by GET /busy/{name} \(Location /busy\), the \d+.. time there")
    host.expect_log(r"asgi:warn.*in until_told\b")


def test_time_slice_off_lets_a_step_compute_on(server: Start) -> None:
    host = asgi_server(server, location("/busy", "PyTimeSlice Off", "PyBlockedWarning Off") + telling(), {"www/tells.py": TELLS})
    assert host.get("/busy/quick").text == "quick"
    busy = host.client().send(build_request("GET", "/busy/computes_for_a_while"))
    assert host.get("/tells").text == "told"
    assert busy.read_response().text in ("not told", "told before")


def test_a_step_that_waits_in_a_blocking_call_holds_up_the_loop_only(server: Start) -> None:
    host = asgi_server(server, location("/stuck", "PyBlockedWarning 50ms") + location("/plain"))
    assert host.get(f"/stuck/blocks?{host.root}/error.log,1st").text == "slept"
    host.expect_log(r"asgi:warn.*the asyncio loop has been held up for \d+ ms by GET /stuck/blocks \(Location /stuck\), the 1st time there")
    host.expect_log(r"asgi:warn.*in do_blocks")
    assert host.get(f"/stuck/blocks?{host.root}/error.log,2nd").text == "slept"
    host.expect_log("the 2nd time there")


def test_timers_that_were_called_off_are_dropped(server: Start) -> None:
    host = asgi_server(server, '<Location /t>\nSetHandler asgi\nPyWSGIApplication "@ROOT@/timers.py"\n</Location>', {"timers.py": """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError
    loop = asyncio.get_running_loop()
    order = []
    handles = [loop.call_later(3600, order.append, "never") for _ in range(1000)]
    now = loop.time()
    for delay in (0.03, 0.01, 0.02):
        loop.call_at(now + delay, order.append, delay)
    off = loop.call_at(now + 0.015, order.append, "off")
    for handle in handles[1:]:
        handle.cancel()
    off.cancel()
    while len(order) < 3:
        await asyncio.sleep(0.005)
    left = len(loop._scheduled)
    handles[0].cancel()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": f"{order} {left < 100}".encode()})
"""})
    assert host.get("/t").text == "[0.01, 0.02, 0.03] True"
    assert host.get("/t").text == "[0.01, 0.02, 0.03] True"

"""PyRequestTimeout, coro.deadline, PyCancelOnDisconnect, PyTimeSlice and PyBlockedWarning against the real binary."""
from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import Client, build_request
from support.library import build_library
from support.server import Server, open_files, wait_until

APPS = Path(__file__).parent / "apps"


def location(path: str, function: str, *more: str, module: str = "limit_app", folder: str = str(APPS)) -> str:
    lines = "\n".join(f"    {line}" for line in more)
    return f"""
<Location {path}>
    SetHandler mod_python
    PythonHandler {module}::{function}
    PythonPath "['{folder}'] + sys.path"
{lines}
</Location>
"""


INTERPRETERS = ["main_interpreter", "beside"]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A file that this process has locked in both ways."""
    with open(tmp_path / "locked", "wb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield tmp_path / "locked"


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("function", ["sleeps", "receives", "locks", "swallows", "computes", "reads", "offloads", "flocks", "region_locks", "waits_for_child",
                                      "semaphores", "conditions", "queues", "polls", "futures", "accepts", "joins", "catches_errors"])
def test_request_timeout_ends_that_request_only(function: str, interpreter: str, server: Callable[..., Server], locked: Path) -> None:
    """504, the stack in the log, and the worker goes on; the exception comes out of the very call, so no OSError handler sees anything before it."""
    there = f"PythonInterpreter {interpreter}"
    host = server(location("/slow", function, "PyRequestTimeout 100ms", there) + location("/quick", "quick", there))
    assert host.request("GET", "/quick").text == "quick"  # imports, which may take longer
    slow = host.client().send(build_request("GET", f"/slow?{locked}"))
    assert host.request("GET", "/quick").text == "quick"
    assert slow.read_response().status == 504
    host.expect_log(f"limit_app::{function}: Traceback|in {function}")
    host.expect_log("RequestTimeout")
    host.allow_log("python:error")  # the other lines of the stack
    assert [host.request("GET", "/quick").text for _ in range(3)] == ["quick"] * 3
    assert host.request("GET", f"/slow?{locked}").status == 504  # the pooled greenlet is as good as before


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_exception_is_not_raised_in_what_the_ended_call_calls(interpreter: str, server: Callable[..., Server], tmp_path: Path) -> None:
    """A library that waits, and then calls back into Python, which would swallow it: psycopg2 has a codec decode the text of its error so."""
    there = f"PythonInterpreter {interpreter}"
    host = server("PyGreenLibraries libhazard\n" + location("/slow", "calls_back", "PyRequestTimeout 100ms", there) +
                  location("/deadline", "calls_back_in_time", there) + location("/quick", "quick", there), env=build_library(tmp_path))
    assert host.request("GET", "/quick").text == "quick"
    for deaf in (0, 1, 5):
        assert host.request("GET", f"/slow?{deaf}").status == 504
    assert host.request("GET", "/deadline").text == "True [0, 1, 2]\n" * 3 + "inner True\nouter True"
    host.expect_log("RequestTimeout")
    host.allow_log("python:error")


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_call_that_goes_on_after_its_end_is_ended_again(interpreter: str, server: Callable[..., Server], tmp_path: Path) -> None:
    """A library that tries one address after the other, none of which answers; also where it has waited for a lock first, a wait that cannot be ended."""
    there = f"PythonInterpreter {interpreter}"
    host = server("PyGreenLibraries libhazard\n" + location("/slow", "waits_again", "PyRequestTimeout 100ms", there) + location("/quick", "quick", there) +
                  location("/hold", "holds_the_guard", there) + location("/go", "lets_go", "PyRequestTimeout 10s", there), env=build_library(tmp_path))
    assert host.request("GET", "/quick").text == "quick"
    for times in (3, 10):
        assert host.request("GET", f"/slow?{times}").status == 504
    holds = host.client().send(build_request("GET", "/hold"))
    slow = host.client().send(build_request("GET", "/slow?5"))
    assert host.request("GET", "/go?400").status == 200
    assert holds.read_response().status == 200 and slow.read_response().status == 504
    host.expect_log("RequestTimeout")
    host.allow_log("python:error")


def test_request_timeout_ends_a_wsgi_application(server: Callable[..., Server]) -> None:
    host = server(f"""
PyWSGIAlias /app {APPS}/limit_app.py
<Location /app>
    PyRequestTimeout 100ms
    PythonPath "['{APPS}'] + sys.path"
</Location>
""")
    assert host.request("GET", "/app").status == 504
    host.expect_log("RequestTimeout")
    host.allow_log("wsgi:error")


def test_deadline_of_a_handler(server: Callable[..., Server]) -> None:
    host = server(location("/", "deadlines"))
    assert host.request("GET", "/").text == "Timeout 0.05"


def test_client_that_goes_away_cancels_its_request(server: Callable[..., Server]) -> None:
    host = server(location("/wait", "remembers", "PyCancelOnDisconnect On") + location("/tell", "tells"))
    client = Client(host.address)
    client.send(build_request("GET", "/wait"))
    wait_until(lambda: "began" in host.request("GET", "/tell").text, "the handler runs")
    client.reset()
    wait_until(lambda: host.request("GET", "/tell").text == "began gone finally", "it has been cancelled")
    host.allow_log("python:error|client")


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("path", ["/wait", "/app", "/asgi"])
def test_client_that_has_gone_before_its_request_began_cancels_it(path: str, interpreter: str, server: Callable[..., Server], tmp_path: Path) -> None:
    """The worker has read the request, is held up by another before it begins, and then meets the end of its client first."""
    there, first, second = f"PythonInterpreter {interpreter}", tmp_path / "first", tmp_path / "second"
    host = server(location("/wait", "remembers", "PyCancelOnDisconnect On", there) + location("/tell", "tells", there) +
                  location("/hold", "holds_up", "PyTimeSlice Off", "PyBlockedWarning Off", there) + f"""
PyWSGIAlias /app {APPS}/limit_app.py
<LocationMatch ^/(app|asgi)>
    PyCancelOnDisconnect On
    PythonPath "['{APPS}'] + sys.path"
    {there}
</LocationMatch>
<Location /asgi>
    SetHandler asgi
    PyWSGIApplication "{APPS}/asgi_limits.py:sleeps"
</Location>
""")
    host.check_fds = False  # of the asyncio loop
    client, *others = clients = [Client(host.address), *(host.client() for _ in range(4))]
    assert {one.request("GET", "/tell").text for one in clients} == {""}  # the worker knows these connections, and has imported the handlers
    holding = host.client().send(build_request("GET", f"/hold?{first}"))
    wait_until(lambda: first.with_suffix(".held").exists(), "the worker is held up")
    for other, target in zip(others, (f"/hold?{second}", "/tell", "/tell", "/tell"), strict=True):  # the worker looks at its clock after some jobs
        other.send(build_request("GET", target))
    client.send(build_request("GET", path))
    first.touch()
    wait_until(lambda: second.with_suffix(".held").exists(), "the worker has read all requests, and is held up by the first of them")
    client.reset()
    second.touch()
    assert {one.read_response().status for one in (holding, *others)} == {200}
    wait_until(lambda: f'"GET {path}' in (host.root / "access.log").read_text(), "the request is over", 20.0)
    assert host.request("GET", "/tell").text == ("holds holds began gone finally" if path == "/wait" else "holds holds")
    host.allow_log("(python|wsgi):error|asgi:|client")


def test_request_goes_on_without_its_client_by_default(server: Callable[..., Server]) -> None:
    host = server(location("/wait", "remembers", "PyRequestTimeout 300ms") + location("/tell", "tells"))
    host.request("GET", "/tell")  # imports, which may take longer
    client = Client(host.address)
    client.send(build_request("GET", "/wait"))
    wait_until(lambda: "began" in host.request("GET", "/tell").text, "the handler runs")
    client.reset()
    wait_until(lambda: host.request("GET", "/tell").text == "began finally", "its deadline has come")
    host.allow_log("python:error|client")


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_handlers_that_compute_give_way(interpreter: str, server: Callable[..., Server]) -> None:
    """Two of them compute until the quick requests are through: without time slices those would never be."""
    there = f"PythonInterpreter {interpreter}"
    host = server(location("/busy", "computes_until_told", "PyBlockedWarning Off", there) + location("/quick", "quick") +
                  location("/quick_there", "quick", there) + location("/tell", "tells_to_end", there))
    busy = [host.client().send(build_request("GET", "/busy")) for _ in range(2)]
    for path in ("/quick", "/quick_there") * 5:
        assert host.request("GET", path).text == "quick"
    assert host.request("GET", "/tell").text == "told 2"
    assert {client.read_response().text for client in busy} == {"computed"}


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_who_has_waited_goes_before_those_who_compute(interpreter: str, server: Callable[..., Server]) -> None:
    """It waits for the end of one slice, not of a slice of each of them."""
    there = f"PythonInterpreter {interpreter}"
    host = server(location("/busy", "computes_and_notes", "PyBlockedWarning Off", there) + location("/waits", "waits_beside", there))
    busy = [host.client().send(build_request("GET", f"/busy?{number}")) for number in range(4)]
    turns, rounds = map(int, host.request("GET", "/waits").text.split())
    assert turns <= rounds * 2, "of 4 who compute, one has a turn in each of its sleeps"
    assert all(int(client.read_response().text) > 0 for client in busy), "they have their turns all the same"


@pytest.mark.slow
def test_time_slice_off_lets_a_handler_compute_on(server: Callable[..., Server]) -> None:
    host = server(location("/busy", "computes_a_while", "PyTimeSlice Off", "PyBlockedWarning Off") + location("/quick", "quick"))
    busy = host.client().send(build_request("GET", "/busy"))
    wait_until(lambda: int(host.request("GET", "/quick").status == 200), "an answer")
    assert busy.read_response().text == "computed"


@pytest.mark.slow
def test_handler_that_blocks_is_named_with_its_stack(server: Callable[..., Server]) -> None:
    host = server(location("/stuck", "computes_a_while", "PyTimeSlice Off", "PyBlockedWarning 100ms") + location("/quick", "quick"))
    assert host.request("GET", "/quick").text == "quick"
    assert host.request("GET", "/stuck?x").text == "computed"
    host.expect_log(r"sentinel:warn.*held up for \d+ ms by GET /stuck \(Location /stuck\)")
    host.expect_log(r"sentinel:warn.*in computes_a_while")


def files_of_threads(pid: int) -> list[int]:
    """How many descriptors each thread of the process but the first has open."""
    return [len(os.listdir(f"/proc/{pid}/task/{task}/fd")) for task in os.listdir(f"/proc/{pid}/task") if int(task) != pid]


def test_sentinel_shares_no_descriptors_and_writes_to_the_log_of_today(server: Callable[..., Server]) -> None:
    """The kernel counts references to what two threads share, at each call; and a log that was opened again is another file."""
    host = server("PyTimeSlice Off\nPyBlockedWarning 50ms\n" + location("/stuck", "computes_a_while"))
    worker = host.workers()[0]
    wait_until(lambda: files_of_threads(worker) == [1], "the sentinel has a pidfd and nothing else")
    (host.root / "error.log").rename(host.root / "old-error.log")
    host.send_signal(signal.SIGUSR1)
    wait_until(lambda: (host.root / "error.log").exists(), "a new file")
    wait_until(lambda: not any("old-error" in name for name in open_files(worker)), "the old one is closed")
    assert host.request("GET", "/stuck").text == "computed"
    host.expect_log(r"sentinel:warn.*held up for \d+ ms by GET /stuck")
    assert "held up" not in host.read("old-error.log")
    wait_until(lambda: files_of_threads(worker) == [1], "it has let go of the log")


@pytest.mark.slow
@pytest.mark.parametrize("function", ["in_c", "in_c_with_the_gil", "in_the_kernel"])
def test_handler_that_blocks_in_c_code_is_named_while_it_does(function: str, server: Callable[..., Server], tmp_path: Path) -> None:
    """Request, Location and stack; also where no signal is heard, as in a read from a slow disk. The worker is whole afterwards."""
    host = server(location("/stuck", function, "PyBlockedWarning 100ms") + location("/quick", "quick"), env=build_library(tmp_path))
    assert host.request("GET", "/quick").text == "quick"
    stuck = host.client().send(build_request("GET", "/stuck?x"))
    host.expect_log(r"sentinel:warn.*held up for \d+ ms by GET /stuck \(Location /stuck\), the 1st time there")
    host.expect_log(rf"sentinel:warn.*in {function}")
    assert stuck.read_response().text == "back"
    assert [host.request("GET", "/quick").text for _ in range(3)] == ["quick"] * 3


@pytest.mark.slow
def test_blocked_stretches_are_counted_by_location(server: Callable[..., Server]) -> None:
    words = ("PyTimeSlice Off", "PyBlockedWarning 50ms")
    host = server("StartServers 1\n" + location("/stuck", "computes_a_while", *words) + location("/other", "computes_a_while", *words)
                  + location("/blocked", "blocked"))
    assert host.request("GET", "/blocked").text == "{}"
    for path in ("/stuck", "/other", "/stuck/below", "/stuck"):
        assert host.request("GET", path).text == "computed"
    assert host.request("GET", "/blocked").text == "{'/stuck': 3, '/other': 1}"
    host.expect_log(r"by GET /stuck \(Location /stuck\), the 1st time there")
    host.expect_log(r"by GET /other \(Location /other\), the 1st time there")
    host.expect_log(r"by GET /stuck/below \(Location /stuck\), the 2nd time there")
    host.expect_log(r"by GET /stuck \(Location /stuck\), the 3rd time there")


SPAWNED = """
import time
from mod_python import apache
from pyhost import coro

told = []

def grinds(limit):
    end = time.monotonic() + limit
    while not told and time.monotonic() < end:
        sum(range(100))
    return "told" if told else "not told"

def spawns(req):
    req.write(coro.spawn(grinds, float(req.args)).get())
    return apache.OK

def spawns_deep(req):
    deep = coro.spawn(lambda: coro.spawn(grinds, float(req.args)).get())
    req.write(deep.get())
    return apache.OK

def tells(req):
    told.append(1)
    req.write("told")
    return apache.OK

def blocked(req):
    req.write(repr(coro.blocked()))
    return apache.OK

service = []

def asks_service(req):
    req.write(service[0].get())
    return apache.OK

def start():
    service.append(coro.spawn(grinds, 30.0))
"""


def spawned(path: str, *more: str) -> str:
    return location(path, path.strip("/").partition("/")[0], *more, module="spawned", folder="@ROOT@/www")


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("name", ["spawns", "spawns_deep"])
def test_coroutine_that_computes_gives_way_and_has_the_bounds_of_its_spawner(name: str, interpreter: str, server: Callable[..., Server]) -> None:
    there = f"PythonInterpreter {interpreter}"
    host = server(spawned(f"/{name}", there) + spawned("/tells", there), files={"www/spawned.py": SPAWNED})
    busy = host.client().send(build_request("GET", f"/{name}?30"))
    wait_until(lambda: host.request("GET", "/tells").text == "told", "an answer")
    assert busy.read_response().text == "told"


@pytest.mark.slow
def test_children_may_end_while_they_are_counted(server: Callable[..., Server]) -> None:
    """Its parent gives way in the midst of it."""
    host = server(location("/counts", "counts", "PyTimeSlice 1ms", "PyBlockedWarning Off", module="counts", folder="@ROOT@/www"), files={"www/counts.py": """
import time
from mod_python import apache
from pyhost import coro

def counts(req):
    def run():
        end = time.monotonic() + 2
        while time.monotonic() < end:
            if parent.child_count() < 200:
                coro.Thread(target=coro.sleep, args=(0.005,)).start()
        return "counted"
    parent = coro.Thread(target=run)
    parent.start()
    parent.join()
    req.write(parent.result or repr(parent.exception))
    return apache.OK
"""})
    assert host.request("GET", "/counts").text == "counted"


@pytest.mark.slow
def test_service_that_computes_gives_way(server: Callable[..., Server]) -> None:
    host = server("PythonPath \"['@ROOT@/www'] + sys.path\"\nPythonImport spawned::start main_interpreter\n" + spawned("/tells") + spawned("/asks_service"),
                  files={"www/spawned.py": SPAWNED})
    assert host.request("GET", "/tells").text == "told"
    assert host.request("GET", "/asks_service").text == "told"


@pytest.mark.slow
def test_coroutine_that_holds_up_the_worker_is_named(server: Callable[..., Server]) -> None:
    host = server(spawned("/spawns", "PyTimeSlice Off", "PyBlockedWarning 50ms") + spawned("/spawns/quietly", "PyBlockedWarning Off")
                  + spawned("/blocked", "PyBlockedWarning Off"),
                  files={"www/spawned.py": SPAWNED})
    assert host.request("GET", "/spawns/quietly?0.2").text == "not told"
    assert "held up" not in host.error_log
    assert host.request("GET", "/spawns?0.5").text == "not told"
    host.expect_log(r"sentinel:warn.*held up for \d+ ms by coroutine grinds, the 1st time of any")
    host.expect_log(r"sentinel:warn.*in grinds")
    assert host.request("GET", "/blocked").text == "{'(coroutines)': 1}"


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("where", ["www", "lib"])  # beside the handler: mod_python's importer; elsewhere: importlib
def test_import_that_computes_is_finished_before_its_request_is_ended(where: str, interpreter: str, server: Callable[..., Server]) -> None:
    """Left half done, a package could never be imported again: its parts would be there, and the package would not name them."""
    there = f"PythonInterpreter {interpreter}"
    host = server(location("/imports", "imports", "PyRequestTimeout 50ms", "PyBlockedWarning Off", there, module="imports", folder="@ROOT@/www', '@ROOT@/lib"),
                  files={"www/imports.py": """
import time
from mod_python import apache

def imports(req):
    import large
    time.sleep(0.001)
    req.write(large.word)
    return apache.OK
""", f"{where}/large/__init__.py": """
import time
from .part import *
end = time.monotonic() + 0.4
while time.monotonic() < end:
    sum(range(100))
word = " ".join(part.__all__)
""", f"{where}/large/part.py": "__all__ = ['complete']\ncomplete = True\n"})
    assert host.request("GET", "/imports").status == 504
    host.allow_log("python:error")
    wait_until(lambda: host.request("GET", "/imports").text == "complete", "it is imported, and said within its time")
    host.expect_log("RequestTimeout")

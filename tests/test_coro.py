"""pyhost.coro and pyhost.pool: every case runs in a handler greenlet of the real binary."""
from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client, build_request
from support.server import Server, wait_until

APPS = Path(__file__).parent / "apps"
CASES = re.findall(r"^def (\w+)\(\) -> None:", (APPS / "green_coro.py").read_text(), re.MULTILINE)
CONF = f"""
<Location />
    SetHandler mod_python
    PythonHandler green_app
    PythonPath "['{APPS}'] + sys.path"
</Location>
<Location /off>
    PyGreen Off
</Location>
<Location /unsliced>
    PyTimeSlice Off
</Location>
<Location /other>
    PythonInterpreter other
</Location>
"""


@pytest.fixture(scope="module")
def host(module_server: Callable[..., Server]) -> Server:
    return module_server(CONF, check_fds=False)


STRETCHES = ("thread_tells_its_longest_stretch", "where_tells_all_of_them")  # which a time slice would end


@pytest.mark.parametrize("name", CASES)
def test_coro(host: Server, name: str) -> None:
    with Client(host.address, timeout=30) as client:
        assert client.request("GET", f"/{'unsliced' if name in STRETCHES else 'case'}?{name}").text == "ok"


@pytest.mark.parametrize("name", ["spawn_and_join", "conditions", "coro_queues", "threads", "pool_bounds_and_reuses"])
@pytest.mark.parametrize("where", ["off", "other"])
def test_coro_needs_no_green_calls_and_works_in_other_interpreters(host: Server, where: str, name: str) -> None:
    with Client(host.address, timeout=30) as client:
        assert client.request("GET", f"/{where}?{name}").text == "ok"


def test_spawned_services_clean_up_when_the_server_stops(server: Callable[..., Server]) -> None:
    host = server(f"""
PythonPath "['@ROOT@/www', '{APPS}'] + sys.path"
PythonImport service main_interpreter
<Location />
    SetHandler mod_python
    PythonHandler green_app::sleeper
</Location>
""", {"www/service.py": """
import os
import time
from pyhost import coro

def serve():
    try:
        while True:
            time.sleep(3600)
    finally:
        time.sleep(0.01)
        open(os.path.join(os.path.dirname(__file__), "stopped"), "w").close()

coro.spawn(serve)
"""})
    assert host.request("GET", "/").status == 200
    host.stop()
    assert (host.root / "www/stopped").exists()


KINDS = """
import os, queue, select, socket, subprocess, threading, time
from greenlet import GreenletExit
from pyhost import coro

a, b = socket.socketpair()
b.settimeout(3600)
lock, event, fifo = threading.Lock(), coro.Event(), coro.Queue()
lock.acquire()

def note(name, how):
    with open(os.path.join(os.path.dirname(__file__), "ended"), "a") as file:
        file.write(f"{name} {how}\\n")

def serve(name, wait):
    try:
        while True:
            wait()
    except GreenletExit:
        time.sleep(0.01)  # it may wait while it cleans up
        note(name, "cleaned up")
        raise
    finally:
        note(name, "ended")

def computes():
    end = time.monotonic() + 0.001
    while time.monotonic() < end:
        pass
    coro.sleep(0)

KINDS = {
    "sleep": lambda: time.sleep(3600), "timer": lambda: coro.sleep(0.005), "recv": lambda: a.recv(1), "recv with a timeout": lambda: b.recv(1),
    "lock": lock.acquire, "event": event.wait, "queue": fifo.get, "standard queue": queue.Queue().get, "select": lambda: select.select([a], [], []),
    "child": lambda: subprocess.run(["sleep", "3600"]), "condition": threading.Event().wait, "turns": lambda: coro.sleep(0),
    "computes": computes, "deadline": lambda: within(), "listener": socket.create_server(("127.0.0.1", 0)).accept,
}

def within():
    try:
        with coro.deadline(0.01):
            coro.sleep(3600)
    except coro.Timeout:
        pass

for name, wait in KINDS.items():
    coro.spawn(serve, name, wait)
coro.Thread(target=serve, args=("thread", lambda: time.sleep(3600))).start()
KINDS["thread"] = None
"""


@pytest.mark.parametrize("interpreter", ["main_interpreter", "beside"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT])
def test_each_kind_of_service_is_stopped_cleanly(how: signal.Signals, interpreter: str, server: Callable[..., Server]) -> None:
    """However the worker leaves, and whatever a service waits on: GreenletExit is raised there, and it may wait while it cleans up."""
    host = server(f"""
PythonPath "['@ROOT@/www', '{APPS}'] + sys.path"
PythonImport services {interpreter}
<Location />
    SetHandler mod_python
    PythonHandler services_tell
    PythonInterpreter {interpreter}
</Location>
""", {"www/services.py": KINDS, "www/services_tell.py": """
import services
from mod_python import apache
def handler(req):
    req.write(" ".join(sorted(name.replace(" ", "_") for name in services.KINDS)))
    return apache.OK
"""})
    host.check_fds = False  # the services' own
    names = host.request("GET", "/").text.split()
    assert len(names) == 16
    host.stop(how)
    expected = sorted(f"{name.replace('_', ' ')} {end}" for name in names for end in ("cleaned up", "ended"))
    assert sorted((host.root / "www/ended").read_text().splitlines()) == expected


def test_service_that_does_not_end_is_left_behind(server: Callable[..., Server]) -> None:
    host = server("""
PythonPath "['@ROOT@/www'] + sys.path"
PythonImport stubborn main_interpreter
""", {"www/stubborn.py": """
import time
from pyhost import coro

def serve():
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass

coro.spawn(serve)
"""})
    host.check_fds = False
    host.stop()


def beside(handler: str) -> str:
    return f"""
<Location />
    SetHandler mod_python
    PythonHandler {handler}
    PythonPath "['@ROOT@/www'] + sys.path"
</Location>
"""


def test_fault_of_a_task_that_was_once_thrown_into_is_logged(server: Callable[..., Server]) -> None:
    """What was thrown in ends a task quietly; what comes after it has been caught does not."""
    host = server(beside("thrown_into"), {"www/thrown_into.py": """
from mod_python import apache
from pyhost import coro

class Quiet(Exception):
    pass

def loud():
    try:
        coro.sleep(10)
    except Quiet:
        coro.sleep(0)
    raise LookupError("a fault of its own")

def handler(req):
    for function in (loud, lambda: coro.sleep(10)):
        task = coro.spawn(function)
        coro.sleep(0.001)
        task.throw(Quiet("quiet"))
        task.join(10)
        req.write(type(task.exception).__name__ + " ")
    return apache.OK
"""})
    assert host.request("GET", "/").text == "LookupError Quiet "
    host.expect_log("a fault of its own")
    host.allow_log("python:error")
    assert "quiet" not in host.error_log


def test_task_that_has_not_begun_when_the_server_stops_never_does(server: Callable[..., Server]) -> None:
    """It would be waited for. Those that clean up may spawn, and wait for what they have spawned."""
    host = server(beside("late"), {"www/late.py": """
import os, signal, time
from mod_python import apache
from pyhost import coro

begun = 0

def begins():
    global begun
    begun += 1
    time.sleep(3600)

def serve():
    try:
        time.sleep(3600)
    finally:
        before = begun
        flushed = coro.spawn(lambda: coro.sleep(0.05) or "flushed").get(10)
        with open(os.path.join(os.path.dirname(__file__), "noted"), "w") as file:
            file.write(f"{begun - before} more, {flushed}")

def handler(req):
    coro.spawn(serve)
    coro.sleep(0.001)
    for _ in range(40000):
        coro.spawn(begins)
    os.kill(os.getpid(), signal.SIGTERM)
    return apache.OK
"""})
    with Client(host.address) as client:
        client.send(build_request("GET", "/"))
        wait_until(lambda: host.read("www/noted"), "the service has cleaned up")
        host.check_fds = False
        host.stop()
    assert host.read("www/noted") == "0 more, flushed"


def test_who_traces_memory_from_the_start_may_stop_it(server: Callable[..., Server]) -> None:
    host = server("""
<Location />
    SetHandler mod_python
    PythonHandler traced
    PythonPath "['@ROOT@/www'] + sys.path"
</Location>
""", {"www/traced.py": """
import tracemalloc
from mod_python import apache
from pyhost import coro

def handler(req):
    gate = coro.Event()
    waiting = [coro.spawn(gate.wait) for _ in range(8)]
    coro.sleep(0.001)
    traced = tracemalloc.is_tracing()
    tracemalloc.stop()
    gate.set()
    for task in waiting:
        task.join()
    req.write(str(traced))
    return apache.OK
"""}, env={"PYTHONTRACEMALLOC": "1"})
    assert host.get("/").text == "True"
    assert host.get("/").text == "False"

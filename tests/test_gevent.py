"""gevent under pyhost: in handlers, in programs, beside pyhost's own coroutines; psycopg2 with a wait callback. What differs is in docs/green.md."""
from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client
from support.databases import postgresql
from support.script import Script
from support.server import Server, free_port

pytest.importorskip("gevent")

APP = (Path(__file__).parent / "apps" / "gevent_app.py").read_text()
CONF = """
PyWSGIAlias /app @ROOT@/app/gevent_app.py:application
<Location /plain>
    SetHandler mod_python
    PythonHandler plain
    PythonPath "['@ROOT@/www'] + sys.path"
</Location>
"""
PLAIN = "def handler(req):\n    req.content_type = 'text/plain'\n    req.write('plain')\n    return 0\n"
Result = Callable[..., tuple[int, str, str]]


@pytest.fixture
def host(server: Callable[..., Server]) -> Server:
    made = server(CONF, {"app/gevent_app.py": APP, "www/plain.py": PLAIN})
    made.check_fds = False  # each handler's hub keeps its descriptors
    return made


@pytest.fixture
def result(script: Callable[..., Script]) -> Result:
    def run(source: str) -> tuple[int, str, str]:
        process = script(source).process
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return run


def at_once(host: Server, count: int, target: str) -> list[str]:
    found: list[str] = []

    def run() -> None:
        answer = host.get(target)
        found.append(answer.text if answer.status == 200 else f"{answer.status}")

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


# --- in handlers

@pytest.mark.parametrize("name, text", [
    ("sleep", str(list(range(10)))), ("pool", str(list(range(8)))), ("timeout", "timeout"), ("threadpool", "42"), ("child", "hello"), ("streams", "ABC"),
    ("events", "[1, 2]"), ("threads", "put"), ("names", "('127.0.0.1', '127.0.0.1')"), ("selected", "1"), ("meet", "met")])
def test_what_a_patched_application_uses_in_its_requests(host: Server, name: str, text: str) -> None:
    assert at_once(host, 10, f"/app/{name}") == [text] * 10
    assert host.get("/plain").text == "plain"


def test_a_lock_of_the_module_is_everybody_s(host: Server) -> None:
    for _ in range(3):
        at_once(host, 10, "/app/lock")
    assert host.get("/app/lock").text == "31"


def test_requests_of_its_own_server(host: Server) -> None:
    assert at_once(host, 10, f"/app/fetch?{host.port}") == [str(host.pid)] * 10


def test_a_gevent_loop_that_waits_lets_others_run(host: Server) -> None:
    """Nine wait for a tenth: while their hubs wait in epoll, other handlers answer."""
    with Client(host.address) as last:
        clients = [host.client() for _ in range(9)]
        for client in clients:
            client.send(b"GET /app/meet HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [host.get("/plain").text for _ in range(5)] == ["plain"] * 5
        assert host.get("/app/pool").text == str(list(range(8)))
        assert last.request("GET", "/app/meet").text == "met"
        assert [client.read_response().text for client in clients] == ["met"] * 9


def test_what_is_patched_in_handlers_and_what_is_not(host: Server) -> None:
    assert host.get("/app/patched").text == str(["socket", "time", "select", "ssl"])


def test_gevent_s_own_children_need_the_main_program(host: Server) -> None:
    """As in any thread but the main one; subprocess itself gives way."""
    refused = "child watchers are only available on the default loop"
    assert refused in (found := set(at_once(host, 10, "/app/gevents_child"))) and found <= {refused, "hello"}  # the one that imported gevent may


# --- in programs

def test_a_patched_program_patches_all(result: Result) -> None:
    code, out, err = result("""
from gevent import monkey
monkey.patch_all()
import threading, queue, time
print([name for name in ("socket", "time", "select", "ssl", "threading", "subprocess", "queue", "signal", "os") if monkey.is_module_patched(name)])
box = queue.Queue()
threads = [threading.Thread(target=lambda n=n: (time.sleep(0.01), box.put(n))) for n in range(5)]
for thread in threads: thread.start()
print(sorted(box.get() for _ in threads))
""")
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "[0, 1, 2, 3, 4]" and "threading" in out and "subprocess" in out


PROGRAMS = {
    "echo server": ("""
import gevent
from gevent import socket
from gevent.server import StreamServer
def echo(peer, address):
    with peer.makefile("rb") as lines:
        for line in lines:
            peer.sendall(line.upper())
server = StreamServer(("127.0.0.1", 0), echo)
server.start()
def client(number):
    with socket.create_connection(("127.0.0.1", server.server_port)) as sock:
        sock.sendall(b"line %d\\n" % number)
        return sock.recv(100).decode().strip()
print([job.get() for job in [gevent.spawn(client, number) for number in range(3)]])
server.stop()
""", "['LINE 0', 'LINE 1', 'LINE 2']"),
    "udp": ("""
import gevent
from gevent import socket
from gevent.server import DatagramServer
class Echo(DatagramServer):
    def handle(self, data, address):
        self.socket.sendto(b"got " + data, address)
server = Echo(("127.0.0.1", 0))
server.start()
sock = socket.socket(type=socket.SOCK_DGRAM)
sock.connect(("127.0.0.1", server.server_port))
sock.send(b"word")
print(sock.recvfrom(100)[0].decode())
""", "got word"),
    "names, many at once": ("""
import gevent
from gevent import socket
jobs = [gevent.spawn(socket.gethostbyname, "localhost") for _ in range(20)]
gevent.joinall(jobs, timeout=20)
print({job.value for job in jobs})
""", "{'127.0.0.1'}"),
    "processes": ("""
import gevent
from gevent import subprocess
one = subprocess.Popen(["sh", "-c", "sleep 0.05; echo one"], stdout=subprocess.PIPE)
two = subprocess.Popen(["echo", "two"], stdout=subprocess.PIPE)
gevent.wait([one, two], timeout=20)
print(one.stdout.read().decode().strip(), two.stdout.read().decode().strip(), one.poll(), two.poll())
""", "one two 0 0"),
    "thread pool": ("""
import time
import gevent
from gevent.threadpool import ThreadPool
pool = ThreadPool(3)
for _ in range(4):
    pool.spawn(time.sleep, 0.01)
gevent.wait()
print(pool.apply(lambda: "worked"))
""", "worked"),
    "queue of workers": ("""
import gevent
from gevent.queue import JoinableQueue
box, done = JoinableQueue(maxsize=2), []
def worker():
    while True:
        item = box.get()
        gevent.sleep(0)
        done.append(item)
        box.task_done()
for _ in range(3): gevent.spawn(worker)
for item in range(10): box.put(item)
box.join()
print(sorted(done))
""", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
    "unix socket, file object": ("""
import gevent, os, tempfile
from gevent import socket
from gevent.fileobject import FileObject
path = os.path.join(tempfile.mkdtemp(), "s")
listener = socket.socket(socket.AF_UNIX)
listener.bind(path); listener.listen(1)
gevent.spawn(lambda: listener.accept()[0].sendall(b"by unix"))
client = socket.socket(socket.AF_UNIX)
client.connect(path)
r, w = os.pipe()
gevent.spawn(lambda: (gevent.sleep(0.01), os.write(w, b"by pipe\\n")))
print(client.recv(100).decode(), FileObject(r, "rb").readline().decode().strip())
""", "by unix by pipe"),
    "signals and timeouts": ("""
import os, signal
import gevent
from gevent.event import Event
seen = Event()
gevent.signal_handler(signal.SIGUSR1, seen.set)
gevent.spawn_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
print(seen.wait(20), gevent.with_timeout(0.02, gevent.sleep, 30, timeout_value="late"))
""", "True late"),
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_programs_of_the_kind_of_gevent_s_examples(result: Result, name: str) -> None:
    """Beside a coroutine of pyhost's, which beats all the time."""
    text, expected = PROGRAMS[name]
    beat = "from pyhost import coro\nbeats = []\ndef beat():\n    while True:\n        beats.append(1)\n        coro.sleep(0.001)\ncoro.spawn(beat)\n"
    code, out, err = result(beat + text + "\nimport gevent\nwhile len(beats) < 20: gevent.sleep(0.001)\nprint('it beat')\n")
    assert (code, out, err) == (0, f"{expected}\nit beat\n", "")


# --- psycogreen

WAIT_CALLBACK = """
import psycopg2
from psycopg2 import extensions
from gevent.socket import wait_read, wait_write

def wait_callback(connection, timeout=None):
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        (wait_read if state == extensions.POLL_READ else wait_write)(connection.fileno(), timeout=timeout)

extensions.set_wait_callback(wait_callback)
"""


def test_a_wait_callback_of_psycopg2_in_handlers_and_in_programs(server: Callable[..., Server], result: Result) -> None:
    pytest.importorskip("psycopg2")
    with postgresql() as folder:
        dsn = f"host={folder} user=postgres"
        connect = f"psycopg2.connect({dsn!r})"
        # all wait for a lock of the database that the last one lets go: they are there at the same time, or none would end
        host = server("PyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": WAIT_CALLBACK + f"""
def application(environ, start_response):
    with {connect} as database, database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(1)" if environ["PATH_INFO"] == "/wait" else "SELECT count(*) FROM pg_locks WHERE locktype = "
                       "'advisory' AND NOT granted")
        found = str(cursor.fetchone()[0])
    database.close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [found.encode()]
"""})
        host.check_fds = False
        check_waits(host, dsn)
        code, out, err = result(WAIT_CALLBACK + f"""
import gevent, gevent.pool
def ask(number):
    with {connect} as database, database.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05), %s", (number,))
        return cursor.fetchone()[1]
print(sorted(gevent.pool.Pool(5).imap_unordered(ask, range(10))))
""")
        assert (code, out, err) == (0, "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n", "")


def check_waits(host: Server, dsn: str) -> None:
    import psycopg2

    from support.server import wait_until
    holder = psycopg2.connect(dsn)
    cursor = holder.cursor()
    cursor.execute("SELECT pg_advisory_lock(1)")
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.extend(at_once(host, 10, "/wait")))
    waiting.start()
    wait_until(lambda: host.get("/count").text == "10", "ten requests wait in the database", 60)
    holder.close()
    waiting.join(60)
    assert found == [""] * 10


# --- gevent's server

def test_pywsgi_in_a_program(script: Callable[..., Script]) -> None:
    port = free_port()
    running = script(f"""
from gevent import monkey
monkey.patch_all()
import time
from gevent.pywsgi import WSGIServer
from gevent.pool import Pool
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode(), b" ", body]
server = WSGIServer(("127.0.0.1", {port}), app, spawn=Pool(50), log=None)
server.serve_forever()
""")
    running.wait_for(port)
    import urllib.request
    found = []
    for number in range(3):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/x{number}", data=b"body", timeout=20) as answer:
            found.append(answer.read().decode())
    assert found == ["/x0 body", "/x1 body", "/x2 body"]
    code, _, err = running.end()
    assert code == -15 and not re.search("Traceback", err)

"""Time and amount: deadlines with minimum rates, slow clients and slow readers (reference/http.md, last sections)."""
from __future__ import annotations

import os
import resource
import socket
import time

import pytest

from support.client import Client, build_request
from support.server import wait_until

ALLOW = '\n<Directory "@ROOT@/www">\nRequire all granted\n</Directory>\n'
APP = """
from mod_python import apache
def handler(req):
    req.content_type = "text/plain"
    try:
        req.write("%d" % len(req.read()))
    except Exception as exc:
        raise
    return apache.OK
"""


def elapsed(start: float) -> float:
    return time.monotonic() - start


@pytest.mark.slow
def test_head_deadline_gives_408_where_a_request_had_begun_and_silence_where_not(server):
    host = server("RequestReadTimeout header=1 body=1" + ALLOW, files={"www/index.html": "hello"})
    start = time.monotonic()
    with host.client() as silent, host.client() as begun, host.client() as crlf:
        begun.send(b"GET / HT")
        crlf.send(b"\r\n")
        response = begun.read_response()
        assert response.status == 408 and response.closes and 0.5 < elapsed(start) < 5
        begun.expect_close()
        silent.expect_close()
        crlf.read_rest()
    assert "RequestReadTimeout" in host.error_log


@pytest.mark.slow
def test_a_trickle_does_not_extend_the_head_deadline_beyond_its_maximum(server):
    host = server("RequestReadTimeout header=1-2,MinRate=500 body=1" + ALLOW)
    start = time.monotonic()
    with host.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nA: ")
        client.sock.settimeout(0.05)
        while elapsed(start) < 10:
            try:
                client.send(b"x")
                client.fill()
                break
            except TimeoutError:
                continue
            except OSError:
                break
        assert 0.8 < elapsed(start) < 5
        client.sock.settimeout(10)
        assert client.read_response().status == 408


@pytest.mark.slow
def test_body_deadline_is_an_error_for_the_handler(server):
    host = server('RequestReadTimeout header=5 body=1\n<Directory "@ROOT@/www/app">\nSetHandler mod_python\nPythonHandler app\n</Directory>' + ALLOW,
                  files={"www/app/app.py": APP})
    start = time.monotonic()
    with host.client() as client:
        client.send(b"POST /app/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello")
        response = client.read_response()
        assert response.status == 408 and response.closes and 0.5 < elapsed(start) < 5
        client.expect_close()


@pytest.mark.slow
def test_idle_keep_alive_connections_close_in_silence(server):
    host = server("KeepAliveTimeout 1" + ALLOW, files={"www/index.html": "hello"})
    with host.client() as client:
        start = time.monotonic()
        assert client.request("GET", "/index.html").status == 200
        client.expect_close()
        assert 0.5 < elapsed(start) < 5


@pytest.mark.slow
def test_a_reader_that_stops_is_let_go(server):
    host = server("Timeout 1" + ALLOW, files={"www/large.bin": b"x" * (32 << 20)})
    with host.client() as client:
        client.send(build_request("GET", "/large.bin"))
        assert client.read_head().status == 200
        wait_until(lambda: "takes no more of the answer" in host.error_log, "the slow reader is logged", 15)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "goes_on"), [("1000000", False), ("1000", True)])
def test_a_reader_has_to_keep_pace(server, rate, goes_on):
    host = server(f"Timeout 2\nPyResponseMinRate {rate}" + ALLOW, files={"www/large.bin": b"x" * (32 << 20)})
    start, taken = time.monotonic(), 0
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.settimeout(20)
        slow.connect(host.address)
        slow.sendall(build_request("GET", "/large.bin"))
        while elapsed(start) < (7 if goes_on else 30) and "too slowly: PyResponseMinRate" not in host.error_log:
            taken += len(slow.recv(4000))  # some 40,000 bytes a second
            time.sleep(0.1)
    assert taken > 10000
    assert ("too slowly: PyResponseMinRate" in host.error_log) == (not goes_on), host.error_log
    assert "takes no more" not in host.error_log


@pytest.mark.slow
def test_slow_connections_do_not_hold_up_others(server):
    host = server("RequestReadTimeout header=30 body=30" + ALLOW, files={"www/index.html": "hello"})
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1000, (soft if soft > 0 else 1024) // 2)
    slow = [host.client() for _ in range(count)]
    for client in slow:
        client.send(b"GET / HTTP/1.1\r\nHost: loc")
    start = time.monotonic()
    with host.client() as client:
        for _ in range(100):
            assert client.request("GET", "/index.html").status == 200
    assert elapsed(start) < 15, "half of what the slow ones have"
    for client in slow:
        client.send(b"alhost\r\n\r\n")
    for client in slow:
        assert client.read_response().status == 200


@pytest.mark.slow
def test_slow_readers_cost_little_memory(server):
    host = server("Timeout 60" + ALLOW + """
<Directory "@ROOT@/www/app">
    SetHandler mod_python
    PythonHandler app
</Directory>""", files={"www/app/app.py": """
from mod_python import apache
PIECE = b"x" * 65536  # one for all: what an application makes for itself is not the server's
def handler(req):
    req.content_type = "text/plain"
    for _ in range(512):
        req.write(PIECE)
    return apache.OK
"""})

    def resident() -> int:
        with open(f"/proc/{host.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    assert host.get("/app/x").status == 200
    before = resident()
    readers = [host.client() for _ in range(20)]
    for client in readers:
        client.send(build_request("GET", "/app/x"))
        assert client.read_head().status == 200
    with Client(host.address) as other:  # the producers wait; the loop does not
        assert other.request("GET", "/nothing").status == 404
    growth = (resident() - before) / len(readers)
    assert growth < 128 * 1024 or os.environ.get("PYHOST_SANITIZE"), f"{growth / 1024:.0f} KiB for each slow reader of 32 MiB"


@pytest.mark.slow
def test_when_descriptors_are_out_the_server_rests_and_recovers(server):
    host = server(ALLOW, files={"www/index.html": "hello"})
    host.allow_log("descriptors|EMFILE|open files|Too many")
    pid = host.workers()[0]
    used = len(os.listdir(f"/proc/{pid}/fd"))
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, old[1]))
    clients = [host.client() for _ in range(60)]

    def cpu_seconds() -> float:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, start = cpu_seconds(), time.monotonic()
    wait_until(lambda: elapsed(start) > 1.0, "a second has gone by")
    assert cpu_seconds() - before <= 0.05 * max(1.0, elapsed(start)), "at most 5 % of a CPU while descriptors are out"
    answers = []
    told = None
    for client in clients:
        client.sock.settimeout(0.01)
        try:
            answers.append(client.read_line())
            told = told or (client.read_fields() if answers[-1].startswith(b"HTTP/1.1 503") else None)
        except TimeoutError:
            pass  # accepted, or still in the queue of the kernel
        client.close()
    assert told is not None, "the reserve descriptor lets somebody be told"
    assert {"date", "server", "retry-after", "connection"} <= {name.lower() for name, _ in told}
    host.clients.clear()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, old)

    def served() -> bool:
        try:
            return host.get("/index.html").status == 200
        except (AssertionError, OSError):
            return False

    wait_until(served, "requests are served again", 10)
    assert host.error_log.count("Too many") + host.error_log.count("descriptors are out") < 10, "one line a second at most"


@pytest.mark.slow
def test_pipelined_answers_that_nobody_reads_cost_little_memory(server):
    host = server("Timeout 60" + ALLOW, files={"www/large.txt": b"x" * (8 << 20), "www/small.txt": b"y" * 4096})

    def resident() -> int:
        with open(f"/proc/{host.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    assert host.get("/large.txt").status == 200
    before = resident()
    clients = [host.client() for _ in range(10)]
    for client in clients:
        client.send(build_request("GET", "/large.txt") + build_request("GET", "/small.txt") * 60)
        assert client.read_head().status == 200
    with Client(host.address) as other:
        assert other.request("GET", "/nothing").status == 404
    growth = (resident() - before) / len(clients)
    assert growth < 128 * 1024 or os.environ.get("PYHOST_SANITIZE"), f"{growth / 1024:.0f} KiB for each client"
    clients[0].read_exactly(8 << 20)
    for _ in range(60):
        assert clients[0].read_response().body == b"y" * 4096


@pytest.mark.parametrize("size", [1000, 200_000, 900_000])
def test_error_is_seen_by_a_client_that_is_still_sending(server, size):
    """Lingering close: unread bytes must not turn the answer into a reset."""
    host = server(ALLOW)
    with host.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\n" + b"x" * size)
        response = client.read_response()
        assert response.status == 400 and response.closes
        client.expect_close()


@pytest.mark.slow
def test_endless_garbage_is_refused_by_limit(server):
    host = server(ALLOW)
    for garbage, statuses in ((b"\r\n" * 5000, (400,)), (b"x" * 20000, (414,)), (b"\0" * 20000, (400,)), (b"GET / HTTP/1.1\r\n" * 2000, (400,))):
        with host.client() as client:
            client.send_slowly(garbage, 1000)
            assert client.read_response().status in statuses
            client.expect_close()

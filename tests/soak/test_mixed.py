"""Clients of all kinds at once, while the configuration is loaded again and workers are killed: no request is lost, nothing piles up.

PYHOST_SOAK is the number of seconds (`make soak` says 180); without it a few.
"""
from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client, ProtocolError, build_request
from support.conf import APP as APP_CONF
from support.server import Server, open_files, wait_until

SECONDS = max(8.0, float(os.environ.get("PYHOST_SOAK") or 0))
CONF = APP_CONF + """
GracefulShutdownTimeout 20
RequestReadTimeout header=10 body=10
<Directory "@ROOT@/www">
    Require all granted
</Directory>
"""
APP = """
import time
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    if req.args == "echo":
        req.write(req.read())
    elif req.args == "wait":
        time.sleep(0.02)
        req.write("waited")
    elif req.args == "stream":
        for _ in range(20):
            req.write("x" * 10000)
    elif req.args == "fault":
        raise ValueError("as it should be")
    else:
        req.write("Hello World!")
    return apache.OK

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read() or b"Hello World!"]
"""
BODY = os.urandom(30000)
WHOLE = [  # request, status, body
    (build_request("GET", "/app"), 200, b"Hello World!"), (build_request("GET", "/app?wait"), 200, b"waited"),
    (build_request("POST", "/app?echo", body=BODY), 200, BODY), (build_request("POST", "/wsgi", body=BODY), 200, BODY),
    (build_request("GET", "/app?stream"), 200, b"x" * 200000), (build_request("GET", "/file.bin"), 200, b"f" * 100000),
    (build_request("GET", "/missing"), 404, None), (build_request("GET", "/app?fault"), 500, None),
]


class Crowd:
    """Threads of clients; what each saw is counted, what must not be is kept."""

    def __init__(self, host: Server) -> None:
        self.host, self.over = host, threading.Event()
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.threads = [threading.Thread(target=self.run, args=(kind, number)) for number, kind in enumerate(
            [self.stays, self.stays, self.comes_and_goes, self.comes_and_goes, self.breaks_off, self.is_slow])]

    def run(self, kind: Callable[[random.Random], None], number: int) -> None:
        chance = random.Random(number)
        while not self.over.is_set():
            try:
                kind(chance)
            except (AssertionError, OSError) as error:
                self.wrong.append(f"{kind.__name__}: {error!r}"[:300])
                if len(self.wrong) > 20:
                    return
            self.seen[kind.__name__] += 1

    def ask(self, client: Client, chance: random.Random) -> bool:
        request, status, body = chance.choice(WHOLE)
        response = client.send(request).read_response()
        assert response.status == status and (body is None or response.body == body), f"{response.status} {len(response.body)} for {request[:40]!r}"
        self.seen["requests"] += 1
        return not response.closes

    def stays(self, chance: random.Random) -> None:
        """Asks again on the same connection; a server that has said nothing may close it between two requests."""
        with Client(self.host.address, timeout=30) as client:
            for number in range(50):
                try:
                    if not self.ask(client, chance):
                        return
                except (ProtocolError, OSError):
                    if number and not client.received:
                        self.seen["closed between two requests"] += 1
                        return
                    raise

    def comes_and_goes(self, chance: random.Random) -> None:
        with Client(self.host.address, timeout=30) as client:
            self.ask(client, chance)

    def breaks_off(self, chance: random.Random) -> None:
        request = chance.choice(WHOLE)[0]
        client = Client(self.host.address, timeout=30).send(request[:chance.randrange(len(request))])
        client.reset() if chance.random() < 0.5 else client.close()
        self.over.wait(0.002)

    def is_slow(self, chance: random.Random) -> None:
        with Client(self.host.address, timeout=30) as client:
            for byte in WHOLE[0][0]:
                client.send(bytes([byte]))
                self.over.wait(0.003)
            assert client.read_response().body == b"Hello World!"
        with Client(self.host.address, timeout=30) as client:
            client.send(WHOLE[4][0])
            while len(client.received) < 100000:
                piece = client.sock.recv(4096)
                assert piece, "the stream ended"
                client.received += piece


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.slow
@pytest.mark.parametrize("killing", [False, True], ids=["reloads", "reloads and kill -9"])
def test_no_request_is_lost_and_nothing_piles_up(server: Callable[..., Server], killing: bool) -> None:
    host = server(CONF, files={"www/app.py": APP, "www/file.bin": b"f" * 100000}, workers=2)
    host.allow_log("")
    crowd = Crowd(host)
    master, files, generation, kills = resident_bytes(host.pid), open_files(host.pid), 1, 0
    end = time.monotonic() + SECONDS / 2
    for thread in crowd.threads:
        thread.start()
    try:
        while time.monotonic() < end and len(crowd.wrong) <= 20:
            generation += 1
            host.send_signal(signal.SIGHUP)
            serves = f"generation {generation} serves"
            wait_until(lambda serves=serves: serves in host.error_log, serves, 60)
            if killing:
                for pid in host.workers()[:1]:
                    with contextlib.suppress(ProcessLookupError):  # one of the generation before, which has just ended
                        os.kill(pid, signal.SIGKILL)
                        kills += 1
            crowd.over.wait(max(0.5, SECONDS / 60))
    finally:
        crowd.over.set()
        for thread in crowd.threads:
            thread.join(60)
    assert crowd.seen["requests"] > SECONDS * 5 and generation > 3, (crowd.seen, generation)
    if killing:  # what a killed worker was at is gone; nothing else is
        assert len(crowd.wrong) <= kills * 6, crowd.wrong
    else:
        assert not crowd.wrong, crowd.wrong
    wait_until(lambda: len(host.workers()) == 2, "old workers have ended", 30)
    assert all(host.get("/app").status == 200 for _ in range(20))
    growth = resident_bytes(host.pid) - master
    assert growth < (2 << 20) + generation * 8192 or os.environ.get("PYHOST_SANITIZE"), f"the master grew by {growth} bytes"
    wait_until(lambda: sum(open_files(host.pid).values()) <= sum(files.values()) + 2, "the master's descriptors are those of the beginning", 20)
    for pid in host.workers():
        wait_until(lambda pid=pid: open_files(pid)["socket"] <= 12, "a worker has no forgotten connection", 20)
    host.files_before = {}

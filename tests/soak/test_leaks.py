"""Memory stays flat over many requests of each kind, and the master's over many reloads. `make soak`: 100,000 requests and 100 reloads."""
from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client, build_request
from support.conf import APP as APP_CONF
from support.server import Server, wait_until

SOAK = bool(os.environ.get("PYHOST_SOAK"))
REQUESTS, RELOADS = (100_000, 100) if SOAK else (10_000, 12)
BATCH = 50
CONF = APP_CONF + """
MaxKeepAliveRequests 0
PyMaxConnections 1000
ErrorDocument 404 "there is nothing of this name"
<Directory "@ROOT@/www">
    Require all granted
    Options +Indexes
</Directory>
"""
APP = """
import asyncio, time
from mod_python import apache, Cookie, util

def handler(req):
    req.content_type = "text/plain"
    if req.args == "form":
        form = util.FieldStorage(req)
        req.write("%d" % len(form.keys()))
    elif req.args == "sleep":
        time.sleep(0)
        req.write("slept")
    elif req.args == "cookie":
        Cookie.add_cookie(req, "a", "b")
        req.write(str(Cookie.get_cookies(req)))
    elif req.args == "status":
        return apache.HTTP_FORBIDDEN
    elif req.args == "stream":
        for _ in range(3):
            req.write("piece", 1)
    else:
        req.write("Hello World!\\n", 0)
    return apache.OK

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    body = environ["wsgi.input"].read()
    return [b"Hello ", b"World!", body]
"""
KINDS = {
    "handler": build_request("GET", "/app"), "form": build_request("POST", "/app?form", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&b=2"),
    "sleep": build_request("GET", "/app?sleep"), "cookies": build_request("GET", "/app?cookie", {"Cookie": "x=y; z=1"}),
    "stream": build_request("GET", "/app?stream"), "forbidden": build_request("GET", "/app?status"), "wsgi": build_request("POST", "/wsgi/x", body=b"body"),
    "static": build_request("GET", "/file.txt"), "range": build_request("GET", "/file.txt", {"Range": "bytes=1-3,5-6"}), "listing": build_request("GET", "/"),
    "missing": build_request("GET", "/missing"), "redirect": build_request("GET", "/sub"),
}


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def pour(client: Client, request: bytes, count: int) -> None:
    """Send requests in batches and count the answers."""
    for _ in range(count // BATCH):
        client.send(request * BATCH)
        for _ in range(BATCH):
            assert client.read_response().status


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_flat_over_many_requests(server: Callable[..., Server], kind: str) -> None:
    host = server(CONF, files={"www/app.py": APP, "www/file.txt": "0123456789", "www/sub/x": ""})
    host.allow_log("")
    count = REQUESTS // 4 if kind == "listing" else REQUESTS
    with Client(host.address, timeout=60) as client:
        pour(client, KINDS[kind], min(2000, count // 2))
        before = resident_bytes(host.pid)
        pour(client, KINDS[kind], count)
        growth = resident_bytes(host.pid) - before
    assert growth < 512 * 1024 or os.environ.get("PYHOST_SANITIZE"), f"{growth} bytes more after {count} requests: {growth / count:.1f} each"


@pytest.mark.slow
def test_memory_is_flat_over_many_connections(server: Callable[..., Server]) -> None:
    host = server(CONF, files={"www/app.py": APP, "www/file.txt": "0123456789"})
    host.allow_log("")

    def go(count: int) -> None:
        for number in range(count):
            with Client(host.address) as client:
                client.send(KINDS["form" if number % 2 else "static"][:None if number % 5 else 40])
                if number % 7 == 0:
                    client.reset()
                elif number % 5:
                    client.read_response()

    go(500)
    before = resident_bytes(host.pid)
    go(REQUESTS // 20)
    growth = resident_bytes(host.pid) - before
    assert growth < 512 * 1024 or os.environ.get("PYHOST_SANITIZE"), f"{growth} bytes more"


@pytest.mark.slow
def test_the_master_stays_as_large_and_as_open_over_many_reloads(server: Callable[..., Server]) -> None:
    host = server(CONF, files={"www/app.py": APP, "www/file.txt": "0123456789"}, workers=1)
    host.allow_log("")

    def reload(generation: int) -> None:
        host.send_signal(signal.SIGHUP)
        wait_until(lambda: f"generation {generation} serves" in host.error_log, f"generation {generation} serves", 30)
        assert host.get("/app").status == 200

    for generation in range(2, 6):
        reload(generation)
    before, files = resident_bytes(host.pid), len(os.listdir(f"/proc/{host.pid}/fd"))
    for generation in range(6, 6 + RELOADS):
        reload(generation)
    growth = resident_bytes(host.pid) - before
    assert growth < (1 << 20) + RELOADS * 4096 or os.environ.get("PYHOST_SANITIZE"), f"{growth} bytes more after {RELOADS} reloads"
    wait_until(lambda: len(os.listdir(f"/proc/{host.pid}/fd")) <= files + 1, "descriptors of old generations are closed", 30)

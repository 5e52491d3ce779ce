"""One server for all cases of a module, since most of them differ in a few bytes only; the checks still run after each test."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import Client, Response
from support.server import Server

APP = Path(__file__).with_name("app.py")
CONF = """
AllowEncodedSlashes Off
LimitRequestBody 0
<Directory "@ROOT@/www">
    Require all granted
</Directory>
<Directory "@ROOT@/www/app">
    SetHandler mod_python
    PythonHandler app
    LimitRequestBody 100000
</Directory>
<Directory "@ROOT@/www/small">
    SetHandler mod_python
    PythonHandler app
    LimitRequestBody 20
</Directory>
"""
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def module_host(module_server: Callable[..., Server]) -> Server:
    app = APP.read_text()
    return module_server(CONF, {"www/index.html": "hello", "www/app/app.py": app, "www/small/app.py": app, "www/a b.txt": "space",
                                "www/sub/deep/file.txt": "deep", "www/secret.txt": "s", "outside.txt": "outside"})


@pytest.fixture
def host(module_host: Server) -> Iterator[Server]:
    with module_host.checked():
        yield module_host


@pytest.fixture
def refused(host: Server) -> Callable[..., Response]:
    """Send a request, and another behind it, whole and byte by byte: one answer of that status, then the end; the other is never read."""

    def check(raw: bytes, status: int, log: str = "") -> Response:
        response = None
        for size in (len(raw) + len(NEXT), 1 if len(raw) < 2000 else 512):
            before = len(host.error_log)
            with Client(host.address) as client:
                client.send_slowly(raw + NEXT, size)
                response = client.read_response(head=raw.startswith(b"HEAD "))
                assert response.status == status, f"{response.status} {response.reason} for {raw[:200]!r}\n{host.error_log[before:]}"
                assert response.closes, f"no Connection: close with {status} for {raw[:200]!r}"
                client.expect_close()
            assert log in host.error_log[before:], f"{log!r} is not in the log: {host.error_log[before:]}"
        assert '"GET /smuggled' not in host.access_log
        assert response is not None
        return response

    return check

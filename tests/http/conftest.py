"""One server for all cases of a module, since most of them differ in a few bytes only; the checks still run after each test."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import Client, Response
from support.server import Server, wait_until

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


def start_host(binary: Path, base_env: dict[str, str], root: Path, conf: str = CONF) -> Server:
    app = APP.read_text()
    files: dict[str, str | bytes] = {"www/index.html": "hello", "www/app/app.py": app, "www/small/app.py": app, "www/a b.txt": "space",
                                     "www/sub/deep/file.txt": "deep", "www/secret.txt": "s", "outside.txt": "outside"}
    return Server(binary, root, conf, files, ("-X",), base_env).start()


@pytest.fixture(scope="module")
def module_host(binary: Path, base_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    host = start_host(binary, base_env, tmp_path_factory.mktemp("host"))
    yield host
    host.finish()


@pytest.fixture
def host(module_host: Server) -> Iterator[Server]:
    """The server of this module; after the test its log has no unexpected error and its descriptors are those of before."""
    module_host.expected.clear()
    module_host.checked_lines = module_host.error_log.count("\n")
    yield module_host
    for client in module_host.clients:
        client.close()
    module_host.clients.clear()
    assert module_host.process is not None and module_host.process.poll() is None, f"the server died:\n{module_host.stderr[-3000:]}"
    wait_until(lambda: not module_host.leaked(), f"descriptors closed: {module_host.leaked()}", 5.0)
    bad = module_host.unexpected_lines()
    module_host.checked_lines = module_host.error_log.count("\n")
    assert not bad, "\n".join(bad)


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

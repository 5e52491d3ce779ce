"""pyhost.coro and pyhost.pool: every case runs in a handler greenlet of the real binary."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client
from support.server import Server

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
<Location /other>
    PythonInterpreter other
</Location>
"""


@pytest.fixture(scope="module")
def host(module_server: Callable[..., Server]) -> Server:
    return module_server(CONF, check_fds=False)


@pytest.mark.parametrize("name", CASES)
def test_coro(host: Server, name: str) -> None:
    with Client(host.address, timeout=30) as client:
        assert client.request("GET", f"/case?{name}").text == "ok"


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

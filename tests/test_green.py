"""Blocking code in handlers gives way: every case runs in a handler greenlet of the real binary."""
from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client
from support.library import build_library
from support.server import Server

APPS = Path(__file__).parent / "apps"
CONF = f"""
PyGreenLibraries libhazard
<Location />
    SetHandler mod_python
    PythonHandler green_app
    PythonPath "['{APPS}'] + sys.path"
</Location>
<Location /sleeper>
    PythonHandler green_app::sleeper
</Location>
<Location /blocking>
    PythonHandler green_app::sleeper
    PyGreen Off
</Location>
<Location /forks>
    PythonHandler green_app::forks
</Location>
<Location /sub>
    PythonHandler green_app::sleeper
    PythonInterpreter other
</Location>
"""


def cases_of(name: str) -> list[str]:
    """Return the functions of a case file that take no arguments, without importing it (it needs pyhost)."""
    return re.findall(r"^def (\w+)\(\) -> None:", (APPS / name).read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def host(module_server: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Server:
    server = module_server(CONF, check_fds=False, env=build_library(tmp_path_factory.mktemp("library")))
    server.allow_log("coro:error|python:error")  # cases raise on purpose where nobody catches
    return server


def call(host: Server, name: str) -> str:
    with Client(host.address, timeout=30) as client:
        return client.request("GET", f"/case?{name}").text


@pytest.mark.parametrize("name", cases_of("green_cases.py"))
def test_blocking_code_gives_way(host: Server, name: str) -> None:
    assert call(host, name) == "ok"


@pytest.mark.parametrize("name", cases_of("green_hazards.py"))
def test_hazard(host: Server, name: str) -> None:
    assert call(host, name) == "ok"


@pytest.mark.parametrize("name", cases_of("green_library.py"))
def test_library(host: Server, name: str) -> None:
    assert call(host, name) == "ok"


def test_requests_that_sleep_do_not_wait_for_each_other(host: Server) -> None:
    took, idents = host.burst("/sleeper", 50)
    assert took < 4 and len(idents) == 50  # 5 s one after the other


def test_forked_child_that_comes_back_is_ended(server: Callable[..., Server]) -> None:
    host = server(CONF)
    answer = host.request("GET", "/forks")
    assert re.fullmatch(r"pid [1-9]\d* status 70", answer.text)
    host.expect_log("forked child came back")
    assert host.request("GET", "/case?sleep_is_exact").text == "ok"


def test_fork_is_refused_beside_other_interpreters(server: Callable[..., Server]) -> None:
    host = server(CONF)
    assert host.request("GET", "/sub").status == 200
    assert host.request("GET", "/forks").status == 500
    host.expect_log("os.fork.. is not possible in a process with several interpreters")
    host.allow_log("green_app")


def test_interpreters_beside_main_are_green_too(host: Server) -> None:
    host.burst("/sub", 1)
    took, idents = host.burst("/sub", 50)
    assert took < 4 and len(idents) == 50


def test_pygreen_off_blocks(host: Server) -> None:
    took, _ = host.burst("/blocking", 5)
    assert took >= 0.5


def test_worker_stays_whole_after_all(host: Server) -> None:
    assert call(host, "sleep_is_exact") == "ok"
    assert not re.search(r"Sanitizer|runtime error:|Fatal Python", host.stderr + host.error_log)

"""Database drivers, in Python and in C, give way with no patch: 200 requests that wait 100 ms each are done in little more than that."""
from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from support.client import Client, build_request
from support.databases import mariadb, postgresql, redis_server
from support.server import Server, wait_until

APPS = Path(__file__).parent / "apps"
CONF = f"""
<Location />
    SetHandler mod_python
    PythonHandler database_app
    PythonPath "['{APPS}'] + sys.path"
</Location>
"""
REQUESTS = 200
AT_MOST_S = 0.6  # 0.1 to 0.3 on a quiet machine; one after the other it were 20
DRIVERS = [
    ("pymysql", "pymysql", mariadb, "mariadbd"), ("mysqlclient", "MySQLdb", mariadb, "mariadbd"),
    ("mariadb", "mariadb", mariadb, "mariadbd"), ("psycopg2", "psycopg2", postgresql, "psql"),
    ("psycopg", "psycopg", postgresql, "psql"), ("redis", "redis", redis_server, "redis-server")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module", "database", "program"), DRIVERS, ids=[driver[0] for driver in DRIVERS])
def test_requests_wait_together_in_the_database(name: str, module: str, database: Callable[[], AbstractContextManager[str]], program: str,
                                                server: Callable[..., Server]) -> None:
    if importlib.util.find_spec(module) is None or not (shutil.which(program) or shutil.which(f"/usr/sbin/{program}")):
        pytest.skip(f"{module} or {program} is not installed")
    with database() as where:
        host = server(CONF, env={"DB": where})
        host.check_fds = False  # the connections stay open in their greenlets
        _, answers = host.burst(f"/case?{name}", REQUESTS)  # connects
        assert len(answers) == 1, answers
        best = host.burst_within(AT_MOST_S, f"/case?{name}", REQUESTS, answers)
        print(f"{name}: {REQUESTS} requests of 100 ms in {best:.3f} s")
        host.stop()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module", "database", "program"), [driver for driver in DRIVERS if driver[0] != "mariadb"],
                         ids=[driver[0] for driver in DRIVERS if driver[0] != "mariadb"])
def test_client_that_goes_away_ends_its_wait_in_the_database(name: str, module: str, database: Callable[[], AbstractContextManager[str]], program: str,
                                                             server: Callable[..., Server]) -> None:
    """PyCancelOnDisconnect: long before the database answers. A driver in C may turn the end of its call into an error of its own first."""
    if importlib.util.find_spec(module) is None or not (shutil.which(program) or shutil.which(f"/usr/sbin/{program}")):
        pytest.skip(f"{module} or {program} is not installed")
    with database() as where:
        host = server(CONF + """
<Location /wait>
    PythonHandler database_app::remembers
    PyCancelOnDisconnect On
</Location>
<Location /tell>
    PythonHandler database_app::tells
</Location>
""", env={"DB": where})
        host.check_fds = False
        client = Client(host.address)
        client.send(build_request("GET", f"/wait?{name}"))
        wait_until(lambda: "began" in host.request("GET", "/tell").text, "the handler runs")
        client.reset()
        start = time.monotonic()
        wait_until(lambda: "over" in host.request("GET", "/tell").text, "its wait has been ended", 25.0)
        assert "answer" not in host.request("GET", "/tell").text and time.monotonic() - start < 25
        host.allow_log("python:error|client")
        host.stop()


@pytest.mark.parametrize(("name", "module"), [driver[:2] for driver in DRIVERS], ids=[driver[0] for driver in DRIVERS])
def test_connect_to_a_silent_server_ends_in_time(name: str, module: str, server: Callable[..., Server], tmp_path: Path) -> None:
    """PyRequestTimeout, deadline and PyCancelOnDisconnect, whatever the driver makes of the end of its call."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{folder}/.s.PGSQL.5432")
        silent.listen(100)
        host = server(CONF + "".join(f"""
<Location /{function}>
    PythonHandler database_app::{function}
    {bound}
</Location>
""" for function, bound in (("loads", ""), ("connects", "PyRequestTimeout 100ms\nPyCancelOnDisconnect On"), ("connects_in_time", ""), ("tells", ""),
                            ("connects_and_goes_on", "PyRequestTimeout 100ms"))) + """
<Location /gone>
    PythonHandler database_app::connects
    PyCancelOnDisconnect On
</Location>
""", env={"DB": folder})
        host.check_fds = False
        assert host.request("GET", f"/loads?{name}").status == 200
        assert host.request("GET", f"/connects?{name}").status == 504
        assert host.request("GET", f"/connects_and_goes_on?{name}").status == 504
        assert host.request("GET", f"/connects_in_time?{name}").text == "Timeout True"
        client = Client(host.address).send(build_request("GET", f"/gone?{name}"))
        wait_until(lambda: host.request("GET", "/tells").text == "began over began", "the handler runs")
        client.reset()
        wait_until(lambda: host.request("GET", "/tells").text == "began over began over", "its wait has been ended")
        wait_until(lambda: '"GET /gone' in (host.root / "access.log").read_text(), "the request is over")
        assert re.search(r'"GET /gone\S* HTTP/1.1" 408 ', (host.root / "access.log").read_text())
        host.allow_log("python:error|client")
        host.stop()


@pytest.mark.slow
def test_mutex_of_a_driver_held_across_a_wait_is_no_deadlock(server: Callable[..., Server]) -> None:
    if importlib.util.find_spec("psycopg2") is None or not shutil.which("psql"):
        pytest.skip("psycopg2 or PostgreSQL is not installed")
    with postgresql() as where:
        host = server(CONF, env={"DB": where})
        host.check_fds = False
        clients = [host.client().send(build_request("GET", "/case?psycopg2_shared")) for _ in range(8)]
        assert len({client.read_response().text for client in clients}) == 1
        host.stop()

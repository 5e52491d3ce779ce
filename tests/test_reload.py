"""HUP: a new generation takes over without losing a request, and whatever is wrong with a new configuration leaves the old one in force."""
from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client, ProtocolError
from support.server import Server, free_port, wait_until

Start = Callable[..., Server]


def ready(host: Server) -> Server:
    """Wait until all workers serve; the server listens before that."""
    wait_until(lambda: "all workers are ready" in host.error_log, "all workers are ready")
    return host


def generations(host: Server) -> int:
    return len(re.findall(r"configuration reloaded", host.error_log))


def reload(host: Server) -> None:
    """HUP, and wait until the new workers have taken over."""
    before = generations(host)
    host.send_signal(signal.SIGHUP)
    wait_until(lambda: generations(host) > before, "the new generation serves", 20)


def settle(host: Server, workers: int) -> None:
    """Wait until only the workers of the last generation are left; what they have open is what the checks at the end expect."""
    wait_until(lambda: len(host.workers()) == workers, "the old workers are gone", 10)
    host.check_fds = False


class Load(threading.Thread):
    """Requests one after the other, on one connection for as long as the server keeps it, or each on its own; counts what was lost."""

    def __init__(self, host: Server, keep: bool, target: str = "/a.txt") -> None:
        super().__init__(daemon=True)
        self.host, self.keep, self.target = host, keep, target
        self.answered = 0
        self.lost: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        client = None
        while not self.enough.is_set():
            try:
                client = client or Client(self.host.address)
                response = client.request("GET", self.target, None if self.keep else {"Connection": "close"})
                assert response.status == 200 and response.body == b"content", response
                self.answered += 1
                if response.closes:
                    client.close()
                    client = None
            except (OSError, ProtocolError, AssertionError) as exc:
                self.lost.append(repr(exc))
                client = None
        if client:
            client.close()


@pytest.mark.slow
def test_fifty_reloads_under_load_lose_no_request(server: Start) -> None:
    host = ready(server("MaxKeepAliveRequests 0", {"www/a.txt": "content"}, workers=2))
    loads = [Load(host, keep) for keep in (True, True, False, False)]
    for load in loads:
        load.start()
    for number in range(50):
        reload(host)
        wait_until(lambda wanted=(number + 1) * 25: min(load.answered for load in loads) > wanted, "requests between reloads")
    for load in loads:
        load.enough.set()
    for load in loads:
        load.join(20)
    assert [load.lost for load in loads] == [[], [], [], []]
    answered = sum(load.answered for load in loads)
    assert answered >= 5000
    assert generations(host) == 50
    settle(host, 2)
    wait_until(lambda: host.access_log.count("\n") >= answered, "every line is there")
    assert host.access_log.count("\n") == answered


def test_the_new_configuration_holds_after_a_reload(server: Start) -> None:
    host = ready(server("", {"www/a.txt": "a", "new/a.txt": "b"}, workers=1))
    assert host.get("/a.txt").body == b"a"
    host.write_conf(host.template.replace('DocumentRoot "@ROOT@/www"', 'DocumentRoot "@ROOT@/new"'))
    reload(host)
    wait_until(lambda: host.get("/a.txt").body == b"b", "the new root is served")
    settle(host, 1)


@pytest.mark.parametrize("line, message", [
    ("NoSuchDirective on", "NoSuchDirective"),
    ('ErrorLog "@ROOT@/no/such/folder/error.log"', "ErrorLog"),
    ('CustomLog "@ROOT@/other.log" "%Z"', "%Z"),
    ("User nobody-of-that-name", "nobody-of-that-name"),
], ids=["directive", "error-log", "log-format", "user"])
def test_a_bad_configuration_keeps_the_old_one(server: Start, line: str, message: str) -> None:
    host = ready(server("", {"www/a.txt": "a"}, workers=2))
    workers = host.workers()
    host.write_conf(host.template + line + "\n")
    host.allow_log(re.escape(message))
    host.allow_log("the old one stays|fault")
    host.send_signal(signal.SIGHUP)
    host.expect_log("the old one stays in force")
    assert message in host.error_log
    assert host.get("/a.txt").body == b"a"
    assert host.workers() == workers


def test_a_listen_that_fails_keeps_the_old_configuration(server: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = server("", {"www/a.txt": "a"}, workers=1)
        workers = host.workers()
        fresh = free_port()
        host.write_conf(host.template + f"Listen 127.0.0.1:{fresh}\nListen 127.0.0.1:{taken.getsockname()[1]}\n")
        host.send_signal(signal.SIGHUP)
        line = host.expect_log("the old one stays in force")
        assert re.search(r"pyhost\.conf:\d+: Listen: cannot listen on 127\.0\.0\.1:\d+: Address already in use", line)
        assert host.get("/a.txt").body == b"a"
        assert host.workers() == workers
        with pytest.raises(ConnectionRefusedError):
            Client(("127.0.0.1", fresh))


def test_listeners_come_and_go_with_the_configuration(server: Start) -> None:
    host = ready(server("Listen 127.0.0.1:@PORT@\nListen 127.0.0.1:@PORT2@\nListen unix:@SOCK@", {"www/a.txt": "a"}, workers=1))
    second = ("127.0.0.1", host.ports["PORT2"])
    assert os.path.exists(host.root / "sock")
    host.write_conf(host.template.replace("Listen 127.0.0.1:@PORT2@\nListen unix:@SOCK@", "Listen 127.0.0.1:@PORT3@"))
    reload(host)
    settle(host, 1)
    with Client(("127.0.0.1", host.ports["PORT3"])) as client:
        assert client.request("GET", "/a.txt").status == 200
    with pytest.raises(ConnectionRefusedError):
        Client(second)
    assert not os.path.exists(host.root / "sock")
    assert host.get("/a.txt").body == b"a"


def test_a_download_under_way_is_finished_by_the_old_worker(server: Start) -> None:
    big = os.urandom(1 << 20) * 24
    host = ready(server("", {"www/big": big, "www/a.txt": "a"}, workers=1))
    old = host.workers()
    client = host.client()
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = client.read_head()
    reload(host)
    assert host.get("/a.txt").status == 200
    assert old[0] in host.workers()
    parts = [client.received]
    while (missing := len(big) - sum(map(len, parts))) > 0:
        parts.append(client.sock.recv(missing))
        assert parts[-1], f"the connection ended {missing} bytes early"
    assert b"".join(parts) == big and head.status == 200
    client.close()
    wait_until(lambda: old[0] not in host.workers(), "the old worker is gone")
    settle(host, 1)


def test_idle_connections_can_still_come_with_a_request_when_the_worker_drains(server: Start) -> None:
    host = ready(server("", {"www/a.txt": "a"}, workers=1))
    used, fresh = host.client(), host.client()
    assert not used.request("GET", "/a.txt").closes
    old = host.workers()
    reload(host)
    wait_until(lambda: used.request("GET", "/a.txt").closes, "the old worker drains")  # the new one serves a moment before the old one is told
    assert fresh.request("GET", "/a.txt").closes
    wait_until(lambda: old[0] not in host.workers(), "the old worker is gone")
    settle(host, 1)


def test_workers_that_do_not_become_ready_keep_the_old_generation(server: Start) -> None:
    host = ready(server("", {"www/a.txt": "a"}, workers=2))
    workers = host.workers()
    if os.geteuid() != 0:
        pytest.skip("only root's workers can fail to change their user")
    host.write("crash.py", "import os\nos._exit(9)\n")
    host.write_conf(host.template + f"PythonImport crash main_interpreter\nPythonPath \"['{host.root}'] + sys.path\"\n")
    host.send_signal(signal.SIGHUP)
    host.expect_log(r"the old one stays in force: its worker \d+ ended with exit code 9 before it was ready")
    wait_until(lambda: host.workers() == workers, "the new workers are gone")
    assert host.get("/a.txt").body == b"a"


def test_many_hups_at_once_end_in_the_last_configuration(server: Start) -> None:
    host = ready(server("", {"www/a.txt": "a", "new/a.txt": "b"}, workers=2))
    for _ in range(10):
        host.send_signal(signal.SIGHUP)
    host.write_conf(host.template.replace('DocumentRoot "@ROOT@/www"', 'DocumentRoot "@ROOT@/new"'))
    host.send_signal(signal.SIGHUP)
    wait_until(lambda: host.get("/a.txt").body == b"b", "the new root is served")
    wait_until(lambda: len(host.workers()) == 2, "the old workers are gone")
    host.check_fds = False


def test_the_number_of_workers_and_the_pid_file_follow_the_configuration(server: Start) -> None:
    host = ready(server("", {"www/a.txt": "a"}, workers=1))
    host.write_conf(host.template.replace("StartServers 1", "StartServers 3").replace("pyhost.pid", "other.pid"))
    reload(host)
    wait_until(lambda: len(host.workers()) == 3, "three workers")
    assert not Path(host.root / "pyhost.pid").exists()
    assert host.read("other.pid") == f"{host.pid}\n"
    host.check_fds = False

"""The master: workers are started, missed and replaced; signals; the pid file; sockets of every kind; exit codes."""
from __future__ import annotations

import os
import re
import resource
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client
from support.server import Server, wait_until

Start = Callable[..., Server]
PAGE = {"www/a.txt": "a"}


def ready(host: Server) -> Server:
    """Wait until all workers serve; the server listens before that."""
    wait_until(lambda: "all workers are ready" in host.error_log, "all workers are ready")
    return host


def status_of(pid: int, field: str) -> list[str]:
    """Return the words of a field of /proc/PID/status."""
    return re.search(rf"(?m)^{field}:\s*(.*)$", Path(f"/proc/{pid}/status").read_text())[1].split()  # type: ignore[index]


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def launch(host: Server, env: dict[str, str], place: dict[int, socket.socket] | None = None, needs_pid: bool = False) -> None:
    """Start the server without waiting; place: sockets at given descriptors, as systemd and spawn-fcgi pass them."""
    host.write_conf()
    place = place or {}
    copies = {number: os.dup(sock.fileno()) for number, sock in place.items()}

    def before_exec() -> None:
        for number, fd in copies.items():
            os.dup2(fd, number)

    command = [str(host.binary), "-f", str(host.conf_file)]
    if needs_pid:  # the number is known in the child only
        command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command]
    with open(host.root / "stderr", "wb") as stderr:
        host.process = subprocess.Popen(command, stdin=None if 0 in place else subprocess.DEVNULL, stdout=stderr, stderr=stderr,
                                        env={**host.env, **env}, cwd=host.root, preexec_fn=before_exec,
                                        pass_fds=[n for n in place if n > 2])
    for fd in copies.values():
        os.close(fd)


# workers


def test_one_process_says_so_and_has_no_workers(server: Start) -> None:
    host = server("", PAGE)
    host.expect_log(r"pyhost on Python [\d.]+ serves in one process on 127\.0\.0\.1:\d+")
    assert host.workers() == [host.pid] and host.get("/a.txt").text == "a"


def test_as_many_workers_as_start_servers_says(server: Start) -> None:
    assert len(ready(server("", PAGE, workers=3)).workers()) == 3


def test_connections_are_shared_among_workers(server: Start) -> None:
    host = ready(server("MaxKeepAliveRequests 0\nKeepAliveTimeout 60\n<Location /status>\nSetHandler server-status\n</Location>", PAGE, workers=2))
    host.check_fds = False

    def shares() -> list[int]:
        text = host.get("/status?auto").text
        return [int(count) for count in re.findall(r"(?m)^Process \d+: .* Conns=(\d+)", text)]

    while min(shares()) < 16 or min(shares()) * 2 < max(shares()):  # both are at rest between two requests: the kernel would always wake the same one
        assert len(host.clients) < 400, shares()
        for _ in range(8):
            assert host.client().request("GET", "/a.txt").status == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_worker_is_replaced(server: Start, number: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    host = ready(server("", PAGE, workers=2))
    host.check_fds = False
    victim = host.workers()[0]
    os.kill(victim, number)
    line = host.expect_log(rf"worker {victim} \(slot \d\) was killed by signal {int(number)} ")
    assert "next one starts in" in line
    wait_until(lambda: len(host.workers()) == 2 and victim not in host.workers(), "another worker")
    assert host.get("/a.txt").body == b"a"


def test_workers_that_die_at_start_are_started_ever_more_slowly_and_the_master_lives(server: Start) -> None:
    conf = "PythonImport crash main_interpreter\nPythonPath \"['@ROOT@'] + sys.path\"\n"
    host = server(conf, {**PAGE, "crash.py": "import os\nos._exit(7)\n"}, workers=2, started=False)
    host.check_fds = False
    launch(host, {})
    host.allow_log("before it was ready")
    wait_until(lambda: len(re.findall("before it was ready; the next one starts in [1-9]", host.error_log)) >= 6, "deaths at start")
    pauses = [int(ms) for ms in re.findall(r"before it was ready; the next one starts in (\d+) ms", host.error_log)]
    assert max(pauses) >= 300 and pauses[0] <= 100 < pauses[-1]
    assert "ended with exit code 7 after" in host.error_log
    host.write("crash.py", "def nothing(): pass\n")
    wait_until(lambda: "all workers are ready" in host.error_log, "good workers", 20)
    assert host.get("/a.txt").body == b"a"


def test_ttin_and_ttou_change_the_number_of_workers(server: Start) -> None:
    host = ready(server("", PAGE, workers=2))
    host.check_fds = False
    for number, count in ((signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1)):
        host.send_signal(number)
        host.expect_log(f"{count} workers? from now on")
        wait_until(lambda count=count: len(host.workers()) == count, f"{count} workers")
    assert host.get("/a.txt").body == b"a"


def test_workers_finish_when_the_master_is_killed(server: Start) -> None:
    host = ready(server("", PAGE, workers=2))
    workers = host.workers()
    host.process.kill()  # type: ignore[union-attr]
    host.exit_status = -signal.SIGKILL
    wait_until(lambda: all(map(gone, workers)), "the workers are gone")


def test_a_worker_that_has_served_enough_is_replaced(server: Start) -> None:
    host = ready(server("MaxConnectionsPerChild 5", PAGE, workers=1))
    host.check_fds = False
    first = host.workers()[0]
    for _ in range(8):
        wait_until(lambda: host.get("/a.txt").body == b"a", "an answer")
    wait_until(lambda: gone(first), "the first worker is gone")
    wait_until(lambda: host.get("/a.txt").body == b"a", "the second one serves")


def test_children_of_workers_get_default_signals(server: Start) -> None:
    host = ready(server("", PAGE, workers=1))
    worker = host.workers()[0]
    assert int(status_of(worker, "SigBlk")[0], 16) == 0
    ours = int(status_of(os.getpid(), "SigIgn")[0], 16)  # what whoever started us ignores
    ignored = int(status_of(worker, "SigIgn")[0], 16) & ~ours
    assert ignored & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1) == 0  # Python's own, which its subprocess undoes


# stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stopped_server_ends_with_status_0_and_leaves_nothing(server: Start, number: int, workers: int) -> None:
    host = server("Listen unix:@SOCK@\nListen 127.0.0.1:@PORT@", PAGE, workers=workers)
    assert host.get("/a.txt").body == b"a"
    pids = [host.pid, *host.workers()]
    assert host.stop(number) == 0
    assert all(map(gone, pids))
    assert not (host.root / "sock").exists()
    assert not (host.root / "pyhost.pid").exists()


def slow_download(host: Server, size: int) -> Client:
    """Begin a download of www/big and stop reading after its head; the server has most of it still to send."""
    client = host.client()
    client.send(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.read_head().header("Content-Length") == str(size)
    return client


def test_a_graceful_stop_finishes_what_is_under_way(server: Start) -> None:
    big = os.urandom(1 << 20) * 24
    host = ready(server("", {"www/big": big}, workers=2))
    client = slow_download(host, len(big))
    host.send_signal(signal.SIGQUIT)
    host.expect_log("stopping when the requests under way are done")
    wait_until(lambda: refused(host.address), "the listeners are closed")
    assert rest_of(client, len(big)) == big
    client.close()
    assert host.process.wait(10) == 0  # type: ignore[union-attr]


WAITER = """
import os
from mod_python import apache
from pyhost import coro

def handler(req):
    open(os.path.dirname(__file__) + "/entered", "w").close()
    while not os.path.exists(os.path.dirname(__file__) + "/go"):
        coro.sleep(0.01)
    req.write("done")
    return apache.OK
"""
WAITING = """
<Location /wait>
    SetHandler mod_python
    PythonHandler waiter
    PythonPath "['@ROOT@'] + sys.path"
</Location>
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_handler_that_waits_is_finished_by_a_graceful_stop(server: Start, workers: int) -> None:
    host = server(WAITING, {"waiter.py": WAITER}, workers=workers)
    client = host.client()
    client.send(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until((host.root / "entered").exists, "the handler runs")
    host.send_signal(signal.SIGQUIT)
    wait_until(lambda: refused(host.address), "the listeners are closed")
    host.write("go", "")
    response = client.read_response()
    assert response.body == b"done" and response.closes
    client.close()
    assert host.process.wait(10) == 0  # type: ignore[union-attr]


def test_a_handler_that_waits_is_finished_by_the_old_worker_after_a_reload(server: Start) -> None:
    host = ready(server(WAITING, {**PAGE, "waiter.py": WAITER}, workers=1))
    host.check_fds = False
    client = host.client()
    client.send(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until((host.root / "entered").exists, "the handler runs")
    host.send_signal(signal.SIGHUP)
    host.expect_log("configuration reloaded")
    assert host.get("/a.txt").body == b"a"
    host.write("go", "")
    assert client.read_response().body == b"done"


def test_a_worker_that_has_served_enough_is_replaced_while_it_still_finishes(server: Start) -> None:
    host = ready(server(WAITING + "MaxConnectionsPerChild 4\nKeepAlive Off", {**PAGE, "waiter.py": WAITER}, workers=1))
    host.check_fds = False
    first = host.workers()
    client = host.client()
    client.send(b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until((host.root / "entered").exists, "the handler runs")
    for _ in range(8):
        assert host.get("/a.txt").body == b"a"
    assert first[0] in host.workers() and len(host.workers()) > 1
    host.write("go", "")
    assert client.read_response().body == b"done"
    host.expect_log(rf"worker {first[0]} .* by its own will")


def rest_of(client: Client, size: int) -> bytes:
    """Read so many bytes of a body, without the cost of Client.read_exactly."""
    parts = [client.received]
    while (missing := size - sum(map(len, parts))) > 0:
        parts.append(client.sock.recv(missing))
        assert parts[-1], f"the connection ended {missing} bytes early"
    return b"".join(parts)


def refused(address: tuple[str, int] | str) -> bool:
    try:
        Client(address).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.slow
def test_a_graceful_stop_waits_no_longer_than_graceful_shutdown_timeout(server: Start) -> None:
    big = bytes(24 << 20)
    host = ready(server("GracefulShutdownTimeout 1", {"www/big": big}, workers=1))
    slow_download(host, len(big))
    began = time.monotonic()
    assert host.stop(signal.SIGQUIT) == 0
    assert 0.9 < time.monotonic() - began < 6
    host.expect_log("GracefulShutdownTimeout has passed")


def test_term_ends_a_graceful_stop(server: Start) -> None:
    big = bytes(24 << 20)
    host = ready(server("", {"www/big": big}, workers=1))
    slow_download(host, len(big))
    host.send_signal(signal.SIGQUIT)
    host.expect_log("stopping when")
    assert host.stop(signal.SIGTERM) == 0


@pytest.mark.slow
def test_a_worker_that_hangs_is_killed_after_the_grace(server: Start) -> None:
    host = ready(server("", PAGE, workers=2))
    stuck = host.workers()[0]
    os.kill(stuck, signal.SIGSTOP)
    began = time.monotonic()
    assert host.stop() == 0
    assert 9 < time.monotonic() - began < 18
    assert gone(stuck)
    host.expect_log(rf"worker {stuck} \(slot \d\) does not end and is killed")


def test_a_second_term_kills_at_once(server: Start) -> None:
    host = ready(server("", PAGE, workers=2))
    os.kill(host.workers()[0], signal.SIGSTOP)
    host.send_signal(signal.SIGTERM)
    host.expect_log("stopping")
    began = time.monotonic()
    assert host.stop() == 0
    assert time.monotonic() - began < 5


# the pid file


def test_the_pid_file_has_the_masters_number(server: Start) -> None:
    host = ready(server("", PAGE, workers=1))
    assert host.read("pyhost.pid") == f"{host.pid}\n"


def test_a_stale_pid_file_is_taken_over_even_when_its_process_number_lives(server: Start) -> None:
    host = ready(server("", {**PAGE, "pyhost.pid": f"{os.getpid()}\n"}, workers=1))
    assert host.read("pyhost.pid") == f"{host.pid}\n"


def test_a_second_server_with_the_same_pid_file_does_not_start(server: Start) -> None:
    first = server("", PAGE, workers=1)
    second = server("", PAGE, workers=1, started=False)
    second.template = second.template.replace("@ROOT@/pyhost.pid", str(first.root / "pyhost.pid"))
    done = second.run_to_end()
    assert done.returncode == 1
    assert f"the server is running already as process {first.pid}" in done.stderr
    assert first.read("pyhost.pid") == f"{first.pid}\n"
    assert first.get("/a.txt").body == b"a"


def test_a_pid_file_that_somebody_else_put_there_is_left_alone_at_the_end(server: Start) -> None:
    host = ready(server("", PAGE, workers=1))
    host.write("mine", "1\n").rename(host.root / "pyhost.pid")
    assert host.stop() == 0
    assert host.read("pyhost.pid") == "1\n"


# sockets


def test_an_address_in_use_is_named_with_its_line(server: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host = server(f"Listen 127.0.0.1:{taken.getsockname()[1]}", PAGE, workers=1, started=False)
        done = host.run_to_end()
    assert done.returncode == 1
    assert re.search(r"pyhost\.conf:\d+: Listen: cannot listen on 127\.0\.0\.1:\d+: Address already in use", done.stderr)


def test_ipv4_and_ipv6_wildcards_share_a_port(server: Start) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").read_text():
        pytest.skip("no IPv6 here")
    logs = 'LogFormat "%h %A" addresses\nCustomLog @ROOT@/addresses.log addresses'
    host = ready(server(f"Listen 0.0.0.0:@PORT@\nListen [::]:@PORT@\n{logs}", PAGE, workers=1))
    for address in ("127.0.0.1", "::1"):
        with Client((address, host.port)) as client:
            assert client.request("GET", "/a.txt").body == b"a"
    assert wait_until(lambda: host.read("addresses.log").count("\n") == 2, "both lines")
    assert host.read("addresses.log").splitlines() == ["127.0.0.1 127.0.0.1", "::1 ::1"]


def test_a_unix_socket_has_its_mode_and_a_stale_one_is_replaced(server: Start) -> None:
    host = server("Listen unix:@SOCK@\nPyListenMode 0600", PAGE, workers=1, started=False)
    path = host.root / "sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    host.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert host.get("/a.txt").body == b"a"


def test_a_unix_socket_somebody_listens_on_is_not_taken(server: Start) -> None:
    host = server("Listen unix:@SOCK@", PAGE, workers=1, started=False)
    host.write_conf()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(host.root / "sock"))
        other.listen()
        done = host.run_to_end()
        assert done.returncode == 1 and "Address already in use" in done.stderr
        other.settimeout(5)
        with Client(str(host.root / "sock")):
            pass
    assert (host.root / "sock").exists()


def test_a_file_in_the_place_of_a_unix_socket_is_left_alone(server: Start) -> None:
    host = server("Listen unix:@SOCK@", {**PAGE, "sock": "precious"}, workers=1, started=False)
    done = host.run_to_end()
    assert done.returncode == 1 and "File exists" in done.stderr
    assert host.read("sock") == "precious"


def test_systemd_sockets_are_found_by_their_address(server: Start, tmp_path: Path) -> None:
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "passed.sock"))
    unix.listen()
    with unix, socket.create_server(("127.0.0.1", 0)) as tcp, socket.create_server(("127.0.0.1", 0)) as unknown:
        host = server(f"Listen 127.0.0.1:{tcp.getsockname()[1]}\nListen unix:{tmp_path}/passed.sock", PAGE, workers=1, started=False)
        launch(host, {"LISTEN_FDS": "3"}, {3: unix, 4: tcp, 5: unknown}, needs_pid=True)
        ready(host)
        for address in (tcp.getsockname(), str(tmp_path / "passed.sock")):
            with Client(address) as client:
                assert client.request("GET", "/a.txt").body == b"a"
        host.expect_log("inherited as descriptor 5, but no Listen names its address")
        assert host.stop() == 0
    assert (tmp_path / "passed.sock").exists()  # it belongs to systemd


def test_a_listening_socket_on_descriptor_0_is_used(server: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        host = server(f"Listen 127.0.0.1:{tcp.getsockname()[1]}", PAGE, workers=1, started=False)
        launch(host, {}, {0: tcp})
        ready(host)
        with Client(tcp.getsockname()) as client:
            assert client.request("GET", "/a.txt").body == b"a"
        assert os.readlink(f"/proc/{host.workers()[0]}/fd/0") == "/dev/null"


def test_systemd_is_told(server: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(10)
        host = server("", PAGE, workers=2, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert notify.recv(4096).startswith(b"READY=1")
        host.send_signal(signal.SIGHUP)
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", notify.recv(4096))
        assert notify.recv(4096).startswith(b"READY=1")
        assert host.stop() == 0
        assert notify.recv(4096) == b"STOPPING=1"

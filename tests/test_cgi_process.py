"""CGI scripts as processes: streaming, bounds, time, and that nothing of them outlives its request, its worker or the server."""
from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cgi import ALIAS, ENVIRONMENT, alive, children, helpers, script_server, status_field
from support.client import Client, Response, build_request
from support.server import Server, wait_until

Start = Callable[..., Server]
HELLO = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho hello\n"
MIB = 1 << 20

#: Starts a tree that is hard to get rid of, writes its pids to the file that PATH_INFO names (`pids`), and sleeps. Words of the query: head: it begins its answer;
#: stubborn: one of them does not heed TERM.
TREE = """\
#!/usr/bin/env python3
import os, signal, sys, time

def fork_and(function):
    if os.fork() == 0:
        function()
        while True:
            time.sleep(1000)

def note():
    with open(os.environ.get("PATH_INFO", "/pids")[1:], "a") as file:
        file.write(f"{os.getpid()}\\n")

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note()

def daemon():
    os.setsid()
    if os.fork():
        os._exit(0)
    for fd in range(3):
        os.close(fd)
    note()

def stopped():
    note()
    os.kill(os.getpid(), signal.SIGSTOP)

note()
for each in (note, stubborn if "stubborn" in sys.argv else note, daemon, stopped):
    fork_and(each)
if "head" in sys.argv:
    os.write(1, b"Content-Type: text/plain\\n\\nbegun\\n")
while True:
    time.sleep(1000)
"""


def pids_of_tree(host: Server, name: str = "pids") -> list[int]:
    """Wait until all five have noted themselves."""
    path = host.root / "cgi-bin" / name
    words: list[str] = wait_until(lambda: path.exists() and len(path.read_text().split()) == 5 and path.read_text().split(), "the tree stands", 20)
    path.unlink()
    return [int(word) for word in words]


def wait_gone(pids: list[int]) -> None:
    wait_until(lambda: not any(map(alive, pids)), f"{pids} have ended", 20)


def in_threads(count: int, work: Callable[[int], object]) -> list[object]:
    """Run work(0) … work(count - 1) side by side and return what they returned; an exception is a result."""
    results: list[object] = [None] * count

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except Exception as error:  # noqa: BLE001
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- streaming

def test_output_goes_out_as_it_comes(server: Start) -> None:
    host = script_server(server, {"x.sh": """\
        #!/bin/sh
        printf 'Content-Type: text/plain\\n\\none\\n'
        read go < fifo
        printf 'two\\n'
        """})
    os.mkfifo(host.root / "cgi-bin/fifo")
    with Client(host.address) as client:
        client.send(build_request("GET", "/cgi-bin/x.sh"))
        assert client.read_head().header("Transfer-Encoding") == "chunked"
        assert [client.read_line(), client.read_exactly(4)] == [b"4", b"one\n"]
        (host.root / "cgi-bin/fifo").write_text("go\n")
        assert client.read_line() == b""
        assert client.read_chunks() == b"two\n"


def test_a_body_comes_in_as_it_is_sent(server: Start) -> None:
    host = script_server(server, {"x.py": """\
        #!/usr/bin/env python3
        import os
        os.write(1, b"Content-Type: text/plain\\n\\n")
        while data := os.read(0, 65536):
            os.write(1, data.upper())
        """})
    with Client(host.address) as client:
        client.send(b"POST /cgi-bin/x.py HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfirst")
        client.read_head()
        client.expect(b"FIRST").send(b"again").expect(b"0\r\n\r\n")
        assert re.sub(rb"\r\n|[0-9a-f]+\r\n", b"", client.received) == b"FIRSTAGAIN"


def memory_kib(pid: int) -> int:
    return int(status_field(pid, "VmHWM").split()[0])


def test_a_hundred_megabytes_each_way_take_no_memory(server: Start) -> None:
    host = script_server(server, {"sum.py": """\
        #!/usr/bin/env python3
        import hashlib, os
        digest, count = hashlib.sha256(), 0
        while data := os.read(0, 1 << 20):
            digest.update(data)
            count += len(data)
        print(f"Content-Type: text/plain\\n\\n{count} {digest.hexdigest()}")
        """, "zero.sh": "#!/bin/sh\necho\nexec head -c 104857600 /dev/zero\n"}, ALIAS + "LimitRequestBody 0\n")
    assert host.get("/cgi-bin/zero.sh").status == 200
    before = memory_kib(host.pid)
    piece = bytes(range(256)) * 4096
    digest = hashlib.sha256()
    with Client(host.address, 60) as client:
        client.send(b"POST /cgi-bin/sum.py HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (100 * MIB))
        for _ in range(100):
            client.send(piece)
            digest.update(piece)
        assert client.read_response().text == f"{100 * MIB} {digest.hexdigest()}\n"
        client.send(b"GET /cgi-bin/zero.sh HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = 0
        while data := client.sock.recv(MIB):
            received += len(data)
        assert received > 100 * MIB
    if "PYHOST_SANITIZE" not in os.environ:  # a sanitizer keeps what is freed
        assert memory_kib(host.pid) - before < 4096


def test_who_does_not_read_holds_up_only_his_own_script(server: Start) -> None:
    host = script_server(server, {"zero.sh": "#!/bin/sh\necho\nexec head -c 20971520 /dev/zero\n", "hello.sh": HELLO})
    slow = host.client()
    slow.send(build_request("GET", "/cgi-bin/zero.sh"))
    slow.read_head()
    for _ in range(5):
        assert host.get("/cgi-bin/hello.sh").text == "hello\n"
    response = Response(200, "", [("Transfer-Encoding", "chunked")])
    slow.read_body(response, False)
    assert len(response.body) == 20971520


def test_a_script_that_reads_slowly_is_waited_for(server: Start) -> None:
    host = script_server(server, {"x.sh": """\
        #!/bin/sh
        echo begun > begun
        read go < fifo
        echo
        exec wc -c
        """})
    os.mkfifo(host.root / "cgi-bin/fifo")
    with Client(host.address) as client:
        sender = threading.Thread(target=client.send, args=(build_request("POST", "/cgi-bin/x.sh", None, b"x" * 20 * MIB),))
        sender.start()
        wait_until((host.root / "cgi-bin/begun").exists, "the script runs")
        (host.root / "cgi-bin/fifo").write_text("go\n")
        sender.join()
        assert client.read_response().text.strip() == str(20 * MIB)


# --- what a script inherits

def test_a_script_inherits_nothing_of_the_server(server: Start) -> None:
    host = script_server(server, {"x.py": """\
        #!/usr/bin/env python3
        import json, os, resource
        fds = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print("Content-Type: application/json\\n")
        print(json.dumps({"fds": sorted(fds), "blocked": int(lines["SigBlk"], 16), "ignored": int(lines["SigIgn"], 16), "pid": os.getpid(),
                          "group": os.getpgrp(), "session": os.getsid(0), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}))
        """})
    with Client(host.address) as other:
        other.send(b"GET / HT")
        told = json.loads(host.get("/cgi-bin/x.py").body)
    assert told["fds"] == ["0", "1", "2"]
    assert told["blocked"] == 0 and told["ignored"] & ~(1 << 24 | 1 << 12 | 3 << 31) == 0  # Python ignores SIGPIPE and SIGXFSZ, glibc its own two
    assert told["pid"] == told["group"] == told["session"]
    import resource
    assert told["files"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_helper_is_small(server: Start) -> None:
    host = script_server(server, {"hello.sh": HELLO})
    helper, = helpers(host)
    assert host.get("/cgi-bin/hello.sh").status == 200
    rollup = Path(f"/proc/{helper}/smaps_rollup").read_text()
    private = sum(int(match) for match in re.findall(r"(?m)^Private_\w+: +(\d+)", rollup))
    own = int(re.search(r"(?m)^Private_Dirty: +(\d+)", rollup)[1])  # type: ignore[index]
    assert private and (own < 4096 or "PYHOST_SANITIZE" in os.environ), rollup  # kB: what the loader has relocated
    fds = sorted(os.listdir(f"/proc/{helper}/fd"), key=int)
    assert fds == ["0", "1", "2", "3"]


def test_limits_of_resources(server: Start) -> None:
    host = script_server(server, {"env.py": """\
        #!/usr/bin/env python3
        import json, resource as r
        print("Content-Type: application/json\\n")
        print(json.dumps([r.getrlimit(r.RLIMIT_CPU), r.getrlimit(r.RLIMIT_AS), r.getrlimit(r.RLIMIT_NPROC)]))
        """, "spin.sh": "#!/bin/sh\necho\necho begun\nwhile :; do :; done\n"}, ALIAS + """
        <Location /cgi-bin>
            RLimitCPU 7 9
            RLimitMEM 1000000000 max
            RLimitNPROC 4000
        </Location>
        <Location /cgi-bin/spin.sh>
            RLimitCPU 1
        </Location>
    """)
    cpu, memory, processes = json.loads(host.get("/cgi-bin/env.py").body)
    assert cpu == [7, 9] and memory[0] == 1_000_000_000 and processes == [4000, 4000]
    with Client(host.address, 120) as client:
        assert client.request("GET", "/cgi-bin/spin.sh").text == "begun\n"
    host.expect_log(r"script .*/spin.sh was killed by signal (?:24|9)", 30)


# --- trees

def test_the_tree_ends_when_the_client_has_gone(server: Start) -> None:
    host = script_server(server, {"tree.py": TREE})
    for how, words in (("close", "head+stubborn"), ("reset", "head")):
        client = Client(host.address)
        client.send(build_request("GET", f"/cgi-bin/tree.py?{words}"))
        client.read_head()
        pids = pids_of_tree(host)
        assert all(map(alive, pids))
        client.close() if how == "close" else client.reset()
        wait_gone(pids)
    host.expect_log("the client has gone: script .*/tree.py is ended")
    assert "was killed by signal" not in host.error_log


def test_a_client_that_has_sent_its_last_byte_gets_its_answer(server: Start) -> None:
    host = script_server(server, {"x.sh": "#!/bin/sh\necho\nread go < fifo\necho done\n"})
    os.mkfifo(host.root / "cgi-bin/fifo")
    with Client(host.address) as client:
        client.send(build_request("GET", "/cgi-bin/x.sh")).half_close()
        (host.root / "cgi-bin/fifo").write_text("go\n")
        assert client.read_response().text == "done\n"


def test_the_tree_ends_when_time_is_out(server: Start) -> None:
    host = script_server(server, {"tree.py": TREE, "slow.sh": "#!/bin/sh\necho\nfor i in 1 2 3 4 5 6 7 8; do echo $i; sleep 1; done\n"},
                         ALIAS + "CGIDScriptTimeout 7\n<Location /cgi-bin/tree.py/all>\nCGIDScriptTimeout 1min\nPyRequestTimeout 7s\n</Location>\n")

    def silent(name: str, directive: str) -> None:
        with Client(host.address, 60) as client:
            client.send(build_request("GET", f"/cgi-bin/tree.py/{name}"))
            pids = pids_of_tree(host, name)
            assert client.read_response().status == 504
            wait_gone(pids)
            host.expect_log(directive)

    def begun() -> None:
        with Client(host.address, 60) as client:
            client.send(build_request("GET", "/cgi-bin/tree.py/begun?head"))
            assert client.read_head().status == 200
            pids = pids_of_tree(host, "begun")
            assert not client.read_rest().endswith(b"0\r\n\r\n")  # cut, so that nobody takes it for whole
            wait_gone(pids)

    def slow() -> None:
        with Client(host.address, 60) as client:
            assert client.request("GET", "/cgi-bin/slow.sh").text == "1\n2\n3\n4\n5\n6\n7\n8\n"  # longer than the bound, but never silent for so long

    work = [lambda: silent("silent", "CGIDScriptTimeout"), lambda: silent("all", "PyRequestTimeout"), begun, slow]
    assert in_threads(4, lambda number: work[number]()) == [None] * 4


@pytest.mark.parametrize(("workers", "words"), [(0, "head"), (1, "head+stubborn")])
def test_the_tree_ends_with_the_server(server: Start, workers: int, words: str) -> None:
    host = script_server(server, {"tree.py": TREE}, workers=workers)
    client = host.client()
    client.send(build_request("GET", f"/cgi-bin/tree.py?{words}"))
    client.read_head()
    pids = pids_of_tree(host) + helpers(host)
    host.stop()
    assert not any(map(alive, pids))


def test_the_tree_ends_with_its_worker(server: Start) -> None:
    host = script_server(server, {"tree.py": TREE}, workers=1)
    client = host.client()
    client.send(build_request("GET", "/cgi-bin/tree.py?head"))
    client.read_head()
    worker, = host.workers()
    pids = pids_of_tree(host) + helpers(host)
    os.kill(worker, signal.SIGKILL)
    wait_gone(pids)
    host.expect_log("was killed by signal 9")
    wait_until(lambda: host.workers() not in ([], [worker], [host.pid]), "another worker")
    host.check_fds = False


def test_a_graceful_stop_waits_for_scripts(server: Start) -> None:
    host = script_server(server, {"x.sh": "#!/bin/sh\necho\necho one\nread go < fifo\necho two\n"}, workers=1)
    os.mkfifo(host.root / "cgi-bin/fifo")
    client = host.client()
    client.send(build_request("GET", "/cgi-bin/x.sh"))
    head = client.read_head()
    host.send_signal(signal.SIGQUIT)
    host.expect_log("stopping when the requests under way are done")
    (host.root / "cgi-bin/fifo").write_text("go\n")
    client.read_body(head, False)
    assert head.body == b"one\ntwo\n"
    assert host.process is not None and host.process.wait(20) == 0


def test_what_a_script_leaves_behind_on_purpose_goes_on(server: Start) -> None:
    host = script_server(server, {"x.py": """\
        #!/usr/bin/env python3
        import os, time
        if os.fork() == 0:
            os.setsid()
            for fd in range(3):
                os.close(fd)
            if os.fork() == 0:
                open("pid", "w").write(str(os.getpid()))
                time.sleep(1000)
            os._exit(0)
        print("Content-Type: a/b\\n\\nstarted")
        """})
    assert host.get("/cgi-bin/x.py").text == "started\n"
    path = host.root / "cgi-bin/pid"
    pid = int(wait_until(lambda: path.exists() and path.read_text(), "the daemon runs"))
    wait_until(lambda: int(status_field(pid, "PPid")) in (1, os.getpid()) or not is_guard(int(status_field(pid, "PPid"))), "its guard has let it go")
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


def is_guard(pid: int) -> bool:
    return status_field(pid, "Name") == "pyhost-guard"


def test_a_script_that_has_closed_its_output_gets_a_moment(server: Start) -> None:
    host = script_server(server, {"x.sh": "#!/bin/sh\necho\necho ok\nexec >&- 2>&-\necho $$ > pid\nsleep 1000\n",
                                  "y.sh": "#!/bin/sh\necho\necho ok\nexec >&- 2>&-\necho late > late\n"})
    assert host.get("/cgi-bin/y.sh").text == "ok\n"
    wait_until((host.root / "cgi-bin/late").exists, "it has ended as it wanted")
    assert host.get("/cgi-bin/x.sh").text == "ok\n"
    host.expect_log("script .*/x.sh was killed by signal 15", 20)
    assert "y.sh was killed" not in host.error_log


# --- many

def test_a_hundred_at_a_time(server: Start) -> None:
    host = script_server(server, {"hello.sh": HELLO, "echo.sh": "#!/bin/sh\necho\nexec cat\n"}, ALIAS + "PyCGIProcesses 20\n")
    answers = in_threads(100, lambda number: host.request("POST", "/cgi-bin/echo.sh", body=b"%d" % number * 1000) if number % 2 else host.get("/cgi-bin/hello.sh"))
    for number, response in enumerate(answers):
        assert isinstance(response, Response), response
        assert response.body == (b"%d" % number * 1000 if number % 2 else b"hello\n")
    wait_until(lambda: not [pid for pid in children(helpers(host)[0]) if alive(pid)], "every guard has gone")


def test_overload_is_answered_503_and_the_queue_is_in_order(server: Start) -> None:
    host = script_server(server, {"wait.sh": """\
        #!/bin/sh
        echo
        echo "$QUERY_STRING" >> order
        if [ "$QUERY_STRING" = first ]; then read go < fifo; fi
        """}, ALIAS + "PyCGIProcesses 1\nPyCGIQueue 3\n")
    os.mkfifo(host.root / "cgi-bin/fifo")
    order = host.root / "cgi-bin/order"
    first = host.client().send(build_request("GET", "/cgi-bin/wait.sh?first"))
    wait_until(lambda: order.exists() and order.read_text(), "the first one runs")
    waiting = [ask_and_see(host, f"/cgi-bin/wait.sh?{name}") for name in "abc"]
    response = host.get("/cgi-bin/wait.sh?d")
    assert (response.status, response.header("Retry-After")) == (503, "1")
    host.expect_log(r"1 CGI scripts run and 3 requests wait for one to end, as many as PyCGIProcesses and PyCGIQueue allow")
    waiting[1].reset()  # who goes away does not run
    host.expect_log("the client has gone: script")
    (host.root / "cgi-bin/fifo").write_text("go\n")
    for client in (first, waiting[0], waiting[2]):
        assert client.read_response().status == 200
    assert order.read_text().split() == ["first", "a", "c"]


def ask_and_see(host: Server, target: str) -> Client:
    """Send a request, and another one on another connection: when that is answered, the loop has seen the first one."""
    client = host.client().send(build_request("GET", target))
    assert host.get("/none").status == 404
    return client


def test_who_waits_too_long_for_a_place(server: Start) -> None:
    host = script_server(server, {"wait.sh": "#!/bin/sh\necho\necho begun\nread go < fifo\n"}, ALIAS + """
        PyCGIProcesses 1
        <Location /cgi-bin/wait.sh/second>
            CGIDScriptTimeout 1
        </Location>
    """)
    os.mkfifo(host.root / "cgi-bin/fifo")
    with Client(host.address) as first:
        first.send(build_request("GET", "/cgi-bin/wait.sh"))
        head = first.read_head()
        assert host.get("/cgi-bin/wait.sh/second").status == 503
        host.expect_log("no place came free in time: PyCGIProcesses")
        (host.root / "cgi-bin/fifo").write_text("go\n")
        first.read_body(head, False)


@pytest.mark.parametrize("name", ["cgi", "cgid", "mod_cgid.c"])
def test_the_level_of_the_scripts_lines(server: Start, name: str) -> None:
    host = script_server(server, {"hello.sh": HELLO}, ALIAS + f"LogLevel warn {name}:debug\n")
    assert host.get("/cgi-bin/hello.sh").text == "hello\n"
    host.expect_log(r"\[cgi:debug\] \[pid \d+\] \[client 127.0.0.1:\d+\] script .*/hello.sh runs as process \d+")
    host.expect_log(r"\[cgi:debug\] .* script .*/hello.sh has ended")
    assert "[core:debug]" not in host.error_log


def test_the_scripts_lines_can_be_silenced(server: Start) -> None:
    host = script_server(server, {"bad.sh": "#!/bin/sh\nexit 3\n"}, ALIAS + "LogLevel debug cgid:crit\n")
    assert host.get("/cgi-bin/bad.sh").status == 500
    assert "[cgi:" not in host.error_log


# --- deaths and reloads

def test_no_request_is_lost_when_the_helper_is_killed(server: Start) -> None:
    host = script_server(server, {"hello.sh": HELLO})
    host.check_fds = False
    enough = threading.Event()

    def ask(_number: int) -> int:
        count = 0
        while not enough.is_set():
            response = host.get("/cgi-bin/hello.sh")
            assert response.text == "hello\n", response
            count += 1
        return count

    def disturb(_number: int) -> int:
        try:
            for _ in range(8):
                before, answered = helpers(host), host.access_log.count("\n")
                for pid in before:
                    os.kill(pid, signal.SIGKILL)
                wait_until(lambda: helpers(host) != before and host.access_log.count("\n") > answered + 5, "another helper", 30)  # noqa: B023
        finally:
            enough.set()
        return 0

    results = in_threads(5, lambda number: disturb(number) if number == 4 else ask(number))
    assert all(isinstance(each, int) for each in results), results
    assert sum(each for each in results if isinstance(each, int)) > 8
    host.expect_log(r"the CGI helper \d+ was killed by signal 9; the next script starts another one")


def test_a_script_goes_on_when_its_helper_is_killed(server: Start) -> None:
    host = script_server(server, {"x.sh": "#!/bin/sh\necho\necho one\nread go < fifo\necho two\n", "hello.sh": HELLO})
    host.check_fds = False
    os.mkfifo(host.root / "cgi-bin/fifo")
    with Client(host.address) as client:
        client.send(build_request("GET", "/cgi-bin/x.sh"))
        head = client.read_head()
        os.kill(helpers(host)[0], signal.SIGKILL)
        host.expect_log("the CGI helper")
        assert host.get("/cgi-bin/hello.sh").text == "hello\n"
        (host.root / "cgi-bin/fifo").write_text("go\n")
        client.read_body(head, False)
        assert head.body == b"one\ntwo\n"


def test_a_script_ends_when_its_guard_is_killed(server: Start) -> None:
    host = script_server(server, {"x.sh": "#!/bin/sh\necho $$ > pid\necho\necho one\nsleep 1000\n"})
    client = host.client()
    client.send(build_request("GET", "/cgi-bin/x.sh"))
    client.read_head()
    script = int((host.root / "cgi-bin/pid").read_text())
    guard = int(status_field(script, "PPid"))
    assert is_guard(guard)
    os.kill(guard, signal.SIGKILL)
    wait_gone([script, guard])
    host.expect_log("the guard of script .*/x.sh was killed; the script is ended")


def test_reloads_lose_no_request(server: Start) -> None:
    host = script_server(server, {"hello.sh": HELLO}, workers=2)
    host.check_fds = False
    wait_until(lambda: "all workers are ready" in host.error_log, "all workers are ready")
    enough = threading.Event()

    def ask(number: int) -> int:
        count, client = 0, None
        while not enough.is_set():
            client = client or Client(host.address)
            response = client.request("GET", "/cgi-bin/hello.sh", {"Connection": "close"} if number % 2 else None)
            assert response.text == "hello\n", response
            count += 1
            if response.closes:
                client.close()
                client = None
        return count

    def disturb(_number: int) -> int:
        try:
            for times in range(1, 4):
                host.send_signal(signal.SIGHUP)
                wait_until(lambda: host.error_log.count("configuration reloaded") == times, "it is reloaded", 30)  # noqa: B023
        finally:
            enough.set()
        return 0

    results = in_threads(5, lambda number: disturb(number) if number == 4 else ask(number))
    assert all(isinstance(each, int) for each in results), results
    wait_until(lambda: len(host.workers()) == 2, "the old workers are gone", 20)
    assert len(helpers(host)) == 2


def test_after_a_reload_a_running_script_is_finished_by_its_old_worker(server: Start) -> None:
    host = script_server(server, {"x.sh": "#!/bin/sh\necho\necho one\nread go < fifo\necho two\n", "env.py": ENVIRONMENT}, workers=1)
    host.check_fds = False
    wait_until(lambda: "all workers are ready" in host.error_log, "all workers are ready")
    os.mkfifo(host.root / "cgi-bin/fifo")
    client = host.client()
    client.send(build_request("GET", "/cgi-bin/x.sh"))
    head = client.read_head()
    host.write_conf(host.template + "SetEnv NEW yes\n")
    host.send_signal(signal.SIGHUP)
    host.expect_log("configuration reloaded")
    wait_until(lambda: "NEW" in json.loads(host.get("/cgi-bin/env.py").body)["env"], "the new worker answers")
    (host.root / "cgi-bin/fifo").write_text("go\n")
    client.read_body(head, False)
    assert head.body == b"one\ntwo\n"

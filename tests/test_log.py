"""Access and error logs: whole lines from many processes, httpd's formats, nothing of a client's raw, files opened again."""
from __future__ import annotations

import os
import random
import re
import resource
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.client import Client, ProtocolError, build_request
from support.server import Server, wait_until

Start = Callable[..., Server]
PAGE = {"www/a.txt": "a"}
COMBINED = re.compile(r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                      r'"([^"]*)" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"')
ERROR_LINE = re.compile(r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d\.\d{6} \d{4}\] "
                        r"\[[a-z_]+:[a-z0-9]+\] \[pid \d+\](?: \[client [0-9a-f.:]+\])? .+")


def lines_of(host: Server, name: str, count: int) -> list[str]:
    """Wait until a log has so many lines, and return them."""
    wait_until(lambda: host.read(name).count("\n") >= count, f"{count} lines in {name}: {host.read(name)!r}")
    return host.read(name).splitlines()


# lines of many processes


def many_requests(host: Server, name: str, count: int, sent: list[str], answered: list[str]) -> None:
    """Send numbered requests on fresh and kept connections; a server that goes away in between is no failure here."""
    client: Client | None = None
    for number in range(count):
        target = f"/a.txt?{name}-{number}"
        sent.append(target)
        try:
            client = client or Client(host.address)
            response = client.request("GET", target, {"User-Agent": "x" * (number % 97)})
            answered.append(target)
            if response.closes or number % 11 == 0:
                client.close()
                client = None
        except (OSError, ProtocolError):
            client = None
    if client:
        client.close()


@pytest.mark.slow
@pytest.mark.parametrize("kills", [0, 12], ids=["quiet", "killed"])
def test_one_access_log_of_four_workers_has_every_line_once_and_whole(server: Start, kills: int) -> None:
    host = server("", PAGE, workers=4)
    host.check_fds = False
    host.allow_log("was killed by signal 9")
    sent: list[list[str]] = [[] for _ in range(6)]
    answered: list[list[str]] = [[] for _ in range(6)]
    threads = [threading.Thread(target=many_requests, args=(host, f"t{i}", 700, sent[i], answered[i])) for i in range(6)]
    for thread in threads:
        thread.start()
    chance = random.Random(1)
    for number in range(kills):
        wait_until(lambda wanted=(number + 1) * 250: sum(map(len, sent)) > wanted, "requests between the kills")
        workers = [pid for pid in host.workers() if pid != host.pid]
        if workers:
            os.kill(chance.choice(workers), signal.SIGKILL)
    for thread in threads:
        thread.join(60)
    assert host.stop() == 0
    text = host.access_log
    assert text.endswith("\n")
    matches = [COMBINED.fullmatch(line) for line in text.splitlines()]
    assert all(matches), [line for line, match in zip(text.splitlines(), matches, strict=True) if not match][:3]
    lines = Counter(match[1].split(" ")[1] for match in matches if match)
    assert max(lines.values()) == 1
    all_sent, all_answered = set().union(*sent), set().union(*answered)
    assert set(lines) - {"/"} <= all_sent
    lost = all_answered - set(lines)
    # A worker is one thread: at the moment it is killed it may have answered one request whose line it has not gathered.
    assert len(lost) <= kills, lost
    if not kills:
        assert set(lines) == all_sent and len(all_answered) == 4200


# what a client sends


HOSTILE = bytes(byte for byte in range(256) if byte not in b"\r\n\0")


def test_nothing_of_a_client_reaches_a_log_raw(server: Start) -> None:
    items = '%h %l %u \\"%r\\" %U %q %m %H %V %f %{User-Agent}i %{Referer}i %{X-Any}i %{sid}C %{X-Back}o %{MARK}e %R'
    host = server(f'LogFormat "{items}" all\nCustomLog @ROOT@/all.log all\nSetEnvIf X-Any "(.*)" MARK=$1\nLogLevel debug', PAGE)
    values = HOSTILE.replace(b"\x7f", b"").translate(None, bytes(range(9)) + bytes(range(10, 32)))
    assert len(values) == 224
    raw = (b"GET /a.txt?" + bytes(b for b in values if b not in b' \t#"<>') + b" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + values +
           b"\r\nReferer: " + values + b"\r\nX-Any: " + values + b"\r\nCookie: sid=" + values + b"\r\nConnection: close\r\n\r\n")
    attacks = [
        raw,
        b"GET /\x1b[31mred HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a\nfake: line HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\n\r\n",
        b"\x00\x01\x02" * 20 + b"\r\n\r\n",
        b"GET /%0a%0d%1b%22%5c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\nX-\x07: a\r\n\r\n",
    ]
    for attack in attacks:
        with host.client() as client:
            client.send(attack).half_close()
            client.read_rest()
    wait_until(lambda: host.read("all.log").count("\n") >= len(attacks) - 1, "lines")
    host.allow_log(".*")
    for name in ("all.log", "access.log", "error.log"):
        content = (host.root / name).read_bytes()
        assert content.endswith(b"\n")
        bad = [line for line in content.split(b"\n") if re.search(rb"[^\x20-\x7e]", line)]
        assert not bad, (name, bad[:2])
    for line in host.error_log.splitlines():
        assert ERROR_LINE.fullmatch(line), line


def test_trailers_of_a_request(server: Start) -> None:
    host = server('CustomLog @ROOT@/trailers.log "%{X-Sum}^ti|%{Other}^ti|%{X-Sum}^to|%{X-Sum}i"', PAGE)
    with host.client() as client:
        client.send(b"GET /a.txt HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\nx\r\n0\r\nX-Sum: a \"b\"\r\n\r\n")
        assert client.read_response().status == 200
    assert lines_of(host, "trailers.log", 1)[-1] == r'a \"b\"|-|-|-'


def test_quotes_cannot_forge_fields(server: Start) -> None:
    host = server("", PAGE)
    host.get("/a.txt", {"User-Agent": 'x" 200 5 "-" "y\\', "Referer": '"'})
    line = lines_of(host, "access.log", 1)[-1]
    assert line.endswith(' 200 1 "\\"" "x\\" 200 5 \\"-\\" \\"y\\\\"')


# formats and conditions


def test_the_items_of_a_plain_request(server: Start) -> None:
    formats = {
        "%h %a %{c}a %l %u": "127.0.0.1 127.0.0.1 127.0.0.1 - -", "%r": "GET /a.txt?q=1 HTTP/1.1", "%s %>s": "200 200", "%b %B": "1 1",
        "%U %q %m %H": "/a.txt ?q=1 GET HTTP/1.1", "%v %V": "localhost localhost", "%A": "127.0.0.1", "%X": "+", "%k": "0",
        "%f": "@ROOT@/www/a.txt",
        "%{X-In}i %{Content-Type}o %{Content-Length}o": "yes text/plain 1", "%{p}C %{none}C": "7 -", "%404{X-In}i %!404{X-In}i": "- yes",
        "%{sec}t": r"\d{10}", "%{usec}t": r"\d{16}", "%{%Y-%m-%d}t": r"\d{4}-\d\d-\d\d", "%t": r"\[[^]]+\]", "%D": r"\d+", "%T": r"\d+",
        "%{ms}T": r"\d+", "%P": r"\d+", "%p %{local}p": r"\d+ \d+", "%{remote}p": r"\d+", "%I %O": r"\d{2,3} \d{3}", "%L": r"\d+\.\d+",
    }
    conf = "".join(f'CustomLog @ROOT@/items.log "{i:02}|{text}"\n' for i, text in enumerate(formats))
    host = server(conf, PAGE)
    host.get("/a.txt?q=1", {"X-In": "yes", "Cookie": "a=1; p=7"})
    lines = lines_of(host, "items.log", len(formats))
    for line, (text, want) in zip(sorted(lines), formats.items(), strict=True):
        want = want.replace("@ROOT@", str(host.root))
        assert line[3:] == want or re.fullmatch(want, line[3:]), f"{text}: {line[3:]}"


def test_sizes_are_those_of_the_wire(server: Start) -> None:
    host = server('CustomLog @ROOT@/sizes.log "%m %B %I %O"', {"www/a.txt": "0123456789"})
    client = host.client()
    total: list[tuple[int, int]] = []
    for method in ("GET", "HEAD"):
        request = build_request(method, "/a.txt")
        client.send(request)
        head = client.received
        response = client.read_response(head=method == "HEAD")
        assert not head and response.status == 200
        fields = sum(len(f"{name}: {value}\r\n".encode()) for name, value in response.headers)
        total.append((len(request), len(b"HTTP/1.1 200 OK\r\n\r\n") + fields + len(response.body)))
    assert lines_of(host, "sizes.log", 2) == [f"GET 10 {total[0][0]} {total[0][1]}", f"HEAD 0 {total[1][0]} {total[1][1]}"]


def test_env_conditions_choose_what_is_logged(server: Start) -> None:
    host = server('SetEnvIf Request_URI "b" quiet\nCustomLog @ROOT@/loud.log "%U" env=!quiet\nCustomLog @ROOT@/quiet.log "%U" env=quiet',
                  {"www/a": "a", "www/b": "b"})
    for target in ("/a", "/b", "/a"):
        host.get(target)
    assert lines_of(host, "loud.log", 2) == ["/a", "/a"]
    assert lines_of(host, "quiet.log", 1) == ["/b"]


def test_virtual_hosts_have_logs_of_their_own_or_the_main_servers(server: Start) -> None:
    host = server('Listen 127.0.0.1:@PORT@\n<VirtualHost *>\nServerName one\nDocumentRoot @ROOT@/www\nCustomLog @ROOT@/one.log "%V %U"\n'
                  'ErrorLog @ROOT@/one-error.log\nLogLevel debug\n</VirtualHost>\n<VirtualHost *>\nServerName two\n'
                  'DocumentRoot @ROOT@/www\n</VirtualHost>', PAGE)
    host.get("/a.txt", {"Host": "one"})
    host.get("/a.txt", {"Host": "two"})
    assert lines_of(host, "one.log", 1) == ["one /a.txt"]
    assert len(lines_of(host, "access.log", 1)) == 1
    assert (host.root / "one-error.log").exists()


def test_a_custom_log_without_a_format_is_combined(server: Start) -> None:
    host = server("CustomLog @ROOT@/plain.log", PAGE)
    host.get("/a.txt", {"Referer": "http://from/", "User-Agent": "me"})
    match = COMBINED.fullmatch(lines_of(host, "plain.log", 1)[0])
    assert match and match.groups() == ("GET /a.txt HTTP/1.1", "200", "1", "http://from/", "me")


@pytest.mark.parametrize("line, message", [
    ('CustomLog @ROOT@/x.log "%Z"', "%Z"),
    ('CustomLog @ROOT@/x.log "%{open"', "%{open"),
    ("CustomLog @ROOT@/no/folder/x.log common", "/no/folder/x.log"),
    ("ErrorLog @ROOT@/no/folder/e.log", "/no/folder/e.log"), ("ErrorLog syslog:nowhere", "nowhere"),
])
def test_a_log_that_cannot_be_is_an_error_at_start(server: Start, line: str, message: str) -> None:
    host = server(line, PAGE, started=False)
    done = host.run_to_end("-X")
    assert done.returncode == 1 and message in done.stderr, done


# opening again


@pytest.mark.parametrize("workers", [0, 3])
def test_usr1_opens_renamed_logs_again(server: Start, workers: int) -> None:
    host = server("", PAGE, workers=workers)
    for _ in range(5):
        host.get("/a.txt?before")
    lines_of(host, "access.log", 5)
    for name in ("access.log", "error.log"):
        (host.root / name).rename(host.root / f"old-{name}")
    host.send_signal(signal.SIGUSR1)
    wait_until(lambda: (host.root / "access.log").exists(), "a new file")
    if workers:
        host.expect_log("logs opened again")

    def all_use_the_new_ones() -> bool:
        names = [os.readlink(f"/proc/{pid}/fd/{fd}") for pid in {host.pid, *host.workers()} for fd in os.listdir(f"/proc/{pid}/fd")]
        return not any("/old-" in name for name in names)

    wait_until(all_use_the_new_ones, "the old files are closed everywhere")
    for _ in range(7):
        host.get("/a.txt?after")
    assert all("after" in line for line in lines_of(host, "access.log", 7))
    assert host.read("old-access.log").count("before") == 5 and "after" not in host.read("old-access.log")
    host.check_fds = False


@pytest.mark.slow
def test_no_line_is_lost_while_logs_are_rotated_under_load(server: Start) -> None:
    host = server("", PAGE, workers=3)
    sent: list[str] = []
    answered: list[str] = []
    thread = threading.Thread(target=many_requests, args=(host, "r", 1500, sent, answered))
    thread.start()
    for number in range(10):
        wait_until(lambda wanted=(number + 1) * 120: len(sent) > wanted, "requests between rotations")
        (host.root / "access.log").rename(host.root / f"access.{number}")
        host.send_signal(signal.SIGUSR1)
        wait_until(lambda: (host.root / "access.log").exists(), "a new file")
    thread.join(60)
    assert host.stop() == 0
    lines = [line for number in range(10) for line in host.read(f"access.{number}").splitlines()] + host.access_log.splitlines()
    assert all(map(COMBINED.fullmatch, lines))
    assert sorted(line.split('"')[1].split(" ")[1] for line in lines) == sorted(sent)
    assert len(answered) == 1500


def test_a_full_disk_costs_whole_lines_that_are_counted(server: Start) -> None:
    """No beginning of a line stays, where the next one would be written behind it once there is room again."""
    host = server("<Location /status>\nSetHandler server-status\n</Location>\nMaxKeepAliveRequests 0", PAGE)
    host.allow_log("access lines could not be written")
    asked = 0
    with host.client() as client:
        for room in range(1000, 1100, 10):
            resource.prlimit(host.pid, resource.RLIMIT_FSIZE, (len(host.access_log) + room, resource.RLIM_INFINITY))
            for _ in range(4):
                client.send(build_request("GET", "/a.txt", {"User-Agent": "y" * room}) * 5)
                asked += 5
                for _ in range(5):
                    assert client.read_response().status == 200
            resource.prlimit(host.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert client.request("GET", f"/a.txt?{room}").status == 200
            wait_until(lambda wanted=f"/a.txt?{room} ": wanted in host.access_log, "a line that has room")
        status = client.request("GET", "/status?auto").text
    lost = int(re.search(r"Total Lost Log Lines: (\d+)", status)[1])  # type: ignore[index]
    wait_until(lambda: "?auto" in host.access_log, "the last line")
    lines = host.access_log.splitlines()
    assert all(map(COMBINED.fullmatch, lines))
    assert lost and len(lines) - 11 + lost == asked


# commands


@pytest.mark.parametrize("workers", [0, 2])
def test_a_log_command_gets_the_lines_and_ends_with_the_server(server: Start, workers: int) -> None:
    host = server('CustomLog "|cat >> @ROOT@/piped.log" "%U"\nErrorLog "|cat >> @ROOT@/piped-error.log"', PAGE, workers=workers)
    host.check_fds = False
    for _ in range(20):
        host.get("/a.txt")
    assert lines_of(host, "piped.log", 20) == ["/a.txt"] * 20
    children = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
    assert host.stop() == 0
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "the commands are gone")
    assert host.read("piped-error.log").rstrip().endswith("stopped")


def test_a_log_command_that_dies_is_started_again_and_no_line_is_lost(server: Start) -> None:
    host = server('CustomLog "|exec cat >> @ROOT@/piped.log" "%q"', PAGE, workers=1)
    host.check_fds = False
    host.get("/a.txt?1")
    lines_of(host, "piped.log", 1)
    children = Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
    cat = next(pid for pid in children if "cat" in Path(f"/proc/{pid}/comm").read_text())
    os.kill(int(cat), signal.SIGKILL)
    host.expect_log("the log command .* ended .signal 9. and is started again")
    host.get("/a.txt?2")
    host.get("/a.txt?3")
    assert lines_of(host, "piped.log", 3) == ["?1", "?2", "?3"]


def test_a_log_command_that_reads_nothing_does_not_stop_the_server(server: Start) -> None:
    host = server('CustomLog "|exec sleep 30" "%{User-Agent}i"', PAGE, workers=1)
    host.check_fds = False
    agent = {"User-Agent": "x" * 8000}
    with host.client() as client:
        for _ in range(90):
            response = client.request("GET", "/a.txt", agent)
            assert response.status == 200
    command = next(pid for pid in Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split() if int(pid) not in host.workers())
    with host.client() as client:
        for _ in range(90):
            assert client.request("GET", "/a.txt", agent).body == b"a"
    host.expect_log("access lines could not be written: Resource temporarily unavailable")
    os.kill(int(command), signal.SIGKILL)
    host.allow_log("is started again")
    assert host.stop() == 0


# the error log


def test_syslog_gets_error_lines(server: Start) -> None:
    if os.geteuid() != 0 or os.path.exists("/dev/log"):
        pytest.skip("/dev/log is somebody's, or not ours to make")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("/dev/log")
        try:
            log.settimeout(10)
            host = server("ErrorLog syslog:local3:tester", PAGE, workers=1)
            line = log.recv(8192).decode()
            assert host.stop() == 0
        finally:
            os.unlink("/dev/log")
    assert re.match(rf"<{19 * 8 + 5}>.* tester\[{host.pid}\]: \[core:notice\] \[pid {host.pid}\] pyhost on Python", line)


def test_error_lines_name_module_level_process_and_client(server: Start) -> None:
    host = server("LimitRequestLine 200", PAGE)
    with host.client() as client:
        client.send(b"GET /" + b"a" * 400 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_response().status == 414
        port = client.sock.getsockname()[1]
    line = host.expect_log("LimitRequestLine")
    assert ERROR_LINE.fullmatch(line) and f"[pid {host.pid}] [client 127.0.0.1:{port}] " in line and "[core:warn]" in line


@pytest.mark.parametrize("level, shown", [("error", False), ("warn", True)])
def test_log_level_decides_what_is_written(server: Start, level: str, shown: bool) -> None:
    host = server(f"LogLevel {level}\nLimitRequestLine 200", PAGE)
    with host.client() as client:
        client.send(b"GET /" + b"a" * 400 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_response().status == 414
    assert host.stop() == 0
    assert ("LimitRequestLine" in host.error_log) is shown
    assert " serves " in host.error_log  # a notice is always written


SAY = """
def handler(req):
    req.log_error("said from here", 7)
    req.write("ok")
    return 0
"""


@pytest.mark.parametrize(("levels", "shown"), [
    ("LogLevel info", False), ("LogLevel error python:debug", True), ("LogLevel debug mod_python.c:info", False),
    ("LogLevel python:debug\nLogLevel error", False),  # a level for all takes back what was said before
    ("LogLevel error\nLogLevel python:debug ssl:info", True),
])
def test_log_level_of_one_module(server: Start, levels: str, shown: bool) -> None:
    host = server(f'{levels}\n<Location />\nSetHandler mod_python\nPythonPath "[\'@ROOT@/www\'] + sys.path"\nPythonHandler say\n</Location>',
                  {"www/say.py": SAY})
    assert host.get("/").text == "ok"
    with host.client() as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert client.read_response().status == 400
    assert host.stop() == 0
    assert ("[python:debug]" in host.error_log and "said from here" in host.error_log) is shown
    assert ("[core:info]" in host.error_log) is levels.startswith(("LogLevel info", "LogLevel debug"))


def test_log_level_of_a_virtual_host_adds_to_that_of_the_server(server: Start) -> None:
    host = server("""LogLevel error python:debug
<VirtualHost *>
    ServerName one
    LogLevel core:info
</VirtualHost>
<VirtualHost *>
    ServerName two
    LogLevel warn
</VirtualHost>
<Location />
    SetHandler mod_python
    PythonPath "['@ROOT@/www'] + sys.path"
    PythonHandler say
</Location>""", {"www/say.py": SAY})
    assert [host.get("/", {"Host": name}).text for name in ("one", "two")] == ["ok", "ok"]
    assert host.stop() == 0
    assert host.error_log.count("said from here") == 1


FAILS = """
def handler(req):
    if req.args == "fail":
        raise ValueError("two\\nlines")
    req.notes["mark"] = "noted"
    req.log_error("said \\x1b from here")
    req.log_error("said again")
    return 0
"""
FORMATS = r"""LogLevel warn
ErrorLogFormat "[%{cu}t] [%-m:%l] %P %L <%{mark}n> %7F: %M% ,\ referer\ %{Referer}i"
ErrorLogFormat connection "C %{c}L from %a to %A"
ErrorLogFormat request "R %L on %{c}L by %{User-Agent}i %V %k"
ErrorLogFormat request "R %L came from %+{Referer}i"
<Location />
    SetHandler mod_python
    PythonPath "['@ROOT@/www'] + sys.path"
    PythonHandler fails
</Location>
"""


def test_error_log_format(server: Start) -> None:
    host = server(FORMATS, {"www/fails.py": FAILS})
    with host.client() as client:
        assert client.request("GET", "/x", {"User-Agent": "one", "Host": "asked"}).status == 200
        assert client.request("GET", "/x", {"User-Agent": "two\"", "Referer": "/there"}).status == 200
        address = f"127.0.0.1:{client.sock.getsockname()[1]}"
    wait_until(lambda: host.error_log.count("said again") == 2, "both have been logged")
    lines = [line for line in host.error_log.splitlines() if "notice" not in line]
    when, at = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\]", f"{host.pid}"
    wanted = [
        rf"C {at}-(\d+) from {address} to 127\.0\.0\.1:{host.address[1]}", rf"R {at}\.(\d+) on {at}-\d+ by one asked 0",
        rf"{when} \[python:error\] {at} {at}\.\d+ <noted> said \\x1b from here", rf"{when} \[python:error\] {at} {at}\.\d+ <noted> said again",
        rf"R {at}\.(\d+) on {at}-\d+ by two\\\" \S+ 1", rf"R {at}\.(\d+) came from /there",
        rf"{when} \[python:error\] {at} {at}\.\d+ <noted> said \\x1b from here, referer /there",
        rf"{when} \[python:error\] {at} {at}\.\d+ <noted> said again, referer /there"]
    assert len(lines) == len(wanted), lines
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(pattern, line), (line, pattern)
    assert host.get("/x?fail").status == 500
    host.expect_log(r"\[python:error\] \S+ \S+ PythonHandler fails: Traceback")
    host.expect_log(r"\[python:error\] \S+ \S+ PythonHandler fails: ValueError: two")
    host.allow_log("said|PythonHandler fails")


def test_error_log_format_of_a_virtual_host(server: Start) -> None:
    conf = """ErrorLogFormat "main %M"
ErrorLogFormat request "request of %v"
<Location />
    Require all denied
</Location>
<VirtualHost *>
    ServerName one
</VirtualHost>
<VirtualHost *>
    ServerName two
    ErrorLogFormat "%-E two %F %M"
    ErrorLogFormat connection "connection of %v"
</VirtualHost>
"""
    host = server(conf, PAGE)
    assert [host.get("/a.txt", {"Host": name}).status for name in ("one", "two")] == [403, 403]
    wait_until(lambda: host.error_log.count("client denied") == 2, "both have been logged")
    lines = [line for line in host.error_log.splitlines() if " serves " not in line]
    assert lines[:2] == ["request of one", f"main client denied by server configuration: {host.root}/www/a.txt"]
    assert lines[2:4] == ["connection of two", "request of two"]
    assert re.fullmatch(rf"- two [a-z_]+\.c:\d+ client denied by server configuration: {host.root}/www/a\.txt", lines[4])
    host.allow_log("client denied")


def test_logs_in_formats_of_the_configuration_stay_over_a_reload(server: Start) -> None:
    host = server('ErrorLogFormat "one %M"\n<Location />\nRequire all denied\n</Location>', PAGE, workers=1)
    host.check_fds = False
    assert host.get("/a.txt").status == 403
    host.expect_log("^one client denied")
    host.write_conf(host.template.replace("one %M", "two %M"))
    os.kill(host.pid, signal.SIGHUP)
    wait_until(lambda: host.get("/a.txt").status == 403 and "\ntwo client denied" in host.error_log, "the new format is in force")
    host.allow_log("client denied")


@pytest.mark.parametrize(("directive", "wanted"), [
    ('ErrorLogFormat "%Z %M"', "%a %A %E %F %k %l %L %m %M %P %t %T %v %V %{name}e %{name}i %{name}n or %% expected: %Z %M"),
    ('ErrorLogFormat "%M %{x"', "closing } expected: %{x"), ('ErrorLogFormat "no"', "%M, the message, expected in it: no"),
    ('ErrorLogFormat ""', "a format that is not empty expected"), ('ErrorLogFormat both "%M"', "connection or request expected before a format, not both"),
    ('ErrorLogFormat request "%M"', "%M expected in the format of the message alone: %M"),
    ('ErrorLogFormat "%+M"', "+ expected in formats of connections and requests alone: %+M"),
    ('LogFormat "%Z" x', 'no such LogFormat item at "%Z"'), ('CustomLog x.log "%{a"', 'missing } at "%{a"'),
])
def test_a_bad_format_is_found_with_the_configuration(run: Callable[..., Any], tmp_path: Path, directive: str, wanted: str) -> None:
    (tmp_path / "x.conf").write_text(f"Listen 1\n{directive}\n")
    done = run("-t", "-f", str(tmp_path / "x.conf"))
    assert done.returncode == 1 and f"{tmp_path}/x.conf:2: {directive.split()[0]}: {wanted}\n" in done.stderr, done.stderr


def test_without_an_error_log_lines_go_to_stderr(server: Start) -> None:
    host = server('ServerRoot "@ROOT@"\nServerName localhost\nDocumentRoot "@ROOT@/www"', PAGE, preamble=False)
    assert host.get("/a.txt").body == b"a"
    assert host.stop() == 0
    assert re.search(r"\[core:notice\] \[pid \d+\] stopped", host.stderr)

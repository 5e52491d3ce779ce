"""Other ways in: FastCGI, SCGI and uwsgi listeners, by raw clients and behind a real nginx, as the second talk has it."""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import apache, fcgi, nginx
from support.cgi import alive, script_server
from support.client import Client, ProtocolError, Response
from support.fcgi import FastCGI, record, scgi_head, uwsgi_head, variables
from support.front import Front
from support.server import Server, free_port, open_files, wait_until

Start = Callable[..., Server]
APP = (Path(__file__).parent / "apps" / "gateway_app.py").read_text()
#: A CGI script that says what the application says.
TOLD = """\
#!/usr/bin/env python3
import json, os, sys
keys = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_PROTOCOL", "REQUEST_URI", "REMOTE_ADDR",
        "SERVER_NAME")
found = {os.fsencode(key).decode("latin-1"): os.fsencode(value).decode("latin-1") for key, value in os.environ.items()}
body = sys.stdin.buffer.read(int(found.get("CONTENT_LENGTH") or 0)).decode("latin-1")
print("Content-Type: application/json\\n")
print(json.dumps({"keys": {**{key: found.get(key) for key in keys}, "wsgi.url_scheme": found["REQUEST_SCHEME"]},
                  "fields": {key: value for key, value in found.items() if key.startswith("HTTP_")}, "body": body}))
"""
needs_nginx = pytest.mark.skipif(not nginx.program(), reason="nginx is not installed (apt-get install nginx-light)")
needs_apache = pytest.mark.skipif(not apache.program(), reason="apache2 with its proxy modules is not installed (apt-get install apache2)")
CONF = """
Listen 127.0.0.1:@PORT@
Listen 127.0.0.1:@PORT2@ fastcgi
Listen 127.0.0.1:@PORT3@ scgi
Listen 127.0.0.1:@PORT4@ uwsgi
Listen unix:@ROOT@/f.sock fastcgi
PythonPath "['@ROOT@/www'] + sys.path"
RemoteIPHeader X-Real-IP
RemoteIPInternalProxy 127.0.0.1
PyWSGIAlias /app gateway_app:application
ScriptAlias /cgi "@ROOT@/told.py"
<Location /mp>
    SetHandler mod_python
    PythonHandler gateway_app
</Location>
<Location /app/limited>
    LimitRequestBody 1000
</Location>
"""
PROXY = """
location / {{ proxy_pass http://127.0.0.1:{PORT}; proxy_set_header Host $http_host; proxy_set_header X-Real-IP $remote_addr;
              proxy_http_version 1.1; proxy_set_header Connection ""; }}
"""
KEEP = "upstream f {{ server 127.0.0.1:{PORT2}; keepalive 16; }}"
WAYS = {
    "fastcgi": ("location / {{ include @PARAMS@/fastcgi_params; fastcgi_pass 127.0.0.1:{PORT2}; }}", ""),
    "fastcgi-keep": ("location / {{ include @PARAMS@/fastcgi_params; fastcgi_pass f; fastcgi_keep_conn on; }}", KEEP),
    "fastcgi-unix": ("location / {{ include @PARAMS@/fastcgi_params; fastcgi_pass unix:{root}/f.sock; }}", ""),
    "scgi": ("location / {{ include @PARAMS@/scgi_params; scgi_pass 127.0.0.1:{PORT3}; }}", ""),
    "uwsgi": ("location / {{ include @PARAMS@/uwsgi_params; uwsgi_pass 127.0.0.1:{PORT4}; }}", ""),
    "proxy": (PROXY, ""),
    "fastcgi-unbuffered": ("location / {{ include @PARAMS@/fastcgi_params; fastcgi_pass 127.0.0.1:{PORT2}; fastcgi_request_buffering off; }}", ""),
    "proxy-unbuffered": (PROXY.replace("{{", "{{ proxy_request_buffering off;"), ""),
}


APACHE_WAYS = {
    "apache fastcgi": 'ProxyPass "/" "fcgi://127.0.0.1:{PORT2}/" enablereuse=on',
    "apache scgi": 'ProxyPass "/" "scgi://127.0.0.1:{PORT3}/"',
    "apache uwsgi": 'ProxyPass "/" "uwsgi://127.0.0.1:{PORT4}/"',
    "apache proxy": 'ProxyPass "/" "http://127.0.0.1:{PORT}/" nocanon\nProxyPreserveHost On\nProxyAddHeaders Off\nRequestHeader set X-Real-IP "expr=%{{REMOTE_ADDR}}"',
}
EVERY_WAY = [*(pytest.param(way, marks=needs_nginx) for way in WAYS), *(pytest.param(way, marks=needs_apache) for way in APACHE_WAYS)]


@pytest.fixture
def host(server: Start) -> Server:
    made = script_server(server, {"./told.py": TOLD, "www/gateway_app.py": APP}, CONF)
    made.check_fds = False  # modules are watched from the first one on
    return made


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Callable[..., Front]]:
    """Start nginx or Apache in front of a server: front(host, way) or front(host, server text, http text) of nginx."""
    made: list[Front] = []

    def start(host: Server, way: str, http: str = "") -> Front:
        if way in APACHE_WAYS:
            made.append(apache.Apache(tmp_path / f"apache{len(made)}", APACHE_WAYS[way].format(**host.ports)))
            return made[-1]
        server_text, http_text = WAYS.get(way, (way, http))
        fill = {**host.ports, "root": host.root}
        made.append(nginx.Nginx(tmp_path / f"nginx{len(made)}", server_text.format(**fill), http_text.format(**fill)))
        return made[-1]

    yield start
    for each in made:
        each.stop()


def ask(address: tuple[str, int], method: str = "GET", target: str = "/", headers: list[tuple[str, str]] | None = None,
        body: bytes | None = None) -> Response:
    with Client(address) as client:
        return client.request(method, target, headers, body)


# --- one environment, whatever the protocol ---

CASES: list[tuple[str, str, str, list[tuple[str, str]], bytes | None]] = [
    ("plain", "GET", "/plain", [], None),
    ("query", "GET", "/q?a=1&b=%20c&c", [], None),
    ("empty query", "GET", "/q?", [], None),
    ("escapes", "GET", "/a%20b/%C3%A9/%2e%2e/c", [], None),
    ("plus and semicolon", "GET", "/a+b;c=d", [], None),
    ("fields", "GET", "/f", [("X-Test", "one"), ("Accept-Language", "de, en;q=0.5"), ("User-Agent", "test/1 (x; y)")], None),
    ("twice", "GET", "/f", [("Cookie", "a=1"), ("Accept", "text/html, */*")], None),
    ("latin-1 value", "GET", "/f", [("X-Test", "caf\xe9")], None),
    ("post", "POST", "/p", [("Content-Type", "application/x-www-form-urlencoded")], b"a=1&b=2"),
    ("post empty", "POST", "/p", [("Content-Type", "text/plain")], b""),
    ("binary", "PUT", "/p?x", [("Content-Type", "application/octet-stream")], bytes(range(256)) * 20),
    ("delete", "DELETE", "/p/1", [], None),
    ("options", "OPTIONS", "/o", [], None),
    ("patch", "PATCH", "/o", [("Content-Type", "a/b; charset=x")], b"{}"),
    ("other port in Host", "GET", "/h", [("Host", "front.example:8443")], None),
    ("referer", "GET", "/r", [("Referer", "http://x.example/?q=1#2")], None),
    ("long query", "GET", "/l?" + "q" * 3000, [], None),
]
HOP = {"HTTP_CONNECTION", "HTTP_X_REAL_IP", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"}


def told(response: Response) -> dict[str, Any]:
    assert response.status == 200, (response.status, response.body[:300])
    found: dict[str, Any] = json.loads(response.body)
    found["fields"] = {name: value for name, value in found["fields"].items() if name not in HOP}
    for names in (("CONTENT_LENGTH", "length"), ("CONTENT_TYPE", "type")):  # absent, empty and 0 say the same
        for name in names:
            if found["keys"].get(name) in ("", "0"):
                found["keys"][name] = None
    return found


@pytest.mark.parametrize("mount", ["/app", "/mp", "/cgi"])
@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_request_by_any_protocol_sees_the_same_environment(host: Server, front: Callable[..., Front], way: str, mount: str) -> None:
    proxy = front(host, way)
    for name, method, target, headers, body in CASES:
        headers = headers if any(key == "Host" for key, _ in headers) else [("Host", "front.example"), *headers]
        if name == "other port in Host" and way != "proxy":
            continue  # nginx gives the name without its port in HTTP_HOST
        direct = told(ask(host.address, method, mount + target, headers, body))  # type: ignore[arg-type]
        assert told(ask(proxy.address, method, mount + target, headers, body)) == direct, name


@pytest.mark.parametrize("way", EVERY_WAY)
def test_bodies_statuses_and_fields_go_through(host: Server, front: Callable[..., Front], way: str) -> None:
    address = front(host, way).address
    body = os.urandom(1 << 16) * 48
    answer = ask(address, "POST", "/app/digest", [("Content-Type", "a/b")], body)
    assert answer.text == f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    large = ask(address, target=f"/app/large?{65536 * 64}")
    assert len(large.body) == 65536 * 64 and large.body[:16] == large.body[-16:] == b"0123456789abcdef"
    odd = ask(address, target="/app/status")
    assert (odd.status, odd.reason, ", ".join(odd.all("X-Is")), odd.body) == (418, "Teapot", "one, two", b"short")
    with Client(address) as client:
        assert client.request("HEAD", "/app/status").status == 418
    assert ask(address, target="/nowhere").status == 404
    assert ask(address, "POST", "/app/limited", body=b"x" * 2000).status == 413
    assert ask(address, target="/app/raise").status == 500
    host.expect_log("what the application raised")
    host.allow_log("wsgi|Traceback|KeyError|File|gateway_app")


@pytest.mark.parametrize("mount", ["/app", "/mp", "/cgi"])
@pytest.mark.parametrize("way", EVERY_WAY)
def test_chunked_uploads_arrive_whole(host: Server, front: Callable[..., Front], way: str, mount: str) -> None:
    """The servers in front keep them until they know the length, or pass them on as they come."""
    body = b"0123456789abcdef" * 20000
    with Client(front(host, way).address) as client:
        client.send(f"POST {mount}/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for at in range(0, len(body), 50000):
            client.send(b"%x\r\n%b\r\n" % (len(body[at:at + 50000]), body[at:at + 50000]))
        client.send(b"0\r\n\r\n")
        answer = client.read_response()
    if way in ("apache scgi", "apache uwsgi"):
        assert answer.status == 411 and "Apache" in (answer.header("Server") or "")  # it cannot
    else:
        assert answer.status == 200 and json.loads(answer.text)["body"].encode() == body


@needs_nginx
@pytest.mark.parametrize("way", ["fastcgi-keep", "scgi", "uwsgi", "proxy"])
def test_slow_clients_in_front(host: Server, front: Callable[..., Front], way: str) -> None:
    address = front(host, way).address
    with Client(address) as client:
        client.send_slowly(b"POST /app/digest HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n" + b"z" * 600, 7)
        assert client.read_response().text.startswith("600 ")
    with Client(address) as client:
        client.send(b"GET /app/large?19660800 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ask(host.address, target="/app/count").status == 200  # nobody waits for who does not read
        assert len(client.read_response().body) == 19660800


@needs_nginx
def test_keep_conn_keeps_the_connection(host: Server, front: Callable[..., Front]) -> None:
    address = front(host, "fastcgi-keep").address
    for _ in range(20):
        assert ask(address, target="/app/count").status == 200
    ours = f":{host.ports['PORT2']:04X}"

    def open_connections() -> int:
        """The table is not read in one piece: a row may be missed while others come and go."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return len([row for row in rows if row[1].endswith(ours) and row[3] == "01"])

    wait_until(lambda: open_connections() == 1, "one connection that is kept", 3)


@needs_nginx
def test_the_second_talk_s_upstream(server: Start, front: Callable[..., Front]) -> None:
    members = [server("Listen 127.0.0.1:@PORT@ fastcgi\nPythonPath \"['@ROOT@/www'] + sys.path\"\nPyWSGIAlias / gateway_app:application",
                      {"www/gateway_app.py": APP}) for _ in range(2)]
    for each in members:
        each.check_fds = False
    upstream = "upstream h99mp {{ " + "".join(
        f"server 127.0.0.1:{each.port} weight=1 fail_timeout=10 max_fails=1; " for each in members) + "keepalive 16; }}"
    proxy = front(members[0], """location ~ ^/(mp|mpapi|count|slow)/? {{ fastcgi_pass h99mp; fastcgi_index index.py; fastcgi_keep_conn on;
        include @PARAMS@/fastcgi_params; }}""", upstream)
    seen_pids = [re.search(rb"pid: (\d+)", ask(proxy.address, target="/count").body)[1] for _ in range(10)]  # type: ignore[index]
    assert sorted(set(seen_pids)) == sorted(str(each.pid).encode() for each in members)
    results = under_load(proxy.address, lambda: os.kill(members[1].pid, signal.SIGKILL))
    members[1].exit_status = -signal.SIGKILL
    lost = [status for status in results if status != 200]
    assert len(lost) <= CLIENTS, results  # at most what the killed one had in hand
    assert all(ask(proxy.address, target="/count").status == 200 for _ in range(10))


CLIENTS = 8
MEMBER = """
Listen 127.0.0.1:@PORT@ %s
PythonPath "['@ROOT@/www'] + sys.path"
PyWSGIAlias / gateway_app:application
"""
PASSED = {
    "fastcgi": ("include @PARAMS@/fastcgi_params; fastcgi_pass members; fastcgi_keep_conn on;", "keepalive 16;"),
    "scgi": ("include @PARAMS@/scgi_params; scgi_pass members;", ""),
    "uwsgi": ("include @PARAMS@/uwsgi_params; uwsgi_pass members;", ""),
    "http": ('proxy_pass http://members; proxy_http_version 1.1; proxy_set_header Connection "";', "keepalive 16;"),
}


@needs_nginx
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("protocol", list(PASSED))
def test_a_member_killed_under_load_takes_with_it_what_it_had_in_hand(server: Start, front: Callable[..., Front], protocol: str, method: str) -> None:
    """Members of unequal weight. nginx asks the other one again for what may be asked twice, so of GET nothing is lost."""
    members = [server(MEMBER % protocol, {"www/gateway_app.py": APP}) for _ in range(2)]
    for each in members:
        each.check_fds = False
    location, keep = PASSED[protocol]
    proxy = front(members[0], f"location / {{{{ {location} }}}}",
                  f"upstream members {{{{ server 127.0.0.1:{members[0].port} weight=3 max_fails=1 fail_timeout=10; "
                  f"server 127.0.0.1:{members[1].port} weight=1 max_fails=1 fail_timeout=10; {keep} }}}}")
    results: dict[str, int] = {}
    half = threading.Event()

    def run(client: int) -> None:
        for number in range(25):
            name = f"{client}-{number}"
            results[name] = ask(proxy.address, method, f"/note?{name}", [("Content-Type", "text/plain")], b"x" if method == "POST" else None).status
            if len(results) > CLIENTS * 8:
                half.set()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    assert half.wait(30)
    os.kill(members[0].pid, signal.SIGKILL)
    for thread in threads:
        thread.join(60)
    members[0].exit_status = -signal.SIGKILL
    notes = [set((each.root / "www" / "notes").read_text().split("\n")) for each in members]
    assert all(notes), "both had a share"
    assert len(results) == CLIENTS * 25
    lost = {name for name, status in results.items() if status != 200}
    assert len(lost) <= CLIENTS  # each client has one request on its way
    assert not {f"begin {name}" for name in lost} & notes[1]
    for name in set(results) - lost:
        assert f"end {name}" in notes[0] | notes[1]
    if method == "GET":
        assert not lost


def under_load(address: tuple[str, int], blow: Callable[[], object], each: int = 30) -> list[int]:
    """Statuses of many requests, one connection each, while blow() happens in their midst."""
    results: list[int] = []
    half = threading.Event()

    def run() -> None:
        for _ in range(each):
            results.append(ask(address, target="/count").status)
            if len(results) > CLIENTS * each // 3:
                half.set()

    threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    assert half.wait(20)
    blow()
    for thread in threads:
        thread.join(30)
    assert len(results) == CLIENTS * each
    return results


@needs_nginx
@pytest.mark.parametrize("way", ["fastcgi-keep", "scgi", "uwsgi"])
def test_a_reload_under_load_loses_nothing(server: Start, front: Callable[..., Front], way: str) -> None:
    host = server(CONF + "PyWSGIAlias /count gateway_app:application\n<Location /count>\nPyWSGIApplication gateway_app:application\n</Location>\n",
                  {"www/gateway_app.py": APP}, workers=2)
    host.check_fds = False
    server_text, http_text = WAYS[way]
    proxy = front(host, server_text.replace("location /", "location /count {{ rewrite ^ /app/count; }} location /", 1), http_text)
    before = set(host.workers())
    results = under_load(proxy.address, lambda: host.send_signal(signal.SIGHUP), 40)
    assert [status for status in results if status != 200] == []
    wait_until(lambda: not before & set(host.workers()), "new workers")


# --- FastCGI, raw ---

def fast(host: Server) -> FastCGI:
    return FastCGI(("127.0.0.1", host.ports["PORT2"]))


def test_requests_are_multiplexed_on_one_connection(host: Server) -> None:
    with fast(host) as client:
        client.start(1, "/app/slow?0.4")
        client.begin(2).params(2, variables("POST", "/app/digest", b"x" * 10))
        client.start(3, "/app/count")
        third = client.finish(3)
        assert third.status == 200 and not client.replies.get(1)
        client.stdin(2, b"x" * 4, end=False).start(4, "/app/status").stdin(2, b"x" * 6)
        assert client.finish(4).status == 418
        assert client.finish(2).body.startswith(b"10 ")
        assert client.finish(1).body == b"slow"
        assert client.get("/app/count", 1).status == 200  # the id is free again


def test_many_interleaved_uploads(host: Server) -> None:
    with fast(host) as client:
        for number in range(1, 33):
            client.begin(number).params(number, variables("POST", "/app/digest", b"y" * 3000))
        for _ in range(3):
            for number in range(1, 33):
                client.send(record(fcgi.STDIN, number, b"y" * 1000, padding=7))
        for number in range(1, 33):
            client.send(record(fcgi.STDIN, number))
        for number in range(32, 0, -1):
            assert client.finish(number).body == f"3000 {hashlib.sha256(b'y' * 3000).hexdigest()}".encode()


def test_without_keep_conn_the_connection_closes(host: Server) -> None:
    with fast(host) as client:
        assert client.get("/app/count", keep=False).status == 200
        assert client.at_end()


@pytest.mark.parametrize("role, status", [(2, 3), (3, 3), (9, 3)])
def test_other_roles_are_answered(host: Server, role: int, status: int) -> None:
    with fast(host) as client:
        reply = client.begin(1, role=role).finish(1)
        assert (reply.protocol_status, reply.out) == (status, b"")
        assert client.get("/app/count", 2).status == 200


def test_management_records(host: Server) -> None:
    with fast(host) as client:
        client.send(record(fcgi.GET_VALUES, 0, fcgi.pairs({"FCGI_MPXS_CONNS": "", "FCGI_MAX_REQS": "", "FCGI_OTHER": ""})))
        client.send(record(77, 0, b"what"))
        while len(client.management) < 2:
            assert client.take()
        (kind, values), (unknown, content) = client.management
        assert kind == fcgi.GET_VALUES_RESULT and b"FCGI_MPXS_CONNS1" in values and b"FCGI_OTHER" not in values
        assert (unknown, content[0]) == (fcgi.UNKNOWN, 77)
        assert client.get("/app/count").status == 200


def test_an_aborted_request_ends_and_others_go_on(host: Server) -> None:
    with fast(host) as client:
        client.begin(1).params(1, variables("POST", "/app/digest", b"z" * 100)).stdin(1, b"z" * 10, end=False)
        client.start(2, "/app/slow?0.2")
        client.send(record(fcgi.ABORT, 1))
        assert client.finish(1).protocol_status == 0
        assert client.finish(2).body == b"slow"
        client.begin(3).send(record(fcgi.ABORT, 3))  # before its params are whole
        client.finish(3)
        client.send(record(fcgi.ABORT, 4) + record(fcgi.STDIN, 4))  # of no request
        assert client.get("/app/count", 5).status == 200
    host.allow_log("wsgi|Traceback|File|OSError|Error|digest|while block")


@pytest.mark.parametrize("target, words", [("/app/stderr", "a word from the application"), ("/mp/log", "a word from the handler"),
                                           ("/app/raise", "KeyError: 'what the application raised'")])
def test_the_stderr_stream(host: Server, target: str, words: str) -> None:
    with fast(host) as client:
        reply = client.get(target)
        assert words in reply.err.decode()
        assert client.get("/app/count").err == b""
    host.expect_log(words)
    host.allow_log("wsgi|Traceback|File|KeyError|gateway_app")


def test_what_a_request_leaves_behind_says_nothing_to_the_next(server: Start) -> None:
    """Its locals go after it; a destructor among them may wait until another request has taken its place in memory."""
    host = server("""
Listen 127.0.0.1:@PORT@
Listen 127.0.0.1:@PORT2@ fastcgi
<Location />
    SetHandler mod_python
    PythonHandler leaves
    PythonPath "['@ROOT@/www'] + sys.path"
</Location>
""", {"www/leaves.py": """
import sys, time
import _coro
from mod_python import apache

begun = ended = False

class Left:
    def __del__(self):
        global ended
        while not begun:
            time.sleep(0.005)
        print("left behind", file=sys.stderr)
        ended = True

def handler(req):
    global begun
    if req.args:
        begun = True
        while not ended:
            time.sleep(0.005)
    else:
        _coro.current().locals["left"] = Left()
    return apache.OK
"""})
    with fast(host) as client:
        assert client.get("/").status == 200
        assert client.get("/?next").err == b""
    host.expect_log("left behind")


@pytest.mark.parametrize("name, data, log", [
    ("version", record(fcgi.BEGIN, 1, bytes(8), version=2), "not of version 1"),
    ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not of version 1"),
    ("short begin", record(fcgi.BEGIN, 1, b"\0"), "cut short"),
    ("begin twice", record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0") * 2, "there already"),
    ("stdin before params", record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0") + record(fcgi.STDIN, 1, b"x"), "out of place"),
    ("stdout from the client", record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0") + record(fcgi.STDOUT, 1, b"x"), "out of place"),
    ("unknown type", record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0") + record(99, 1, b"x"), "out of place"),
    ("end of nothing", record(fcgi.END, 5, bytes(8)), "out of place"),
    ("bad values", record(fcgi.GET_VALUES, 0, b"\x7f"), "out of place"),
])
def test_bad_records_get_a_clean_close_and_a_log_line(host: Server, name: str, data: bytes, log: str) -> None:
    with fast(host) as client:
        client.send(data)
        assert client.at_end()
    host.expect_log(log)
    with fast(host) as client:
        assert client.get("/app/count").status == 200


HOSTILE = {
    "PORT2": [record(fcgi.BEGIN, 1, bytes(8), version=2), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", record(fcgi.BEGIN, 1, b"\0"), record(fcgi.END, 5, bytes(8)),
              record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0") * 2, record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0") + record(fcgi.PARAMS, 1, b"\xff" * 70),
              record(fcgi.BEGIN, 1, b"\0\1\0\0\0\0\0\0") + record(fcgi.PARAMS, 1, b"\x7f\x7f") + record(fcgi.PARAMS, 1) + record(fcgi.STDIN, 1, b"x" * 65535),
              record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0") + record(fcgi.BEGIN, 2, b"\0\1\1\0\0\0\0\0") + record(fcgi.STDIN, 2, b"x"),
              record(fcgi.PARAMS, 7, b"x" * 60000, padding=255) + record(fcgi.STDIN, 0xffff), b"\1"],
    "PORT3": [b"GET / HTTP/1.1\r\n\r\n", b"99999999:", b"5:hello;", b"70:CONTENT_LENGTH\0", b"00:,", b"24:CONTENT_LENGTH\x000\x00SCGI\x002\x00,"],
    "PORT4": [b"GET / HTTP/1.1\r\n\r\n", b"\0\5\0\1", b"\0\x09\0\0\x09\0abc", b"\0\xff\xff\0" + b"\xff" * 65535, b"\0"],
}


@pytest.mark.parametrize("port", list(HOSTILE))
def test_hostile_and_truncated_bytes_leak_nothing(server: Start, port: str) -> None:
    host = server("LogLevel info\n" + CONF, {"www/gateway_app.py": APP})
    host.check_fds = False
    host.allow_log("wsgi|client|fastcgi|scgi|uwsgi|core")
    good = ask(host.address, target="/app/count").status
    before = open_files(host.pid)
    for _ in range(20):
        for data in HOSTILE[port]:
            with Client(("127.0.0.1", host.ports[port])) as client, contextlib.suppress(OSError, ProtocolError):  # it need not hear all of it
                client.send_slowly(data, 30000).half_close()
                client.read_rest()
    assert good == ask(host.address, target="/app/count").status == 200
    wait_until(lambda: not open_files(host.pid) - before, "everything is closed", 20)
    name = {"PORT2": "fastcgi", "PORT3": "scgi", "PORT4": "uwsgi"}[port]
    host.expect_log(rf"{name}:info.*the connection ended within a (record|head)")
    host.expect_log(rf"{name}:warn")


def test_params_that_are_no_request_are_answered_400(host: Server) -> None:
    cases = [b"\x05\x05ab", b"", fcgi.pairs({"REQUEST_METHOD": "GET", "REQUEST_URI": "/ HTTP/1.1\r\nX: y"}),
             fcgi.pairs({"REQUEST_METHOD": "GE T", "REQUEST_URI": "/"}), fcgi.pairs(variables(CONTENT_LENGTH="-1")),
             fcgi.pairs(variables(HTTP_X="a\nb")), fcgi.pairs(variables()) + fcgi.pairs({"REQUEST_METHOD": "POST"})]
    with fast(host) as client:
        for number, content in enumerate(cases, 1):
            client.begin(number)
            if content:
                client.send(record(fcgi.PARAMS, number, content))
            assert client.send(record(fcgi.PARAMS, number)).finish(number).status == 400, content
        assert client.get("/app/count", 99).status == 200


def test_params_beyond_the_limit_are_answered_431(host: Server) -> None:
    with fast(host) as client:
        client.begin(1)
        for _ in range(8):
            client.send(record(fcgi.PARAMS, 1, b"\x01\x01xy" * 16000))
            if select_readable(client):
                break
        assert client.finish(1).status == 431


def select_readable(client: FastCGI) -> bool:
    import select
    return bool(select.select([client.sock], [], [], 0.05)[0])


def test_a_body_cut_short_and_one_too_long(host: Server) -> None:
    with fast(host) as client:
        client.begin(1).params(1, variables("POST", "/app/digest", b"q" * 100)).stdin(1, b"q" * 10)
        client.finish(1)
        client.begin(2).params(2, variables("POST", "/app/digest", b"q" * 10)).stdin(2, b"q" * 100)
        assert client.finish(2).body.startswith(b"10 ")
        client.begin(3).params(3, variables("POST", "/app/limited", b"q" * 2000)).stdin(3, b"q" * 2000)
        assert client.finish(3).status == 413
        assert client.get("/app/count", 4).status == 200
    host.allow_log("wsgi|Traceback|File|OSError|Error|digest|while block|body")


def without_length(client: FastCGI, number: int, target: str, body: bytes, end: bool = True) -> FastCGI:
    client.begin(number).params(number, {**variables("POST", target), "CONTENT_LENGTH": ""})
    return client.stdin(number, body, end)


def test_a_body_without_a_length_ends_with_its_stream(host: Server) -> None:
    with fast(host) as client:
        for body in (b"", b"q", b"q" * 300000):
            assert without_length(client, 1, "/app/digest", body).finish(1).body.startswith(b"%d " % len(body))
            assert json.loads(without_length(client, 1, "/cgi", body).finish(1).body)["body"].encode() == body
        told = json.loads(without_length(client, 1, "/mp", b"mod_python").finish(1).body)
        assert told["body"] == "mod_python" and told["keys"]["length"] is None
        assert without_length(client, 2, "/app/limited", b"q" * 2000).finish(2).status == 413
        without_length(client, 3, "/app/digest", b"", end=False)  # the request waits: is there a body?
        assert client.get("/app/count", 4).status == 200
        client.send(record(fcgi.ABORT, 3))
        assert client.finish(3).out == b""
        without_length(client, 5, "/app/digest", b"half", end=False)
    with fast(host) as client:
        without_length(client, 1, "/app/digest", b"", end=False)
    with fast(host) as client:
        assert client.get("/app/count").status == 200
    host.expect_log("python:info.*the client has gone")
    host.allow_log("wsgi|body")


def test_a_client_that_leaves_in_the_middle(host: Server) -> None:
    for data in (b"", record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0")[:9], record(fcgi.BEGIN, 1, b"\0\1\1\0\0\0\0\0")):
        with fast(host) as client:
            client.send(data)
    with fast(host) as client:
        client.start(1, "/app/large?6553600")
        client.take()
    with fast(host) as client:
        client.start(1, "/app/slow?0.1")
    with fast(host) as client:
        assert client.get("/app/count").status == 200
    host.allow_log("wsgi|client|Broken")


def test_a_slow_reader_of_one_answer_does_not_cost_memory(host: Server) -> None:
    with fast(host) as client:
        client.start(1, f"/app/large?{65536 * 100}")
        reply = client.finish(1)
        assert len(reply.body) == 65536 * 100


def test_graceful_stop_lets_a_fastcgi_request_end(host: Server) -> None:
    with fast(host) as client, fast(host) as idle:
        assert idle.get("/app/count").status == 200
        client.start(1, "/app/slow?0.4")
        with fast(host) as other:
            other.get("/app/count")
        host.send_signal(signal.SIGQUIT)
        assert idle.at_end()
        assert client.finish(1).body == b"slow" and client.at_end()


# --- SCGI and uwsgi, raw ---

def talk(host: Server, port: str, data: bytes, slowly: int = 0) -> bytes:
    with Client(("127.0.0.1", host.ports[port])) as client:
        client.send_slowly(data, slowly) if slowly else client.send(data)
        return client.read_rest()


@pytest.mark.parametrize("slowly", [0, 1])
def test_scgi_and_uwsgi_byte_by_byte(host: Server, slowly: int) -> None:
    values = variables("POST", "/app/digest?x", b"hello")
    answer = talk(host, "PORT3", scgi_head(values) + b"hello", slowly)
    assert answer.startswith(b"Status: 200 OK\r\n") and b"\r\n\r\n5 2cf24dba" in answer
    answer = talk(host, "PORT4", uwsgi_head(values) + b"hello", slowly)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and b"2cf24dba" in answer


@pytest.mark.parametrize("port, data, log", [
    ("PORT3", b"GET / HTTP/1.1\r\n\r\n", "not a netstring"),
    ("PORT3", b"99999999:", "too long"),
    ("PORT3", b"5:hello;", "does not end in a comma"),
    ("PORT4", b"GET / HTTP/1.1\r\n\r\n", "modifier1 is not 0"),
    ("PORT4", b"\0\5\0\1", "modifier2 is not 0"),
    ("PORT4", b"\0\5\0\0\x09\0abc", "cut short"),
])
def test_bad_heads_are_answered_400_and_logged(host: Server, port: str, data: bytes, log: str) -> None:
    assert b" 400 " in talk(host, port, data)[:30] or b"Status: 400" in talk(host, port, data)[:30]
    host.expect_log(log)


# --- who starts us ---

@pytest.mark.skipif(not shutil.which("spawn-fcgi"), reason="spawn-fcgi is not installed")
def test_spawn_fcgi_starts_it(binary: Path, base_env: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "gateway_app.py").write_text(APP)
    (tmp_path / "pyhost.conf").write_text(f"""ServerRoot "{tmp_path}"
        ServerName localhost\nListen 127.0.0.1:{port} fastcgi\nPythonPath "['{tmp_path}'] + sys.path"\nErrorLog {tmp_path}/error.log
        PidFile {tmp_path}/pid\nPyWSGIAlias / gateway_app:application\n""")
    done = subprocess.run(["spawn-fcgi", "-a", "127.0.0.1", "-p", str(port), "-P", str(tmp_path / "spawned"), "--", str(binary), "-X", "-f",
                           str(tmp_path / "pyhost.conf")], env=base_env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    pid = int((tmp_path / "spawned").read_text())
    try:
        with FastCGI(("127.0.0.1", port)) as client:
            assert f"pid: {pid}" in client.get("/count").body.decode()
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not alive(pid), "ended")

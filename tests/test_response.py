"""What handlers write becomes well framed responses, what clients send becomes bodies, and both have bounds: the real binary, mod_python's req API."""
from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import ProtocolError, build_request
from support.server import Server, wait_until

Start = Callable[..., Server]
measures_memory = pytest.mark.skipif("PYHOST_SANITIZE" in os.environ, reason="sanitizers keep freed memory")

APP = '''
import hashlib, os, time
from mod_python import apache

released = set()
seen = []

def handler(req):
    req.content_type = "text/plain"
    return globals()["do_" + req.uri.rsplit("/", 1)[-1]](req)

def do_plain(req):
    req.write("plain text", 0)
    return apache.OK

def do_nothing(req):
    return apache.OK

def do_flushed(req):
    for word in ("one ", "two ", "three"):
        req.write(word)
        req.flush()
    return apache.OK

def do_args(req):
    req.write(req.args or "", 0)
    return apache.OK

def do_status(req):
    req.status = int(req.args)
    req.write("body of " + req.args, 0)
    return apache.OK

def do_status_flushed(req):
    req.status = int(req.args)
    req.write("body of " + req.args)
    req.write(" and more")
    return apache.OK

def do_line(req):
    req.status = 200
    req.status_line = "200 Quite alright"
    req.write("x", 0)
    return apache.OK

def do_return(req):
    return int(req.args)

def do_length(req):
    announced, written, flush = map(int, req.args.split(","))
    req.set_content_length(announced)
    for at in range(0, written, 1000):
        req.write(b"x" * min(1000, written - at), flush)
    return apache.OK

def do_length_field(req):
    req.headers_out["Content-Length"] = req.args
    req.write("12345", 0)
    return apache.OK

def do_header(req):
    name, value = req.args.split("=", 1)
    req.headers_out[name.encode().decode("unicode_escape")] = value.encode().decode("unicode_escape")
    req.write("answered", 0)
    return apache.OK

def do_late_header(req):
    req.write("first")
    req.headers_out["X-Late"] = "1"
    req.status = 404
    return apache.OK

def do_repeated(req):
    for value in ("a=1", "b=2"):
        req.headers_out.add("Set-Cookie", value)
    req.err_headers_out["X-Err"] = "1"
    req.write("x", 0)
    return apache.OK

def do_framing(req):
    req.headers_out["Transfer-Encoding"] = "gzip"
    req.headers_out["Connection"] = "keep-alive, X-Secret"
    req.headers_out["Keep-Alive"] = "timeout=900"
    req.write("framed", 0)
    return apache.OK

def do_close(req):
    req.headers_out["Connection"] = "close"
    req.write("bye", 0)
    return apache.OK

def do_fail(req):
    req.headers_out["X-Half"] = "1"
    req.write("half", 0)
    raise ValueError("as the test wants it")

def do_fail_late(req):
    req.write("half")
    raise ValueError("as the test wants it")

def do_sendfile(req):
    first, length = (int(n) for n in req.args.split(","))
    req.write("<", 0)
    sent = req.sendfile(os.path.join(os.path.dirname(__file__), "data.bin"), first, length)
    req.write(">%d" % sent, 0)
    return apache.OK

def do_big(req):
    """args: bytes, in pieces of 64 KiB."""
    piece = b"0123456789abcdef" * 4096
    for _ in range(int(req.args) // len(piece)):
        req.write(piece)
    seen.append("big done")
    return apache.OK

def do_big_once(req):
    req.write(BIG)
    seen.append("big_once done")
    return apache.OK

BIG = b"0123456789abcdef" * (32 << 16)

def do_big_lazy(req):
    for _ in range(512):
        req.write(BIG[:65536], 0)
    seen.append("big_lazy done")
    return apache.OK

def do_drops(req):
    for _ in range(int(req.args)):
        req.write(b"x")
        req.flush()
    return apache.OK

def do_seen(req):
    req.write(repr(seen), 0)
    return apache.OK

def do_wait(req):
    """Answers when /release has been called with the same args."""
    seen.append("waiting " + req.args)
    while req.args not in released and not os.path.exists(os.path.join(os.path.dirname(__file__), "release-all")):
        time.sleep(0.005)
    req.write("waited " + req.args, 0)
    return apache.OK

def do_release(req):
    released.add(req.args)
    req.write("released", 0)
    return apache.OK

def do_upload(req):
    digest, total = hashlib.sha256(), 0
    while data := req.read(65536):
        digest.update(data)
        total += len(data)
    req.write("%d %s" % (total, digest.hexdigest()), 0)
    return apache.OK

def do_upload_held(req):
    """Reads only after /release."""
    while "upload" not in released:
        time.sleep(0.005)
    return do_upload(req)

def do_upload_half(req):
    req.write("read %d" % len(req.read(int(req.args))), 0)
    return apache.OK

def do_upload_late(req):
    seen.append("before")
    body = req.read()
    req.write(b"got " + body, 0)
    return apache.OK

def do_broken(req):
    try:
        req.read()
    except Exception as exc:
        seen.append("broken: " + type(exc).__name__)
        raise
    seen.append("broken: whole")
    return apache.OK

def do_forever(req):
    try:
        while True:
            req.write(b"x" * 65536)
    except OSError as exc:
        seen.append("forever: " + str(exc))
        return apache.OK
'''
CONF = """
MaxKeepAliveRequests 0
KeepAliveTimeout 30
LimitRequestBody 0
<Directory "@ROOT@/www">
    Require all granted
</Directory>
<Directory "@ROOT@/www/app">
    SetHandler mod_python
    PythonHandler app
</Directory>
"""
FILES: dict[str, str | bytes] = {"www/app/app.py": APP, "www/app/data.bin": bytes(range(256)) * 1000, "www/static.txt": "static"}


@pytest.fixture(scope="module")
def module_host(module_server: Callable[..., Server]) -> Server:
    host = module_server(CONF, FILES)
    assert host.get("/app/plain").status == 200  # the module is loaded, its interpreter has what it keeps
    host.files_before = {}
    host.settled()
    return host


@pytest.fixture
def host(module_host: Server) -> Iterator[Server]:
    with module_host.checked():
        yield module_host


def wait_seen(host: Server, word: str) -> str:
    """Wait until a handler has said `word`."""
    return str(wait_until(lambda: word in (said := host.get("/app/seen").text) and said, f"{word!r} seen"))


def rss_bytes(pid: int) -> int:
    match = re.search(r"Rss(?:Anon):\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match
    return int(match[1]) * 1024


# framing of responses


def test_a_body_that_was_not_flushed_has_its_length(host: Server) -> None:
    answer = host.get("/app/plain")
    assert (answer.status, answer.body, answer.header("Content-Length"), answer.chunked) == (200, b"plain text", "10", False)
    answer = host.get("/app/nothing")
    assert (answer.status, answer.body, answer.header("Content-Length")) == (200, b"", "0")


def test_flushed_bodies_are_chunked_for_1_1_and_end_with_the_connection_for_1_0(host: Server) -> None:
    with host.client() as client:
        for _ in range(3):
            answer = client.request("GET", "/app/flushed")
            assert (answer.body, answer.chunked) == (b"one two three", True)
    with host.client() as client:
        answer = client.request("GET", "/app/flushed", {"Connection": "keep-alive"}, version="HTTP/1.0")
        assert (answer.body, answer.until_close) == (b"one two three", True)


def test_1_0_with_a_length_may_stay(host: Server) -> None:
    with host.client() as client:
        for _ in range(2):
            answer = client.request("GET", "/app/plain", {"Connection": "keep-alive"}, version="HTTP/1.0")
            assert answer.body == b"plain text" and answer.header("Connection") == "keep-alive"
        assert client.request("GET", "/app/plain", version="HTTP/1.0").closes
        client.expect_close()


@pytest.mark.parametrize("path", ["plain", "nothing", "flushed", "big?1000000", "length?10,10,0", "length?10,10,1", "sendfile?0,1000", "static"])
def test_head_has_no_body_and_the_next_response_is_whole(host: Server, path: str) -> None:
    target = "/static.txt" if path == "static" else f"/app/{path}"
    with host.client() as client:
        head = client.request("HEAD", target)
        get = client.request("GET", target)
        assert head.status == get.status == 200 and client.request("GET", "/app/plain").body == b"plain text"
        # a handler may write nothing for HEAD, so its silence says nothing of the length
        assert head.header("Content-Length") in (get.header("Content-Length"), None)
        assert head.header("Content-Length") or path in ("nothing", "flushed") or get.chunked


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("handler", ["status", "status_flushed"])
def test_no_body_where_there_is_none(host: Server, status: int, handler: str) -> None:
    with host.client() as client:
        for method in ("GET", "HEAD", "POST"):
            answer = client.request(method, f"/app/{handler}?{status}")
            assert answer.status == status and not answer.all("Transfer-Encoding") and not answer.all("Content-Type")
            assert client.request("GET", "/app/plain").body == b"plain text"


def test_other_statuses(host: Server) -> None:
    with host.client() as client:
        for status in (200, 201, 206, 226, 299, 400, 404, 418, 500, 503, 599):
            answer = client.request("GET", f"/app/status?{status}")
            assert (answer.status, answer.body) == (status, f"body of {status}".encode())
        answer = client.request("GET", "/app/line")
        assert (answer.status, answer.reason) == (200, "Quite alright")


@pytest.mark.parametrize("handler", ["status", "status_flushed"])
def test_reset_content_is_framed_and_empty(host: Server, handler: str) -> None:
    with host.client() as client:
        for method in ("GET", "HEAD", "POST"):
            answer = client.request(method, f"/app/{handler}?205")
            assert (answer.status, answer.body, answer.all("Content-Length")) == (205, b"", ["0"])
            assert not answer.all("Transfer-Encoding") and not answer.all("Content-Type") and not answer.closes
            assert client.request("GET", "/app/plain").body == b"plain text"


@pytest.mark.parametrize("status", [0, 99, 1000, -5, 100, 101, 199])
def test_a_status_that_cannot_end_a_response_is_500(host: Server, status: int) -> None:
    with host.client() as client:
        answer = client.request("GET", f"/app/status?{status}")
        assert answer.status == 500
    host.expect_log(rf"status {status} cannot be sent")


def test_returned_statuses_have_the_built_in_page(host: Server) -> None:
    for status in (403, 404, 409, 503):
        answer = host.get(f"/app/return?{status}")
        assert answer.status == status and f"<title>{status} " in answer.text


def test_too_much_body_is_cut_at_the_announced_length(host: Server) -> None:
    with host.client() as client:
        for flush in (0, 1):
            assert client.request("GET", f"/app/length?1500,4000,{flush}").body == b"x" * 1500
        assert client.request("GET", "/app/plain").body == b"plain text"
    host.expect_log(r"wrote 4000 bytes, its Content-Length is 1500")


@pytest.mark.parametrize("flush", [0, 1])
def test_too_little_body_closes_the_connection(host: Server, flush: int) -> None:
    with host.client() as client:
        client.send(build_request(target=f"/app/length?5000,4000,{flush}") + build_request(target="/app/plain"))
        head = client.read_head()
        assert head.header("Content-Length") == "5000"
        rest = client.read_rest()
        assert rest == b"x" * 4000
    host.expect_log(r"wrote 4000 bytes, its Content-Length is 5000")


def test_a_length_that_is_no_number_is_left_out(host: Server) -> None:
    for value in ("five", "-5", "5x", "+5", "0x5"):
        answer = host.get(f"/app/length_field?{value}")
        assert (answer.status, answer.body) == (200, b"12345"), value
    assert host.get("/app/length_field?3").body == b"123"
    host.expect_log("wrote 5 bytes, its Content-Length is 3")


@pytest.mark.parametrize("field", ["X-A=1\\r\\nX-Evil:1", "X-A=1\\nX-Evil:1", "X-A=1\\rX-Evil", "X-A=nul\\x00", "X\\x20A=1", "X:A=1", "=1", "X\\r\\nY=1", "Sp\\xe9=1"])
def test_headers_that_must_not_go_out_are_500(host: Server, field: str) -> None:
    with host.client() as client:
        answer = client.request("GET", f"/app/header?{field}")
        assert answer.status == 500 and not answer.all("X-Evil") and b"answered" not in answer.body
    host.allow_log("header that must not be sent|Traceback|ValueError|TypeError|^ |PythonHandler")


def test_headers_as_they_were_set(host: Server) -> None:
    assert host.get("/app/header?X-Odd=caf\\xe9\\ttab").header("X-Odd") == "caf\xe9\ttab"
    answer = host.get("/app/repeated")
    assert answer.all("Set-Cookie") == ["a=1", "b=2"] and answer.header("X-Err") == "1"
    answer = host.get("/app/late_header")
    assert answer.status == 200 and not answer.all("X-Late")


def test_framing_is_the_servers_business(host: Server) -> None:
    with host.client() as client:
        answer = client.request("GET", "/app/framing")
        assert answer.body == b"framed" and not answer.all("Transfer-Encoding") and not answer.all("Keep-Alive")
        assert client.request("GET", "/app/plain").body == b"plain text"
        assert client.request("GET", "/app/close").closes
        client.expect_close()


def test_close_always_wins(host: Server) -> None:
    for value in ("close", "keep-alive, close", "Close", "x, close , y"):
        with host.client() as client:
            assert client.request("GET", "/app/plain", {"Connection": value}).closes
            client.expect_close()


def test_an_exception_before_the_head_is_a_whole_500(host: Server) -> None:
    with host.client() as client:
        answer = client.request("GET", "/app/fail")
        assert answer.status == 500 and b"half" not in answer.body and not answer.all("X-Half")
        assert client.request("GET", "/app/plain").body == b"plain text"
    host.expect_log("as the test wants it")
    host.allow_log("Traceback|^ |PythonHandler|File |raise |handler")


def test_an_exception_in_the_middle_never_looks_like_the_end(host: Server) -> None:
    for version in ("HTTP/1.1", "HTTP/1.0"):
        with host.client() as client:
            client.send(build_request(target="/app/fail_late", version=version) + build_request(target="/app/plain"))
            client.read_head()
            rest = client.read_rest()
            assert rest.startswith(b"4\r\nhalf\r\n" if version == "HTTP/1.1" else b"half")
            assert b"0\r\n\r\n" not in rest and b"HTTP/1.1" not in rest
    host.allow_log(".")


def test_sendfile(host: Server) -> None:
    data = bytes(FILES["www/app/data.bin"])  # type: ignore[arg-type]
    with host.client() as client:
        for first, length in [(0, -1), (0, 100), (1000, 50_000), (len(data) - 10, -1), (5, 0)]:
            want = data[first:] if length < 0 else data[first:first + length]
            answer = client.request("GET", f"/app/sendfile?{first},{length}")
            assert answer.body == b"<" + want + b">%d" % len(want)
        answer = client.request("HEAD", "/app/sendfile?0,-1")
        assert client.request("GET", "/app/plain").body == b"plain text"


# order


def test_pipelined_responses_come_in_order(host: Server) -> None:
    with host.client() as client:
        client.send(b"".join(build_request(target=f"/app/args?{i}") if i % 3 else build_request(target="/static.txt") for i in range(60)))
        for i in range(60):
            assert client.read_response().body == (str(i).encode() if i % 3 else b"static")


def test_a_pipelined_request_waits_for_the_one_before(host: Server) -> None:
    with host.client() as client:
        client.send(build_request(target="/app/wait?order") + build_request(target="/app/args?second") + build_request(target="/app/args?third"))
        wait_seen(host, "waiting order")
        host.get("/app/release?order")
        assert [client.read_response().text for _ in range(3)] == ["waited order", "second", "third"]


def test_pipelined_bodies(host: Server) -> None:
    with host.client() as client:
        for _ in range(3):
            client.send(build_request("POST", "/app/upload", body=b"a" * 1000) + build_request("POST", "/app/plain", body=b"unread")
                        + build_request("POST", "/app/upload", {"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n0\r\n\r\n"))
        for _ in range(3):
            assert client.read_response().text.startswith("1000 ")
            assert client.read_response().text == "plain text"
            assert client.read_response().text.startswith("3 ")


def test_nothing_is_answered_behind_a_close(host: Server) -> None:
    with host.client() as client:
        client.send(build_request(target="/app/plain", headers={"Connection": "close"}) + build_request(target="/app/plain"))
        assert client.read_response().closes
        client.expect_close()
    with host.client() as client:
        client.send(build_request(target="/app/close") + build_request(target="/app/plain"))
        assert client.read_response().body == b"bye"
        client.expect_close()


def test_a_client_that_has_said_its_last_word_gets_its_answers(host: Server) -> None:
    with host.client() as client:
        client.send(build_request(target="/app/plain") + build_request(target="/app/flushed")).half_close()
        assert client.read_response().body == b"plain text"
        assert client.read_response().body == b"one two three"
        client.expect_close()


# slow readers


def slow_reader(host: Server, target: str) -> socket.socket:
    """A client with a small window that has asked and does not read."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(30)
    sock.connect(("127.0.0.1", host.port))
    sock.sendall(build_request(target=target))
    return sock


@measures_memory
@pytest.mark.parametrize("handler", ["big?33554432", "big_once", "big_lazy"])
def test_slow_readers_cost_no_memory(server: Start, handler: str) -> None:
    host = server(CONF, FILES)
    warm = slow_reader(host, f"/app/{handler}")
    warm.recv(1000)
    before = rss_bytes(host.pid)
    readers = [slow_reader(host, f"/app/{handler}") for _ in range(20)]
    for sock in readers:
        assert sock.recv(1000)
    assert host.get("/static.txt").body == b"static"
    growth = (rss_bytes(host.pid) - before) / 20
    for sock in [warm, *readers]:
        sock.close()
    print(f"{handler}: {growth / 1024:.0f} KiB for each slow reader")
    assert growth <= 128 << 10, f"{growth / 1024:.0f} KiB for each slow reader"
    host.allow_log("client closed connection|Traceback|^ |PythonHandler|OSError")


@measures_memory
def test_many_small_writes_cost_no_memory(host: Server) -> None:
    with host.client() as client:
        client.request("GET", "/app/drops?1000")
        before = rss_bytes(host.pid)
        client.send(build_request(target="/app/drops?100000"))
        client.read_head()
        received, end = 0, b""
        while not end.endswith(b"\r\n0\r\n\r\n"):
            data = client.received or client.sock.recv(1 << 16)
            client.received = b""
            received += len(data)
            end = (end + data)[-16:]
        assert received == 100_000 * len(b"1\r\nx\r\n") + len(b"0\r\n\r\n")
        assert rss_bytes(host.pid) - before < 1 << 20


def test_a_slow_reader_gets_every_byte(host: Server) -> None:
    size = 32 << 20
    with host.client() as client:
        client.send(build_request(target="/app/big_once"))
        head = client.read_head()
        assert head.header("Transfer-Encoding") == "chunked" or head.header("Content-Length") == str(size)
        client.read_body(head, False)
        assert len(head.body) == size and head.body[:16] == head.body[-16:] == b"0123456789abcdef"
        assert client.request("GET", "/app/plain").body == b"plain text"


def test_a_writer_waits_for_its_reader(server: Start) -> None:
    host = server(CONF, FILES)
    sock = slow_reader(host, "/app/big?33554432")
    sock.recv(1000)
    assert "big done" not in host.get("/app/seen").text
    while sock.recv(1 << 20):
        if "big done" in host.get("/app/seen").text:
            break
    sock.close()


def test_a_reader_that_leaves_ends_the_handler(host: Server) -> None:
    client = host.client()
    client.send(build_request(target="/app/forever"))
    client.read_head()
    client.reset()
    assert "client closed connection" in wait_seen(host, "forever: ")


# request bodies


def test_bodies_by_length_and_chunked(host: Server) -> None:
    with host.client() as client:
        for size in (0, 1, 65535, 65536, 65537, 1_000_000):
            body = os.urandom(size)
            by_length = client.request("POST", "/app/upload", body=body).text
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for at in range(0, size, 7000) if (part := body[at:at + 7000]))
            chunked = client.request("POST", "/app/upload", {"Transfer-Encoding": "chunked"}, chunks + b"0\r\n\r\n").text
            assert by_length == chunked and by_length.startswith(f"{size} "), size


def test_body_in_single_bytes(host: Server) -> None:
    with host.client() as client:
        client.send(b"POST /app/upload_late HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n").send_slowly(b"x" * 20)
        assert client.read_response().body == b"got " + b"x" * 20


def test_continue_is_sent_when_the_handler_first_reads(host: Server) -> None:
    head = b"POST /app/%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    with host.client() as client:
        for _ in range(2):
            client.send(head % b"upload_late")
            interim = client.read_head()
            assert (interim.status, interim.headers) == (100, [])
            client.send(b"12345")
            answer = client.read_response()
            assert answer.body == b"got 12345" and not answer.interim


def test_no_continue_where_the_handler_does_not_read(host: Server) -> None:
    for target in (b"/app/plain", b"/app/return?403", b"/static.txt"):
        with host.client() as client:
            client.send(b"POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n" % target)
            answer = client.read_response()
            assert not answer.interim and answer.closes
            client.send(b"12345")
            client.expect_close()


def test_no_continue_for_1_0_or_when_the_body_is_here(host: Server) -> None:
    with host.client() as client:
        client.send(b"POST /app/upload_late HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n12345")
        assert not client.read_response().interim
    with host.client() as client:
        client.send(b"POST /app/upload_late HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n12345")
        assert client.read_response().body == b"got 12345"


def test_unknown_expectation_is_417(host: Server) -> None:
    assert host.request("POST", "/app/upload", {"Expect": "200-maybe"}, b"x").status == 417


@measures_memory
def test_a_large_upload_to_a_slow_handler_stays_out_of_memory(server: Start) -> None:
    host = server(CONF, FILES)
    host.get("/app/plain")
    before = rss_bytes(host.pid)
    size, sent = 64 << 20, 0
    piece = bytes(1 << 20)
    with host.client() as client:
        client.send(b"POST /app/upload_held HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        client.sock.settimeout(0.5)
        try:
            while sent < size:
                sent += client.sock.send(piece[:size - sent])
        except TimeoutError:
            pass
        assert sent < size, "everything was taken while nobody read"
        assert rss_bytes(host.pid) - before < 4 << 20
        client.sock.settimeout(15)
        host.get("/app/release?upload")
        while sent < size:
            sent += client.sock.send(piece[:size - sent])
        assert client.read_response().text.startswith(f"{size} ")
        assert rss_bytes(host.pid) - before < 4 << 20


def test_an_upload_that_breaks_off_is_an_error(host: Server) -> None:
    for framing in (b"Content-Length: 100\r\n\r\nonly", b"Transfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n", b"Transfer-Encoding: chunked\r\n\r\n64\r\nonly"):
        client = host.client()
        client.send(b"POST /app/broken HTTP/1.1\r\nHost: x\r\n" + framing).half_close()
        assert b"200 OK" not in client.read_rest()
    assert "whole" not in host.get("/app/seen").text and host.get("/app/seen").text.count("broken: ") == 3
    host.allow_log("Client read error|Traceback|^ |PythonHandler|ConnectionResetError|body")


def test_a_small_rest_of_a_body_is_read_away_and_a_large_one_closes(host: Server) -> None:
    with host.client() as client:
        for _ in range(2):
            assert client.request("POST", "/app/upload_half?10", body=b"x" * 100_000).text == "read 10"
            assert client.request("POST", "/app/plain", body=b"x" * 100_000).text == "plain text"
    with host.client() as client:
        client.send(b"POST /app/plain HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        answer = client.read_response()
        assert answer.text == "plain text"


def test_a_client_that_goes_on_sending_still_sees_the_answer(server: Start) -> None:
    host = server(CONF.replace("LimitRequestBody 0", "LimitRequestBody 1000"), FILES)
    with host.client() as client:
        client.send(b"POST /app/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        stop = threading.Event()

        def push() -> None:
            try:
                while not stop.is_set():
                    client.sock.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
            except OSError:
                pass

        thread = threading.Thread(target=push)
        thread.start()
        try:
            answer = client.read_response()
        finally:
            stop.set()
            thread.join()
        assert answer.status == 413 and answer.closes
    host.expect_log("LimitRequestBody")
    host.allow_log("413|SERVER_RETURN|Traceback")


# limits and times: each has a directive, an answer and a log line


@pytest.mark.parametrize(("conf", "raw", "status", "directive"), [
    ("LimitRequestLine 100", b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "LimitRequestLine"),
    ("LimitRequestFields 3", b"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", 431, "LimitRequestFields"),
    ("LimitRequestFieldSize 100", b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 200 + b"\r\n\r\n", 431, "LimitRequestFieldSize"),
    ("LimitRequestBody 10", b"POST /app/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413, "LimitRequestBody"),
    ("LimitRequestBody 10", b"POST /app/upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n", 413, "LimitRequestBody"),
    ("RequestReadTimeout header=1 body=1", b"GET / HTTP/1.1\r\nHo", 408, "RequestReadTimeout"),
    ("RequestReadTimeout header=1 body=1", b"POST /app/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", 408, "RequestReadTimeout"),
])
def test_a_limit_answers_names_its_directive_and_closes(server: Start, conf: str, raw: bytes, status: int, directive: str) -> None:
    host = server(CONF.replace("LimitRequestBody 0", "") + conf, FILES)
    with host.client() as client:
        answer = client.send(raw).read_response()
        assert answer.status == status and answer.closes and "<h1>" in answer.text
        client.expect_close()
    host.expect_log(rf"\b{directive}\b")
    host.allow_log("Traceback|^ |TimeoutError|PythonHandler|SERVER_RETURN")
    assert f'" {status} ' in wait_until(lambda: host.access_log, "the access line")
    assert host.get("/static.txt").body == b"static"


def test_at_the_limits(server: Start) -> None:
    line = b"GET /app/args?%s HTTP/1.1" % (b"a" * 75)
    host = server(CONF.replace("LimitRequestBody 0", f"LimitRequestBody 10\nLimitRequestLine {len(line)}\nLimitRequestFields 3\nLimitRequestFieldSize 64"), FILES)
    with host.client() as client:
        client.send(line + b"\r\nHost: x\r\nA: 1\r\nB:" + b"b" * 62 + b"\r\n\r\n")
        assert client.read_response().body == b"a" * 75
        assert client.request("POST", "/app/upload", body=b"x" * 10).text.startswith("10 ")


def test_a_head_that_comes_slowly_but_steadily_is_served(server: Start) -> None:
    host = server(CONF + "RequestReadTimeout header=1-20,MinRate=50", FILES)
    head = b"GET /static.txt HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 300 + b"\r\n\r\n"
    with host.client() as client:
        begun = time.monotonic()
        for at in range(0, len(head), 20):
            client.send(head[at:at + 20])
            threading.Event().wait(0.1)
        assert time.monotonic() - begun > 1.5 and client.read_response().body == b"static"


def test_idle_connections_close_in_silence(server: Start) -> None:
    host = server(CONF.replace("KeepAliveTimeout 30", "KeepAliveTimeout 1"), FILES)
    with host.client() as client:
        assert not client.request("GET", "/static.txt").closes
        begun = time.monotonic()
        client.expect_close()
        assert 0.5 < time.monotonic() - begun < 5
    assert host.access_log.count("\n") == 1


def test_requests_on_one_connection_are_counted(server: Start) -> None:
    host = server(CONF.replace("MaxKeepAliveRequests 0", "MaxKeepAliveRequests 3"), FILES)
    with host.client() as client:
        assert [client.request("GET", "/static.txt").closes for _ in range(3)] == [False, False, True]
        client.expect_close()
    host = server(CONF + "KeepAlive Off", FILES)
    with host.client() as client:
        assert client.request("GET", "/static.txt").closes
        client.expect_close()


def test_a_reader_that_stops_is_cut_off(server: Start) -> None:
    host = server(CONF + "Timeout 1", FILES)
    sock = slow_reader(host, "/app/big?33554432")
    sock.recv(1000)
    host.expect_log(r"\bTimeout\b", 15.0)
    sock.close()
    host.allow_log("client closed connection|Traceback|^ |PythonHandler|OSError")


def test_a_slow_reader_that_goes_on_is_not_cut_off(server: Start) -> None:
    """The kernel tells of room in steps of a third of its buffer: a slow reader takes longer than Timeout for one."""
    host = server(CONF + "Timeout 1", {**FILES, "www/big.bin": bytes(16 << 20)})
    sock = slow_reader(host, "/big.bin")
    begun = time.monotonic()
    while time.monotonic() - begun < 3.5:
        assert sock.recv(4096), "cut off although it reads"
        threading.Event().wait(0.02)
    sock.close()


def test_requests_in_flight_are_bounded(server: Start) -> None:
    host = server(CONF + "PyMaxRequestsInFlight 2", FILES)
    waiting = [host.client().send(build_request(target=f"/app/wait?{i}")) for i in range(2)]
    answer = wait_until(lambda: (a := host.get("/static.txt")).status == 503 and a, "503")
    assert answer.header("Retry-After") and answer.closes
    host.expect_log(r"PyMaxRequestsInFlight")
    host.write("www/app/release-all", "")
    assert [client.read_response().status for client in waiting] == [200, 200]
    assert host.get("/static.txt").status == 200


def test_connections_are_bounded(server: Start) -> None:
    host = server(CONF + "PyMaxConnections 3", FILES)
    clients = [host.client() for _ in range(3)]
    for client in clients:
        assert client.request("GET", "/static.txt").status == 200
    extra = host.client()
    extra.send(build_request(target="/static.txt"))
    host.expect_log(r"PyMaxConnections")
    clients[0].close()
    try:
        assert extra.read_response().status in (200, 503)
    except (ProtocolError, ConnectionResetError):
        pass
    extra.close()
    assert wait_until(lambda: host.get("/static.txt").status == 200, "a free place")

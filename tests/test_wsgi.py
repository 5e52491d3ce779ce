"""WSGI (PEP 3333): the environ, start_response, bodies, files, input, where applications are mounted and how they are loaded."""
from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.client import ProtocolError, build_request
from support.server import Server, open_files, wait_until

RULES = (Path(__file__).parent / "apps" / "wsgi_rules.py").read_text()
DATA = bytes(range(256)) * 1000
FAULTS = r"wsgi:error|Traceback|on purpose|python:"


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    conf = 'PyWSGIAlias /w "@ROOT@/app/rules.py"\n<Location /w>\n    PyOutputBuffer 65536\n</Location>\n'
    return module_server(conf, {"app/rules.py": RULES, "app/data.bin": DATA}, check_fds=False)


@pytest.fixture
def host(shared: Server) -> Iterator[Server]:
    with shared.checked():
        yield shared
        assert shared.get("/w/hello").body == b"hello"


def closed(host: Server, name: str) -> None:
    names: list[str] = []
    wait_until(lambda: names.extend(host.get("/w/closed").text.split(",")) or name in names, f"{name} is closed")
    assert names.count(name) == 1


# the environ


def test_environ_has_what_pep_3333_asks_for(host: Server) -> None:
    seen = json.loads(host.request("POST", "/w/environ/a%20b/%C3%A9?q=1&r", {"Host": "example.org:81", "Content-Type": "text/x", "X-Two": "2"}, b"body").text)
    assert seen["REQUEST_METHOD"] == "POST" and seen["SERVER_PROTOCOL"] == "HTTP/1.1" and seen["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/w", "/environ/a b/\xc3\xa9", "q=1&r")
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"], seen["HTTP_HOST"]) == ("example.org", "81", "example.org:81")
    assert (seen["CONTENT_TYPE"], seen["CONTENT_LENGTH"], seen["HTTP_X_TWO"]) == ("text/x", "4", "2")
    assert seen["REMOTE_ADDR"] == "127.0.0.1" and seen["REMOTE_PORT"].isdigit() and "HTTP_CONTENT_TYPE" not in seen
    assert seen["REQUEST_URI"] == "/w/environ/a%20b/%C3%A9?q=1&r" and seen["SERVER_SOFTWARE"].startswith("pyhost")
    assert seen["wsgi.version"] == [1, 0] and seen["wsgi.url_scheme"] == "http" and "HTTPS" not in seen
    assert "wsgi.input_terminated" not in seen and "wsgi.file_wrapper" in seen and "pyhost.client_gone" in seen
    with host.client() as client:
        client.send(build_request("POST", "/w/environ", {"Transfer-Encoding": "chunked"}) + b"4\r\nbody\r\n0\r\n\r\n")
        chunked = json.loads(client.read_response().text)
    assert chunked["wsgi.input_terminated"] is True and "CONTENT_LENGTH" not in chunked
    assert json.loads(host.get("/w/environ").text)["wsgi.input_terminated"] is True


def test_environ_is_a_dict_of_native_strings(host: Server) -> None:
    assert host.get("/w/types").text == "(1, 0) http False True False"


def test_two_requests_do_not_share_an_environ(host: Server) -> None:
    with host.client() as client:
        assert client.request("GET", "/w/types").status == 200
        assert '"mine"' not in client.request("GET", "/w/environ").text


TOGETHER = """
from pyhost import coro

inside, all_in = [], coro.Event()

def application(environ, start):
    before = {**environ}
    inside.append(environ)
    if len(inside) == 5:
        all_in.set()
    all_in.wait(60)
    coro.sleep(0.001)
    assert environ == before
    inside.remove(environ)
    if not inside:
        all_in.clear()
    start("200 OK", [("Content-Type", "text/plain")])
    names = "PATH_INFO", "QUERY_STRING", "HTTP_X_NAME", "HTTP_X_OTHER", "REMOTE_PORT"
    return [" ".join(map(str, (id(environ), id(start), *map(environ.get, names)))).encode()]
"""


def test_requests_under_way_together_have_environs_of_their_own(server: Callable[..., Server]) -> None:
    host = server('PyWSGIAlias / "@ROOT@/app.py"', {"app.py": TOGETHER})
    with ExitStack() as stack:
        clients = [stack.enter_context(host.client()) for _ in range(5)]

        def round_of(header: str, number: int) -> list[list[str]]:
            for n, client in enumerate(clients):
                client.send(build_request(target=f"/p{n}?{number}", headers={header: f"v{n}{number}"}))
            return [client.read_response().text.split() for client in clients]

        rounds = [round_of("X-Other" if number == 2 else "X-Name", number) for number in range(5)]
    for number, answers in enumerate(rounds):
        for n, (path, query, name, other, port) in enumerate(answer[2:] for answer in answers):
            value = f"v{n}{number}"
            assert (path, query, name, other) == (f"/p{n}", str(number), *(("None", value) if number == 2 else (value, "None"))) and port.isdigit()
        assert len({answer[0] for answer in answers}) == len({answer[1] for answer in answers}) == 5
    served = [{answer[0] for answer in answers} for answers in rounds]
    assert served[0] == served[1] and served[3] == served[4]  # they serve again


def test_multiprocess_is_told_where_there_are_several(server: Callable[..., Server]) -> None:
    host = server('PyWSGIAlias / "@ROOT@/rules.py"', {"rules.py": RULES}, workers=2)
    assert host.get("/types").text.endswith("True True")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MKCOL", "BREW"])
def test_methods_reach_the_application(host: Server, method: str) -> None:
    answer = host.request(method, "/w/environ", body=b"" if method in ("POST", "PUT", "PATCH") else None)
    assert answer.status == 200
    assert method == "HEAD" or json.loads(answer.text)["REQUEST_METHOD"] == method


def test_wsgiref_validate_finds_nothing(server: Callable[..., Server]) -> None:
    app = '''
from wsgiref.validate import validator
@validator
def application(environ, start):
    stream = environ["wsgi.input"]
    body = stream.read(3) + stream.readline() + b"".join(stream) if environ["REQUEST_METHOD"] == "POST" else b"hello"
    environ["wsgi.errors"].write("")
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return iter([body])
'''
    host = server('PyWSGIAlias / "@ROOT@/checked.py"\nPyWSGIAlias /below "@ROOT@/checked.py"', {"checked.py": app})
    assert host.get("/").body == b"hello" and host.get("/below/x?y").body == b"hello" and host.get("/below").body == b"hello"
    assert host.request("POST", "/", body=b"one\ntwo\nthree").body == b"one\ntwo\nthree"
    assert host.request("HEAD", "/").status == 200
    with host.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n")
        assert client.read_response().body == b"one two"


# start_response


def test_start_response_twice_is_an_error(host: Server) -> None:
    host.allow_log(FAULTS)
    assert host.get("/w/twice").status == 500
    host.expect_log("twice without exc_info")


def test_exc_info_before_the_head_replaces_it(host: Server) -> None:
    answer = host.get("/w/exc_info_before")
    assert (answer.status, answer.reason, answer.body) == (503, "Replaced", b"replaced")
    assert answer.header("X-Second") == "2" and not answer.all("X-First")


def test_exc_info_after_the_head_raises_and_cuts(host: Server) -> None:
    host.allow_log(FAULTS)
    with pytest.raises(ProtocolError):
        host.get("/w/exc_info_after")
    host.expect_log("on purpose after the head")


def test_exc_info_by_keyword(host: Server) -> None:
    assert host.get("/w/exc_info_keyword").status == 201


def test_start_response_that_never_comes(host: Server) -> None:
    host.allow_log(FAULTS)
    assert [host.get(f"/w/{path}").status for path in ("never", "before_start")] == [500, 500]
    host.expect_log("before it called start_response")


def test_start_response_may_come_with_the_first_chunk(host: Server) -> None:
    assert host.get("/w/late").body == b"late"


def test_a_refused_start_response_leaves_nothing_behind(host: Server) -> None:
    answer = host.get("/w/retry")
    assert answer.body == b"retried" and not answer.all("X-Old")


@pytest.mark.parametrize("how", ["status_bytes", "status_int", "status_short", "status_newline", "status_snowman", "headers_tuple", "headers_dict",
                                 "header_list", "header_three", "name_bytes", "value_bytes", "value_int", "value_none", "value_snowman", "name_space",
                                 "name_empty", "hop", "length_word", "length_negative", "none", "one_argument", "four_arguments", "exc_info_word"])
def test_wrong_arguments_of_start_response_are_a_500_and_a_line(host: Server, how: str) -> None:
    before = len(host.error_log)
    host.allow_log(FAULTS)
    with host.client() as client:
        answer = client.request("GET", f"/w/bad_start?how={how}")
        assert answer.status == 500 and b"never" not in answer.body
        assert client.request("GET", "/w/hello").body == b"hello"
    assert "the application raised" in host.error_log[before:]


@pytest.mark.parametrize("line,status,reason", [("204 No Content", 204, "No Content"), ("304 Not Modified", 304, "Not Modified"),
                                                ("299 Mine", 299, "Mine"), ("404 Not Found", 404, "Not Found"), ("599 X", 599, "X"),
                                                ("205 Reset Content", 205, "Reset Content")])
@pytest.mark.parametrize("length", ["", "&length=4"])
def test_status_lines(host: Server, line: str, status: int, reason: str, length: str) -> None:
    with host.client() as client:
        answer = client.request("GET", f"/w/status?line={line.replace(' ', '%20')}{length}")
        assert (answer.status, answer.reason) == (status, reason)
        assert answer.body == (b"" if status in (204, 205, 304) else b"body")
        assert client.request("GET", "/w/hello").body == b"hello"


@pytest.mark.parametrize("kind", ["list", "chunk", "generator"])
def test_no_length_is_claimed_for_what_is_not_sent(host: Server, kind: str) -> None:
    """RFC 9110, 8.6: the length in a 304 or for a HEAD is that of the GET's 200, or none."""
    target = f"/w/nothing?kind={kind}&line="
    assert host.get(target + "200%20OK").header("Content-Length") == "0"
    assert host.request("HEAD", target + "200%20OK").header("Content-Length") is None
    assert host.get(target + "304%20Not").header("Content-Length") is None
    assert host.get("/w/status?line=304%20Not").header("Content-Length") is None
    assert host.get("/w/status?line=304%20Not&length=4").header("Content-Length") == "4"
    assert host.request("HEAD", "/w/status?line=200%20OK").header("Content-Length") == "4"


def test_headers_go_out_as_they_are(host: Server) -> None:
    answer = host.get("/w/headers")
    assert answer.header("Content-Type") == "text/x; charset=latin-1" and answer.all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.header("X-Latin") == "caf\xe9" and answer.header("X-Empty") == "" and answer.header("Content-Length") == "0"


def test_connection_close_of_an_application_is_kept(host: Server) -> None:
    with host.client() as client:
        assert client.request("GET", "/w/connection_close").closes
        client.expect_close()


# bodies


def test_write_sends_before_the_iterable(host: Server) -> None:
    answer = host.get("/w/write")
    assert answer.body == b"one,two,three" and answer.chunked
    assert len(host.get("/w/write_large").body) == 3000000


def test_write_takes_bytes_only(host: Server) -> None:
    host.allow_log(FAULTS)
    assert host.get("/w/write_text").status == 500


@pytest.mark.parametrize("kind", ["list", "tuple", "generator", "body"])
def test_iterables(host: Server, kind: str) -> None:
    answer = host.get(f"/w/iterable?kind={kind}")
    assert answer.body == b"abcd"
    assert (answer.header("Content-Length") == "4") == (kind in ("list", "tuple"))
    assert host.request("GET", f"/w/iterable?kind={kind}", version="HTTP/1.0").body == b"abcd"
    head = host.request("HEAD", f"/w/iterable?kind={kind}")
    assert head.body == b"" and head.status == 200


def test_one_chunk_and_none_have_a_length(host: Server) -> None:
    assert host.get("/w/iterable?kind=one").header("Content-Length") == "5"
    assert host.get("/w/iterable?kind=empty&list=1").header("Content-Length") == "0"
    assert host.get("/w/iterable?kind=empty").body == b""
    assert len(host.get("/w/large_list").body) == 64 * 65536


@pytest.mark.parametrize("kind", ["none", "text", "texts", "bytes", "bytearrays"])
def test_wrong_bodies_are_a_500(host: Server, kind: str) -> None:
    host.allow_log(FAULTS)
    with host.client() as client:
        assert client.request("GET", f"/w/iterable?kind={kind}").status == 500
        assert client.request("GET", "/w/hello").body == b"hello"


def test_a_wrong_chunk_after_the_first_cuts_the_response(host: Server) -> None:
    host.allow_log(FAULTS)
    with pytest.raises(ProtocolError):
        host.get("/w/iterable?kind=late_text")
    host.expect_log("must give bytes, not str")


@pytest.mark.parametrize("says,chunks", [(10, "5,5"), (5, "5,5"), (7, "5,5"), (0, "5"), (0, "0")])
def test_never_more_than_announced(host: Server, says: int, chunks: str) -> None:
    host.allow_log("its Content-Length is")
    with host.client() as client:
        answer = client.request("GET", f"/w/length?says={says}&chunks={chunks}")
        assert len(answer.body) == says
        assert answer.closes or client.request("GET", "/w/hello").body == b"hello"
    closed(host, "length")


def test_less_than_announced_ends_the_connection(host: Server) -> None:
    with host.client() as client, pytest.raises(ProtocolError):
        client.request("GET", "/w/length?says=20&chunks=5,5")
    host.expect_log("wrote 10 bytes, its Content-Length is 20")
    closed(host, "length")


@pytest.mark.parametrize("when,status", [("before", 500), ("called", 500), ("first", 500), ("exit", 500), ("interrupt", 500), ("memory", 500)])
def test_exceptions_before_the_head_are_a_500(host: Server, when: str, status: int) -> None:
    host.allow_log(FAULTS)
    with host.client() as client:
        answer = client.request("GET", f"/w/raise?when={when}")
        assert answer.status == status and "on purpose" not in answer.text
        assert client.request("GET", "/w/hello").body == b"hello"
    if when == "first":
        closed(host, "first")


def test_an_exception_in_the_middle_cuts_and_closes(host: Server) -> None:
    host.allow_log(FAULTS)
    with pytest.raises(ProtocolError):
        host.get("/w/raise?when=middle")
    host.expect_log("after the response had begun")
    closed(host, "middle")


def test_close_that_raises_is_logged_and_harms_nothing(host: Server) -> None:
    host.allow_log(FAULTS)
    with host.client() as client:
        assert client.request("GET", "/w/raise?when=close").body == b"whole"
        assert client.request("GET", "/w/hello").body == b"hello"
    host.expect_log(r"close\(\) of the application's iterable raised")
    closed(host, "closing")


def test_close_is_called_when_the_client_goes(host: Server) -> None:
    client = host.client()
    client.send(b"GET /w/large?chunks=2000 HTTP/1.1\r\nHost: x\r\n\r\n").read_exactly(1000)
    client.reset()
    closed(host, "large")
    host.expect_log("the client went away")


def test_a_slow_client_gets_all_of_it(host: Server) -> None:
    with host.client() as client:
        client.send(b"GET /w/large?chunks=100 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert host.get("/w/hello").body == b"hello"  # others are served meanwhile
        assert len(client.read_response().body) == 100 * 65536
    closed(host, "large")


def test_early_hints(host: Server) -> None:
    answer = host.get("/w/hints")
    assert answer.body == b"hinted" and [(each.status, each.header("Link")) for each in answer.interim] == [(103, "</style.css>; rel=preload")]
    assert not host.request("GET", "/w/hints", version="HTTP/1.0").interim
    assert host.get("/w/bad_hints").body == b"refused"


# wsgi.file_wrapper


@pytest.mark.parametrize("query,expected,length", [("", DATA, "256000"), ("from=1000", DATA[1000:], "255000"), ("from=256000", b"", "0"),
                                                   ("from=300000", b"", "0"), ("length=10", DATA[:10], "10"), ("from=5&length=7", DATA[5:12], "7")])
def test_files_go_out_from_where_they_stand(host: Server, query: str, expected: bytes, length: str) -> None:
    with host.client() as client:
        answer = client.request("GET", f"/w/file?{query}")
        assert answer.body == expected and answer.header("Content-Length") == length
        head = client.request("HEAD", f"/w/file?{query}")
        assert head.header("Content-Length") == length and head.body == b""
        assert client.request("GET", "/w/hello").body == b"hello"


@pytest.mark.parametrize("line", ["204 No Content", "205 Reset Content", "304 Not Modified"])
@pytest.mark.parametrize("query", ["", "&length=10"])
def test_no_file_goes_out_where_no_body_may(host: Server, line: str, query: str) -> None:
    with host.client() as client:
        assert client.request("GET", f"/w/file?line={line.replace(' ', '%20')}{query}").body == b""
        assert client.request("GET", "/w/hello").body == b"hello"


def test_a_file_shorter_than_announced_ends_the_connection(host: Server) -> None:
    with host.client() as client, pytest.raises(ProtocolError):
        client.request("GET", "/w/file?length=300000")
    host.expect_log("its Content-Length is 300000")


def test_what_is_no_file_is_read(host: Server) -> None:
    assert host.get("/w/not_a_file").body == b"in memory " * 5000
    closed(host, "recorder")
    assert host.get("/w/pipe").body == b"through a pipe"
    assert host.get("/w/temporary").body == b"0123456789" * 500


# wsgi.input


@pytest.mark.parametrize("how,expected", [
    ("all", ["one\ntwo\n\nfour", "", ""]), ("sized", ["one\ntwo", "\n\nfour"]), ("zero", ["", "one", "\ntwo\n\nfour"]), ("none", ["one\ntwo\n\nfour"]),
    ("lines", ["one\n", "two\n", "\n", "four"]), ("hint", ["one\n"]), ("line", ["one\n", "two\n", "\n", "four"]),
    ("short_lines", ["one", "\n", "two", "\n", "\n", "fou", "r"]), ("mixed", ["one\n", "tw", "o", "\n", "\nfour"]),
    ("iterate", ["one\n", "two\n", "\n", "four"])])
@pytest.mark.parametrize("chunked", [False, True])
def test_reading_the_body(host: Server, how: str, expected: list[str], chunked: bool) -> None:
    body = b"one\ntwo\n\nfour"
    with host.client() as client:
        if chunked:
            client.send(f"POST /w/read?how={how} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            client.send_slowly(b"5\r\none\nt\r\n8\r\nwo\n\nfour\r\n0\r\n\r\n", 3)
            assert json.loads(client.read_response().text) == expected
        else:
            assert json.loads(client.request("POST", f"/w/read?how={how}", body=body).text) == expected
        assert client.request("GET", "/w/hello").body == b"hello"


def test_no_body_is_an_empty_one(host: Server) -> None:
    for how in ("all", "sized", "lines", "line", "iterate"):
        assert "".join(json.loads(host.get(f"/w/read?how={how}").text)) == ""


def test_a_large_upload(host: Server) -> None:
    body = DATA * 20
    assert host.request("POST", "/w/hash", body=body).text == hashlib.sha256(body).hexdigest()


def test_read_with_nonsense(host: Server) -> None:
    host.allow_log(FAULTS)
    assert host.request("POST", "/w/bad_read", body=b"x").status == 500


# threads of the application's own


def test_a_thread_reads_the_body(host: Server) -> None:
    """As boto3 does with what is uploaded."""
    with host.client() as client:
        client.send(build_request("POST", "/w/thread_reads", {"Content-Length": str(len(DATA))}) + DATA[:1000])
        assert host.get("/w/hello").body == b"hello"
        client.send_slowly(DATA[1000:], 50000)
        assert client.read_response().text == hashlib.sha256(DATA).hexdigest()


def test_a_thread_writes_to_a_slow_client(host: Server) -> None:
    with host.client() as client:
        client.send(build_request("GET", "/w/thread_writes"))
        assert host.get("/w/hello").body == b"hello"  # it does not spin
        assert client.read_response().body == b"x" * 6553600
    host.expect_log("the thread has written 100")


def test_threads_wait_for_a_client_that_goes(host: Server) -> None:
    client = host.client()
    client.send(build_request("POST", "/w/thread_reads", {"Content-Length": "10"}) + b"half")
    client.reset()
    client = host.client()
    client.send(build_request("GET", "/w/thread_writes")).read_exactly(1000)
    client.reset()
    host.expect_log("the thread has written BrokenPipeError")


def test_two_threads_do_not_wait_for_one_body(host: Server) -> None:
    with host.client() as client:
        client.send(build_request("POST", "/w/threads_read", {"Content-Length": "10"}))
        client.expect(b"waits for this request's client already")
        client.send(b"0123456789").expect(b"0123456789")


def test_a_body_is_gone_with_its_request(host: Server) -> None:
    """Whoever still reads is told so, instead of what looks like its end."""
    with host.client() as client:
        assert client.request("POST", "/w/leave_reader", body=b"x" * 1000).body == b"over"
        assert client.request("GET", "/w/let_read").body == b"reads"
    host.expect_log("the reader was told: the request is over, and what was left of its body is gone")


def test_handlers_of_signals_are_ignored_with_a_warning(server: Callable[..., Server]) -> None:
    """Applications that set some can be imported; the server's signals stay its own, timers kill nobody, and forked children have theirs."""
    app = """
        import os, signal, time
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGALRM, lambda *_: None)

        def in_child():
            got = []
            signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
            os.kill(os.getpid(), signal.SIGUSR1)
            os._exit(len(got))

        def application(environ, start):
            said = [before == signal.SIG_DFL]
            for number, handler in ((0, signal.SIG_DFL), (999, signal.SIG_DFL), (signal.SIGTERM, "x"), ("TERM", signal.SIG_DFL)):
                try:
                    signal.signal(number, handler)
                except (ValueError, TypeError) as error:
                    said.append(type(error).__name__)
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            time.sleep(0.01)
            pid = os.fork()
            if not pid:
                in_child()
            said.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            start("200 OK", [])
            return [repr(said).encode()]
    """
    host = server('PyWSGIAlias / "@ROOT@/app.py"\n', {"app.py": textwrap.dedent(app)})
    host.check_fds = False
    assert [host.get("/").text for _ in range(2)] == ["[True, 'ValueError', 'ValueError', 'TypeError', 'TypeError', 1]"] * 2
    for number, line in ((15, 3), (14, 4)):
        host.expect_log(rf"python:warn.*a handler of signal {number} \(.*\) is ignored.*app.py, line {line}")
    assert host.error_log.count("is ignored") == 2 and host.stop() == 0


def test_errors_go_to_the_error_log(host: Server) -> None:
    assert host.get("/w/errors").body == b"logged"
    host.expect_log("a line of the application")
    host.expect_log("two pieces")


# the client


def test_client_gone_can_be_waited_for(host: Server) -> None:
    with host.client() as client:
        client.send(build_request(target="/w/gone")).expect(b"waiting")
    host.expect_log("gone: True True True")


def test_a_wait_for_the_client_s_end_ends_with_the_answer(host: Server) -> None:
    with host.client() as client:
        assert client.request("GET", "/w/gone_watched").text == "watched"
        host.expect_log("watched: False")
        assert client.is_open()


SHARED_GREENLET = """
import sys
from pyhost import coro

def waits(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    print("another begins", file=sys.stderr)
    while not told:
        coro.sleep(0.005)
    coro.sleep(0)
    return [b"undisturbed"]

told = []

def application(environ, start):
    if environ["PATH_INFO"] == "/waits":
        return waits(environ, start)
    gone = environ["pyhost.client_gone"]
    coro.spawn(lambda: told.append(gone.wait()))
    coro.sleep(0)
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(16 << 20))])
    return large()

def large():
    for _ in range(16):
        yield b"x" * (1 << 20)
    print("first is over", file=sys.stderr)
"""


def test_a_client_s_end_is_not_told_to_the_next_request_of_its_greenlet(server: Callable[..., Server]) -> None:
    """The handler is over, its answer is not; what watched its client beside it is told, and the greenlet has another request by now."""
    limits = "<Location />\nPyCancelOnDisconnect On\nPyOutputBuffer 67108864\n</Location>"  # the handler waits for nobody
    host = server("PyWSGIAlias / @ROOT@/app/x.py:application\n" + limits, {"app/x.py": SHARED_GREENLET})
    others = [host.client() for _ in range(8)]  # one of them has that greenlet
    with host.client() as first:
        first.send(build_request())
        wait_until(lambda: "first is over" in host.error_log, "the first handler is over")
        for other in others:
            other.send(build_request(target="/waits"))
        wait_until(lambda: host.error_log.count("another begins") == len(others), "the others wait")
        first.half_close()
        assert [other.read_response().text for other in others] == ["undisturbed"] * len(others)
    host.allow_log("client")


def test_client_gone_outlives_its_request(host: Server) -> None:
    host.get("/w/gone_kept")
    assert host.get("/w/gone_kept").text == "False"


def test_connections_that_are_reset_are_closed_while_their_applications_go_on(host: Server) -> None:
    """Also where the request and its end come together."""
    def sockets() -> int:
        return sum(open_files(pid)["socket"] for pid in host.workers())

    with host.client() as keeper:
        assert keeper.request("GET", "/w/hello").body == b"hello"
        before = sockets()
        for _ in range(20):
            host.client().send(build_request("GET", "/w/hang")).reset()
        wait_until(lambda: keeper.request("GET", "/w/hanging").text != "0", "they hang")
        wait_until(lambda: sockets() <= before, "their connections are closed")
        assert keeper.request("GET", "/w/let_go").body == b"gone"


# where applications are

WHERE = '''
def {name}(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return ["|".join((__name__ and "{name}", environ["SCRIPT_NAME"], environ["PATH_INFO"])).encode()]
'''


def test_several_applications_on_paths_and_hosts(server: Callable[..., Server]) -> None:
    files = {"one.py": WHERE.format(name="application"), "two.py": WHERE.format(name="second"),
             "three.py": "class Made:\n" + "\n".join("    " + line for line in
                         WHERE.format(name="third").replace("third(environ", "third(self, environ").splitlines()) + "\nmade = Made()\n"}
    host = server('''
<VirtualHost *>
ServerName localhost
PythonPath "['@ROOT@'] + sys.path"
PyWSGIAlias /one "@ROOT@/one.py"
PyWSGIAlias /one/inner "two:second"
<Location /set>
    SetHandler wsgi
    PyWSGIApplication three:made.third
</Location>
</VirtualHost>
<VirtualHost *>
    ServerName second.example
    PyWSGIAlias / two.py:second
</VirtualHost>
''', files)
    assert [host.get(path).text for path in ("/one", "/one/", "/one/x/y", "/one/inner/z", "/one/innermost", "/set/a")] == [
        "application|/one|", "application|/one|/", "application|/one|/x/y", "second|/one/inner|/z", "application|/one|/innermost", "third|/set|/a"]
    assert host.get("/onetwo").status == 404
    assert host.get("/any/thing", {"Host": "second.example"}).text == "second||/any/thing"
    assert host.get("/", {"Host": "second.example"}).text == "second||/"


def test_aliases_inside_of_an_application_lead_to_files(server: Callable[..., Server]) -> None:
    """As with mod_wsgi: in either order, by patterns, in a virtual host; what a Directory says of the files holds, and the longer path counts."""
    app = "def application(environ, start):\n    start('200 OK', [])\n    return [(environ['SCRIPT_NAME'] + '!' + environ['PATH_INFO']).encode()]\n"
    host = server("""
Alias /first "@ROOT@/files"
PyWSGIAlias / "@ROOT@/app.py"
PyWSGIAlias /first/inner "@ROOT@/app.py"
Alias /last/ "@ROOT@/files/"
Alias /one.txt "@ROOT@/files/a.txt"
AliasMatch "^/match/(.*)$" "@ROOT@/files/$1"
Alias /handled "@ROOT@/handled"
<Directory "@ROOT@/handled">
    SetHandler mod_python
    PythonHandler beside
</Directory>
<Directory "@ROOT@/files">
    Require all granted
</Directory>
<Location /first/app>
    SetHandler wsgi
    PyWSGIApplication "@ROOT@/app.py"
</Location>
<VirtualHost *:@PORT@>
    ServerName one.example
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName other.example
    Alias /more "@ROOT@/files"
</VirtualHost>
""", {"app.py": app, "files/a.txt": "a file", "files/b.txt": "b",
      "handled/beside.py": "from mod_python import apache\ndef handler(req):\n    req.write('handled')\n    return apache.OK\n"})
    host.check_fds = False
    seen = {path: host.get(path).text for path in ("/x", "/first/a.txt", "/last/a.txt", "/one.txt", "/match/b.txt", "/handled/x", "/first/inner/y",
                                                   "/first/app/z", "/firstly", "/last", "/more/a.txt")}
    assert seen == {"/x": "!/x", "/first/a.txt": "a file", "/last/a.txt": "a file", "/one.txt": "a file", "/match/b.txt": "b", "/handled/x": "handled",
                    "/first/inner/y": "/first/inner!/y", "/first/app/z": "/first/app!/z", "/firstly": "!/firstly", "/last": "!/last",
                    "/more/a.txt": "!/more/a.txt"}
    assert host.get("/first/none").status == 404
    other = {path: host.get(path, {"Host": "other.example"}).text for path in ("/more/a.txt", "/first/a.txt", "/x")}
    assert other == {"/more/a.txt": "a file", "/first/a.txt": "a file", "/x": "!/x"}


def test_factories_are_called_once(server: Callable[..., Server]) -> None:
    app = '''
made = 0
def make():
    global made
    made += 1
    number = made
    def application(environ, start):
        start("200 OK", [])
        return [b"made %d of %d" % (number, made)]
    return application
'''
    host = server('PyWSGIAlias / "@ROOT@/factory.py:make()"', {"factory.py": app})
    assert host.get("/").text == host.get("/").text == "made 1 of 1"


@pytest.mark.parametrize("target,complaint", [("@ROOT@/missing.py", "No such file"), ("no_such_module:app", "No module named"), ("@ROOT@/empty.py", "has none of"),
                                              ("@ROOT@/empty.py:nothing", "nothing"), ("@ROOT@/empty.py:number", "not something that can be called"),
                                              ("@ROOT@/broken.py", "SyntaxError")])
def test_applications_that_cannot_be_loaded(server: Callable[..., Server], target: str, complaint: str) -> None:
    host = server(f'PyWSGIAlias / "{target}"', {"empty.py": "number = 5\n", "broken.py": "def (:\n"})
    host.allow_log(FAULTS)
    assert host.get("/").status == 500
    host.expect_log(complaint)
    host.expect_log("the WSGI application cannot be loaded")


INTERPRETERS = '''
import sys
from mod_python import apache
seen = 0
def application(environ, start):
    global seen
    seen += 1
    start("200 OK", [])
    return [f"{apache.interpreter} {seen}".encode()]
'''


def test_an_interpreter_for_each_application(server: Callable[..., Server]) -> None:
    host = server('''
<VirtualHost *>
ServerName localhost
PyWSGIAlias /a "@ROOT@/app.py"
PyWSGIAlias /b "@ROOT@/app.py"
PyWSGIAlias /c "@ROOT@/app.py"
<Location /b>
    PythonInterpreter second
</Location>
<Location /c>
    PythonInterpreter second
</Location>
</VirtualHost>
<VirtualHost *>
    ServerName own.example
    PyInterpreterPerServer On
    PyWSGIAlias / "@ROOT@/app.py"
</VirtualHost>
''', {"app.py": INTERPRETERS})
    assert [host.get(path).text for path in ("/a", "/b", "/a", "/c")] == ["main_interpreter 1", "second 1", "main_interpreter 2", "second 2"]
    assert host.get("/", {"Host": "own.example"}).text == "own.example 1"


def test_a_home_for_each_application(server: Callable[..., Server], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "first")], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "second")], check=True)
    for name in ("first", "second"):
        packages = next((tmp_path / name).glob("lib/python*/site-packages"))
        (packages / "what_i_am.py").write_text(f"name = {name!r}\n")
        (packages / "extra.pth").write_text(str(tmp_path / name / "extra") + "\n")
        (tmp_path / name / "extra").mkdir()
        (tmp_path / name / "extra" / "from_pth.py").write_text(f"name = {name.upper()!r}\n")
    app = "import what_i_am, from_pth\ndef application(environ, start):\n    start('200 OK', [])\n    return [(what_i_am.name + from_pth.name).encode()]\n"
    handler = "import what_i_am\ndef handler(req):\n    req.write('handler ' + what_i_am.name)\n    return 0\n"
    host = server('''
PyWSGIAlias /a "@ROOT@/app.py"
PyWSGIAlias /b "@ROOT@/app.py"
PyWSGIAlias /c "@ROOT@/app.py"
<Location /a>
    PyHome first
    PythonInterpreter one
</Location>
<Location /b>
    PyHome "@ROOT@/second"
    PythonInterpreter two
</Location>
<Location /c>
    PyHome nowhere
    PythonInterpreter three
</Location>
<Directory "@ROOT@/www">
    PyHome second
    PythonInterpreter four
    SetHandler mod_python
    PythonHandler homely
</Directory>
''', {"app.py": app, "www/homely.py": handler})
    host.allow_log(FAULTS)
    assert host.get("/a").text == "firstFIRST" and host.get("/b").text == "secondSECOND"
    assert host.get("/c").status == 500
    host.expect_log("PyHome .*nowhere: there is no")
    assert host.get("/x").text == "handler second"


def versioned(text: str) -> str:
    return f"import part\ndef application(environ, start):\n    start('200 OK', [])\n    return [('{text} ' + part.text).encode()]\n"


def test_changes_are_seen_and_broken_ones_survived(server: Callable[..., Server]) -> None:
    host = server('PyWSGIAlias / "@ROOT@/app/app.py"\nPythonDebug On\n', {"app/app.py": versioned("one"), "app/part.py": "text = 'a'\n"})
    host.check_fds = False
    host.allow_log(FAULTS)
    with host.client() as client:
        assert client.request("GET", "/").text == "one a"
        for number, letter in enumerate("bcdef"):
            host.write("app/part.py", f"text = '{letter}'\n")
            assert client.request("GET", "/").text == f"one {letter}", number
        host.write("app/app.py", versioned("two"))
        assert client.request("GET", "/").text == "two f"
        host.write("app/part.py", "text = (\n")
        broken = client.request("GET", "/")
        assert broken.status == 500 and "SyntaxError" in broken.text and "part.py" in broken.text
        host.write("app/part.py", "text = 'mended'\n")
        assert client.request("GET", "/").text == "two mended"


def test_without_auto_reload_nothing_changes(server: Callable[..., Server]) -> None:
    host = server('PyWSGIAlias / "@ROOT@/app.py"\nPythonAutoReload Off\n', {"app.py": versioned("one"), "part.py": "text = 'a'\n"})
    assert host.get("/").text == "one a"
    host.write("part.py", "text = 'b'\n")
    assert host.get("/").text == "one a"


def test_debug_shows_the_traceback_escaped_and_only_then(server: Callable[..., Server]) -> None:
    app = "def application(environ, start):\n    start('200 OK', [])\n    raise RuntimeError('<script>' + environ['QUERY_STRING'])\n"
    host = server('PyWSGIAlias /shown "@ROOT@/app.py"\nPyWSGIAlias /hidden "@ROOT@/app.py"\n<Location /shown>\nPythonDebug On\n</Location>', {"app.py": app})
    host.allow_log(FAULTS)
    shown, hidden = host.get("/shown?secret"), host.get("/hidden?secret")
    assert shown.status == hidden.status == 500 and "secret" not in hidden.text
    assert "Traceback" in shown.text and "&lt;script&gt;secret" in shown.text and "<script>" not in shown.text


def test_many_at_once_wait_for_each_other_not(server: Callable[..., Server]) -> None:
    app = "import time\ndef application(environ, start):\n    time.sleep(0.2)\n    start('200 OK', [])\n    yield b'slept'\n    time.sleep(0.1)\n"
    host = server('PyWSGIAlias / "@ROOT@/app.py"', {"app.py": app})
    started = time.monotonic()
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(host.get("/").text)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["slept"] * 20 and time.monotonic() - started < 3

"""ASGI 3: scope, receive, send, lifespan, what goes wrong; asyncio beside greenlets in one process."""
from __future__ import annotations

import hashlib
import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import ProtocolError, build_request
from support.server import Server

RULES = (Path(__file__).parent / "apps" / "asgi_rules.py").read_text()
FAULTS = r"wsgi:error|asgi:error|Traceback|on purpose|python:"
CONF = """
<Location /a>
    SetHandler asgi
    PyWSGIApplication "@ROOT@/app/rules.py"
</Location>
"""


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    return module_server(CONF, {"app/rules.py": RULES}, check_fds=False)


@pytest.fixture
def host(shared: Server) -> Iterator[Server]:
    with shared.checked():
        yield shared
        assert shared.get("/a/hello").body == b"hello"


def test_scope(host: Server) -> None:
    with host.client() as client:
        scope = json.loads(client.request("POST", "/a/scope/%C3%A9%20x?q=1&r", {"Host": "example.org:81", "X-Two": "Two"}, b"").text)
        again = json.loads(client.request("GET", "/a/scope").text)
    assert (scope["type"], scope["asgi"]["version"], scope["http_version"], scope["method"], scope["scheme"]) == ("http", "3.0", "1.1", "POST", "http")
    assert (scope["path"], scope["raw_path"], scope["root_path"], scope["query_string"]) == ("/a/scope/\xe9 x", "/a/scope/%C3%A9%20x", "/a", "q=1&r")
    assert ["x-two", "Two"] in scope["headers"] and ["host", "example.org:81"] in scope["headers"]
    assert scope["client"][0] == "127.0.0.1" and isinstance(scope["client"][1], int) and scope["server"] == ["example.org", 81]
    assert again["query_string"] == "" and again["method"] == "GET" and again["path"] == "/a/scope" and again["client"] == scope["client"]
    assert json.loads(host.request("GET", "/a/scope", version="HTTP/1.0").text)["http_version"] == "1.0"


def test_answers(host: Server) -> None:
    with host.client() as client:
        assert client.request("GET", "/a/hello").header("Content-Length") == "5"
        assert client.request("HEAD", "/a/hello").header("Content-Length") == "5"
        streamed = client.request("GET", "/a/stream")
        assert streamed.chunked and streamed.body == b"0,1,2,"
        assert [client.request("GET", f"/a/status?{status}").status for status in (200, 204, 304, 404, 599)] == [200, 204, 304, 404, 599]
        headers = client.request("GET", "/a/headers")
        assert headers.all("set-cookie") == ["a=1", "b=2"] and headers.header("x-latin") == "caf\xe9" and not headers.chunked
    assert host.request("GET", "/a/stream", version="HTTP/1.0").body == b"0,1,2,"


def test_large_bodies(host: Server) -> None:
    assert len(host.get("/a/large").body) == 10485760
    assert host.get("/a/at_once").body == b"y" * 10485760
    body = bytes(range(256)) * 40000
    assert host.request("POST", "/a/hash", body=body).text == hashlib.sha256(body).hexdigest()
    with host.client() as client:
        client.send(b"POST /a/hash HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").send_slowly(b"5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n", 2)
        assert client.read_response().text == hashlib.sha256(b"helloyou").hexdigest()
        assert client.request("GET", "/a/hello").body == b"hello"


def test_files_go_out_by_the_kernel(host: Server, tmp_path: Path) -> None:
    file, empty = tmp_path / "file", tmp_path / "empty"
    file.write_bytes(bytes(range(256)) * 40000)
    empty.touch()
    with host.client() as client:
        assert client.request("GET", f"/a/path?{file},whole").body == file.read_bytes()
        assert client.request("HEAD", f"/a/path?{file},whole").body == b""
        assert client.request("GET", f"/a/path?{file},after").body == b"before it " + file.read_bytes()
        assert client.request("GET", f"/a/path?{empty},whole").body == b""
        assert client.request("GET", "/a/hello").body == b"hello"
    host.allow_log(FAULTS)
    for query in (f"{tmp_path}/none,whole", f"{tmp_path},whole", ",whole", f"{file},first", f"{file},none"):
        assert host.get(f"/a/path?{query}").status == 500
    assert host.get(f"/a/path?{file},twice").body == file.read_bytes()
    host.expect_log("the response is over")


def test_early_hints(host: Server) -> None:
    host.allow_log(FAULTS)
    for query in ("", "?late"):
        with host.client() as client:
            client.send(build_request("GET", "/a/hint" + query))
            hint = client.read_head()
            assert hint.status == 103 and hint.all("Link") == ["</a.css>; rel=preload", "</b.js>; rel=preload"]
            assert client.read_response().body == b"hinted"
    host.expect_log("early_hint came behind")
    assert host.request("GET", "/a/hint", version="HTTP/1.0").body == b"hinted"


def test_upload_in_time_with_100_continue(host: Server) -> None:
    with host.client() as client:
        client.send(b"POST /a/hash HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.read_head().status == 100
        assert client.send(b"hello").read_response().text == hashlib.sha256(b"hello").hexdigest()


def test_many_sleep_at_once(host: Server) -> None:
    started = time.monotonic()
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(host.get("/a/sleep").text)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["slept"] * 20 and time.monotonic() - started < 3


def test_blocking_calls_in_greenlets(host: Server) -> None:
    started = time.monotonic()
    assert "invalid literal" in host.get("/a/block").text
    assert time.monotonic() - started < 8, "10 s one after the other"


def test_tasks_threads_and_connections(host: Server) -> None:
    assert host.get("/a/task").body == b"another task"
    assert host.get("/a/thread").body == b"6"
    assert host.get(f"/a/connect?{host.port}").body == b"hello"


def test_context_of_each_request_is_its_own(host: Server) -> None:
    assert [host.get("/a/context").text for _ in range(3)] == ["0 1"] * 3


def test_a_loop_that_never_waits_lets_others_run(host: Server) -> None:
    with host.client() as busy:
        busy.send(b"GET /a/busy HTTP/1.1\r\nHost: x\r\n\r\n")
        assert host.get("/a/hello").body == b"hello"
        assert busy.read_response().body == b"was busy"


def test_work_after_the_answer(host: Server) -> None:
    assert host.get("/a/background").body == b"answered"
    host.expect_log("in the background")


def test_disconnect_is_told(host: Server) -> None:
    with host.client() as client:
        client.send(build_request(target="/a/disconnect")).expect(b"waiting")
    host.expect_log("told: http.disconnect")
    host.expect_log("send said: the client has gone")


@pytest.mark.parametrize("body", [b"", b"half"])
def test_the_end_of_the_answer_is_told_as_a_disconnect(host: Server, body: bytes) -> None:
    """Who listens for the client's end beside an answer does so no longer than that, whether or not all of the request has come."""
    with host.client() as client:
        client.send(build_request("POST", f"/a/listen?{len(body)}", {"Content-Length": str(2 * len(body))}) + body)
        assert client.read_response().body == b"answered"
        host.expect_log(f"the listener was told {len(body)}")


def test_a_receive_that_was_cancelled(host: Server) -> None:
    assert host.get("/a/timeout").body == b"timed out http.request"


def test_state_is_copied_for_each_request(host: Server) -> None:
    assert [host.get("/a/state").text for _ in range(2)] == ["True 0"] * 2


@pytest.mark.parametrize("how", ["nothing", "no_type", "not_a_dict", "unknown", "body_first", "twice", "no_status", "status_text", "status_low", "header_text",
                                 "header_newline", "header_name", "header_three", "headers_number", "body_text", "only_start"])
def test_wrong_messages_are_a_500_and_a_line(host: Server, how: str) -> None:
    host.allow_log(FAULTS)
    before = len(host.error_log)
    with host.client() as client:
        assert client.request("GET", f"/a/bad?{how}").status == 500
        assert client.request("GET", "/a/hello").body == b"hello"
    assert "the application r" in host.error_log[before:]


@pytest.mark.parametrize("when", ["before", "later", "started", "exit"])
def test_exceptions_before_the_head_is_out(host: Server, when: str) -> None:
    host.allow_log(FAULTS)
    assert host.get(f"/a/raise?{when}").status == 500


def test_exceptions_in_the_middle_and_after(host: Server) -> None:
    host.allow_log(FAULTS)
    with pytest.raises(ProtocolError):
        host.get("/a/raise?middle")
    assert host.get("/a/raise?after").body == b"begun."
    host.expect_log("the application raised after its response")
    assert host.get("/a/over").body == b"whole"


@pytest.mark.parametrize("how,answer,who", [("at_once", None, "the application raised"), ("later", None, "the application raised"),
                                            ("task", "stays", "the leaver wants to leave"), ("callback", "stays", "exit> wants to leave")])
def test_who_wants_to_leave_is_logged_once(host: Server, how: str, answer: str | None, who: str) -> None:
    host.allow_log(FAULTS)
    before = host.error_log.count("SystemExit: 3")
    response = host.get(f"/a/leave?{how}")
    assert response.status == (200 if answer else 500) and answer in (None, response.text)
    host.expect_log(who)
    assert host.get("/a/hello").body == b"hello"
    assert host.error_log.count("SystemExit: 3") == before + 1 and "never retrieved" not in host.error_log


def test_receive_and_send_can_be_tasks(host: Server) -> None:
    with host.client() as client:
        client.send(build_request("POST", "/a/receivers", {"Content-Length": "10"}) + b"half")
        assert client.read_response().body == b"answered"
    host.expect_log(r"receivers were told \{'http.disconnect'\}")


@pytest.mark.parametrize("status,length", [(204, ""), (205, ""), (304, ""), (304, "7"), (200, "7"), (200, "0"), (200, "")])
def test_files_keep_to_what_the_head_says(host: Server, status: int, length: str) -> None:
    host.allow_log("its Content-Length is")
    with host.client() as client:
        answer = client.request("GET", f"/a/file?{status},{length}")
        expected = b"" if status != 200 else RULES.encode()[:int(length) if length else None]
        assert (answer.status, answer.body) == (status, expected)
        assert client.request("GET", "/a/hello").body == b"hello"


def test_no_body_is_an_empty_one(host: Server) -> None:
    assert host.get("/a/no_body?200").body == b""


def test_lengths_that_are_wrong(host: Server) -> None:
    host.allow_log("its Content-Length is")
    assert host.get("/a/length?5,5").body == b"xxxxx" and host.get("/a/length?3,5").body == b"xxx"
    with pytest.raises(ProtocolError):
        host.get("/a/length?9,5")


# applications


def location(path: str, application: str, more: str = "") -> str:
    return f"<Location {path}>\nSetHandler asgi\nPyWSGIApplication \"@ROOT@/{application}\"\n{more}\n</Location>\n"


def test_mounted_by_an_alias(server: Callable[..., Server]) -> None:
    """Beside a WSGI application, inside another mount, and told apart from one when it is mounted as that."""
    both = """
async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"asgi {scope['root_path']} {scope['path']}".encode()})

class Application:
    async def __call__(self, scope, receive, send):
        await asgi(scope, receive, send)

made = Application()

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [f"wsgi {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]
"""
    host = server("".join(f'{name} {path} "@ROOT@/both.py:{callable}"\n' for name, path, callable in [
        ("PyWSGIAlias", "/", "wsgi"), ("PyASGIAlias", "/live", "asgi"), ("PyASGIAlias", "/live/more/", "made"),
        ("PyWSGIAlias", "/wrong", "asgi"), ("PyWSGIAlias", "/made", "made")]), {"both.py": both})
    host.check_fds = False
    assert host.get("/x").text == "wsgi  /x"
    assert host.get("/live/x").text == "asgi /live /live/x"
    assert host.get("/live/more/x").text == "asgi /live/more /live/more/x"
    host.allow_log("wsgi:error|asgi:error|python:error")
    for path in ("/wrong", "/made"):
        assert host.get(path).status == 500
        host.expect_log("both.py:(asgi|made) is an ASGI application: PyASGIAlias or SetHandler asgi serves it")


@pytest.mark.parametrize("workers,number", [(0, signal.SIGTERM), (1, signal.SIGTERM), (1, signal.SIGWINCH)])
def test_lifespan_shutdown_at_the_end(server: Callable[..., Server], workers: int, number: int) -> None:
    host = server(CONF, {"app/rules.py": RULES}, workers=workers)
    host.check_fds = False
    assert host.get("/a/state").text == "True 0"
    assert "has shut down" not in host.error_log
    assert host.stop(number) == 0
    assert host.error_log.count("the application has shut down") == 1


def test_lifespan_startup_that_fails(server: Callable[..., Server]) -> None:
    host = server(location("/a", "app.py:failing", "PythonDebug On") + location("/b", "app.py:failing"), {"app.py": RULES})
    host.check_fds = False
    host.allow_log(FAULTS + "|asgi")
    shown, hidden = host.get("/a"), host.get("/b")
    assert shown.status == hidden.status == 500 and "the database is away" in shown.text and "database" not in hidden.text
    host.expect_log("StartupFailed: the database is away")


@pytest.mark.parametrize("name,message", [("raises_too", "the database is away"), ("leaves", "no settings"), ("says_so_and_leaves", "no licence")])
def test_a_lifespan_that_raises_is_logged_once(server: Callable[..., Server], name: str, message: str) -> None:
    host = server(location("/", f"app.py:{name}"), {"app.py": RULES})
    host.check_fds = False
    host.allow_log(FAULTS)
    assert host.get("/").status == 500
    host.expect_log(f"StartupFailed.*on purpose: {message}")
    assert host.error_log.count("on purpose:") == 1


def test_a_shutdown_that_fails_and_raises_is_logged_once(server: Callable[..., Server]) -> None:
    host = server(location("/", "app.py:raises_too"), {"app.py": "import os\nos.environ['shutdown'] = '1'\n" + RULES})
    host.check_fds = False
    assert host.get("/").text == "started" and host.stop() == 0
    assert host.error_log.count("on purpose:") == 1 and "its shutdown failed: on purpose: the shutdown" in host.error_log


def test_lifespan_startup_is_tried_again(server: Callable[..., Server]) -> None:
    application = """
tries = []
async def app(scope, receive, send):
    message = await receive()
    if scope["type"] == "lifespan":
        tries.append(1)
        await send({"type": "lifespan.startup." + ("failed" if len(tries) < 2 else "complete")})
        await receive()
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"%d" % len(tries)})
"""
    host = server(location("/a", "app.py", "PythonAutoReload Off"), {"app.py": application})
    host.check_fds = False
    host.allow_log(FAULTS)
    assert [host.get("/a").status for _ in range(3)] == [500, 200, 200] and host.get("/a").text == "2"


def test_without_lifespan(server: Callable[..., Server]) -> None:
    host = server(location("/", "app.py:without_lifespan") + location("/sync", "app.py:sync"), {"app.py": RULES})
    host.check_fds = False
    host.allow_log(FAULTS)
    assert "state" in json.loads(host.get("/").text)
    assert host.get("/sync").status == 500


def test_a_client_of_a_unix_socket_has_no_address(server: Callable[..., Server]) -> None:
    host = server("Listen 127.0.0.1:@PORT@\nListen unix:@SOCK@\n" + CONF, {"app/rules.py": RULES})
    host.check_fds = False
    near = re.findall(r"Listen unix:(.*)", host.conf_file.read_text())[0]
    with host.client(near) as client:
        assert json.loads(client.request("GET", "/a/scope", {"Host": "x:81"}).text)["client"] is None
    assert json.loads(host.get("/a/scope").text)["client"][0] == "127.0.0.1"


def test_changes_are_seen(server: Callable[..., Server]) -> None:
    app = RULES + "\nVERSION = {version}\nasync def do_version(scope, receive, send):\n    await answer(send, str(VERSION))\n"
    host = server(CONF.replace("asgi\n", "asgi\n    PythonDebug On\n"), {"app/rules.py": app.replace("{version}", "1")})
    host.check_fds = False
    host.allow_log(FAULTS)
    assert host.get("/a/version").text == "1"
    host.write("app/rules.py", app.replace("{version}", "2"))
    assert host.get("/a/version").text == "2"
    host.expect_log("the application has shut down")
    host.write("app/rules.py", "def (")
    assert "SyntaxError" in host.get("/a/version").text
    host.write("app/rules.py", app.replace("{version}", "3"))
    assert host.get("/a/version").text == "3"


def test_wsgi_asgi_and_handlers_in_one_process(server: Callable[..., Server]) -> None:
    wsgi = '''
import asyncio
import os
import time
import pyhost
async def work(number):
    await asyncio.sleep(0.1)
    if number == 3:
        raise ValueError("three")
    return number * 2
def application(environ, start):
    start("200 OK", [])
    if environ["PATH_INFO"] == "/await":
        try:
            pyhost.await_(work(3))
        except ValueError as error:
            return [f"{pyhost.await_(work(2))} {error}".encode()]
    if environ["PATH_INFO"] == "/gather":
        return [str(pyhost.await_(asyncio.wait_for(work(5), 5))).encode()]
    return [f"wsgi {os.getpid()}".encode()]
'''
    handler = "import os, pyhost\ndef handler(req):\n    req.write(f'handler {os.getpid()}')\n    return 0\n"
    asgi = RULES + "\nimport os\nasync def do_pid(scope, receive, send):\n    await answer(send, f'asgi {os.getpid()}')\n"
    host = server('PyWSGIAlias / "@ROOT@/plain.py"\n' + location("/async", "rules.py") +
                  "<Location /admin>\nSetHandler mod_python\nPythonPath \"['@ROOT@'] + sys.path\"\nPythonHandler admin\n</Location>",
                  {"plain.py": wsgi, "rules.py": asgi, "admin.py": handler})
    host.check_fds = False
    assert [host.get(path).text for path in ("/", "/async/pid", "/admin")] == [f"{name} {host.pid}" for name in ("wsgi", "asgi", "handler")]
    assert host.get("/await").text == "4 three" and host.get("/gather").text == "10"
    started = time.monotonic()
    answers: list[str] = []
    threads = [threading.Thread(target=lambda path=path: answers.append(host.get(path).text)) for path in ("/await", "/async/sleep", "/admin") * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(["4 three", "slept", f"handler {host.pid}"] * 8) and time.monotonic() - started < 3


def test_a_loop_in_each_interpreter(server: Callable[..., Server]) -> None:
    host = server(location("/a", "rules.py") + location("/b", "rules.py", "PythonInterpreter second"), {"rules.py": RULES})
    host.check_fds = False
    for path in ("/a", "/b") * 3:
        assert host.get(f"{path}/state").text == "True 0" and host.get(f"{path}/context").text == "0 1"
    assert len(host.get("/b/large").body) == 10485760
    assert host.stop() == 0
    assert host.error_log.count("the application has shut down") == 2

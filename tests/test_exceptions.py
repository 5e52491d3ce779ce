"""Exceptions of odd kinds, in every interface and at every stage: logged with their traceback, one response at most, and the worker lives. And the
standard streams, which programs take to be files."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from support.client import ProtocolError
from support.server import Server, wait_until

ODD = '''
import asyncio
import os

import greenlet


class Unspeakable(Exception):
    def __str__(self):
        raise SystemExit(9)
    __repr__ = __str__


KINDS = {"BaseException": BaseException("b"), "SystemExit": SystemExit(3), "KeyboardInterrupt": KeyboardInterrupt(), "StopIteration": StopIteration("s"),
         "GeneratorExit": GeneratorExit(), "MemoryError": MemoryError(), "CancelledError": asyncio.CancelledError(),
         "GreenletExit": greenlet.GreenletExit(), "BaseExceptionGroup": BaseExceptionGroup("g", [SystemExit(1), ValueError(2)]),
         "LookupError": LookupError("lone \\udce9, NUL \\x00, \\u20ac"), "Unspeakable": Unspeakable()}


def again():
    again()


def boom(kind):
    if kind == "RecursionError":
        again()
    raise KINDS[kind]
'''
WSGI = '''
import odd


class Body:
    def __init__(self, kind):
        self.chunks, self.kind = iter([b"whole"]), kind

    def __iter__(self):
        return self.chunks

    def close(self):
        odd.boom(self.kind)


def generator(start_response, stage, kind):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if stage == "middle":
        yield b"some"
    odd.boom(kind)
    yield b"more"


def application(environ, start_response):
    _, stage, kind = environ["PATH_INFO"].split("/")
    if stage == "call":
        odd.boom(kind)
    if stage in ("begin", "middle"):
        return generator(start_response, stage, kind)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Body(kind) if stage == "close" else [str(odd.os.getpid()).encode()]
'''
ASGI = '''
import asyncio

import odd


class Broken(Exception):
    pass


async def read_all(receive, send, answer):
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            if answer:
                await send({"type": "http.response.start", "status": 500})
                await send({"type": "http.response.body", "body": b"failed"})
            raise Broken


async def app(scope, receive, send):
    assert scope["type"] == "http"
    stage, kind = scope["path"].split("/")[-2:]
    if stage == "busy":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while not odd.os.path.exists(odd.__file__ + ".go"):
            pass
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        except OSError:
            raise Broken
    if stage == "upload":
        await read_all(receive, send, kind == "answer")
    if stage == "call":
        odd.boom(kind)
    if stage == "begin":
        await asyncio.sleep(0)
        odd.boom(kind)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"whole", "more_body": True})
    if stage == "middle":
        odd.boom(kind)
    await send({"type": "http.response.body", "body": b""})
    if stage == "close":
        odd.boom(kind)
'''
HANDLER = '''
from mod_python import apache
import odd

def handler(req):
    stage, kind = req.uri.split("/")[-2:]
    if stage == "call":
        odd.boom(kind)
    if stage == "close":
        req.register_cleanup(odd.boom, kind)
    if stage == "log":
        apache.log_error("lone \\udce9 of the module")
        req.log_error("lone \\udce9 of the request")
    req.write("whole")
    if stage == "middle":
        odd.boom(kind)
    return apache.OK
'''
STREAMS = '''
import sys

sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)

def application(environ, start_response):
    out = sys.stdout.buffer
    out.write(b"caf\\xc3")
    out.write(b"\\xa9 in two pieces\\n")
    out.write(bytearray(b"no UTF-8: \\xff\\n"))
    out.write(memoryview(b"a view of bytes\\n"))
    print("text", flush=True)
    sys.stderr.buffer.writelines([b"to ", b"stderr\\n"])
    out.flush()
    start_response("200 OK", [])
    return [f"{sys.stdout.isatty()} {sys.stdout.encoding} {out.fileno() == sys.stdout.fileno()}".encode()]
'''
CONF = '''
PythonPath "['@ROOT@/app'] + sys.path"
PyWSGIAlias /wsgi of_wsgi
<Location /asgi>
    SetHandler asgi
    PyWSGIApplication of_asgi:app
</Location>
<Location /handler>
    SetHandler mod_python
    PythonHandler of_handler
</Location>
<Location /handler/shown>
    PythonDebug On
</Location>
'''
KINDS = ["BaseException", "SystemExit", "KeyboardInterrupt", "StopIteration", "GeneratorExit", "MemoryError", "CancelledError", "GreenletExit",
         "BaseExceptionGroup", "LookupError", "Unspeakable", "RecursionError"]
STAGES = [("wsgi", "call"), ("wsgi", "begin"), ("wsgi", "middle"), ("wsgi", "close"), ("asgi", "call"), ("asgi", "begin"), ("asgi", "middle"),
          ("asgi", "close"), ("handler", "call"), ("handler", "middle"), ("handler", "close")]
FAULTS = r"(wsgi|python|asgi):error|^Traceback|^  "


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    return module_server(CONF, {"app/odd.py": ODD, "app/of_wsgi.py": WSGI, "app/of_asgi.py": ASGI, "app/of_handler.py": HANDLER}, check_fds=False)


@pytest.fixture
def host(shared: Server) -> Iterator[Server]:
    with shared.checked():
        yield shared


def answer(host: Server, path: str) -> str:
    """The status, or that the response was cut; the connection's next request is answered where there may be one."""
    with host.client() as client:
        try:
            status = client.request("GET", path).status
        except ProtocolError:
            return "cut"
        assert client.request("GET", "/wsgi/pid/0").body == host.get("/wsgi/pid/0").body
        return str(status)


def logged(host: Server) -> str:
    """What this test has in the error log."""
    return "\n".join(host.error_log.splitlines()[host.checked_lines:])


@pytest.mark.parametrize(("interface", "stage"), STAGES)
def test_odd_exceptions_are_logged_whole_and_the_worker_lives(host: Server, interface: str, stage: str) -> None:
    host.allow_log(FAULTS)
    pid = host.get("/wsgi/pid/0").body
    expected = {"call": "500", "begin": "500", "middle": "cut", "close": "200"}[stage]
    assert {kind: answer(host, f"/{interface}/{stage}/{kind}") for kind in KINDS} == dict.fromkeys(KINDS, expected)
    wait_until(lambda: all(re.search(rf"(?m)(: |\] |\.|\| ){kind}(:|$| \()", logged(host)) for kind in KINDS), "all of them are in the log")
    assert "cannot be reported" not in logged(host)
    assert host.get("/wsgi/pid/0").body == pid


def test_what_is_no_text_is_logged_and_shown_with_escapes(host: Server) -> None:
    host.allow_log(FAULTS)
    page = host.get("/handler/shown/call/LookupError")
    assert page.status == 500 and r"lone \udce9, NUL" in page.text
    assert host.get("/handler/log/0").body == b"whole"
    host.expect_log(r"lone \\+udce9, NUL \\x00, €")
    host.expect_log(r"lone \\+udce9 of the module")
    host.expect_log(r"lone \\+udce9 of the request")


@pytest.mark.parametrize("answers", ["answer", "raise"])
def test_an_upload_that_breaks_off_is_no_fault_of_an_asgi_application(host: Server, answers: str) -> None:
    with host.client() as client:
        client.send(f"POST /asgi/upload/{answers} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode())
        client.half_close()
        assert client.read_response().status == (500 if answers == "answer" else 400)
    host.expect_log(r"asgi:info.*the request body did not come whole: Broken")


def test_a_client_that_goes_unseen_is_no_fault_of_an_asgi_application(host: Server) -> None:
    """The loop is busy and hears nothing of it: send() is the first to know."""
    client = host.client()
    client.send(b"GET /asgi/busy/0 HTTP/1.1\r\nHost: x\r\n\r\n")
    while b"begun" not in client.received:
        assert client.fill()
    client.reset()
    host.write("app/odd.py.go", "")
    host.expect_log("asgi:info.*the client went away")


def test_an_upload_that_is_too_large_is_answered_so(host: Server) -> None:
    with host.client() as client:
        client.send(b"POST /asgi/upload/raise HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n")
        assert client.read_response().status == 413


def test_streams_of_a_handler_are_what_programs_expect_of_them(server: Callable[..., Server]) -> None:
    host = server('PyWSGIAlias / "@ROOT@/app.py"', {"app.py": STREAMS})
    assert host.get("/").body == b"False utf-8 True"
    for words in ("caf\u00e9 in two pieces", r"no UTF-8: \\xff", "a view of bytes", "text", "to stderr"):
        host.expect_log(f"^{words}$")

"""Pieces of an answer, such as req.write() flushes: what was written waits for more of the answer and for other answers (csrc/conn_soon.c), never for a handler that takes long."""
from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import Client, build_request
from support.server import Server, wait_until
from support.stuck import STAY, let_go, wait_for_stuck

HANDLER = STAY + '''
import time
from mod_python import apache

def handler(req):
    what, _, fifo = (req.args or "").partition(",")
    req.content_type = "text/plain"
    return globals()[what](req, fifo)

def whole(req, _):
    req.write("whole")
    return apache.OK

def first_then_stuck(req, fifo):
    req.write("first,")
    stay(fifo)
    req.write("last")
    return apache.OK

def stuck_then_whole(req, fifo):
    stay(fifo)
    req.write("whole")
    return apache.OK

def first_then_wait(req, fifo):
    req.write("first,")
    while not os.path.exists(fifo):
        time.sleep(0.005)
    req.write("last")
    return apache.OK

def first_then_failure(req, _):
    req.write("first,")
    raise ValueError("after the first")

def many(req, _):
    for number in range(3000):
        req.write("%d," % number)
    return apache.OK

def mixed(req, _):
    for number in range(40):
        req.write("%d" % (number % 10) * (1, 100, 9000, 20000, 70000)[number % 5], number % 3)
    req.flush()
    req.sendfile(__file__, 0, 10)
    req.write("end")
    return apache.OK

def after_length(req, _):
    req.set_content_length(10)
    req.write("first")
    req.write("later")
    return apache.OK
'''
APP = STAY + '''
def application(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    yield b"first,"
    if fifo := environ["QUERY_STRING"].partition(",")[2]:
        stay(fifo)
    yield b"last"

async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first,", "more_body": True})
    if fifo := scope["query_string"].decode().partition(",")[2]:
        stay(fifo)
    await send({"type": "http.response.body", "body": b"last"})
'''
CONF = """
PyWSGIAlias /wsgi "@ROOT@/www/blocks.py:application"
PyASGIAlias /asgi "@ROOT@/www/blocks.py:asgi"
PyTimeSlice Off
PyBlockedWarning Off
PythonPath "['@ROOT@/www'] + sys.path"
<Location />
    SetHandler mod_python
    PythonHandler writes
</Location>
<Location /wsgi>
    SetHandler wsgi
</Location>
<Location /asgi>
    SetHandler asgi
</Location>
<Location /off>
    PyGreen Off
</Location>
"""


FUTEX = "202" if platform.machine() == "x86_64" else "98"


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    return module_server(CONF, {"www/writes.py": HANDLER, "www/blocks.py": APP}, workers=1, check_fds=False)  # asyncio's loop has some of its own


@pytest.fixture
def host(shared: Server) -> Iterator[Server]:
    with shared.checked():
        for _ in range(3):  # so that answers of the next turns may wait for each other
            assert shared.get("/?whole").text == "whole"
        yield shared


def read_chunk(client: Client, text: bytes) -> None:
    wanted = b"%x\r\n%s\r\n" % (len(text), text)
    assert client.read_exactly(len(wanted)) == wanted


@pytest.mark.parametrize("path", ["/", "/off", "/wsgi", "/asgi"])
def test_what_was_written_goes_out_while_its_handler_is_stuck(path: str, host: Server, fifo: Path) -> None:
    client = host.client().send(build_request("GET", f"{path}?first_then_stuck,{fifo}"))
    assert client.read_head().header("Transfer-Encoding") == "chunked"
    read_chunk(client, b"first,")
    wait_for_stuck(fifo)  # still
    let_go(fifo)
    read_chunk(client, b"last")
    read_chunk(client, b"")
    assert client.request("GET", "/?whole").text == "whole"


def test_it_goes_out_where_nothing_was_watched_for_long(host: Server, fifo: Path) -> None:
    [pid] = host.workers()
    [watcher] = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid)]
    if not os.access(watcher / "syscall", os.R_OK):
        pytest.skip("/proc does not show system calls here")
    wait_until(lambda: (watcher / "syscall").read_text().split()[0] == FUTEX, "the sentinel rests")
    test_what_was_written_goes_out_while_its_handler_is_stuck("/", host, fifo)


def test_what_was_written_goes_out_while_its_handler_waits(host: Server, tmp_path: Path) -> None:
    client = host.client().send(build_request("GET", f"/?first_then_wait,{tmp_path / 'go'}"))
    client.read_head()
    read_chunk(client, b"first,")
    (tmp_path / "go").touch()
    read_chunk(client, b"last")
    read_chunk(client, b"")


@pytest.mark.parametrize("quick", ["whole", "after_length"])
def test_what_waits_behind_a_handler_that_was_stuck_does_not_wait_for_the_next_one(quick: str, host: Server, fifo: Path, other_fifo: Path) -> None:
    """The watch ends with what it has sent, and begins anew with what waits then."""
    opener = host.client().send(build_request("GET", f"/?stuck_then_whole,{fifo}"))
    wait_for_stuck(fifo)  # what comes now is read in one turn
    targets = [quick, f"stuck_then_whole,{other_fifo}", quick, f"stuck_then_whole,{fifo}", quick]
    clients = [host.client().send(build_request("GET", f"/?{target}")) for target in targets]
    text = {"whole": "whole", "after_length": "firstlater"}[quick]
    let_go(fifo)
    assert opener.read_response().text == "whole"
    wait_for_stuck(other_fifo)
    assert clients[0].read_response().text == text
    let_go(other_fifo)
    assert clients[1].read_response().text == "whole"
    assert clients[2].read_response().text == text
    wait_for_stuck(fifo)  # still
    let_go(fifo)
    assert [client.read_response().text for client in clients[3:]] == ["whole", text]


def test_what_was_written_before_a_failure_comes(host: Server) -> None:
    with host.client() as client:
        client.send(build_request("GET", "/?first_then_failure"))
        client.read_head()
        read_chunk(client, b"first,")
        client.expect_close()
    host.allow_log("ValueError: after the first|writes|handler|globals")


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("head", [{}, {"Connection": "close"}])
def test_all_of_it_comes_in_order(host: Server, version: str, head: dict[str, str]) -> None:
    wanted = {"many": "".join(f"{number}," for number in range(3000)), "after_length": "firstlater", "whole": "whole",
              "mixed": "".join(f"{number % 10}" * (1, 100, 9000, 20000, 70000)[number % 5] for number in range(40)) + HANDLER[:10] + "end"}
    clients = {(what, number): host.client() for what in wanted for number in range(5)}
    for (what, _), client in clients.items():
        client.send(build_request("GET", f"/?{what}", head, version=version))
    for (what, _), client in clients.items():
        assert client.read_response().text == wanted[what]


def test_pipelined_answers_come_in_order(host: Server) -> None:
    with host.client() as client:
        client.send(b"".join(build_request("GET", f"/?{what}") for what in ("whole", "many", "after_length") * 10))
        for _ in range(10):
            assert [client.read_response().text[-5:] for _ in range(3)] == ["whole", "2999,", "later"]


def test_client_that_goes_meanwhile_harms_nobody(host: Server, fifo: Path) -> None:
    opener = host.client().send(build_request("GET", f"/?stuck_then_whole,{fifo}"))
    wait_for_stuck(fifo)
    gone = [host.client().send(build_request("GET", f"/?{what}")) for what in ("whole", "many", "first_then_failure", "mixed") * 2]
    stays = host.client().send(build_request("GET", "/?whole"))
    for client in gone:
        client.reset()
    let_go(fifo)
    assert opener.read_response().text == stays.read_response().text == "whole"
    host.allow_log("ValueError: after the first|writes|handler|globals|client closed connection")

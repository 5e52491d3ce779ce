"""What a turn reads together (csrc/conn_read.c) and sends together (csrc/conn_soon.c): nothing is kept by a handler that takes long, comes out of order, is
lost, or gets to another connection."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import build_request
from support.server import Server
from support.stuck import STAY, let_go, wait_for_stuck

APP = STAY + '''
def whole(start, *more):
    """An application of one block whose length is announced, so that the answer is whole with it."""
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5"), *more])

def after_the_last_block(fifo):
    yield b"block"
    stay(fifo)

class Closing:
    def __init__(self, fifo):
        self.fifo, self.blocks = fifo, iter([b"block"])

    def __iter__(self):
        return self.blocks

    def close(self):
        stay(self.fifo)

def application(environ, start):
    fifo = environ["QUERY_STRING"]
    match environ["PATH_INFO"]:
        case "/list":
            whole(start)
            return [b"block"]
        case "/iterator":
            whole(start)
            return iter([b"block"])
        case "/more":
            whole(start)
            return iter([b"block", b"that is", b"cut"])
        case "/halves":
            whole(start)
            return iter([b"blo", b"ck"])
        case "/write":
            write = start("200 OK", [("Content-Length", "5")])
            write(b"block")
            return []
        case "/echo":
            body = environ["wsgi.input"].read()
            answer = ",".join([environ["QUERY_STRING"], str(len(environ.get("HTTP_X_LONG", ""))), str(len(body)), body[-4:].decode()]).encode()
            start("200 OK", [("Content-Length", str(len(answer)))])
            return [answer]
        case "/page":
            page = environ["QUERY_STRING"].encode()
            page *= int(environ["QUERY_STRING"])
            start("200 OK", [("Content-Length", str(len(page)))])
            return [page]
        case "/stuck":
            stay(fifo)
            whole(start)
            return [b"stuck"]
        case "/stuck-after":
            whole(start)
            return after_the_last_block(fifo)
        case "/stuck-in-close":
            whole(start)
            return Closing(fifo)
'''
QUICK = ["/list", "/iterator", "/halves", "/write"]


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    return module_server('PyTimeSlice Off\nPyBlockedWarning Off\nPyWSGIAlias / "@ROOT@/app/app.py"\n', {"app/app.py": APP}, workers=1)


@pytest.fixture
def host(shared: Server) -> Iterator[Server]:
    with shared.checked():
        for _ in range(3):  # so that answers of the next turns may wait for each other
            assert shared.get("/list").text == "block"
        yield shared


@pytest.mark.parametrize("quick", QUICK)
def test_answer_that_is_ready_does_not_wait_for_a_handler_that_is_stuck(quick: str, host: Server, fifo: Path, other_fifo: Path) -> None:
    first = host.client().send(build_request("GET", f"/stuck?{fifo}"))
    wait_for_stuck(fifo)  # what comes now is read in one turn
    clients = [host.client().send(build_request("GET", path)) for path in (quick, f"/stuck?{other_fifo}", quick)]
    let_go(fifo)
    assert first.read_response().text == "stuck"
    assert clients[0].read_response().text == "block"
    wait_for_stuck(other_fifo)  # still
    let_go(other_fifo)
    assert [client.read_response().text for client in clients[1:]] == ["stuck", "block"]


@pytest.mark.parametrize("path", ["/stuck-after", "/stuck-in-close"])
def test_whole_answer_does_not_wait_for_what_its_application_does_afterwards(path: str, host: Server, fifo: Path) -> None:
    client = host.client().send(build_request("GET", f"{path}?{fifo}"))
    assert client.read_response().text == "block"
    wait_for_stuck(fifo)
    let_go(fifo)
    assert client.request("GET", "/list").text == "block"


@pytest.mark.parametrize("path", ["/list", "/iterator", "/more", "/halves", "/write"])
def test_pipelined_requests_are_answered_in_order(path: str, host: Server) -> None:
    with host.client() as client:
        client.send(b"".join(build_request(method, target) for method, target in [("GET", path), ("HEAD", path), ("GET", "/missing")] * 20))
        for _ in range(20):
            assert client.read_response().text == "block"
            assert client.read_response(head=True).header("Content-Length") == "5"
            assert client.read_response().status == 500
    host.allow_log("wsgi:error|asgi:error|python:error|its Content-Length is 5: the rest was cut")


@pytest.mark.parametrize("path", ["/list", "/iterator", "/more", "/halves", "/write"])
@pytest.mark.parametrize("head", [{"Connection": "close"}, {}])
def test_last_answer_is_whole_when_the_connection_ends(path: str, head: dict[str, str], host: Server) -> None:
    clients = [host.client() for _ in range(8)]
    for client in clients:
        client.send(build_request("GET", path, head))
        if not head:
            client.half_close()
    for client in clients:
        assert client.read_response().text == "block"
        client.expect_close()
    host.allow_log("its Content-Length is 5: the rest was cut")


def test_client_that_goes_before_its_answer_is_sent_harms_nobody(host: Server, fifo: Path) -> None:
    first = host.client().send(build_request("GET", f"/stuck?{fifo}"))
    wait_for_stuck(fifo)
    gone = [host.client().send(build_request("GET", "/iterator")) for _ in range(5)]
    stays = host.client().send(build_request("GET", "/iterator"))
    for client in gone:
        client.reset()
    let_go(fifo)
    assert first.read_response().text == "stuck"
    assert stays.read_response().text == "block"
    assert host.get("/list").text == "block"


def request_of_size(size: int, number: int) -> tuple[bytes, int]:
    """A request that is size bytes long, and the length of its long field."""
    short = len(build_request("GET", f"/echo?{number}", {"X-Long": ""}))
    return build_request("GET", f"/echo?{number}", {"X-Long": "x" * (size - short)}), size - short


def test_every_connection_that_a_turn_reads_gets_what_is_its_own(host: Server, fifo: Path) -> None:
    clients = [host.client() for _ in range(200)]
    for client in clients:
        assert client.request("GET", "/list").text == "block"
    first = host.client().send(build_request("GET", f"/stuck?{fifo}"))
    wait_for_stuck(fifo)  # what comes now is read in one turn
    wanted: list[list[str]] = []
    for number, client in enumerate(clients):
        match number % 8:
            case 0 | 1 | 2:  # the bounds of what is read together
                data, length = request_of_size(2047 + number % 8, number)
                client.send(data)
                wanted.append([f"{number},{length},0,"])
            case 3:
                body = b"%d" % (1000 + number)
                client.send(build_request("POST", f"/echo?{number}", body=b"." * 30000 + body))
                wanted.append([f"{number},0,{30000 + len(body)},{body.decode()}"])
            case 4:
                client.send(build_request("GET", f"/echo?{number}") + build_request("GET", f"/echo?{number}-again"))
                wanted.append([f"{number},0,0,", f"{number}-again,0,0,"])
            case 5:
                client.send(build_request("GET", f"/echo?{number}")).half_close()
                wanted.append([f"{number},0,0,"])
            case 6:
                client.reset()
                wanted.append([])
            case _:
                client.send(build_request("GET", f"/echo?{number}"))
                wanted.append([f"{number},0,0,"])
    let_go(fifo)
    assert first.read_response().text == "stuck"
    assert [[client.read_response().text for _ in texts] for client, texts in zip(clients, wanted, strict=True)] == wanted


def test_pages_that_are_sent_together_are_whole(host: Server, fifo: Path) -> None:
    """Of sizes around what may wait (16 KiB), together more than the room for what waits (256 KiB), for clients that read late."""
    sizes = [3000, 3270, 3280, 3290, 4100] * 12  # times the four characters of the number
    clients = [host.client() for _ in sizes]
    for client in clients:
        assert client.request("GET", "/list").text == "block"
    first = host.client().send(build_request("GET", f"/stuck?{fifo}"))
    wait_for_stuck(fifo)
    for client, size in zip(clients, sizes, strict=True):
        client.send(build_request("GET", f"/page?{size}") * 20)
    let_go(fifo)
    assert first.read_response().text == "stuck"
    for client, size in zip(clients, sizes, strict=True):
        assert [client.read_response().text == str(size) * size for _ in range(20)] == [True] * 20

"""What the hot path does for speed must not be seen: environs that serve again, contexts that serve again, answers that go out together."""
from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from support.client import Client
from support.server import Server, wait_until

Start = Callable[..., Server]

APPLICATION = r"""
import contextvars, json

KEPT = []
VARIABLE = contextvars.ContextVar("variable", default="unset")

def application(environ, start_response):
    path = environ["PATH_INFO"]
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    seen["variable"] = VARIABLE.get()
    seen["gone"] = bool(environ["pyhost.client_gone"])
    if path == "/change":
        environ["left.behind"] = "x"
    elif path == "/replace":
        environ["HTTP_HOST"] = "another"
    elif path == "/delete":
        del environ["HTTP_ACCEPT"]
    elif path == "/keep":
        KEPT.append(environ)
    elif path == "/ask":
        KEPT.append(environ["pyhost.client_gone"])
    elif path == "/variable":
        VARIABLE.set("set")
    elif path == "/kept":
        seen = {"kept": [kept["PATH_INFO"] if isinstance(kept, dict) else bool(kept) for kept in KEPT]}
    elif path == "/write":
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        KEPT.append(write)
        return [b"and returned"]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]
"""
MOUNT = 'PyWSGIAlias / "@ROOT@/app.py"\nMaxKeepAliveRequests 0\n'
HEADERS = [("Host", "one"), ("Accept", "text/html"), ("User-Agent", "test")]


def environ_of(client: Client, path: str, headers: list[tuple[str, str]] | None = None) -> dict[str, str]:
    seen: dict[str, str] = json.loads(client.request("GET", path, headers or HEADERS).text)
    return seen


def test_what_an_application_does_to_its_environ_stays_with_the_request(server: Start) -> None:
    host = server(MOUNT, {"app.py": APPLICATION})
    with host.client() as client:
        fresh = environ_of(client, "/plain")
        for path in ("/plain", "/change", "/replace", "/delete", "/keep", "/ask", "/variable", "/plain"):
            environ_of(client, path)
            assert environ_of(client, "/plain") == fresh, path
        assert client.request("GET", "/write", HEADERS).text == "written and returned"
        assert environ_of(client, "/plain") == fresh


def test_an_environ_that_is_kept_is_nobody_elses(server: Start) -> None:
    host = server(MOUNT, {"app.py": APPLICATION})
    with host.client() as client:
        for path in ("/plain", "/keep", "/other", "/ask", "/third"):
            environ_of(client, path)
        assert environ_of(client, "/kept") == {"kept": ["/keep", False]}


def test_each_request_has_its_own_headers_query_method_and_port(server: Start) -> None:
    host = server(MOUNT, {"app.py": APPLICATION})
    with host.client() as client, host.client() as second:
        first = environ_of(client, "/plain?a=1")
        assert first["QUERY_STRING"] == "a=1" and environ_of(client, "/plain")["QUERY_STRING"] == ""
        more = environ_of(client, "/plain", [*HEADERS, ("Cookie", "a=b")])
        assert more["HTTP_COOKIE"] == "a=b" and "HTTP_COOKIE" not in environ_of(client, "/plain")
        assert environ_of(client, "/plain", [("Host", "one"), ("Accept", "a"), ("Accept", "b")])["HTTP_ACCEPT"] == "a, b"
        assert environ_of(client, "/plain", [("Host", "one"), ("Accept", "c"), ("X-Other", "d")]).get("HTTP_USER_AGENT") is None
        assert environ_of(client, "/plain", [("Host", "two"), ("Accept", "c"), ("User-Agent", "d")])["SERVER_NAME"] == "two"
        posted = json.loads(client.request("POST", "/plain", HEADERS, b"body").text)
        assert (posted["REQUEST_METHOD"], posted["CONTENT_LENGTH"]) == ("POST", "4")
        brewed = json.loads(client.request("BREW", "/plain", HEADERS).text)
        assert brewed["REQUEST_METHOD"] == "BREW" and "CONTENT_LENGTH" not in brewed
        assert environ_of(client, "/plain")["REQUEST_METHOD"] == "GET"
        assert environ_of(second, "/plain")["REMOTE_PORT"] != environ_of(client, "/plain")["REMOTE_PORT"]


MANY = """
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    req.write((req.args + " ") * (2000 if req.args.endswith("7") else 1), 0)
    return apache.OK
"""
HANDLER = """
<Location />
    SetHandler mod_python
    PythonPath "['@ROOT@'] + sys.path"
    PythonHandler many
</Location>
MaxKeepAliveRequests 0
CustomLog "@ROOT@/many.log" "%q %X %>s"
"""


def test_answers_that_go_out_together_are_whole_in_order_and_logged_once(server: Start) -> None:
    host = server(HANDLER, {"many.py": MANY})
    clients, requests = 24, 20

    def ask(number: int) -> None:
        with host.client() as client:
            names = [f"{number}.{i}" for i in range(requests)]
            client.send(b"".join(f"GET /?{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for name in names))
            for name in names:
                assert client.read_response().text == f"{name} " * (2000 if name.endswith("7") else 1)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(clients)))
    wait_until(lambda: len(host.read("many.log").splitlines()) == clients * requests, "every answer is logged")
    assert len(set(host.read("many.log").splitlines())) == clients * requests


def test_a_client_that_resets_takes_no_answer_of_another_with_it(server: Start) -> None:
    host = server(HANDLER, {"many.py": MANY})
    with contextlib.ExitStack() as stack:
        stay = [stack.enter_context(host.client()) for _ in range(8)]
        for turn in range(10):
            leave = [host.client() for _ in range(8)]
            for one, other in zip(leave, stay, strict=True):
                one.send(b"GET /?gone HTTP/1.1\r\nHost: x\r\n\r\n")
                one.reset()
                other.send(f"GET /?{turn} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            for other in stay:
                assert other.read_response().text == f"{turn} " * (2000 if turn == 7 else 1)

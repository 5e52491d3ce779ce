"""apache-conf: the quickstart does what its page promises, and each step of the tutorial answers as its comment says."""
from __future__ import annotations

import base64
import concurrent.futures
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pyhost.folder import find
from support.server import Server
from support.websocket import HEAD, TEXT, Socket, frame

SAMPLES = Path(__file__).resolve().parent.parent / "apache-conf"


def test_quickstart_answers(sample: Callable[..., Server]) -> None:
    host = sample("quickstart.conf")
    assert "Drop" not in host.get("/").text and "What to try next" in host.get("/").text
    assert host.get("/static/plain.txt").text == "A file that is served as it is.\n"
    assert 'href="./plain.txt"' in host.get("/static/").text
    assert host.get("/published/greet?name=you").text == "Hello, you!\n"
    assert host.get("/app/a/b").text == "GET of /a/b below /app\n"
    assert "headers" not in host.get("/env").text and "Host: " in host.get("/env", {"Host": "localhost"}).text
    assert [host.get(path).status for path in ("/nosuch", "/__pycache__/env.py", "/.hidden", "/env.txt", "/_x")] == [404] * 5
    assert host.get("/env.py").text.startswith("GET /env.py HTTP/1.1")


def test_quickstart_runs_dropped_modules_and_their_changes(sample: Callable[..., Server]) -> None:
    host = sample("quickstart.conf")
    hello = host.conf_file.parent / "handlers" / "hello.py"
    assert host.get("/hello").status == 404
    hello.write_text("def handler(req):\n    req.write('one')\n    return 0\n")
    assert host.get("/hello").text == "one"
    assert '<a href="/hello">/hello</a>' in host.get("/").text
    hello.write_text("def handler(req):\n    req.write('another')\n    return 0\n")
    assert host.get("/hello").text == "another"
    hello.write_text("def handler(req):\n    req.write('broken'\n")
    answer = host.get("/hello")
    assert answer.status == 500 and "SyntaxError" in answer.text
    host.expect_log("SyntaxError")
    host.allow_log("PythonHandler pyhost.folder")
    assert host.get("/wait?seconds=0").status == 200
    hello.write_text("def handler(req):\n    req.write('whole again')\n    return 0\n")
    assert host.get("/hello").text == "whole again"
    hello.unlink()
    assert host.get("/hello").status == 404


def test_quickstart_waits_for_many_at_once(sample: Callable[..., Server]) -> None:
    host = sample("quickstart.conf")
    host.get("/wait?seconds=0")
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: host.get("/wait?seconds=0.3").status, range(20)))
    assert answers == [200] * 20 and time.monotonic() - started < 3  # 6 s one after the other


def test_static_step(sample: Callable[..., Server]) -> None:
    host = sample("1-static.conf")
    assert host.get("/plain.txt").header("Cache-Control") == "max-age=3600"
    assert host.get("/old.txt").status == 301 and (host.get("/old.txt").header("Location") or "").endswith("/plain.txt")
    assert host.get("/nothing").text.startswith("There is nothing of this name here.")
    assert "style.css" in host.get("/").text


def test_handler_step(sample: Callable[..., Server]) -> None:
    host = sample("2-handler.conf")
    assert "QUERY_STRING=a=b" in host.get("/env/some/path?a=b").text
    assert host.get("/wait?seconds=0").status == 200


def test_publisher_step(sample: Callable[..., Server]) -> None:
    host = sample("3-publisher.conf")
    assert host.get("/greet?name=you").text == "Hello, you!\n" and host.get("/add?a=1&b=2").text == "3\n"
    assert "Try" in host.get("/").text and host.get("/_private").status in (403, 404)


def test_wsgi_step(sample: Callable[..., Server]) -> None:
    host = sample("4-wsgi.conf")
    assert [host.get("/counter/x").text.split()[1] for _ in range(2)] == ["1", "2"]
    assert "path /x\n" in host.get("/counter/x").text and host.get("/plain.txt").status == 200


def test_vhosts_step(sample: Callable[..., Server]) -> None:
    host = sample("5-vhosts.conf")
    assert "The documentation" in host.get("/", {"Host": "docs.example"}).text
    assert "The documentation" in host.get("/", {"Host": "a.docs.example"}).text
    assert host.get("/", {"Host": "app.example"}).text == "app.example in interpreter app.example\n"


def test_access_step(sample: Callable[..., Server]) -> None:
    host = sample("6-access.conf")
    host.allow_log("core:error|user|denied|auth")

    def login(text: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    refused = host.get("/members")
    assert refused.status == 401 and refused.header("WWW-Authenticate") == 'Basic realm="Members"'
    assert host.get("/members", login("me:wrong")).status == 401
    assert host.get("/members", login("me:secret")).text == "Welcome, me.\n"
    assert host.get("/nobody").status == 403 and host.get("/from-here").status == 302
    assert host.request("DELETE", "/from-here").status == 403


def test_production_step(sample: Callable[..., Server]) -> None:
    host = sample("7-production.conf", "-c", "Listen 127.0.0.1:0")
    host.allow_log("denied")
    answer = host.get("/plain.txt")
    assert answer.status == 200 and answer.header("Server") == "pyhost"
    assert host.get("/.htaccess").status == 403


def test_application_step(sample: Callable[..., Server]) -> None:
    host = sample("8-application.conf")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    first = host.get("/")
    cookie = {"Cookie": (first.header("Set-Cookie") or "").partition(";")[0]}
    token = first.text.partition('name="token" value="')[2][:32]
    assert host.request("POST", "/enter", cookie | form, b"name=me&token=wrong").status == 403
    assert host.request("POST", "/enter", form, f"name=me&token={token}".encode()).status == 403
    assert host.get(f"/enter?name=me&token={token}", cookie).status == 405
    assert host.request("POST", "/enter", cookie | form, f"name=me&token={token}".encode()).status == 302
    assert '<b id="who">me</b>' in host.get("/", cookie).text
    assert [host.get(path).status for path in ("/opened", "/folder", "/store", "/store/add", "/secrets", "/PAGE/join", "/picture?number=1",
                                            "/picture?number=x")] == [403, 403, 403, 403, 403, 403, 404, 404]
    large = b"--B\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"x.png\"\r\n\r\n" + b"x" * 5_000_001 + b"\r\n--B--\r\n"
    assert host.request("POST", "/add", cookie | {"Content-Type": "multipart/form-data; boundary=B"}, large).status == 413
    assert "mod_python.form.max_file_bytes (5000000)" in host.stderr
    assert host.request("POST", "/leave", cookie | form, f"token={token}".encode()).status == 302
    assert "Who are you?" in host.get("/", cookie).text


def test_pages_step(sample: Callable[..., Server]) -> None:
    host = sample("9-pages.conf")
    first = host.get("/")
    cookie = {"Cookie": (first.header("Set-Cookie") or "").partition(";")[0]}
    assert "<td>16</td>" in first.text and "1 times.\nWelcome.</p>" in first.text and "2 times.\nWelcome back.</p>" in host.get("/", cookie).text
    assert "<td>49</td>" in host.get("/?rows=7", cookie).text and "rows must be 1 to 12" in host.get("/?rows=99", cookie).text
    assert "&lt;%= i * j %&gt;" in host.get("/index.psp_").text and host.get("/head.inc").status == 403
    host.allow_log("client denied|AH|core:error")


def test_all_samples_are_tested() -> None:
    text = Path(__file__).read_text()
    assert not [path.name for path in SAMPLES.glob("*.conf") if f'sample("{path.name}"' not in text]


@pytest.mark.parametrize("path, found", [
    ("", ("index.py", "")), ("/", ("index.py", "")), ("/a", ("a.py", "")), ("/a/", ("a.py", "/")), ("/a.py", ("a.py", "")),
    ("/a/b/c", ("a.py", "/b/c")), ("/sub/", ("sub/index.py", "")), ("/sub", ("sub/index.py", "")), ("/sub/d/x", ("sub/d.py", "/x")),
    ("/none", None), ("/empty/", None), ("/_p", None), ("/.a", None), ("/sub/_p", None), ("/../a", None), ("/sub/../a", None), ("/a\0", None)])
def test_folder_finds_modules(path: str, found: tuple[str, str] | None, tmp_path: Path) -> None:
    for name in ("index.py", "a.py", "_p.py", "sub/index.py", "sub/d.py", "sub/_p.py", "empty/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    result = find(f"{tmp_path}/", path)
    assert (result and (result[0].removeprefix(f"{tmp_path}/"), result[1])) == found


def test_websocket(sample: Callable[..., Server]) -> None:
    host = sample("10-websocket.conf")
    assert "new WebSocket(" in host.get("/").text
    assert host.get("/room.py").status == 403
    host.allow_log("client denied")
    socks = [Socket(("127.0.0.1", host.port)) for _ in range(2)]
    host.clients += socks
    for sock in socks:
        sock.open("/chat", {"Origin": "http://localhost"})
    socks[0].send(frame(TEXT, b"one: hello"))
    assert [sock.read_message() for sock in socks] == [(TEXT, b"one: hello")] * 2
    late = Socket(("127.0.0.1", host.port))
    host.clients.append(late)
    late.open("/chat")
    assert late.read_message() == (TEXT, b"one: hello")
    assert host.client().request("GET", "/chat", {**HEAD, "Origin": "http://elsewhere"}).status == 403


def test_cgi(sample: Callable[..., Server]) -> None:
    host = sample("12-cgi.conf")
    page = host.get("/cgi-bin/form")
    assert page.header("Content-Type") == "text/html; charset=utf-8" and "GET by form, process " in page.text
    assert "<pre>word=a+%26lt&lt;</pre>" in host.request("POST", "/cgi-bin/form", body=b"word=a+%26lt<").text
    assert host.get("/tools/").text == "1\n2\n3\n" == host.get("/tools/count.cgi").text


def test_asgi_beside_wsgi(sample: Callable[..., Server]) -> None:
    host = sample("11-asgi.conf")
    events = host.get("/async/events")
    assert events.header("Content-Type") == "text/event-stream" and events.text.count("data: event ") == 5
    assert host.get("/async/other").status == 404
    assert host.get("/counter").status == 200

"""Real applications of the frameworks that people use, by WSGI and by ASGI, over real connections."""
from __future__ import annotations

import hashlib
import http.cookiejar
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import build_request
from support.server import Server

SITE = Path(__file__).parent / "apps" / "django_site"
Start = Callable[..., Server]


def app(server: Start, text: str, interface: str = "wsgi", path: str = "/", more: str = "") -> Server:
    how = (f'PyWSGIAlias {path} "@ROOT@/app.py"' if interface == "wsgi" else
           f'<Location {path}>\nSetHandler asgi\nPyWSGIApplication "@ROOT@/app.py"\n</Location>')
    host = server(how + "\n" + more, {"app.py": textwrap.dedent(text)})
    host.check_fds = False
    return host


class Browser:
    """urllib with cookies."""

    def __init__(self, host: Server, address: str = "localhost") -> None:
        self.base = f"http://127.0.0.1:{host.port}"
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def open(self, path: str, data: bytes | dict[str, str] | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
        body = urllib.parse.urlencode(data).encode() if isinstance(data, dict) else data
        request = urllib.request.Request(self.base + path, body, {"Referer": self.base + path, **(headers or {})})
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")


def form(name: str, content: bytes, **fields: str) -> tuple[bytes, str]:
    """A multipart/form-data body and its type."""
    parts = [b'--xyz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (key.encode(), value.encode()) for key, value in fields.items()]
    parts.append(b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: application/x-data\r\n\r\n' % name.encode())
    return b"".join(parts) + content + b"\r\n--xyz--\r\n", "multipart/form-data; boundary=xyz"


def test_flask(server: Start) -> None:
    pytest.importorskip("flask")
    host = app(server, '''
        import time
        from flask import Flask, Response, abort, redirect, request, send_file, session, stream_with_context
        app = Flask(__name__)
        app.secret_key = "only for tests"
        @app.route("/")
        def index():
            return f"{request.script_root} {request.method} {request.args.get('q')}"
        @app.route("/form", methods=["POST"])
        def form():
            return {"word": request.form["word"], "size": len(request.files["file"].read()), "name": request.files["file"].filename}
        @app.route("/json", methods=["POST"])
        def json():
            return {"got": request.get_json()}
        @app.route("/session")
        def count():
            session["n"] = session.get("n", 0) + 1
            return str(session["n"])
        @app.route("/stream")
        def stream():
            return Response(stream_with_context(f"{n} {request.path}," for n in range(3)))
        @app.route("/file")
        def file():
            return send_file(__file__, conditional=True)
        @app.route("/slow")
        def slow():
            time.sleep(0.2)
            return request.args["n"]
        @app.route("/boom")
        def boom():
            raise RuntimeError("on purpose")
        @app.route("/gone")
        def gone():
            abort(410)
    ''', path="/shop")
    assert host.get("/shop/?q=1").text == "/shop GET 1" and host.get("/shop/gone").status == 410
    body, kind = form("é.bin".encode().decode("latin-1"), b"x" * 200000, word="hello")
    assert json.loads(host.request("POST", "/shop/form", {"Content-Type": kind}, body).text)["size"] == 200000
    assert json.loads(host.request("POST", "/shop/json", {"Content-Type": "application/json"}, b'[1, "\xc3\xa9"]').text) == {"got": [1, "\xe9"]}
    browser = Browser(host)
    assert [browser.open("/shop/session")[1] for _ in range(3)] == ["1", "2", "3"]
    with host.client() as client:  # an upload that breaks off is no fault of the application
        client.send(build_request("POST", "/shop/form", {"Content-Type": kind, "Content-Length": str(len(body))}) + body[:-50]).half_close()
        assert client.read_response().status == 400
    assert host.get("/shop/stream").text == "0 /stream,1 /stream,2 /stream,"
    whole = host.get("/shop/file")
    assert whole.text == (host.root / "app.py").read_text()
    assert host.get("/shop/file", {"If-None-Match": str(whole.header("ETag"))}).status == 304
    assert host.get("/shop/file", {"Range": "bytes=1-5"}).text == whole.text[1:6]
    started = time.monotonic()
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(host.get(f"/shop/slow?n={n}").text)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=int) == [str(n) for n in range(20)] and time.monotonic() - started < 3  # each request saw its own context
    assert host.get("/shop/boom").status == 500
    host.expect_log("on purpose")
    host.allow_log("Exception on /boom|Traceback")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Django project with its own database and an administrator."""
    pytest.importorskip("django")
    folder = tmp_path_factory.mktemp("django") / "site"
    shutil.copytree(SITE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    env = {**os.environ, "DJANGO_SUPERUSER_PASSWORD": "secret", "DJANGO_SUPERUSER_USERNAME": "boss", "DJANGO_SUPERUSER_EMAIL": "a@example.org"}
    for command in (["makemigrations", "shop", "-v", "0"], ["migrate", "-v", "0"], ["createsuperuser", "--noinput", "-v", "0"]):
        done = subprocess.run([sys.executable, "manage.py", *command], cwd=folder, env=env, capture_output=True, text=True)
        assert not done.returncode, done.stderr
    return folder


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def django(request: pytest.FixtureRequest, module_server: Callable[..., Server], site: Path) -> Server:
    application = (f"PyWSGIAlias / mysite.{request.param}:application" if request.param == "wsgi" else
                   "<Location />\nSetHandler asgi\nPyWSGIApplication mysite.asgi:application\n</Location>")
    host = module_server(f"PythonPath \"['{site}'] + sys.path\"\n{application}\n", check_fds=False)
    host.allow_log("Not Found|StreamingHttpResponse|warn")
    return host


def token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found
    return found[1]


def test_django_admin_login_and_model(django: Server) -> None:
    browser = Browser(django)
    status, page = browser.open("/admin/login/")
    assert status == 200 and "Django administration" in page
    wrong = browser.open("/admin/login/", {"csrfmiddlewaretoken": token(page), "username": "boss", "password": "wrong", "next": "/admin/"})
    assert "correct" in wrong[1]
    status, page = browser.open("/admin/login/", {"csrfmiddlewaretoken": token(page), "username": "boss", "password": "secret", "next": "/admin/"})
    assert status == 200 and "Site administration" in page
    status, page = browser.open("/admin/shop/thing/add/")
    name = f"thing of {django.port}"
    status, page = browser.open("/admin/shop/thing/add/", {"csrfmiddlewaretoken": token(page), "name": name, "_save": "Save"})
    assert status == 200 and "was added successfully" in page
    assert name in json.loads(browser.open("/things")[1])["things"]
    assert browser.open("/admin/shop/thing/add/", {"name": "forged"})[0] == 403


def test_django_sessions(django: Server) -> None:
    one, two = Browser(django), Browser(django)
    assert [one.open("/count")[1], one.open("/count")[1], two.open("/count")[1], one.open("/count")[1]] == ["1", "2", "1", "3"]


@pytest.mark.parametrize("size", [10, 500000])
def test_django_upload(django: Server, size: int) -> None:
    content = bytes(range(250)) * (size // 250 + 1)
    body, kind = form("data.bin", content, word="hello")
    answer = json.loads(django.request("POST", "/upload", {"Content-Type": kind}, body).text)
    assert answer == {"name": "data.bin", "size": len(content), "hash": hashlib.sha256(content).hexdigest(), "word": "hello"}


def test_django_streams_files_and_coroutines(django: Server) -> None:
    assert django.get("/stream").text == "0,1,2,3,4," and django.get("/async").text == "awaited"
    assert django.get("/file").text == (SITE / "shop" / "views.py").read_text()
    assert django.get("/nothing").status == 404 and django.request("HEAD", "/count").body == b""


def test_django_is_loaded_again_when_it_changes(server: Start, tmp_path: Path) -> None:
    pytest.importorskip("django")
    shutil.copytree(SITE, tmp_path / "site", ignore=shutil.ignore_patterns("__pycache__"))
    host = server("PythonPath \"['@ROOT@/site'] + sys.path\"\nPyWSGIAlias / mysite.wsgi:application")
    host.check_fds = False
    assert host.get("/stream").text == "0,1,2,3,4,"
    views = (SITE / "shop" / "views.py").read_text()
    host.write("site/shop/views.py", views.replace("range(5)", "range(2)"))
    assert host.get("/stream").text == "0,1,"


def test_bottle(server: Start) -> None:
    pytest.importorskip("bottle")
    host = app(server, '''
        import bottle
        app = bottle.Bottle()
        @app.get("/hello/<name>")
        def hello(name):
            return bottle.template("<b>Hello {{name}}</b>", name=name)
        @app.post("/upload")
        def upload():
            return {"size": len(bottle.request.files["file"].file.read()), "word": bottle.request.forms["word"]}
        @app.get("/file/<name>")
        def file(name):
            return bottle.static_file(name, root=__import__("os").path.dirname(__file__))
        @app.get("/stream")
        def stream():
            yield b"a"
            yield b"b"
    ''')
    assert host.get("/hello/%3Cyou%3E").text == "<b>Hello &lt;you&gt;</b>"
    body, kind = form("f", b"y" * 100000, word="w")
    assert json.loads(host.request("POST", "/upload", {"Content-Type": kind}, body).text) == {"size": 100000, "word": "w"}
    assert host.get("/file/app.py").text == (host.root / "app.py").read_text() and host.get("/stream").text == "ab"
    assert host.get("/file/app.py", {"Range": "bytes=0-3"}).status == 206 and host.get("/none").status == 404


def test_web_py(server: Start) -> None:
    pytest.importorskip("web")
    host = app(server, '''
        import web
        urls = ("/hello/(.*)", "Hello", "/form", "Form", "/moved", "Moved")
        class Hello:
            def GET(self, name):
                web.header("X-Home", web.ctx.home)
                return f"Hello {name} {web.input(q='none').q}"
        class Form:
            def POST(self):
                given = web.input(file={})
                return f"{given.word} {len(given.file.file.read())}"
        class Moved:
            def GET(self):
                raise web.seeother("/hello/there")
        application = web.application(urls, globals()).wsgifunc()
    ''', path="/web")
    answer = host.get("/web/hello/you?q=1")
    assert answer.text == "Hello you 1" and str(answer.header("X-Home")).endswith("/web")
    body, kind = form("f", b"z" * 3000, word="w")
    assert host.request("POST", "/web/form", {"Content-Type": kind}, body).text == "w 3000"
    assert str(host.get("/web/moved").header("Location")).endswith("/web/hello/there")


def test_falcon(server: Start) -> None:
    pytest.importorskip("falcon")
    host = app(server, '''
        import falcon
        class Thing:
            def on_get(self, req, resp, number):
                resp.media = {"number": number, "prefix": req.prefix}
            def on_put(self, req, resp, number):
                resp.media = {"got": req.get_media()}
                resp.status = falcon.HTTP_201
        class Raw:
            def on_post(self, req, resp):
                resp.stream = iter([req.bounded_stream.read(5), b"-", req.bounded_stream.read()])
        app = falcon.App()
        app.add_route("/thing/{number:int}", Thing())
        app.add_route("/raw", Raw())
    ''', path="/f")
    assert json.loads(host.get("/f/thing/7").text)["number"] == 7
    put = host.request("PUT", "/f/thing/7", {"Content-Type": "application/json"}, b'{"a": 1}')
    assert put.status == 201 and json.loads(put.text) == {"got": {"a": 1}}
    assert host.request("POST", "/f/raw", body=b"hello world").text == "hello- world"


def test_pyramid(server: Start) -> None:
    pytest.importorskip("pyramid")
    host = app(server, '''
        from pyramid.config import Configurator
        from pyramid.response import FileResponse, Response
        def make():
            with Configurator() as config:
                config.add_route("hello", "/hello/{name}")
                config.add_view(lambda request: Response(f"Hello {request.matchdict['name']} {request.application_url}"), route_name="hello")
                config.add_route("file", "/file")
                config.add_view(lambda request: FileResponse(__file__, request=request), route_name="file")
                return config.make_wsgi_app()
        application = make()
    ''', path="/p")
    assert host.get("/p/hello/you", {"Host": "example.org"}).text == "Hello you http://example.org/p"
    assert host.get("/p/file").text == (host.root / "app.py").read_text()


def test_wsgidav(server: Start) -> None:
    pytest.importorskip("wsgidav")
    host = app(server, '''
        import os
        from wsgidav.wsgidav_app import WsgiDAVApp
        root = os.path.join(os.path.dirname(__file__), "files")
        os.makedirs(root, exist_ok=True)
        application = WsgiDAVApp({"provider_mapping": {"/": root}, "simple_dc": {"user_mapping": {"*": True}}, "verbose": 1,
                                  "logging": {"enable": False}, "mount_path": "/dav", "lock_storage": True, "property_manager": True})
    ''', path="/dav")
    data = os.urandom(300000)
    assert "2" in str(host.request("OPTIONS", "/dav/").header("DAV"))
    assert host.request("PUT", "/dav/a.bin", body=data).status == 201
    assert host.get("/dav/a.bin").body == data
    assert host.get("/dav/a.bin", {"Range": "bytes=10-19"}).body == data[10:20]
    found = host.request("PROPFIND", "/dav/", {"Depth": "1"})
    assert found.status == 207 and b"a.bin" in found.body and b"300000" in found.body
    assert host.request("MKCOL", "/dav/sub").status == 201
    assert host.request("MOVE", "/dav/a.bin", {"Destination": f"http://localhost:{host.port}/dav/sub/b.bin", "Host": f"localhost:{host.port}"}).status == 201
    assert host.request("HEAD", "/dav/sub/b.bin").header("Content-Length") == "300000"
    assert host.request("DELETE", "/dav/sub/b.bin").status == 204 and host.get("/dav/sub/b.bin").status == 404


STARLETTE = '''
    import asyncio, contextlib, hashlib, sys
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
    from starlette.routing import Mount, Route
    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield {"word": "from the lifespan"}
        print("lifespan is over", file=sys.stderr)
    async def hello(request):
        return PlainTextResponse(f"{request.path_params.get('name')} {request.state.word} {request.scope['root_path']}")
    async def upload(request):
        digest, size = hashlib.sha256(), 0
        async for chunk in request.stream():
            digest.update(chunk)
            size += len(chunk)
        return JSONResponse([size, digest.hexdigest()])
    async def events(request):
        async def produce():
            try:
                for number in range(int(request.query_params["n"])):
                    yield f"data: {number}\\n\\n"
                    await asyncio.sleep(0.01)
            finally:
                print("events are over", file=sys.stderr)
        return StreamingResponse(produce(), media_type="text/event-stream")
    async def background(request):
        async def later():
            await asyncio.sleep(0.05)
            print("background task has run", file=sys.stderr)
        return PlainTextResponse("now", background=BackgroundTask(later))
    def threaded(request):
        import time
        time.sleep(0.1)
        return PlainTextResponse("threaded")
    async def download(request):
        async def produce():
            for _ in range(160):
                yield b"d" * 65536
        return StreamingResponse(produce())
    async def file(request):
        return FileResponse(__file__)
    async def boom(request):
        raise RuntimeError("on purpose")
    app = Starlette(lifespan=lifespan, routes=[Route("/hello/{name}", hello), Route("/upload", upload, methods=["POST"]), Route("/events", events),
        Route("/background", background), Route("/threaded", threaded), Route("/download", download), Route("/file", file), Route("/boom", boom)])
'''


def test_starlette(server: Start) -> None:
    pytest.importorskip("starlette")
    host = app(server, STARLETTE, "asgi", "/s")
    assert host.get("/s/hello/you").text == "you from the lifespan /s" and host.get("/s/none").status == 404
    data = os.urandom(5000000)
    assert json.loads(host.request("POST", "/s/upload", body=data).text) == [5000000, hashlib.sha256(data).hexdigest()]
    events = host.get("/s/events?n=3")
    assert events.header("Content-Type") == "text/event-stream; charset=utf-8" and events.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert host.get("/s/background").text == "now"
    host.expect_log("background task has run")
    assert host.get("/s/threaded").text == "threaded"
    assert len(host.get("/s/download").body) == 10485760
    assert host.get("/s/file").text == (host.root / "app.py").read_text()
    assert host.get("/s/boom").status == 500
    host.expect_log("on purpose")
    host.allow_log("Traceback|raised|asgi:error")
    assert host.stop() == 0
    assert host.error_log.count("lifespan is over") == 1


def test_starlette_notices_that_the_client_goes(server: Start) -> None:
    pytest.importorskip("starlette")
    host = app(server, STARLETTE, "asgi")
    with host.client() as client:
        client.send(build_request(target="/events?n=100000")).expect(b"data: 2")
    host.expect_log("the client went away")
    assert host.stop() == 0
    assert "events are over" in host.error_log


def test_fastapi(server: Start) -> None:
    pytest.importorskip("fastapi")
    host = app(server, '''
        import asyncio
        from fastapi import BackgroundTasks, Depends, FastAPI
        from pydantic import BaseModel
        class Thing(BaseModel):
            name: str
            size: int = 1
        app = FastAPI()
        async def user(token: str = "nobody"):
            await asyncio.sleep(0)
            return token
        @app.get("/things/{number}")
        async def get(number: int, user: str = Depends(user)):
            return {"number": number, "user": user}
        @app.post("/things", status_code=201)
        async def post(thing: Thing):
            return thing
        @app.get("/sync")
        def sync():
            return {"sync": True}
    ''', "asgi", "/api")
    assert json.loads(host.get("/api/things/5?token=me").text) == {"number": 5, "user": "me"}
    assert host.get("/api/things/five").status == 422
    made = host.request("POST", "/api/things", {"Content-Type": "application/json"}, b'{"name": "x"}')
    assert made.status == 201 and json.loads(made.text) == {"name": "x", "size": 1}
    assert json.loads(host.get("/api/sync").text) == {"sync": True}
    assert json.loads(host.get("/api/openapi.json").text)["info"]["title"] == "FastAPI"
    assert "swagger" in host.get("/api/docs").text.lower()

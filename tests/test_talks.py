"""Every system of the two talks on pyhost: each row of the table in docs/talks.md is set up and run here, and what comes of it is the row's result.

A row that is not as the page has it fails. `PYHOST_PRINT=1 .venv/bin/python -m pytest tests/test_talks.py` prints the page's table again.
"""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import apache, nginx
from support.cgi import alive
from support.client import Client, Response
from support.databases import mariadb
from support.fcgi import FastCGI
from support.front import Front
from support.script import Script
from support.server import Server, free_port, wait_until
from support.talks import GREENLET, flup

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "talks.md"
SAMPLES = ROOT / "apache-conf" / "gogreen"
HEAD = "| system of the talks | how it is set up on pyhost | result |\n|---|---|---|\n"
WEB = '''
import os
import web

web.config.debug = False
urls = ("/(mp|mpapi)/(.*)", "Index")


class Index:
    def GET(self, kind, name):
        web.header("Content-Type", "text/plain")
        return "Hello %s from %d" % (name, os.getpid())

    def POST(self, kind, name):
        return "%s of %s" % (web.input().amount, name)


app = web.application(urls, globals())
application = app.wsgifunc()
if __name__ == "__main__":
    app.run()
'''
MEMBER = "Listen 127.0.0.1:@PORT@ %s\nPyWSGIAlias / @ROOT@/app/index.py:application"


@dataclass
class World:
    """What a row may use."""

    server: Callable[..., Server]
    script: Callable[..., Script]
    binary: Path
    env: dict[str, str]
    folder: Path
    fronts: list[Front] = field(default_factory=list)

    def host(self, conf: str, files: dict[str, str] | None = None, workers: int = 0) -> Server:
        made = self.server(conf, files or {}, **({"workers": workers} if workers else {}))
        made.check_fds = False  # modules are watched from the first one on
        return made

    def nginx(self, server: str, http: str = "") -> Front:
        return self.front(nginx.Nginx(self.folder / f"nginx{len(self.fronts)}", server, http))

    def apache(self, text: str) -> Front:
        return self.front(apache.Apache(self.folder / f"apache{len(self.fronts)}", text))

    def front(self, made: Front) -> Front:
        self.fronts.append(made)
        return made


@dataclass(frozen=True)
class Row:
    """system, setup: as the page has them. run: sets it up and returns the result. needs: programs and modules."""

    system: str
    setup: str
    run: Callable[[World], str]
    needs: tuple[str, ...] = ()


ROWS: list[Row] = []


def row(system: str, setup: str, *needs: str) -> Callable[[Callable[[World], str]], Callable[[World], str]]:
    def add(run: Callable[[World], str]) -> Callable[[World], str]:
        ROWS.append(Row(system, setup, run, needs))
        return run
    return add


def ask(address: tuple[str, int] | str, target: str = "/", method: str = "GET", headers: list[tuple[str, str]] | None = None,
        body: bytes | None = None) -> Response:
    with Client(address) as client:
        return client.request(method, target, headers, body)


def at_once(count: int, one: Callable[[int], object]) -> list[object]:
    """Results of so many calls, each in a thread of its own."""
    found: list[object] = [None] * count

    def run(number: int) -> None:
        found[number] = one(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


# --- the first talk: Scalable Python Server with Coroutines (2011)

@row("Apache with mod_python", "`SetHandler mod_python` and `PythonHandler`, as it was in httpd.conf")
def run_mod_python(world: World) -> str:
    host = world.host('<Location /hello>\nSetHandler mod_python\nPythonHandler hello\nPythonPath "[\'@ROOT@/www\'] + sys.path"\n</Location>',
                      {"www/hello.py": "from mod_python import apache\ndef handler(req):\n    req.content_type = 'text/plain'\n"
                                       "    req.write('Hello World!')\n    return apache.OK\n"})
    return f"{ask(host.address, '/hello').status} {ask(host.address, '/hello').text}"


@row("Python threads", "none: a handler that waits parks its greenlet")
def run_threads(world: World) -> str:
    """Each waits for all the others: only if all are under way at once does any end."""
    host = world.host("PyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": '''
import os, threading
barrier = threading.Barrier(50)

def application(environ, start_response):
    barrier.wait(30)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d %d" % (os.getpid(), threading.active_count())]
'''})
    found = at_once(50, lambda _: ask(host.address).status)
    return f"{found.count(200)} requests wait for each other in one thread of one process"


@row("greenlet's example, in a program", "`pyhost script.py`")
def run_greenlet_script(world: World) -> str:
    process = world.script(GREENLET).process
    return "prints " + ", ".join(process.communicate(timeout=30)[0].split())


@row("greenlet's example, in a handler", "`PyWSGIAlias / index.py`")
def run_greenlet_handler(world: World) -> str:
    host = world.host("PyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": f'''
import contextlib, io

def application(environ, start_response):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec({GREENLET!r}, {{}})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [out.getvalue().encode()]
'''})
    return "prints " + ", ".join(ask(host.address).text.split())


@row("gogreen's corohttpd, as the talk prints it", "`pyhost apache-conf/gogreen/httpd.py`")
def run_corohttpd(world: World) -> str:
    port = free_port()
    (world.folder / "htdocs").mkdir()
    (world.folder / "htdocs" / "index.html").write_text("first page")
    running = world.script(SAMPLES / "httpd.py", str(port), str(world.folder / "htdocs"))
    running.wait_for(port)
    found = ask(("127.0.0.1", port))
    code = running.end()[0]
    lines = (world.folder / "access.log").read_text().count('"GET / HTTP/1.1" 200')
    return f"{found.status} {found.text}; {lines} line in the access log; ends with {code}"


@row("gogreen's coro: threads, sleep, event loop", "`pyhost apache-conf/gogreen/heartbeat.py 3`")
def run_heartbeat(world: World) -> str:
    out, _ = world.script(SAMPLES / "heartbeat.py", "3").process.communicate(timeout=30)
    return ", ".join(sorted(out.split("\n")[:-1]))


@row("gogreen's coromysql", "none: PyMySQL and the C driver MySQLdb give way by themselves", "mariadbd", "pymysql", "MySQLdb")
def run_mysql(world: World) -> str:
    with mariadb() as path:
        host = world.host("PyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": f'''
import MySQLdb, pymysql

def application(environ, start_response):
    driver = MySQLdb if environ["PATH_INFO"] == "/c" else pymysql
    database = driver.connect(unix_socket={path!r}, user="root")
    cursor = database.cursor()
    cursor.execute("SELECT GET_LOCK('gate', 60)")
    database.close()  # lets the lock go
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
'''})
        return mysql_waits(path, host)


def mysql_waits(path: str, host: Server) -> str:
    """20 requests wait for a lock in the database; when all of them do, it is let go."""
    import pymysql

    database = pymysql.connect(unix_socket=path, user="root")
    cursor = database.cursor()
    cursor.execute("SELECT GET_LOCK('gate', 0)")

    def all_wait() -> bool:
        cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'")
        return bool(cursor.fetchone() == (20,))

    answers: list[object] = []
    clients = threading.Thread(target=lambda: answers.extend(at_once(20, lambda number: ask(host.address, "/c" if number % 2 else "/py").status)))
    clients.start()
    wait_until(all_wait, "all of them wait in the database", 60)
    database.close()
    clients.join(60)
    return f"20 requests of one process wait in MariaDB at once, {answers.count(200)} are answered"


# --- the second talk: python coroutine (2016)

@row("CGI, a process for each request", "`ScriptAlias /cgi-bin/ /srv/cgi-bin/`")
def run_cgi(world: World) -> str:
    host = world.host('ScriptAlias /cgi-bin/ "@ROOT@/cgi/"\n<Directory "@ROOT@/cgi">\nRequire all granted\n</Directory>')
    path = host.write("cgi/hello.cgi", "#!/bin/sh\necho Content-Type: text/plain\necho\necho \"$GATEWAY_INTERFACE $REQUEST_METHOD $QUERY_STRING\"\n")
    path.chmod(0o755)
    found = ask(host.address, "/cgi-bin/hello.cgi?a=1")
    return f"{found.status} {found.text.strip()}"


@row("CGI, Python scripts without a process for each", "`PythonHandler mod_python.cgihandler`")
def run_cgihandler(world: World) -> str:
    host = world.host('<Directory "@ROOT@/www">\nRequire all granted\nSetHandler mod_python\nPythonHandler mod_python.cgihandler\n</Directory>',
                      {"www/x.py": "import os\nprint('Content-Type: text/plain\\n')\nprint('pid', os.getpid(), os.environ['QUERY_STRING'], end='')\n"})
    found = [ask(host.address, "/x.py?a=1").text for _ in range(3)]
    return f"3 requests by {len(set(found))} process, {found[0].split()[-1]}".replace(str(host.pid), "")


@row("FastCGI: flup's script, as the talk prints it", "`pyhost script.py`")
def run_flup(world: World) -> str:
    port = free_port()
    running = world.script(flup(("127.0.0.1", port)))
    running.wait_for(port)
    with FastCGI(("127.0.0.1", port)) as client:
        found = [client.get("/", number).body.decode() for number in (1, 2)]
    return ", ".join(line for line in found[1].split("\n")[:2]) + f"; ends with {running.end()[0]}"


@row("spawn-fcgi", "`spawn-fcgi -p 9000 -- pyhost script.py`, `bindAddress=None`", "spawn-fcgi")
def run_spawn_fcgi(world: World) -> str:
    port = free_port()
    (world.folder / "script.py").write_text(flup(None))
    subprocess.run(["spawn-fcgi", "-a", "127.0.0.1", "-p", str(port), "-P", str(world.folder / "spawned"), "--", str(world.binary),
                    str(world.folder / "script.py")], env=world.env, capture_output=True, timeout=30, check=True)
    pid = int((world.folder / "spawned").read_text())
    try:
        with FastCGI(("127.0.0.1", port)) as client:
            found = client.get("/").body.decode()
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not alive(pid), "it has ended", 30)
    return ", ".join(found.split("\n")[:2])


def upstream(members: list[Server], more: str = "keepalive 16;") -> str:
    """Unequal weights, and max_fails as on the slide."""
    servers = " ".join(f"server 127.0.0.1:{each.port} weight={weight} fail_timeout=10 max_fails=1;" for each, weight in zip(members, (3, 1), strict=True))
    return f"upstream h99mp {{ {servers} {more} }}"


TALK = "location ~ ^/(mp|mpapi)/ { fastcgi_pass h99mp; fastcgi_keep_conn on; fastcgi_index index.py; include @PARAMS@/fastcgi_params; }"


@row("nginx, `upstream` of two with weights 3 and 1 and `max_fails`, `fastcgi_pass`, flup with web.py",
     "`Listen 127.0.0.1:19660 fastcgi` and `PyWSGIAlias / index.py`; nginx's file stays as it is", "nginx", "web")
def run_upstream(world: World) -> str:
    members = [world.host(MEMBER % "fastcgi", {"app/index.py": WEB}) for _ in range(2)]
    proxy = world.nginx(TALK, upstream(members))
    seen = [ask(proxy.address, "/mp/you").text.removeprefix("Hello you from ") for _ in range(40)]
    post = ask(proxy.address, "/mpapi/me", "POST", [("Content-Type", "application/x-www-form-urlencoded")], b"amount=3").text
    os.kill(members[0].pid, signal.SIGKILL)
    members[0].exit_status = -signal.SIGKILL
    after = [ask(proxy.address, "/mp/you").status for _ in range(20)]
    shares = " and ".join(str(seen.count(str(each.pid))) for each in members)
    return f"40 requests: {shares}; POST: {post}; one killed: {after.count(200)} of 20 answered"


@row("the same program as it starts itself: `app.run()` of web.py", "`pyhost code.py fcgi 127.0.0.1:9002`", "nginx", "web")
def run_webpy(world: World) -> str:
    port = free_port()
    running = world.script(WEB, "fcgi", f"127.0.0.1:{port}")
    running.wait_for(port)
    proxy = world.nginx(f"location / {{ include @PARAMS@/fastcgi_params; fastcgi_pass 127.0.0.1:{port}; }}")
    found = ask(proxy.address, "/mp/you").text.replace(str(running.process.pid), "its process")
    return f"{found}; ends with {running.end()[0]}"


def behind_nginx(world: World, protocol: str, location: str) -> str:
    """web.py's program, asked for by way of nginx. location: what nginx does, `%d` is the port."""
    host = world.host(MEMBER % protocol, {"app/index.py": WEB})
    proxy = world.nginx(f"location / {{ {location % host.port} }}")
    return ask(proxy.address, "/mp/you").text.replace(str(host.pid), "its process")


@row("SCGI", "`Listen 127.0.0.1:9001 scgi` behind `scgi_pass`", "nginx", "web")
def run_scgi(world: World) -> str:
    return behind_nginx(world, "scgi", "include @PARAMS@/scgi_params; scgi_pass 127.0.0.1:%d;")


@row("uwsgi", "`Listen 127.0.0.1:9002 uwsgi` behind `uwsgi_pass`", "nginx", "web")
def run_uwsgi(world: World) -> str:
    return behind_nginx(world, "uwsgi", "include @PARAMS@/uwsgi_params; uwsgi_pass 127.0.0.1:%d;")


@row("HTTP behind nginx", "`Listen 127.0.0.1:8000` behind `proxy_pass`", "nginx", "web")
def run_proxy(world: World) -> str:
    return behind_nginx(world, "http", "proxy_pass http://127.0.0.1:%d; proxy_set_header Host $http_host;")


@row("the same behind Apache", "`ProxyPass / fcgi://127.0.0.1:9000/`", "apache2", "web")
def run_apache(world: World) -> str:
    host = world.host(MEMBER % "fastcgi", {"app/index.py": WEB})
    proxy = world.apache(f'ProxyPass "/" "fcgi://127.0.0.1:{host.port}/"')
    return ask(proxy.address, "/mp/you").text.replace(str(host.pid), "its process")


@row("WSGI frameworks: web.py, Flask, Django", "`PyWSGIAlias /web app.py:application`, one line for each", "web", "flask", "django")
def run_frameworks(world: World) -> str:
    host = world.host("".join(f"PyWSGIAlias /{name} @ROOT@/app/with_{name}.py:application\n" for name in FRAMEWORKS),
                      {f"app/with_{name}.py": text for name, text in FRAMEWORKS.items()})
    return ", ".join(f"{name} {ask(host.address, f'/{name}/mp/you').status}" for name in FRAMEWORKS)


FRAMEWORKS = {
    "web": WEB,
    "flask": "from flask import Flask\napplication = Flask('x')\n@application.route('/mp/<name>')\ndef hello(name):\n    return 'Hello ' + name\n",
    "django": "import django\nfrom django.conf import settings\nfrom django.http import HttpResponse\nfrom django.urls import path\n"
              "settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'], SECRET_KEY='x')\ndjango.setup()\n"
              "urlpatterns = [path('mp/<name>', lambda request, name: HttpResponse('Hello ' + name))]\n"
              "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
}


@row("`yield`: a generator", "a WSGI application that yields its answer")
def run_generator(world: World) -> str:
    host = world.host("PyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": '''
def fib():
    first, second = 0, 1
    yield first
    while True:
        yield first + second
        first, second = second, first + second

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"%d " % number for _, number in zip(range(10), fib()))
'''})
    return ask(host.address).text.strip()


@row("`async` and `await`", "`SetHandler asgi`, beside handlers that do not know of it")
def run_async(world: World) -> str:
    host = world.host("<Location />\nSetHandler asgi\nPyWSGIApplication @ROOT@/app/index.py:application\n</Location>", {"app/index.py": '''
import asyncio

async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError("http only")
    one, two = await asyncio.gather(asyncio.sleep(0.01, b"one"), asyncio.sleep(0.01, b"two"))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": one + b" " + two})
'''})
    host.allow_log("lifespan|http only")
    return ask(host.address).text


@row("gevent's example", "`pyhost script.py`", "gevent")
def run_gevent(world: World) -> str:
    out = world.script('''
import gevent

def foo():
    print('Running in foo')
    gevent.sleep(0)
    print('Explicit context switch to foo again')

def bar():
    print('Explicit context to bar')
    gevent.sleep(0)
    print('Implicit context switch back to bar')

gevent.joinall([gevent.spawn(foo), gevent.spawn(bar)])
''').process.communicate(timeout=30)[0]
    return "prints " + ", ".join(re.sub(r".*(foo|bar).*", r"\1", line) for line in out.strip().split("\n"))


@row("gevent with `monkey.patch_all()`, `gevent.pywsgi`", "`pyhost script.py`, beside pyhost's own coroutines", "gevent")
def run_monkey(world: World) -> str:
    port = free_port()
    running = world.script(f'''
from gevent import monkey
monkey.patch_all()
import threading, time
import gevent
from gevent.pywsgi import WSGIServer
from pyhost import coro

beats = []
def beat():
    while True:
        beats.append(1)
        coro.sleep(0.005)

def app(environ, start_response):
    seen = len(beats)
    while len(beats) < seen + 5:
        time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the others beat meanwhile"]

coro.spawn(beat)
WSGIServer(("127.0.0.1", {port}), app, log=None).serve_forever()
''')
    running.wait_for(port)

    def one(_: int) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            return str(answer.read().decode())

    return ", ".join(sorted({str(text) for text in at_once(5, one)}))


@row("gunicorn: pre-forked workers, sync or gevent", "`StartServers 2`; every handler is a coroutine")
def run_workers(world: World) -> str:
    host = world.host("PyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": '''
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
'''}, workers=2)
    seen: set[str] = set()

    def both() -> bool:
        seen.update(str(text) for text in at_once(8, lambda _: ask(host.address).text))
        return len(seen) == 2

    wait_until(both, "both workers have answered", 30)
    return f"{len(seen)} workers answer"


@row("graceful reload", "`kill -HUP`, or `pyhost -k graceful`")
def run_reload(world: World) -> str:
    host = world.host("PyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": '''
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
'''}, workers=2)
    before = set(host.workers())
    done: list[int] = []
    renewed = threading.Event()

    def load(_: int) -> None:
        while not renewed.is_set():
            done.append(ask(host.address).status)

    loader = threading.Thread(target=at_once, args=(4, load))
    loader.start()
    wait_until(lambda: len(done) > 20, "load", 30)
    host.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & set(host.workers()), "new workers", 60)
    renewed.set()
    loader.join(60)
    return f"new workers under load, {len([status for status in done if status != 200])} requests lost"


@row("logging of several processes in one file", "`logging` to the error log; no lock, no socket handler")
def run_logging(world: World) -> str:
    host = world.host("LogLevel info\nPyWSGIAlias / @ROOT@/app/index.py:application", {"app/index.py": '''
import logging

def application(environ, start_response):
    for number in range(20):
        logging.getLogger("mp").warning("order %s %s", environ["QUERY_STRING"], "x" * 500)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
'''}, workers=2)
    host.allow_log("order")
    at_once(10, lambda number: ask(host.address, f"/?{number}").status)
    whole = re.compile(r"order \d x{500}$", re.MULTILINE)
    wait_until(lambda: len(whole.findall(host.error_log)) == 200, "all lines", 30)
    return f"{len(whole.findall(host.error_log))} lines of 2 processes, {host.error_log.count('order') - 200} torn"


# --- the table

def missing(need: str) -> bool:
    """A program, or a module of Python."""
    if need == "nginx":
        return nginx.program() is None
    if need == "apache2":
        return apache.program() is None
    if shutil.which(need) or Path(f"/usr/sbin/{need}").exists():
        return False
    import importlib.util
    return importlib.util.find_spec(need) is None


def line_of(each: Row, result: str) -> str:
    return f"| {each.system} | {each.setup} | {result} |"


@pytest.fixture
def world(server: Callable[..., Server], script: Callable[..., Script], binary: Path, base_env: dict[str, str], tmp_path: Path) -> Iterator[World]:
    made = World(server, script, binary, base_env, tmp_path)
    yield made
    for each in made.fronts:
        each.stop()


@pytest.mark.parametrize("each", ROWS, ids=[each.run.__name__.removeprefix("run_") for each in ROWS])
def test_each_row_is_set_up_and_gives_its_result(each: Row, world: World) -> None:
    gone = [need for need in each.needs if missing(need)]
    if gone:
        pytest.skip(f"not installed: {', '.join(gone)}")
    line, page = line_of(each, each.run(world)), PAGE.read_text()
    start = line_of(each, "")[:-2]
    if os.environ.get("PYHOST_PRINT"):
        head, table, rest = re.split(f"({re.escape(HEAD)}(?:\\|.*\n)*)", page, maxsplit=1)
        lines = {text.rpartition(" | ")[0]: text for text in table.removeprefix(HEAD).splitlines()} | {line.rpartition(" | ")[0]: line}
        order = [line_of(other, "").rpartition(" | ")[0] for other in ROWS]
        PAGE.write_text(head + HEAD + "".join(lines[key] + "\n" for key in order if key in lines) + rest)
    else:
        assert line in page.splitlines(), (line, [other for other in page.splitlines() if other.startswith(start[:30])])


def test_the_table_has_these_rows_in_this_order() -> None:
    lines = PAGE.read_text().partition(HEAD)[2].partition("\n\n")[0].splitlines()
    assert [line.rpartition(" | ")[0] for line in lines] == [line_of(each, "").rpartition(" | ")[0] for each in ROWS]

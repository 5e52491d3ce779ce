"""`pyhost serve`: what it makes of a target, the configuration that it prints, and that it serves."""
from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.client import Client, Response
from support.server import free_port, wait_until

SITE = Path(__file__).parent / "apps" / "django_site"
WSGI = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{text}']\n"
ASGI = '''
async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"{text}"})
'''
Run = Callable[..., subprocess.CompletedProcess[str]]


class Served:
    """`pyhost serve` in a folder, and its port."""

    def __init__(self, binary: Path, folder: Path, env: dict[str, str], args: tuple[str, ...]) -> None:
        self.port = free_port()
        self.log = folder / "output"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen([str(binary), "serve", "--port", str(self.port), *args], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output)
        wait_until(self.listens, "it listens", 30)

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def listens(self) -> bool:
        assert self.process.poll() is None, self.text
        return "serves with" in self.text

    def get(self, path: str = "/") -> Response:
        with Client(("127.0.0.1", self.port)) as client:
            return client.request("GET", path)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@pytest.fixture
def serve(binary: Path, base_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*args: str, **env: str) -> Served:
        started.append(Served(binary, tmp_path, {**base_env, **env}, args))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            assert each.stop() == 0, each.text


def printed(run: Run, *args: str) -> str:
    done = run("serve", "--print", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wsgi_is_served_and_ends_at_control_c(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(WSGI.format(text="hello"))
    served = serve("hello:application")
    assert served.get().body == b"hello" and served.get("/a/b").body == b"hello"
    assert served.stop() == 0
    assert 'PyWSGIAlias / "hello:application"' in served.text


def test_asgi_is_served_by_several_workers(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(ASGI.replace("{text}", "async hello"))
    served = serve("hello", "--workers", "2", "--threads", "8")
    assert served.get().body == b"async hello"
    assert "PyASGIAlias /" in served.text and "StartServers 2" in served.text and "serves with 2 workers" in served.text


def test_what_is_printed_is_a_configuration_that_does_the_same(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(WSGI.format(text="hello"))
    text = printed(run, "hello.py", "--port", "8123", "--host", "::1", "--reload")
    (tmp_path / "saved.conf").write_text(text)
    assert "Listen [::1]:8123" in text and "PythonAutoReload On" in text and f'ServerRoot "{tmp_path}"' in text
    assert run("-t", "-f", "saved.conf").returncode == 0


@pytest.mark.parametrize("source,target,spec,interface", [
    ("from flask import Flask\nsite = Flask(__name__)\n", "app", "app:site", "wsgi"),
    ("from fastapi import FastAPI\nservice = FastAPI()\n", "app.py", "app:service", "asgi"),
    ("from starlette.applications import Starlette\nmain = Starlette()\n", "app:main", "app:main", "asgi"),
    ("import bottle\napp = bottle.Bottle()\n", "app.py:app", "app:app", "wsgi"),
    ("import falcon\napp = falcon.App()\n", "app", "app:app", "wsgi"),
    ("import falcon.asgi\napp = falcon.asgi.App()\n", "app", "app:app", "asgi"),
    ("import web\napp = web.application((), globals())\n", "app", "app:app.wsgifunc()", "wsgi"),
    ("from flask import Flask\ndef create_app():\n    return Flask(__name__)\n", "app", "app:create_app()", "wsgi"),
    ("from flask import Flask\ndef create_app():\n    return Flask(__name__)\n", "app:create_app", "app:create_app()", "wsgi"),
    ("class Made:\n    async def __call__(self, scope, receive, send): pass\nthing = Made()\n", "app:thing", "app:thing", "asgi"),
    ("class Made:\n    def __call__(self, environ, start): pass\nclass Holder: inner = Made()\n", "app:Holder.inner", "app:Holder.inner", "wsgi"),
    ("print('noise on stdout')\n" + WSGI, "app", "app:application", "wsgi")])
def test_looking_at_applications(run: Run, tmp_path: Path, source: str, target: str, spec: str, interface: str) -> None:
    for package in ("flask", "fastapi", "starlette", "bottle", "falcon", "web"):
        if f"from {package}" in source or f"import {package}" in source:
            pytest.importorskip(package)
    (tmp_path / "app.py").write_text(source)
    text = printed(run, target)
    assert f'"{spec}"' in text and ("PyASGIAlias /" in text) == (interface == "asgi")


def test_modules_in_packages_and_folders(run: Run, tmp_path: Path) -> None:
    (tmp_path / "site" / "inner").mkdir(parents=True)
    (tmp_path / "site" / "inner" / "__init__.py").write_text("")
    (tmp_path / "site" / "inner" / "web.py").write_text(WSGI)
    text = printed(run, "site/inner/web.py")
    assert '"inner.web:application"' in text and f'ServerRoot "{tmp_path}/site"' in text
    (tmp_path / "site" / "app.py").write_text(WSGI)
    assert '"app:application"' in printed(run, "site")


@pytest.mark.parametrize("target", ["folder", "wsgi", "asgi"])
def test_django(serve: Callable[..., Served], tmp_path: Path, target: str) -> None:
    pytest.importorskip("django")
    shutil.copytree(SITE, tmp_path / "site", ignore=shutil.ignore_patterns("__pycache__"))
    served = serve({"folder": "site", "wsgi": "site/mysite/wsgi.py", "asgi": "site/mysite/asgi.py"}[target])
    assert served.get("/stream").text == "0,1,2,3,4,"
    assert ("PyASGIAlias /" in served.text) == (target == "asgi")


def django_with(tmp_path: Path, settings: str, **files: str) -> Path:
    """A project with staticfiles, more settings and more files ("/" is "__" in their names)."""
    pytest.importorskip("django")
    site = tmp_path / "site"
    shutil.copytree(SITE, site, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        path = site / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with open(site / "mysite" / "settings.py", "a") as file:
        file.write(f"\nfrom pathlib import Path\nBASE = Path({str(site)!r})\nINSTALLED_APPS.insert(0, 'django.contrib.staticfiles')\n{settings}\n")
    return site


@pytest.mark.parametrize("target", ["site", "site/mysite/asgi.py"])
def test_static_files_of_django(serve: Callable[..., Served], tmp_path: Path, target: str) -> None:
    """Where several apps have a folder of one name, both are there, and the first one's files count."""
    django_with(tmp_path, "INSTALLED_APPS.insert(0, INSTALLED_APPS.pop())\nSTATIC_URL = 'static/'\nDEBUG = True\nSTATICFILES_DIRS = [BASE / 'extra']\n",
                **{"extra__x.css": "x", "shop__static__shop__a b.txt": "shop", "shop__static__admin__css__mine.css": "mine",
                   "shop__static__admin__css__base.css": "of the shop"})
    served = serve(target)
    seen = {name: served.get("/static/" + name).text for name in ("x.css", "shop/a%20b.txt", "admin/css/mine.css", "admin/css/base.css")}
    assert seen == {"x.css": "x", "shop/a%20b.txt": "shop", "admin/css/mine.css": "mine", "admin/css/base.css": "of the shop"}
    assert [served.get("/static/" + name).status for name in ("admin/js/core.js", "admin/css/login.css", "nothing", "../manage.py")] == [200, 200, 404, 404]
    assert served.get("/stream").text == "0,1,2,3,4,"


def test_strange_files_among_the_static_ones_of_django(run: Run, tmp_path: Path) -> None:
    """Links to nothing, as editors leave them behind, and names that no line of a configuration can hold."""
    site = django_with(tmp_path, "DEBUG = True\nSTATICFILES_DIRS = [BASE / 'one', BASE / 'two']", one__x="x", two__y="y")
    (site / "two" / "lock").symlink_to("nowhere")
    for name in ("a\nb.css", "a\rb.css", "${HOME}.css", 'a"\\'):
        (site / "two" / name).write_text("x")
    wanted = [rf'Alias "/static/a\"\\" "{site}/two/a\"\\"', f'Alias "/static/y" "{site}/two/y"']
    assert [line for line in printed(run, "site").splitlines() if "/two/" in line] == wanted


@pytest.mark.parametrize("settings,expected", [("STATIC_ROOT = BASE / 'root'", True), ("STATIC_ROOT = BASE / 'none'", False), ("", False),
                                               ("DEBUG = True\nSTATIC_URL = 'https://cdn.example/'", False), ("INSTALLED_APPS.pop(0)", False),
                                               ("DEBUG = True\nMIDDLEWARE.append('mysite.whitenoise.Middleware')", False)])
def test_static_files_of_django_elsewhere(run: Run, tmp_path: Path, settings: str, expected: bool) -> None:
    site = django_with(tmp_path, settings, root__x="x", mysite__whitenoise="")
    (site / "mysite" / "whitenoise.py").write_text("def Middleware(get_response):\n    return get_response\n")
    text = printed(run, "site")
    assert [line for line in text.splitlines() if line.startswith("Alias ")] == ([f'Alias "/static/" "{site}/root"'] if expected else [])


def test_reload_survives_a_broken_file_and_shows_it(serve: Callable[..., Served], tmp_path: Path) -> None:
    hello = tmp_path / "hello.py"
    hello.write_text(WSGI.format(text="one"))
    served = serve("hello:application", "--reload")
    assert served.get().body == b"one"
    hello.write_text("def application(:\n")
    broken = served.get()
    assert broken.status == 500 and "SyntaxError" in broken.text and "hello.py" in broken.text and "Traceback" in broken.text
    hello.write_text(WSGI.replace("return", "raise RuntimeError('<here>')\n    return").format(text="x"))
    assert "RuntimeError: &lt;here&gt;" in served.get().text
    hello.write_text(WSGI.format(text="two"))
    assert served.get().body == b"two"


def test_reload_begins_with_a_broken_file_too(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("async def application(scope, receive, send:\n")
    served = serve("hello:application", "--reload")
    assert "SyntaxError" in served.get().text and "PyASGIAlias /" in served.text
    (tmp_path / "hello.py").write_text(ASGI.replace("{text}", "mended"))
    assert served.get().body == b"mended"


def test_without_reload_nothing_is_shown(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("def application(environ, start):\n    raise RuntimeError('secret')\n")
    served = serve("hello")
    assert served.get().status == 500 and "secret" not in served.get().text
    assert "RuntimeError: secret" in served.text


def test_a_home_is_used(serve: Callable[..., Served], run: Run, tmp_path: Path) -> None:
    packages = tmp_path / "env" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "word.py").write_text("word = b'from home'\n")
    (tmp_path / "hello.py").write_text("def application(environ, start):\n    import word\n    start('200 OK', [])\n    return [word.word]\n")
    served = serve("hello", "--home", "env")
    assert served.get().body == b"from home"


@pytest.mark.parametrize("args,complaint", [
    ((), "one application expected"), (("a", "b"), "one application expected"), (("--port", "x", "a"), "--port x: a number"),
    (("--port", "70000", "a"), "a number from 0 to 65535"), (("--workers", "0", "a"), "a number from 1"), (("--workers", "129", "a"), "a number from 1 to 128"),
    (("--home", "folder", "empty:number"), "there is no "), (("--nonsense", "a"), "nonsense"),
    (("--interface", "cgi", "a"), "wsgi or asgi expected"), (("no_such_module",), "No module named 'no_such_module'"), (("none.py",), "there is no such file"),
    (("empty",), "has none of application"), (("empty:number",), "is a int, not an application"), (("empty:missing",), "missing"),
    (("broken",), "SyntaxError"), (("folder",), "no manage.py")])
def test_what_cannot_be_served_is_said(run: Run, tmp_path: Path, args: tuple[str, ...], complaint: str) -> None:
    (tmp_path / "empty.py").write_text("number = 5\n")
    (tmp_path / "broken.py").write_text("def (\n")
    (tmp_path / "folder").mkdir()
    done = run("serve", *args)
    assert done.returncode == 1 and complaint in done.stderr and "pyhost: serve:" in done.stderr and "pyhost serve -h" in done.stderr


def test_an_active_environment_of_another_python_is_refused(run: Run, tmp_path: Path, base_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hello.py").write_text(WSGI)
    monkeypatch.setitem(base_env, "VIRTUAL_ENV", str(tmp_path))
    done = run("serve", "--print", "hello")
    assert done.returncode == 1 and f"VIRTUAL_ENV {tmp_path}: there is no {tmp_path}/lib/python3" in done.stderr


def test_any_free_port_is_named(serve: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(WSGI.format(text="hello"))
    served = serve("hello", "--port", "0")
    port = wait_until(lambda: re.search(r"serves with 1 worker on 127\.0\.0\.1:([1-9]\d*)", served.text), "the port is named")
    with Client(("127.0.0.1", int(port[1]))) as client:
        assert client.request().body == b"hello"


def test_help(run: Run) -> None:
    done = run("serve", "-h")
    assert done.returncode == 0 and "--reload" in done.stdout

"""The importer of handler modules: by path, really reloaded, one load at a time, nothing half-loaded. First without a server, then with one."""
from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import greenlet
import pytest

from pyhost.mod_python import apache, importer
from support.server import Server, wait_until

CLOCK = [1_000_000_000]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Modules of one test are not there in the next."""
    before, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("/") or "handler_module" in name:
            del sys.modules[name]
    sys.path[:] = path
    importer._importer.records.clear()


def write(folder: Path, **files: str) -> None:
    """Write modules, each with a time of its own, so that a change is seen; `pkg__init` is pkg/__init__.py, `pkg__sub` pkg/sub.py."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        CLOCK[0] += 1
        os.utime(path, (CLOCK[0], CLOCK[0]))


def load(folder: Path, name: str = "index", **more: object) -> object:
    return importer.load(name, str(folder), **more)  # type: ignore[arg-type]


def test_same_name_in_two_directories_is_two_modules(tmp_path: Path) -> None:
    for one in "ab":
        write(tmp_path / one, index=f"import helper\nWHO = '{one}' + helper.WHO\n", helper=f"WHO = '{one}'\n")
    first, second = load(tmp_path / "a"), load(tmp_path / "b")
    assert first is not second and (first.WHO, second.WHO) == ("aa", "bb")  # type: ignore[attr-defined]
    assert load(tmp_path / "a") is first and str(tmp_path / "a") not in sys.path and "index" not in sys.modules


def test_every_spelling_of_import_finds_the_neighbour(tmp_path: Path) -> None:
    write(tmp_path, helper="A, B, _C = 1, 2, 3\n", pkg__init="P = 'pkg'\n", pkg__sub="from . import P\nS = P + '.sub'\n", index="""
import os, helper, helper as h, json as j
from helper import A, B as bee
from helper import *
import pkg.sub
import pkg.sub as ps
from pkg import sub, P
from pkg.sub import S
def later():
    import helper
    from helper import A as a
    global glob
    import helper as glob
    return helper.A + a
class K:
    import helper
try:
    import helper
finally:
    pass
ALL = (os.sep, helper.A, h.B, j.dumps(1), A, bee, B, pkg.P, pkg.sub.S, ps.S, sub.S, P, S, later(), K.helper.A, glob.A)
""")
    found = load(tmp_path)
    assert found.ALL == ("/", 1, 2, "1", 1, 2, 2, "pkg", "pkg.sub", "pkg.sub", "pkg.sub", "pkg", "pkg.sub", 2, 1, 1)  # type: ignore[attr-defined]
    assert not hasattr(found, "_C")


def test_source_may_have_a_future_import_a_coding_line_and_private_names(tmp_path: Path) -> None:
    write(tmp_path, helper="A = 1\n")
    text = ('# -*- coding: latin-1 -*-\n"""doc"""\nfrom __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n'
            '    from helper import B\nclass K:\n    def f(self, x: B):\n        import helper as __h\n        return __h.A, "\xe9"\n')
    (tmp_path / "index.py").write_bytes(text.encode("latin-1"))
    found = load(tmp_path)
    assert found.K().f(1) == (1, "é") and found.__doc__ == "doc"  # type: ignore[attr-defined]


def test_missing_names_are_import_errors(tmp_path: Path) -> None:
    write(tmp_path, helper="A = 1\n", one="from helper import nothing\n", two="import not_there_at_all\n", three="from helper import *\nA\n")
    with pytest.raises(ImportError, match="cannot import name 'nothing' from .*helper.py"):
        load(tmp_path, "one")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        load(tmp_path, "two")
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_handler' in .*, sys.path"):
        load(tmp_path, "no_such_handler")
    write(tmp_path, not_there_at_all="")
    assert load(tmp_path, "two")


def test_module_named_like_the_standard_library_may_import_that(tmp_path: Path) -> None:
    write(tmp_path, random="import random\nVALUE = random.random()\n", index="import random\n")
    assert 0 <= load(tmp_path, "random").VALUE < 1  # type: ignore[attr-defined]
    assert load(tmp_path).random.__file__ == str(tmp_path / "random.py")  # type: ignore[attr-defined]


def test_changed_module_is_loaded_again_with_a_fresh_namespace(tmp_path: Path) -> None:
    write(tmp_path, index="OLD = 1\n")
    first = load(tmp_path)
    assert load(tmp_path) is first
    write(tmp_path, index="NEW = 1\n")
    assert load(tmp_path, autoreload=False) is first
    second = load(tmp_path)
    assert second is not first and hasattr(second, "NEW") and not hasattr(second, "OLD")


def test_dependants_are_loaded_again_however_deep(tmp_path: Path) -> None:
    write(tmp_path, index="import a\ndef v(): return a.b.c.V\n", a="import b\n", b="import c\n", c="V = 1\n", other="import c\ndef v(): return c.V\n")
    index, other = load(tmp_path), load(tmp_path, "other")
    write(tmp_path, c="V = 2\n")
    assert sorted(os.path.basename(f) for f in importer.files_of(index)) == ["a.py", "b.py", "c.py", "index.py"]  # type: ignore[arg-type]
    again = load(tmp_path)
    assert again is not index and again.v() == 2  # type: ignore[attr-defined]
    assert load(tmp_path, "other") is not other and load(tmp_path, "other").v() == 2  # type: ignore[attr-defined]
    assert load(tmp_path, "other").c is load(tmp_path).a.b.c  # type: ignore[attr-defined]


def test_neighbours_that_did_not_change_are_not_loaded_again(tmp_path: Path) -> None:
    write(tmp_path, index="import pool\n", pool="OBJECT = object()\n")
    pool = load(tmp_path).pool  # type: ignore[attr-defined]
    write(tmp_path, index="import pool\nX = 1\n")
    assert load(tmp_path).pool is pool  # type: ignore[attr-defined]


def test_import_in_a_function_becomes_a_dependency(tmp_path: Path) -> None:
    write(tmp_path, index="def f():\n    import late\n    return late.V\n", late="V = 1\n")
    index = load(tmp_path)
    assert index.f() == 1 and str(tmp_path / "late.py") in importer.files_of(index)  # type: ignore[attr-defined,arg-type]
    write(tmp_path, late="V = 22\n")
    assert index.f() == 22  # type: ignore[attr-defined]


def test_circular_imports_work_and_reload(tmp_path: Path) -> None:
    write(tmp_path, a="import b\nV = 1\ndef f(): return b.g()\n", b="import a\ndef g(): return a.V\n")
    first = load(tmp_path, "a")
    assert first.f() == 1 and load(tmp_path, "a") is first  # type: ignore[attr-defined]
    write(tmp_path, b="import a\ndef g(): return a.V + 1\n")
    assert load(tmp_path, "a").f() == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("broken", ["V = (\n", "V = 2\nraise RuntimeError('no')\n", "import missing_neighbour_x\n", "V = '\0'\n", "# coding: no-such\n"])
def test_broken_edit_keeps_nothing_half_loaded(tmp_path: Path, broken: str) -> None:
    write(tmp_path, index="import helper\n", helper="V = 1\n", fine="import helper\n")
    index, name = load(tmp_path), None
    name = index.helper.__name__  # type: ignore[attr-defined]
    write(tmp_path, helper=broken)
    for _ in range(2):
        with pytest.raises((SyntaxError, RuntimeError, ImportError, ValueError)):
            load(tmp_path)
        assert getattr(sys.modules.get(name), "V", None) == 1  # type: ignore[arg-type]
    write(tmp_path, helper="V = 3\n")
    assert load(tmp_path).helper.V == 3  # type: ignore[attr-defined]


def test_first_load_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    write(tmp_path, index="import helper\nraise RuntimeError\n", helper="")
    before = set(sys.modules)
    with pytest.raises(RuntimeError):
        load(tmp_path)
    assert {name for name in set(sys.modules) - before if "index" in name} == set()
    assert importer._importer.loading == {} and importer._importer.pending == []


def test_package_is_reloaded_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path, pkg__init="from . import sub\n", pkg__sub="V = 1\n", index="import pkg\n")
    index = load(tmp_path)
    assert set(importer.files_of(index)) == {str(tmp_path / n) for n in ("index.py", "pkg/__init__.py", "pkg/sub.py")}  # type: ignore[arg-type]
    assert load(tmp_path) is index
    write(tmp_path, pkg__sub="V = 2\n")
    assert load(tmp_path).pkg.sub.V == 2  # type: ignore[attr-defined]
    write(tmp_path, pkg__views="def handler(req): return 0\n")
    assert load(tmp_path, "pkg.views").handler(None) == 0  # type: ignore[attr-defined]


def test_module_on_sys_path_keeps_its_plain_name_and_is_reloaded(tmp_path: Path) -> None:
    write(tmp_path, a_handler_module="V = 1\n")
    sys.path.insert(0, str(tmp_path))
    first = importer.load("a_handler_module", None)
    assert first is sys.modules["a_handler_module"] and first.__name__ == "a_handler_module"
    assert importer.files_of(first) == [str(tmp_path / "a_handler_module.py")]
    write(tmp_path, a_handler_module="V = 2\n")
    assert importer.load("a_handler_module", None).V == 2 and sys.modules["a_handler_module"].V == 2


def test_module_that_python_imported_before_is_the_same(tmp_path: Path) -> None:
    write(tmp_path, b_handler_module="V = 1\n")
    sys.path.insert(0, str(tmp_path))
    import b_handler_module  # type: ignore[import-not-found]

    assert importer.load("b_handler_module", None) is b_handler_module


def test_library_modules_are_pythons_own() -> None:
    import json
    import string

    assert importer.load("json", None) is json and importer.load("string", None) is string and importer.files_of(string) == []
    assert importer.load("os.path", None) is os.path


def test_files_can_be_named(tmp_path: Path) -> None:
    write(tmp_path, sub__x="V = 1\n")
    for name in (str(tmp_path / "sub/x.py"), str(tmp_path / "sub/x"), "./sub/x", "sub/x.py"):
        assert load(tmp_path, name).V == 1  # type: ignore[attr-defined]
    with pytest.raises(ModuleNotFoundError, match="No module file"):
        load(tmp_path, "./nothing")


def test_import_module_looks_beside_the_caller_then_in_path(tmp_path: Path) -> None:
    write(tmp_path, index="from pyhost.mod_python import apache\nhelper = apache.import_module('helper')\nfar = apache.import_module('far', path=[PATH])\n"
          .replace("PATH", repr(str(tmp_path / "lib"))), helper="V = 'near'\n", lib__far="V = 'far'\n", lib__helper="V = 'wrong'\n")
    index = load(tmp_path)
    assert (index.helper.V, index.far.V) == ("near", "far")  # type: ignore[attr-defined]
    assert apache.import_module("far", path=[str(tmp_path / "lib")]) is index.far  # type: ignore[attr-defined]
    assert apache.module_mtime(index.far) == os.stat(tmp_path / "lib/far.py").st_mtime  # type: ignore[attr-defined]


def test_pickles_of_handler_classes_are_found_again(tmp_path: Path) -> None:
    write(tmp_path / "with.dot", index="class Thing:\n    def __init__(self): self.v = 5\n", other="")
    data = pickle.dumps(load(tmp_path / "with.dot").Thing())  # type: ignore[attr-defined]
    importer._importer.records.clear()
    for name in [name for name in sys.modules if name.endswith("index")]:
        del sys.modules[name]
    load(tmp_path / "with.dot", "other")
    assert pickle.loads(data).v == 5


def test_one_load_at_a_time_others_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = greenlet.getcurrent()
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        main.switch()

    monkeypatch.setattr("pyhost.mod_python._wait.pause", pause)
    write(tmp_path, index="import greenlet\ngreenlet.getcurrent().parent.switch()\nPOOL = object()\n")
    results: list[object] = []
    first = greenlet.greenlet(lambda: results.append(load(tmp_path)))
    second = greenlet.greenlet(lambda: results.append(load(tmp_path)))
    first.switch()
    second.switch()
    assert results == [] and waits
    first.switch()
    second.switch()
    assert len(results) == 2 and results[0] is results[1]


def test_threads_that_load_together_get_one_module(tmp_path: Path) -> None:
    write(tmp_path, index="import time\ntime.sleep(0.05)\nPOOL = object()\n")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: load(tmp_path), range(16)))
    assert len(found) == 1


def test_load_is_logged_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, index="V = 1\n")
    load(tmp_path, log=True)
    write(tmp_path, index="V = 2\n")
    load(tmp_path, log=True)
    assert [line.split(" ")[1] for line in capsys.readouterr().err.splitlines()] == ["Importing", "Reimporting"]


# In the server.

CONF = """
<Directory "@ROOT@/www">
    Require all granted
    SetHandler mod_python
    PythonHandler index
</Directory>
<Directory "@ROOT@/www/a">
    PythonHandler index
</Directory>
<Directory "@ROOT@/www/b">
    PythonHandler index
</Directory>
<Directory "@ROOT@/www/noreload">
    PythonHandler index
    PythonAutoReload Off
</Directory>
"""
HANDLER = "import helper\ndef handler(req):\n    req.write(helper.TEXT)\n    return 0\n"


def test_handlers_of_two_directories_do_not_collide(server: object) -> None:
    host: Server = server(CONF, {f"www/{d}/index.py": HANDLER for d in "ab"} | {f"www/{d}/helper.py": f"TEXT = 'of {d}'\n" for d in "ab"})  # type: ignore[operator]
    assert [host.get(f"/{d}/x").text for d in "abab"] == ["of a", "of b", "of a", "of b"]


def test_edit_of_a_helper_is_served_by_the_next_request(server: object) -> None:
    host: Server = server(CONF, {f"www/{d}/{f}": t for d in ("a", "noreload") for f, t in (("index.py", HANDLER), ("helper.py", "TEXT = 'one'\n"))})  # type: ignore[operator]
    assert host.get("/a/x").text == host.get("/noreload/x").text == "one"
    for text in ("two", "three", "four"):
        for folder in ("a", "noreload"):
            host.write(f"www/{folder}/helper.py", f"TEXT = {text!r}\n")
        assert host.get("/a/x").text == text and host.get("/noreload/x").text == "one"
    host.write("www/a/helper.py", "TEXT = 'syntax\n")
    assert host.get("/a/x").status == 500 and host.get("/noreload/x").text == "one"
    host.expect_log("unterminated string literal")
    host.allow_log("PythonHandler index")
    host.write("www/a/helper.py", "TEXT = 'mended'\n")
    assert host.get("/a/x").text == "mended"


def test_requests_wait_for_one_load_and_others_go_on(server: object) -> None:
    host: Server = server(CONF, {"www/a/index.py": (  # type: ignore[operator]
        "import os, time\nwith open(os.path.join(os.path.dirname(__file__), 'loads'), 'a') as f:\n    f.write('x')\n"
        "time.sleep(0.4)\nPOOL = object()\ndef handler(req):\n    req.write('%d' % id(POOL))\n    return 0\n"),
        "www/b/index.py": "def handler(req):\n    req.write('b')\n    return 0\n"})
    assert host.get("/b/x").text == "b"
    with ThreadPoolExecutor(9) as pool:
        waiting = [pool.submit(host.get, "/a/x") for _ in range(8)]
        wait_until(lambda: host.read("www/a/loads"), "the load has begun")
        assert host.get("/b/x").text == "b" and not any(one.done() for one in waiting)
        assert len({one.result().text for one in waiting}) == 1
    assert host.read("www/a/loads") == "x"


def test_load_that_fails_fails_for_everyone_and_is_tried_again(server: object) -> None:
    host: Server = server(CONF, {"www/a/index.py": "import time\ntime.sleep(0.05)\nraise RuntimeError('not today')\n"})  # type: ignore[operator]
    with ThreadPoolExecutor(4) as pool:
        assert [one.status for one in pool.map(lambda _: host.get("/a/x"), range(4))] == [500] * 4
    host.expect_log("RuntimeError: not today")
    host.allow_log("PythonHandler index")
    host.write("www/a/index.py", "def handler(req):\n    req.write('today')\n    return 0\n")
    assert host.get("/a/x").text == "today"


def test_module_of_a_python_path_is_reloaded_under_its_plain_name(server: object) -> None:
    host: Server = server('<Location /p>\nSetHandler mod_python\nPythonHandler plainly\nPythonPath "[\'@ROOT@/lib\'] + sys.path"\n</Location>\n',  # type: ignore[operator]
                          {"lib/plainly.py": "import sys, part\ndef handler(req):\n    req.write('%s %s %s' % (__name__, part.V, 'part' in sys.modules))\n    return 0\n",
                           "lib/part.py": "V = 1\n"})
    assert host.get("/p").text == "plainly 1 True"
    host.write("lib/part.py", "V = 22\n")
    assert host.get("/p").text == "plainly 22 True"


BOTH = """
import os, sys, time
open("{root}/began", "w").close()
while not os.path.exists("{root}/go"):
    time.sleep(0.001)
open("{root}/loads", "a").write("x")
def handler(req):
    req.write("handler")
    return 0
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"wsgi"]
async def asgi(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"asgi"}})
"""


@pytest.mark.parametrize("first", ["handler", "wsgi", "asgi", "plain"])
@pytest.mark.parametrize("second", ["handler", "wsgi", "asgi"])
def test_module_that_somebody_else_is_loading_is_waited_for(server: object, tmp_path: Path, first: str, second: str) -> None:
    host: Server = server("""PythonPath "['@ROOT@/lib'] + sys.path"
PyWSGIAlias /wsgi both:application
PyASGIAlias /asgi both:asgi
""" + "".join(f"<Location /{name}>\nSetHandler mod_python\nPythonHandler {name}\n</Location>\n" for name in ("both", "plain", "quick")), {  # type: ignore[operator]
        "lib/both.py": BOTH.format(root=tmp_path), "lib/quick.py": "def handler(req):\n    req.write('quick')\n    return 0\n",
        "lib/plain.py": "def handler(req):\n    __import__('importlib').import_module('both')\n    req.write('plain')\n    return 0\n"})
    host.check_fds = False  # asyncio's loop
    assert host.get("/quick").text == "quick"
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(host.get, "/both" if first == "handler" else f"/{first}")
        wait_until(lambda: (tmp_path / "began").exists(), "it is being loaded")
        other = pool.submit(host.get, "/both" if second == "handler" else f"/{second}")
        wait_until(lambda: len(host.workers()) == 1 and host.get("/quick").text == "quick", "others are served")
        (tmp_path / "go").touch()
        assert (one.result().text, other.result().text) == (first, second)


@pytest.mark.parametrize("how", ["link", "folder"])
def test_a_release_that_takes_the_place_of_another_is_watched_like_the_first(server: object, how: str) -> None:
    """A link that points elsewhere, or an ancestor that was renamed: the folder's name is the same, what is watched by it is not. It is noticed when
    the files are looked at again; from then on the next request runs the new code, as before."""
    code = "def handler(req):\n    req.write({!r})\n    return 0\n"
    host: Server = server("<Location /app>\nSetHandler mod_python\nPythonHandler main\nPythonPath \"['@ROOT@/current/code']\"\n</Location>",  # type: ignore[operator]
                          files={"one/code/main.py": code.format("one"), "two/code/main.py": code.format("two")})
    current, release = host.root / "current", host.root / "two"
    if how == "link":
        current.symlink_to("one")
    else:
        (host.root / "one").rename(current)
    assert host.get("/app").text == "one"
    if how == "link":
        (host.root / "next").symlink_to("two")
        (host.root / "next").rename(current)
    else:
        current.rename(host.root / "old")
        release.rename(current)
    wait_until(lambda: host.get("/app").text == "two", "the new release")
    for number in range(5):
        (current / "code/main.py").write_text(code.format("edited" * number))
        assert host.get("/app").text == "edited" * number

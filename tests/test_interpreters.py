"""Handlers and filters of one request in several interpreters (mod_python's PythonInterpPerDirective, PythonInterpPerDirectory, PythonInterpreter)."""
from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

from support.server import Server

Start = Callable[..., Server]

APP = """
import gc, weakref
from mod_python import apache

state = {"calls": 0}

def handler(req):
    req.content_type = "text/plain"
    if req.method == "POST":
        req.write(req.read(), 0)
    for piece in range(int(req.args or 1)):
        req.write("x" * 1000, 0)
    req.write("handler %s" % apache.interpreter, 0)
    return apache.OK

def outputfilter(filter):
    data = filter.read()
    while data:
        filter.write(data)
        data = filter.read()
    if data is None:
        state["calls"] += 1
        filter.write(" | %s %s %d" % (filter.req.interpreter, apache.interpreter, state["calls"]))
        filter.close()

def inputfilter(filter):
    line = filter.readline()
    while line:
        filter.write(apache.interpreter.split("/")[-2] + "<" + line.decode() + ">")
        line = filter.readline()
    if line is None:
        filter.close()

def broken(filter):
    filter.write("before ")
    raise ValueError("filter in " + apache.interpreter)

def status(filter):
    filter.pass_on()
    raise apache.SERVER_RETURN(404)

def loghandler(req):
    req.log_error("log in %s, bytes %d" % (apache.interpreter, req.bytes_sent), apache.APLOG_NOTICE)
    return apache.OK

def cleanuphandler(req):
    apache.log_error("cleanup in %s" % apache.interpreter, apache.APLOG_NOTICE)
    return apache.OK

objects = []

def watched(filter):
    if not objects or objects[-1]() is not filter.req:
        objects.append(weakref.ref(filter.req))
    filter.pass_on()

def left(req):
    gc.collect()
    req.write("%d %d" % (len(objects), sum(one() is not None for one in objects)), 0)
    return apache.OK
"""

CONF = """
PythonPath "['@ROOT@/www'] + sys.path"
PythonInterpPerDirective On
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonLogHandler app
</Directory>
<Directory "@ROOT@/www/a">
    PythonHandler app
</Directory>
<Directory "@ROOT@/www/a/b">
    PythonOutputFilter app FIRST
    SetOutputFilter FIRST
    PythonCleanupHandler app
</Directory>
<Directory "@ROOT@/www/a/b/c">
    PythonOutputFilter app SECOND
    SetOutputFilter FIRST;SECOND
    PythonInputFilter app OUTER
    SetInputFilter OUTER
</Directory>
<Directory "@ROOT@/www/a/b/c/d">
    PythonInputFilter app INNER
    SetInputFilter OUTER;INNER
</Directory>
<Directory "@ROOT@/www/a/broken">
    PythonOutputFilter app::broken BROKEN
    SetOutputFilter BROKEN
</Directory>
<Directory "@ROOT@/www/a/status">
    PythonOutputFilter app::status STATUS
    SetOutputFilter STATUS
</Directory>
<Directory "@ROOT@/www/a/watched">
    PythonOutputFilter app::watched WATCHED
    SetOutputFilter WATCHED
    PythonHandler app::left | .left
</Directory>
"""
FOLDERS = ("a/x", "a/b/x", "a/b/c/x", "a/b/c/d/x", "a/broken/x", "a/status/x", "a/watched/x")
FILES: dict[str, str | bytes] = {"www/app.py": APP, **{f"www/{name}": "" for name in FOLDERS}}


def test_a_handler_a_filter_and_a_log_handler_run_each_in_their_own(server: Start) -> None:
    host = server(CONF, FILES)
    www = f"{host.root}/www"
    for turn in (1, 2, 3):
        assert host.get("/a/b/x").text == "x" * 1000 + f"handler {www}/a/ | {www}/a/b/ {www}/a/b/ {turn}"
    host.expect_log(f"log in {www}/, bytes")
    host.expect_log(f"cleanup in {www}/a/b/")


def test_two_filters_and_a_body_through_four_interpreters(server: Start) -> None:
    host = server(CONF, FILES)
    www = f"{host.root}/www"
    chain = f"handler {www}/a/ | {www}/a/b/ {www}/a/b/ 1 | {www}/a/b/c/ {www}/a/b/c/ 1"
    assert host.request("POST", "/a/b/c/x", body=b"one\ntwo").text == "c<one\n>c<two>" + "x" * 1000 + chain
    assert host.request("POST", "/a/b/c/d/x", body=b"one").text.startswith("d<c<one>>x")


def test_a_large_response_through_a_filter_elsewhere_waits_for_its_reader(server: Start) -> None:
    host = server(CONF, FILES)
    text = host.get("/a/b/c/x?4000").text
    assert len(text) > 4_000_000 and text.startswith("x" * 1000) and text.count("handler") == 1 and text.endswith(" 1")


def test_a_filter_elsewhere_that_fails_is_left_out(server: Start) -> None:
    host = server(CONF, FILES)
    assert host.get("/a/broken/x").text == "before " + "x" * 1000 + f"handler {host.root}/www/a/"
    host.allow_log("Filter: broken app::broken")
    host.expect_log(f"ValueError: filter in {host.root}/www/a/broken/")
    assert host.get("/a/status/x").status == 404


def test_requests_in_parallel_meet_their_own_filters(server: Start) -> None:
    host = server(CONF, FILES)
    clients = [host.client() for _ in range(8)]
    for _ in range(5):
        for client in clients:
            client.send(b"GET /a/b/c/x?3 HTTP/1.1\r\nHost: x\r\n\r\n")
        bodies = [client.read_response().body for client in clients]
        assert all(body.startswith(b"x" * 3000 + b"handler ") and body.count(b" | ") == 2 for body in bodies)
    assert host.get("/a/b/x").text.endswith(" 41")


def test_objects_of_other_interpreters_are_let_go(server: Start) -> None:
    host = server(CONF, FILES)
    for _ in range(20):
        assert host.get("/a/watched/x").status == 200
    assert host.get("/a/watched/x.left").text == "20 0"


def test_a_deadline_ends_a_filter_elsewhere(server: Start) -> None:
    host = server(CONF + """
<Directory "@ROOT@/www/a/slow">
    PythonOutputFilter slow SLOW
    SetOutputFilter SLOW
    PyRequestTimeout 1
</Directory>
""", {**FILES, "www/a/slow/x": "", "www/slow.py": """
import time
from mod_python import apache
def outputfilter(filter):
    try:
        time.sleep(300)
    finally:
        filter.req.notes["ended"] = "1"
"""})
    host.allow_log("RequestTimeout|PyRequestTimeout|SLOW|slow")
    assert host.get("/a/slow/x").text == "x" * 1000 + f"handler {host.root}/www/a/"
    host.expect_log(r"slow::outputfilter: (pyhost.coro.RequestTimeout|OSError: .Errno 125. Operation canceled)")


def test_an_interpreter_that_a_directory_names_is_made_for_its_filter(server: Start) -> None:
    host = server("""
PythonPath "['@ROOT@/www'] + sys.path"
<Directory "@ROOT@/www">
    PythonInterpPerDirectory On
    SetHandler mod_python
    PythonHandler app
    PythonOutputFilter app FIRST
    SetOutputFilter FIRST
</Directory>
<Location /static>
    SetHandler none
</Location>
<Location /named>
    PythonInterpreter mine
</Location>
""", {"www/app.py": APP, "www/one/x": "", "www/static/f.txt": "text"})
    www = f"{host.root}/www"
    assert host.get("/one/x").text.endswith(f"handler {www}/one/ | {www}/one/ {www}/one/ 1")
    assert host.get("/static/f.txt").text == f"text | {www}/static/ {www}/static/ 1"
    assert host.get("/named").text.endswith("handler mine | mine mine 1")


ONCE = """
#include <Python.h>
static int loaded;
static int once_exec(PyObject *module)
{
    if (!loaded++)
        return 0;
    PyErr_SetString(PyExc_ImportError, "cannot load module more than once per process");
    return -1;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, once_exec}, {0, NULL}};
static struct PyModuleDef once = {PyModuleDef_HEAD_INIT, .m_name = "once", .m_slots = slots};
PyMODINIT_FUNC PyInit_once(void) { return PyModuleDef_Init(&once); }
"""


def test_a_c_extension_that_refuses_a_second_interpreter_says_what_to_do(server: Start, tmp_path: Path) -> None:
    source, library = tmp_path / "once.c", tmp_path / f"once{sysconfig.get_config_var('EXT_SUFFIX')}"
    source.write_text(ONCE)
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{sysconfig.get_paths()['include']}", "-o", str(library), str(source)], check=True)
    host = server("""
PythonPath "['@ROOT@/lib', '@ROOT@/www'] + sys.path"
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler uses
</Directory>
<Location /other>
    PythonInterpreter other
</Location>
""", {f"lib/{library.name}": library.read_bytes(), "www/uses.py": """
from mod_python import apache
def handler(req):
    try:
        import once
        req.write("loaded in %s" % apache.interpreter, 0)
    except ImportError as error:
        req.write(str(error), 0)
    return apache.OK
"""})
    assert host.get("/x").text == "loaded in main_interpreter"
    for _ in range(2):
        assert host.get("/other").text == ("cannot load module more than once per process (the C extension once cannot be used in the interpreter "
                                           "other: give its handlers `PythonInterpreter main_interpreter`)")

"""Phases of a request, lists of handlers, results and interpreters (mod_python's manual, "Overview of a Request Handler" and the directives)."""
from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

import pytest

from support.server import Server, wait_until

Start = Callable[..., Server]

TRACE = '''
import threading
from mod_python import apache

def note(req):
    trail = getattr(req, "trail", None)
    if trail is None:
        trail = req.trail = []
    trail.append(req.phase.replace("Python", "").replace("Handler", "") or "Content")

def go_on(req):
    note(req)
    return apache.OK

def decline(req):
    note(req)
    return apache.DECLINED

postreadrequesthandler = headerparserhandler = accesshandler = fixuphandler = inithandler = go_on
transhandler = authzhandler = typehandler = decline

def authenhandler(req):
    note(req)
    if req.get_basic_auth_pw() != "secret":
        return apache.HTTP_UNAUTHORIZED
    return apache.OK

def handler(req):
    note(req)
    req.content_type = "text/plain"
    req.write(" ".join(req.trail), 0)
    return apache.OK

def loghandler(req):
    note(req)
    with open(req.server.error_fname + ".trail", "a") as file:
        file.write(" ".join(req.trail) + " %d\\n" % req.status)
    return apache.OK

def cleanuphandler(req):
    note(req)
    with open(req.server.error_fname + ".trail", "a") as file:
        file.write("cleanup " + req.trail[-1] + "\\n")
    return apache.OK
'''

ALL_PHASES = """
PythonPath "['@ROOT@/www'] + sys.path"
PythonPostReadRequestHandler trace
PythonTransHandler trace
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHeaderParserHandler trace
    PythonInitHandler trace
    PythonAccessHandler trace
    PythonTypeHandler trace
    PythonFixupHandler trace
    PythonHandler trace
    PythonLogHandler trace
    PythonCleanupHandler trace
</Directory>
<Directory "@ROOT@/www/secret">
    AuthType Basic
    AuthName lab
    Require valid-user
    PythonAuthenHandler trace
    PythonAuthzHandler trace
</Directory>
"""


def test_phases_run_in_order_with_one_object(server: Start) -> None:
    host = server(ALL_PHASES, {"www/trace.py": TRACE})
    assert host.get("/x").body.decode() == "PostReadRequest Trans HeaderParser HeaderParser Access Type Fixup Content"
    trail = wait_until(lambda: "cleanup" in (text := host.read("error.log.trail")) and text, "the log and cleanup handlers")
    assert trail == "PostReadRequest Trans HeaderParser HeaderParser Access Type Fixup Content Log 200\ncleanup Cleanup\n"


def test_authentication_phases_run_where_a_user_is_required(server: Start) -> None:
    host = server(ALL_PHASES, {"www/trace.py": TRACE, "www/secret/x": ""})
    refused = host.get("/secret/x")
    assert (refused.status, refused.header("WWW-Authenticate")) == (401, 'Basic realm="lab"')
    good = host.get("/secret/x", headers={"Authorization": "Basic am9lOnNlY3JldA=="})
    assert good.body.decode() == "PostReadRequest Trans HeaderParser HeaderParser Access Authen Authz Type Fixup Content"


RESULTS = '''
from mod_python import apache

def handler(req):
    code = req.args
    req.write("written", 0)
    return eval(code, {"apache": apache, "req": req, "raise_": raise_})

def raise_(*args):
    raise apache.SERVER_RETURN(*args)
'''

RESULT_CASES = [
    ("apache.OK", 200, b"written"), ("apache.DONE", 200, b"written"), ("apache.HTTP_NOT_FOUND", 404, None), ("apache.DECLINED", 404, None),
    ("None", 500, None), ("True", 500, None), ("'x'", 500, None), ("403", 403, None), ("raise_(apache.HTTP_FORBIDDEN)", 403, None),
    ("raise_(apache.OK)", 200, b"written"), ("raise_(apache.DONE,201)", 201, b"written"), ("raise_()", 500, None), ("raise_((1,2))", 500, None),
    ("raise_(apache.DONE)", 200, b"written"), ("1/0", 500, None),
]


def test_what_the_results_of_a_content_handler_mean(server: Start) -> None:
    host = server("""
        <Directory "@ROOT@/www">
            SetHandler mod_python
            PythonHandler results
        </Directory>""", {"www/results.py": RESULTS})
    host.allow_log("PythonHandler results")
    for code, status, body in RESULT_CASES:
        response = host.get("/nosuch?" + code)
        assert response.status == status, code
        assert response.body == body if body else b"written" not in response.body, code


STACK = '''
from mod_python import apache

def one(req):
    req.write("one ", 0)
    return apache.OK

def two(req):
    req.write("two ", 0)
    return apache.OK

def no(req):
    req.write("no ", 0)
    return apache.DECLINED

def add(req):
    req.write("add ", 0)
    req.add_handler("PythonHandler", "stack::added", req.document_root())
    req.add_handler("PythonLogHandler", "stack::log", req.document_root())
    return apache.OK

def added(req):
    req.write("added %s" % req.hlist.directory.endswith("/www/"), 0)
    return apache.OK

def log(req):
    req.log_error("the added log handler ran", apache.APLOG_NOTICE)
    return apache.OK

class Klass:
    def __init__(self, req):
        self.r = req

    def method(self, req):
        req.write("method %s" % (self.r is req), 0)
        return apache.OK

class obj:
    class inner:
        def __init__(self, req): pass
        def handler(self, req):
            req.write("inner", 0)
            return apache.OK
    def __init__(self, req): pass

def extension(req):
    req.write("extension %s" % req.extension, 0)
    return apache.OK

def next_one(req):
    req.write(req.hlist.handler + " then ", 0)
    req.write(str(req.hlist.next().handler), 0)
    return apache.OK

def fixuphandler(req):
    req.write("fixup ", 0)
    return apache.OK

def handler(req):
    req.write("module", 0)
    return apache.OK

missing = None
'''

LISTS = """
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler stack::one stack::two
    PythonHandler stack::one
    PythonHandler stack::extension | .ext .tar.gz
    PythonPath "['@ROOT@/www'] + sys.path"
</Directory>
<Location /replaced>
    PythonHandler stack::two
</Location>
<Location /declined>
    PythonHandler stack::no stack::two
</Location>
<Location /add>
    PythonHandler stack::add
</Location>
<Location /class>
    PythonHandler stack::Klass.method
</Location>
<Location /inner>
    PythonHandler stack::obj.inner.handler
</Location>
<Location /missing>
    PythonHandler stack::nosuch
</Location>
<Location /nomodule>
    PythonHandler nosuchmodule
</Location>
<Location /next>
    PythonHandler stack::next_one stack::two
</Location>
<Location /module>
    PythonHandlerModule stack
</Location>
"""


def test_lists_of_handlers(server: Start) -> None:
    host = server(LISTS, {"www/stack.py": STACK})
    host.allow_log("PythonHandler (stack|nosuch)")
    assert host.get("/x").body == b"one two one "
    assert host.get("/x.ext").body == b"extension .ext"
    assert host.get("/x.tar.gz").body == b"extension .tar.gz"
    assert host.get("/x.EXT").body == b"one two one "
    assert host.get("/replaced").body == b"two "
    assert host.get("/declined").status == 404
    assert host.get("/add").body == b"add added True"
    host.expect_log("the added log handler ran")
    assert host.get("/class").body == b"method True"
    assert host.get("/inner").body == b"inner"
    assert host.get("/missing").status == 500
    host.expect_log(r"PythonHandler stack::nosuch: AttributeError: module '.*stack.py' contains no 'nosuch'")
    assert host.get("/nomodule").status == 500
    host.expect_log(r"PythonHandler nosuchmodule: ModuleNotFoundError")
    assert host.get("/next").body == b"stack::next_one then stack::two"
    assert host.get("/module").body == b"fixup module"


HELLO = '''
from mod_python import apache

def handler(req):
    req.write({!r}, 0)
    return apache.OK
'''

PLAIN = """
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler hello
</Directory>
"""


def test_an_edited_module_runs_with_the_next_request(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": HELLO.format("0")})
    host.allow_log("PythonHandler hello")
    assert host.get("/").body == b"0"
    for n in range(1, 6):
        host.write("www/hello.py", HELLO.format(str(n)))
        assert host.get("/").body == str(n).encode()
    host.write("www/hello.py", "def handler(req: broken")
    assert host.get("/").status == 500
    assert host.get("/").status == 500
    host.expect_log("PythonHandler hello: .*SyntaxError")
    (host.root / "new.py").write_text(HELLO.format("replaced"))
    os.replace(host.root / "new.py", host.root / "www/hello.py")
    assert host.get("/").body == b"replaced"


def test_a_module_that_the_handler_imports_is_reloaded_too(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": "import near\nfrom mod_python import apache\ndef handler(req):\n    req.write(near.text, 0)\n    return apache.OK\n",
                          "www/near.py": "text = 'a'\n"})
    assert host.get("/").body == b"a"
    host.write("www/near.py", "text = 'bb'\n")
    assert host.get("/").body == b"bb"


def test_without_autoreload_a_module_stays(server: Start) -> None:
    host = server(PLAIN + "PythonAutoReload Off\n", {"www/hello.py": HELLO.format("old")})
    assert host.get("/").body == b"old"
    host.write("www/hello.py", HELLO.format("new"))
    assert host.get("/").body == b"old"


def test_same_named_modules_of_two_directories_are_two(server: Start) -> None:
    conf = "".join(f'<Directory "@ROOT@/www/{name}">\nSetHandler mod_python\nPythonHandler same\n</Directory>\n' for name in "ab")
    host = server(conf, {f"www/{name}/same.py": HELLO.format(name) for name in "ab"})
    assert (host.get("/a/").body, host.get("/b/").body, host.get("/a/").body) == (b"a", b"b", b"a")


def test_a_rebound_handler_is_seen(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": """
from mod_python import apache
def second(req):
    req.write("second", 0)
    return apache.OK
def handler(req):
    global handler
    handler = second
    req.write("first", 0)
    return apache.OK
"""})
    assert (host.get("/").body, host.get("/").body) == (b"first", b"second")


def test_debug_shows_the_traceback(server: Start) -> None:
    host = server(PLAIN + "PythonDebug On\n", {"www/hello.py": "def handler(req):\n    req.write('before', 0)\n    raise ValueError('<b>')\n"})
    response = host.get("/")
    assert response.status == 500 and str(response.header("Content-Type")).startswith("text/html")
    assert re.search(r'^before\n<pre>\nMod_python error: "PythonHandler hello"\n\nTraceback .*ValueError: &lt;b&gt;', response.body.decode(), re.DOTALL)
    host.expect_log(r"PythonHandler hello: ValueError: <b>")
    host.allow_log("PythonHandler hello")


@pytest.mark.parametrize("phase", ["PostReadRequest", "Trans", "HeaderParser", "Access", "Type", "Fixup"])
@pytest.mark.parametrize(("result", "status"), [("apache.HTTP_FORBIDDEN", 403), ("apache.DONE", 200), ("None", 500)])
def test_results_of_the_other_phases(server: Start, phase: str, result: str, status: int) -> None:
    conf = f'PythonPath "[\'@ROOT@/www\'] + sys.path"\nPython{phase}Handler early\n' + PLAIN
    host = server(conf, {"www/early.py": f"from mod_python import apache\ndef {phase.lower()}handler(req):\n    return {result}\n",
                         "www/hello.py": HELLO.format("content")})
    host.allow_log("early")
    response = host.get("/x")
    assert response.status == status and response.body != b"content"


def test_a_trans_handler_maps_the_uri(server: Start) -> None:
    host = server('PythonPath "[\'@ROOT@/www\'] + sys.path"\nPythonTransHandler trans\n', {"elsewhere/file.txt": "mapped", "www/trans.py": """
from mod_python import apache
def transhandler(req):
    if req.uri != "/secret":
        return apache.DECLINED
    req.filename = req.document_root() + "/../elsewhere/file.txt"
    return apache.OK
"""})
    response = host.get("/secret")
    assert response.status in (200, 403)  # the target lies outside of every <Directory> that grants access
    assert host.get("/nosuch").status == 404


def test_a_log_handler_runs_for_error_responses(server: Start) -> None:
    host = server('PythonPath "[\'@ROOT@/www\'] + sys.path"\nPythonLogHandler logger\n', {"www/logger.py": """
from mod_python import apache
def loghandler(req):
    req.log_error("status %d of %s" % (req.status, req.uri), apache.APLOG_NOTICE)
    return apache.OK
"""})
    assert host.get("/nosuch").status == 404
    host.expect_log("status 404 of /nosuch")


WHERE = '''
from mod_python import apache
count = 0
def handler(req):
    global count
    count += 1
    req.write("%s %s %d" % (req.interpreter, apache.interpreter, count), 0)
    return apache.OK
'''

INTERPRETERS = """
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler where
    PythonPath "['@ROOT@/www'] + sys.path"
</Directory>
<Location /named>
    PythonInterpreter Mine
</Location>
<Location /other>
    PythonInterpreter other
</Location>
<Directory "@ROOT@/www/perdir">
    PythonInterpPerDirectory On
</Directory>
<Directory "@ROOT@/www/perdirective">
    PythonInterpPerDirective On
    PythonHandler where
</Directory>
"""


def test_names_of_interpreters(server: Start) -> None:
    host = server(INTERPRETERS, {"www/where.py": WHERE, "www/perdir/sub/x": "", "www/perdirective/sub/x": ""})
    root = f"{host.root}/www"
    expected = [("/x", "main_interpreter", 1), ("/named", "Mine", 1), ("/named", "Mine", 2), ("/other", "other", 1), ("/x", "main_interpreter", 2),
                ("/perdir/x", f"{root}/perdir/", 1), ("/perdir/sub/x", f"{root}/perdir/sub/", 1), ("/perdir/sub", f"{root}/perdir/sub/", 2),
                ("/perdirective/sub/x", f"{root}/perdirective/", 1)]
    for path, name, count in expected:
        assert host.get(path).body.decode() == f"{name} {name} {count}", path
    host.expect_log("interpreter Mine is made, number 2 of this process")


def test_phases_of_one_request_in_two_interpreters(server: Start) -> None:
    host = server("""
        PythonPath "['@ROOT@/www'] + sys.path"
        <Directory "@ROOT@/www">
            SetHandler mod_python
            PythonFixupHandler two
            PythonHandler two
            PythonLogHandler two
            PythonInterpPerDirective On
        </Directory>
        <Location />
            PythonHandler two
        </Location>""", {"www/two.py": """
from mod_python import apache
def fixuphandler(req):
    req.mine = req.interpreter
    req.notes["fixup"] = req.interpreter
    req.register_cleanup(lambda data: apache.log_error("cleanup in " + apache.interpreter, apache.APLOG_NOTICE))
    return apache.OK
def handler(req):
    req.write("%s %s %s" % (req.notes["fixup"], req.interpreter, hasattr(req, "mine")), 0)
    return apache.OK
def loghandler(req):
    req.log_error("log in %s has %s" % (req.interpreter, req.mine), apache.APLOG_NOTICE)
    return apache.OK
"""})
    for _ in range(3):
        assert host.get("/x").body.decode() == f"{host.root}/www/ / False"
    host.expect_log(f"log in {host.root}/www/ has {host.root}/www/")
    host.expect_log(f"cleanup in {host.root}/www/")


def test_python_path_is_evaluated_once_per_interpreter_and_string(server: Start) -> None:
    host = server("""
        <Location />
            SetHandler mod_python
            PythonHandler inpath
            PythonPath "[setattr(sys, 'times', getattr(sys, 'times', 0) + 1) or '@ROOT@/lib'] + sys.path"
        </Location>""", {"lib/inpath.py": """
import sys
from mod_python import apache
def handler(req):
    req.write("%d %d" % (sys.times, len([p for p in sys.path if p.endswith('/lib')])), 0)
    return apache.OK
"""})
    assert {host.get("/").body for _ in range(3)} == {b"1 1"}


def test_python_import_runs_before_the_first_request(server: Start) -> None:
    host = server("""
        PythonPath "['@ROOT@/www'] + sys.path"
        PythonImport start::prepare main_interpreter
        PythonImport broken main_interpreter
        <Location />
            SetHandler mod_python
            PythonHandler start
        </Location>""", {"www/broken.py": "1/0", "www/start.py": """
from mod_python import apache
state = None
def prepare():
    global state
    state = "prepared in " + apache.interpreter
    apache.main_server.get_options()["from"] = "import"
def handler(req):
    req.write("%s, %s" % (state, req.server.get_options()["from"]), 0)
    return apache.OK
"""})
    host.allow_log("python:error")
    assert host.get("/").body == b"prepared in main_interpreter, import"
    host.expect_log("ZeroDivisionError")


@pytest.mark.parametrize(("directives", "module"), [
    ("SetHandler mod_python", "pyhost.mod_python.apache"), ("AddHandler wsgi .w", "pyhost.gateway.loader"), ("PyASGIAlias /a @ROOT@/a.py", "pyhost.gateway.asgi"),
    ("SetHandler mod_python\nPythonInterpreter other", "none"),
    ("PythonInterpreter other\n<Location /a>\nSetHandler mod_python\n</Location>", "none"),
    ("PythonInterpreter other\n<Location /a>\nSetHandler wsgi\nPythonInterpreter main_interpreter\n</Location>", "pyhost.gateway.loader"), ("", "none")])
def test_what_named_handlers_need_is_there_before_the_first_request(server: Start, directives: str, module: str) -> None:
    host = server(f"""
        PythonImport seen main_interpreter
        PythonPath "['@ROOT@/www'] + sys.path"
        {directives}
        """, {"www/seen.py": """
import sys
known = "pyhost.mod_python.apache", "pyhost.gateway.loader", "pyhost.gateway.asgi"
print("found", *[name for name in known if name in sys.modules] or ["none"])
"""})
    host.expect_log(f"found {module}\n")


def test_output_of_print_goes_to_the_error_log(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": """
import sys
from mod_python import apache
def handler(req):
    print("to stdout")
    sys.stderr.write("half a ")
    sys.stderr.write("line\\n")
    return apache.OK
"""})
    assert host.get("/").status == 200
    host.expect_log("^to stdout$")
    host.expect_log("^half a line$")


def test_handlers_wait_beside_each_other(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": """
from mod_python import apache
from pyhost import coro
def handler(req):
    coro.sleep(0.3)
    req.write("slept", 0)
    return apache.OK
"""})
    began = time.monotonic()
    clients = [host.client() for _ in range(20)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert {client.read_response().body for client in clients} == {b"slept"}
    assert time.monotonic() - began < 3


def test_a_global_lock_yields_to_other_greenlets(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": """
import _apache
from mod_python import apache
from pyhost import coro
held = 0
def handler(req):
    global held
    _apache._global_lock(req.server, "key")
    held += 1
    seen = held
    coro.sleep(0.02)
    held -= 1
    _apache._global_unlock(req.server, "key")
    req.write(str(seen), 0)
    return apache.OK
"""})
    clients = [host.client() for _ in range(10)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [client.read_response().body for client in clients] == [b"1"] * 10


@pytest.mark.slow
def test_many_interpreters_in_one_process(server: Start) -> None:
    count = 25
    names = "".join(f"<Location /i{n}>\nPythonInterpreter n{n}\n</Location>\n" for n in range(count))
    host = server('<Directory "@ROOT@/www">\nSetHandler mod_python\nPythonHandler where\n</Directory>\n' + names, {"www/where.py": WHERE})
    for turn in (1, 2):
        assert [host.get(f"/i{n}").body.decode() for n in range(count)] == [f"n{n} n{n} {turn}" for n in range(count)]


def test_reading_a_body_that_stops_coming_is_a_timeout(server: Start) -> None:
    host = server(PLAIN + "RequestReadTimeout body=1\n", {"www/hello.py": """
from mod_python import apache
def handler(req):
    try:
        req.read()
    except OSError as error:
        req.log_error("read: %s %s" % (type(error).__name__, error), apache.APLOG_NOTICE)
        return apache.HTTP_REQUEST_TIME_OUT
    return apache.OK
"""})
    with host.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert client.read_response().status == 408
    host.expect_log(r"read: TimeoutError Client read error \(Timeout\?\)")


def test_a_broken_upload_never_looks_whole(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": """
from mod_python import apache
def handler(req):
    try:
        req.read()
    except OSError as error:
        req.log_error("read: %s" % type(error).__name__, apache.APLOG_NOTICE)
    return apache.OK
"""})
    with host.client() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        client.half_close()
        client.read_rest()
    host.expect_log("read: ConnectionResetError")


def test_writing_to_a_client_that_has_gone_is_an_oserror(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": """
from mod_python import apache
def handler(req):
    try:
        while True:
            req.write("x" * 65536)
    except OSError as error:
        req.log_error("write: %s" % error, apache.APLOG_NOTICE)
    return apache.OK
"""})
    with host.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.read_head()
        client.reset()
    host.expect_log("write: Write failed, client closed connection.")


def test_global_locks_hold_across_processes(server: Start) -> None:
    host = server(PLAIN, {"www/hello.py": """
import os, _apache
from mod_python import apache
from pyhost import coro
def handler(req):
    path = req.document_root() + "/../count"
    for _ in range(5):
        _apache._global_lock(req.server, "counter")
        try:
            with open(path) as file:
                n = int(file.read())
        except FileNotFoundError:
            n = 0
        coro.sleep(0.002)
        with open(path, "w") as file:
            file.write(str(n + 1))
        _apache._global_unlock(req.server, "counter")
    req.write(str(os.getpid()), 0)
    return apache.OK
"""}, workers=2)
    host.check_fds = False  # a worker that has waited once is told by the others from then on: by a socket
    clients = [host.client() for _ in range(12)]
    for client in clients:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    pids = {client.read_response().body for client in clients}
    assert host.read("count") == "60"
    assert pids


WILD = '''
import sys
from mod_python import apache

class Bad(Exception):
    def __str__(self):
        raise ValueError("no text")

def recursion(req):
    return recursion(req)

def handler(req):
    case = req.args
    if case == "exit":
        sys.exit(3)
    if case == "interrupt":
        raise KeyboardInterrupt
    if case == "bad":
        raise Bad()
    if case == "deep":
        return recursion(req)
    if case == "huge":
        return 1 << 70
    if case == "negative":
        return -77
    if case == "surrogate":
        req.write("\\udcff")
    if case == "closed":
        sys.stdout.close()
        print("still there")
    if case == "chain":
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise ValueError("a\\nb") from error
    if case == "deleted":
        del req.headers_out
    if case == "limit":
        req.read()
    return apache.OK
'''


def test_handlers_that_misbehave_get_500_and_the_server_lives(server: Start) -> None:
    host = server(PLAIN + "LimitRequestBody 5\n", {"www/hello.py": WILD})
    host.allow_log("PythonHandler hello|LimitRequestBody")
    for case in ("exit", "interrupt", "bad", "deep", "huge", "negative", "surrogate", "chain", "deleted"):
        assert host.get("/?" + case).status == 500, case
        assert host.get("/").status == 200, case
    host.expect_log(r"PythonHandler hello: ValueError: a\\nb")
    host.expect_log("PythonHandler hello: SystemExit: 3")
    assert host.get("/?closed").status in (200, 500)
    assert host.get("/").status == 200
    with host.client() as client:
        client.send(b"POST /?limit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n")
        assert client.read_response().status == 413


def test_a_folder_index_is_what_the_handler_is_told_of(server: Start) -> None:
    host = server(PLAIN + "DirectoryIndex index.html index.txt\n", {"www/with/index.txt": "x", "www/without/x": "", "www/hello.py": """
from mod_python import apache
def handler(req):
    req.write("%s %s %s %s" % (req.uri, req.filename[len(req.document_root()):], req.path_info, req.finfo.filetype), 0)
    return apache.OK
"""})
    assert host.get("/with/").body == b"/with/index.txt /with/index.txt None 1"
    assert host.get("/without/").body == b"/without/ /without/  2"

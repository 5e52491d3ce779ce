"""mod_python.publisher against the real binary: where a URL leads, what is published, who may, and how results are written."""
from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from support.client import Response
from support.server import Server

CONF = """
<Directory "@ROOT@/www">
    Require all granted
    SetHandler mod_python
    PythonHandler mod_python.publisher
    PythonDebug Off
</Directory>
"""

INDEX = '''
import os, sys
from os import getcwd
from subprocess import check_output
import helper
from mod_python import apache, util

num, text, lst, dct, nothing, raw = 42, "héllo", [1, 2], {"keys": 1}, None, b"raw\\xff"
page = "<p>x</p></html>"
_private = "hidden"

class Klass:
    attr = "klass attr"
    def method(self, req, a="dflt"): return "method " + a
    def __call__(self, req): return "called"
    class Inner: pass

obj = Klass()
obj.list = [1]
obj._hidden = "hidden"

def index(req): return "index.index"
def foobar(req): return "index.foobar"
def args(req, a, b="b"): return repr((a, b))
def kw(req, **kw): return repr(sorted((k, v) for k, v in kw.items()))
def noreq(a="none"): return "noreq " + a
def wants_form(req): return repr([(f.name, f.value) for f in req.form.list])
def returns(req, what): return {"none": None, "int": 7, "func": foobar, "klass": Klass, "obj": obj, "module": sys, "empty": ""}[what]
def pieces(req):
    yield "one "
    yield b"two"
def html(req): return "<html><body>\\u20ac</body></HTML>  \\n"
def typed(req):
    req.content_type = "text/html; charset=iso-8859-1"
    return "é\\u20ac"
def fails(req): raise RuntimeError("boom")
def teapot(req): raise apache.SERVER_RETURN(apache.HTTP_IM_A_TEAPOT)
def upload(req, f): return "%s|%s|%d|%r" % (f.filename, f.type, len(f.value), type(f.value))
def go(req): util.redirect(req, "/elsewhere")
def uses_helper(req): return helper.VALUE
lam = lambda req: "lambda"
'''

AUTH = '''
__auth_realm__ = "Whole module"
def __auth__(req, user, password): return (user, password) in (("eggs", "spam"), ("joe", "é"))
__access__ = ["eggs", "joe"]

def index(req): return "for " + req.user
def only_joe(req):
    __access__ = ("joe",)
    return "joe only"
'''

NESTED = '''
import functools
OK = True
def checked(f):
    @functools.wraps(f)
    def wrapper(req): return "[" + f(req) + "]"
    return wrapper

def callable_rule(req):
    def __auth__(req, user, password): return OK and user == "u" and password == "p"
    def __access__(req, user): return user == "u"
    __auth_realm__ = 'Nested "realm"'
    return "in"

def dict_rule(req):
    __auth__ = {"u": "p"}
    return "in"

def list_rule(req):
    __access__ = ["u"]
    return "in"

def never(req):
    __access__ = 0
    return "in"

def constant(req):
    __auth__ = 0
    return "in"

@checked
def decorated(req):
    __auth__ = {"u": "p"}
    return "in"

def dynamic(req):
    if OK:
        __auth__ = {"u": "p"}
    return "in"

class Thing:
    def method(self, req):
        __auth__ = {"u": "p"}
        return "in"
    def __call__(self, req):
        __auth__ = {"u": "p"}
        return "in"
thing = Thing()

class Guarded:
    __auth__ = {"u": "p"}
    value = "guarded value"
    def method(self, req): return "in"
guarded = Guarded()
'''

FILES: dict[str, str | bytes] = {
    "www/index.py": INDEX, "www/helper.py": "VALUE = 'helper of /'\n", "www/tests.py": "def index(req): return 'tests.index'\ndef x(req): return 'tests.x'\n",
    "www/auth.py": AUTH, "www/nested.py": NESTED, "www/sub/index.py": "import helper\ndef index(req): return 'sub: ' + helper.VALUE\n",
    "www/sub/helper.py": "VALUE = 'helper of /sub'\n", "www/empty/data.txt": "x",
}


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    """One server for all questions that change nothing."""
    host = module_server(CONF, FILES, check_fds=False)
    host.allow_log("PythonHandler mod_python.publisher|publisher:")
    return host


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()}


@pytest.mark.parametrize(("url", "body"), [
    ("/", "index.index"), ("/foobar", "index.foobar"), ("/foobar/", "index.foobar"), ("/index.py", "index.index"), ("/index", "index.index"),
    ("/index/foobar", "index.foobar"), ("/tests", "tests.index"), ("/tests.py/x/", "tests.x"), ("/tests/x", "tests.x"), ("/tests.py", "tests.index"),
    ("/num", "42"), ("/num/real", "42"), ("/text", "héllo"), ("/lst", "[1, 2]"), ("/dct", "{'keys': 1}"), ("/obj/list", "[1]"),
    ("/obj/attr", "klass attr"), ("/obj/method", "method dflt"), ("/obj/method?a=1", "method 1"), ("/obj", "called"), ("/lam", "lambda"),
    ("/sub/", "sub: helper of /sub"), ("/uses_helper", "helper of /"), ("/nothing", ""),
])
def test_url_leads_to_the_object(shared: Server, url: str, body: str) -> None:
    response = shared.get(url)
    assert (response.status, response.text) == (200, body)
    assert response.header("Content-Length") == str(len(response.body))


@pytest.mark.parametrize(("url", "status"), [
    ("/_private", 403), ("/obj/_hidden", 403), ("/obj/__class__", 403), ("/os", 403), ("/os/system", 403), ("/Klass", 403), ("/Klass/attr", 403),
    ("/obj/Inner", 403), ("/getcwd", 403), ("/check_output", 403), ("/text/upper", 403), ("/dct/keys", 403), ("/foobar/x", 403), ("/foobar/func_code", 403),
    ("/obj/method/x", 403), ("/helper", 404), ("/nosuch", 404), ("/obj/nosuch", 404), ("/tests/nosuch", 404), ("/empty/", 404), ("/empty/x", 404),
    ("/foobar.index", 404), ("/obj/a.b", 404), ("/..%2findex", 404), ("/a%00b", 404),
    ("/args", 500), ("/fails", 500), ("/teapot", 418),
])
def test_what_is_not_published_has_its_status(shared: Server, url: str, status: int) -> None:
    response = shared.get(url)
    assert response.status in (status, 400 if "%00" in url else status), response.text[:300]
    assert "hidden" not in response.text and "Traceback" not in response.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_other_methods_are_405_with_allow(shared: Server, method: str) -> None:
    response = shared.request(method, "/")
    assert response.status == 405 and {"GET", "POST", "HEAD"} <= set((response.header("Allow") or "").replace(" ", "").split(","))


def test_directory_without_its_slash_is_redirected(shared: Server) -> None:
    response = shared.get("/sub?a=1")
    assert response.status == 301 and (response.header("Location") or "").endswith("/sub/?a=1")


def test_head_has_the_headers_only(shared: Server) -> None:
    response = shared.request("HEAD", "/foobar")
    assert response.status == 200 and response.body == b"" and response.header("Content-Length") == "12"


@pytest.mark.parametrize(("url", "body"), [
    ("/args?a=1", "('1', 'b')"), ("/args?a=1&a=2&b=3", "(['1', '2'], '3')"), ("/args?a=%e9&b=%C3%A9", "('é', 'é')"), ("/args?a=&b=", "('', '')"),
    ("/args?a=1&unknown=2&req=evil", "('1', 'b')"), ("/kw?a=1&b=2&b=3", "[('a', '1'), ('b', ['2', '3'])]"), ("/noreq?a=x", "noreq x"), ("/noreq", "noreq none"),
    ("/wants_form?q=1;r=2", "[('q', '1'), ('r', '2')]"),
])
def test_fields_are_arguments_by_name(shared: Server, url: str, body: str) -> None:
    assert shared.get(url).text == body


def test_posted_fields_are_arguments_too(shared: Server) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert shared.request("POST", "/args?b=q", form, b"a=p%C3%BC").text == "('pü', 'q')"
    chunked = {**form, "Transfer-Encoding": "chunked"}
    with shared.client() as client:
        client.send(b"POST /args HTTP/1.1\r\nHost: x\r\n" + "".join(f"{k}: {v}\r\n" for k, v in chunked.items()).encode() + b"\r\n3\r\na=1\r\n0\r\n\r\n")
        assert client.read_response().text == "('1', 'b')"


def test_upload_is_a_field(shared: Server) -> None:
    data = bytes(range(256)) * 4000
    body = b'--B\r\nContent-Disposition: form-data; name="f"; filename="\xc3\xbc.bin"\r\nContent-Type: image/x\r\n\r\n' + data + b"\r\n--B--\r\n"
    response = shared.request("POST", "/upload", {"Content-Type": "multipart/form-data; boundary=B"}, body)
    assert response.text == f"ü.bin|image/x|{len(data)}|<class 'bytes'>"


@pytest.mark.parametrize(("content_type", "body", "status"), [
    ("multipart/form-data", b"x", 400), ("multipart/form-data; boundary=B", b"--B\r\nbroken", 400), ("multipart/form-data; boundary=B", b"--B", 400),
    ("text/xml", b"<x/>", 501), ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1001), 413),
    ("application/x-www-form-urlencoded", b"a=" + b"x" * (1 << 20) + b"y", 413), ("application/x-www-form-urlencoded", b"\xff\xfe=\x00\xff%zz", 500),
])
def test_bad_forms_have_a_clear_status_and_a_log_line(shared: Server, content_type: str, body: bytes, status: int) -> None:
    assert shared.request("POST", "/args", {"Content-Type": content_type}, body).status == status
    shared.expect_log(f"form refused with {status}" if status != 500 else "missing 1 required positional argument: 'a'")


@pytest.mark.parametrize(("url", "body", "content_type"), [
    ("/returns?what=none", b"", None), ("/returns?what=int", b"7", "text/plain"), ("/returns?what=func", b"index.foobar", "text/plain"),
    ("/returns?what=obj", b"called", "text/plain"), ("/returns?what=klass", b"called", "text/plain"), ("/returns?what=empty", b"", "text/plain"), ("/page", b"<p>x</p></html>", "text/html"),
    ("/html", "<html><body>€</body></HTML>  \n".encode(), "text/html; charset=utf-8"), ("/typed", b"\xe9&#8364;", "text/html; charset=iso-8859-1"),
    ("/raw", b"raw\xff", "text/plain"), ("/pieces", b"one two", "text/plain"), ("/text", "héllo".encode(), "text/plain; charset=utf-8"),
])
def test_results_are_written(shared: Server, url: str, body: bytes, content_type: str | None) -> None:
    response = shared.get(url)
    assert (response.status, response.body, response.header("Content-Type")) == (200, body, content_type)


def test_redirect_ends_the_function(shared: Server) -> None:
    response = shared.get("/go")
    assert response.status == 302 and response.header("Location") == "/elsewhere"


# Rules.

def expect_401(response: Response, realm: str) -> None:
    assert response.status == 401 and response.header("WWW-Authenticate") == f'Basic realm="{realm}"'


def test_module_rules_hold_for_everything_in_it(shared: Server) -> None:
    expect_401(shared.get("/auth"), "Whole module")
    expect_401(shared.get("/auth", basic("eggs", "wrong")), "Whole module")
    assert shared.get("/auth", basic("eggs", "spam")).text == "for eggs"
    assert shared.get("/auth", basic("joe", "é")).text == "for joe"
    assert shared.get("/auth/only_joe", basic("joe", "é")).text == "joe only"
    assert shared.get("/auth/only_joe", basic("eggs", "spam")).status == 403


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"nocolon").decode(), "Basic \xff\xff"])
def test_credentials_that_cannot_be_read_are_400(shared: Server, header: str) -> None:
    assert shared.get("/auth", {"Authorization": header}).status == 400


def test_other_schemes_are_no_credentials(shared: Server) -> None:
    expect_401(shared.get("/auth", {"Authorization": 'Digest username="x"'}), "Whole module")
    assert shared.get("/foobar", {"Authorization": "Basic !!!"}).status == 200


@pytest.mark.parametrize("name", ["callable_rule", "dict_rule", "decorated", "thing/method", "thing", "guarded/value", "guarded/method"])
def test_rules_of_functions_and_objects(shared: Server, name: str) -> None:
    realm = 'Nested \\"realm\\"' if name == "callable_rule" else "unknown"
    expect_401(shared.get(f"/nested/{name}"), realm)
    expect_401(shared.get(f"/nested/{name}", basic("u", "x")), realm)
    response = shared.get(f"/nested/{name}", basic("u", "p"))
    assert response.status == 200 and response.text in ("in", "[in]", "guarded value")


def test_access_rules_without_authentication(shared: Server) -> None:
    assert shared.get("/nested/never", basic("u", "p")).status == 403
    assert shared.get("/nested/list_rule").status == 403
    assert shared.get("/nested/list_rule", basic("u", "any")).status == 200
    assert shared.get("/nested/constant", basic("u", "p")).status == 401


def test_rule_that_cannot_be_read_is_never_let_through(shared: Server) -> None:
    response = shared.get("/nested/dynamic", basic("u", "p"))
    assert response.status == 500
    shared.expect_log("__auth__ of dynamic\\(\\) in .*nested.py:\\d+ is not directly in the function's body; refused")


# Changes.

def test_edited_module_is_published_anew_and_a_broken_one_is_500(server: object) -> None:
    host: Server = server(CONF, {"www/index.py": "import helper\ndef index(req): return helper.A\n", "www/helper.py": "A = 'one'\n",  # type: ignore[operator]
                                 "www/other.py": "def index(req): return 'other'\n"})
    assert host.get("/").text == "one"
    host.write("www/helper.py", "A = 'second'\n")
    assert host.get("/").text == "second"
    host.write("www/helper.py", "A = (\n")
    assert host.get("/").status == 500 and host.get("/other").text == "other"
    host.expect_log("PythonHandler mod_python.publisher: .*SyntaxError|helper.py")
    host.allow_log("PythonHandler mod_python.publisher")
    host.write("www/helper.py", "A = 'third one'\n")
    assert host.get("/").text == "third one"
    host.write("www/new.py", "def index(req): return 'dropped in'\n")
    assert host.get("/new").text == "dropped in"


def test_debug_shows_the_traceback_to_the_client(server: object) -> None:
    host: Server = server(CONF.replace("PythonDebug Off", "PythonDebug On"), {"www/index.py": "def index(req): return undefined_name\n"})  # type: ignore[operator]
    response = host.get("/")
    assert response.status == 500 and "undefined_name" in response.text and "index.py" in response.text
    host.expect_log("NameError: name 'undefined_name' is not defined")
    host.allow_log("PythonHandler mod_python.publisher")


def test_extension_handlers_and_htaccess(server: object) -> None:
    host: Server = server('<Directory "@ROOT@/www">\nRequire all granted\nAllowOverride All\n</Directory>\n',  # type: ignore[operator]
                          {"www/app/.htaccess": "AddHandler mod_python .py\nPythonHandler mod_python.publisher | .py\n",
                           "www/app/m.py": "def index(req): return 'm'\ndef f(req): return 'm.f'\n", "www/app/a.txt": "static"})
    assert host.get("/app/m.py").text == "m" and host.get("/app/m.py/f").text == "m.f" and host.get("/app/a.txt").text == "static"
    assert host.get("/app/m.py/__doc__").status == 403

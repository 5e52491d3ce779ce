"""Variables and headers that the configuration adds: SetEnvIf and its kin, Header, RequestHeader, the environment of CGI."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from support.server import Server

Start = Callable[..., Server]

SHOW = '''
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    for name in sorted(req.subprocess_env.keys()):
        req.write("%s=%s\\n" % (name, req.subprocess_env[name]))
    return apache.OK

def cgi(req):
    req.add_common_vars()
    req.add_cgi_vars()
    return handler(req)

def headers(req):
    req.content_type = "text/plain"
    for name, value in req.headers_in.items():
        req.write("%s=%s\\n" % (name, value))
    return apache.OK

def answer(req):
    req.headers_out["X-Have"] = "one, two"
    req.err_headers_out["X-Error"] = "kept"
    req.content_type = "text/plain"
    code = int(req.args or 200)
    if code == 200:
        req.write("x")
        return apache.OK
    return code

def own(req):
    req.status = 404
    req.write("mine")
    return apache.OK
'''


@pytest.fixture
def start(server: Start) -> Callable[..., Server]:
    def with_handler(conf: str, function: str = "handler", **more: str) -> Server:
        files = {"py/show.py": SHOW, **more}
        return server(f"{conf}\n<Location />\nSetHandler mod_python\nPythonHandler show::{function}\nPythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>", files=files)
    return with_handler


def shown(host: Server, target: str = "/", headers: dict[str, str] | list[tuple[str, str]] | None = None) -> dict[str, str]:
    answer = host.get(target, headers or {})
    assert answer.status == 200, answer
    return dict(line.split("=", 1) for line in answer.text.splitlines())


def test_setenvif(start: Callable[..., Server]) -> None:
    host = start("SetEnvIf User-Agent ^Mozilla/([0-9]+) moz version=v$1\nSetEnvIfNoCase X-Thing yes thing=on\nBrowserMatch Bot bot !moz\n"
                 'SetEnvIf Request_URI "\\.gif$" image=gif\nSetEnvIf Remote_Addr ^127 near\nSetEnvIf Request_Method GET get=$0\nSetEnvIf Request_Protocol 1 proto=$0\n'
                 "SetEnvIf Server_Addr 127 server\nSetEnvIf ^X-Th thing2 second\nSetEnvIf moz 1 chained\nSetEnvIf X-None ^$ missing")
    common = {"near": "1", "get": "GET", "proto": "1", "server": "1", "missing": "1"}
    assert shown(host) == common
    assert shown(host, "/a.gif", {"User-Agent": "Mozilla/5"}) == common | {"moz": "1", "version": "v5", "chained": "1", "image": "gif"}
    assert shown(host, "/", {"User-Agent": "Mozilla/5 Bot"}) == common | {"version": "v5", "bot": "1"}
    assert shown(host, "/", {"X-Thing": "YES"}) == common | {"thing": "on"}
    assert shown(host, "/", {"X-Thing": "thing2"}) == common | {"second": "1"}


def test_setenv_passenv_unsetenv(server: Start) -> None:
    host = server("SetEnv a 1\nSetEnv b two words\nSetEnvIf X-C . c\nPassEnv TB_PASSED TB_ABSENT\n<Location />\nSetHandler mod_python\nPythonHandler show\n"
                  "PythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>\n<Location /sub>\nUnsetEnv a\nUnsetEnv c\nSetEnv b 2\n</Location>".replace("two words", '"two words"'),
                  files={"py/show.py": SHOW}, env={"TB_PASSED": "along"})
    assert shown(host, "/", {"X-C": "1"}) == {"a": "1", "b": "two words", "c": "1", "TB_PASSED": "along"}
    assert shown(host, "/sub", {"X-C": "1"}) == {"b": "2", "TB_PASSED": "along"}


def test_environment_of_cgi(start: Callable[..., Server]) -> None:
    host = start("ServerAdmin web@example.org\nServerTokens Prod", "cgi")
    found = shown(host, "/a%20b/c?x=1&y=2", [("Host", "asked.example:8080"), ("X-One", "1"), ("X-One", "2"), ("X_Two", "2"), ("Proxy", "evil"), ("Cookie", "a=1"), ("Cookie", "b=2"),
                                              ("Content-Type", "text/x"), ("Authorization", "Basic x")])
    expected = {
        "HTTP_HOST": "asked.example:8080", "HTTP_X_ONE": "1, 2", "HTTP_COOKIE": "a=1; b=2", "CONTENT_TYPE": "text/x", "SERVER_NAME": "asked.example", "SERVER_PORT": "8080",
        "SERVER_ADDR": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1", "DOCUMENT_ROOT": str(host.root / "www"), "REQUEST_SCHEME": "http", "SERVER_ADMIN": "web@example.org",
        "SERVER_SOFTWARE": "pyhost", "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "GET", "QUERY_STRING": "x=1&y=2",
        "REQUEST_URI": "/a%20b/c?x=1&y=2", "CONTEXT_PREFIX": "", "CONTEXT_DOCUMENT_ROOT": str(host.root / "www")}
    assert {name: found.get(name) for name in expected} == expected
    assert int(found["REMOTE_PORT"]) > 0
    assert not {name for name in found if name.startswith(("HTTP_PROXY", "HTTP_X_TWO", "HTTP_AUTHORIZATION", "HTTP_CONTENT"))}


HEADERS = [  # (rules, what comes of X-Have: "one, two")
    ("Header set X-Have new", ["new"]), ("Header add X-Have new", ["one, two", "new"]), ("Header append X-Have new", ["one, two, new"]), ("Header merge X-Have two", ["one, two"]),
    ("Header merge X-Have new", ["one, two, new"]), ("Header unset X-Have", []), ("Header setifempty X-Have new", ["one, two"]), ("Header edit X-Have [a-z]+ <$0>", ["<one>, two"]),
    ("Header edit* X-Have [a-z]+ <$0>", ["<one>, <two>"]), ("Header set X-Have new env=no", ["one, two"]), ("Header set X-Have new env=!no", ["new"]),
    ("Header set X-Have %{who}e", ["a  b"]), ('Header set X-Have "100%% %{nobody}e"', ["100% (null)"]), ("Header onsuccess set X-Have new", ["new"])]


def test_header_operations(server: Start) -> None:
    sections = "".join(f"<Location /h{i}>\n{rules}\n</Location>\n" for i, (rules, _) in enumerate(HEADERS))
    host = server("SetEnvIf X-Who (.*) \"who=a  b\"\n<Location />\nSetHandler mod_python\nPythonHandler show::answer\n"
                  f"PythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>\n{sections}", files={"py/show.py": SHOW})
    for i, (rules, values) in enumerate(HEADERS):
        assert (rules, host.get(f"/h{i}", {"X-Who": "x"}).all("X-Have")) == (rules, values)


def test_header_always_holds_on_errors(server: Start) -> None:
    host = server("Header set X-Success 1\nHeader always set X-Always 1\nHeader always unset X-Error\n<Location />\nSetHandler mod_python\nPythonHandler show::answer\n"
                  "PythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>\n<Location /own>\nPythonHandler show::own\n</Location>", files={"py/show.py": SHOW})
    for code, success in ((200, "1"), (404, None), (500, None)):
        answer = host.get(f"/?{code}")
        assert (answer.status, answer.header("X-Success"), answer.header("X-Always"), answer.header("X-Error")) == (code, success, "1", None)
    assert host.get("/own").header("X-Success") == "1", "a page of the handler's own is no error of the server, whatever its status"
    refused = host.request("GET", "/", {"Host": "bad host"})
    assert refused.status == 400 and refused.header("X-Success") is None


def test_header_content_type_and_time(server: Start) -> None:
    host = server('Header set Content-Type "x/y; charset=z"\nHeader set X-Time "%t %D %l"', files={"www/x.txt": "x"})
    answer = host.get("/x.txt")
    assert answer.all("Content-Type") == ["x/y; charset=z"]
    began, took, load = (answer.header("X-Time") or "").split()
    assert began.startswith("t=1") and took.startswith("D=") and load.startswith("l=") and int(took[2:]) < 10_000_000


def test_request_header_reaches_the_handler(start: Callable[..., Server]) -> None:
    host = start("RequestHeader set X-New one\nRequestHeader append X-List two\nRequestHeader unset X-Gone\nRequestHeader edit X-Edit a b\nRequestHeader set X-Not x env=no\n"
                 "RequestHeader unset Proxy", "headers")
    found = shown(host, "/", {"X-List": "one", "X-Gone": "1", "X-Edit": "aa", "Proxy": "p"})
    assert {name: value for name, value in found.items() if name[:2] in ("X-", "Pr")} == {"X-New": "one", "X-List": "one, two", "X-Edit": "ba"}


def test_default_charset(server: Start) -> None:
    handler = "def handler(req):\n    req.content_type = req.args\n    req.write('x')\n    return 0\n"
    host = server("AddDefaultCharset koi8-r\n<Location /py>\nSetHandler mod_python\nPythonHandler t\nPythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>",
                  files={"py/t.py": handler, "www/x.txt": "x", "www/x.css": "x"})
    types = {"/x.txt": "text/plain; charset=koi8-r", "/x.css": "text/css", "/py?text/html": "text/html; charset=koi8-r", "/py?text/html;charset=utf-8": "text/html;charset=utf-8",
             "/py?image/x": "image/x"}
    assert {t: host.get(t).header("Content-Type") for t in types} == types


def test_access_log_by_variable(server: Start) -> None:
    host = server('SetEnvIf Request_URI "\\.txt$" quiet\nCustomLog "@ROOT@/other.log" "%U" env=!quiet', files={"www/a.txt": "", "www/b.css": ""})
    host.get("/a.txt")
    host.get("/b.css")
    host.stop()
    assert host.read("other.log") == "/b.css\n"

"""mod_python.cgihandler, wsgi, testhandler and httpdconf."""
from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyhost.mod_python import httpdconf
from pyhost.mod_python._cgistream import CGIStdout
from support.plain import PlainRequest
from support.server import Server, wait_until

CONF = """
<Directory "@ROOT@/www">
    Require all granted
    SetHandler mod_python
    PythonHandler mod_python.cgihandler
</Directory>
"""
ENVIRON = """#!/usr/bin/env python3
import os, sys
import helper
print("Content-Type: text/plain; charset=utf-8")
print("X-One: 1")
print("Set-Cookie: a=1")
print("Set-Cookie: b=2")
print()
for name in ("REQUEST_METHOD", "QUERY_STRING", "SCRIPT_NAME", "PATH_INFO", "GATEWAY_INTERFACE", "SERVER_PROTOCOL", "HTTP_X_TEST", "CONTENT_LENGTH"):
    print(name, "=", os.environ.get(name))
print("cwd", os.getcwd() == os.path.dirname(os.path.abspath(__file__)), "helper", helper.V, __name__)
print("stdin", repr(sys.stdin.read()))
"""


def test_script_sees_its_request(server: object) -> None:
    host: Server = server(CONF, {"www/x.py": ENVIRON, "www/helper.py": "V = 'é'\n"})  # type: ignore[operator]
    response = host.request("POST", "/x.py/more?q=1", {"X-Test": "t", "Content-Type": "text/plain"}, "bödy".encode())
    assert response.status == 200 and response.header("X-One") == "1" and response.all("Set-Cookie") == ["a=1", "b=2"]
    assert response.header("Content-Type") == "text/plain; charset=utf-8"
    assert response.text.splitlines() == [
        "REQUEST_METHOD = POST", "QUERY_STRING = q=1", "SCRIPT_NAME = /x.py", "PATH_INFO = /more", "GATEWAY_INTERFACE = Python-CGI/1.1",
        "SERVER_PROTOCOL = HTTP/1.1", "HTTP_X_TEST = t", "CONTENT_LENGTH = 5", "cwd True helper é __main__", "stdin 'bödy'"]


@pytest.mark.parametrize(("script", "status", "body"), [
    ("print('Status: 404 Not Here\\nContent-Type: text/plain\\n\\ngone', end='')", 404, "gone"),
    ("print('Location: /x\\n')", 302, ""),
    ("import sys\nsys.stdout.buffer.write(b'Content-Type: text/plain\\r\\n\\r\\n\\xff\\x00'); sys.exit(3)", 200, "\ufffd\0"),
    ("print('Content-Type: text/plain')", 200, ""),
    ("import sys\nprint('Content-Type: text/plain\\n'); sys.stdout.flush(); print('b')", 200, "b\n"),
])
def test_output_becomes_the_response(server: object, script: str, status: int, body: str) -> None:
    host: Server = server(CONF, {"www/x.py": script})  # type: ignore[operator]
    response = host.get("/x.py")
    assert (response.status, response.text if status != 302 else "") == (status, body)


@pytest.mark.parametrize(("script", "log"), [
    ("print('no headers at all')", "malformed header line"), ("print('a b: c\\n\\n')", "malformed header line"),
    ("raise RuntimeError('boom')", "RuntimeError: boom"), ("def f(:", "SyntaxError"), ("print('x' * 70000)", "without the empty line"),
])
def test_what_is_no_cgi_output_is_500(server: object, script: str, log: str) -> None:
    host: Server = server(CONF, {"www/x.py": script})  # type: ignore[operator]
    assert host.get("/x.py").status == 500
    host.expect_log(log)
    host.allow_log("PythonHandler mod_python.cgihandler|cgihandler:")


def test_missing_script_is_404(server: object) -> None:
    host: Server = server(CONF)  # type: ignore[operator]
    assert host.get("/nosuch.py").status == 404
    host.expect_log("script not found")


def test_scripts_do_not_mix_their_output(server: object) -> None:
    script = ("import time, os, sys\nprint('Content-Type: text/plain\\n')\nme = os.environ['QUERY_STRING']\n"
              "for i in range(20):\n    time.sleep(0.002)\n    print(me, end='')\n    assert os.environ['QUERY_STRING'] == me\n")
    for chdir in ("On", "Off"):
        host: Server = server(CONF.replace("Require all", f"PythonOption mod_python.cgi.chdir {chdir}\nRequire all"), {"www/x.py": script})  # type: ignore[operator]
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(host.get, [f"/x.py?{n}" for n in "abcdef"]))
        assert [answer.text for answer in answers] == [n * 20 for n in "abcdef"]


def test_print_of_other_handlers_still_goes_to_the_log(server: object) -> None:
    conf = CONF + '<Location /other>\nSetHandler mod_python\nPythonHandler other\nPythonPath "[\'@ROOT@/www\'] + sys.path"\n</Location>\n'
    host: Server = server(conf, {"www/x.py": "print('Content-Type: text/plain\\n\\nscript')", "www/other.py":  # type: ignore[operator]
                                 "def handler(req):\n    print('printed by other')\n    req.write('other')\n    return 0\n"})
    assert host.get("/x.py").text == "script\n" and host.get("/other").text == "other"
    host.expect_log("printed by other")


def test_stdout_takes_headers_in_any_pieces() -> None:
    whole = b"Content-Type: text/x\r\nX-A: b\r\n\r\nbody\n\nmore"
    for size in (1, 2, 5, 100):
        request = PlainRequest()
        out = CGIStdout(request)
        for at in range(0, len(whole), size):
            out.buffer.write(whole[at:at + size])
        assert request.written == b"body\n\nmore" and request.content_type == "text/x" and request.headers_out["X-A"] == "b"


# wsgi

WSGI = """
<Location /app>
    SetHandler mod_python
    PythonHandler mod_python.wsgi
    PythonPath "['@ROOT@/lib'] + sys.path"
    PythonOption mod_python.wsgi.application app::main
</Location>
<Location /none>
    SetHandler mod_python
    PythonHandler mod_python.wsgi
    PythonPath "['@ROOT@/lib'] + sys.path"
    PythonOption mod_python.wsgi.application app::nothing
</Location>
"""
APP = """
def main(environ, start_response):
    path = environ.get("PATH_INFO", "")
    if path == "/twice":
        start_response("200 OK", [])
        start_response("500 no", [])
    if path == "/never":
        return [b"x"]
    status = {"/404": "404 Not Here", "/302": "302 Found"}.get(path, "200 OK")
    headers = [("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")]
    if path == "/302":
        headers.append(("Location", "/there"))
    write = start_response(status, headers)
    if path == "/write":
        write(b"written ")
    return [b"%s|%s" % (environ["SCRIPT_NAME"].encode(), path.encode())]
"""


def test_wsgi_status_is_really_sent(server: object) -> None:
    host: Server = server(WSGI, {"lib/app.py": APP})  # type: ignore[operator]
    response = host.get("/app/404")
    assert (response.status, response.reason, response.text) == (404, "Not Here", "/app|/404") and response.all("X-A") == ["1", "2"]
    moved = host.get("/app/302")
    assert moved.status == 302 and moved.header("Location") == "/there"
    assert host.get("/app/x").text == "/app|/x" and host.get("/app").text == "/app|" and host.get("/app/write").text == "written /app|/write"
    assert host.get("/app/x").header("Content-Length") == str(len("/app|/x"))


def test_wsgi_base_uri_says_where_the_application_is(server: object) -> None:
    conf = ('<Directory "@ROOT@/www">\nRequire all granted\nSetHandler mod_python\nPythonHandler mod_python.wsgi\n'
            'PythonPath "[\'@ROOT@/lib\'] + sys.path"\nPythonOption mod_python.wsgi.application app::main\nPythonOption mod_python.wsgi.base_uri /base\n'
            "</Directory>\n")
    host: Server = server(conf, {"lib/app.py": APP})  # type: ignore[operator]
    assert host.get("/base/x").text == "/base|/x" and host.get("/elsewhere").status == 404


def test_wsgi_mistakes_are_500_and_missing_applications_decline(server: object) -> None:
    host: Server = server(WSGI, {"lib/app.py": APP})  # type: ignore[operator]
    assert host.get("/app/never").status == 500 and host.get("/app/twice").status == 500 and host.get("/none").status == 404
    host.expect_log("did not call start_response|start_response\\(\\) was called again")
    host.allow_log("PythonHandler mod_python.wsgi|mod_python.wsgi:|AssertionError")


# testhandler

def test_testhandler_shows_the_request_and_hides_secrets(server: object) -> None:
    host: Server = server("<Location /t>\nSetHandler mod_python\nPythonHandler mod_python.testhandler\nPythonOption my.option <v>\n</Location>\n")  # type: ignore[operator]
    response = host.get("/t/x?a=<b>", {"Cookie": "c=verysecret", "X-Y": "<i>"})
    assert response.status == 200 and response.text.startswith("<!DOCTYPE html>") and "&lt;i&gt;" in response.text
    assert "verysecret" not in response.text and "my.option" in response.text and "&lt;v&gt;" in response.text and "main_interpreter" in response.text
    assert "<b>" not in response.text and "PythonHandler" in response.text
    wait_until(lambda: "GET /t/x" in host.access_log, "the request is logged")
    assert "Error log" in host.get("/t?view_log=1").text


# httpdconf

def test_httpdconf_writes_what_the_server_reads(run: object, tmp_path: Path) -> None:
    path = httpdconf.write_basic_config(str(tmp_path / "root"), listen="127.0.0.1:0", pythonpath=["/x y"], pythonoptions=["a b"], mp_comments=["hello"])
    assert path is not None
    text = Path(path).read_text()
    assert 'PythonPath "[\'/x y\'] + sys.path"' in text and "# hello" in text and "PythonOption a b" in text
    assert httpdconf.write_basic_config(str(tmp_path / "root")) is None
    (tmp_path / "check.conf").write_text(text.replace("127.0.0.1:0", "127.0.0.1:8888"))
    done = run("-t", "-f", str(tmp_path / "check.conf"))  # type: ignore[operator]
    assert done.returncode == 0, done.stdout + done.stderr


def test_httpdconf_classes() -> None:
    h = httpdconf
    classes = [value for name, value in vars(h).items() if isinstance(value, type) and name in h.__all__]
    assert len(classes) == 65
    assert str(h.Listen(80)) == "Listen 80\n" and str(h.DocumentRoot("C:\\a b")) == 'DocumentRoot "C:/a b"\n'
    assert str(h.LogFormat('"%h \\"%r\\"" c')) == 'LogFormat "%h \\"%r\\"" c\n' and str(h.PythonInterpPerDirectory()) == "PythonInterpPerDirectory Off\n"
    assert str(h.Comment("a\nb")) == "# a\n# b\n" and h.quote_if_space("a b") == '"a b"' and h.quote_if_space("ab") == "ab"
    tree = h.Container(h.VirtualHost("*", h.ServerName("n"), h.Directory("/d", h.PythonHandler("m"))), h.Container(h.Timeout(1), only_if="1 > 2"))
    assert re.sub(r"\s+", " ", str(tree)) == "<VirtualHost *> ServerName n <Directory /d> PythonHandler m </Directory> </VirtualHost> "
    assert repr(tree) == ("Container(VirtualHost('*', ServerName('n'), Directory('/d', PythonHandler('m'))), "
                          "Container(Timeout(1), only_if='1 > 2'))")

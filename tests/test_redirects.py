"""Requests that belong together: internal redirects, error documents, and the sub-requests that look for the index of a folder (req.prev, next, main)."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from support.server import Server

Start = Callable[..., Server]

APP = """
from mod_python import apache

def around(req):
    return "prev=%s next=%s main=%s" % tuple(other and other.uri for other in (req.prev, req.next, req.main))

def transhandler(req):
    req.notes["trans"] = req.uri
    return apache.DECLINED

def accesshandler(req):
    if req.uri.endswith("/secret.txt"):
        return apache.HTTP_FORBIDDEN
    if req.uri.endswith("/away.txt"):
        return apache.HTTP_NOT_FOUND
    return apache.OK

def fixuphandler(req):
    if req.main:
        req.notes["index"] = "%s below %s in %s" % (req.uri, req.main.uri, apache.interpreter)
        req.headers_out["X-Index"] = "1"
        req.register_cleanup(lambda data: apache.log_error("the index is cleaned up before %s" % data, apache.APLOG_NOTICE), req.main.uri)
    return apache.OK

def handler(req):
    if req.uri.endswith("/go"):
        req.internal_redirect("/app/there")
        return apache.OK
    if req.uri.endswith("/loop"):
        req.internal_redirect("/app/loop")
        return apache.OK
    req.write("%s %s index=%s trans=%s in %s" % (req.uri, around(req), req.notes.get("index"), req.notes.get("trans"), apache.interpreter), 0)
    return apache.OK

def loghandler(req):
    last = req
    while last.next:
        last = last.next
    req.log_error("logged %s to %s, %s" % (req.uri, last.uri, around(req)), apache.APLOG_NOTICE)
    return apache.OK
"""

CONF = """
PythonTransHandler app::transhandler
PythonPath "['@ROOT@/www'] + sys.path"
<Directory "@ROOT@/www/app">
    SetHandler mod_python
    PythonHandler app
    PythonAccessHandler app
    PythonFixupHandler app
    PythonLogHandler app
    DirectoryIndex away.txt index.txt
    ErrorDocument 403 /app/sorry
</Directory>
<Directory "@ROOT@/www/app/other">
    <Files index.txt>
        PythonInterpreter other
    </Files>
</Directory>
<Directory "@ROOT@/www/app/closed">
    DirectoryIndex secret.txt index.txt
</Directory>
<Directory "@ROOT@/www/app/hidden">
    DirectoryIndex secret.txt away.txt
</Directory>
<Directory "@ROOT@/www/pages">
    AddHandler mod_python .psp
    PythonHandler mod_python.psp
    DirectoryIndex index.psp
</Directory>
"""
FILES: dict[str, str | bytes] = {
    "www/app.py": APP, "www/app/index.txt": "", "www/app/away.txt": "", "www/app/other/index.txt": "", "www/app/closed/secret.txt": "",
    "www/app/closed/index.txt": "", "www/app/hidden/secret.txt": "", "www/app/hidden/away.txt": "", "www/app/empty/x": "",
    "www/pages/index.psp": "page of <%= req.uri %>, prev <%= req.prev %>, main <%= req.main %>, file <%= req.filename[-9:] %>",
}


@pytest.mark.parametrize("path, expected", [
    ("/app/", "/app/index.txt prev=None next=None main=None index=/app/index.txt below /app/ in main_interpreter trans=/app/index.txt in main_interpreter"),
    ("/app/?q=1", "/app/index.txt prev=None next=None main=None index=/app/index.txt below /app/ in main_interpreter trans=/app/index.txt in main_interpreter"),
    ("/app/other/", ("/app/other/index.txt prev=None next=None main=None index=/app/other/index.txt below /app/other/ in other "
                    "trans=/app/other/index.txt in other")),
    ("/app/closed/", ("/app/closed/index.txt prev=None next=None main=None index=/app/closed/index.txt below /app/closed/ in main_interpreter "
                     "trans=/app/closed/index.txt in main_interpreter")),
    ("/app/empty/", "/app/empty/ prev=None next=None main=None index=None trans=/app/empty/ in main_interpreter"),
    ("/app/go", "/app/there prev=/app/go next=None main=None index=None trans=/app/there in main_interpreter"),
    ("/pages/", "page of /pages/index.psp, prev None, main None, file index.psp"),
])
def test_what_a_request_knows_of_the_others(server: Start, path: str, expected: str) -> None:
    host = server(CONF, FILES)
    for _ in range(2):
        assert host.get(path).text == expected
    if path == "/app/":
        host.expect_log("the index is cleaned up before /app/")
        assert host.get(path).header("X-Index") == "1"


def test_an_index_that_is_refused_is_the_answer(server: Start) -> None:
    host = server(CONF, FILES)
    answer = host.get("/app/hidden/")
    assert answer.status == 403 and answer.text.startswith("/app/sorry prev=/app/hidden/")
    host.expect_log("logged /app/hidden/ to /app/sorry, prev=None next=/app/sorry main=None")


def test_redirects_that_lead_back_to_each_other_end(server: Start) -> None:
    host = server(CONF, FILES)
    host.allow_log("lead back to each other|internal_redirect|loop")
    assert host.get("/app/loop").status == 500
    host.expect_log("logged /app/loop to /app/loop")


def test_the_next_request_on_the_connection_finds_everything_cleaned_up(server: Start) -> None:
    host = server(CONF, FILES)
    with host.client() as client:
        for _ in range(3):
            client.send(b"GET /app/go HTTP/1.1\r\nHost: x\r\n\r\nGET /app/ HTTP/1.1\r\nHost: x\r\n\r\nGET /app/hidden/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert [client.read_response().status for _ in range(3)] == [200, 200, 403]
    assert host.get("/app/other/").status == 200


def test_a_client_that_leaves_in_a_redirect_is_logged(server: Start) -> None:
    host = server(CONF + """
<Directory "@ROOT@/www/slow">
    SetHandler mod_python
    PythonHandler slow
    PythonLogHandler app
</Directory>
""", {**FILES, "www/slow/x": "", "www/slow.py": """
import time
from mod_python import apache
def handler(req):
    if not req.prev:
        req.log_error("redirecting", apache.APLOG_NOTICE)
        req.internal_redirect("/slow/target")
        return apache.OK
    for _ in range(1000):
        try:
            req.write("x" * 10000)
        except OSError:
            return apache.OK
        time.sleep(0.01)
    return apache.OK
"""})
    host.allow_log("client has gone|Write failed")
    client = host.client()
    client.send(b"GET /slow/x HTTP/1.1\r\nHost: x\r\n\r\n")
    host.expect_log("redirecting")
    client.close()
    host.expect_log("logged /slow/x to /slow/target")

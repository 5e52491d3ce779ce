"""Filters: PythonInputFilter, PythonOutputFilter, SetOutputFilter, AddOutputFilter and those that a handler adds (mod_python's manual, "Filters")."""
from __future__ import annotations

from collections.abc import Callable

from support.server import Server

Start = Callable[..., Server]

FILTERS = '''
from mod_python import apache

def upper(filter):
    data = filter.read()
    while data:
        filter.write(data.upper())
        data = filter.read()
    if data is None:
        filter.close()

def lines(filter):
    line = filter.readline()
    while line:
        filter.write(b"> " + line)
        line = filter.readline()
    if line is None:
        filter.write(b"end")
        filter.close()

def broken(filter):
    raise ValueError("filter")

def status(filter):
    filter.pass_on()
    raise apache.SERVER_RETURN(404)

def passing(filter):
    filter.pass_on()

def names(filter):
    data = filter.read()
    while data:
        data = filter.read()
    if data is None:
        filter.write("%s %s %s %s %s" % (filter.name, filter.is_input, filter.handler, filter.closed, filter.req.uri))
        filter.close()
        try:
            filter.write("x")
        except ValueError as error:
            filter.req.log_error("late: %s" % error, apache.APLOG_NOTICE)

def outputfilter(filter):
    upper(filter)

def handler(req):
    case = req.args or ""
    if case == "added":
        req.register_output_filter("MINE", "filters::upper", req.document_root())
        req.add_output_filter("mine")
    if case == "unknown":
        req.add_output_filter("nosuch")
    if case == "input":
        req.register_input_filter("UP", "filters::upper", req.document_root())
        req.add_input_filter("UP")
    if case == "length":
        req.set_content_length(11)
    if req.method == "POST":
        req.write(repr((req.readline(), req.read())), 0)
        return apache.OK
    req.write("one\\n", 0)
    req.write("two ", case != "length")
    req.write("end", 0)
    return apache.OK
'''

APP = '''
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "9")])
    body = environ["wsgi.input"].read()
    yield repr(body).encode()
    yield b" " + b"tail" * 20000
'''

CONF = """
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler filters
    PythonOutputFilter filters::upper UPPER
    PythonOutputFilter filters::lines LINES
    PythonOutputFilter filters::broken BROKEN
    PythonOutputFilter filters::status STATUS
    PythonOutputFilter filters::names Names
    PythonOutputFilter filters::passing PASSING
    PythonOutputFilter filters
    PythonInputFilter filters::upper UPPER
</Directory>
<Location /upper>
    SetOutputFilter upper
</Location>
<Location /two>
    SetOutputFilter UPPER;LINES
</Location>
<Location /broken>
    SetOutputFilter BROKEN
</Location>
<Location /debug>
    SetOutputFilter BROKEN
    PythonDebug On
</Location>
<Location /status>
    SetOutputFilter STATUS
</Location>
<Location /names>
    SetOutputFilter Names
</Location>
<Location /passing>
    SetOutputFilter PASSING
</Location>
<Location /default>
    SetOutputFilter filters
</Location>
<Location /input>
    SetInputFilter UPPER
</Location>
<Location /static>
    SetHandler default-handler
    AddOutputFilter UPPER .txt
</Location>
<Location /wsgi>
    SetHandler wsgi
    PyWSGIApplication "@ROOT@/www/app.py"
    SetOutputFilter UPPER
    SetInputFilter UPPER
</Location>
"""
FILES: dict[str, str | bytes] = {
    "www/app.py": APP, "www/filters.py": FILTERS, "www/static/file.txt": "abc" * 50000, "www/static/file.html": "plain",
}


def test_filters_of_responses(server: Start) -> None:
    host = server(CONF, FILES)
    host.allow_log("Filter: (broken|status)|unknown filter")
    assert host.get("/plain").body == b"one\ntwo end"
    assert host.get("/upper").body == b"ONE\nTWO END"
    assert host.get("/two").body == b"> ONE\n> TWO > ENDend"
    assert host.get("/broken").body == b"one\ntwo end"
    host.expect_log("Filter: broken filters::broken: ValueError: filter")
    debug = host.get("/debug")
    assert (debug.status, debug.header("Content-Type")) == (500, "text/html; charset=utf-8")
    assert b'Mod_python error: "broken filters::broken"' in debug.body and debug.body.endswith(b"one\ntwo end")
    assert host.get("/names").body == b"names 0 filters::names 0 /names"
    host.expect_log("late: I/O operation on closed filter")
    assert host.get("/passing").body == b"one\ntwo end"
    assert host.get("/default").body == b"ONE\nTWO END"
    assert host.get("/plain?added").body == b"ONE\nTWO END"
    assert host.get("/plain?unknown").body == b"one\ntwo end"
    host.expect_log("an unknown filter was not added: nosuch")


def test_server_return_in_a_filter_sets_the_status(server: Start) -> None:
    host = server(CONF, FILES)
    response = host.get("/status?length")
    assert (response.status, response.body) == (404, b"one\ntwo end")


def test_a_filtered_body_has_its_own_length(server: Start) -> None:
    host = server(CONF, FILES)
    response = host.get("/two?length")
    assert response.body == b"> ONE\n> TWO ENDend"
    assert response.header("Content-Length") in (None, str(len(response.body)))


def test_static_files_go_through_filters(server: Start) -> None:
    host = server(CONF, FILES)
    assert host.get("/static/file.txt").body == b"ABC" * 50000
    assert host.get("/static/file.html").body == b"plain"
    assert host.get("/static/file.txt", headers={"Range": "bytes=0-1"}).body == b"ABC" * 50000
    assert host.request("HEAD", "/static/file.txt").body == b""
    assert host.get("/static/nosuch.txt").status == 404


def test_filters_of_request_bodies(server: Start) -> None:
    host = server(CONF, FILES)
    for path in ("/input", "/plain?input"):
        assert host.request("POST", path, body=b"one\ntwo").body.decode() == repr((b"ONE\n", b"TWO"))
    with host.client() as client:
        client.send(b"POST /input HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab\n\r\n")
        client.send(b"1\r\nc\r\n0\r\n\r\n")
        assert client.read_response().body.decode() == repr((b"AB\n", b"C"))


def test_a_large_filtered_response_waits_for_its_reader(server: Start) -> None:
    host = server(CONF, {**FILES, "www/static/large.txt": "abcdefgh" * 500000})
    assert host.get("/static/large.txt").body == b"ABCDEFGH" * 500000


def test_wsgi_applications_go_through_filters(server: Start) -> None:
    host = server(CONF, FILES)
    assert host.request("POST", "/wsgi", body=b"body").body == b"B'BODY' " + b"TAIL" * 20000

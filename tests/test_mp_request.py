"""mp_request: members, methods, what may be written, and the border between bytes and text (mod_python's manual, "Request Object")."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.lab import Lab, lab_server

CONF = """
<Directory "@ROOT@/www">
    AuthType Basic
    AuthName "the lab"
    SetHandler mod_python
    PythonHandler lab
    PythonOption first 1
    PythonOption second two
    PythonOption second ""
    PythonDebug Off
    AddHandler mod_python .py .psp
</Directory>
<Directory "@ROOT@/www/plain">
    PythonHandler plain
</Directory>
"""
CASES = '''
from mod_python import apache

def handler(req):
    return globals()[req.args](req)

def hello(req):
    req.content_type = "text/plain"
    req.write("Hello")
    return apache.OK

def unflushed(req):
    req.write("one ", 0)
    req.write(b"two", 0)
    return apache.OK

def late_header(req):
    req.headers_out["X-Early"] = "1"
    req.write("body")
    req.headers_out["X-Late"] = "1"
    req.status = 404
    return apache.OK

def euro(req):
    req.write("\\u20ac", 0)
    return apache.OK

def own_status(req):
    req.status = 404
    req.headers_out["X-Out"] = "1"
    req.err_headers_out["X-Err"] = "1"
    req.write("own page", 0)
    return apache.OK

def error_return(req):
    req.headers_out["X-Out"] = "1"
    req.err_headers_out["X-Err"] = "1"
    req.write("dropped", 0)
    return apache.HTTP_FORBIDDEN

def injected(req):
    req.headers_out["X-A"] = "1\\r\\nX-B: 2"
    req.write("x", 0)
    return apache.OK

def length(req):
    req.set_content_length(3)
    req.write("abc")
    return apache.OK

def sendfile(req):
    n = req.sendfile(req.document_root() + "/plain/file.txt", 2, 3)
    req.write(str(n))
    return apache.OK

def not_modified(req):
    req.headers_out["ETag"] = '"v1"'
    return req.meets_conditions() or (req.write("full") or apache.OK)

def not_allowed(req):
    req.allow_methods(["GET", "POST", "BREW"], 1)
    req.allow_methods(["MOVE"])
    return apache.HTTP_METHOD_NOT_ALLOWED

def cleanups(req):
    def note(data):
        with open(req.document_root() + "/../cleanups", "a") as file:
            file.write(data + req.uri + "\\n")
    req.register_cleanup(note, "first")
    req.register_cleanup(lambda data: 1 / 0)
    req.register_cleanup(note, "second")
    req.write("done", 0)
    return apache.OK

def redirected(req):
    req.write("before ", 0)
    req.internal_redirect("/plain/x?target")
    req.write(" lost")
    return apache.OK

def target(req):
    req.write("target of %s, same object: %s" % (req.prev.uri, req.prev.next is req), 0)
    return apache.OK

def status(req):
    req.status = int(req.headers_in["X-Status"])
    req.write("x", 0)
    return apache.OK

def after_redirect(req):
    req.internal_redirect("/plain/x?target")
    req.log_error("after: %s" % (req.next and req.next.uri), apache.APLOG_NOTICE)
    import sys
    sys.kept_next = req
    return apache.OK

def kept_next(req):
    import sys
    req.write(repr((sys.kept_next.next is None, sys.kept_next.uri)), 0)
    return apache.OK

def big(req):
    for _ in range(64):
        req.write(b"x" * 65536)
    return apache.OK

def lines(req):
    first, part, rest = req.readline(), req.readline(3), req.readlines()
    req.write(repr((first, part, rest, req.read(), req.read_length, req.remaining)), 0)
    return apache.OK

def read_parts(req):
    req.write(repr((req.read(2), req.read(0), req.readline(), req.read())), 0)
    return apache.OK

def hints(req):
    req.write(repr((req.readlines(3), req.read())), 0)
    return apache.OK

def discard(req):
    req.write(repr((req.discard_request_body(), req.read())), 0)
    return apache.OK

def chunked_flag(req):
    before = req.chunked, req.sent_bodyct, req.bytes_sent
    req.write("x")
    req.write(repr((before, req.chunked, req.sent_bodyct, req.bytes_sent, req._bytes_queued)))
    return apache.OK

def too_late(req):
    import sys
    sys.kept_request = req
    req.write("kept", 0)
    return apache.OK

def after(req):
    import sys
    kept, out = sys.kept_request, [sys.kept_request.uri, sys.kept_request.method]
    for call in (lambda: kept.write("x"), kept.read, kept.flush, lambda: kept.sendfile("/etc/passwd"), kept.get_options,
                 lambda: kept.internal_redirect("/"), lambda: kept.register_cleanup(print), lambda: kept.connection.client_ip):
        try:
            out.append(str(call()))
        except Exception as error:
            out.append(type(error).__name__)
    req.write(repr(out), 0)
    return apache.OK

def wsgi(req):
    env = req.build_wsgi_env()
    write = req.wsgi_start_response("404 Nowhere", [("Content-Type", "text/plain"), ("X-A", "1"), ("X-A", "2")])
    write(repr((env["SCRIPT_NAME"], env["PATH_INFO"], env["QUERY_STRING"], env["wsgi.input"] is req, env["REQUEST_METHOD"])).encode())
    return apache.OK
'''


@pytest.fixture(scope="module")
def lab(binary: Path, base_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    files = {"www/plain/plain.py": CASES, "www/plain/file.txt": "0123456789"}
    with lab_server(binary, base_env, tmp_path_factory.mktemp("request"), CONF, files) as lab:
        lab.host.allow_log(r"cleanup|ZeroDivision|Traceback|plain.py|_ register|must not be sent|File |~~|\^\^|1 / 0")
        yield lab


MEMBERS: list[tuple[str, Any]] = [
    ("req.method", "POST"), ("req.method_number", 2), ("req.uri", "/lab"), ("req.unparsed_uri", "/lab?a=1"), ("req.args", "a=1"),
    ("req.the_request", "POST /lab?a=1 HTTP/1.1"), ("req.protocol", "HTTP/1.1"), ("req.proto_num", 1001), ("req.header_only", 0),
    ("req.status", 200), ("req.status_line", None), ("req.hostname", "localhost"), ("req.assbackwards", 0), ("req.proxyreq", 0),
    ("req.handler", "mod_python"), ("req.user", None), ("req.ap_auth_type", None), ("req.no_cache", 0), ("req.no_local_copy", 0),
    ("req.used_path_info", 2), ("req.chunked", 0), ("req.content_type", None), ("req._content_type_set", 0), ("req.next", None),
    ("req.prev", None), ("req.main", None), ("req.phase", "PythonHandler"), ("req.interpreter", "main_interpreter"), ("req.extension", None),
    ("req.allowed", 0), ("req.allowed_methods", ()), ("req.allowed_xmethods", ()), ("req.content_languages", ()), ("req.content_encoding", None),
    ("req.vlist_validator", None), ("req.mtime", 0.0), ("req.clength", 0), ("req.eos_sent", 0), ("req.expecting_100", 0),
    ("req.read_chunked", 0), ("req.range", None), ("req.useragent_ip", "127.0.0.1"), ("req.useragent_addr[0]", "127.0.0.1"),
    ("req.parsed_uri[6:]", ("/lab", "a=1", None)), ("req.parsed_uri[:3]", (None, None, None)),
    ("type(req.request_time).__name__", "float"), ("req.hlist.handler", "lab"), ("req.hlist.silent", 0), ("req.hlist.is_location", 0),
    ("req.is_https()", 0), ("req.ssl_var_lookup('HTTPS')", None), ("req.auth_type()", "Basic"), ("req.auth_name()", "the lab"),
    ("req.get_remote_host()", "127.0.0.1"), ("req.get_remote_host(apache.REMOTE_HOST)", None),
    ("req.get_remote_host(apache.REMOTE_NOLOOKUP, '')", ("127.0.0.1", 1)), ("req.send_http_header()", None),
    ("req.get_options().items()", [("first", "1")]), ("req.get_config()['PythonDebug']", "0"), ("req.get_addhandler_exts()", "py psp "),
    ("req.get_basic_auth_pw()", None), ("req.headers_in['host']", "localhost"),
    ("str(type(req)), str(type(req.connection)), str(type(req.server)), str(type(req.finfo)), str(type(req.hlist))",
     ("<class 'mp_request'>", "<class 'mp_conn'>", "<class 'mp_server'>", "<class 'mp_finfo'>", "<class 'mp_hlist'>")),
    ("req.construct_url('/x?y')[-5:]", "/x?y"[-5:]), ("sorted(set(apache.__dict__) & {'OK', 'table'})", ["OK", "table"]),
    ("req.connection is req.connection, req.server is req.server", (True, True)),
    ("req.finfo.filetype, req.path_info", (0, "")), ("req.filename == req.document_root() + '/lab'", True),
]


@pytest.mark.parametrize(("expression", "value"), MEMBERS, ids=[case[0][:40] for case in MEMBERS])
def test_member(lab: Lab, expression: str, value: Any) -> None:
    answer = lab.eval(expression, path="/lab?a=1")
    assert (answer.endswith(value) if expression.startswith("req.construct") else answer == value), answer


WRITABLE = ["uri", "status_line", "content_type", "handler", "user", "ap_auth_type", "filename", "canonical_filename", "path_info", "args"]
NUMBERS = ["status", "assbackwards", "proxyreq", "chunked", "no_cache", "no_local_copy", "used_path_info"]
READ_ONLY = ["connection", "server", "next", "prev", "main", "the_request", "header_only", "protocol", "proto_num", "hostname", "request_time",
             "method", "method_number", "allowed", "allowed_xmethods", "allowed_methods", "sent_bodyct", "bytes_sent", "mtime", "range", "clength",
             "remaining", "read_length", "read_body", "read_chunked", "expecting_100", "content_encoding", "content_languages", "vlist_validator",
             "unparsed_uri", "parsed_uri", "eos_sent", "interpreter", "phase", "extension", "hlist", "headers_in", "headers_out", "err_headers_out",
             "subprocess_env", "notes", "trailers_in", "useragent_addr", "useragent_ip", "_bytes_queued", "_content_type_set", "_request_rec"]


@pytest.mark.parametrize("name", WRITABLE)
def test_text_members_are_written_as_latin_1(lab: Lab, name: str) -> None:
    code = f"keep = req.{name}\nreq.{name} = 'v\\xe9'\nresult = [req.{name}]\nreq.{name} = b'w\\xe9'\nresult.append(req.{name})\n"
    restore = f"req.{name} = keep or 'x'\n" if name not in ("status_line", "content_type") else f"req.{name} = 'text/plain'\n"
    assert lab.run(code + (restore if name != "status_line" else "req.status_line = '200 OK'\n")) == ["v\xe9", "w\xe9"]


@pytest.mark.parametrize("name", WRITABLE)
def test_only_args_and_handler_may_be_none(lab: Lab, name: str) -> None:
    if name in ("args", "handler"):
        assert lab.run(f"req.{name} = None\nresult = req.{name}") is None
    else:
        assert lab.error(f"req.{name} = None").startswith("TypeError")


@pytest.mark.parametrize("name", WRITABLE)
def test_text_members_refuse_what_is_no_latin_1(lab: Lab, name: str) -> None:
    assert lab.error(f"req.{name} = '\\u20ac'") == "TypeError: not an ISO-8859-1 string"
    assert lab.error(f"req.{name} = 5").startswith("TypeError")
    assert lab.error(f"req.{name} = 'a\\0b'").startswith("ValueError")
    assert lab.error(f"del req.{name}").startswith("TypeError")


@pytest.mark.parametrize("name", NUMBERS)
def test_number_members_take_ints_only(lab: Lab, name: str) -> None:
    assert lab.run(f"keep = req.{name}\nreq.{name} = 1\nresult = req.{name}\nreq.{name} = keep") == 1
    assert lab.error(f"req.{name} = '1'").startswith("TypeError")
    assert lab.error(f"req.{name} = 1 << 40").startswith("OverflowError")


@pytest.mark.parametrize("name", READ_ONLY)
def test_the_other_members_are_read_only(lab: Lab, name: str) -> None:
    assert lab.error(f"req.{name} = 1").startswith("AttributeError")


def test_new_attributes_can_be_set_and_deleted(lab: Lab) -> None:
    assert lab.run("req.mine = [1]\nresult = [req.mine, req.__dict__]\ndel req.mine\nresult.append(hasattr(req, 'mine'))") == [[1], {}, False]


def test_finfo_is_set_from_stat_only(lab: Lab) -> None:
    assert lab.run("req.finfo = apache.stat('/', apache.APR_FINFO_MIN)\nresult = req.finfo.filetype, req.finfo[apache.FINFO_FILETYPE]") == (2, 2)
    assert lab.error("req.finfo = 1").startswith("TypeError")


def test_stat_of_nothing_has_no_filetype(lab: Lab) -> None:
    assert lab.eval("(lambda f: (f.filetype, f.size, f.fname))(apache.stat('/nowhere', 0))") == (0, None, "/nowhere")
    assert lab.error("apache.stat('x' * 5000, 0)").startswith("OSError")


def test_finfo_of_a_file(lab: Lab) -> None:
    code = "import os\npath = req.document_root() + '/plain/file.txt'\nos.chmod(path, 0o644)\nf = apache.stat(path, 0)\n"
    assert lab.run(code + "result = f.filetype, f.size, f.protection, f[apache.FINFO_SIZE], f.name") == (1, 10, 0x644, 10, None)


def test_a_client_byte_never_fails(lab: Lab) -> None:
    assert lab.eval("req.headers_in['X-Name'], req.headers_in.get('x-name')", headers={"X-Name": "caf\xe9"}) == ("caf\xe9", "caf\xe9")
    assert lab.eval("req.uri, req.args", path="/lab/%e9?%e9") == ("/lab/\xe9", "%e9")


def test_basic_auth_password_is_latin_1_and_sets_the_user(lab: Lab) -> None:
    header = {"Authorization": "Basic am9l6TpwYXNz6Q=="}
    assert lab.eval("req.get_basic_auth_pw(), req.user, req.ap_auth_type", headers=header) == ("pass\xe9", "joe\xe9", "Basic")


@pytest.mark.parametrize("value", ["Basic", "Basic ", "Basic !!!!", "Basic am9l", "Digest x=1"])
def test_bad_credentials_are_none(lab: Lab, value: str) -> None:
    assert lab.eval("req.get_basic_auth_pw()", headers={"Authorization": value}) is None


def test_allow_methods(lab: Lab) -> None:
    assert lab.run("req.allow_methods(['GET', 'BREW'])\nresult = req.allowed, req.allowed_methods, req.allowed_xmethods") == (1, ("GET",), ("BREW",))
    assert lab.error("req.allow_methods('GET')").startswith("TypeError")
    assert lab.error("req.allow_methods(['a b'])").startswith("ValueError")


def test_times_and_validators(lab: Lab) -> None:
    code = "req.update_mtime(86400.5); req.update_mtime(5); req.set_last_modified(); req.set_etag()\n"
    assert lab.run(code + "result = req.mtime, req.headers_out['Last-Modified'], req.headers_out['ETag'][0]") == (
        86400.5, "Fri, 02 Jan 1970 00:00:00 GMT", '"')


def test_common_and_cgi_variables(lab: Lab) -> None:
    code = "req.add_common_vars(); req.add_cgi_vars(); e = req.subprocess_env\nresult = e['REQUEST_METHOD'], e['QUERY_STRING'], e['SERVER_PROTOCOL']"
    assert lab.run(code, path="/lab?x=1") == ("POST", "x=1", "HTTP/1.1")


def test_add_handler_knows_its_phases(lab: Lab) -> None:
    assert lab.error("req.add_handler('PythonCleanupHandler', 'x')") == "IndexError: Invalid phase: PythonCleanupHandler"
    assert lab.error("req.add_handler('nonsense', 'x')").startswith("IndexError")


def test_register_cleanup_wants_a_callable(lab: Lab) -> None:
    assert lab.error("req.register_cleanup(5)").startswith("ValueError")


CONNECTION: list[tuple[str, Any]] = [
    ("c.client_ip, c.client_addr[0], c.local_ip", ("127.0.0.1", "127.0.0.1", "127.0.0.1")), ("c.aborted, c.double_reverse", (0, 0)),
    ("c.remote_host, c.remote_logname, c.local_host", (None, None, None)), ("c.keepalive", 0), ("c.notes.items()", []),
    ("c.base_server is req.server", True), ("type(c.id).__name__", "int"), ("len([n for n in dir(c) if not n.startswith('__')])", 22),
]


@pytest.mark.parametrize(("expression", "value"), CONNECTION)
def test_connection_member(lab: Lab, expression: str, value: Any) -> None:
    assert lab.run(f"c = req.connection\nresult = {expression}") == value


def test_connection_is_closed_by_keepalive(lab: Lab) -> None:
    response = lab.host.request("POST", "/lab", body=b"req.connection.keepalive = apache.AP_CONN_CLOSE")
    assert response.closes
    assert lab.error("req.connection.client_ip = 1").startswith("AttributeError")
    assert lab.error("req.connection.keepalive = 7").startswith("ValueError")


SERVER: list[tuple[str, Any]] = [
    ("s.server_hostname", "localhost"), ("s.is_virtual", 0), ("s.keep_alive, s.keep_alive_max", (1, 100)), ("s.timeout, s.keep_alive_timeout", (60.0, 5.0)),
    ("s.limit_req_line, s.limit_req_fieldsize, s.limit_req_fields", (8190, 8190, 100)), ("s.names, s.wild_names", ((), ())), ("s.next", None),
    ("s.path, s.pathlen", (None, 0)), ("s.server_admin", "[no address given]"), ("s.loglevel", 6), ("s.error_fname.endswith('error.log')", True),
    ("len([n for n in dir(s) if not n.startswith('__')])", 27),
]


@pytest.mark.parametrize(("expression", "value"), SERVER)
def test_server_member(lab: Lab, expression: str, value: Any) -> None:
    assert lab.run(f"s = req.server\nresult = {expression}") == value


def test_server_tables_are_live_and_shared(lab: Lab) -> None:
    lab.run("req.server.get_options()['seen'] = 'yes'; req.server.mine = 1")
    assert lab.eval("req.server.get_options()['seen'], req.server.mine, req.get_options().has_key('seen')") == ("yes", 1, 0)


def plain(lab: Lab, case: str, **more: Any) -> Any:
    return lab.host.request(more.pop("method", "GET"), f"/plain/x?{case}", **more)


def test_a_flushed_body_is_chunked(lab: Lab) -> None:
    response = plain(lab, "hello")
    assert (response.body, response.header("Transfer-Encoding"), response.header("Content-Length")) == (b"Hello", "chunked", None)


def test_an_unflushed_body_has_its_length(lab: Lab) -> None:
    response = plain(lab, "unflushed")
    assert (response.body, response.header("Content-Length"), response.header("Content-Type")) == (b"one two", "7", None)


def test_headers_and_status_after_the_first_flushed_byte_are_lost(lab: Lab) -> None:
    response = plain(lab, "late_header")
    assert (response.status, response.header("X-Early"), response.header("X-Late")) == (200, "1", None)


def test_text_is_written_as_utf_8(lab: Lab) -> None:
    assert plain(lab, "euro").body == "€".encode()


def test_own_error_page_keeps_both_header_tables(lab: Lab) -> None:
    response = plain(lab, "own_status")
    assert (response.status, response.body, response.header("X-Out"), response.header("X-Err")) == (404, b"own page", "1", "1")


def test_an_error_return_drops_the_output_and_headers_out(lab: Lab) -> None:
    response = plain(lab, "error_return")
    assert (response.status, response.header("X-Out"), response.header("X-Err"), b"dropped" in response.body) == (403, None, "1", False)


def test_a_header_with_a_line_end_is_a_500_and_injects_nothing(lab: Lab) -> None:
    response = plain(lab, "injected")
    assert (response.status, response.header("X-B")) == (500, None)


def test_set_content_length_frames_a_flushed_body(lab: Lab) -> None:
    response = plain(lab, "length")
    assert (response.header("Content-Length"), response.body) == ("3", b"abc")


def test_sendfile_sends_a_part(lab: Lab) -> None:
    assert plain(lab, "sendfile").body == b"2343"


def test_sendfile_of_nothing_is_an_oserror(lab: Lab) -> None:
    assert lab.error("req.sendfile('/nowhere')").startswith("FileNotFoundError")
    assert lab.error("req.sendfile('/')").startswith("OSError")


def test_meets_conditions(lab: Lab) -> None:
    assert plain(lab, "not_modified", headers={"If-None-Match": '"v1"'}).status == 304
    assert plain(lab, "not_modified", headers={"If-None-Match": '"v2"'}).body == b"full"


def test_allow_methods_feed_the_allow_field(lab: Lab) -> None:
    response = plain(lab, "not_allowed")
    assert response.status == 405 and {"GET", "HEAD", "POST", "MOVE", "BREW"} == set(str(response.header("Allow")).replace(" ", "").split(","))


def test_cleanups_run_newest_first_and_a_failing_one_stops_none(lab: Lab) -> None:
    assert plain(lab, "cleanups").body == b"done"
    lab.host.expect_log("python_cleanup: Error calling cleanup object")
    assert plain(lab, "hello").status == 200
    assert lab.host.read("cleanups").split() == ["second/plain/x", "first/plain/x"]


def test_internal_redirect_answers_with_both_outputs(lab: Lab) -> None:
    assert plain(lab, "redirected").body == b"before target of /plain/x, same object: True"


def test_requests_of_a_redirect_know_each_other_while_they_live(lab: Lab) -> None:
    assert plain(lab, "after_redirect").body.startswith(b"target of /plain/x")
    lab.host.expect_log("after: (None|/plain/x)")
    for _ in range(3):
        assert plain(lab, "kept_next").body == b"(True, '/plain/x')"


@pytest.mark.parametrize(("status", "answer"), [("418", 418), ("599", 599), ("5", 500), ("-1", 500), ("100", 500), ("1000", 500)])
def test_a_status_that_is_none_is_a_500(lab: Lab, status: str, answer: int) -> None:
    lab.host.allow_log("cannot be sent")
    assert plain(lab, "status", headers={"X-Status": status}).status == answer


def test_head_has_no_body(lab: Lab) -> None:
    with lab.host.client() as client:
        response = client.request("HEAD", "/plain/x?unflushed")
        assert (response.status, response.body) == (200, b"")
        assert client.request("GET", "/plain/x?hello").body == b"Hello"


def test_a_large_body_waits_for_its_reader(lab: Lab) -> None:
    assert len(plain(lab, "big").body) == 64 * 65536


def test_readline_keeps_what_it_does_not_give(lab: Lab) -> None:
    body = b"one\ntwothree\nfour\nfive"
    assert plain(lab, "lines", method="POST", body=body).body.decode() == repr(
        (b"one\n", b"two", [b"three\n", b"four\n", b"five"], b"", len(body), 0))
    assert plain(lab, "read_parts", method="POST", body=body).body.decode() == repr((b"on", b"", b"e\n", b"twothree\nfour\nfive"))
    assert plain(lab, "hints", method="POST", body=body).body.decode() == repr(([b"one\n"], b"twothree\nfour\nfive"))
    assert plain(lab, "discard", method="POST", body=body).body.decode() == repr((0, b""))


def test_a_request_without_a_body_reads_empty(lab: Lab) -> None:
    assert plain(lab, "read_parts").body.decode() == repr((b"", b"", b"", b""))


def test_chunked_bodies_are_readable(lab: Lab) -> None:
    with lab.host.client() as client:
        client.send(b"POST /plain/x?read_parts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\non")
        client.send(b"e\nt\r\n3\r\nwo!\r\n0\r\n\r\n")
        assert client.read_response().body.decode() == repr((b"on", b"", b"e\n", b"two!"))


def test_reading_waits_for_a_slow_client(lab: Lab) -> None:
    with lab.host.client() as slow, lab.host.client() as other:
        slow.send(b"POST /plain/x?read_parts HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab")
        assert other.request("GET", "/plain/x?hello").body == b"Hello"
        slow.send(b"cd\nx")
        assert slow.read_response().body.decode() == repr((b"ab", b"", b"cd\n", b"x"))


def test_chunked_and_counters_change_with_the_first_flushed_write(lab: Lab) -> None:
    assert plain(lab, "chunked_flag").body == b"x" + repr(((0, 0, 0), 1, 1, 1, 1)).encode()


def test_an_object_whose_request_is_over_raises(lab: Lab) -> None:
    assert plain(lab, "too_late").body == b"kept"
    assert plain(lab, "after").body.decode() == repr(["/plain/x", "GET", *["RuntimeError"] * 7, "127.0.0.1"])


def test_wsgi_methods(lab: Lab) -> None:
    response = plain(lab, "wsgi")
    assert (response.status, response.all("X-A"), response.header("Content-Type")) == (404, ["1", "2"], "text/plain")
    assert response.body.decode() == repr(("", "/plain/x", "wsgi", True, "GET"))


MODULE: list[tuple[str, Any]] = [
    ("len([n for n in dir(_apache) if not n.startswith('_')]) + 3", 28), ("apache.server_root() != ''", True),
    ("apache.exists_config_define('ONE_PROCESS'), apache.exists_config_define('X')", (1, 0)), ("apache.mpm_query(apache.AP_MPMQ_IS_THREADED)", 1),
    ("apache.mpm_query(apache.AP_MPMQ_IS_FORKED)", 0), ("_apache.MODULE_MAGIC_NUMBER_MAJOR > 20111130", True),
    ("('Directory', ) == apache.config_tree()[-2][:1] or apache.config_tree()[0][0]", "ServerRoot"),
    ("_apache.parse_qsl('a=1&b=%e9;c=x+y&d')", [("a", "1"), ("b", "\xe9"), ("c", "x y")]),
    ("_apache.parse_qsl('d&e=', 1)", [("d", ""), ("e", "")]), ("_apache.parse_qs('a=1&a=2&b=%C3%A9')", {"a": ["1", "2"], "b": ["\xe9"]}),
    ("_apache.parse_qs(b'a=1&b=%e9')", {b"a": [b"1"], b"b": [b"\xe9"]}), ("_apache.parse_qsl('a=%zz&b=%4')", [("a", "%zz"), ("b", "%4")]),
    ("_apache._global_trylock(req.server, 'k'), _apache._global_trylock(req.server, 'k'), _apache._global_unlock(req.server, 'k')", (1, 0, None)),
]


@pytest.mark.parametrize(("expression", "value"), MODULE, ids=[case[0][:40] for case in MODULE])
def test_module_apache(lab: Lab, expression: str, value: Any) -> None:
    assert lab.run(f"import _apache\nresult = {expression}") == value


def test_module_errors(lab: Lab) -> None:
    assert lab.error("import _apache; _apache.parse_qsl('a', 0, 1)").startswith("ValueError")
    assert lab.error("apache.mpm_query(99)").startswith("ValueError")
    assert lab.error("import _apache; _apache._global_unlock(req.server, 'free')").startswith("ValueError")
    assert lab.error("import _apache; _apache._global_lock(5, 'x')").startswith("TypeError")


def test_a_hundred_thousand_small_writes_do_not_grow_memory(server: Any) -> None:
    """mod_python kept a bucket for each; here what is out is gone."""
    host = server("""
        <Location /many>
            SetHandler mod_python
            PythonPath "sys.path+['@ROOT@']"
            PythonHandler many
        </Location>
    """, files={"many.py": '''
import resource

def handler(req):
    req.write("warm\\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100000):
        req.write("x\\n")
        req.flush()
    req.write("grown %d" % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
    return 0
'''})
    body = host.get("/many").body
    assert body.count(b"x\n") == 100000
    assert int(body.rsplit(b" ", 1)[1]) < 1024  # KiB

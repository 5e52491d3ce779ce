"""Lines and bytes, and the request line: reference/http.md, its first two sections."""
from __future__ import annotations

import pytest

HOST = b"Host: localhost\r\n"
GET = b"GET /index.html HTTP/1.1\r\n"

LINES = [
    ("bare_lf_ends_request_line", b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    ("bare_lf_ends_field", GET + b"Host: localhost\nA: b\r\n\r\n", 400),
    ("bare_lf_ends_head", GET + HOST + b"\n", 400),
    ("bare_cr_in_request_line", b"GET /\rx HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("bare_cr_in_value", GET + HOST + b"A: b\rTransfer-Encoding: chunked\r\n\r\n", 400),
    ("bare_cr_before_crlf", GET + HOST + b"A: b\r\r\n\r\n", 400),
    ("bare_cr_as_line_end", GET + HOST + b"A: b\r\rGET / HTTP/1.1\r\n\r\n", 400),
    ("bare_cr_before_colon", GET + HOST + b"A\r: b\r\n\r\n", 400),
    ("two_empty_lines_first", b"\r\n\r\n" + GET + HOST + b"\r\n", 400),
    ("empty_lf_first", b"\n" + GET + HOST + b"\r\n", 400),
    ("nul_in_target", b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("nul_in_value", GET + HOST + b"A: b\0c\r\n\r\n", 400),
    ("nul_in_name", GET + HOST + b"A\0: b\r\n\r\n", 400),
    ("control_in_target", b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("del_in_target", b"GET /\x7f HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("control_in_value", GET + HOST + b"A: \x1b[31m\r\n\r\n", 400),
    ("vertical_tab_is_not_trimmed", GET + HOST + b"Content-Length: \x0b5\r\n\r\nhello", 400),
    ("del_in_value", GET + HOST + b"A: \x7f\r\n\r\n", 400),
    ("high_byte_in_name", GET + HOST + b"\xc3\xa4: b\r\n\r\n", 400),
    ("high_byte_in_method", b"G\xc4T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    ("high_byte_in_version", b"GET / HTTP/1.\xb9\r\n" + HOST + b"\r\n", 400),
    ("folding", GET + HOST + b"A: b\r\n c\r\n\r\n", 400),
    ("folding_by_tab", GET + HOST + b"A: b\r\n\tc\r\n\r\n", 400),
    ("space_before_first_field", GET + b" Host: localhost\r\n\r\n", 400),
    ("space_before_colon", GET + HOST + b"A : b\r\n\r\n", 400),
    ("tab_before_colon", GET + HOST + b"Content-Length\t: 5\r\n\r\nhello", 400),
    ("empty_name", GET + HOST + b": b\r\n\r\n", 400),
    ("name_is_no_token", GET + HOST + b"A(b): c\r\n\r\n", 400),
    ("quoted_name", GET + HOST + b'"A": c\r\n\r\n', 400),
    ("no_colon", GET + HOST + b"Content-Length 5\r\n\r\n", 400),
]
REQUEST_LINES = [
    ("two_spaces_before_target", b"GET  / HTTP/1.1", 400),
    ("two_spaces_before_version", b"GET /  HTTP/1.1", 400),
    ("tab_between", b"GET\t/ HTTP/1.1", 400),
    ("space_at_end", b"GET / HTTP/1.1 ", 400),
    ("space_first", b" GET / HTTP/1.1", 400),
    ("space_in_target", b"GET /a b HTTP/1.1", 400),
    ("no_version", b"GET /", 400),
    ("no_target", b"GET HTTP/1.1", 400),
    ("method_only", b"GET", 400),
    ("method_no_token", b"G@T / HTTP/1.1", 400),
    ("method_of_33_bytes", b"A" * 33 + b" / HTTP/1.1", 501),
    ("lower_case_version", b"GET / http/1.1", 400),
    ("http_0_9", b"GET / HTTP/0.9", 400),
    ("two_digit_minor", b"GET / HTTP/1.10", 400),
    ("no_minor", b"GET / HTTP/1", 400),
    ("comma_in_version", b"GET / HTTP/1,1", 400),
    ("signed_version", b"GET / HTTP/+1.1", 400),
    ("other_protocol", b"GET / ICAP/1.1", 400),
    ("http_2_0", b"GET / HTTP/2.0", 505),
    ("http_2_preface", b"PRI * HTTP/2.0", 505),
    ("http_3_0", b"GET / HTTP/3.0", 505),
    ("fragment", b"GET /index.html#f HTTP/1.1", 400),
    ("asterisk_for_get", b"GET * HTTP/1.1", 400),
    ("authority_for_get", b"GET localhost:80 HTTP/1.1", 400),
    ("relative_target", b"GET index.html HTTP/1.1", 400),
    ("other_scheme", b"GET ftp://localhost/ HTTP/1.1", 400),
    ("no_authority", b"GET http:///index.html HTTP/1.1", 400),
    ("userinfo", b"GET http://user:pw@localhost/ HTTP/1.1", 400),
    ("absolute_differs_from_host", b"GET http://other/ HTTP/1.1", 400),
    ("absolute_port_differs_from_host", b"GET http://localhost:81/ HTTP/1.1", 400),
    ("origin_form_for_connect", b"CONNECT / HTTP/1.1", 400),
    ("connect_without_port", b"CONNECT localhost HTTP/1.1", 400),
    ("bad_escape", b"GET /%zz HTTP/1.1", 400),
    ("half_escape", b"GET /%4 HTTP/1.1", 400),
    ("escape_at_end", b"GET /% HTTP/1.1", 400),
    ("escaped_nul", b"GET /index.html%00.txt HTTP/1.1", 400),
    ("above_root", b"GET /../outside.txt HTTP/1.1", 400),
    ("above_root_in_the_middle", b"GET /sub/../../outside.txt HTTP/1.1", 400),
    ("above_root_escaped", b"GET /%2e%2e/outside.txt HTTP/1.1", 400),
    ("above_root_half_escaped", b"GET /.%2e/outside.txt HTTP/1.1", 400),
]
GOOD = [
    ("one_empty_line_first", b"\r\n" + GET + HOST + b"\r\n", 200),
    ("minor_2_is_1_1", b"GET /index.html HTTP/1.2\r\n" + HOST + b"\r\n", 200),
    ("minor_9_is_1_1", b"GET /index.html HTTP/1.9\r\n" + HOST + b"\r\n", 200),
    ("absolute_form", b"GET http://localhost/index.html HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("absolute_form_any_case", b"GET HTTP://LocalHost/index.html HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("absolute_form_https", b"GET https://localhost/index.html HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("escaped_path", b"GET /%69ndex%2ehtml HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("escaped_space", b"GET /a%20b.txt HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("dot_segments", b"GET /sub/./deep/../../index.html HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("escaped_dot_segments", b"GET /sub/%2e%2e/index.html HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("merged_slashes", b"GET //index.html HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("encoded_slash", b"GET /sub%2fdeep/file.txt HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    ("encoded_slash_and_dots", b"GET /..%2foutside.txt HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    ("decoded_once_only", b"GET /%252e%252e/outside.txt HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    ("backslash_is_ordinary", b"GET /sub\\..\\index.html HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    ("high_bytes_in_target", b"GET /\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    ("high_bytes_in_value", GET + HOST + b"A: \xff\xfe caf\xe9\r\n\r\n", 200),
    ("tab_in_value", GET + HOST + b"A: b\tc\r\n\r\n", 200),
    ("empty_value", GET + HOST + b"A:\r\n\r\n", 200),
    ("unknown_method", b"BREW /index.html HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    ("lower_case_method_is_another", b"get /index.html HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    ("method_of_32_bytes", b"A" * 32 + b" /index.html HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    ("asterisk_for_options", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    ("trace", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    ("name_with_all_token_bytes", GET + HOST + b"!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n", 200),
]


def ids(cases: list[tuple[str, bytes, int]]) -> list[str]:
    return [case[0] for case in cases]


@pytest.mark.parametrize("name,raw,status", LINES, ids=ids(LINES))
def test_line_fault_is_refused(refused, name, raw, status):
    refused(raw, status, f"answered {status}: ")


@pytest.mark.parametrize("name,line,status", REQUEST_LINES, ids=ids(REQUEST_LINES))
def test_request_line_is_refused(refused, name, line, status):
    refused(line + b"\r\n" + HOST + b"\r\n", status, f"answered {status}: ")


def test_connect_is_refused_and_what_follows_is_no_request(refused):
    response = refused(b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 405)
    assert "CONNECT" not in response.header("Allow") and "GET" in response.header("Allow")


@pytest.mark.parametrize("name,raw,status", GOOD, ids=ids(GOOD))
def test_well_formed_request_is_served_and_the_connection_stays(host, name, raw, status):
    with host.client() as client:
        for size in (len(raw), 1):
            client.send_slowly(raw, size)
            response = client.read_response()
            assert response.status == status, response
            if status == 405:
                assert "TRACE" not in (response.header("Allow") or "") and response.header("Allow")
            if response.closes:
                client.expect_close()
                return
        assert client.request("GET", "/index.html").body == b"hello"


def test_garbage_without_a_line_end_is_refused_at_once(host):
    with host.client() as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # TLS on a plain port
        assert client.read_response().status == 400
        client.expect_close()


def test_raw_target_stays_available(host):
    reply = host.get("/app/./x/%2e%2e/a%20b%3f?q=%zz&r#").status
    assert reply == 400  # the fragment
    with host.client() as client:
        answer = client.request("GET", "/app/./x/%2e%2e/a%20b%3f\xe9?q=%zz&r?s").body
    import json
    seen = json.loads(answer)
    assert seen["unparsed_uri"] == "/app/./x/%2e%2e/a%20b%3f\xe9?q=%zz&r?s"
    assert seen["uri"] == "/app/a b?\xe9" and seen["args"] == "q=%zz&r?s"


# Limits: just below, at, just above; and above without a line end.

LINE_LIMIT, FIELD_LIMIT, FIELDS_LIMIT = 8190, 8190, 100


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_request_line_limit(host, refused, over):
    line = b"GET /index.html?" + b"q" * (LINE_LIMIT + over - 25) + b" HTTP/1.1"
    assert len(line) == LINE_LIMIT + over
    raw = line + b"\r\n" + HOST + b"\r\n"
    if over > 0:
        refused(raw, 414, "LimitRequestLine")
        return
    with host.client() as client:
        assert client.send(raw).read_response().status == 200


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_field_size_limit(host, refused, over):
    raw = GET + HOST + b"A: " + b"v" * (FIELD_LIMIT + over - 3) + b"\r\n\r\n"
    if over > 0:
        refused(raw, 431, "LimitRequestFieldSize")
        return
    with host.client() as client:
        assert client.send(raw).read_response().status == 200


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_number_of_fields_limit(host, refused, over):
    raw = GET + HOST + b"".join(b"A%d: b\r\n" % i for i in range(FIELDS_LIMIT + over - 1)) + b"\r\n"
    if over > 0:
        refused(raw, 431, "LimitRequestFields")
        return
    with host.client() as client:
        assert client.send(raw).read_response().status == 200


@pytest.mark.parametrize("raw,status,log", [
    (b"GET /" + b"a" * 8300, 414, "LimitRequestLine"),
    (GET + HOST + b"A: " + b"b" * 8300, 431, "LimitRequestFieldSize"),
    (GET + HOST + b"A" * 8300, 431, "LimitRequestFieldSize"),
    (GET + HOST + b"".join(b"A%d: b\r\n" % i for i in range(99)) + b"X", 431, "LimitRequestFields"),
], ids=["line", "value", "name", "fields"])
def test_limit_bites_before_the_line_ends(host, raw, status, log):
    before = len(host.error_log)
    with host.client() as client:
        client.send(raw)
        response = client.read_response()
        assert response.status == status and response.closes
        client.expect_close()
    assert log in host.error_log[before:]


def test_nothing_of_a_client_reaches_the_log_raw(host):
    with host.client() as client:
        client.send(b"GET /\x1b[31mred\x1b[0m HTTP/1.1\r\n\r\n")
        assert client.read_response().status == 400
    with host.client() as client:
        client.send(b'GET /"quote\\back\xff HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \xff"x\\\r\nReferer: \t"\r\n\r\n')
        assert client.read_response().status == 404
    with host.client() as client:
        client.send(b"GET /\xe2\x80\xaeevil\xe2\x80\xa8line\xc2\x9b31m\xef\xbb\xbf HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read_response().status == 404
    for log in (host.error_log, host.access_log):
        assert "\x1b" not in log and "\xff" not in log
        raw = [line for line in log.split("\n") if not all(" " <= c <= "~" or c == "\t" or c == "\xe4" for c in line)]  # whole UTF-8 is left readable
        assert not raw, f"raw bytes in a log: {raw}"
    assert '"x' not in host.access_log.replace('\\"x', "")


# What the configuration says of errors holds for faults too, as in httpd.

VARIABLES = """HTTP_ACCEPT HTTP_COOKIE HTTP_FORWARDED HTTP_HOST HTTP_PROXY_CONNECTION HTTP_REFERER HTTP_USER_AGENT REQUEST_METHOD REQUEST_SCHEME REQUEST_URI
    DOCUMENT_URI REQUEST_FILENAME SCRIPT_FILENAME REQUEST_STATUS REQUEST_LOG_ID CONN_LOG_ID LAST_MODIFIED PATH_INFO QUERY_STRING THE_REQUEST REMOTE_ADDR
    REMOTE_HOST REMOTE_PORT REMOTE_USER REMOTE_IDENT CONN_REMOTE_ADDR AUTH_TYPE CONTENT_TYPE HANDLER HTTPS IPV6 IS_SUBREQ DOCUMENT_ROOT SERVER_NAME
    SERVER_PORT SERVER_ADDR SERVER_ADMIN SERVER_PROTOCOL SERVER_SOFTWARE HTTP2 TIME""".split()
FIELDS = "\n".join(f'Header always set X-{number} "expr=<%{{{name}}}>"' for number, name in enumerate(VARIABLES))
TEXTS = "\n".join(f'ErrorDocument {status} "own {status}"' for status in (400, 404, 405, 408, 413, 414, 417, 431, 501, 505))


@pytest.fixture(scope="module")
def worded(module_server):
    return module_server(f'{TEXTS}\n{FIELDS}\nHeader always set X-Any "%t %D %{{e}}e"\nHeader always edit X-Any ^t t\nHeader set X-Good 1\n')


@pytest.mark.parametrize("raw,status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"\0\0\0", 400), (b"\r\n\r\n\r\n", 400), (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 404), (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405), (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (b"GET /" + b"a" * 9000, 414), (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417), (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200, 431),
    (b"M" * 33 + b" / HTTP/1.1\r\n\r\n", 501), (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505), (b"HEAD / HTTP/1.1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
], ids=["no_host", "nul", "empty_lines", "escape", "slash", "connect", "trace", "line", "expect", "fields", "method", "version", "head", "length"])
def test_faults_have_the_texts_and_fields_of_the_configuration(worded, raw, status):
    with worded.checked(), worded.client() as client:
        client.send(raw)
        response = client.read_response(head=raw.startswith(b"HEAD"))
        assert response.status == status and response.header("X-Any") and response.header("X-Good") is None
        assert response.text == ("" if raw.startswith(b"HEAD") else f"own {status}")
        assert response.header(f"X-{VARIABLES.index('REQUEST_STATUS')}") == f"<{status}>"
        assert (response.header("Allow") is not None) == (status == 405)
        assert response.closes or status == 404 or raw.startswith(b"TRACE")

"""The rules of reference/http.md hold whoever answers: the same faults by a WSGI application."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.client import ProtocolError

APP = Path(__file__).with_name("wsgi_app.py")
CONF = """
PyWSGIAlias /w "@ROOT@/www/wsgi_app.py"
<Directory "@ROOT@/www">
    Require all granted
    LimitRequestBody 1000
</Directory>
"""
POST = b"POST /w/%s HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def module_host(module_server):
    return module_server(CONF, {"www/wsgi_app.py": APP.read_text(), "www/index.html": "hello"})


def sound(client):
    return client.request("GET", "/w/hello").body == b"hello"


def test_fewer_bytes_than_announced_close_the_connection(host):
    host.allow_log("Content-Length")
    with host.client() as client:
        client.send(b"GET /w/short HTTP/1.1\r\nHost: localhost\r\n\r\nGET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read_head().header("Content-Length") == "100"
        assert client.read_rest() == b"short"


def test_more_bytes_than_announced_are_cut_and_logged(host):
    before = len(host.error_log)
    with host.client() as client:
        response = client.request("GET", "/w/long")
        assert response.body == b"much"
        assert response.closes or sound(client)
    host.expect_log("Content-Length is 4")
    assert "Content-Length" in host.error_log[before:]


def test_an_exception_in_the_middle_cuts_the_response(host):
    host.allow_log("on purpose|wsgi:error|Traceback")
    with host.client() as client:
        client.send(b"GET /w/broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ProtocolError, match="ended"):
            client.read_response()


def test_chunked_to_1_1_and_close_to_1_0(host):
    new = host.get("/w/stream")
    assert new.chunked and new.body == b"one,two,three"
    with host.client() as client:
        old = client.send(b"GET /w/stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").read_response()
        assert not old.chunked and old.body == b"one,two,three"


def test_head_has_no_body(host):
    for target in ("/w/hello", "/w/stream", "/w/unread"):
        with host.client() as client:
            assert client.request("HEAD", target).status == 200
            assert sound(client)


@pytest.mark.parametrize("injection", ["X=a%0d%0aSet-Cookie:%20evil", "X=a%0aB:%20c", "X=a%0d", "X=%00", "X%0d%0aY=b", "X%20Y=b", "X:=b", "=b"])
def test_header_injection_is_an_error_and_a_500(host, injection):
    """gunicorn CVE-2018-1000164."""
    host.allow_log("wsgi|header|Traceback")
    with host.client() as client:
        response = client.request("GET", f"/w/inject?{injection}")
        assert response.status == 500 and not response.all("Set-Cookie") and not response.all("Y") and not response.all("B")
        assert response.closes or sound(client)


@pytest.mark.parametrize("status", ["200%20OK%0d%0aX:%20y", "200", "abc", "99%20Low", "1000%20High", "200%20%00", ""])
def test_bad_status_is_an_error_and_one_response(host, status):
    host.allow_log("wsgi|status|Traceback|core")
    with host.client() as client:
        response = client.request("GET", f"/w/status?{status}")
        assert response.status == 500 or (response.status == 200 and not response.all("X"))
        assert response.closes or sound(client)


BROKEN = [b"Content-Length: 10\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\na\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"]


@pytest.mark.parametrize("how", [b"length", b"lines"])
@pytest.mark.parametrize("raw", BROKEN, ids=["length", "in_chunk", "between_chunks", "before_end"])
def test_upload_that_broke_off_never_looks_whole(host, raw, how):
    with host.client() as client:
        client.send(POST % how + raw).half_close()
        assert client.read_response().status == 400
        client.expect_close()


@pytest.mark.parametrize("raw,status", [(b"+5\r\nhello", 400), (b"5;\n\r\nhello", 400), (b"ffffffffffffffff\r\n", 413), (b"3e9\r\n", 413), (b"5\r\nhelloXX", 400)])
def test_bad_chunks_end_the_connection(host, raw, status):
    with host.client() as client:
        client.send(POST % b"length" + b"Transfer-Encoding: chunked\r\n\r\n" + raw + b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
        response = client.read_response()
        assert response.status == status and response.closes
        client.expect_close()
    assert '"GET /smuggled' not in host.access_log


@pytest.mark.parametrize("size,status", [(999, 200), (1000, 200), (1001, 413)])
def test_body_limit(host, size, status):
    with host.client() as client:
        response = client.request("POST", "/w/length", body=b"x" * size)
        assert response.status == status and (status == 413 or response.body == b"%d" % size)


def test_continue_is_sent_when_the_application_reads(host):
    with host.client() as client:
        client.send(POST % b"length" + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.read_head().status == 100
        assert client.send(b"hello").read_response().body == b"5"
    with host.client() as client:
        response = client.send(POST % b"unread" + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n").read_response()
        assert not response.interim and response.closes
        client.expect_close()


def test_unread_body_never_becomes_a_request(host):
    inner = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with host.client() as client:
        client.send(POST % b"unread" + b"Content-Length: %d\r\n\r\n" % len(inner) + inner + b"GET /w/hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = client.read_response()
        assert first.closes or client.read_response().body == b"hello"
    assert '"GET /smuggled' not in host.access_log


def test_variables_of_a_request(host):
    with host.client() as client:
        client.send(b"GET /w/environ/../environ?a=%zz HTTP/1.1\r\nHost: LocalHost:81\r\nContent_Length: 9\r\nX_Y: evil\r\nX-Y: a\r\nx-y: b\r\nProxy: p\r\nCookie: c=1\r\nCookie: d=2\r\nHTTP2-Settings: x\r\n\r\n")
        seen = json.loads(client.read_response().body)
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("/w", "/environ", "a=%zz")
    assert (seen["HTTP_X_Y"], seen["HTTP_COOKIE"], seen["HTTP_HOST"]) == ("a, b", "c=1; d=2", "LocalHost:81")
    assert not {"HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_HTTP2_SETTINGS"} & set(seen) and seen.get("CONTENT_LENGTH", "") in ("", "0")

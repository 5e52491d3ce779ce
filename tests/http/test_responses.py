"""What goes out: reference/http.md, sections Responses and Fields on their way to Python, and the faults seen in peers."""
from __future__ import annotations

import json

import pytest


def test_one_response_with_date_and_server(host):
    for target in ("/index.html", "/nothing", "/app/echo", "/app/none"):
        response = host.get(target)
        assert response.header("Date") and response.header("Server")


@pytest.mark.parametrize("target", ["/index.html", "/app/stream", "/app/unread", "/app/short", "/app/long", "/nothing", "/app/raise", "/sub", "/app/none"])
def test_head_has_no_body_and_the_headers_of_get(host, target):
    host.allow_log("PythonHandler app: |Content-Length")
    get = host.get(target)if target != "/app/short" else None
    with host.client() as client:
        head = client.request("HEAD", target)
        if not head.closes:
            assert client.request("GET", "/index.html").body == b"hello"
        else:
            client.expect_close()
    if get:
        assert head.status == get.status and head.header("Content-Type") == get.header("Content-Type")
        if not get.chunked and head.header("Content-Length"):
            assert head.header("Content-Length") == get.header("Content-Length")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body_have_none(host, status):
    with host.client() as client:
        response = client.request("GET", f"/app/status?{status}")
        assert response.status == status and not response.all("Transfer-Encoding")
        assert client.request("GET", "/index.html").body == b"hello"


def test_fewer_bytes_than_announced_close_the_connection(host):
    host.allow_log("Content-Length|announced|fewer")
    with host.client() as client:
        client.send(b"GET /app/short HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = client.read_head()
        assert head.header("Content-Length") == "100"
        assert client.read_rest() == b"short"
    assert "/app/short" in host.error_log or "Content-Length" in host.error_log


def test_more_bytes_than_announced_are_cut_and_logged(host):
    host.allow_log("Content-Length|announced|more")
    before = len(host.error_log)
    with host.client() as client:
        response = client.request("GET", "/app/long")
        assert response.header("Content-Length") == "4" and response.body == b"much"
        if response.closes:
            client.expect_close()
        else:
            assert client.request("GET", "/index.html").body == b"hello"
    assert "Content-Length" in host.error_log[before:]


def test_chunked_to_1_1_and_close_to_1_0(host):
    new = host.get("/app/stream")
    assert new.chunked and new.body == b"one,two,three"
    with host.client() as client:
        old = client.send(b"GET /app/stream HTTP/1.0\r\n\r\n").read_response()
        assert not old.chunked and old.body == b"one,two,three"
        client.expect_close()
    with host.client() as client:
        old = client.send(b"GET /app/stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").read_response()
        assert not old.chunked and old.body == b"one,two,three"


def test_connection_close_of_a_handler_is_honoured(host):
    for value in ("close", "Close", "keep-alive,close", "x,\tCLOSE\t,y", "keep-alive|close"):
        with host.client() as client:
            assert client.request("GET", "/app/close?" + value.replace("\t", "")).closes, value
            client.expect_close()
    with host.client() as client:
        assert not client.request("GET", "/app/close?closed,xclose").closes


def test_exception_gives_500_and_the_connection_is_sound(host):
    host.allow_log("PythonHandler app: ")
    with host.client() as client:
        response = client.request("GET", "/app/raise")
        assert response.status == 500 and "on purpose" not in response.text
        if not response.closes:
            assert client.request("GET", "/index.html").body == b"hello"
    host.expect_log("RuntimeError: on purpose")


INJECTIONS = ["X=a%0d%0aSet-Cookie:%20evil", "X=a%0aB:%20c", "X=a%0d", "X=%00", "X%0d%0aY=b", "X%20Y=b", "X:=b", "=b", "X%00=b", "Location=http://a/%0d%0aX:%20y"]


@pytest.mark.parametrize("injection", INJECTIONS)
def test_header_injection_is_an_error_and_a_500(host, injection):
    """gunicorn CVE-2018-1000164 and kin."""
    host.allow_log("PythonHandler app: |the response has a header that must not be sent")
    with host.client() as client:
        response = client.request("GET", f"/app/header?{injection}")
        assert response.status == 500
        assert not response.all("Set-Cookie") and not response.all("Y") and not response.all("B")
        if not response.closes:
            assert client.request("GET", "/index.html").body == b"hello"


def test_error_pages_escape_what_came_from_the_client(host):
    with host.client() as client:
        client.send(b"GET /<script>alert(1)</script>?\"'<b> HTTP/1.1\r\nHost: localhost\r\nReferer: <i>\r\n\r\n")
        body = client.read_response().body
        assert b"<script>" not in body and b"<b>" not in body and b"<i>" not in body
    with host.client() as client:
        client.send(b"<img/src=x> / HTTP/1.1\r\nHost: <script>\r\n\r\n")
        assert b"<script>" not in client.read_response().body


def test_answer_before_the_head_is_whole_is_a_whole_response(host):
    with host.client() as client:
        response = client.send(b"GET / HTTP/1.1\r\nA B: c\r\n").read_response()
        assert response.status == 400 and response.closes and response.body
        client.expect_close()


# Fields on their way to Python

def seen_headers(host, fields):
    with host.client() as client:
        client.send(b"GET /app/echo HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n")
        return {name.lower(): value for name, value in json.loads(client.read_response().body)["headers"]}


def test_repeated_fields_are_joined(host):
    seen = seen_headers(host, b"X-A: 1\r\nAccept: a/b\r\nx-a: 2\r\nCookie: c=1\r\nAccept: c/d\r\nCookie: d=2\r\nX-A:\t3 \r\n")
    assert seen["x-a"] == "1, 2, 3" and seen["accept"] == "a/b, c/d" and seen["cookie"] == "c=1; d=2"


def test_values_reach_python_as_latin_1(host):
    assert seen_headers(host, b"X-A: caf\xe9 \xff\x80\r\n")["x-a"] == "caf\xe9 \xff\x80"


def test_underscored_names_and_proxy_do_not_reach_cgi_variables(host):
    with host.client() as client:
        client.send(b"POST /app/env HTTP/1.1\r\nHost: localhost\r\nContent_Length: 99\r\nX_Forwarded_For: evil\r\nX-Good: yes\r\nProxy: http://evil/\r\n"
                    b"Content-Type: a/b\r\nContent-Length: 2\r\n\r\nhi")
        env = json.loads(client.read_response().body)
    assert env.get("HTTP_X_GOOD") == "yes" and env.get("CONTENT_LENGTH") == "2"
    assert not {"HTTP_X_FORWARDED_FOR", "HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & set(env)


def test_forwarded_addresses_are_believed_from_nobody_by_default(host):
    with host.client() as client:
        client.send(b"GET /app/env HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n")
        env = json.loads(client.read_response().body)
    assert env.get("REMOTE_ADDR") == "127.0.0.1" and "HTTPS" not in env

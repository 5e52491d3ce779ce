"""Connections: persistence, pipelining, 100-continue, upgrade, half-closed and reset clients (reference/http.md: Framing, Responses, Time and amount)."""
from __future__ import annotations

import json

import pytest

from support.client import ProtocolError, build_request

GET = b"GET /index.html HTTP/%s\r\nHost: localhost\r\n"

STAYS = [
    ("1_1", b"1.1", b"", True), ("1_1_keep_alive", b"1.1", b"Connection: keep-alive\r\n", True), ("1_1_close", b"1.1", b"Connection: close\r\n", False),
    ("1_1_close_any_case", b"1.1", b"connection: CLOSE\r\n", False), ("1_1_keep_alive_then_close", b"1.1", b"Connection: keep-alive, close\r\n", False),
    ("1_1_close_then_keep_alive", b"1.1", b"Connection: close, keep-alive\r\n", False), ("1_1_two_fields", b"1.1", b"Connection: keep-alive\r\nConnection: close\r\n", False),
    ("1_1_close_among_others", b"1.1", b"Connection: x, \t close\t ,y\r\n", False), ("1_1_word_with_close", b"1.1", b"Connection: closed\r\n", True),
    ("1_0", b"1.0", b"", False), ("1_0_keep_alive", b"1.0", b"Connection: Keep-Alive\r\n", True), ("1_0_both", b"1.0", b"Connection: keep-alive, close\r\n", False),
    ("1_0_close", b"1.0", b"Connection: close\r\n", False), ("proxy_connection_means_nothing", b"1.0", b"Proxy-Connection: keep-alive\r\n", False),
]


@pytest.mark.parametrize("name,version,fields,stays", STAYS, ids=[case[0] for case in STAYS])
def test_connection_stays_or_closes(host, name, version, fields, stays):
    with host.client() as client:
        response = client.send(GET % version + fields + b"\r\n").read_response()
        assert response.status == 200
        if stays:
            assert not response.closes
            if version == b"1.0":
                assert (response.header("Connection") or "").lower() == "keep-alive"
            assert client.send(GET % b"1.1" + b"\r\n").read_response().status == 200
        else:
            assert response.closes or version == b"1.0"
            client.expect_close()


def test_pipelined_requests_are_answered_in_order(host):
    targets = ["/index.html", "/app/echo?1", "/nothing", "/app/stream", "/app/echo?2", "/sub/deep/file.txt"] * 10
    with host.client() as client:
        client.send(b"".join(build_request("GET", target) for target in targets))
        for target in targets:
            response = client.read_response()
            assert response.status == (404 if target == "/nothing" else 200)
            if "echo" in target:
                assert json.loads(response.body)["args"] == target[-1]
        assert client.is_open()


def test_pipelined_requests_with_bodies_byte_by_byte(host):
    raw = b"".join(build_request("POST", f"/app/echo?{i}", body=b"x" * i) for i in range(12))
    with host.client() as client:
        client.send_slowly(raw)
        for i in range(12):
            seen = json.loads(client.read_response().body)
            assert (seen["args"], seen["body"]) == (str(i), "x" * i)


def test_nothing_is_read_after_close(host):
    with host.client() as client:
        client.send(GET % b"1.1" + b"Connection: close\r\n\r\n" + b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read_response().closes
        client.expect_close()
    assert '"GET /smuggled' not in host.access_log


def test_last_request_of_max_keep_alive_requests_closes(server):
    host = server("MaxKeepAliveRequests 3\n<Directory @ROOT@/www>\nRequire all granted\n</Directory>", files={"www/index.html": "hello"})
    with host.client() as client:
        for i in range(3):
            response = client.request("GET", "/index.html")
            assert response.closes == (i == 2)
        client.expect_close()


def test_keep_alive_off_closes_each_time(server):
    host = server("KeepAlive Off\n<Directory @ROOT@/www>\nRequire all granted\n</Directory>", files={"www/index.html": "hello"})
    with host.client() as client:
        assert client.request("GET", "/index.html").closes
        client.expect_close()


# Expect: 100-continue

EXPECT = b"POST /app/%s HTTP/%s\r\nHost: localhost\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"


def test_continue_is_sent_when_the_handler_reads(host):
    with host.client() as client:
        client.send(EXPECT % (b"echo", b"1.1"))
        first = client.read_head()
        assert first.status == 100 and not first.headers
        response = client.send(b"hello").read_response()
        assert json.loads(response.body)["body"] == "hello" and not response.interim
        assert client.request("GET", "/index.html").status == 200


def test_final_status_without_reading_closes(host):
    for target in (b"unread", b"../index.html", b"../nothing", b"status?403"):
        with host.client() as client:
            response = client.send(EXPECT % (target, b"1.1")).read_response()
            assert not response.interim and response.closes
            client.expect_close()


def test_continue_is_not_sent_when_the_body_is_there_already(host):
    with host.client() as client:
        response = client.send(EXPECT % (b"echo", b"1.1") + b"hello").read_response()
        assert json.loads(response.body)["body"] == "hello" and len(response.interim) <= 1
        assert client.request("GET", "/index.html").status == 200


def test_expectation_of_http_1_0_is_ignored(host):
    with host.client() as client:
        response = client.send(EXPECT % (b"echo", b"1.0") + b"hello").read_response()
        assert json.loads(response.body)["body"] == "hello" and not response.interim


def test_expect_without_a_body_is_answered(host):
    with host.client() as client:
        client.send(b"GET /app/echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n")
        response = client.read_response()
        assert response.status == 200 and not response.interim


@pytest.mark.parametrize("fields", [b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                                    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"], ids=["websocket", "h2c"])
def test_upgrade_that_nobody_took_is_ignored(host, fields):
    with host.client() as client:
        response = client.send(b"GET /app/echo HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n").read_response()
        assert response.status == 200
        assert "http2-settings" not in [name.lower() for name, _ in json.loads(response.body)["headers"]]
        assert client.request("GET", "/index.html").status == 200


# Clients that go away

@pytest.mark.parametrize("target,size", [("/index.html", 5), ("/app/echo", None), ("/app/stream", 13)])
def test_half_closed_client_still_gets_its_answer(host, target, size):
    with host.client() as client:
        client.send(build_request("GET", target)).half_close()
        response = client.read_response()
        assert response.status == 200 and (size is None or len(response.body) == size)
        client.expect_close()


def test_half_closed_client_gets_all_pipelined_answers(host):
    with host.client() as client:
        client.send(build_request("GET", "/app/echo") * 5).half_close()
        for _ in range(5):
            assert client.read_response().status == 200
        client.expect_close()


RAW = b"POST /app/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_leaving_at_any_byte_frees_everything(host, how):
    for cut in range(len(RAW)):
        client = host.client().send(RAW[:cut])
        getattr(client, how)()
        if how == "half_close":
            try:
                response = client.read_response()
                assert json.loads(response.body)["error"]
            except ProtocolError:
                assert cut < RAW.index(b"\r\n\r\n") + 4, "a request whose head is whole is answered"
        client.close()
    assert host.get("/index.html").status == 200


def test_silence_where_no_request_had_begun(host):
    with host.client() as client:
        client.half_close()
        client.expect_close()
    with host.client() as client:
        client.send(b"\r\n").half_close()
        client.expect_close()


def test_lingering_reads_away_only_so_much(host):
    """Who goes on sending after a refusal is cut off: the bound is LIMIT_LINGER_BYTES, not only a time."""
    with host.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert client.read_response().status == 400
        sent = 0
        with pytest.raises(OSError):
            while sent < 64 << 20:
                client.send(b"x" * 65536)
                sent += 65536
        assert sent < 32 << 20


DISCARDED = 262144  # LIMIT_DISCARD_BYTES


@pytest.mark.parametrize("method,target,status", [("POST", "/index.html", 405), ("GET", "/index.html", 200), ("HEAD", "/index.html", 200), ("PUT", "/sub/deep/file.txt", 405)])
def test_an_answer_says_whether_the_body_that_nobody_reads_costs_the_connection(host, method, target, status):
    """RFC 9112 9.6: so that a client with more to ask takes another connection, and does not learn of it by a reset."""
    for more in (0, 1):
        with host.client() as client:
            client.send(build_request(method, target, {"Content-Length": str(DISCARDED + more)}, b"hello"))
            response = client.read_response(head=method == "HEAD")
            assert response.status == status and response.closes == bool(more)
            if more:
                client.expect_close()
            else:
                assert client.send(b"x" * (DISCARDED - 5)).request("GET", "/index.html").body == b"hello"

"""Published faults of other servers, each as the bytes that did it (reference/http.md: Peers' faults worth a test each; HTTP/1.1 part)."""
from __future__ import annotations

import json
import time

import pytest

from support.client import build_request

POST = b"POST /app/echo HTTP/1.1\r\nHost: localhost\r\n"
INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

REFUSED = [
    ("gunicorn_CVE_2024_1135_last_encoding_wins", POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
    ("gunicorn_CVE_2024_1135_unknown_encoding", POST + b"Transfer-Encoding: chunked,gzip\r\n\r\n0\r\n\r\n", 400),
    ("gunicorn_CVE_2024_6827_encoding_with_prefix", POST + b"Transfer-Encoding: gzip, , chunked\r\n\r\n0\r\n\r\n", 400),
    ("gunicorn_CVE_2024_6827_case_and_length", POST + b"Content-Length: 6\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\nG", 400),
    ("waitress_CVE_2019_16785_bare_lf", b"GET / HTTP/1.1\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 400),
    ("waitress_CVE_2019_16785_lf_in_value", POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("waitress_CVE_2019_16786_list", POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("waitress_CVE_2019_16786_unknown", POST + b"Transfer-Encoding: chunked, foo\r\n\r\n0\r\n\r\n", 400),
    ("waitress_CVE_2019_16789_vertical_tab", POST + b"Content-Length: 5\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400),
    ("waitress_CVE_2019_16792_two_lengths", POST + b"Content-Length: 0\r\nContent-Length: 43\r\n\r\n", 400),
    ("waitress_CVE_2022_24761_plus", POST + b"Content-Length: +10\r\n\r\n0123456789", 400),
    ("waitress_CVE_2022_24761_hex", POST + b"Content-Length: 0x10\r\n\r\n0123456789", 400),
    ("waitress_CVE_2024_49768_error_then_more", b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
    ("apache_CVE_2021_41773_one_dot", b"GET /sub/.%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("apache_CVE_2022_22720_error_then_body", b"POST /%zz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("node_CVE_2022_32213_encoding_not_last", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("node_CVE_2022_32214_lf_between_fields", POST + b"X: y\nContent-Length: 5\r\n\r\nhello", 400),
    ("node_CVE_2022_32215_folded_encoding", POST + b"Transfer-Encoding: chunked,\r\n foo\r\n\r\n0\r\n\r\n", 400),
    ("node_CVE_2022_35256_cr_ends_field", POST + b"X: y\r\rContent-Length: 5\r\n\r\nhello", 400),
    ("node_CVE_2023_30589_bare_cr", POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("aiohttp_CVE_2023_37276_cr_in_name", POST + b"X\rY: z\r\n\r\n", 400),
    ("aiohttp_CVE_2023_37276_nul", POST + b"X: \0y\r\n\r\n", 400),
]
CHUNKS = [
    ("nginx_CVE_2013_2028_negative", b"-1\r\nx\r\n0\r\n\r\n"), ("nginx_CVE_2013_2028_huge", b"ffffffffffffffed\r\nx"), ("nginx_CVE_2013_2028_sign_bit", b"8000000000000000\r\nx"),
    ("gevent_CVE_2023_41419_trailer_as_request", b"0\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("gevent_CVE_2023_41419_tail_of_chunk", b"1\r\nxGET /smuggled"), ("h11_CVE_2025_43859_chunk_tail", b"5\r\nAAAAAXX0\r\n\r\n"), ("h11_CVE_2025_43859_two_bytes", b"3\r\nabcde2\r\nxx\r\n0\r\n\r\n"),
    ("aiohttp_CVE_2024_52304_extension_lf", b"2;\nxx\r\n4c\r\n0\r\n\r\n"), ("go_CVE_2023_39326_extension_overhead", (b"1;" + b"a" * 900 + b"\r\nx\r\n") * 30 + b"0\r\n\r\n"),
    ("node_lf_in_extension", b"1;a\nx\r\n0\r\n\r\n"), ("size_with_nul", b"1\0\r\nx\r\n0\r\n\r\n"),
]


@pytest.mark.parametrize("name,raw,status", REFUSED, ids=[case[0] for case in REFUSED])
def test_smuggling_of_peers_is_refused(refused, name, raw, status):
    refused(raw, status, "answered ")


@pytest.mark.parametrize("name,raw", CHUNKS, ids=[case[0] for case in CHUNKS])
def test_bad_chunks_of_peers_end_the_connection(host, name, raw):
    with host.client() as client:
        client.send_slowly(POST + b"Transfer-Encoding: chunked\r\n\r\n" + raw + INNER, 4096)
        response = client.read_response()
        assert json.loads(response.body)["error"] and response.closes
        client.expect_close()
    assert '"GET /smuggled' not in host.access_log


def test_waitress_cve_2024_49769_gone_before_accept_costs_nothing(host):
    for _ in range(50):
        host.client().reset()
    assert host.get("/index.html").status == 200


def test_uwsgi_cve_2018_6758_long_path(host):
    for count in (1000, 4000, 8100):
        too_long = [414] if count > 4000 else []  # LIMIT_PATH_BYTES
        assert host.get("/" + "a" * count).status in (403, 404, *too_long)
        assert host.get("/" + "a/" * (count // 2)).status in (403, 404, *too_long)
        assert host.get("/app/" + "a" * count).status in (200, *too_long)


@pytest.mark.parametrize("target", ["/..%2foutside.txt", "/sub/..%2f..%2foutside.txt", "/..%5coutside.txt", "/sub%2f..%2f..%2foutside.txt", "/%252e%252e/outside.txt", "/....//outside.txt",
                                    "/.%252e/outside.txt", "/sub/%2e%2e%2f%2e%2e/outside.txt", "/..;/outside.txt", "/%c0%ae%c0%ae/outside.txt", "//../outside.txt", "/sub/.%2e/.%2e/outside.txt"])
def test_nothing_above_the_root_is_served(host, target):
    """uWSGI CVE-2018-7490, Apache CVE-2021-41773 and CVE-2021-42013."""
    response = host.get(target)
    assert response.status in (400, 403, 404) and b"outside" not in response.body.replace(b"outside.txt", b"")


@pytest.mark.parametrize("value", [",".join(f"{i}-" for i in range(1300)), "0-," + ",".join(f"5-{i}" for i in range(1300)), ",".join(["0-0"] * 1900), ",".join(["-1"] * 1900)],
                         ids=["open", "apache_killer", "same", "suffix"])
def test_many_ranges_are_bounded_work(host, value):
    """Apache CVE-2011-3192."""
    start = time.monotonic()
    response = host.get("/index.html", {"Range": "bytes=" + value})
    assert response.status in (200, 206, 416) and len(response.body) < 100_000 and time.monotonic() - start < 10


@pytest.mark.parametrize("value", ["-9223372036854775808", "-18446744073709551615", "9223372036854775807-9223372036854775807", "0-18446744073709551616", "-9223372036854775807,-9223372036854775807",
                                   "0-9223372036854775807", "18446744073709551615-", "-0", "5-2"])
def test_range_numbers_do_not_overflow(host, value):
    """nginx CVE-2017-7529."""
    response = host.get("/index.html", {"Range": "bytes=" + value})
    assert response.status in (200, 206, 416) and b"hello".find(response.body) >= 0 or response.status == 416
    if response.status == 206:
        assert response.header("Content-Range") == "bytes 0-4/5"


def test_redirects_carry_no_line_ends(server):
    """Apache CVE-2023-25690: a decoded CRLF that a rewrite or redirect puts into a header."""
    host = server('Redirect /old http://other.example/new\nRedirectMatch ^/m/(.*)$ http://other.example/$1\n<Directory "@ROOT@/www">\nRequire all granted\n</Directory>',
                  files={"www/dir/index.html": "x"})
    for target in ("/old/a%0d%0aX-Evil:%20yes", "/m/a%0d%0aX-Evil:%20yes", "/m/a%0aSet-Cookie:%20b", "/dir%0d%0aX-Evil:yes", "/m/%0d%0a%0d%0a<script>"):
        response = host.get(target)
        assert not response.all("X-Evil") and not response.all("Set-Cookie")
        assert "\n" not in (response.header("Location") or "")
    host.allow_log("must not be sent")


def test_header_names_that_collide_are_bounded_work(host):
    fields = [(f"X-{i:04x}", "v" * 50) for i in range(95)]
    start = time.monotonic()
    with host.client() as first, host.client() as second:
        for client in [first] * 90 + [second] * 90:
            assert client.request("GET", "/app/echo", fields).status == 200
    assert time.monotonic() - start < 5


def test_h2c_upgrade_with_a_body_smuggles_nothing(host):
    with host.client() as client:
        client.send(POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER + build_request("GET", "/index.html"))
        assert json.loads(client.read_response().body)["body"].encode() == INNER
        assert client.read_response().body == b"hello"
    assert '"GET /smuggled' not in host.access_log


def test_compressed_bodies_are_not_decoded_unasked(host):
    with host.client() as client:
        response = client.request("POST", "/app/echo", {"Content-Encoding": "gzip"}, b"\x1f\x8b not gzip")
        assert json.loads(response.body)["body"].encode("latin-1") == b"\x1f\x8b not gzip"

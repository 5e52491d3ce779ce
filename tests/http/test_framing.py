"""Where a request ends: reference/http.md, section Framing."""
from __future__ import annotations

import json

import pytest

HEAD = b"POST /app/echo HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
INNER = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

BAD_HEADS = [
    ("both", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    ("both_the_other_way", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
    ("both_with_length_0", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400),
    ("two_encodings", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    ("two_encodings_second_differs", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
    *[("encoding_" + name, b"Transfer-Encoding: " + value + b"\r\n", 400) for name, value in [
        ("empty", b""), ("identity", b"identity"), ("gzip_alone", b"gzip"), ("chunked_twice", b"chunked, chunked"), ("chunked_not_last", b"chunked, gzip"),
        ("chunked_then_identity", b"chunked, identity"), ("identity_then_chunked", b"identity, chunked"), ("unknown_then_chunked", b"foo, chunked"),
        ("x_prefix", b"xchunked"), ("suffix", b"chunkedx"), ("quoted", b'"chunked"'), ("parameter", b"chunked;q=1"), ("comma_behind", b"chunked,"),
        ("comma_before", b",chunked"), ("semicolon", b"chunked;"), ("vertical_tab", b"\x0bchunked"), ("nbsp", b"\xa0chunked"), ("nul", b"chunked\0"),
        ("inner_space", b"chun ked"), ("cow", b"cow"), ("true", b"true"), ("single_quotes", b"'chunked'")]],
    ("encoding_gzip_chunked", b"Transfer-Encoding: gzip, chunked\r\n", 501),
    ("encoding_deflate_gzip_chunked", b"Transfer-Encoding: deflate,\tGZIP , Chunked\r\n", 501),
    ("two_lengths", b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
    ("two_equal_lengths", b"Content-Length: 5\r\nContent-Length: 5\r\n", 400),
    *[("length_" + name, b"Content-Length: " + value + b"\r\n", 400) for name, value in [
        ("empty", b""), ("list", b"5, 5"), ("list_of_two", b"5, 6"), ("plus", b"+5"), ("minus", b"-5"), ("minus_0", b"-0"), ("hex", b"0x5"), ("underscore", b"5_0"),
        ("fraction", b"5.0"), ("exponent", b"1e1"), ("space_inside", b"5 5"), ("word", b"five"), ("quoted", b'"5"'), ("arabic_digit", "٥".encode()),
        ("semicolon", b"5;"), ("letter_behind", b"5a"), ("many_digits_and_letter", b"9" * 30 + b"x"), ("vertical_tab", b"5\x0b")]],
    ("length_64_bits", b"Content-Length: 9223372036854775808\r\n", 413),
    ("length_wraps_32_bits", b"Content-Length: 18446744073709551621\r\n", 413),
    ("length_30_digits", b"Content-Length: " + b"9" * 30 + b"\r\n", 413),
    ("name_with_space", b"Transfer-Encoding : chunked\r\n", 400),
    ("name_with_tab", b"Content-Length\t: 5\r\n", 400),
    ("folded_encoding", b"Transfer-Encoding:\r\n chunked\r\n", 400),
    ("continued_name", b"X: y\r\n Content-Length: 5\r\n", 400),
    ("singleton_content_type", b"Content-Type: a/b\r\nContent-Type: a/c\r\n", 400),
    ("singleton_authorization", b"Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n", 400),
    ("singleton_range", b"Range: bytes=0-1\r\nRange: bytes=0-1\r\n", 400),
    ("expectation", b"Expect: 200-maybe\r\n", 417),
    ("expectation_list", b"Expect: 100-continue, foo\r\n", 417),
]


@pytest.mark.parametrize("name,fields,status", BAD_HEADS, ids=[case[0] for case in BAD_HEADS])
def test_bad_framing_is_refused(refused, name, fields, status):
    refused(HEAD + fields + b"\r\n" + HELLO, status, f"answered {status}: ")


def test_chunked_in_http_1_0_is_refused(refused):
    refused(b"POST /app/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO, 400, "HTTP/1.0")


# Bodies that are good: seen whole by the handler, and the next request on the connection is the next request.

GOOD = [
    ("length", HEAD + b"Content-Length: 5\r\n\r\nhello", b"hello"),
    ("length_leading_zeros", HEAD + b"Content-Length: 0005\r\n\r\nhello", b"hello"),
    ("length_0", HEAD + b"Content-Length: 0\r\n\r\n", b""),
    ("no_framing_is_no_body", HEAD + b"\r\n", b""),
    ("length_in_1_0", b"POST /app/echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ("chunked", CHUNKED + HELLO, b"hello"),
    ("chunked_any_case", HEAD + b"transfer-encoding:\t ChUnKeD \t\r\n\r\n" + HELLO, b"hello"),
    ("chunks", CHUNKED + b"1\r\nh\r\n4\r\nello\r\n000\r\n\r\n", b"hello"),
    ("sixteen_digits", CHUNKED + b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("upper_hex", CHUNKED + b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789"),
    ("crlf_in_data", CHUNKED + b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
    ("extensions", CHUNKED + b'5;a;b=c;d="e;\\"\t"\r\nhello\r\n0;x\r\n\r\n', b"hello"),
    ("extensions_with_spaces", CHUNKED + b"5 ; a = b\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("trailers", CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 99\r\nHost: evil\r\n\r\n", b"hello"),
    ("get_with_body", b"GET /app/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ("delete_with_body", b"DELETE /app/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ("request_as_body", HEAD + b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER, INNER),
]


@pytest.mark.parametrize("name,raw,body", GOOD, ids=[case[0] for case in GOOD])
def test_body_is_whole_and_the_next_request_follows(host, name, raw, body):
    for size in (len(raw) * 2, 1, 3):
        with host.client() as client:
            client.send_slowly(raw + b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n", size)
            first = client.read_response()
            assert first.status == 200, first
            seen = json.loads(first.body)
            assert (seen["body"].encode("latin-1"), seen["error"]) == (body, None)
            if first.closes and b"HTTP/1.0" in raw:
                client.expect_close()  # the length was not known when the handler flushed
                continue
            assert client.read_response().body == b"hello"
            assert client.is_open()
    assert '"GET /smuggled' not in host.access_log


@pytest.mark.parametrize("path", ["/index.html", "/nothing", "/app/unread", "/sub"])
@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER,
                                     b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n"], ids=["length", "chunked"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"POST"])
def test_unread_body_never_becomes_a_request(host, method, path, framing):
    """Consumed, or the connection closed: whoever answers without reading."""
    raw = method + b" " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + framing
    with host.client() as client:
        client.send(raw + b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = client.read_response(head=method == b"HEAD")
        if first.closes:
            client.expect_close()
        else:
            assert client.read_response().body == b"hello"
    assert '"GET /smuggled' not in host.access_log


# Bodies that are bad: the handler gets an error, the client no other answer, and nothing behind them is read.

BAD_CHUNKS = [
    ("sign_plus", b"+5\r\nhello\r\n0\r\n\r\n"), ("sign_minus", b"-5\r\nhello\r\n0\r\n\r\n"), ("space_before", b" 5\r\nhello\r\n0\r\n\r\n"), ("tab_before", b"\t5\r\nhello\r\n0\r\n\r\n"),
    ("hex_prefix", b"0x5\r\nhello\r\n0\r\n\r\n"), ("no_digit", b"\r\nhello\r\n0\r\n\r\n"), ("no_digit_extension", b";a\r\nhello\r\n"), ("letter", b"g\r\nhello\r\n"),
    ("underscore", b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n"), ("fraction", b"5.0\r\nhello\r\n0\r\n\r\n"), ("space_behind", b"5 \r\nhello\r\n0\r\n\r\n"),
    ("seventeen_digits", b"00000000000000005\r\nhello\r\n0\r\n\r\n"), ("lf_behind_size", b"5\nhello\r\n0\r\n\r\n"), ("cr_behind_size", b"5\rhello\r\n0\r\n\r\n"),
    ("cr_cr_lf", b"5\r\r\nhello\r\n0\r\n\r\n"), ("data_too_long", b"5\r\nhelloo\r\n0\r\n\r\n"), ("data_too_short", b"5\r\nhell\r\n0\r\n\r\n"), ("lf_behind_data", b"5\r\nhello\n0\r\n\r\n"),
    ("other_bytes_behind_data", b"5\r\nhelloXX0\r\n\r\n"), ("nothing_behind_data", b"5\r\nhello0\r\n\r\n"), ("extension_lf", b"5;a\nhello\r\n0\r\n\r\n"),
    ("extension_bare_cr", b"5;a\rb\r\nhello\r\n0\r\n\r\n"), ("extension_nul", b"5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"), ("extension_control", b"5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n"),
    ("extension_no_token", b"5;a=(b)\r\nhello\r\n0\r\n\r\n"), ("extension_open_quote", b"5;a=\"b\r\nhello\r\n0\r\n\r\n"), ("extension_empty", b"5;\r\nhello\r\n0\r\n\r\n"),
    ("extension_high_byte", b"5;a=\xff\r\nhello\r\n0\r\n\r\n"), ("extension_1k", b"5;a=" + b"b" * 1100 + b"\r\nhello\r\n0\r\n\r\n"),
    ("extensions_16k", b"1;" + b"b" * 1000 + b"\r\n" + (b"x\r\n1;" + b"b" * 1000 + b"\r\n") * 18 + b"x\r\n0\r\n\r\n"),
    ("last_chunk_lf", b"0\n\r\n"), ("end_lf", b"0\r\n\n"), ("trailer_folded", b"0\r\nA: b\r\n c\r\n\r\n"), ("trailer_no_colon", b"0\r\nA\r\n\r\n"), ("trailer_empty_name", b"0\r\n: b\r\n\r\n"),
    ("trailer_space_before_colon", b"0\r\nA : b\r\n\r\n"), ("trailer_lf", b"0\r\nA: b\n\r\n"), ("trailer_bare_cr", b"0\r\nA: b\rc\r\n\r\n"), ("trailer_nul", b"0\r\nA: \0\r\n\r\n"),
    ("trailer_is_a_request", b"0\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"), ("trailer_too_long", b"0\r\nA: " + b"b" * 9000 + b"\r\n\r\n"),
    ("too_many_trailers", b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n"),
    ("overflow_63_bits", b"8000000000000000\r\n"), ("overflow_64_bits", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), ("overflow_wraps", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("larger_than_the_limit", b"186a1\r\n"), ("larger_than_the_limit_in_all", b"186a0\r\n" + b"x" * 100000 + b"\r\n1\r\n"),
]
TOO_LARGE = ("overflow", "larger")


@pytest.mark.parametrize("name,raw", BAD_CHUNKS, ids=[case[0] for case in BAD_CHUNKS])
def test_bad_chunks_are_an_error_for_the_handler(host, name, raw):
    before = len(host.error_log)
    with host.client() as client:
        client.send_slowly(CHUNKED + raw + INNER, 4096)
        first = client.read_response()
        seen = json.loads(first.body)
        assert seen["error"], seen
        assert first.closes
        client.expect_close()
    assert "bad request body: " in host.error_log[before:] and ("LimitRequestBody" in host.error_log[before:]) == name.startswith(TOO_LARGE)
    assert '"GET /smuggled' not in host.access_log


@pytest.mark.parametrize("name,raw", BAD_CHUNKS, ids=[case[0] for case in BAD_CHUNKS])
def test_bad_chunks_give_the_right_status_when_the_handler_trusts_its_server(host, name, raw):
    """The exception of read, uncaught, becomes 400 or 413: not 500, which would blame the handler."""
    with host.client() as client:
        client.send_slowly(CHUNKED.replace(b"echo", b"strict") + raw + INNER, 4096)
        response = client.read_response()
        assert response.status == (413 if name.startswith(TOO_LARGE) else 400) and response.closes
        client.expect_close()
    assert '"GET /smuggled' not in host.access_log


@pytest.mark.parametrize("raw", [HEAD + b"Content-Length: 10\r\n\r\nhello", CHUNKED + b"a\r\nhello", CHUNKED + b"5\r\nhello\r\n", CHUNKED + b"5\r\nhello\r\n0\r\n", CHUNKED + b"5\r\nhello\r\n0\r\nA: b\r\n",
                                 CHUNKED], ids=["length", "in_chunk", "between_chunks", "before_end", "in_trailers", "nothing"])
def test_body_cut_short_is_an_error_never_a_shorter_body(host, raw):
    with host.client() as client:
        client.send(raw).half_close()
        seen = json.loads(client.read_response().body)
        assert seen["error"]
        client.expect_close()
    with host.client() as client:
        client.send(raw.replace(b"echo", b"strict")).half_close()
        assert client.read_response().status == 400
        client.expect_close()


@pytest.mark.parametrize("size,status", [(99999, 200), (100000, 200), (100001, 413)])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_limit(host, size, status, chunked):
    body = b"x" * size
    raw = CHUNKED + b"%x\r\n" % size + body + b"\r\n0\r\n\r\n" if chunked else HEAD + b"Content-Length: %d\r\n\r\n" % size + body
    before = len(host.error_log)
    with host.client() as client:
        client.send_slowly(raw.replace(b"echo", b"strict"), 65536)
        response = client.read_response()
        assert response.status == status
        if status == 413:
            assert response.closes and "LimitRequestBody" in host.error_log[before:]
            client.expect_close()
        else:
            assert response.body == b"%d" % size


def test_length_above_the_limit_is_refused_before_the_body_comes(host):
    for target in (b"/small/echo", b"http://localhost/small/echo"):
        with host.client() as client:
            client.send(b"POST " + target + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 21\r\n\r\n")
            response = client.read_response()
            assert response.status == 413 and response.closes
            client.expect_close()


def test_trailers_are_given_to_those_who_ask(host):
    section = (b"X-Sum: 1\r\nx-sum:\t2 \r\nServer-Timing: a;dur=1\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\nHost: evil\r\nAuthorization: evil\r\n"
               b"Cookie: a=b\r\nContent-Type: a/b\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nRange: bytes=0-1\r\nExpect: x\r\n\r\n")
    raw = CHUNKED + b"5\r\nhello\r\n0\r\n" + section
    for size in (len(raw), 1, 7):
        with host.client() as client:
            seen = json.loads(client.send_slowly(raw, size).read_response().body)
            assert seen["trailers"] == [["X-Sum", "1"], ["x-sum", "2"], ["Server-Timing", "a;dur=1"], ["X-Empty", ""]]
            assert client.request("GET", "/index.html").body == b"hello"


def test_trailers_never_reach_the_headers(host):
    with host.client() as client:
        client.send(CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nAuthorization: evil\r\n\r\n")
        names = [name.lower() for name, _ in json.loads(client.read_response().body)["headers"]]
        assert "x-sum" not in names and "authorization" not in names

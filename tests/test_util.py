"""mod_python.util: forms of every shape, query strings, redirects. The pure half needs no server; the end-to-end half is below it."""
from __future__ import annotations

import encodings
import io
import random
import tracemalloc

import pytest

from pyhost.mod_python import util
from pyhost.mod_python._multipart import Begin, Data, MultipartError, parse_multipart
from pyhost.mod_python._native import SERVER_RETURN
from support.plain import PlainRequest

URLENCODED = "application/x-www-form-urlencoded"


def multipart(*parts: tuple[str, bytes], boundary: str = "XX") -> bytes:
    """parts: (headers of the part without their last line end, content)."""
    out = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode("latin-1"), body) for head, body in parts)
    return out + b"--%s--\r\n" % boundary.encode()


def form_of(body: bytes, content_type: str = URLENCODED, **more: object) -> util.FieldStorage:
    return util.FieldStorage(PlainRequest(body, content_type, **more))  # type: ignore[arg-type]


def refused(request: PlainRequest, **more: object) -> int:
    """The status with which a form is refused; there must be a log line that says why."""
    with pytest.raises(SERVER_RETURN) as caught:
        util.FieldStorage(request, **more)  # type: ignore[arg-type]
    assert request.log and f"refused with {caught.value.args[0]}" in request.log[-1][1]
    return int(caught.value.args[0])


# Query strings.

@pytest.mark.parametrize(("query", "pairs"), [
    ("a=1&b=2", [("a", "1"), ("b", "2")]),
    ("a=1;b=2", [("a", "1"), ("b", "2")]),
    ("alpha=x+y%20z", [("alpha", "x y z")]),
    ("a=%zz&b=%&c=%4", [("a", "%zz"), ("b", "%"), ("c", "%4")]),
    ("=x", [("", "x")]),
    ("&&a=1&", [("a", "1")]),
    ("a=1=2", [("a", "1=2")]),
    ("a=%C3%A9", [("a", "é")]),
    ("a=%e9", [("a", "é")]),
    ("a=%00b", [("a", "\0b")]),
    ("", []),
])
def test_query_is_split_into_pairs(query: str, pairs: list[tuple[str, str]]) -> None:
    assert util.parse_qsl(query) == pairs
    raw = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in util.parse_qsl(query)]
    if "%C3" not in query:
        assert util.parse_qsl(query.encode()) == raw


def test_query_gives_bytes_for_bytes() -> None:
    assert util.parse_qs(b"a=%e9&a=2") == {b"a": [b"\xe9", b"2"]}
    assert util.parse_qs("a=1&a=2&b=") == {"a": ["1", "2"]}


def test_blank_values_are_kept_when_asked() -> None:
    assert util.parse_qsl("a&b=&c=1", 1) == [("a", ""), ("b", ""), ("c", "1")]
    assert util.parse_qsl("a&b=&c=1") == [("c", "1")]


def test_strict_query_refuses_a_word_without_equals() -> None:
    with pytest.raises(ValueError, match="bad query field: 'a'"):
        util.parse_qs("a&b=1", 0, 1)


def test_short_names_do_not_become_values() -> None:
    """mod_python 3.5.0 gave ("1", "1") for ?a=1."""
    assert util.parse_qsl("a=1") == [("a", "1")]


# Forms: one type everywhere.

def test_names_and_values_are_str_wherever_they_come_from() -> None:
    head = 'Content-Disposition: form-data; name="q"'
    for fs in (util.FieldStorage(PlainRequest(args="q=%C3%A9")), form_of(b"q=%C3%A9"),
               form_of(multipart((head, "é".encode())), "multipart/form-data; boundary=XX")):
        field = fs["q"]
        assert field == field.value == "é" and isinstance(field, str) and isinstance(field, util.StringField)
        assert field.bytes == b"\xc3\xa9" and field.file.read() == b"\xc3\xa9" and field.name == "q" and field.filename is None
        assert type(field.value) is str


def test_bytes_that_are_not_utf8_are_latin1_and_never_fail() -> None:
    head = 'Content-Disposition: form-data; name="\xe9"'
    for fs in (form_of(b"%e9=%e9"), form_of(multipart((head, b"\xe9")), "multipart/form-data; boundary=XX")):
        assert fs["é"] == "é" and fs["é"].bytes == b"\xe9"


def test_query_and_body_are_read_in_order() -> None:
    fs = form_of(b"a=2&b=3", args="a=1")
    assert [field.value for field in fs.getlist("a")] == ["1", "2"]
    assert fs.keys() == ["a", "b"] and len(fs) == 2 and list(fs) == ["a", "b"]
    assert fs.items() == [("a", "1"), ("a", "2"), ("b", "3")]


def test_subscript_gives_the_field_or_the_list_of_several() -> None:
    fs = form_of(b"a=1&b=2&a=3")
    assert fs["b"] == "2" and fs["a"] == ["1", "3"]
    with pytest.raises(KeyError):
        fs["c"]
    assert fs.get("c", "no") == "no" and fs.get("b") == "2"
    assert fs.getfirst("a") == "1" and fs.getfirst("c", "d") == "d" and fs.getlist("c") == []
    assert "a" in fs and fs.has_key("b") and "c" not in fs


def test_fields_can_be_added_replaced_and_removed() -> None:
    fs = form_of(b"a=1&b=2&a=3")
    fs["a"] = "x"
    fs.add_field("a", b"\xff")
    assert fs.getlist("a") == ["x", "ÿ"] and fs.list.table().keys() == {"b", "a"}
    del fs["b"]
    assert "b" not in fs
    fs.clear()
    assert len(fs) == 0 and not fs


def test_get_and_put_do_not_read_the_body() -> None:
    for method in ("GET", "PUT", "HEAD", "DELETE"):
        request = PlainRequest(b"a=1", URLENCODED, method=method, args="q=1")
        assert util.FieldStorage(request).keys() == ["q"]
        assert request.read() == b"a=1"


def test_post_without_content_type_is_urlencoded() -> None:
    assert util.FieldStorage(PlainRequest(b"a=1"))["a"] == "1"


def test_chunked_post_needs_no_length() -> None:
    assert util.FieldStorage(PlainRequest(b"a=1", URLENCODED, headers={"Transfer-Encoding": "chunked"}))["a"] == "1"


# Multipart.

UPLOAD = ('Content-Disposition: form-data; name="f"; filename="a b.txt"\r\nContent-Type: text/x-log; charset=latin-1\r\nX-One: a\r\n two',
          b"line\r\n--X\r\nend")


def test_upload_is_a_field_with_a_file() -> None:
    field = form_of(multipart(UPLOAD), 'multipart/form-data; boundary="XX"')["f"]
    assert isinstance(field, util.Field)
    assert field.value == UPLOAD[1] == field.bytes and field.file.read() == UPLOAD[1]
    assert (field.name, field.filename, field.type, field.type_options) == ("f", "a b.txt", "text/x-log", {"charset": "latin-1"})
    assert field.disposition == "form-data" and field.disposition_options == {"name": "f", "filename": "a b.txt"}
    assert field.headers["X-One"] == "a two" and field.headers["content-type"].startswith("text/x-log")


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode-escape", "zlib", "rot13", "undefined", "utf-7", "no-such-charset", "x" * 5000, "é", "a\0b"])
def test_what_is_no_charset_is_read_as_utf_8(charset: str) -> None:
    """Whatever codecs Python has: one takes time in the square of the text. And nothing is kept for each name that a client invents."""
    known = set(encodings._cache)  # type: ignore[attr-defined]
    head = f'Content-Disposition: form-data; name="q"\r\nContent-Type: text/plain; charset="{charset}"'
    assert form_of(multipart((head, "a-é".encode())), "multipart/form-data; boundary=XX")["q"] == "a-é"
    assert form_of(b"q=%C3%A9", f'{URLENCODED}; charset="{charset}"')["q"] == "é"
    assert set(encodings._cache) <= known | {"utf_8"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("charset", ["UTF-8", "utf8", "Windows-1252", "ISO-8859-1", "latin1", "iso-8859-15", "koi8-r", "koi8-u", "shift_jis", "EUC-KR", "gb18030",
                                     "big5", "utf-16", "windows-1251"])
def test_charsets_of_the_web_are_read(charset: str) -> None:
    text = {"koi8-r": "я", "koi8-u": "є", "windows-1251": "я", "shift_jis": "あ", "EUC-KR": "가", "gb18030": "中", "big5": "中"}.get(charset, "é")
    head = f'Content-Disposition: form-data; name="q"\r\nContent-Type: text/plain; charset={charset}'
    assert form_of(multipart((head, text.encode(charset))), "multipart/form-data; boundary=XX")["q"] == text


def test_parts_charset_is_honoured() -> None:
    head = 'Content-Disposition: form-data; name="q"\r\nContent-Type: text/plain; charset=utf-16-le'
    assert form_of(multipart((head, "aé".encode("utf-16-le"))), "multipart/form-data; boundary=XX")["q"] == "aé"


@pytest.mark.parametrize(("raw", "name"), [
    ('filename="C:\\\\dir\\\\f.txt"', "C:\\dir\\f.txt"), ('filename="q\\"q.txt"', 'q"q.txt'), ("filename=plain.txt", "plain.txt"),
    ("filename=\"x\"; filename*=utf-8''%e2%82%ac.txt", "€.txt"), ('filename="\xc3\xbc.txt"', "ü.txt"), ('filename=""', ""),
    ('filename="a;b.txt"', "a;b.txt"),
])
def test_file_names_are_read_as_browsers_write_them(raw: str, name: str) -> None:
    head = f'Content-Disposition: form-data; name="f"; {raw}'
    assert form_of(multipart((head, b"x")), "multipart/form-data; boundary=XX")["f"].filename == name


def test_upload_stays_in_memory_up_to_spool_bytes_then_in_a_file() -> None:
    for size, rolled in ((100, False), (101, True)):
        fs = form_of(multipart(('Content-Disposition: form-data; name="f"; filename="f"', b"x" * size)),
                     "multipart/form-data; boundary=XX", options={"mod_python.form.spool_bytes": "100"})
        assert fs["f"].file._rolled is rolled and len(fs["f"].value) == size


def test_callbacks_give_the_files() -> None:
    seen: list[str] = []

    def file_callback(name: str) -> io.BytesIO:
        seen.append(name)
        return io.BytesIO()

    body = multipart(UPLOAD, ('Content-Disposition: form-data; name="t"', b"text"))
    request = PlainRequest(body, "multipart/form-data; boundary=XX")
    fs = util.FieldStorage(request, file_callback=file_callback, field_callback=io.BytesIO)
    assert seen == ["a b.txt"] and isinstance(fs["f"].file, io.BytesIO)
    assert isinstance(fs["t"], util.Field) and fs["t"].value == b"text" and fs["t"].filename is None


def test_reading_is_the_same_in_any_pieces() -> None:
    body = multipart(('Content-Disposition: form-data; name="a"', b""), UPLOAD, ('Content-Disposition: form-data; name="b"', b"\r\n--XY\r"))
    for piece in (1, 2, 3, 7, 64, 1000):
        fs = util.FieldStorage(PlainRequest(body, "multipart/form-data; boundary=XX", piece=piece), keep_blank_values=1)
        assert fs["a"] == "" and fs["f"].value == UPLOAD[1] and fs["b"].bytes == b"\r\n--XY\r"


def test_a_line_longer_than_every_buffer_is_not_cut() -> None:
    data = b"x" * 70000 + b"\r" + b"y" * 70000 + b"\r\n-"
    fs = form_of(multipart(('Content-Disposition: form-data; name="f"; filename="f"', data)), "multipart/form-data; boundary=XX")
    assert fs["f"].value == data


def test_preamble_epilogue_and_padding_are_skipped() -> None:
    body = b"preamble\r\n--XX  \r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--\r\nepilogue"
    assert form_of(body, "multipart/form-data; boundary=XX")["a"] == "1"
    assert form_of(b"--XX--\r\n", "multipart/form-data; boundary=XX").keys() == []
    assert form_of(b"", "multipart/form-data; boundary=XX").keys() == []


def test_preamble_may_look_like_boundaries() -> None:
    body = b"x--XX\r\n--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--"
    assert form_of(body, "multipart/form-data; boundary=XX")["a"] == "1"


def test_preamble_takes_no_more_memory_than_a_chunk() -> None:
    """Each of its false boundaries had another chunk read, and all were held."""
    body, taken = io.BytesIO(b"x--XX" * 100_000 + b"\n--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--"), []

    def read(size: int) -> bytes:
        taken.append(size)
        return body.read(size)

    tracemalloc.start()
    events = list(parse_multipart(read, b"XX", chunk_bytes=4096))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(events) == 3 and len(taken) > 100 and most < 64 * 1024


# What is refused, and with which status.

HEAD_A = 'Content-Disposition: form-data; name="a"'


@pytest.mark.parametrize(("body", "content_type", "status"), [
    (b"x", "text/xml", 501),
    (b"x", "application/json", 501),
    (b"--XX\r\n", "multipart/form-data", 400),
    (b"--XX\r\n", "multipart/form-data; boundary=", 400),
    (b"--XX\r\n", "multipart/form-data; boundary=" + "X" * 201, 400),
    (b"--XX\r\n", "multipart/form-data; boundary*=utf-8''%E2%82%AC", 400),
    (b"no boundary here at all", "multipart/form-data; boundary=XX", 400),
    (b"--XX", "multipart/form-data; boundary=XX", 400),
    (b"--XXjunk\r\n", "multipart/form-data; boundary=XX", 400),
    (b"--XX\r\nContent-Disposition: form-data; name=a\r\n", "multipart/form-data; boundary=XX", 400),
    (b"--XX\r\nContent-Disposition: form-data; name=a\r\n\r\ncut", "multipart/form-data; boundary=XX", 400),
    (b"--XX\r\nno colon\r\n\r\n1\r\n--XX--", "multipart/form-data; boundary=XX", 400),
    (b"--XX\r\n: no name\r\n\r\n1\r\n--XX--", "multipart/form-data; boundary=XX", 400),
    (b"--XX\r\nX: " + b"y" * 20000 + b"\r\n\r\n1\r\n--XX--", "multipart/form-data; boundary=XX", 400),
    (b"--XX\r\n" + b"X: y\r\n" * 5000 + b"\r\n1\r\n--XX--", "multipart/form-data; boundary=XX", 400),
])
def test_broken_form_gets_a_clear_status(body: bytes, content_type: str, status: int) -> None:
    assert refused(PlainRequest(body, content_type)) == status


def test_post_without_length_is_411() -> None:
    request = PlainRequest(b"a=1", URLENCODED)
    del request.headers_in["Content-Length"]
    assert refused(request) == 411


def test_strict_form_refuses_what_is_no_field() -> None:
    assert refused(PlainRequest(b"a&b=1", URLENCODED), strict_parsing=1) == 400


@pytest.mark.parametrize(("option", "limit", "make"), [
    ("max_fields", 3, lambda n: (b"&".join([b"a=1"] * n), URLENCODED)),
    ("max_fields", 3, lambda n: (multipart(*[(HEAD_A, b"")] * n), "multipart/form-data; boundary=XX")),
    ("max_value_bytes", 10, lambda n: (b"a=" + b"x" * n, URLENCODED)),
    ("max_value_bytes", 10, lambda n: (multipart((HEAD_A, b"x" * n)), "multipart/form-data; boundary=XX")),
    ("max_form_bytes", 10, lambda n: (b"a=" + b"x" * (n - 2), URLENCODED)),
    ("max_form_bytes", 10, lambda n: (multipart((HEAD_A, b"x" * (n // 2)), (HEAD_A, b"x" * (n - n // 2))), "multipart/form-data; boundary=XX")),
    ("max_file_bytes", 10, lambda n: (multipart((HEAD_A + '; filename="f"', b"x" * n)), "multipart/form-data; boundary=XX")),
])
def test_a_bound_is_kept_below_at_and_above(option: str, limit: int, make: object) -> None:
    options = {"mod_python.form." + option: str(limit)}
    for size in (limit - 1, limit):
        body, kind = make(size)  # type: ignore[operator]
        assert util.FieldStorage(PlainRequest(body, kind, options=options), keep_blank_values=1).list
    body, kind = make(limit + 1)  # type: ignore[operator]
    request = PlainRequest(body, kind, options=options)
    assert refused(request, keep_blank_values=1) == 413
    assert "mod_python.form." + option in request.log[-1][1]


def test_part_headers_bound_is_kept() -> None:
    def body(extra: int) -> bytes:
        return multipart((HEAD_A + "\r\nX: " + "y" * extra, b"1"))

    room = 200 - len(HEAD_A) - len("\r\nX: \r\n\r\n")
    options = {"mod_python.form.max_header_bytes": "200"}
    assert util.FieldStorage(PlainRequest(body(room), "multipart/form-data; boundary=XX", options=options))["a"] == "1"
    assert refused(PlainRequest(body(room + 1), "multipart/form-data; boundary=XX", options=options)) == 400


def test_option_that_is_no_number_is_named() -> None:
    with pytest.raises(ValueError, match="mod_python.form.max_fields: 'many'"):
        util.FieldStorage(PlainRequest(b"a=1", options={"mod_python.form.max_fields": "many"}))


def test_body_that_does_not_arrive_is_400_or_408() -> None:
    for error, status in ((OSError("Client read error"), 400), (TimeoutError("slow"), 408)):
        request = PlainRequest(b"a=1", URLENCODED)

        def read(n: int = -1, error: OSError = error) -> bytes:
            raise error

        request.read = read  # type: ignore[method-assign]
        assert refused(request) == status


def test_random_bytes_never_do_more_than_refuse() -> None:
    random.seed(7)
    whole = multipart(UPLOAD, (HEAD_A, b"1" * 50))
    for _ in range(2000):
        body = bytearray(whole)
        for _ in range(random.randint(1, 6)):
            at = random.randrange(len(body))
            body[at:at + random.randint(0, 3)] = random.choice([b"", b"\r", b"\n", b"--", b"\r\n", b"\xff\x00", b'"', b";"])
        try:
            util.FieldStorage(PlainRequest(bytes(body), "multipart/form-data; boundary=XX", piece=random.choice([3, 50, 1 << 20])))
        except SERVER_RETURN as error:
            assert error.args == (400,)


def test_multipart_memory_is_one_chunk() -> None:
    size, chunk = 3_000_000, 1000
    stream = io.BytesIO(multipart((HEAD_A, b"x" * size)))
    events = parse_multipart(stream.read, b"XX", 100, chunk)
    pieces = [event for event in events if isinstance(event, Data)]
    assert sum(len(one.data) for one in pieces) == size and max(len(one.data) for one in pieces) <= 2 * chunk


def test_multipart_is_lenient_about_bare_line_feeds_in_headers() -> None:
    body = b"--XX\nContent-Disposition: form-data; name=a\n\n1\r\n--XX--"
    events = list(parse_multipart(io.BytesIO(body).read, b"XX"))
    assert events[0] == Begin((("Content-Disposition", "form-data; name=a"),)) and events[1] == Data(b"1")
    with pytest.raises(MultipartError):
        list(parse_multipart(io.BytesIO(b"--XX\r\n").read, b""))


# Headers, redirects, calls.

@pytest.mark.parametrize(("line", "expected"), [
    ("text/html", ("text/html", {})),
    ('text/html; charset="a;b"; X=y', ("text/html", {"charset": "a;b", "x": "y"})),
    ("form-data; name=a; name=b", ("form-data", {"name": "a"})),
    ("a; b; c=1", ("a", {"c": "1"})),
    ("", ("", {})),
])
def test_header_parameters(line: str, expected: tuple[str, dict[str, str]]) -> None:
    assert util.parse_header(line) == expected
    assert util.parse_header(line.encode()) == (expected[0].encode(), {k.encode(): v.encode() for k, v in expected[1].items()})


def test_redirect_sends_the_location_verbatim() -> None:
    for permanent, status in ((0, 302), (1, 301)):
        request = PlainRequest()
        with pytest.raises(SERVER_RETURN) as caught:
            util.redirect(request, "relative/x?a=1&b", permanent)
        assert caught.value.args == (-2,) and request.status == status
        assert request.err_headers_out["Location"] == "relative/x?a=1&b" and b"relative/x?a=1&amp;b" in request.written


def test_redirect_after_the_answer_has_begun_is_an_error() -> None:
    request = PlainRequest()
    request.sent_bodyct = 1
    with pytest.raises(OSError, match="already been sent"):
        util.redirect(request, "/x")
    with pytest.raises(ValueError, match="line end"):
        util.redirect(PlainRequest(), "/x\r\nSet-Cookie: a=b")


def test_arguments_are_matched_by_name() -> None:
    fs = form_of(b"a=1&b=2&b=3&c=4")
    assert util.apply_fs_data(lambda a, b, d="dflt": (a, b, d), fs, req="R") == ("1", ["2", "3"], "dflt")
    assert util.apply_fs_data(lambda req, a: (req, a), fs, req="R") == ("R", "1")
    assert util.apply_fs_data(lambda **kw: sorted(kw), fs, req="R") == ["a", "b", "c"]
    assert util.apply_fs_data(lambda req, *, c, **kw: (req, c, sorted(kw)), fs, req="R") == ("R", "4", ["a", "b"])
    with pytest.raises(TypeError, match="missing"):
        util.apply_fs_data(lambda missing_one: 1, fs, req="R")


def test_methods_classes_and_instances_are_called() -> None:
    class Thing:
        def __init__(self, a: str = "") -> None:
            self.a = a

        def method(self, c: str) -> str:
            return "m" + c

        def __call__(self, b: list[str]) -> list[str]:
            return b

    fs = form_of(b"self=evil&a=1&b=2&b=3&c=4")
    assert util.apply_fs_data(Thing().method, fs) == "m4"
    assert util.apply_fs_data(Thing(), fs) == ["2", "3"]
    assert util.apply_fs_data(Thing, fs).a == "1"


# The manual.

def test_manual_is_what_the_docstrings_say() -> None:
    from pathlib import Path

    from pyhost.mod_python.manual import manual

    page = Path(__file__).resolve().parent.parent / "docs" / "mod_python_api.md"
    assert page.read_text() == manual(), "run: make docs"

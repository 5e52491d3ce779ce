"""Bytes that are no UTF-8, no ASCII or no sense, in every place where a client can put them: an answer below 500, nothing in the error log."""
from __future__ import annotations

import base64
import random
from collections.abc import Callable

import pytest

from support.client import build_request
from support.server import Server

Start = Callable[..., Server]

EVERYTHING = """
from mod_python import Cookie, Session, apache, util

def everything(req):
    req.add_common_vars()
    seen = [req.uri, req.filename, req.path_info, req.args, req.unparsed_uri, req.the_request, req.hostname, req.parsed_uri, req.user, req.get_basic_auth_pw(),
            req.user, req.get_remote_host(), req.construct_url("/x")]
    seen += [str(table.items()) + str(table) for table in (req.headers_in, req.headers_out, req.subprocess_env, req.notes)]
    seen += [str(one) for one in Cookie.get_cookies(req).values()]
    seen += [str(one) for one in Cookie.get_cookies(req, Cookie.MarshalCookie, secret="s").values()]
    session = Session.Session(req, secret="forged?")
    session["seen"] = seen
    session.save()
    form = util.FieldStorage(req, keep_blank_values=1)
    seen += [(field.name, field.value, field.filename, field.type, field.disposition_options) for field in form.list]
    for value in seen:
        req.log_error(repr(value)[:300], apache.APLOG_DEBUG)
    req.headers_out["X-Echo"] = (req.headers_in.get("X-One") or "none")[:100]
    return seen

def handler(req):
    seen = everything(req)
    req.content_type = "text/plain"
    req.write(repr(seen), 0)
    return apache.OK
"""

PUBLISHED = """
def index(req, name="", f=None, **more):
    return "%r %r %r" % (name, f and f.filename, sorted(more))
"""

CONF = """
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler everything
    PythonOption mod_python.session.database_directory "@ROOT@/state"
    AuthType Basic
    AuthName "any"
</Directory>
<Directory "@ROOT@/www/pub">
    PythonHandler mod_python.publisher
</Directory>
<Directory "@ROOT@/www/psp">
    PythonHandler mod_python.psp
</Directory>
"""
FILES: dict[str, str | bytes] = {
    "www/everything.py": EVERYTHING, "www/pub/index.py": PUBLISHED, "www/x": "",
    "www/psp/index.psp": "<%= form.get('name', 'none') %> <%= sorted(form.keys()) %> <%= session.is_new() %>",
}
BAD = [b"\xff", b"\xfe\xff", b"\xc3", b"\xc3\xa9", b"\xe9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xffb", b"\x80" * 300, bytes(range(128, 256))]


def places(bad: bytes) -> list[bytes]:
    """Requests with these bytes in one place each."""
    quoted = b"".join(b"%%%02x" % byte for byte in bad)
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    multipart = [("Content-Type", "multipart/form-data; boundary=B")]
    basic = base64.b64encode(bad + b":" + bad).decode()

    def part(head: bytes, body: bytes = b"v") -> bytes:
        return b"--B\r\n" + head + b"\r\n\r\n" + body + b"\r\n--B--\r\n"

    named = b'Content-Disposition: form-data; name="'
    made = []
    for path in (b"/x", b"/pub/", b"/psp/index.psp"):
        target = path.decode()
        raw = bad.decode("latin-1")
        made += [
            b"GET " + path + b"?name=" + quoted + b"&" + quoted + b"=1 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET " + path + quoted + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET " + path + b"?name=%zz%&;;&=&" + quoted + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            build_request("GET", target, [("X-One", raw), ("Referer", raw), ("User-Agent", raw)]),
            build_request("GET", target, [("Cookie", f"a={raw}; {raw}=b; {raw}; pysid={raw}")]),
            build_request("GET", target, [("Authorization", f"Basic {basic}")]),
            build_request("GET", target, [("Authorization", f"Basic {raw}")]),
            build_request("GET", target, [("Authorization", raw)]),
            build_request("POST", target, form, b"name=" + bad + b"&" + bad + b"=1&name=" + quoted),
            build_request("POST", target, [("Content-Type", f"application/x-www-form-urlencoded; charset={raw}")], b"name=" + bad),
            build_request("POST", target, multipart, part(named + bad + b'"', bad)),
            build_request("POST", target, multipart, part(named + b'f"; filename="' + bad + b'"\r\nContent-Type: ' + bad, bad)),
            build_request("POST", target, multipart, part(named + b'name"\r\nContent-Type: text/plain; charset=' + bad, bad)),
            build_request("POST", target, multipart, part(bad)),
            build_request("POST", target, multipart, bad),
            build_request("POST", target, [("Content-Type", f"multipart/form-data; boundary={raw}")], b"--" + bad + b"\r\n\r\n\r\n--" + bad + b"--"),
            build_request("POST", target, [("Content-Type", raw)], bad),
        ]
    return made


@pytest.mark.slow
def test_no_byte_of_a_client_is_an_error_of_the_server(server: Start) -> None:
    host = server(CONF, FILES)
    host.check_fds = False  # the session database stays open
    host.allow_log("psp: .*(No such file|File name too long|Not a directory)")
    for bad in BAD:
        for request in places(bad):
            with host.client() as client:
                client.send(request)
                status = client.read_response().status
                assert status < 500 or (status == 501 and b"Content-Type" in request), request
    assert host.get("/pub/?name=fine").text == "'fine' None []"


@pytest.mark.slow
def test_random_requests_to_handlers_are_answered(server: Start) -> None:
    host = server(CONF, FILES)
    host.check_fds = False  # the session database stays open
    host.allow_log("psp: .*(No such file|File name too long|Not a directory)")
    chance = random.Random(7)
    for _ in range(150):
        request = bytearray(chance.choice(places(chance.choice(BAD))))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(request.index(b"\r\n"), len(request))  # behind the request line
            request[at] = chance.randrange(256)
        with host.client() as client:
            client.send(bytes(request))
            client.half_close()
            answer = client.read_rest()
            assert not answer or (answer.startswith(b"HTTP/1.1 ") and answer[9:12] != b"500"), bytes(request)
    assert host.get("/pub/?name=fine").text == "'fine' None []"

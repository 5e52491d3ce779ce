"""CGI scripts: what they are told, what becomes of what they answer, and which files are run at all."""
from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cgi import ALIAS, ENVIRONMENT, script_server, told
from support.client import Client
from support.fcgi import FastCGI
from support.server import Server

Start = Callable[..., Server]
HELLO = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\necho hello\n"


def answer(head: str | bytes, body: bytes = b"") -> bytes:
    """A script that prints this and nothing else."""
    text = (head.encode("latin-1") if isinstance(head, str) else head) + body
    return b"#!/usr/bin/env python3\nimport sys\nsys.stdout.buffer.write(" + repr(text).encode() + b")\n"


# --- what a script is told

@pytest.fixture
def env(server: Start) -> Server:
    return script_server(server, {"env.py": ENVIRONMENT}, ALIAS + """
        SetEnv SET_BY_CONF yes
        SetEnv odd-name.x 1
        PassEnv PASSED
        SetEnvIf User-Agent ^special IS_SPECIAL=$0
        <Location /cgi-bin/env.py/auth>
            CGIPassAuth On
        </Location>
    """, env={"PASSED": "passed", "NOT_PASSED": "secret"})


def test_every_variable_of_rfc_3875(env: Server) -> None:
    with Client(env.address) as client:
        port = client.sock.getsockname()[1]
        found = told(client.request("POST", "/cgi-bin/env.py/a%20b/c?x=1&y=%20", {"Host": "Web.example:8443", "Content-Type": "a/b", "X-Some-Thing": "v"}, b"body"))
    want = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": "x=1&y=%20",
            "SCRIPT_NAME": "/cgi-bin/env.py", "PATH_INFO": "/a b/c", "PATH_TRANSLATED": f"{env.root}/www/a b/c",
            "REQUEST_URI": "/cgi-bin/env.py/a%20b/c?x=1&y=%20", "SCRIPT_FILENAME": f"{env.root}/cgi-bin/env.py", "DOCUMENT_ROOT": f"{env.root}/www",
            "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "4", "SERVER_NAME": "web.example", "SERVER_PORT": "8443", "SERVER_ADDR": "127.0.0.1",
            "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": str(port), "REQUEST_SCHEME": "http", "HTTP_HOST": "Web.example:8443", "HTTP_X_SOME_THING": "v",
            "SET_BY_CONF": "yes", "odd_name_x": "1", "PASSED": "passed", "PATH": os.environ["PATH"]}
    assert {name: found["env"].get(name) for name in want} == want
    assert found["cwd"] == str(env.root / "cgi-bin")
    assert found["body"] == "body"
    assert "SERVER_SOFTWARE" in found["env"] and "SERVER_ADMIN" in found["env"]
    absent = {"NOT_PASSED", "HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "REMOTE_USER", "AUTH_TYPE", "IS_SPECIAL", "HOME", "HTTPS"}
    assert not absent & set(found["env"])


def test_what_programs_must_not_see(env: Server) -> None:
    headers = {"Proxy": "http://evil.example", "Authorization": "Basic " + base64.b64encode(b"a:b").decode(), "Proxy-Authorization": "Basic eA==",
               "Content_Length": "7", "X_Under": "1", "User-Agent": "special thing"}
    found = told(env.get("/cgi-bin/env.py", headers))["env"]
    assert not {"HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "CONTENT_LENGTH", "HTTP_X_UNDER"} & set(found)
    assert found["IS_SPECIAL"] == "special"
    passed = told(env.get("/cgi-bin/env.py/auth", headers))["env"]
    assert passed["HTTP_AUTHORIZATION"] == headers["Authorization"] and "HTTP_PROXY" not in passed


@pytest.mark.parametrize(("query", "arguments"), [
    ("", []), ("?", []), ("?one", ["one"]), ("?one+two%20three", ["one", "two three"]), ("?a=b", []), ("?a+b=c", []), ("?%2Bx", ["+x"]),
    ("?a;b%24(c)`d`", ["a\\;b\\$\\(c\\)\\`d\\`"]), ("?a+%00", []), ("?a+%zz", []), ("?-d+x", ["-d", "x"]), ("?" + "+".join("w" * 257), []),
    ("?" + "+".join("w" * 256), ["w"] * 256), ("?a++b", ["a", "", "b"])])
def test_words_of_a_query_are_arguments(env: Server, query: str, arguments: list[str]) -> None:
    found = told(env.get("/cgi-bin/env.py" + query))
    assert found["argv"] == arguments
    assert found["env"]["QUERY_STRING"] == query[1:]


def test_a_post_has_no_arguments(env: Server) -> None:
    assert told(env.request("POST", "/cgi-bin/env.py?one+two", body=b"x"))["argv"] == []


def test_who_was_let_in(server: Start) -> None:
    host = script_server(server, {"env.py": ENVIRONMENT, "www/users": "me:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n"}, ALIAS + """
        <Location /cgi-bin>
            AuthType Basic
            AuthName x
            AuthUserFile "@ROOT@/www/users"
            Require valid-user
        </Location>
    """)
    assert host.get("/cgi-bin/env.py").status == 401
    found = told(host.get("/cgi-bin/env.py", {"Authorization": "Basic " + base64.b64encode(b"me:test").decode()}))["env"]
    assert (found["REMOTE_USER"], found["AUTH_TYPE"]) == ("me", "Basic") and "HTTP_AUTHORIZATION" not in found


# --- bodies

def test_bodies_of_known_and_of_unknown_length(env: Server) -> None:
    assert told(env.request("POST", "/cgi-bin/env.py", body=b"x" * 200_000))["body"] == "x" * 200_000
    none = told(env.request("POST", "/cgi-bin/env.py", body=b""))
    assert (none["body"], none["env"]["CONTENT_LENGTH"]) == ("", "0")
    with Client(env.address) as client:
        client.send(b"POST /cgi-bin/env.py HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            client.send(b"1000\r\n" + b"y" * 4096 + b"\r\n")
        client.send(b"0\r\n\r\n")
        found = told(client.read_response())
        assert found["body"] == "y" * 20480 and found["env"]["CONTENT_LENGTH"] == "20480" and "HTTP_TRANSFER_ENCODING" not in found["env"]
        assert told(client.request("GET", "/cgi-bin/env.py"))["body"] == ""  # the connection goes on


def test_a_script_need_not_read_its_body(server: Start) -> None:
    host = script_server(server, {"hello.sh": HELLO})
    with Client(host.address) as client:
        for size in (10, 100_000):
            assert client.request("POST", "/cgi-bin/hello.sh", body=b"x" * size).text == "hello\n"
    assert host.request("POST", "/cgi-bin/hello.sh", body=b"x" * 5_000_000).text == "hello\n"


def test_100_continue_comes_when_the_script_reads(env: Server) -> None:
    with Client(env.address) as client:
        client.send(b"POST /cgi-bin/env.py HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_line() == b"HTTP/1.1 100 Continue"
        assert client.read_line() == b""
        assert told(client.send(b"abc").read_response())["body"] == "abc"


def test_a_body_that_breaks_off_is_never_taken_for_whole(server: Start) -> None:
    host = script_server(server, {"save.py": """\
        #!/usr/bin/env python3
        import sys
        sys.stdout.flush()
        data = sys.stdin.buffer.read()
        open("whole", "wb").write(data)
        print("Content-Type: a/b\\n")
        """})
    for head in (b"Content-Length: 1000", b"Transfer-Encoding: chunked"):
        with Client(host.address) as client:
            client.send(b"POST /cgi-bin/save.py HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n5\r\nhello\r\n").half_close()
            client.expect_close() if client.read_response().status == 400 else pytest.fail("not 400")
    assert host.request("POST", "/cgi-bin/save.py", body=b"all").status == 200
    assert (host.root / "cgi-bin/whole").read_bytes() == b"all"


# --- answers

ANSWERS = [
    ("plain", "Content-Type: text/plain\n\n", 200, {"Content-Type": "text/plain"}),
    ("crlf", "Content-Type: text/plain\r\nX-A: 1\r\n\r\n", 200, {"X-A": "1"}),
    ("status", "Status: 404 Not here\nContent-Type: text/plain\n\n", 404, {}),
    ("status without words", "Status: 201\n\n", 201, {}),
    ("field names in any case", "content-TYPE: text/x\nsTATUS: 202 Yes\n\n", 202, {"Content-Type": "text/x"}),
    ("spaces around a value", "X-A: \t v v \t\nContent-Type:text/plain\n\n", 200, {"X-A": "v v"}),
    ("latin-1", "X-A: caf\xe9\n\n", 200, {"X-A": "caf\xe9"}),
    ("no field at all", "\n", 200, {"Content-Type": "text/x-python"}),  # by its name, as httpd
    ("own validators", 'ETag: "x"\nLast-Modified: Sun, 09 Sep 2001 01:46:40 GMT\nContent-Type: a/b\n\n', 200, {"ETag": '"x"'}),
    ("own server and date", "Server: mine\nDate: Sun, 09 Sep 2001 01:46:40 GMT\n\n", 200, {"Server": "mine"}),
    ("hop by hop", "Connection: close\nKeep-Alive: 5\nContent-Type: a/b\n\n", 200, {"Keep-Alive": None, "Connection": "close"}),
    ("empty value", "X-A:\nX-B: 1\n\n", 200, {"X-B": "1"}),
    ("location and status", "Status: 303 See\nLocation: /else\n\n", 303, {"Location": "/else"}),
]


@pytest.fixture
def answers(server: Start) -> Server:
    return script_server(server, {f"{name.replace(' ', '_')}.py": answer(head, b"body") for name, head, *_ in ANSWERS})


def test_heads_of_answers(answers: Server) -> None:
    for name, _, status, headers in ANSWERS:
        response = answers.get(f"/cgi-bin/{name.replace(' ', '_')}.py")
        assert (response.status, response.body) == (status, b"body"), name
        assert {key: response.header(key) for key in headers} == headers, name
    assert answers.get("/cgi-bin/status.py").reason == "Not here"
    response = answers.request("HEAD", "/cgi-bin/plain.py")
    assert (response.status, response.header("Content-Type"), response.body) == (200, "text/plain", b"")


def test_cookies_stay_apart(server: Start) -> None:
    host = script_server(server, {"c.py": answer("Set-Cookie: a=1\nSet-Cookie: b=2; Path=/\nX-A: 1\nX-A: 2\n\n")})
    response = host.get("/cgi-bin/c.py")
    assert response.all("Set-Cookie") == ["a=1", "b=2; Path=/"] and ", ".join(response.all("X-A")) == "1, 2"


MALFORMED = [
    ("hello", "hello world\n\nbody", "it has no colon: 'hello world'"),
    ("traceback", "Traceback (most recent call last):\n  File\n", "its name is not one|it begins with white space"),
    ("http", "HTTP/1.1 200 OK\nContent-Type: a/b\n\n", "it has no colon: 'HTTP/1.1 200 OK'"),
    ("space", "X A: 1\n\n", "its name is not one"),
    ("folded", "X-A: 1\n more\n\n", "it begins with white space"),
    ("control", "X-A: a\x1b[31mred\n\n", r"it has a control byte: 'X-A: a\\+x1b\[31mred'"),
    ("nul", "X-A: a\0b\n\n", "it has a control byte"),
    ("bare_cr", "X-A: a\rX-B: b\n\n", "it has a control byte"),
    ("no_name", ": x\n\n", "its name is not one"),
    ("status_word", "Status: fine\n\n", "the status is not a number"),
    ("status_100", "Status: 100 Continue\n\n", "the status is none that an answer can have"),
    ("status_99", "Status: 99\n\n", "the status is not a number"),
    ("status_999", "Status: 999 x\n\n", "the status is none that an answer can have"),
    ("status_long", "Status: 2000\n\n", "the status is none that an answer can have"),
    ("statuses", "Status: 200\nStatus: 404\n\n", "the status is there twice"),
    ("length", "Content-Length: 5x\n\n", "Content-Length is not a number"),
    ("negative", "Content-Length: -1\n\n", "Content-Length is not a number"),
    ("huge", "Content-Length: 99999999999999999999\n\n", "Content-Length is not a number"),
    ("lengths", "Content-Length: 5\nContent-Length: 5\n\n", "Content-Length is there twice"),
    ("types", "Content-Type: a/b\nContent-Type: a/c\n\n", "Content-Type is there twice"),
    ("locations", "Location: /a\nLocation: /b\n\n", "Location is there twice"),
    ("chunked", "Transfer-Encoding: chunked\n\n0\r\n\r\n", "Transfer-Encoding is the server's to say"),
    ("long", "X-A: " + "x" * 70000 + "\n\n", "the head is too long"),
    ("fields", "".join(f"X-{n}: 1\n" for n in range(129)) + "\n", "there are too many fields"),
    ("cut", "Content-Type: te", "the output ends within the head: 'Content-Type: te'"),
    ("nothing", "", "end of script output before headers"),
    ("cut_whole_line", "Content-Type: text/plain\n", "end of script output before headers"),
]


def test_malformed_heads_are_refused_and_logged(server: Start) -> None:
    host = script_server(server, {f"{name}.py": answer(head) for name, head, _ in MALFORMED})
    with Client(host.address) as client:
        for name, _, words in MALFORMED:
            response = client.request("GET", f"/cgi-bin/{name}.py")
            assert response.status == 500 and b"Internal Server Error" in response.body, name
            line = host.expect_log(rf"\[client 127.0.0.1:\d+\].*/cgi-bin/{name}.py: (?:{words})" if "end of script" not in words else f"{words}: .*/{name}.py")
            assert not set(line) & set("\x1b\0\r"), name
    assert "malformed header from script" in host.error_log


def test_heads_at_their_bounds_are_taken(server: Start) -> None:
    fields = "".join(f"X-{n}: 1\n" for n in range(128)) + "\n"
    head = "X-A: " + "x" * (65536 - 5 - 2) + "\n\n"
    host = script_server(server, {"fields.py": answer(fields, b"b"), "long.py": answer(head, b"b")})
    assert host.get("/cgi-bin/fields.py").header("X-127") == "1"
    assert len(host.get("/cgi-bin/long.py").header("X-A") or "") == 65529


def test_lengths_are_held_to(server: Start) -> None:
    host = script_server(server, {"more.py": answer("Content-Length: 3\n\n", b"abcdef"), "less.py": answer("Content-Length: 9\n\n", b"abc"),
                                  "right.py": answer("Content-Length: 3\nContent-Type: a/b\n\n", b"abc")})
    with Client(host.address) as client:
        response = client.request("GET", "/cgi-bin/right.py")
        assert (response.body, response.header("Content-Length"), response.chunked) == (b"abc", "3", False)
        assert client.request("HEAD", "/cgi-bin/right.py").header("Content-Length") == "3"
        assert client.request("GET", "/cgi-bin/more.py").body == b"abc"
        assert client.request("GET", "/cgi-bin/right.py").body == b"abc"
    with Client(host.address) as client:
        client.send(b"GET /cgi-bin/less.py HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.read_head().header("Content-Length") == "9"
        assert client.read_rest() == b"abc"
    host.expect_log("the handler wrote 6 bytes, its Content-Length is 3")
    host.expect_log("the handler wrote 3 bytes, its Content-Length is 9")


def test_conditions_are_met_for_the_script(server: Start) -> None:
    plain = 'ETag: "one"\nLast-Modified: Sun, 09 Sep 2001 01:46:40 GMT\nContent-Type: a/b\n\n'
    host = script_server(server, {"plain.py": answer(plain, b"body"), "status.py": answer("Status: 200\n" + plain, b"body")})
    with Client(host.address) as client:
        for headers in ({"If-None-Match": '"one"'}, {"If-Modified-Since": "Sun, 09 Sep 2001 01:46:40 GMT"}):
            response = client.request("GET", "/cgi-bin/plain.py", headers)
            assert (response.status, response.body, response.header("ETag")) == (304, b"", '"one"')
            assert client.request("GET", "/cgi-bin/status.py", headers).body == b"body"
        assert client.request("GET", "/cgi-bin/plain.py", {"If-None-Match": '"two"'}).body == b"body"
        assert client.request("GET", "/cgi-bin/plain.py", {"If-Match": '"two"'}).status == 412
        assert client.request("POST", "/cgi-bin/plain.py", {"If-Modified-Since": "Sun, 09 Sep 2001 01:46:40 GMT"}, b"x").body == b"body"


def test_location(server: Start) -> None:
    host = script_server(server, {"local.py": answer("Location: /cgi-bin/env.py/in?q=1\nSet-Cookie: a=1\nX-Late: 1\n\n", b"dropped"),
                                  "away.py": answer("Location: http://else.example/x\nSet-Cookie: a=1\n\n", b"dropped"),
                                  "file.py": answer("Location: /page.html\n\n"), "loop.py": answer("Location: /cgi-bin/loop.py\n\n"),
                                  "bad.py": answer("Location: /%zz\n\n"), "up.py": answer("Location: /../../etc/passwd\n\n"),
                                  "relative.py": answer("Location: else\n\n"), "env.py": ENVIRONMENT, "www/page.html": "<p>page"})
    with Client(host.address) as client:
        response = client.request("POST", "/cgi-bin/local.py?x", {"Content-Type": "a/b"}, b"the body")
        found = told(response)
        assert response.all("Set-Cookie") == ["a=1"] and response.header("X-Late") == "1"
        assert (found["env"]["REQUEST_METHOD"], found["env"]["PATH_INFO"], found["env"]["QUERY_STRING"], found["body"]) == ("GET", "/in", "q=1", "")
        assert found["env"]["REDIRECT_URL"] == "/cgi-bin/local.py" and found["env"]["REDIRECT_QUERY_STRING"] == "x"
        assert found["env"]["REQUEST_URI"] == "/cgi-bin/local.py?x" and "CONTENT_LENGTH" not in found["env"]
        away = client.request("GET", "/cgi-bin/away.py")
        assert (away.status, away.header("Location"), away.all("Set-Cookie")) == (302, "http://else.example/x", ["a=1"]) and b"dropped" not in away.body
        assert client.request("GET", "/cgi-bin/relative.py").header("Location") == "else"
        page = client.request("GET", "/cgi-bin/file.py")
        assert (page.body, page.header("Content-Type")) == (b"<p>page", "text/html")
        assert client.request("HEAD", "/cgi-bin/file.py").header("Content-Length") == "7"
        for bad in ("loop", "bad", "up"):
            assert client.request("GET", f"/cgi-bin/{bad}.py").status == 500
        assert client.request("GET", "/cgi-bin/file.py").status == 200
    host.expect_log("more than 10 internal redirects")
    host.allow_log("cgi:error")


def test_nph_scripts_answer_by_themselves(server: Start) -> None:
    raw = b"HTTP/1.0 299 Mine\r\nX-Own: yes\r\n\r\nraw body"
    host = script_server(server, {"nph-raw.py": answer(raw), "nph-odd.py": answer(b"\0any bytes\n"), "nph-empty.py": answer(b"")})
    for name, want in (("nph-raw", raw), ("nph-odd", b"\0any bytes\n")):
        with Client(host.address) as client:
            client.send(f"GET /cgi-bin/{name}.py HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.read_rest() == want
    with Client(host.address) as client:
        client.send(b"HEAD /cgi-bin/nph-raw.py HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.read_rest() == raw  # whatever it says to HEAD
    assert host.get("/cgi-bin/nph-empty.py").status == 500
    host.expect_log("end of script output before headers: .*nph-empty.py")
    assert ' 299 ' in host.access_log


def test_nph_behind_another_protocol_is_read_like_any_other(server: Start) -> None:
    host = script_server(server, {"nph-raw.py": answer(b"HTTP/1.1 404 Mine\r\nX-Own: yes\r\n\r\nbody"), "env.py": ENVIRONMENT},
                         ALIAS + "Listen 127.0.0.1:@PORT@\nListen 127.0.0.1:@PORT2@ fastcgi\n")
    with FastCGI(("127.0.0.1", host.ports["PORT2"])) as client:
        reply = client.get("/cgi-bin/nph-raw.py", 1)
        assert (reply.status, reply.body, reply.head["x-own"]) == (404, b"body", "yes")


# --- what may run

def test_which_files_are_run(server: Start) -> None:
    host = script_server(server, {
        "ok.sh": HELLO, "plain.txt": "no script", "noshebang": "echo hello\n", "nointerpreter": "#!/no/such/thing\n", ".htsecret": HELLO,
        "www/on/a.cgi": HELLO, "www/on/b.txt": "text", "www/off/a.cgi": HELLO, "www/index/index.cgi": HELLO, "www/set/page": HELLO,
        "www/set/index.html": HELLO, "sub/x/y.sh": HELLO}, ALIAS + """
        ScriptAliasMatch "^/m/([a-z]+)$" "@ROOT@/cgi-bin/$1.sh"
        AddHandler cgi-script .cgi
        DirectoryIndex index.html index.cgi
        <Directory "@ROOT@/www/on">
            Options +ExecCGI
        </Directory>
        <Directory "@ROOT@/www/index">
            Options +ExecCGI
        </Directory>
        <Directory "@ROOT@/www/set">
            SetHandler cgi-script
            Options ExecCGI
        </Directory>
        <Location /cgi-bin/noinfo.sh>
            AcceptPathInfo Off
        </Location>
    """)
    (host.root / "cgi-bin/plain.txt").chmod(0o644)
    (host.root / "cgi-bin/noinfo.sh").write_text(HELLO)
    (host.root / "cgi-bin/noinfo.sh").chmod(0o755)
    (host.root / "cgi-bin/dir").mkdir()
    cases = [
        ("/cgi-bin/ok.sh", 200, ""), ("/cgi-bin/ok.sh/more/path", 200, ""), ("/m/ok", 200, ""), ("/cgi-bin/none.sh", 404, "script not found"),
        ("/cgi-bin/noinfo.sh", 200, ""), ("/cgi-bin/noinfo.sh/x", 404, "AcceptPathInfo"), ("/cgi-bin/", 403, "attempt to invoke directory as script"),
        ("/cgi-bin/dir", 301, ""), ("/cgi-bin/dir/", 403, "attempt to invoke directory as script"), ("/cgi-bin/.htsecret", 403, "never served"),
        ("/cgi-bin/noshebang", 500, "does not begin with a #! line"), ("/cgi-bin/nointerpreter", 500, "the interpreter that its #! line names is not there"),
        ("/on/a.cgi", 200, ""), ("/on/b.txt", 200, ""), ("/off/a.cgi", 403, "Options ExecCGI is off in this directory"), ("/index/", 200, ""),
        ("/set/page", 200, ""), ("/set/page/info", 200, ""), ("/set/", 200, "")]
    if os.geteuid() != 0:
        cases.append(("/cgi-bin/plain.txt", 403, "the script is not executable"))
    for target, status, words in cases:
        response = host.get(target)
        assert response.status == status, (target, response.text)
        if status == 200 and target != "/on/b.txt":
            assert response.body == b"hello\n", target
        if words:
            host.expect_log(words)
    (host.root / "cgi-bin/plain.txt").chmod(0o644)
    assert host.get("/cgi-bin/plain.txt").status == 403
    host.expect_log("plain.txt: the script is not executable")
    assert host.request("OPTIONS", "/cgi-bin/ok.sh").body == b"hello\n"  # methods are the script's business


def test_links_that_options_do_not_allow(server: Start) -> None:
    host = script_server(server, {"ok.sh": HELLO, "real/x.sh": HELLO}, ALIAS + """
        <Directory "@ROOT@/cgi-bin">
            Options None
        </Directory>
    """)
    os.symlink(host.root / "real/x.sh", host.root / "cgi-bin/link.sh")
    assert host.get("/cgi-bin/ok.sh").status == 200
    assert host.get("/cgi-bin/link.sh").status == 403


def test_htaccess_can_switch_it_on(server: Start) -> None:
    host = script_server(server, {"www/a/x.cgi": HELLO, "www/a/.htaccess": "Options +ExecCGI\nAddHandler cgi-script .cgi\n",
                                  "www/b/x.cgi": HELLO, "www/b/.htaccess": "Options +ExecCGI\nSetHandler cgi-script\n"}, """
        <Directory "@ROOT@/www/a">
            AllowOverride Options FileInfo
        </Directory>
        <Directory "@ROOT@/www/b">
            AllowOverride FileInfo
        </Directory>
    """)
    assert host.get("/a/x.cgi").body == b"hello\n"
    assert host.get("/b/x.cgi").status == 500
    host.expect_log("Options")
    host.check_fds = False  # the helper was started by the first script: nothing in the files had said that there would be one


def test_handlers_and_filters_in_python_work_beside(server: Start) -> None:
    host = script_server(server, {"env.py": ENVIRONMENT, "big.py": answer("Content-Type: text/plain\n\n", b"abc" * 100_000), "www/side.py": """\
        from mod_python import apache

        def accesshandler(req):
            req.subprocess_env["FROM_PYTHON"] = "yes"
            return apache.OK

        def authenhandler(req):
            req.user = req.get_basic_auth_pw() and req.user or "someone"
            return apache.OK

        def upper(filter):
            data = filter.read()
            while data:
                filter.write(data.upper())
                data = filter.read()
            if data is None:
                filter.close()

        def handler(req):
            req.internal_redirect("/cgi-bin/env.py/from?python=1")
            return apache.OK
        """}, ALIAS + """
        PythonPath "['@ROOT@/www'] + sys.path"
        PythonOutputFilter side::upper UPPER
        <Location /cgi-bin>
            PythonAccessHandler side
        </Location>
        <Location /cgi-bin/big.py>
            SetOutputFilter UPPER
        </Location>
        <Location /py>
            SetHandler mod_python
            PythonHandler side
        </Location>
    """)
    host.check_fds = False  # modules are watched from the first one on
    assert told(host.get("/cgi-bin/env.py"))["env"]["FROM_PYTHON"] == "yes"
    assert host.get("/cgi-bin/big.py").body == b"ABC" * 100_000
    assert host.get("/cgi-bin/big.py", {"Connection": "close"}).body == b"ABC" * 100_000
    found = told(host.get("/py"))["env"]
    assert (found["PATH_INFO"], found["QUERY_STRING"], found["REDIRECT_URL"]) == ("/from", "python=1", "/py")


def test_scripts_as_error_documents(server: Start) -> None:
    host = script_server(server, {"env.py": ENVIRONMENT.replace("print()", "print('Status: 404 Gone fishing')\nprint()")},
                         ALIAS + "ErrorDocument 404 /cgi-bin/env.py/e\n")
    with Client(host.address) as client:
        response = client.request("GET", "/no/such?x=1", {"Content-Type": "a/b"}, b"body")
        assert response.status == 404 and response.reason == "Gone fishing"
        assert b'"REDIRECT_STATUS": "404"' in response.body and b'"REDIRECT_URL": "/no/such"' in response.body and b'"REQUEST_METHOD": "GET"' in response.body
        assert client.request("GET", "/no").status == 404


@pytest.mark.parametrize("language", ["sh", "perl", "python3"])
def test_scripts_in_their_languages(server: Start, language: str) -> None:
    body = {"sh": "read line\necho 'Content-Type: text/plain'\necho\necho \"got $line\"\n",
            "perl": "my $line = <STDIN>; print \"Content-Type: text/plain\\n\\ngot $line\";\n",
            "python3": "import sys\nline = sys.stdin.readline()\nprint('Content-Type: text/plain\\n\\ngot', line, end='')\n"}[language]
    host = script_server(server, {"x": f"#!/usr/bin/env {language}\n{body}"})
    assert host.request("POST", "/cgi-bin/x", body=b"a line\n").text == "got a line\n"


def test_standard_error_goes_to_the_log(server: Start) -> None:
    host = script_server(server, {"err.py": b"""#!/usr/bin/env python3
import os, sys
os.write(2, b"plain line\\nraw \\x1b[31m \\r\\n\\n" + b"half ")
os.write(2, b"line\\nlast without end")
print("Content-Type: a/b\\n\\nok")
sys.exit(3)
""", "flood.py": b"""#!/usr/bin/env python3
import os
for _ in range(2000):
    os.write(2, b"x" * 999 + b"\\n")
os.write(2, b"y" * 10000)
print("Content-Type: a/b\\n\\nok")
"""})
    assert host.get("/cgi-bin/err.py").body == b"ok\n"
    client = r"\[cgi:error\] \[pid \d+\] \[client 127.0.0.1:\d+\] stderr from .*/cgi-bin/err.py: "
    for line in (client + "plain line$", client + r"raw \\x1b\[31m $", client + "half line$", client + "last without end$"):
        host.expect_log(line)
    host.expect_log(r"\[cgi:warn\].*script .*/err.py ended with exit code 3")
    assert host.get("/cgi-bin/flood.py").body == b"ok\n"
    host.expect_log("writes more than 65536 bytes to its standard error: the rest is dropped")
    host.allow_log("stderr from .*flood.py")
    assert host.error_log.count("flood.py: x") == 65


def test_the_environment_is_the_same_by_any_protocol(server: Start) -> None:
    host = script_server(server, {"env.py": ENVIRONMENT}, ALIAS + "Listen 127.0.0.1:@PORT@\nListen 127.0.0.1:@PORT2@ fastcgi\n")
    direct = told(host.request("POST", "/cgi-bin/env.py/p?q=1", {"Host": "x.example", "X-A": "1", "Content-Type": "a/b"}, b"body"))
    import json
    with FastCGI(("127.0.0.1", host.ports["PORT2"])) as client:
        client.start(1, "/cgi-bin/env.py/p?q=1", "POST", b"body", HTTP_HOST="x.example", HTTP_X_A="1", CONTENT_TYPE="a/b", REMOTE_ADDR="127.0.0.1",
                     SERVER_ADDR="127.0.0.1")
        behind = json.loads(client.finish(1).body)
    ends = {"REMOTE_PORT", "SERVER_PORT"}
    assert {k: v for k, v in behind["env"].items() if k not in ends} == {k: v for k, v in direct["env"].items() if k not in ends}
    assert (behind["body"], behind["argv"]) == (direct["body"], direct["argv"])


def test_modules_and_listing_know_it(run: Callable[..., object], tmp_path: Path) -> None:
    done = run("-L")
    for name in ("ScriptAlias", "ScriptAliasMatch", "PyCGIProcesses", "PyCGIQueue", "CGIDScriptTimeout", "CGIPassAuth", "RLimitCPU"):
        assert name in done.stdout  # type: ignore[attr-defined]
    assert "cgid_module" in run("-M").stdout  # type: ignore[attr-defined]

"""Expressions of the configuration: where they stand (CustomLog, Require, Header, RequestHeader), and how their faults are told.

What each operator, variable and function gives is in tests/c/test_expr.c."""
from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.server import Server, wait_until

Start = Callable[..., Server]
PAGES = {"www/a.txt": "a", "www/b.txt": "b"}


def test_access_logs_by_condition(server: Start) -> None:
    host = server(r"""LogFormat "%U %>s" short
CustomLog @ROOT@/bad.log short "expr=%{REQUEST_STATUS} -ge 400"
CustomLog @ROOT@/good.log short "expr=!(%{REQUEST_STATUS} -ge 400) && %{HTTP:X-Probe} != 'yes'"
CustomLog @ROOT@/one.log short "expr=%{REQUEST_URI} =~ m#^/A\.txt$#i and -R '127.0.0.0/8' or %{ENV:ALSO} == '1'"
CustomLog @ROOT@/error.page.log short expr=resp('X-Mark')=='here'
SetEnvIf Request_URI "^/b" ALSO=1
ErrorDocument 404 /a.txt
Header always set X-Mark here "expr=%{REQUEST_URI} == '/b.txt'"
""", PAGES)
    assert [host.get(path).status for path in ("/a.txt", "/none", "/b.txt", "/c")] == [200, 404, 200, 404]
    assert host.get("/a.txt", {"X-Probe": "yes"}).status == 200
    assert host.stop() == 0
    assert host.read("bad.log") == "/none 404\n/c 404\n"
    assert host.read("good.log") == "/a.txt 200\n/b.txt 200\n"
    assert host.read("one.log") == "/a.txt 200\n/none 404\n/b.txt 200\n/c 404\n/a.txt 200\n"  # the error page is /a.txt
    assert host.read("error.page.log") == "/b.txt 200\n"


def test_require_expr(server: Start) -> None:
    host = server("""
<Location /a.txt>
    Require expr %{HTTP_USER_AGENT} =~ /^good/ && %{QUERY_STRING} != "no more"
</Location>
<Location /b.txt>
    <RequireAll>
        Require all granted
        Require not expr "%{HTTP:X-Bad} == 'yes'"
    </RequireAll>
</Location>
<Location /user>
    AuthType Basic
    AuthName here
    AuthUserFile @ROOT@/users
    Require expr %{REMOTE_USER} == 'ann'
</Location>
""", {**PAGES, "www/user": "u", "users": "ann:{SHA}" + base64.b64encode(hashlib.sha1(b"pw").digest()).decode() + "\n"
      "bob:{SHA}" + base64.b64encode(hashlib.sha1(b"pw").digest()).decode() + "\n"})
    host.allow_log("client denied|denied")
    agents = [({"User-Agent": "good one"}, 200), ({"User-Agent": "bad"}, 403), ({}, 403)]
    assert [host.get("/a.txt", fields).status for fields, _ in agents] == [status for _, status in agents]
    assert host.get("/b.txt").status == 200 and host.get("/b.txt", {"X-Bad": "yes"}).status == 403
    assert host.get("/user").status == 401

    def as_user(name: str) -> int:
        return int(host.get("/user", {"Authorization": "Basic " + base64.b64encode(f"{name}:pw".encode()).decode()}).status)
    assert as_user("ann") == 200 and as_user("bob") == 401  # as for Require user: somebody else might pass


def test_header_fields_by_condition_and_with_made_values(server: Start) -> None:
    host = server(r"""
Header set X-Set "yes" "expr=%{REQUEST_URI} == '/a.txt'"
Header set X-Made "expr=%{REQUEST_METHOD} of %{HTTP:X-A} (%{tolower:ABC})"
Header always set X-Status "expr=%{REQUEST_STATUS}"
Header set X-Gone "no"
Header unset X-Gone "expr=-n %{QUERY_STRING}"
Header edit X-Set yes no "expr=%{QUERY_STRING} == 'edit'"
Header set X-Echo "expr=%{HTTP:X-Echo}"
RequestHeader set X-In "expr=from %{REMOTE_ADDR}" "expr=%{HTTP:X-A} in { 'one' }"
Header set X-Seen "expr=%{req:X-In}"
""", PAGES)
    answer = host.get("/a.txt", {"X-A": "one", "X-Echo": "a\tb"})
    assert [answer.header(name) for name in ("X-Set", "X-Made", "X-Status", "X-Gone", "X-Seen", "X-Echo")] == [
        "yes", "GET of one (abc)", "200", "no", "from 127.0.0.1", "a\tb"]
    answer = host.get("/a.txt?edit")
    assert [answer.header(name) for name in ("X-Set", "X-Gone", "X-Seen")] == ["no", None, ""]
    assert host.get("/b.txt").header("X-Set") is None and host.get("/none").header("X-Status") == "404"


@pytest.mark.parametrize(("directive", "wanted"), [
    ('Header set X y "expr=%{NOPE} == 1"', "a variable such as REQUEST_URI or REMOTE_ADDR expected, not NOPE} == 1"),
    ('Header set X "expr=%{NOPE}"', "a variable such as REQUEST_URI or REMOTE_ADDR expected, not NOPE}"),
    ('CustomLog x.log common "expr=true ||"', "a word in quotes, %{VARIABLE}, a number or a function expected at the end"),
    ("<Location />\nRequire expr 'a' =~ /(/\n</Location>", "a regular expression expected: missing closing parenthesis, at character 2: ("),
    ("<Location />\nRequire expr\n</Location>", "an expression after expr expected"),
    ("<Location />\nRequire not expr \n</Location>", "an expression after expr expected"),
])
def test_a_bad_expression_is_found_with_the_configuration(run: Callable[..., Any], tmp_path: Path, directive: str, wanted: str) -> None:
    (tmp_path / "x.conf").write_text(f"Listen 1\n{directive}\n")
    done = run("-t", "-f", str(tmp_path / "x.conf"))
    line = next(number for number, text in enumerate(directive.splitlines(), 2) if not text.startswith("<"))
    name = directive.splitlines()[line - 2].split()[0]
    assert done.returncode == 1 and f"{tmp_path}/x.conf:{line}: {name}: {wanted}\n" in done.stderr, done.stderr


def test_a_bad_expression_in_htaccess_is_a_500_that_says_where(server: Start) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride All\n</Directory>', {**PAGES, "www/.htaccess": 'Header set X y "expr=nope(1)"\n'})
    assert host.get("/a.txt").status == 500
    host.expect_log(r"\.htaccess:1: Header: a function such as req, resp")
    host.write("www/.htaccess", 'Header set X y "expr=true"\n')
    wait_until(lambda: host.get("/a.txt").header("X") == "y", "the file is read again")
    host.allow_log("htaccess|500")

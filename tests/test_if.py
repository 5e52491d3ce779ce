"""<If>, <ElseIf>, <Else>: merged last, where their conditions hold; within other sections and each other."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from support.client import Response
from support.server import Server, wait_until

Start = Callable[..., Server]
PAGES = {"www/a.txt": "a", "www/b.html": "b", "www/d/c.txt": "c"}


def marks(answer: Response) -> list[str]:
    return [name for name in ("One", "Two", "Three", "Four") if answer.header(f"X-{name}") == "yes"]


def test_conditions_and_what_stands_in_their_place(server: Start) -> None:
    host = server("""
<If "%{QUERY_STRING} =~ /one/">
    Header set X-One yes
</If>
Header set X-Between yes
<ElseIf "%{QUERY_STRING} =~ /two/">
    Header set X-Two yes
</ElseIf>
<ElseIf %{QUERY_STRING} == "three">
    Header set X-Three yes
</ElseIf>
<Else>
    Header set X-Four yes
</Else>
""", PAGES)
    wanted = {"one": ["One"], "one,two": ["One"], "two": ["Two"], "three": ["Three"], "": ["Four"], "four": ["Four"]}
    for _ in range(2):
        for query, want in wanted.items():
            assert marks(host.get(f"/a.txt?{query}")) == want, query


def test_within_other_sections(server: Start) -> None:
    host = server("""
<Directory "@ROOT@/www/d">
    <If "%{HTTP:X-A} == '1'">
        Header set X-One yes
        <If "%{HTTP:X-B} == '1'">
            Header set X-Two yes
        </If>
        <Else>
            Header set X-Three yes
        </Else>
    </If>
</Directory>
<Files "*.txt">
    <If "%{REQUEST_FILENAME} =~ m#/www/a.txt$# && %{PATH_INFO} == ''">
        Header set X-Four yes
    </If>
</Files>
<VirtualHost *>
    ServerName other
    <Location /a.txt>
        <If "true">
            Header set X-Two yes
        </If>
    </Location>
</VirtualHost>
""", PAGES)
    assert marks(host.get("/d/c.txt")) == [] and marks(host.get("/d/c.txt", {"X-A": "1"})) == ["One", "Three"]
    assert marks(host.get("/d/c.txt", {"X-A": "1", "X-B": "1"})) == ["One", "Two"] and marks(host.get("/d/c.txt", {"X-B": "1"})) == []
    assert marks(host.get("/a.txt")) == ["Two", "Four"] and marks(host.get("/b.html")) == []


def test_they_come_after_locations_and_access_obeys_them(server: Start) -> None:
    host = server("""
<If "%{HTTP_USER_AGENT} == 'bad'">
    Require all denied
</If>
<Location /a.txt>
    Require all granted
    Header set X-One no
</Location>
<If "-n %{HTTP:X-A}">
    Header set X-One yes
    ErrorDocument 404 "not for you"
</If>
""", PAGES)
    host.allow_log("client denied")
    assert [host.get("/a.txt", {"User-Agent": name}).status for name in ("bad", "good", "bad")] == [403, 200, 403]
    assert host.get("/a.txt").header("X-One") == "no" and marks(host.get("/a.txt", {"X-A": "1"})) == ["One"]
    assert host.get("/none", {"X-A": "1"}).text == "not for you" and "not for you" not in host.get("/none").text


HANDLER = """
def handler(req):
    req.content_type = "text/plain"
    req.write(req.get_options().get("mark", "none") + (req.path_info or ""))
    return 0
"""


def test_handlers_and_their_options(server: Start) -> None:
    host = server("""
<Location /app>
    SetHandler mod_python
    PythonPath "['@ROOT@/www'] + sys.path"
    PythonHandler app
    <If "%{REQUEST_METHOD} == 'POST' || %{QUERY_STRING} == 'marked'">
        PythonOption mark marked
    </If>
</Location>
<If "%{REQUEST_URI} == '/made'">
    SetHandler mod_python
    PythonPath "['@ROOT@/www'] + sys.path"
    PythonHandler app
</If>
""", {"www/app.py": HANDLER})
    for _ in range(3):
        assert host.get("/app").text.startswith("none") and host.get("/app?marked").text.startswith("marked")
    assert host.request("POST", "/app", body=b"x").text.startswith("marked") and host.get("/made").text.startswith("none")


@pytest.mark.parametrize(("text", "wanted"), [
    ("<If>\n</If>", "<If>: a condition expected"), ("<Else>\n</Else>", "<Else>: an <If> or <ElseIf> before it expected"),
    ("<If true>\n</If>\n<Else x>\n</Else>", "<Else>: no argument expected"),
    ("<If true>\n</If>\n<Else>\n</Else>\n<ElseIf true>\n</ElseIf>", "<ElseIf>: an <If> or <ElseIf> before it expected"),
    ("<If nope>\n</If>", "<If>: a function such as req"), ('<If "true">\nDocumentRoot /x\n</If>', "DocumentRoot: expected in: server, virtual host; not in: location"),
    ("<If true>\n<Location /a>\n</Location>\n</If>", "<Location>: not expected in: location")])
def test_faults(run: Callable[..., Any], tmp_path: Any, text: str, wanted: str) -> None:
    (tmp_path / "x.conf").write_text(f"Listen 1\n{text}\n")
    done = run("-t", "-f", str(tmp_path / "x.conf"))
    assert done.returncode == 1 and wanted in done.stderr, done.stderr


IN_HTACCESS = """<If "%{QUERY_STRING} == 'one'">
    Header set X-One yes
    <If "-n %{HTTP:X-A}">
        Header set X-Three yes
    </If>
</If>
<ElseIf "%{QUERY_STRING} == 'two'">
    Header set X-Two yes
</ElseIf>
<Else>
    Require all denied
</Else>
<Files "*.html">
    <If "%{REQUEST_FILENAME} =~ m#/b.html$#">
        Header set X-Four yes
    </If>
</Files>
"""


def test_in_htaccess(server: Start) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride All\n</Directory>', {**PAGES, "www/.htaccess": IN_HTACCESS, "www/d/.htaccess": "<If true>\nHeader set X-Four yes\n</If>\n"})
    for _ in range(2):
        assert marks(host.get("/a.txt?one")) == ["One"] and marks(host.get("/a.txt?one", {"X-A": "1"})) == ["One", "Three"]
        assert marks(host.get("/a.txt?two")) == ["Two"] and marks(host.get("/b.html?two")) == ["Two", "Four"]
        assert marks(host.get("/d/c.txt?one")) == ["One", "Four"] and host.get("/d/c.txt").status == 403
    host.write("www/.htaccess", "<If false>\n</If>\n<Else>\nHeader set X-Two yes\n</Else>\n")
    wait_until(lambda: marks(host.get("/a.txt")) == ["Two"], "the file is read again")
    host.allow_log("client denied")


@pytest.mark.parametrize(("text", "wanted"), [
    ("<If \"file('/etc/hostname') != ''\">\n</If>", "1: <If>: a function that .htaccess files may call expected, not file("),
    ('Header set X "expr=%{filesize:/etc/hostname}"', "1: Header: a function that .htaccess files may call expected, not filesize:"),
    ("<If true>\nKeepAlive On\n</If>", "2: KeepAlive: expected in: server, virtual host; not in: .htaccess"),
    ("<If true>\nAuthName x\n</If>", "2: AuthName: AllowOverride AuthConfig expected"),
    ("<If true>\n<Files x>\n</Files>\n</If>", "2: <Files>: not expected in: location")])
def test_faults_in_htaccess(server: Start, text: str, wanted: str) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride FileInfo\n</Directory>', {**PAGES, "www/.htaccess": text + "\n"})
    assert host.get("/a.txt").status == 500
    host.expect_log(r"\.htaccess:" + re.escape(wanted))


def mark(name: str) -> str:
    return f"Header append X-O {name}\n"


def when(name: str) -> str:
    return f"<If true>\n{mark(name)}</If>\n"


ORDER = f"""
<If true>
    {mark("if")}
    {when("if-if")}
    {mark("if2")}
</If>
<Location /sub>
    {mark("loc") + when("if-loc")}
</Location>
<Files a.txt>
    {mark("files") + when("if-files")}
</Files>
<Directory "@ROOT@/www/sub">
    {mark("sub") + when("if-sub")}
    <Files "a*">
        {mark("sub-files") + when("if-sub-files")}
    </Files>
</Directory>
<DirectoryMatch "www/sub">
    {mark("match") + when("if-match")}
    <Files "*.txt">
        {mark("match-files")}
    </Files>
</DirectoryMatch>
<Directory "@ROOT@/www">
    AllowOverride All
    {mark("dir") + when("if-dir")}
</Directory>
{when("if-last")}
"""


def test_the_order_is_that_of_httpd(server: Start) -> None:
    """Read off Apache 2.4.71 with the same files."""
    host = server(ORDER, {"www/sub/a.txt": "a", "www/.htaccess": mark("ht") + when("if-ht") + "<FilesMatch ^a>\n" + mark("ht-files") + "</FilesMatch>\n",
                          "www/sub/.htaccess": mark("ht-sub") + when("if-ht-sub") + "<Files a.txt>\n" + mark("ht-sub-files") + "</Files>\n"})
    for _ in range(2):
        assert (host.get("/sub/a.txt").header("X-O") or "").split(", ") == [
            "dir", "ht", "sub", "ht-sub", "match", "files", "ht-files", "sub-files", "ht-sub-files", "match-files", "loc",
            "if", "if2", "if-last", "if-dir", "if-ht", "if-sub", "if-ht-sub", "if-match", "if-files", "if-sub-files", "if-loc", "if-if"]


def test_the_answer_varies_with_what_decided(server: Start) -> None:
    """As in httpd, for the caches in between; what Require and logs ask is not said."""
    host = server("""
CustomLog @ROOT@/some.log common "expr=%{HTTP:X-Log} == '1'"
<Location /a.txt>
    Require expr %{HTTP:X-Who} != 'nobody'
    Header set X-One yes "expr=%{HTTP:X-A} == '1'"
    <If "%{HTTP_USER_AGENT} == 'robot' && req_novary('X-B') == ''">
        Header set X-Two yes
    </If>
</Location>
""", PAGES)
    for headers, seen in (({"User-Agent": "robot"}, ["Two"]), ({"User-Agent": "else", "X-A": "1"}, ["One"])):
        answer = host.get("/a.txt", headers)
        assert marks(answer) == seen and answer.all("Vary") == ["User-Agent, X-A"], answer.headers
    assert host.get("/b.html").all("Vary") == []

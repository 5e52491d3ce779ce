"""Directory listings as httpd's mod_autoindex is told to make them: icons, descriptions, texts above and below, orders, patterns.

What is in a listing at all, and that hostile names do no harm, is in test_static.py."""
from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.server import Server, wait_until

Start = Callable[..., Server]
FOLDER = '<Directory "@ROOT@/www">\nOptions Indexes\nDirectoryIndex disabled\n%s\n</Directory>\n'
FILES: dict[str, str | bytes] = {"www/d/a.txt": "a", "www/d/b.html": "<b>b</b>", "www/d/c.tar.gz": "cc", "www/d/README": "read <me>", "www/d/sub/x": "x"}


def rows(page: str) -> dict[str, tuple[str, str, str]]:
    """Icon, its words and description of each entry by href."""
    found = {}
    for row in re.findall(r"<tr>(<td>.*?)</tr>", page):
        icon = re.search(r'<img src="([^"]*)" alt="([^"]*)">', row)
        about = re.search(r'<td class="about">(.*?)</td>', row)
        link = re.search(r'href="([^"]*)"', row)
        assert link, row
        found[link[1]] = (icon[1] if icon else "", icon[2] if icon else "", about[1] if about else "")
    return found


def test_icons_and_descriptions(server: Start) -> None:
    host = server(FOLDER % """
IndexOptions FancyIndexing HTMLTable NameWidth=* DescriptionWidth=* IconHeight=22
AddIcon /icons/text.gif .txt
AddIcon (DIR,/icons/dir.gif) ^^DIRECTORY^^
AddIcon /icons/back.gif ..
AddIcon /icons/blank.gif ^^BLANKICON^^
AddIconByType (HTM,/icons/html.gif) text/h*
AddIconByEncoding "(<Z>,/icons/zip.gif)" x-gzip
AddAlt "a text" .txt
DefaultIcon "/icons/un\\"known.gif"
AddDescription "A <em>text</em>" *.txt
AddDescription "folder" sub
""", FILES)
    answer = host.get("/d/")
    assert rows(answer.text) == {
        "../": ("/icons/back.gif", "", ""), "./sub/": ("/icons/dir.gif", "DIR", "folder"), "./a.txt": ("/icons/text.gif", "a text", "A <em>text</em>"),
        "./b.html": ("/icons/html.gif", "HTM", ""), "./c.tar.gz": ("/icons/zip.gif", "&lt;Z&gt;", ""),
        "./README": ("/icons/un&quot;known.gif", "", "")}
    assert "img-src *" in (answer.header("Content-Security-Policy") or "") and answer.text.count("Description</a>") == 1
    assert re.search(r'<img [^>]*> <a href="./a.txt">', answer.text)


def test_rules_of_a_folder_come_before_those_of_the_server(server: Start) -> None:
    host = server("AddIcon /one.gif .txt .html\nAddDescription one *\n" + FOLDER % "AddIcon /two.gif .txt\nAllowOverride Indexes",
                  {**FILES, "www/d/.htaccess": 'AddDescription "three" a.txt\nHeaderName README\nIndexOptions +IconsAreLinks\n'})
    page = host.get("/d/").text
    found = rows(page)
    assert found["./a.txt"] == ("/two.gif", "", "three") and found["./b.html"] == ("/one.gif", "", "one") and found["./README"] == ("", "", "one")
    assert "<pre>read &lt;me&gt;</pre>" in page and re.search(r'<a href="./a.txt"><img [^>]*> a.txt</a>', page)


def test_what_can_be_suppressed(server: Start) -> None:
    host = server(FOLDER % "DefaultIcon /x.gif\nAddDescription about *\nIndexOptions SuppressIcon SuppressDescription", FILES)
    answer = host.get("/d/?C=D")
    assert set(rows(answer.text).values()) == {("", "", "")} and "Description" not in answer.text
    assert "img-src" not in (answer.header("Content-Security-Policy") or "")


@pytest.mark.parametrize(("name", "content", "want", "unwanted"), [
    ("HEADER.html", "<h2>mine</h2>", "<h2>mine</h2>", "<h1>"), ("HEADER.txt", "<mine>", "<h1>Index of /d/</h1>\n<pre>&lt;mine&gt;</pre>", "<mine>"),
    ("HEADER", "plain", "<pre>plain</pre>", "<h2>"), ("HEADER.png", "picture", "<h1>Index of /d/</h1>", "picture"),
    (".htaccess", "# secret", "<h1>Index of /d/</h1>", "secret"), ("HEADER.none", None, "<h1>Index of /d/</h1>", "<pre>")])
def test_a_text_above(server: Start, name: str, content: str | None, want: str, unwanted: str) -> None:
    host = server(FOLDER % f"HeaderName {name}\nReadmeName /texts/foot.html", {**FILES, "www/texts/foot.html": "<i>foot</i>", **({f"www/d/{name}": content} if content else {})})
    page = host.get("/d/").text
    assert want in page and unwanted not in page and "</table>" in page.split("<i>foot</i>")[0] and page.endswith("</html>\n")
    host.allow_log("left out of the listing|HEADER.none")


def test_a_text_above_a_folder_whose_name_has_no_slash(server: Start) -> None:
    """What lies beside it under a name that begins as its own is no index of it."""
    host = server(FOLDER % "HeaderName HEADER.html\nDirectorySlash Off\nDirectoryIndex b", {**FILES, "www/d/HEADER.html": "<i>head</i>", "www/db": "beside"})
    assert "<i>head</i>" in host.get("/d").text


def test_a_page_that_begins_elsewhere(server: Start) -> None:
    host = server(FOLDER % "HeaderName HEADER.html\nIndexOptions SuppressHTMLPreamble", {**FILES, "www/d/HEADER.html": "<!doctype html><title>mine</title>"})
    answer = host.get("/d/")
    assert answer.text.startswith("<!doctype html><title>mine</title><table>") and answer.header("Content-Security-Policy") is None


def test_a_text_that_is_too_long_or_behind_a_link_is_left_out(server: Start) -> None:
    host = server((FOLDER % "Options Indexes\nHeaderName long.txt\nReadmeName link.txt").replace("Options Indexes\nDirectoryIndex", "Options -FollowSymLinks\nDirectoryIndex"), FILES)
    (host.root / "www/d/long.txt").write_text("x" * 262144)
    (host.root / "secret").write_text("secret")
    (host.root / "www/d/link.txt").symlink_to(host.root / "secret")
    page = host.get("/d/").text
    assert "xxxx" in page and "secret" not in page
    (host.root / "www/d/long.txt").write_text("x" * 262145)
    assert "xxxx" not in host.get("/d/").text
    host.expect_log("long.txt is left out of the listing: it is longer than LIMIT_LISTING_TEXT_BYTES")
    host.expect_log("link.txt: a symbolic link that Options do not allow")


def test_texts_are_looked_up_by_sub_requests(server: Start) -> None:
    """Aliases hold for them, and what would not be served as it is stays out."""
    host = server(FOLDER % "HeaderName /other/top.html\nReadmeName foot.html" + """
Alias /other "@ROOT@/elsewhere"
<Directory "@ROOT@/elsewhere">
    Require all granted
</Directory>
<Files foot.html>
    <If "%{QUERY_STRING} == '' && %{HTTP:X-Who} != 'me'">
        Require all denied
    </If>
</Files>
<Location /other>
    <If "%{HTTP:X-Who} == 'python'">
        SetHandler mod_python
        PythonHandler none
    </If>
</Location>
""", {**FILES, "elsewhere/top.html": "<i>top</i>", "www/d/foot.html": "<i>foot</i>"})

    def shown(who: str) -> tuple[bool, bool]:
        page = host.get("/d/?C=N;O=A", {"X-Who": who}).text
        assert "a.txt" in page
        return "<i>top</i>" in page, "<i>foot</i>" in page

    assert [shown(who) for who in ("me", "you", "python", "me")] == [(True, True), (True, False), (False, False), (True, True)]
    assert "<i>" not in host.get("/d/a.txt").text and host.request("HEAD", "/d/").status == 200
    host.allow_log("client denied")


def memory_bytes(pid: int) -> int:
    """Memory of a process that is no file's."""
    found = re.search(r"^Pss_Anon: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


@pytest.mark.slow
def test_slow_readers_of_long_listings_cost_little_memory(server: Start) -> None:
    if os.environ.get("PYHOST_SANITIZE"):
        pytest.skip("a sanitizer's allocator is another")
    host = server(FOLDER % "", FILES)
    for number in range(4000):
        (host.root / "www/d" / f"{'&' * 100}{number}").touch()
    assert len(host.get("/d/").body) > 3_000_000  # the first one has grown what is kept
    before, readers = memory_bytes(host.pid), [host.client() for _ in range(40)]
    for client in readers:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(b"GET /d/ HTTP/1.1\r\nHost: x\r\n\r\n")
        client.read_head()
    grown = (memory_bytes(host.pid) - before) / len(readers)
    assert grown < 131072, f"{grown:.0f} bytes for each"
    for client in readers:
        client.close()


ACCESS = """
def accesshandler(req):
    return 403 if "secret" in req.uri else 0
"""


@pytest.mark.parametrize("hooks", ["", "PythonAccessHandler acc"])
def test_texts_obey_handlers_of_python(server: Start, hooks: str) -> None:
    host = server(FOLDER % f"HeaderName secret.html\nReadmeName foot.html\n{hooks}\nPythonPath \"['@ROOT@/lib'] + sys.path\"",
                  {**FILES, "lib/acc.py": ACCESS, "www/d/secret.html": "<i>top</i>", "www/d/foot.html": "<i>foot</i>"})
    for _ in range(2):
        page = host.get("/d/").text
        assert "a.txt" in page and "<i>foot</i>" in page and ("<i>top</i>" in page) == (not hooks)


def links(page: str) -> list[str]:
    return [link for link in rows(page) if link != "../"]


def test_orders(server: Start) -> None:
    host = server(FOLDER % 'IndexOptions None\nIndexOrderDefault Descending Size\nAddDescription z a.txt\nAddDescription y b.html', FILES)
    for name, size, time in (("a.txt", 3, 30), ("b.html", 2, 10), ("c.tar.gz", 1, 20), ("README", 4, 40)):
        (host.root / "www/d" / name).write_text("x" * size)
        os.utime(host.root / "www/d" / name, (time, time))
    orders = {"": "README a b c sub", "?C=S": "README a b c sub", "?C=S;O=A": "sub c b a README", "?C=N;O=A": "README a b c sub", "?C=D;O=A": "README c sub b a",
              "?C=M;O=A&V=1": "b c a README sub"}
    for query, want in orders.items():
        assert [re.sub(r"\./|/|\..*", "", link[2:]) for link in links(host.get("/d/" + query).text)] == want.split(), query


def test_patterns_of_the_reader(server: Start) -> None:
    host = server(FOLDER % "", {**FILES, "www/d/a b.txt": "", "www/d/v10": "", "www/d/v9": ""})
    page = host.get("/d/?P=*.t%78t;O=D").text
    assert links(page) == ["./a.txt", "./a%20b.txt"] and 'href="?C=N;O=A;P=*.txt"' in page
    assert links(host.get("/d/?P=a+b*").text) == ["./a%20b.txt"] and links(host.get("/d/?P=<none>").text) == []
    assert links(host.get("/d/?P=v*&V=1").text) == ["./v9", "./v10"] and links(host.get("/d/?P=v*").text) == ["./v10", "./v9"]
    assert len(links(host.get("/d/?P=" + "*" * 256).text)) == len(links(host.get("/d/?P=" + "x" * 257).text)) == len(links(host.get("/d/").text))
    hostile = host.get("/d/?P=%22%3E%3Cscript%3E*").text
    assert "<script" not in hostile and ";P=%22%3E%3Cscript%3E*" in hostile


@pytest.mark.parametrize(("directive", "wanted"), [
    ("AddIcon (ALT/x.gif) .x", "(ALT,URL) expected, not (ALT/x.gif)"), ("AddIcon x.gif .x", "a URL path or a URL expected, not x.gif"),
    ("AddIcon /x.gif", "at least 2 arguments expected: url|(ALT,url) name …"), ("DefaultIcon javascript:x", "a URL path or a URL expected, not javascript:x"),
    ("HeaderName ../x", "a name without .. expected, not ../x"),
    ("IndexOrderDefault Up Name", "Ascending or Descending, and Name, Date, Size or Description expected, not Up Name")])
def test_faults(run: Callable[..., Any], tmp_path: Path, directive: str, wanted: str) -> None:
    (tmp_path / "x.conf").write_text(f"Listen 1\n{directive}\n")
    done = run("-t", "-f", str(tmp_path / "x.conf"))
    assert done.returncode == 1 and f"{tmp_path}/x.conf:2: {directive.split()[0]}: {wanted}\n" in done.stderr, done.stderr


def test_httpds_own_file_is_taken(server: Start) -> None:
    """conf/extra/httpd-autoindex.conf, shortened."""
    host = server("""
IndexOptions FancyIndexing HTMLTable VersionSort
AddIconByEncoding (CMP,/icons/compressed.gif) x-compress x-gzip
AddIconByType (TXT,/icons/text.gif) text/*
AddIconByType (IMG,/icons/image2.gif) image/*
AddIcon /icons/binary.gif .bin .exe
AddIcon /icons/back.gif ..
AddIcon /icons/hand.right.gif README
AddIcon /icons/folder.gif ^^DIRECTORY^^
AddIcon /icons/blank.gif ^^BLANKICON^^
DefaultIcon /icons/unknown.gif
ReadmeName README.html
HeaderName HEADER.html
IndexIgnore .??* *~ *# HEADER* README* RCS CVS *,v *,t
""" + FOLDER % "", FILES)
    wait_until(lambda: rows(host.get("/d/").text)["./c.tar.gz"][:2] == ("/icons/compressed.gif", "CMP"), "the icons are there")

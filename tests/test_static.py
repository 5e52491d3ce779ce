"""Static files of the real binary: what is opened, what is refused, conditions, ranges, directories and the server's own pages."""
from __future__ import annotations

import html
import os
import re
import resource
import shutil
import socket
import urllib.parse
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from support.client import Client, ProtocolError, Response
from support.server import Server, open_files, wait_until

Start = Callable[..., Server]
OLD = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
OLD_TEXT = "Sun, 06 Nov 1994 08:49:37 GMT"
TEXT = bytes(range(48, 58)) * 10
ON = """
<Directory "@ROOT@/www">
    Require all granted
    %s
</Directory>
"""


def put(host: Server, name: str, content: bytes = TEXT, mtime: float = OLD) -> Path:
    """Write a file below www/ with an old time, so that its ETag is strong."""
    path = host.write(f"www/{name}", content)
    os.utime(path, (mtime, mtime))
    return path


@pytest.fixture
def site(server: Start) -> Server:
    host = server(ON % "")
    put(host, "digits.txt")
    return host


# what a file looks like


def test_file_with_its_headers(site: Server) -> None:
    answer = site.get("/digits.txt")
    assert (answer.status, answer.body) == (200, TEXT)
    assert answer.header("Content-Type") == "text/plain"
    assert answer.header("Content-Length") == "100"
    assert answer.header("Last-Modified") == OLD_TEXT
    assert answer.header("Accept-Ranges") == "bytes"
    assert re.fullmatch(r'"64-[0-9a-f]+"', answer.header("ETag") or "")


def test_head_says_what_get_says(site: Server) -> None:
    head, get = site.request("HEAD", "/digits.txt"), site.get("/digits.txt")
    assert head.status == 200 and head.body == b""
    assert [pair for pair in head.headers if pair[0] != "Date"] == [pair for pair in get.headers if pair[0] != "Date"]


def test_sizes_around_the_bound_of_one_read(site: Server) -> None:
    with site.client() as client:
        for size in (0, 1, 16383, 16384, 16385, 65536, 200_000):
            content = os.urandom(size)
            put(site, "file.bin", content)
            for _ in range(2):
                answer = client.request("GET", "/file.bin")
                assert (answer.status, answer.body) == (200, content), size
            assert client.request("HEAD", "/file.bin").header("Content-Length") == str(size)


def test_files_are_the_same_without_sendfile(server: Start) -> None:
    host = server(ON % "EnableSendfile Off")
    content = os.urandom(3_000_000)
    put(host, "big.bin", content)
    with host.client() as client:
        assert client.request("GET", "/big.bin").body == content
        answer = client.request("GET", "/big.bin", {"Range": "bytes=70000-2900000"})
        assert (answer.status, answer.body) == (206, content[70000:2900001])


def test_pipelined_files_come_in_order(site: Server) -> None:
    put(site, "big.bin", b"b" * 300_000)
    with site.client() as client:
        client.send(b"GET /digits.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        for _ in range(3):
            assert client.read_response().body == TEXT
            assert len(client.read_response().body) == 300_000


def test_types_by_name(site: Server) -> None:
    for name, want in [("page.html", "text/html"), ("photo.JPG", "image/jpeg"), ("style.css", "text/css"), ("data.json", "application/json"),
                       ("noextension", None), ("a.unheardof", None)]:
        put(site, name)
        assert site.get("/" + name).header("Content-Type") == want, name


def test_charset_is_added_to_text_only(server: Start) -> None:
    host = server(ON % "AddDefaultCharset utf-8")
    for name, want in [("a.txt", "text/plain; charset=utf-8"), ("a.html", "text/html; charset=utf-8"), ("a.css", "text/css"), ("a.png", "image/png")]:
        put(host, name)
        assert host.get("/" + name).header("Content-Type") == want


@pytest.mark.parametrize(("words", "want"), [("None", None), ("Size", r'"64"'), ("MTime", r'"[0-9a-f]{10,}"'),
                                             ("INode MTime Size", r'"[0-9a-f]+-64-[0-9a-f]+"'), ("All", r'"[0-9a-f]+-64-[0-9a-f]+"')])
def test_file_etag(server: Start, words: str, want: str | None) -> None:
    host = server(ON % f"FileETag {words}")
    put(host, "digits.txt")
    etag = host.get("/digits.txt").header("ETag")
    assert etag is None if want is None else re.fullmatch(want, etag or "")


def test_etag_of_a_file_that_has_just_changed_is_weak(site: Server) -> None:
    site.write("www/now.txt", "x")
    assert (site.get("/now.txt").header("ETag") or "").startswith('W/"')


def test_a_time_ahead_of_the_clock_is_not_sent(site: Server) -> None:
    put(site, "ahead.txt", mtime=4_000_000_000)
    answer = site.get("/ahead.txt")
    assert answer.header("Last-Modified") <= answer.header("Date") or answer.header("Last-Modified") == answer.header("Date")
    assert "2096" not in (answer.header("Last-Modified") or "")


# methods


def test_other_methods_are_refused_with_what_is_allowed(site: Server) -> None:
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"]:
        answer = site.request(method, "/digits.txt", body=b"x=1")
        assert answer.status == 405 and answer.all("Allow") == ["GET, HEAD, OPTIONS"], method
    assert site.request("BREW", "/digits.txt").status == 501


def test_options(site: Server) -> None:
    answer = site.request("OPTIONS", "/digits.txt")
    assert (answer.status, answer.body, answer.all("Allow")) == (200, b"", ["GET, HEAD, OPTIONS"])


# what is not there, and what is nobody's business


def test_not_there(site: Server) -> None:
    for target in ("/missing", "/missing/deeper", "/digits.txt/more", "/digits.txt/", "/" + "x" * 256, "/" + "y/" * 1000, "/%ff%fe"):
        answer = site.get(target)
        assert answer.status == 404 and "text/html" in (answer.header("Content-Type") or ""), target


def test_path_info_where_it_is_accepted(server: Start) -> None:
    host = server(ON % "AcceptPathInfo On")
    put(host, "digits.txt")
    assert host.get("/digits.txt/more").body == TEXT


ABOVE = ["/../secret", "/%2e%2e/secret", "/..%2fsecret", "/%2e%2e%2fsecret", "/sub/../../secret", "/sub/%2e%2e/%2e%2e/secret", "/.%2e/secret",
         "/....//secret", "/..\\secret", "/%252e%252e/secret", "//../secret", "/sub/..%5c..%5csecret", "/%c0%ae%c0%ae/secret", "/%2e%2e/www2/secret"]


def test_nothing_above_the_root(site: Server) -> None:
    site.write("secret", "secret text")
    site.write("www2/secret", "secret text")
    put(site, "sub/file.txt")
    for target in ABOVE:
        answer = site.get(target)
        assert answer.status in (400, 404) and b"secret text" not in answer.body, target


def link_tree(host: Server) -> None:
    host.write("outside/file.txt", "outside")
    put(host, "real/file.txt", b"inside")
    www = host.root / "www"
    (www / "in.txt").symlink_to("real/file.txt")
    (www / "in").symlink_to("real")
    (www / "out.txt").symlink_to("../outside/file.txt")
    (www / "out").symlink_to(host.root / "outside")
    (www / "loop").symlink_to("loop")
    (www / "gone").symlink_to("nothing")
    (www / "root").symlink_to("/proc/self/root")
    (www / "cwd").symlink_to("/proc/self/cwd")


@pytest.mark.parametrize(("options", "inside", "outside"), [("FollowSymLinks", 200, 200), ("None", 403, 403), ("SymLinksIfOwnerMatch", 200, 200)])
def test_links(server: Start, options: str, inside: int, outside: int) -> None:
    host = server(ON % f"Options {options}")
    link_tree(host)
    assert host.get("/real/file.txt").body == b"inside"
    assert [host.get(t).status for t in ("/in.txt", "/in/file.txt")] == [inside, inside]
    assert [host.get(t).status for t in ("/out.txt", "/out/file.txt")] == [outside, outside]
    assert host.get("/in").status == (301 if inside == 200 else 403)


@pytest.mark.parametrize("options", ["FollowSymLinks", "None", "SymLinksIfOwnerMatch"])
def test_links_that_lead_nowhere_or_through_proc(server: Start, options: str) -> None:
    host = server(ON % f"Options {options}")
    link_tree(host)
    for target in ("/loop", "/gone", "/root/etc/passwd", "/cwd/pyhost.conf"):
        answer = host.get(target)
        assert answer.status in (403, 404) and b"ServerRoot" not in answer.body and b"root:" not in answer.body, target


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_links_whose_owner_differs(server: Start) -> None:
    host = server(ON % "Options SymLinksIfOwnerMatch")
    link_tree(host)
    os.lchown(host.root / "www/in.txt", 12345, 12345)
    os.lchown(host.root / "www/in", 12345, 12345)
    assert [host.get(t).status for t in ("/in.txt", "/in/file.txt", "/out.txt")] == [403, 403, 200]
    os.lchown(host.root / "www/real/file.txt", 12345, 12345)
    assert [host.get(t).status for t in ("/in.txt", "/in/file.txt")] == [200, 403]


def test_a_root_that_is_a_link_itself(server: Start) -> None:
    host = server('<Directory "/">\nOptions None\nRequire all granted\n</Directory>\nAlias /other/ "@ROOT@/link/"')
    host.write("elsewhere/file.txt", "elsewhere")
    (host.root / "link").symlink_to("elsewhere")
    assert host.get("/other/file.txt").body == b"elsewhere"


def test_protected_names(server: Start) -> None:
    host = server(ON % "Options Indexes")
    for name in (".htaccess", ".htpasswd", ".HTgroup"):
        host.write(f"www/dir/{name}", "# secret text")
        for target in (f"/dir/{name}", f"/dir/%2e{name[1:]}", f"/dir//{name}", f"/dir/x/../{name}"):
            answer = host.get(target)
            assert answer.status == 403 and b"secret text" not in answer.body, target
    assert "never served" in host.error_log
    assert host.get("/dir/.htnothing").status == 403


def test_what_is_no_file(site: Server) -> None:
    www = site.root / "www"
    os.mkfifo(www / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(www / "socket"))
        assert [site.get(t).status for t in ("/fifo", "/socket")] == [403, 403]
    if os.geteuid() == 0:
        (www / "null").symlink_to("/dev/null")
        (www / "zero").symlink_to("/dev/zero")
        assert [site.get(t).status for t in ("/null", "/zero")] == [403, 403]


def test_unreadable_files(server: Start, tmp_path: Path) -> None:
    host = server(ON % "Options Indexes", started=False)
    put(host, "closed.txt").chmod(0)
    put(host, "shut/file.txt")
    put(host, "open.txt")
    (host.root / "www/shut").chmod(0)
    if os.geteuid() == 0:  # root reads everything unless it gives that up
        if not shutil.which("setpriv"):
            pytest.skip("setpriv (Debian: util-linux) is not there")
        program = tmp_path / "pyhost-that-asks"
        program.write_text(f'#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search "{host.binary}" "$@"\n')
        program.chmod(0o755)
        host.binary = program
    host.start()
    assert host.get("/open.txt").body == TEXT
    assert [host.get(t).status for t in ("/closed.txt", "/shut/file.txt", "/shut/")] == [403, 403, 403]
    (host.root / "www/shut").chmod(0o755)


# conditions


def test_conditions(site: Server) -> None:
    etag = site.get("/digits.txt").header("ETag") or ""
    later, earlier = formatdate(OLD + 1, usegmt=True), formatdate(OLD - 1, usegmt=True)
    cases: list[tuple[dict[str, str], int]] = [
        ({"If-None-Match": etag}, 304), ({"If-None-Match": f'"x", W/{etag}'}, 304), ({"If-None-Match": "*"}, 304), ({"If-None-Match": '"x"'}, 200),
        ({"If-Modified-Since": OLD_TEXT}, 304), ({"If-Modified-Since": later}, 304), ({"If-Modified-Since": earlier}, 200),
        ({"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304), ({"If-Modified-Since": "Sun Nov  6 08:49:37 1994"}, 304),
        ({"If-Modified-Since": "tomorrow"}, 200), ({"If-None-Match": '"x"', "If-Modified-Since": OLD_TEXT}, 200),
        ({"If-Match": etag}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412), ({"If-Match": "W/" + etag}, 412),
        ({"If-Unmodified-Since": OLD_TEXT}, 200), ({"If-Unmodified-Since": earlier}, 412), ({"If-Match": etag, "If-Unmodified-Since": earlier}, 200),
        ({"If-Match": '"x"', "If-None-Match": etag}, 412), ({"If-Match": etag, "If-None-Match": etag}, 304)]
    with site.client() as client:
        for headers, want in cases:
            for method in ("GET", "HEAD"):
                answer = client.request(method, "/digits.txt", headers)
                assert answer.status == want, (method, headers)
                assert want != 304 or (answer.header("ETag") == etag and not answer.all("Content-Length") and not answer.all("Content-Type"))


# ranges


def ranges_of(answer: Response) -> list[tuple[str, bytes]]:
    """Take a multipart/byteranges body apart: (Content-Range, bytes) of each part."""
    match = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer.header("Content-Type") or "")
    assert match, answer.headers
    parts = (b"\r\n" + answer.body.lstrip(b"\r\n")).split(b"\r\n--" + match[1].encode())
    assert parts[0] == b"" and parts[-1] == b"--\r\n"
    found = []
    for part in parts[1:-1]:
        head, body = part.split(b"\r\n\r\n", 1)
        position = re.search(rb"Content-Range: (.*)", head)
        assert position and b"Content-Type: text/plain" in head
        found.append((position[1].decode().strip(), body))
    return found


ONE_RANGE = [("0-0", 0, 0), ("0-49", 0, 49), ("50-", 50, 99), ("-10", 90, 99), ("-1000", 0, 99), ("90-1000", 90, 99), ("99-99", 99, 99), ("0-4,5-9", 0, 9),
             ("10-20,0-15,12-30", 0, 30), ("200-300,5-6", 5, 6)]


def test_one_range(site: Server) -> None:
    for field, first, last in ONE_RANGE:
        answer = site.get("/digits.txt", {"Range": f"bytes={field}"})
        assert (answer.status, answer.body) == (206, TEXT[first:last + 1]), field
        assert answer.header("Content-Range") == f"bytes {first}-{last}/100"
        assert answer.header("Content-Type") == "text/plain"


def test_several_ranges(site: Server) -> None:
    answer = site.get("/digits.txt", {"Range": "bytes=0-4, 10-14,-5"})
    assert answer.status == 206 and not answer.all("Content-Range")
    assert ranges_of(answer) == [("bytes 0-4/100", TEXT[:5]), ("bytes 10-14/100", TEXT[10:15]), ("bytes 95-99/100", TEXT[95:])]
    assert ranges_of(site.get("/digits.txt", {"Range": "bytes=-5,0-4"}))[0][0] == "bytes 95-99/100"


def test_several_large_ranges_of_a_large_file(site: Server) -> None:
    content = os.urandom(1 << 20)
    put(site, "big.txt", content)
    with site.client() as client:
        answer = client.request("GET", "/big.txt", {"Range": "bytes=0-99999,200000-299999,-100000,150000-150010"})
        assert [body for _, body in ranges_of(answer)] == [content[:100000], content[200000:300000], content[-100000:], content[150000:150011]]
        assert client.request("GET", "/digits.txt").body == TEXT


def test_range_behind_the_end(site: Server) -> None:
    for field in ("100-", "100-200", "200-300,400-", "-0", "99999999999999999999-"):
        answer = site.get("/digits.txt", {"Range": f"bytes={field}"})
        assert (answer.status, answer.header("Content-Range")) == (416, "bytes */100"), field


def test_range_that_means_nothing_is_ignored(site: Server) -> None:
    for field in ("bytes=5-4", "bytes=x-y", "bytes=", "bytes=-", "bytes=1", "lines=1-2", "1-2", "bytes=1-2,x"):
        answer = site.get("/digits.txt", {"Range": field})
        assert (answer.status, answer.body) == (200, TEXT), field


def test_range_is_for_get_only(site: Server) -> None:
    answer = site.request("HEAD", "/digits.txt", {"Range": "bytes=0-4"})
    assert (answer.status, answer.header("Content-Length")) == (200, "100")


def test_if_range(site: Server) -> None:
    etag = site.get("/digits.txt").header("ETag") or ""
    for value, want in [(etag, 206), ("W/" + etag, 200), ('"x"', 200), (OLD_TEXT, 206), (formatdate(OLD + 1, usegmt=True), 200), ("*", 200)]:
        assert site.get("/digits.txt", {"Range": "bytes=0-4", "If-Range": value}).status == want, value


def test_range_comes_after_the_other_conditions(site: Server) -> None:
    etag = site.get("/digits.txt").header("ETag") or ""
    assert site.get("/digits.txt", {"Range": "bytes=0-4", "If-None-Match": etag}).status == 304
    assert site.get("/digits.txt", {"Range": "bytes=500-", "If-Match": '"x"'}).status == 412


@pytest.mark.parametrize(("words", "listed", "want"), [("none", 1, 200), ("1", 1, 206), ("1", 2, 200), ("3", 3, 206), ("3", 4, 200), ("default", 40, 206),
                                                       ("unlimited", 50, 206)])
def test_max_ranges(server: Start, words: str, listed: int, want: int) -> None:
    host = server(ON % f"MaxRanges {words}")
    put(host, "digits.txt", TEXT * 10)
    answer = host.get("/digits.txt", {"Range": "bytes=" + ",".join(f"{i * 5}-{i * 5}" for i in range(listed))})
    assert answer.status == want
    assert answer.header("Accept-Ranges") == ("none" if words == "none" else "bytes")


def test_ranges_that_would_cost_too_much_get_the_whole_file(site: Server) -> None:
    put(site, "big.bin", bytes(1 << 20))
    killer = "bytes=0-," + ",".join(f"5-{i}" for i in range(5, 1300))  # CVE-2011-3192
    many = "bytes=" + ",".join(f"{i * 9}-{i * 9}" for i in range(201))
    wide = "bytes=" + ",".join(f"{i * 20000}-{i * 20000 + 9000}" for i in range(50))  # each would hold a descriptor
    for field in (killer[:8000].rsplit(",", 1)[0], many, wide):
        answer = site.get("/big.bin", {"Range": field})
        assert (answer.status, len(answer.body)) == (200, 1 << 20)


def test_a_file_larger_than_4_gib(site: Server) -> None:
    path = put(site, "huge.bin", b"")
    size = 5 << 30
    with open(path, "r+b") as file:
        file.truncate(size)
        file.seek((4 << 30) + 7)
        file.write(b"needle")
        file.seek(size - 3)
        file.write(b"end")
    with site.client() as client:
        assert client.request("HEAD", "/huge.bin").header("Content-Length") == str(size)
        answer = client.request("GET", "/huge.bin", {"Range": f"bytes={(4 << 30) + 7}-{(4 << 30) + 12}"})
        assert (answer.body, answer.header("Content-Range")) == (b"needle", f"bytes {(4 << 30) + 7}-{(4 << 30) + 12}/{size}")
        assert client.request("GET", "/huge.bin", {"Range": "bytes=-3"}).body == b"end"
        assert client.request("GET", "/huge.bin", {"Range": f"bytes={size}-"}).status == 416


# files that change, clients that are slow


def drain(client: Client, count: int) -> set[int]:
    """Read exactly so many bytes and forget them; return which values they had."""
    count -= len(client.received)
    seen, client.received = set(client.received), b""
    while count > 0:
        data = client.sock.recv(min(count, 1 << 20))
        assert data, f"the connection ended {count} bytes early"
        count -= len(data)
        seen |= set(data[:1] + data[-1:])
    return seen


def test_slow_reader_of_a_large_file_does_not_hold_up_others(site: Server) -> None:
    size = 64 << 20
    path = put(site, "large.bin", b"")
    os.truncate(path, size)
    slow = site.client()
    slow.send(b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    head = slow.read_head()
    assert head.header("Content-Length") == str(size)
    for _ in range(20):
        assert site.get("/digits.txt").body == TEXT
        slow.read_exactly(100_000)
    drain(slow, size - 2_000_000)
    assert slow.request("GET", "/digits.txt").body == TEXT


def test_a_fast_reader_of_a_huge_file_does_not_hold_up_others(site: Server) -> None:
    path = put(site, "huge.bin", b"")
    os.truncate(path, 8 << 30)
    fast = site.client()
    fast.send(b"GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    pid = os.fork()
    if pid == 0:
        while len(fast.sock.recv(1 << 20)):
            pass
        os._exit(0)
    try:
        with Client(site.address, timeout=3.0) as other:
            for _ in range(50):
                assert other.request("GET", "/digits.txt").body == TEXT
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        fast.reset()
    site.allow_log("huge")


def test_a_replaced_file_is_sent_as_it_was(site: Server) -> None:
    size = 24 << 20
    put(site, "swap.bin", b"a" * size)
    client = site.client()
    client.send(b"GET /swap.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    client.read_head()
    os.replace(put(site, "new.bin", b"b" * size), site.root / "www/swap.bin")
    assert drain(client, size) == {ord("a")}
    assert client.request("GET", "/swap.bin").body[:1] == b"b"


def test_a_file_that_shrinks_closes_the_connection(site: Server) -> None:
    size = 64 << 20
    path = put(site, "shrink.bin", b"")
    os.truncate(path, size)
    client = site.client()
    client.send(b"GET /shrink.bin HTTP/1.1\r\nHost: x\r\n\r\nGET /digits.txt HTTP/1.1\r\nHost: x\r\n\r\n")
    client.read_head()
    os.truncate(path, 1000)
    received = 0
    with pytest.raises((ProtocolError, ConnectionResetError)):
        while received < size:
            received += len(client.read_exactly(65536))
    assert site.get("/digits.txt").body == TEXT
    site.allow_log("shrink")


def test_no_descriptor_left_is_503(server: Start) -> None:
    host = server(ON % "")
    put(host, "digits.txt")
    client = host.client()
    assert client.request("GET", "/digits.txt").status == 200
    links = wait_until(lambda: (now := open_files(host.pid)) and not any("digits" in name for name in now) and now, "the file is closed again")
    used = {int(name) for name in os.listdir(f"/proc/{host.pid}/fd")}
    assert len(used) == sum(links.values())
    lowest_free = min(set(range(len(used) + 1)) - used)
    soft, hard = resource.prlimit(host.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        assert client.request("GET", "/digits.txt").status == 503
    finally:
        resource.prlimit(host.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert client.request("GET", "/digits.txt").status == 200
    host.allow_log(".")


# directories


def test_redirect_to_the_trailing_slash(site: Server) -> None:
    put(site, "a folder/index.html")
    answer = site.get("/a%20folder?x=1&y=%3C", {"Host": "example.org:8080"})
    assert (answer.status, answer.header("Location")) == (301, "http://example.org:8080/a%20folder/?x=1&y=%3C")
    assert "http://example.org:8080/a%20folder/" in answer.text
    assert site.request("GET", "/a%20folder", {"Host": "example.org"}).header("Location") == "http://example.org/a%20folder/"
    assert site.request("HEAD", "/a%20folder").status == 301


def test_redirect_does_not_split_headers(site: Server) -> None:
    (site.root / "www/x\r\nSet-Cookie: a=b").mkdir()
    answer = site.get("/x%0d%0aSet-Cookie:%20a=b")
    assert answer.status == 301 and not answer.all("Set-Cookie") and "%0D%0A" in (answer.header("Location") or "")


def test_redirect_stays_on_this_host(site: Server) -> None:
    (site.root / "www/evil.example").mkdir()
    location = site.get("//evil.example", {"Host": "good.example"}).header("Location") or ""
    assert location == "http://good.example/evil.example/"


def test_directory_index(server: Start) -> None:
    host = server(ON % "DirectoryIndex first.html index.html /fallback.html")
    put(host, "both/index.html", b"second")
    put(host, "both/first.html", b"first")
    put(host, "one/index.html", b"index")
    put(host, "no ne?/other.html", b"")
    put(host, "fallback.html", b"fallback")
    (host.root / "www/folder/first.html").mkdir(parents=True)
    put(host, "folder/index.html", b"index of folder")
    with host.client() as client:
        for target, want in [("/both/", b"first"), ("/one/?q=1", b"index"), ("/no%20ne%3F/", b"fallback"), ("/folder/", b"index of folder")]:
            answer = client.request("GET", target)
            assert (answer.status, answer.body) == (200, want), target
        answer = client.request("HEAD", "/one/")
        assert (answer.status, answer.header("Content-Length"), answer.header("Content-Type")) == (200, "5", "text/html")
        assert client.request("GET", "/one/", {"Range": "bytes=0-1"}).body == b"in"
        assert client.request("GET", "/one/", {"If-Modified-Since": OLD_TEXT}).status == 304


def test_index_in_a_folder_with_a_strange_name(site: Server) -> None:
    for name in ("a b", "50%", "q?x", "hash#", "ümläut", "%41"):
        put(site, f"{name}/index.html", name.encode())
        assert site.get("/" + urllib.parse.quote(name) + "/").body == name.encode()


def test_directory_without_index_or_listing(server: Start) -> None:
    host = server(ON % "Options FollowSymLinks")
    put(host, "plain/file.txt")
    assert host.get("/plain/").status == 403
    assert host.request("POST", "/plain/", body=b"").status == 405
    assert host.request("OPTIONS", "/plain/").all("Allow") == ["GET, HEAD, OPTIONS"]
    assert host.get("/plain/missing/").status == 404


# listings


HOSTILE = ['<script>alert(1)', '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "a&b;c=d", "quote'quote", "per%41cent", "hash#frag?query",
           "line\nbreak", "tab\there", "bell\x07", "back\\slash", "ümläut", "~tilde", "-rf", " lead", "data:text,x", "\u202egpj.exe", "..dots", "x" * 255]


def links_of(page: str) -> list[str]:
    """Return the hrefs of the entries, unescaped, in order."""
    return [html.unescape(link) for link in re.findall(r'<td><a[^>]* href="([^"]*)"', page)]


@pytest.fixture
def listed(server: Start) -> Server:
    host = server(ON % "Options Indexes\n    DirectoryIndex disabled")
    (host.root / "www/files").mkdir(parents=True)
    return host


def test_hostile_names_in_a_listing(listed: Server) -> None:
    for name in HOSTILE:
        put(listed, f"files/{name}", name.encode())
    (listed.root / b"www/files/raw\xff\xfe".decode("utf-8", "surrogateescape")).write_text("raw")
    answer = listed.get("/files/")
    assert answer.status == 200 and answer.header("Content-Type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in (answer.header("Content-Security-Policy") or "")
    assert "<script" not in answer.text and "<img" not in answer.text and b"\x07" not in answer.body
    links = links_of(answer.text)
    shown = [name for name in HOSTILE if not name.startswith(".")]
    assert len(links) == len(shown) + 2 and links[0] == "../" and all(link.startswith("./") for link in links[1:])
    for link in links[1:]:
        assert re.fullmatch(r"\./[A-Za-z0-9._~!$*+,;=@()%-]+", link), link
        reached = listed.get("/files/" + link[2:])
        assert reached.status == 200 and reached.body in {*(name.encode() for name in shown), b"raw"}, link


def test_a_listing_of_a_hostile_path(listed: Server) -> None:
    put(listed, "files/<b>'\"&/file.txt")
    answer = listed.get("/files/" + urllib.parse.quote("<b>'\"&") + "/")
    assert answer.status == 200 and "<b>" not in answer.text and "Index of /files/&lt;b&gt;&#39;&quot;&amp;/" in answer.text


def test_what_a_listing_leaves_out(listed: Server) -> None:
    for name in ("shown.txt", ".hidden", ".htaccess"):
        put(listed, f"files/{name}", b"")
    os.mkfifo(listed.root / "www/files/fifo")
    (listed.root / "www/files/link").symlink_to("shown.txt")
    (listed.root / "www/files/gone").symlink_to("nothing")
    assert links_of(listed.get("/files/").text) == ["../", "./shown.txt"]


def test_links_are_listed_where_they_are_followed(server: Start) -> None:
    host = server(ON % "Options Indexes FollowSymLinks")
    put(host, "files/real.txt")
    (host.root / "www/files/link.txt").symlink_to("real.txt")
    (host.root / "www/files/loop").symlink_to("loop")
    assert links_of(host.get("/files/").text) == ["../", "./link.txt", "./real.txt"]


def test_listing_is_sorted_as_asked(listed: Server) -> None:
    for name, size, mtime in [("b.txt", 30, 3000), ("A.txt", 20, 1000), ("c.txt", 10, 2000)]:
        put(listed, f"files/{name}", b"x" * size, OLD + mtime)
    (listed.root / "www/files/zdir").mkdir()
    orders = {"": "Abc", "?C=N;O=A": "Abc", "?C=N;O=D": "cbA", "?C=S;O=A": "cAb", "?C=S&O=D": "bAc", "?C=M;O=A": "Acb", "?C=M;O=D": "bcA", "?C=X;O=D": "cbA",
              "?C=": "Abc", "?O": "Abc", "?;;&C=S": "cAb"}
    for query, want in orders.items():
        links = links_of(listed.get("/files/" + query).text)
        assert links == ["../", "./zdir/"] + [f"./{letter}.txt" for letter in want], query
    assert 'href="?C=N;O=D"' in listed.get("/files/").text


def test_index_options(server: Start) -> None:
    host = server(ON % "Options Indexes\n    IndexOptions -FoldersFirst +SuppressSize +SuppressLastModified +IgnoreCase\n    PyIndexTitle \"My <files>\"")
    for name in ("B.txt", "a.txt", "c.txt"):
        put(host, f"files/{name}")
    (host.root / "www/files/bdir").mkdir()
    page = host.get("/files/").text
    assert links_of(page) == ["../", "./a.txt", "./B.txt", "./bdir/", "./c.txt"]
    assert "<h1>My &lt;files&gt;</h1>" in page and "1994" not in page and 'class="size"' not in page


def test_index_ignore_leaves_names_out_and_they_are_still_served(server: Start) -> None:
    host = server(ON % 'Options Indexes\n    IndexIgnore *.bak secret?\n    IndexIgnore "[xy] z"')
    for name in ("a.txt", "a.bak", "secret1", "secret", "x z"):
        put(host, f"files/{name}")
    assert links_of(host.get("/files/").text) == ["../", "./a.txt", "./secret"]
    assert host.get("/files/a.bak").status == 200


def test_index_options_of_order(server: Start) -> None:
    host = server(ON % "Options Indexes\n    IndexOptions VersionSort SuppressColumnSorting", {"www/.keep": ""})
    for name in ("v10", "v9", "v1"):
        put(host, f"files/{name}")
    page = host.get("/files/").text
    assert links_of(page) == ["../", "./v1", "./v9", "./v10"] and "?C=" not in page
    assert links_of(host.get("/files/?C=N;O=D").text) == ["../", "./v10", "./v9", "./v1"]


def test_the_client_does_not_order_where_it_is_ignored(server: Start) -> None:
    host = server(ON % "Options Indexes\n    IndexOptions IgnoreClient")
    for name in ("a", "b"):
        put(host, f"files/{name}")
    page = host.get("/files/?C=N;O=D").text
    assert links_of(page) == ["../", "./a", "./b"] and "?C=" not in page


def test_listing_shows_sizes_and_times(listed: Server) -> None:
    for size, want in [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1_500_000, "1.5 MB"), (12_345_678, "12 MB")]:
        path = put(listed, "files/file.bin", b"")
        os.truncate(path, size)
        os.utime(path, (OLD, OLD))
        page = listed.get("/files/").text
        assert f'<td class="size">{want}</td>' in page and "1994-11-06 08:49" in page, size


def test_listing_of_the_root_and_of_nothing(listed: Server) -> None:
    assert links_of(listed.get("/").text) == ["./files/"]
    assert "Nothing is in here" in listed.get("/files/").text
    assert listed.request("HEAD", "/files/").header("Content-Length") == str(len(listed.get("/files/").body))
    assert listed.request("POST", "/files/", body=b"").status == 405


def test_a_listing_of_too_many_entries_is_cut(listed: Server) -> None:
    for i in range(5001):
        (listed.root / f"www/files/{i}").touch()
    answer = listed.get("/files/")
    assert len(links_of(answer.text)) == 5001 and "more in here than is shown" in answer.text
    (listed.root / "www/files/17").unlink()
    answer = listed.get("/files/")
    assert len(links_of(answer.text)) == 5001 and "more in here" not in answer.text


def test_listing_where_folders_have_no_slash(server: Start) -> None:
    host = server(ON % "Options Indexes\n    DirectorySlash Off")
    put(host, "files/file.txt")
    assert links_of(host.get("/files").text)[-1] == "./files/file.txt"


# pages


def test_error_pages_say_nothing_of_the_server(site: Server) -> None:
    answer = site.get("/" + urllib.parse.quote("<script>alert(1)</script>"))
    assert answer.status == 404 and "<script" not in answer.text and str(site.root) not in answer.text and "<h1>" in answer.text


@pytest.mark.parametrize(("signature", "tokens", "want"), [("Off", "Full", None), ("On", "Prod", "pyhost at x.example"), ("EMail", "Minimal", "mailto:admin@x.example")])
def test_signature(server: Start, signature: str, tokens: str, want: str | None) -> None:
    host = server(f"ServerAdmin admin@x.example\nServerSignature {signature}\nServerTokens {tokens}\n" + ON % "")
    page = host.get("/missing", {"Host": "x.example"}).text
    assert want in page if want else "pyhost" not in page


def test_an_error_document_from_a_file(server: Start) -> None:
    host = server("ErrorDocument 404 /errors/404.html\nErrorDocument 416 /errors/404.html\n" + ON % "")
    put(host, "errors/404.html", b"gone fishing")
    put(host, "digits.txt")
    answer = host.get("/missing", {"Range": "bytes=0-1", "If-Modified-Since": OLD_TEXT, "If-Match": '"x"'})
    assert (answer.status, answer.body) == (404, b"gone fishing")
    answer = host.get("/digits.txt", {"Range": "bytes=500-"})
    assert (answer.status, answer.body, answer.header("Content-Range")) == (416, b"gone fishing", "bytes */100")
    answer = host.request("POST", "/missing", body=b"x")
    assert (answer.status, answer.body) == (405, host.request("POST", "/digits.txt", body=b"x").body)


def test_an_error_document_of_text_may_begin_like_a_url(server: Start) -> None:
    host = server('ErrorDocument 404 "httpd says no"\nErrorDocument 403 http://h.example/403\nErrorDocument 405 https://h.example/405\n<Location /no>\nRequire all denied\n</Location>\n' + ON % "")
    host.allow_log("client denied")
    answers = [host.get("/missing"), host.get("/no"), host.request("POST", "/", body=b"")]
    assert [(each.status, each.header("Location")) for each in answers] == [(404, None), (302, "http://h.example/403"), (302, "https://h.example/405")]
    assert answers[0].text == "httpd says no"


def test_fields_of_success_are_not_on_an_error_document_of_text(server: Start) -> None:
    host = server('ErrorDocument 404 "no"\nErrorDocument 410 default\nRedirect gone /gone\nHeader set X-Good 1\nHeader always set X-Any 1\n' + ON % "")
    put(host, "a.txt", b"a")
    for path, status, good in (("/a.txt", 200, "1"), ("/missing", 404, None), ("/gone", 410, None)):
        answer = host.get(path)
        assert (answer.status, answer.header("X-Good"), answer.header("X-Any")) == (status, good, "1")


def test_fields_of_success_are_on_an_error_document_that_is_a_file(server: Start) -> None:
    host = server('ErrorDocument 404 /sorry.txt\nErrorDocument 405 /sorry.txt\nErrorDocument 410 /none.txt\nRedirect gone /gone\nHeader set X-Good 1\n'
                  'Header always set X-Any 1\n' + ON % "")
    put(host, "sorry.txt", b"sorry")
    for path, good in (("/missing", "1"), ("/gone", None)):
        answer = host.get(path)
        assert (answer.header("X-Good"), answer.header("X-Any"), answer.text == "sorry") == (good, "1", good == "1"), path
    answer = host.request("POST", "/sorry.txt", body=b"")
    assert (answer.status, answer.text, answer.header("Allow")) == (405, "sorry", "GET, HEAD, OPTIONS")


def test_an_error_document_of_text_leaves_405_its_methods(server: Start) -> None:
    host = server('ErrorDocument 405 "not so"\n' + ON % "")
    put(host, "a.txt", b"a")
    answer = host.request("POST", "/a.txt", body=b"")
    assert (answer.status, answer.text, answer.header("Allow")) == (405, "not so", "GET, HEAD, OPTIONS")


def test_descriptors_do_not_pile_up(site: Server) -> None:
    put(site, "big.bin", bytes(1 << 20))
    before = len(os.listdir(f"/proc/{site.pid}/fd"))
    for _ in range(20):
        client = site.client()
        client.send(b"GET /big.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-99999,200000-900000\r\n\r\n")
        client.read_head()
        client.reset()
    wait_until(lambda: len(os.listdir(f"/proc/{site.pid}/fd")) <= before, "descriptors closed")

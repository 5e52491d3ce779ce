"""Routing as a client sees it: virtual hosts, sections and their order, .htaccess, aliases, redirects."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.server import Server

Start = Callable[..., Server]

ECHO = '''
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    options = req.get_options()
    for name in sorted(options.keys()):
        req.write("%s=%s\\n" % (name, options[name]))
    return apache.OK
'''
FACTS = '''
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    root = req.document_root()
    name = req.filename[len(root):] if req.filename and req.filename.startswith(root) else req.filename
    req.write("%s|%s|%s" % (name, req.path_info, req.handler))
    return apache.OK
'''
PYTHON = "PythonPath \"['@ROOT@/py'] + sys.path\""


def options(host: Server, target: str, headers: dict[str, str] | None = None) -> dict[str, str]:
    answer = host.get(target, headers or {})
    assert answer.status == 200, (target, answer.status, answer.body)
    return dict(line.split("=", 1) for line in answer.text.splitlines())


# virtual hosts

def host_section(name: str, address: str = "*:@PORT@", more: str = "") -> str:
    return f'<VirtualHost {address}>\nServerName {name}\nHeader always set X-Host {name}\n{more}\n</VirtualHost>\n'


@pytest.fixture
def hosts(server: Start) -> Server:
    return server(
        "Listen 127.0.0.1:@PORT@\nListen 127.0.0.2:@PORT@\nListen 127.0.0.1:@PORT2@\nHeader always set X-Host main\n"
        + host_section("first.example", more="ServerAlias alias.example *.wild.example w?ld.example")
        + host_section("Second.Example")
        + host_section("x.wild.example")
        + host_section("byip.example", "127.0.0.2:@PORT@"),
        files={"www/index.html": "x"})


def test_virtual_host_by_name(hosts: Server) -> None:
    expected = {
        "first.example": "first.example", "FIRST.example": "first.example", "first.example.": "first.example", "second.example": "Second.Example",
        "alias.example": "first.example", "a.wild.example": "first.example", "a.b.wild.example": "first.example", "x.wild.example": "first.example",
        "wald.example": "first.example", "nobody.example": "first.example", "first.example:99": "first.example", "byip.example": "first.example",
        "127.0.0.1": "first.example"}
    assert {name: hosts.get("/", {"Host": name}).header("X-Host") for name in expected} == expected


def test_virtual_host_by_address_comes_before_its_name(hosts: Server) -> None:
    for name in ("first.example", "byip.example", "x"):
        with hosts.client(("127.0.0.2", hosts.port)) as client:
            assert client.request("GET", "/", {"Host": name}).header("X-Host") == "byip.example"


def test_address_without_virtual_host_is_the_main_server(hosts: Server) -> None:
    with hosts.client(("127.0.0.1", hosts.ports["PORT2"])) as client:
        assert client.request("GET", "/", {"Host": "first.example"}).header("X-Host") == "main"


def test_http_1_0_without_host_gets_the_first(hosts: Server) -> None:
    with hosts.client() as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert client.read_response().header("X-Host") == "first.example"


def test_virtual_host_has_its_own_root_and_inherits_the_rest(server: Start) -> None:
    host = server("<Location />\nHeader set X-Main yes\n</Location>\nListen 127.0.0.1:@PORT@\n"
                  + host_section("a", more='DocumentRoot "@ROOT@/a"') + host_section("b"),
                  files={"a/x.txt": "in a", "www/x.txt": "in www"})
    a, b = host.get("/x.txt", {"Host": "a"}), host.get("/x.txt", {"Host": "b"})
    assert (a.body, b.body, a.header("X-Main"), b.header("X-Main")) == (b"in a", b"in www", "yes", "yes")


def test_unix_socket_is_served_by_hosts_of_any_address(server: Start) -> None:
    host = server("Listen 127.0.0.1:@PORT@\nListen unix:@SOCK@\n" + host_section("a") + host_section("b"))
    with host.client(str(host.root / "sock")) as client:
        assert client.request("GET", "/", {"Host": "b"}).header("X-Host") == "b"


def test_a_thousand_virtual_hosts(server: Start) -> None:
    host = server("Listen 127.0.0.1:@PORT@\n" + "".join(host_section(f"h{i}.example") for i in range(1000)))
    for number in (0, 1, 499, 999):
        assert host.get("/", {"Host": f"h{number}.example"}).header("X-Host") == f"h{number}.example"


# sections

def test_sections_are_merged_in_httpds_order(server: Start) -> None:
    sections = ["Location /", "LocationMatch ^/d", "Files x.py", "FilesMatch py$", "DirectoryMatch www/d", 'Directory "@ROOT@/www/d"', 'Directory "@ROOT@/www"',
                'Directory "@ROOT@/w*"', "Location /d/"]
    order = [6, 7, 5, 4, 2, 3, 0, 1, 8]
    text = "".join(f"<{s}>\n" + "".join(f"PythonOption among{n} {i}\n" for n in range(1, 10) if i in order[:n]) + f"</{s.split()[0]}>\n"
                   for i, s in enumerate(sections))
    host = server(f"PythonHandler echo\nSetHandler mod_python\n{PYTHON}\n{text}", files={"py/echo.py": ECHO, "www/d/x.py": ""})
    # among the first n of them, the n-th has the last word
    assert options(host, "/d/x.py") == {f"among{n}": str(order[n - 1]) for n in range(1, 10)}


LOCATIONS = [
    ("Location /foo", ["/foo", "/foo/", "/foo/bar", "/foo?x", "/a/../foo", "//foo", "/%66oo"], ["/foobar", "/", "/x/foo", "/FOO"]),
    ("Location /foo/", ["/foo/", "/foo/bar"], ["/foo", "/foobar"]),
    ("Location /f*/b", ["/foo/b", "/f/b"], ["/foo/bar/b", "/foo/b/c", "/foo"]),
    ('LocationMatch "^/(a|b)/x"', ["/a/x", "/b/xyz"], ["/c/x", "/z/a/x"]),
    ('Location ~ "/x$"', ["/x", "/a/x"], ["/x/", "/xy"]),
    ("Location /", ["/", "/a"], []),
]
FILES = [
    ("Files x.py", ["/d/x.py", "/d/x.py/info"], ["/d/xxpy", "/d/y"]),
    ("Files *.py", ["/d/x.py"], ["/d/y", "/d/"]),
    ("FilesMatch ^x", ["/d/x.py", "/d/xxpy"], ["/d/y"]),
    ('Directory "@ROOT@/www/d"', ["/d/x.py", "/d/", "/d"], ["/e/y", "/"]),
    ('Directory "@ROOT@/www/[de]"', ["/d/x.py", "/e/y"], ["/f/y"]),
    ('Directory ~ "www/[de]"', ["/d/x.py", "/e/y"], ["/f/y"]),
    ('DirectoryMatch "^@ROOT@/www/(d|f)$"', ["/d/x.py", "/f/y"], ["/e/y"]),
]


@pytest.mark.parametrize("cases", [LOCATIONS, FILES], ids=["locations", "files"])
def test_what_patterns_match(server: Start, cases: list[tuple[str, list[str], list[str]]]) -> None:
    files = {f"www/{name}": "" for name in ("d/x.py", "d/xxpy", "d/y", "e/y", "f/y")}
    host = server("".join(f"<{pattern}>\nHeader always set X-In{i} yes\n</{pattern.split()[0]}>\n" for i, (pattern, _, _) in enumerate(cases)), files=files)
    for i, (pattern, matching, others) in enumerate(cases):
        assert (pattern, [t for t in matching + others if host.get(t).header(f"X-In{i}") == "yes"]) == (pattern, matching)


def test_files_inside_a_directory_hold_only_there(server: Start) -> None:
    host = server('<Directory "@ROOT@/www/d">\n<Files secret>\nRequire all denied\n</Files>\n</Directory>',
                  files={"www/d/secret": "s", "www/d/plain": "p", "www/e/secret": "s"})
    host.allow_log("client denied")
    assert [host.get(t).status for t in ("/d/secret", "/d/plain", "/e/secret")] == [403, 200, 200]


def test_a_denied_file_is_denied_through_a_location_handler_too(server: Start) -> None:
    host = server(f'<Files "*.secret">\nRequire all denied\n</Files>\n<Location />\nSetHandler mod_python\nPythonHandler echo\n{PYTHON}\n</Location>',
                  files={"py/echo.py": ECHO, "www/a.secret": ""})
    host.allow_log("client denied")
    assert [host.get(t).status for t in ("/a.secret", "/a.secret/x", "/ok")] == [403, 403, 200]


def test_a_thousand_locations(server: Start) -> None:
    host = server("".join(f"<Location /app{i}>\nHeader always set X-In {i}\n</Location>\n" for i in range(1000)))
    for number in (0, 1, 10, 999):
        assert host.get(f"/app{number}/x").header("X-In") == str(number)
    assert host.get("/app1000").header("X-In") is None


# .htaccess

def test_htaccess_edits_are_seen_at_once(server: Start) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride All\n</Directory>', files={"www/d/e/x.txt": "x"})

    def header() -> str | None:
        return host.get("/d/e/x.txt").header("X-In")

    assert header() is None
    for number in range(20):  # the same size each time, as fast as it goes
        host.write("www/d/.htaccess", f"Header set X-In {number % 10}\n")
        assert header() == str(number % 10)
    host.write("www/d/e/.htaccess", "Header set X-In deeper\n")
    assert header() == "deeper"
    os.unlink(host.root / "www/d/e/.htaccess")
    assert header() == "9"
    os.unlink(host.root / "www/d/.htaccess")
    assert header() is None


def test_htaccess_only_where_allow_override_says_so(server: Start) -> None:
    host = server('<Directory "@ROOT@/www/on">\nAllowOverride FileInfo\n</Directory>',
                  files={"www/on/x.txt": "", "www/off/x.txt": "", "www/on/.htaccess": "Header set X-In yes\n", "www/off/.htaccess": "Header set X-In yes\n"})
    assert host.get("/on/x.txt").header("X-In") == "yes" and host.get("/off/x.txt").header("X-In") is None


def test_htaccess_with_a_fault_is_500_and_says_where(server: Start) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride FileInfo\n</Directory>', files={"www/d/x.txt": "fine", "www/d/.htaccess": "Nonsense on\n", "www/x.txt": ""})
    assert host.get("/d/x.txt").status == 500
    host.expect_log(r"www/d/\.htaccess:1: Nonsense")
    assert host.get("/x.txt").status == 200
    host.write("www/d/.htaccess", "Require all denied\n")  # AuthConfig, not FileInfo
    assert host.get("/d/x.txt").status == 500
    host.expect_log(r"htaccess:1: Require: AllowOverride AuthConfig")
    host.write("www/d/.htaccess", "")
    assert host.get("/d/x.txt").body == b"fine"


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_htaccess_that_is_no_file_forbids(server: Start, make: Callable[[Path], None]) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride FileInfo\n</Directory>', files={"www/d/x.txt": "fine"})
    make(host.root / "www/d/.htaccess")
    assert host.get("/d/x.txt").status == 403
    host.expect_log(r"www/d/\.htaccess: no regular file: access denied")


def test_files_in_htaccess(server: Start) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride All\n</Directory>',
                  files={"www/d/secret": "", "www/d/plain": "", "www/secret": "", "www/d/.htaccess": "<Files secret>\nRequire all denied\n</Files>\n"})
    host.allow_log("client denied")
    assert [host.get(t).status for t in ("/d/secret", "/d/plain", "/secret")] == [403, 200, 200]


def test_htaccess_itself_comes_between_the_directories(server: Start) -> None:
    host = server('<Directory "@ROOT@/www">\nAllowOverride All\nHeader set X-In www\n</Directory>\n<Directory "@ROOT@/www/d/e">\nHeader set X-In e\n</Directory>\n',
                  files={"www/d/x": "", "www/d/e/x": "", "www/d/.htaccess": "Header set X-In htaccess\n"})
    assert [host.get(t).header("X-In") for t in ("/d/x", "/d/e/x")] == ["htaccess", "e"]


# from path to file

@pytest.mark.parametrize("section", ['Directory "@ROOT@/www"', "Location /"])
def test_filename_and_path_info(server: Start, section: str) -> None:
    expected = {"/d/x.py": "/d/x.py|", "/d/x.py/a/b": "/d/x.py|/a/b", "/d/": "/d/|", "/nosuch/deep/er": "/nosuch|/deep/er", "/d/no": "/d/no|", "/d/x.py/": "/d/x.py|/"}
    host = server(f"<{section}>\nSetHandler mod_python\nPythonHandler facts\n{PYTHON}\n</{section.split()[0]}>", files={"py/facts.py": FACTS, "www/d/x.py": ""})
    assert {target: host.get(target).text for target in expected} == {target: f"{facts}|mod_python" for target, facts in expected.items()}


def test_aliases(server: Start) -> None:
    host = server('Alias /icons/ "@ROOT@/pics/"\nAlias /a/b "@ROOT@/ab"\nAlias /a "@ROOT@/a"\nAliasMatch "^/u/([a-z]+)/(.*)" "@ROOT@/home/$1/www/$2"\n'
                  'AliasMatch "^/dots(.*)/x" "@ROOT@/.$1/x"\n<Directory "@ROOT@">\nRequire all granted\n</Directory>',
                  files={"pics/p.txt": "p", "ab/x.txt": "ab", "a/x.txt": "a", "a/b/x.txt": "not this one", "home/joe/www/x.txt": "joe", "www/x.txt": "www", "www/icons": "file"})
    bodies = {"/icons/p.txt": b"p", "/a/b/x.txt": b"ab", "/a/x.txt": b"a", "/u/joe/x.txt": b"joe", "/x.txt": b"www", "/icons": b"file"}
    assert {t: host.get(t).body for t in bodies} == bodies
    assert host.get("/ab/x.txt").status == 404
    assert host.get("/dots./x").status == 403
    host.expect_log(r'would have a "\.\." segment')


REDIRECTS = {
    "/old": (301, "http://new.example/place"), "/old/x%20y?a=1&b": (301, "http://new.example/place/x%20y?a=1&b"), "/older": (404, None),
    "/near/x": (302, "http://localhost:99/there/x"), "/gone/x": (410, None), "/m/a%3Fb.gif": (307, "https://i.example/a%3Fb.png"),
    "/crlf/%0d%0aSet-Cookie:x": (302, "http://x.example/%0D%0ASet-Cookie%3Ax"), "/teapot": (418, None), "/in/section/deep": (308, "https://s.example/"),
    "/first": (302, "http://one.example")}


def test_redirects(server: Start) -> None:
    host = server('Redirect 301 /old http://new.example/place\nRedirect /near /there\nRedirect gone /gone\nRedirectMatch 307 "^/m/(.*)\\.gif$" https://i.example/$1.png\n'
                  "Redirect /crlf http://x.example\nRedirect 418 /teapot\nRedirect /first http://one.example\nRedirectMatch ^/first http://two.example\n"
                  "<Location /in/section>\nRedirect 308 https://s.example/\n</Location>")
    found = {}
    for target in REDIRECTS:
        answer = host.get(target, {"Host": "localhost:99"})
        found[target] = (answer.status, answer.header("Location"))
    assert found == REDIRECTS


def test_redirect_of_a_section_comes_behind_access_control(server: Start) -> None:
    host = server("<Location /closed>\nRequire all denied\nRedirect http://secret.example/\n</Location>")
    host.allow_log("client denied")
    answer = host.get("/closed")
    assert answer.status == 403 and answer.header("Location") is None


def test_use_canonical_name_decides_where_redirects_lead(server: Start) -> None:
    host = server("ServerName canon.example:8443\nUseCanonicalName On\nRedirect /a /b")
    assert host.get("/a").header("Location") == "http://canon.example:8443/b"


def test_path_too_long_is_414(server: Start) -> None:
    host = server("LimitRequestLine 20000\n")
    room = 4096 - len(str(host.root / "www"))
    assert host.get("/" + "a/" * ((room - 1) // 2)).status == 404
    assert host.get("/" + "a" * room).status == 414
    host.expect_log(r"answered 414: .* LIMIT_PATH_BYTES")


def test_hot_path_is_remembered_exactly(server: Start) -> None:
    """The same path under two hosts, and paths that fall into one slot, never answer for each other."""
    host = server(f"{PYTHON}\nListen 127.0.0.1:@PORT@\n"
                  + "".join(host_section(name, more=f"<Location /p>\nSetHandler mod_python\nPythonHandler echo\nPythonOption host {name}\n</Location>\n"
                                                    f"<Location /p/x>\nPythonOption deep {name}\n</Location>") for name in ("a", "b")), files={"py/echo.py": ECHO})
    for _round in range(2):
        for name in ("a", "b"):
            assert options(host, "/p", {"Host": name}) == {"host": name}
            assert options(host, "/p/x", {"Host": name}) == {"host": name, "deep": name}
    for number in range(3000):
        path = f"/p/x/{number}" if number % 2 else f"/p/y/{number}"
        assert ("deep" in options(host, path, {"Host": "a"})) == bool(number % 2)


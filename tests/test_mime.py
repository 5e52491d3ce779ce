"""What extensions say of a file: type, charset, encodings, languages. Each row is what httpd answers, too, and it is asked."""
from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support import apache
from support.client import Client
from support.server import Server

Start = Callable[..., Server]
Fields = tuple[str | None, str | None, str | None]

FILES = ("a.html", "a.html.gz", "a.Z.gz", "a.html.PT-BR", "a.html.en", "a.html.en.fr", "a.html.en.unknown", "a.html.utf8", "a.utf8.html", "a.utf8",
         "a.latin2.utf8.html", "a.weird.utf8", "a.html.en.utf8.gz", ".en.html", "gz", "a.", "a.df", "a.en.df", "rm/a.html.gz.en.utf8", "forced/a.html.gz.en.latin2",
         "dir/index.html.en.utf8", "here/a.html.gz")
CONF = """
TypesConfig "{root}/types"
DocumentRoot "{root}/www"
DirectoryIndex index.html.en.utf8
AddEncoding x-compress .Z
AddEncoding gzip gz
AddCharset UTF-8 .utf8
AddCharset ISO-8859-2 .latin2
AddLanguage en .en
AddLanguage fr .fr
AddLanguage pt-BR .pt-br
AddType "text/weird; charset=koi8-r; v=1" .weird
ErrorDocument 404 /a.html.en.fr
<Directory "{root}/www">
    AllowOverride FileInfo
    Require all granted
</Directory>
<Files "*.df">
    DefaultLanguage de
</Files>
<Directory "{root}/www/rm">
    RemoveEncoding .gz
    RemoveLanguage en
    RemoveCharset .utf8
</Directory>
<Directory "{root}/www/forced">
    ForceType text/plain
</Directory>
"""
TREE = {**{f"www/{name}": "hello" for name in FILES}, "types": "text/html html\napplication/gzip gz\n", "www/here/.htaccess": "AddEncoding br .gz\nAddLanguage fy .html\n"}
ROWS: list[tuple[str, Fields]] = [
    ("/a.html", ("text/html", None, None)),
    ("/a.html.gz", ("application/gzip", "gzip", None)),
    ("/a.Z.gz", ("application/gzip", "x-compress, gzip", None)),
    ("/a.html.PT-BR", ("text/html", None, "pt-br")),
    ("/a.html.en", ("text/html", None, "en")),
    ("/a.html.en.fr", ("text/html", None, "en,fr")),
    ("/a.html.en.unknown", ("text/html", None, "en")),
    ("/a.html.utf8", ("text/html; charset=utf-8", None, None)),
    ("/a.utf8.html", ("text/html; charset=utf-8", None, None)),
    ("/a.utf8", (None, None, None)),
    ("/a.latin2.utf8.html", ("text/html; charset=utf-8", None, None)),
    ("/a.weird.utf8", ("text/weird; charset=utf-8; v=1", None, None)),
    ("/a.html.en.utf8.gz", ("application/gzip; charset=utf-8", "gzip", "en")),
    ("/.en.html", ("text/html", None, None)),
    ("/gz", (None, None, None)),
    ("/a.", (None, None, None)),
    ("/a.df", (None, None, "de")),
    ("/a.en.df", (None, None, "en")),
    ("/rm/a.html.gz.en.utf8", ("application/gzip", None, None)),
    ("/forced/a.html.gz.en.latin2", ("text/plain", "gzip", "en")),
    ("/dir/", ("text/html; charset=utf-8", None, "en")),
    ("/here/a.html.gz", ("application/gzip", "br", "fy")),
    ("/missing.html.gz", ("text/html", None, "en,fr")),
]


def fields_of(port: int, path: str, headers: dict[str, str] | None = None) -> Fields:
    with Client(("127.0.0.1", port)) as client:
        answer = client.request("GET", path, headers)
    return answer.header("Content-Type"), answer.header("Content-Encoding"), answer.header("Content-Language")


def readable(folder: Path) -> None:
    """By the user that httpd's workers run as."""
    for each in (folder, *folder.rglob("*")):
        each.chmod(0o755 if each.is_dir() else 0o644)


def test_what_extensions_say(server: Start) -> None:
    host = server(CONF.replace("{root}", "@ROOT@"), TREE)
    assert {path: fields_of(host.port, path) for path, _ in ROWS} == dict(ROWS)


@pytest.mark.skipif(not apache.program(), reason="no Apache httpd with its usual modules")
def test_httpd_says_the_same() -> None:
    with tempfile.TemporaryDirectory(prefix="mime") as name:
        root = Path(name)
        for path, text in TREE.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        readable(root)
        load = "".join(f"LoadModule {each}_module {apache.MODULES}/mod_{each}.so\n" for each in ("mime", "dir"))
        front = apache.Apache(root / "httpd", load + CONF.format(root=root))
        try:
            assert {path: fields_of(front.port, path) for path, _ in ROWS} == dict(ROWS)
        finally:
            front.stop()


def test_a_304_says_nothing_of_a_body(server: Start) -> None:
    host = server(CONF.replace("{root}", "@ROOT@"), TREE)
    with Client(("127.0.0.1", host.port)) as client:
        answer = client.request("GET", "/a.html.en.utf8.gz", {"If-None-Match": "*"})
    assert answer.status == 304 and not {name.lower() for name, _ in answer.headers} & {"content-type", "content-encoding", "content-language"}


def test_handlers_see_and_set_them(server: Start) -> None:
    host = server(CONF.replace("{root}", "@ROOT@") + """
        PythonPath "['@ROOT@/www'] + sys.path"
        AddHandler mod_python .py
        PythonHandler see
        """, {**TREE, "www/a.en.fr.py": "", "www/a.py": "", "www/see.py": """
from mod_python import apache
def handler(req):
    seen = req.content_languages, req.content_encoding
    req.content_type = "text/plain"
    req.write(repr(seen), 0)
    return apache.OK
"""})
    assert host.get("/a.en.fr.py").text == "(('en', 'fr'), None)" and host.get("/a.py").text == "((), None)"
    assert fields_of(host.port, "/a.en.fr.py") == ("text/plain", None, "en,fr")

"""What Python has read arrives in C's tables: looked at from inside of a running server, through the same door."""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.server import Server

LOOK = '''
import json
from pyhost import bridge
from pyhost.config import upcalls
from pyhost.config.htaccess import HtaccessCache

ffi = bridge.ffi

def plain(value, kind, holder, name):
    """A C value as JSON: text, numbers, structures, arrays by the count beside them."""
    if kind.kind in ("primitive", "enum"):
        return int(value)
    if kind.kind == "array":
        return list(ffi.buffer(value))[0:0] or ffi.buffer(value)[:].hex()
    if kind.kind == "struct":
        return struct(value)
    if not value:
        return None
    if kind.item.kind == "void":
        return "there"
    if kind.item.kind == "primitive":
        return ffi.string(value).decode("utf-8", "surrogateescape")
    stems = [name, name.removesuffix("s"), name.removesuffix("es"), name.removesuffix("ies") + "y"]
    count = next((getattr(holder, stem + "_count") for stem in stems if hasattr(holder, stem + "_count")), getattr(holder, "count", None))
    if kind.item.kind == "struct":
        return struct(value[0]) if count is None or name == "base" else [struct(value[i]) for i in range(count)]
    return [plain(value[i], kind.item, None, "") for i in range(count)]

def struct(value):
    kind = ffi.typeof(value)
    kind = kind.item if kind.kind == "pointer" else kind
    return {name: plain(getattr(value, name), field.type, value, name) for name, field in kind.fields
            if name not in ("servers", "regex", "attribute_regex", "require") or name == "require" and getattr(value, name)}

def handler(req):
    installed = upcalls.running[max(upcalls.running)]
    main = installed.main
    query = req.args or ""
    if query == "main":
        found = struct(main)
        found["types"] = found["types"][:3]
    elif query.startswith("server="):
        found = struct(main.servers[int(query[7:])])
    elif query.startswith("regex="):
        found = [s.regex.compiled != ffi.NULL for s in main.servers[0].sections[0:main.servers[0].section_count] if s.regex.pattern]
    else:
        index, ids = query.split(":")
        found = struct(installed.merge(int(index), [int(i) for i in ids.split(",") if i], []))
    req.content_type = "application/json"
    req.write(json.dumps(found, ensure_ascii=True))
    return 0
'''
CONF = """
StartServers 3
PythonImport gc::collect one
TypesConfig @ROOT@/types
<Location /Look>
    SetHandler mod_python
    PythonHandler look
    PythonPath "['@ROOT@/www'] + sys.path"
</Location>
<Directory /a>
    Options +Indexes
    ErrorDocument 404 /nf
    <FilesMatch "^x">
        PythonOption k v
        PythonLogHandler m::f | .py
    </FilesMatch>
</Directory>
<LocationMatch ^/[a-z]+$>
    <RequireAll>
        Require ip 10.0.0.0/8
        Require not user a b
    </RequireAll>
    SetEnvIf X-(A|B) ^c d=$0 !e
    Header always edit X-A b c env=!V
</LocationMatch>
<VirtualHost 127.0.0.1:81 *>
    ServerName https://Other.example:444
    ServerAlias b *.c
    Alias /caf\xc3\xa9 /d
    Redirect gone /gone
    RemoteIPInternalProxy 127.0.0.1
    RequestReadTimeout header=1-2,MinRate=3
    CustomLog @ROOT@/v.log "%h" env=X
</VirtualHost>
"""


@pytest.fixture
def look(server: Callable[..., Server]) -> Callable[[str], Any]:
    host = server(CONF.encode("latin-1").decode(), {"www/look.py": LOOK, "types": "text/a aaa\n"})
    host.check_fds = False  # the watcher of modules is opened with the first one

    def ask(query: str) -> Any:
        answer = host.get(f"/Look?{query}")
        assert answer.status == 200, answer.text
        return json.loads(answer.text)
    return ask


def test_main_conf(look: Callable[[str], Any]) -> None:
    main = look("main")
    assert (main["one_process"], main["start_servers"], main["server_count"], main["listen_count"], main["generation"]) == (1, 0, 2, 1, 1)
    assert main["imports"] == [{"module": "gc", "function": "collect", "interpreter": "one"}]
    assert main["listens"][0]["backlog"] == 511 and main["listens"][0]["where"].endswith(":" + main["listens"][0]["where"].rpartition(":")[2])
    assert main["types"][0]["key"] < main["types"][1]["key"] < main["types"][2]["key"]
    assert main["type_count"] > 100 and main["defines"] == ["ONE_PROCESS", "NO_DETACH", "DEBUG"]


def test_server_conf(look: Callable[[str], Any]) -> None:
    first, second = look("server=0"), look("server=1")
    assert (first["is_virtual"], first["server_name"], first["alias_count"], first["section_count"]) == (0, "localhost", 0, 4)
    assert (second["is_virtual"], second["server_name"], second["server_port"], second["server_scheme"]) == (1, "Other.example", 444, "https")
    assert second["alias_names"] == ["b"] and second["wild_names"] == ["*.c"]
    assert [(a["family"], a["address"][:8], a["port"]) for a in second["addresses"]] == [(2, "7f000001", 81), (0, "00000000", 0)]
    assert [(a["kind"], a["from"], a["from_len"], a["to"], a["status"]) for a in second["aliases"]] == [
        (0, "/café", 6, "/d", 0), (2, "/gone", 5, None, 410)]
    assert second["trusted_proxies"] == second["internal_proxies"] == [{"address": "0" * 20 + "ffff7f000001", "bits": 128}]
    assert second["read_header"] == {"initial_ms": 1000, "max_ms": 2000, "min_bytes_per_s": 3} and second["read_body"]["initial_ms"] == 20000
    assert [(log["format"], log["env"]) for log in second["access_logs"]] == [("%h", "X")]
    assert [(s["kind"], s["pattern"], s["pattern_len"], s["parent_id"]) for s in second["sections"]] == [
        (0, "/a", 2, -1), (3, "^x", 2, 2), (4, "/Look", 5, -1), (5, "^/[a-z]+$", 9, -1)]
    assert second["base"]["enable_sendfile"] == 1 and second["base"]["directory_index"] == ["index.html"]


def test_patterns_are_compiled(look: Callable[[str], Any]) -> None:
    assert look("regex=") == [True, True]


def test_merged_dir_conf(look: Callable[[str], Any]) -> None:
    sections = {s["pattern"]: s["id"] for s in look("server=0")["sections"]}
    merged = look(f"0:{sections['/a']},{sections['^x']},{sections['/Look']},{sections['^/[a-z]+$']}")
    assert merged["options"] == 3 and merged["error_documents"] == [{"status": 404, "target": "/nf"}]
    assert merged["python_options"] == [{"key": "k", "value": "v"}] and merged["location"] == "/Look"
    assert [(h["phase"], h["extension"], h["hooks"][0]["handler"], h["hooks"][0]["directory"]) for h in merged["hook_lists"]] == [
        (9, None, "look", "/Look"), (10, ".py", "m::f", "/a/")]
    assert merged["hook_phases"] == 1 << 9 | 1 << 10 and merged["require_needs_user"] == 1
    ip, user = merged["require"]["children"]
    assert merged["require"]["kind"] == 0 and ip["nets"][0]["bits"] == 104 and (user["negate"], user["words"]) == (1, ["a", "b"])
    rule = merged["setenvif"][0]
    assert rule["attribute"] == "X-(A|B)" and rule["set"] == [{"key": "d", "value": "$0"}, {"key": "e", "value": None}]
    header = merged["header_rules"][0]
    assert (header["op"], header["always"], header["name"], header["value"], header["env"]) == (6, 1, "X-A", "c", "!V")


def test_the_same_sections_give_the_same_structure(look: Callable[[str], Any]) -> None:
    first = look("0:")
    assert look("0:")["id"] == first["id"] and look("1:")["id"] != first["id"]

"""Merging: httpd's order of sections and each directive's rule; .htaccess between the folders; what virtual hosts inherit."""
from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import pytest

from pyhost.config.config import Config, Request, read_config
from pyhost.config.finish import HTACCESS_PHASES, finish_dir, finish_server
from pyhost.config.htaccess import HtaccessCache
from pyhost.config.merge import depth_of, merge_sections
from pyhost.errors import ConfigError, ConfigErrors
from support.server import wait_until


def read(text: str, tmp_path: Path) -> Config:
    file = tmp_path / "t.conf"
    file.write_text("Listen 1\n" + text)
    config = read_config(Request(str(file)))
    config.check()
    return config


def merged(config: Config, server: int = 0, htaccess: tuple[str, ...] = (), without: tuple[int, ...] = ()) -> dict[str, Any]:
    """Every section of the server, given in reverse: the order must come from the rules."""
    drafts = [d for d in reversed(config.servers[server].sections) if d.section.id not in without]
    drafts.sort(key=lambda d: d.place.line)
    layer, _ = merge_sections(config.servers[server].base, drafts, htaccess, HtaccessCache(config).read)
    return finish_dir(layer)


def test_order_of_sections(tmp_path: Path) -> None:
    """Each section adds its name to what is appended; the file has them in the opposite order of httpd's."""
    names = ["Location /", "LocationMatch ^/", "FilesMatch .", "Files x", "DirectoryMatch ^/", "Directory /a/b/c", "Directory /a", "Directory /"]
    text = "".join(f'<{n}>\nHeader add X "{n}"\n</{n.split()[0]}>\n' for n in names)
    found = [rule.value for rule in merged(read(text, tmp_path))["header_rules"]]
    assert found == ["Directory /", "Directory /a", "Directory /a/b/c", "DirectoryMatch ^/", "FilesMatch .", "Files x", "Location /",
                     "LocationMatch ^/"]


def test_sections_of_the_main_server_come_before_those_of_the_virtual_host(tmp_path: Path) -> None:
    text = ("<VirtualHost *:1>\nHeader add X v\n<Directory /a>\nHeader add X va\n</Directory>\n<Location />\nHeader add X vl\n</Location>\n</VirtualHost>\n"
            "Header add X m\n<Directory /a>\nHeader add X ma\n</Directory>\n<Location />\nHeader add X ml\n</Location>")
    config = read(text, tmp_path)
    drafts = config.servers[1].sections
    layer, _ = merge_sections(config.servers[1].base, drafts, (), HtaccessCache(config).read)
    assert [rule.value for rule in finish_dir(layer)["header_rules"]] == ["m", "v", "ma", "va", "ml", "vl"]


RULES: list[tuple[str, str, str, str, Any]] = [  # outer, inner, field, what of each item, result
    ("SetHandler a", "SetHandler b", "set_handler", "", "b"),
    ("SetHandler a", "SetHandler None", "set_handler", "", ""),
    ("Options Indexes", "Options +ExecCGI", "options", "", 9),
    ("Options +Indexes", "Options -FollowSymLinks", "options", "", 1),
    ("Options +Indexes", "Options None", "options", "", 0),
    ("DirectoryIndex a", "DirectoryIndex b c", "directory_index", "", ("b", "c")),
    ("AddType text/a .a .b", "AddType text/c .b", "add_type", "value", ["text/a", "text/c"]),
    ("AddHandler a .a .b", "RemoveHandler .a", "add_handler", "key", [".b"]),
    ("ErrorDocument 404 /a\nErrorDocument 500 /b", "ErrorDocument 404 default", "error_documents", "status", [500]),
    ("Require all denied", "Require user x", "require", "", None),
    ("SetEnv A 1\nSetEnv B 1", "SetEnv A 2", "setenv", "value", ["2", "1"]),
    ("SetEnvIf A b c", "SetEnvIf D e f", "setenvif", "attribute", ["A", "D"]),
    ("Redirect /a /b", "Redirect /c /d", "redirects", "from_", ["/c", "/a"]),
    ("PythonOption A 1\nPythonOption b 1", "PythonOption a 2", "python_options", "value", ["2", "1"]),
    ("PythonDebug On\nPythonPath \"['/x']\"", "PythonDebug Off", "python_config", "value", ["0", "['/x']"]),
    ("PythonDebug On", "PythonDebug Off", "python_debug", "", 0),
    ("PythonInputFilter a N\nPythonInputFilter b M", "PythonInputFilter c n", "input_filters", "name", ["n", "M"]),
    ("SetOutputFilter A", "SetOutputFilter B", "set_output_filters", "", ("B",)),
    ("AuthType Basic", "AuthType None", "auth_type", "", None),
    ("AddDefaultCharset On", "AddDefaultCharset Off", "default_charset", "", None),
    ("LimitRequestBody 5", "LimitRequestBody 0", "limit_request_body_bytes", "", 0),
]


@pytest.mark.parametrize("outer, inner, field, part, result", RULES)
def test_rules(outer: str, inner: str, field: str, part: str, result: Any, tmp_path: Path) -> None:
    found = merged(read(f"<Directory />\n{outer}\n</Directory>\n<Directory /a>\n{inner}\n</Directory>", tmp_path))[field]
    if field == "require":
        assert found.words == ("x",)
    else:
        assert ([getattr(item, part) for item in found] if part else found) == result


def test_handler_lists_are_replaced_by_phase_and_extension(tmp_path: Path) -> None:
    text = ("<Directory />\nPythonHandler a b\nPythonHandler x | .x\nPythonLogHandler l\n</Directory>\n"
            "<Directory /a>\nPythonHandler c\nPythonHandler d\n</Directory>")
    lists = {(each.phase.name, each.extension): [hook.handler for hook in each.hooks] for each in merged(read(text, tmp_path))["hook_lists"]}
    assert lists == {("CONTENT", None): ["c", "d"], ("CONTENT", ".x"): ["x"], ("LOG", None): ["l"]}


def test_two_sections_of_one_directory_are_two_sections(tmp_path: Path) -> None:
    text = "<Directory /a>\nPythonHandler a\n</Directory>\n<Directory /a>\nPythonHandler b\n</Directory>"
    assert [hook.handler for hook in merged(read(text, tmp_path))["hook_lists"][0].hooks] == ["b"]


def test_virtual_hosts_inherit(tmp_path: Path) -> None:
    config = read("ServerName main\nTimeout 5\nKeepAlive Off\nPythonOption a 1\nSetHandler x\nAlias /a /b\nErrorLog e\nPythonHandler h\n"
                  "<VirtualHost *:1>\nServerName v:81\nKeepAlive On\nAlias /c /d\nPythonOption a 2\n</VirtualHost>\n<VirtualHost *:2>\n</VirtualHost>",
                  tmp_path)
    one, two = finish_server(config.servers[1].layer), finish_server(config.servers[2].layer)
    assert (one["server_name"], one["server_port"], one["timeout_ms"], one["keep_alive"]) == ("v", 81, 5000, 1)
    assert [alias.from_ for alias in one["aliases"]] == ["/c", "/a"]
    assert one["python_options"][0].value == "2" and one["error_log"] == str(tmp_path / "e")
    assert (two["server_name"], two["keep_alive"]) == ("main", 0)
    assert finish_dir(config.servers[1].base)["set_handler"] == "x"
    assert finish_dir(config.servers[1].base)["python_options"][0].value == "2"
    assert config.servers[1].fields()["python_hook_phases"] == 1 << 9


def test_wsgi_alias_is_a_location_that_others_can_change(tmp_path: Path) -> None:
    config = read("<Location /app>\nPyRequestTimeout 5\n</Location>\nPyWSGIAlias /app m:app", tmp_path)
    found = merged(config)
    assert (found["set_handler"], found["wsgi_application"], found["location"], found["request_timeout_ms"]) == ("wsgi", "m:app", "/app", 5000)


def test_location_is_the_last_one_that_matched(tmp_path: Path) -> None:
    assert merged(read("<Location />\n</Location>\n<Location /a/>\n</Location>\n<LocationMatch ^/a>\n</LocationMatch>", tmp_path))["location"] == "/a"
    assert "location" not in merged(read("<Directory />\n</Directory>", tmp_path))


@pytest.mark.parametrize("path, depth", [("/", 0), ("/a", 1), ("/a/b/", 2), ("/a/.htaccess", 2)])
def test_depth(path: str, depth: int) -> None:
    assert depth_of(path) == depth


# --- .htaccess

def tree(tmp_path: Path, **files: str) -> tuple[str, ...]:
    paths = []
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/") / ".htaccess"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        paths.append(str(path))
    return tuple(paths)


def test_htaccess_stands_between_the_folders(tmp_path: Path) -> None:
    paths = tree(tmp_path, a="Header add X ha\n", a__b="Header add X hb\n")
    text = "".join(f'<Directory "{tmp_path}{p}">\nHeader add X "{p}"\n</Directory>\n' for p in ("/a/b/c", "/a/b", "/a", ""))
    config = read(f"<Directory />\nAllowOverride All\n</Directory>\n{text}<Location />\nHeader add X l\n</Location>", tmp_path)
    assert [rule.value for rule in merged(config, htaccess=paths)["header_rules"]] == ["", "/a", "ha", "/a/b", "hb", "/a/b/c", "l"]
    assert config.servers[0].has_htaccess and config.servers[0].fields()["python_hook_phases"] == HTACCESS_PHASES


def test_htaccess_is_not_read_without_allow_override(tmp_path: Path) -> None:
    paths = tree(tmp_path, a="This is not even a directive\n")
    config = read(f'<Directory "{tmp_path}">\nAllowOverride All\n</Directory>\n<Directory "{tmp_path}/a">\nAllowOverride None\n</Directory>', tmp_path)
    merged(config, htaccess=paths)


@pytest.mark.parametrize("allow, line, fault", [
    ("FileInfo", "SetHandler x", ""),
    ("Indexes", "SetHandler x", "SetHandler: AllowOverride FileInfo expected for this folder"),
    ("AuthConfig", "Require all granted", ""),
    ("FileInfo", "Require all granted", "Require: AllowOverride AuthConfig expected for this folder"),
    ("Options", "Options +Indexes", ""),
    ("Options=Indexes,FollowSymLinks", "Options +Indexes -FollowSymLinks", ""),
    ("FileInfo Options=Indexes", "Options None", ""),
    ("Options=Indexes,FollowSymLinks", "Options ExecCGI", "Options: Indexes, FollowSymLinks expected here, as AllowOverride says, not ExecCGI"),
    ("Options=Indexes", "Options All", "Options: Indexes expected here, as AllowOverride says, not All"),
    ("Options=Indexes", "Options -FollowSymLinks", "Options: Indexes expected here, as AllowOverride says, not -FollowSymLinks"),
    ("FileInfo Options=", "Options Indexes", "Options: None expected here, as AllowOverride says, not Indexes"),
    ("Indexes", "DirectoryIndex x", ""),
    ("Limit", "PythonHandler x", ""),
    ("All", "Listen 1", "Listen: expected in: server; not in: .htaccess"),
    ("All", "Timeout 1", "Timeout: expected in: server, virtual host; not in: .htaccess"),
    ("All", "Include x", "Include: not allowed in .htaccess files"),
    ("All", "<Directory /x>\n</Directory>", "<Directory>: not expected in: .htaccess"),
    ("All", "PythonOutputFilter x", "PythonOutputFilter: expected in: server"),
    ("FileInfo", "<Files x>\nRequire all granted\n</Files>", "Require: "),
    ("All", "Require not ip 1", "no negative requirement expected in <RequireAny>"),
])
def test_what_htaccess_may_have(allow: str, line: str, fault: str, tmp_path: Path) -> None:
    paths = tree(tmp_path, a=line + "\n")
    config = read(f"<Directory />\nAllowOverride {allow}\n</Directory>", tmp_path)
    if not fault:
        merged(config, htaccess=paths)
        return
    with pytest.raises(ConfigErrors) as caught:
        merged(config, htaccess=paths)
    assert fault in str(caught.value) and str(caught.value).startswith(paths[0])


def test_htaccess_handlers_have_its_folder_and_files_their_parent(tmp_path: Path) -> None:
    paths = tree(tmp_path, a="PythonHandler h\n<Files x.py>\nPythonHandler x\n</Files>\n")
    config = read("<Directory />\nAllowOverride All\n</Directory>", tmp_path)
    cache = HtaccessCache(config)
    layer, files = merge_sections(config.servers[0].base, config.servers[0].sections, paths, cache.read)
    assert finish_dir(layer)["hook_lists"][0].hooks[0].directory == f"{tmp_path}/a/"
    assert files[0].section.pattern == "x.py" and files[0].section.id >= config.next_id
    layer, _ = merge_sections(config.servers[0].base, config.servers[0].sections + files, paths, cache.read)
    assert [hook.handler for hook in finish_dir(layer)["hook_lists"][0].hooks] == ["x"]


def test_htaccess_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    paths = tree(tmp_path, a="SetHandler one\n")
    config = read("<Directory />\nAllowOverride All\n</Directory>", tmp_path)
    cache = HtaccessCache(config)

    def handler() -> Any:
        return merge_sections(config.servers[0].base, config.servers[0].sections, paths, cache.read)[0].get("dir.set_handler")

    assert handler() == "one"
    first = cache.read(paths[0], 31)[0]
    for name in ("two", "six", "two"):  # as long, and within one tick of the clock
        Path(paths[0]).write_text(f"SetHandler {name}\n")
        assert handler() == name
    Path(paths[0]).unlink()
    assert handler() is None and cache.version(paths[0]) == 0
    Path(paths[0]).write_text("SetHandler one\n")
    assert handler() == "one" and cache.read(paths[0], 31)[0] is not first


def test_a_fault_in_htaccess_is_found_once_and_one_of_the_moment_is_forgotten(tmp_path: Path) -> None:
    paths = tree(tmp_path, a="Nonsense\n")
    cache = HtaccessCache(read("<Directory />\nAllowOverride All\n</Directory>", tmp_path))

    def faults() -> list[ConfigError]:
        with pytest.raises(ConfigErrors) as raised:
            cache.read(paths[0], 31)
        return raised.value.errors

    assert faults()[0] is faults()[0] and "Nonsense" in str(faults()[0])
    Path(paths[0]).write_text("SetHandler one\n")
    wait_until(lambda: cache.state(paths[0]) == cache.state(paths[0]), "it is no file just changed")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        found = faults()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "a readable file expected" in str(found[0]) and cache.read(paths[0], 31)[0] == {"dir.set_handler": "one"}


def test_htaccess_that_is_written_again_and_again_is_one_version(tmp_path: Path) -> None:
    """What is made of each version is kept until the next reload."""
    paths = tree(tmp_path, a="<If true>\nSetHandler one\n</If>\n")
    config = read("<Directory />\nAllowOverride All\n</Directory>", tmp_path)
    cache = HtaccessCache(config)
    seen = {id(cache.read(paths[0], 31)[0])}
    for _ in range(20):
        Path(paths[0]).write_text(Path(paths[0]).read_text())
        seen.add(id(cache.read(paths[0], 31)[0]))
    assert len(seen) == 1 and cache.version(paths[0]) == 1 and len(cache.by_id) == 1
    Path(paths[0]).write_text("SetHandler two\n")
    assert cache.version(paths[0]) == 2 and cache.read(paths[0], 31)[0] == {"dir.set_handler": "two"}


def test_a_thousand_virtual_hosts_and_locations_are_read_quickly(tmp_path: Path) -> None:
    hosts = "".join(f"<VirtualHost *:80>\nServerName h{i}\nDocumentRoot /\n<Directory /h{i}>\nRequire all granted\n</Directory>\n</VirtualHost>\n"
                    for i in range(1000))
    places = "".join(f"<Location /l{i}>\nSetHandler mod_python\nPythonHandler m{i}\n</Location>\n" for i in range(1000))
    started = time.process_time()
    config = read(hosts + places, tmp_path)
    assert time.process_time() - started < 2.0  # about 0.2 s on an idle machine
    assert len(config.servers) == 1001

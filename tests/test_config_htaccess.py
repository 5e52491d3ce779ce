"""Per-folder files in the running server: they hold at once, change at once, and break one folder only."""
from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from support.server import Server, wait_until

CONF = """
<Directory "@ROOT@/www">
    Require all granted
    AllowOverride All
</Directory>
<Directory "@ROOT@/www/closed">
    AllowOverride None
</Directory>
<Directory "@ROOT@/www/few">
    AllowOverride Indexes
</Directory>
"""
HANDLER = "def handler(req):\n    req.write('%s %s' % (req.hlist.directory, req.get_options().get('o')))\n    return 0\n"


@pytest.fixture
def host(server: Callable[..., Server]) -> Server:
    found = server(CONF, {"www/a.txt": "a", "www/open/a.txt": "a", "www/open/deep/a.txt": "a", "www/open/b.txt": "b", "www/closed/a.txt": "a",
                          "www/few/a.txt": "a", "www/open/h.py": HANDLER})
    found.check_fds = False  # modules are watched from the first one on
    return found


def test_it_holds_in_its_folder_and_below(host: Server) -> None:
    host.write("www/open/.htaccess", "Header set X-From open\n")
    host.write("www/open/deep/.htaccess", "Header append X-From deep\n")
    assert [host.get(path).header("X-From") for path in ("/a.txt", "/open/a.txt", "/open/deep/a.txt")] == [None, "open", "open, deep"]


def test_changes_hold_at_once(host: Server) -> None:
    assert host.get("/open/a.txt").status == 200
    host.write("www/open/.htaccess", "Require all denied\n")
    host.allow_log("denied by server configuration")
    assert host.get("/open/a.txt").status == 403 and host.get("/a.txt").status == 200
    for number in range(5):
        host.write("www/open/.htaccess", f"Require all granted\nHeader set X-N {number}\n")
        assert host.get("/open/a.txt").header("X-N") == str(number)
    (host.root / "www/open/.htaccess").unlink()
    assert host.get("/open/a.txt").header("X-N") is None


def test_files_sections_choose_by_name(host: Server) -> None:
    host.write("www/open/.htaccess", '<Files "b.*">\nHeader set X-File b\n</Files>\n<FilesMatch "^a">\nHeader set X-File a\n</FilesMatch>\n')
    assert [host.get(f"/open/{name}").header("X-File") for name in ("a.txt", "b.txt", "h.py")] == ["a", "b", None]


def test_handlers_have_its_folder(host: Server) -> None:
    host.write("www/open/.htaccess", "SetHandler mod_python\nPythonHandler h\nPythonOption o 1\n")
    assert host.get("/open/x").text == f"{host.root}/www/open/ 1"
    host.write("www/open/.htaccess", "SetHandler mod_python\nPythonHandler h\nPythonOption o 2\n")
    assert host.get("/open/x").text == f"{host.root}/www/open/ 2"


def test_a_fault_breaks_one_folder_and_is_named(host: Server) -> None:
    host.write("www/open/.htaccess", "\nNonsense 1\nKeepAlive On\n")
    assert host.get("/open/a.txt").status == 500 and host.get("/a.txt").status == 200
    host.expect_log(r"www/open/\.htaccess:2: Nonsense: a directive expected")
    host.expect_log(r"www/open/\.htaccess:3: KeepAlive: expected in: server, virtual host; not in: \.htaccess")
    host.write("www/open/.htaccess", "")
    wait_until(lambda: host.get("/open/a.txt").status == 200, "the folder to be whole again")


def test_allow_override_decides(host: Server) -> None:
    host.write("www/closed/.htaccess", "Nonsense\n")
    assert host.get("/closed/a.txt").status == 200
    host.write("www/few/.htaccess", "DirectoryIndex a.txt\n")
    assert host.get("/few/").text == "a"
    host.write("www/few/.htaccess", "SetHandler x\n")
    assert host.get("/few/a.txt").status == 500
    host.expect_log(r"www/few/\.htaccess:1: SetHandler: AllowOverride FileInfo expected")


def test_it_is_not_served(host: Server) -> None:
    host.write("www/open/.htaccess", "Header set X-From open\n")
    host.allow_log("denied")
    assert host.get("/open/.htaccess").status == 403


def test_a_fault_is_told_at_each_request_and_read_once(host: Server) -> None:
    """A broken file of a megabyte must not be read for every request."""
    host.write("www/open/.htaccess", "# filler\n" * 100_000 + "Nonsense\n" * 100)
    os.utime(host.root / "www/open/.htaccess", (1, 1))
    for _ in range(5):
        assert host.get("/open/a.txt").status == 500
    wait_until(lambda: host.error_log.count(".htaccess:100001: Nonsense") == 5, "each is told")
    assert ".htaccess:100020: Nonsense" in host.error_log and ".htaccess:100021: Nonsense" not in host.error_log
    host.allow_log("Nonsense")


@pytest.mark.parametrize("text", ["<RequireAll>\n" + "Nonsense\n" * 100 + "</RequireAll>\n", "</Nonsense>\n" * 15 + "Nonsense\n" * 15])
def test_faults_of_every_kind_are_bounded(host: Server, text: str) -> None:
    host.write("www/open/.htaccess", text)
    assert host.get("/open/a.txt").status == 500
    host.expect_log("Nonsense")
    host.allow_log("Nonsense|Require")
    host.stop()
    assert host.error_log.count("Nonsense") == 20


def test_a_name_that_cannot_exist_is_not_found(host: Server) -> None:
    """Nobody can fill the log with it, either."""
    answers = [host.get(f"/open/{'x' * length}{rest}") for length in (255, 256, 4000) for rest in ("", "/y")]
    assert {answer.status for answer in answers} == {404}

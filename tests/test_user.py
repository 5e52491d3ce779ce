"""User and Group: workers become somebody else, the master does not; logs they could not open themselves are opened again for them."""
from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.cgi import ALIAS, helpers, script_server
from support.server import Server, open_files, wait_until

Start = Callable[..., Server]
PAGE = {"www/a.txt": "a"}
ROOT = Path(__file__).resolve().parent.parent


def status_of(pid: int, field: str) -> list[str]:
    """Return the words of a field of /proc/PID/status."""
    return re.search(rf"(?m)^{field}:\s*(.*)$", Path(f"/proc/{pid}/status").read_text())[1].split()  # type: ignore[index]


def others_may_read(path: Path) -> bool:
    return all(os.stat(folder).st_mode & 0o001 for folder in [path, *path.parents])


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not below pytest's own folder, which is closed to others (and shut again by whoever runs pytest beside us)."""
    with tempfile.TemporaryDirectory(prefix="pyhost-user-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder for a Python that everybody can read."""
    with tempfile.TemporaryDirectory(prefix="pyhost-python-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def readable(tmp_path: Path, home: Path) -> dict[str, str]:
    """The environment of a server whose workers are nobody: a Python that they can read."""
    if os.geteuid() != 0:
        pytest.skip("only root can change users")
    library = Path(sysconfig.get_paths()["stdlib"])
    for needed in (ROOT / "pyhost", Path(sys.prefix), tmp_path):
        if not others_may_read(needed):
            pytest.skip(f"nobody cannot read {needed}")
    if others_may_read(library):
        return {}
    if not any(home.iterdir()):
        ignore = shutil.ignore_patterns("test", "tests", "idlelib", "tkinter", "ensurepip", "site-packages", "config-*", "lib2to3", "*.pyc")
        shutil.copytree(library, home / "lib" / library.name, ignore=ignore, symlinks=True)
    return {"PYTHONHOME": str(home)}


def test_workers_become_the_user_and_the_master_stays(server: Start, readable: dict[str, str]) -> None:
    nobody = pwd.getpwnam("nobody")
    host = server("User nobody", PAGE, workers=2, env=readable)
    for pid in host.workers():
        assert set(status_of(pid, "Uid")) == {str(nobody.pw_uid)}
        assert set(status_of(pid, "Gid")) == {str(nobody.pw_gid)}
        assert set(status_of(pid, "Groups")) <= {str(nobody.pw_gid)}
        assert int(status_of(pid, "CapEff")[0], 16) == 0
    assert status_of(host.pid, "Uid")[0] == "0"
    assert host.get("/a.txt").body == b"a"
    workers = host.workers()
    host.process.kill()  # type: ignore[union-attr]
    host.exit_status = -signal.SIGKILL
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "they notice that the master is dead")


def test_workers_of_another_user_get_reopened_logs_from_the_master(server: Start, readable: dict[str, str]) -> None:
    host = server('User nobody\nCustomLog "@ROOT@/private/access.log" common', PAGE | {"private/.keep": ""}, workers=2, env=readable)
    (host.root / "private").chmod(0o700)
    host.get("/a.txt")
    wait_until(lambda: host.read("private/access.log"), "a line")
    (host.root / "private" / "access.log").rename(host.root / "private" / "old.log")
    host.send_signal(signal.SIGUSR1)

    def new_file_is_used() -> str:
        host.get("/a.txt")
        return host.read("private/access.log")

    wait_until(new_file_is_used, "a line in the new file")
    for pid in host.workers():
        wait_until(lambda pid=pid: not any("old.log" in name for name in open_files(pid)), "the old file is closed")


def test_scripts_run_as_the_user(server: Start, readable: dict[str, str]) -> None:
    nobody = pwd.getpwnam("nobody")
    host = script_server(server, {"who.sh": "#!/bin/sh\necho\nid -u; id -g; id -G\ngrep CapEff /proc/self/status\n"}, f"User nobody\n{ALIAS}",
                         workers=1, env=readable)
    user, group, groups, *capabilities = host.get("/cgi-bin/who.sh").text.splitlines()
    assert (int(user), int(group)) == (nobody.pw_uid, nobody.pw_gid) and set(map(int, groups.split())) == {nobody.pw_gid}
    assert int(capabilities[0].split()[1], 16) == 0
    for pid in helpers(host):
        assert set(status_of(pid, "Uid")) == {str(nobody.pw_uid)}


def test_a_group_can_change_alone(server: Start) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can change groups")
    host = server("User root\nGroup #65534", PAGE, workers=1)
    host.expect_log("workers run as root, as User says")
    assert set(status_of(host.workers()[0], "Gid")) == {"65534"}
    assert host.get("/a.txt").body == b"a"


def test_a_user_that_does_not_exist_is_an_error(server: Start) -> None:
    host = server("User nobody-of-that-name", PAGE, workers=1, started=False)
    done = host.run_to_end()
    assert done.returncode == 1
    assert re.search(r"User: .*nobody-of-that-name", done.stderr)

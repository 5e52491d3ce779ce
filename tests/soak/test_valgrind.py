"""The hazard cases under valgrind's memcheck: nothing is read or written that a switch of stacks has made somebody else's.

No suppressions: CPython (with malloc in place of its own allocator) and greenlet's copying of stacks are clean by themselves. What remains at the end
is not looked at: a worker leaves by _exit with its interpreters alive.
"""
from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import support.server
from support.client import Client
from support.library import build_library
from support.server import Server

APPS = Path(__file__).parent.parent / "apps"
CONF = f"""
PyGreenLibraries libhazard
<Location />
    SetHandler mod_python
    PythonHandler green_app
    PythonPath "['{APPS}'] + sys.path"
    PyBlockedWarning Off
</Location>
"""
CASE_SECONDS = 120.0
TIMED = {"identity", "thread_tells_its_longest_stretch", "where_tells_all_of_them"}  # they count on a clock that is not valgrind's
FILES = ("green_cases.py", "green_hazards.py", "green_library.py", "green_coro.py")
CASES = [name for file in FILES for name in re.findall(r"^def (\w+)\(\) -> None:", (APPS / file).read_text(), re.MULTILINE) if name not in TIMED]


@pytest.fixture(scope="module")
def watched(binary: Path, base_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server under valgrind, whose clock is slow: its bounds are longer."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("valgrind is not installed")
    folder = tmp_path_factory.mktemp("valgrind")
    wrapper = folder / "pyhost-valgrind"
    wrapper.write_text(f"#!/bin/sh\nexec {valgrind} --tool=memcheck --num-callers=30 --max-stackframe=8000000 --error-exitcode=99 "
                       f"--log-file={folder}/report {binary} \"$@\"\n")
    wrapper.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(support.server, "START_SECONDS", 300.0)
        patch.setattr(support.server, "STOP_SECONDS", 120.0)
        host = Server(wrapper, folder, CONF, {}, ("-X",), {**base_env, "PYTHONMALLOC": "malloc", **build_library(folder)})
        host.start()
        yield host
        host.stop()


@pytest.mark.parametrize("name", CASES)
def test_case_is_right_under_valgrind(watched: Server, name: str) -> None:
    with Client(watched.address, timeout=CASE_SECONDS) as client:
        answer = client.request("GET", f"/case?{name}").text
    late = answer.startswith("Traceback") and re.search(r"AssertionError: [\d.]+ s, at most|within\(", answer)
    assert answer == "ok" or late, answer  # memory is what matters here, not time


def test_valgrind_reports_nothing(watched: Server) -> None:
    status = watched.stop()
    report = watched.read("report")
    summary = re.search(r"ERROR SUMMARY: (\d+) errors", report)
    assert summary is not None and summary[1] == "0" and status == 0, report[-8000:]
    print(f"valgrind: {summary[0]} after {len(CASES)} cases")

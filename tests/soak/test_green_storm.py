"""Half a minute of everything at once: greenlets that wait on everything while exceptions are thrown into them and real threads work beside."""
from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from support.server import Server

APPS = Path(__file__).parent.parent / "apps"
SECONDS = 30.0


def resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def test_storms_lose_nobody_and_leak_nothing(server: Callable[..., Server]) -> None:
    host = server(f"""
<Location />
    SetHandler mod_python
    PythonHandler green_app
    PythonPath "['{APPS}'] + sys.path"
</Location>
""")
    end, sizes, rounds = time.monotonic() + SECONDS, [], 0
    while time.monotonic() < end:
        for name in ("random_storm", "exceptions_thrown_into_waits", "several_wait_on_one_descriptor", "real_threads", "children"):
            assert host.request("GET", f"/case?{name}").text == "ok"
        sizes.append(resident_kib(host.workers()[0]))
        rounds += 1
    assert rounds >= 5
    assert sizes[-1] < sizes[rounds // 2] * 1.2 + 4096, sizes
    host.allow_log(r"\[python:error\]")  # what was thrown into greenlets that had something else to say about it

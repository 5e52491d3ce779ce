"""CPython's own tests inside a handler greenlet, and in a thread of the plain interpreter, which is what a handler has to be like."""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .client import Client
from .server import Server

__all__ = ["SKIPPED", "check", "conf"]

FOLDER = Path(__file__).parent.parent / "regrtest"
LIMIT_SECONDS = 300.0
SKIPPED = ["VSOCK", "Vsock"]  # hang in the plain interpreter too, on machines without such sockets
if sys.version_info >= (3, 13):
    SKIPPED.append("SubinterpThreadingTests")  # abort in any thread of the plain interpreter that is not its main one
    SKIPPED.append("InterruptMainTests")  # fail in a plain thread too; here the main thread is the one that runs the handler: a later test is interrupted
NETWORK = {"test_socketserver"}  # "network" for it means the loopback interface


def conf() -> str:
    return f"""
Timeout {int(LIMIT_SECONDS)}
<Location />
    SetHandler mod_python
    PythonHandler regrtest_app
    PythonPath "['{FOLDER}'] + sys.path"
    PyBlockedWarning Off
</Location>
"""


def plain(module: str, only: list[str]) -> dict[str, str]:
    """Return how each test ends in a thread of the plain interpreter."""
    command = [sys.executable, str(FOLDER / "runner.py"), module, json.dumps(only), json.dumps(SKIPPED)]
    env = {**os.environ, "REGRTEST_USE": "network" if module in NETWORK else ""}
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    return dict(json.loads(done.stdout.splitlines()[-1]).get("ends", {})) if done.stdout else {}


def inside(host: Server, module: str, only: list[str]) -> tuple[dict[str, str], str]:
    """Return how each test ends in a handler, and what was printed about those that failed."""
    with Client(host.address, timeout=LIMIT_SECONDS) as client:
        body = client.request("POST", "/run", {"Content-Type": "application/json"}, json.dumps([module, only, SKIPPED]).encode()).text
    answer = json.loads(body)
    return answer.get("ends", {}), answer.get("text", "")


def check(server: Callable[..., Server], module: str, only: list[str] | None = None) -> None:
    """Fail where a test ends worse in a handler than in a plain thread."""
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(f"test.{module}") is None:
        pytest.skip(f"this Python has no test.{module}")
    host = server(conf(), env={"REGRTEST_USE": "network"} if module in NETWORK else None)
    host.check_fds = False  # tests of CPython leave some behind, in both places
    ends, text = inside(host, module, only or [])
    assert ends, text
    bad = {name for name, end in ends.items() if end not in ("ok", "skipped")}
    if bad:
        expected = plain(module, only or [])
        bad = {name for name in bad if expected.get(name, "ok") in ("ok", "skipped")}
    host.allow_log(".")
    assert not bad, f"{sorted(bad)}\n{text[-6000:]}"

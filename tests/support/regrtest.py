"""CPython's own tests inside greenlets, and in the plain interpreter, which is what they have to be like.

A handler is to Python a thread that is not the main one, so it is held to such a thread; the main code of a script (`pyhost runner.py`) counts as
the main thread, so it is held to the main thread.
"""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .client import Client
from .server import Server

__all__ = ["RESULTS", "Ends", "check", "check_script", "conf"]

FOLDER = Path(__file__).parent.parent / "regrtest"
LIMIT_SECONDS = 900.0
SKIPPED = ["VSOCK", "Vsock"]  # hang in the plain interpreter too, on machines without such sockets
SKIPPED_IN_THREADS = ["InterruptMainTests"]  # fail in a plain thread from 3.12 on; in a handler the interrupt comes later, in another test
# wait for handlers of signals that they set: ValueError in a plain thread, ignored with a warning in a handler of pyhost
SKIPPED_IN_THREADS += ["sendall_interrupted", "InterruptedRecvTimeoutTest", "InterruptedSendTimeoutTest", "SocketWriterTest.test_write", "SignalsTest"]
if sys.version_info >= (3, 13):
    SKIPPED_IN_THREADS.append("SubinterpThreadingTests")  # abort in any thread of the plain interpreter that is not its main one
NETWORK = {"test_socketserver"}  # "network" for it means the loopback interface
GOOD = ("ok", "skipped")


@dataclass(slots=True)
class Ends:
    """How one module's tests ended here and in the plain interpreter."""

    module: str
    where: str
    here: Counter[str] = field(default_factory=Counter)
    plain: Counter[str] = field(default_factory=Counter)
    again: int = 0  # failed once, passed alone


RESULTS: list[Ends] = []  # of this run, for the summary
Run = Callable[[list[str]], tuple[dict[str, str], str]]


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


def environment(module: str) -> dict[str, str]:
    return {"REGRTEST_USE": "network" if module in NETWORK else ""}


def by_runner(program: str, where: str, module: str, only: list[str]) -> tuple[dict[str, str], str]:
    """Run it by a program that takes a script; where: "main" or "thread"."""
    skipped = SKIPPED + (SKIPPED_IN_THREADS if where == "thread" else [])
    command = [program, str(FOLDER / "runner.py"), where, module, json.dumps(only), json.dumps(skipped)]
    done = subprocess.run(command, env={**os.environ, **environment(module)}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=LIMIT_SECONDS, check=False)
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {}, done.stdout + done.stderr
    return dict(answer.get("ends", {})), str(answer.get("text", ""))


def inside(host: Server, module: str, only: list[str]) -> tuple[dict[str, str], str]:
    """Return how each test ends in a handler, and what was printed about those that failed."""
    with Client(host.address, timeout=LIMIT_SECONDS) as client:
        body = client.request("POST", "/run", {"Content-Type": "application/json"}, json.dumps([module, only, SKIPPED + SKIPPED_IN_THREADS]).encode()).text
    answer = json.loads(body)
    return answer.get("ends", {}), answer.get("text", "")


def need(module: str) -> None:
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(f"test.{module}") is None:
        pytest.skip(f"this Python has no test.{module}")


def worse(ends: dict[str, str], expected: dict[str, str]) -> set[str]:
    return {name for name, end in ends.items() if end not in GOOD and expected.get(name, "ok") in GOOD}


def compare(module: str, where: str, here: Run, plain: Run, only: list[str], counted: bool) -> None:
    """Fail where a test ends worse here than in the plain interpreter, twice: the second time alone. counted: the plain one runs in any case."""
    ends, text = here(only)
    assert ends, text
    result = Ends(module, where, Counter(ends.values()))
    RESULTS.append(result)
    bad = {name for name, end in ends.items() if end not in GOOD}
    if bad or counted:
        expected, _ = plain(only)
        result.plain = Counter(expected.values())
        bad = worse(ends, expected)
    if bad:
        once_more, more_text = here(sorted(bad))
        still = worse(once_more, {}) | (bad - set(once_more))
        result.again = len(bad) - len(still)
        result.here["ok"] += result.again
        assert not still, f"{sorted(still)}\n{text[-6000:]}\n{more_text[-3000:]}"


def check(server: Callable[..., Server], module: str, only: list[str] | None = None, counted: bool = False) -> None:
    """In a handler as in a thread."""
    need(module)
    host = server(conf(), env=environment(module))
    host.check_fds = False  # tests of CPython leave some behind, in both places
    host.allow_log(".")
    compare(module, "handler", lambda names: inside(host, module, names), lambda names: by_runner(sys.executable, "thread", module, names),
            only or [], counted)


def check_script(binary: Path, module: str, counted: bool = False) -> None:
    """In the main code of a script as in the main thread."""
    need(module)
    compare(module, "script", lambda names: by_runner(str(binary), "main", module, names),
            lambda names: by_runner(sys.executable, "main", module, names), [], counted)

"""What a long run has found, printed at its end."""
from __future__ import annotations

from typing import Any

from support import regrtest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print CPython's own tests: how many passed here and in the plain interpreter, by module and in all; and what valgrind and the sanitizers said."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call" and report.capstdout.startswith(("valgrind: ", "sanitizers: ")):
            terminalreporter.write_line(report.capstdout.strip())
    for where, beside in (("handler", "thread"), ("script", "main thread")):
        results = [result for result in regrtest.RESULTS if result.where == where]
        if not results:
            continue
        terminalreporter.section(f"CPython's tests in a {where}, and in the {beside} of the plain interpreter")
        for result in results:
            again = f"; {result.again} at the second attempt" if result.again else ""
            terminalreporter.write_line(f"{result.module}: {dict(result.here)}{again}; plain: {dict(result.plain)}")
        passed, plain = sum(result.here["ok"] for result in results), sum(result.plain["ok"] for result in results)
        terminalreporter.write_line(f"all {len(results)} modules: {passed} tests pass in a {where}, {plain} in the {beside}")

"""Run one module of CPython's own test suite and say how each test ended. Used inside a handler, by a script, and by the plain interpreter."""
from __future__ import annotations

import importlib
import io
import json
import os
import sys
import tempfile
import threading
import unittest


class Collector(unittest.TextTestResult):
    """How each test ended, by its id."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.ends: dict[str, str] = {}
        self.log = os.environ.get("REGRTEST_LOG")

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self.ends[test.id()] = "ok"
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{test.id()}\n")

    def note(self, test: unittest.TestCase, end: str) -> None:
        self.ends[test.id()] = end

    def addError(self, test, err) -> None:  # type: ignore[no-untyped-def]
        super().addError(test, err)
        self.note(test, "error")

    def addFailure(self, test, err) -> None:  # type: ignore[no-untyped-def]
        super().addFailure(test, err)
        self.note(test, "failure")

    def addSubTest(self, test, subtest, err) -> None:  # type: ignore[no-untyped-def]
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failure")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self.note(test, "skipped")


def patterns_of(suite: unittest.TestSuite, skip: list[str]) -> unittest.TestSuite:
    """Return the suite without tests whose id contains one of the words."""
    kept = unittest.TestSuite()
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            kept.addTest(patterns_of(item, skip))
        elif not any(word in item.id() for word in skip):
            kept.addTest(item)
    return kept


def run(module: str, only: list[str], skip: list[str]) -> dict[str, object]:
    """Run `test.<module>`; only: words of which one must be in a test's id (none: all); skip: words that leave a test out."""
    from test import support

    support.use_resources = ["subprocess", *os.environ.get("REGRTEST_USE", "").split()]
    stream = io.StringIO()
    os.chdir(tempfile.mkdtemp())
    loader = unittest.TestLoader()
    if only:
        loader.testNamePatterns = [f"*{word}*" for word in only]
    suite = patterns_of(loader.loadTestsFromModule(importlib.import_module(f"test.{module}")), skip)
    result = unittest.TextTestRunner(stream, verbosity=0, resultclass=Collector).run(suite)
    assert isinstance(result, Collector)
    return {"ends": result.ends, "text": stream.getvalue()}


def in_thread(module: str, only: list[str], skip: list[str]) -> dict[str, object]:
    """Run in a thread that is not the main one, as a handler is."""
    answer: dict[str, object] = {}
    thread = threading.Thread(target=lambda: answer.update(run(module, only, skip)))
    thread.start()
    while thread.is_alive():
        try:
            thread.join()
        except KeyboardInterrupt:  # a test of interrupt_main: it means the main thread
            continue
    return answer


def main() -> None:
    """Arguments: "thread" or "main" (which one runs the tests), module, only, skip; the last two as JSON lists. Print JSON."""
    where, module, only, skip = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
    answer = (in_thread if where == "thread" else run)(module, only, skip)
    sys.__stdout__.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()

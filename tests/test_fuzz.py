"""Each tests/fuzz/fuzz_NAME.c is built as a libFuzzer target under ASan and UBSan, and run from its seeds.

To add one, drop in fuzz_NAME.c (see fuzz.h), seeds in seeds/NAME/ and, where words help, NAME.dict. PYHOST_FUZZ_SECONDS is the time for
each target, 1 without it. `make test` has a minute for each: all of them run in the background from the start of the session (conftest.py), and
these tests, the last of all, look at what came of it. What breaks a target is printed as base64, to become a seed and a unit test.
"""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.fuzzing import TARGETS, Background, fuzz, has_fuzzer, name_of, seconds

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=[name_of(target) for target in TARGETS])
def test_no_input_breaks(target: Path, fuzzing: Background | None, tmp_path: Path) -> None:
    if not has_fuzzer():
        pytest.skip("clang with its fuzzer runtime is not installed (Debian: clang, libclang-rt-14-dev)")
    found = fuzzing.result(target) if fuzzing else fuzz(target, tmp_path, seconds())
    assert not found["fault"], found["fault"]
    assert int(found["runs"]) > 100, found


def test_every_parser_of_a_protocol_is_fuzzed() -> None:
    named = " ".join(re.findall(r"^// *sources: *(.*)$", "".join(target.read_text() for target in TARGETS), re.MULTILINE)).split()
    parsers = {path.name for path in (ROOT / "csrc").glob("*.c") if re.fullmatch(r"(http_(head|body|trailer)|fcgi_record|cgi_answer|\w+_head|ws_frame|ws_offer|gate_ws_codec)\.c", path.name)}
    assert parsers - {"response_head.c"} <= set(named)


def test_ci_fuzzes_each_for_a_minute() -> None:
    assert "exec make test\n" in (ROOT / ".ci" / "run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    assert "FUZZ_SECONDS ?= $(if $(TESTS),1,60)" in makefile and "PYHOST_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest" in makefile

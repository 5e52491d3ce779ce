"""Each tests/fuzz/fuzz_NAME.c is built as a libFuzzer target under ASan and UBSan, and run from its seeds.

To add one, drop in fuzz_NAME.c (see fuzz.h), seeds in seeds/NAME/ and, where words help, NAME.dict. PYHOST_FUZZ_SECONDS is the time for
each target; without it all of them share 60 s where CI=true, else 5 s. What breaks a target is printed as base64, to become a seed and a unit test.
"""
from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "tests" / "fuzz"
TARGETS = sorted(FUZZ.glob("fuzz_*.c"))
FLAGS = shlex.split("-std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror")


def seconds() -> int:
    """Return how long one target may run."""
    if "PYHOST_FUZZ_SECONDS" in os.environ:
        return max(1, int(os.environ["PYHOST_FUZZ_SECONDS"]))
    return max(1, (60 if os.environ.get("CI") == "true" else 5) // max(1, len(TARGETS)))


@cache
def has_fuzzer() -> bool:
    """Can clang link its fuzzer runtime here?"""
    if not shutil.which("clang"):
        return False
    probe = "#include <stddef.h>\nint LLVMFuzzerTestOneInput(const void *d, size_t n); int LLVMFuzzerTestOneInput(const void *d, size_t n) { return !d && n > 9; }"
    done = subprocess.run(["clang", "-fsanitize=fuzzer,address", "-x", "c", "-", "-o", "/dev/null"], input=probe, text=True, capture_output=True, check=False)
    return done.returncode == 0


def build(target: Path, folder: Path) -> Path:
    named = re.search(r"^// *sources: *(.*)$", target.read_text(), re.MULTILINE)
    assert named, f"{target.name} names no sources"
    sources = [str(ROOT / "csrc" / name) for name in named[1].split()]
    output = folder / target.stem
    command = ["clang", *FLAGS, f"-I{ROOT / 'csrc'}", f"-I{FUZZ}", str(target), *sources, "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{target.name} does not compile:\n{done.stderr}"
    return output


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=[target.stem.removeprefix("fuzz_") for target in TARGETS])
def test_no_input_breaks(target: Path, tmp_path: Path) -> None:
    if not has_fuzzer():
        pytest.skip("clang with its fuzzer runtime is not installed (Debian: clang, libclang-rt-14-dev)")
    name = target.stem.removeprefix("fuzz_")
    corpus, seeds, words = tmp_path / "corpus", FUZZ / "seeds" / name, FUZZ / f"{name}.dict"
    corpus.mkdir()
    command = [str(build(target, tmp_path)), f"-max_total_time={seconds()}", "-max_len=2048", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
               f"-artifact_prefix={tmp_path}/broken-", *([f"-dict={words}"] if words.exists() else []), str(corpus), *([str(seeds)] if seeds.is_dir() else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace", timeout=seconds() + 120)
    broken = [f"{path.name}: {base64.b64encode(path.read_bytes()).decode()}" for path in tmp_path.glob("broken-*")]
    assert done.returncode == 0 and not broken, "\n".join([*broken, done.stderr[-6000:]])
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    assert runs and int(runs[1]) > 100, f"hardly ran:\n{done.stderr[-2000:]}"

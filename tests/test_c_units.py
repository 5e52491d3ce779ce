"""Each tests/c/test_*.c is compiled with the csrc files that it names, under ASan and UBSan, and run.

A test file says what it needs in comment lines near its top (the first 40 lines; a key may come again):

    // sources: http_head.c http_body.c      files of csrc/ to compile in
    // libs: pcre2-8 pthread                 -l words
    // needs: python                         Python.h and libpython of the Python that runs pytest
    // flags: -DNAME                         more compiler words

It passes when it exits 0 and prints nothing that a sanitizer would. tests/c/check.h has guard pages, random pieces and CHECK.
"""
from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
UNITS = sorted((ROOT / "tests" / "c").glob("test_*.c"))
BUILD = ROOT / "build" / "c-units"
FLAGS = shlex.split("-std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
                    " -Wall -Wextra -Wno-unused-function -Werror -pthread")
RUN_SECONDS = 60


def wants(unit: Path) -> dict[str, list[str]]:
    """Return the words of the `// key: words` lines of a unit."""
    head = "\n".join(unit.read_text().splitlines()[:40])
    found: dict[str, list[str]] = {}
    for key, words in re.findall(r"^// *(sources|libs|needs|flags): *(.*)$", head, re.MULTILINE):
        found[key] = list(dict.fromkeys([*found.get(key, []), *shlex.split(words)]))
    return found


def python_flags() -> tuple[list[str], list[str]]:
    """Return compiler and linker words for embedding the Python that runs pytest."""
    libdir = sysconfig.get_config_var("LIBDIR")
    version = sysconfig.get_config_var("LDVERSION")
    return [f"-isystem{sysconfig.get_paths()['include']}"], [f"-L{libdir}", f"-Wl,-rpath,{libdir}", f"-lpython{version}"]


def build(unit: Path) -> Path:
    """Compile a unit unless the one of the same sources and flags is there already."""
    want = wants(unit)
    sources = [unit, *(CSRC / name for name in want.get("sources", []))]
    include, link = python_flags() if "python" in want.get("needs", []) else ([], [])
    command = [*shlex.split(os.environ.get("CC", "cc")), *FLAGS, f"-I{CSRC}", f"-I{unit.parent}", *include, *want.get("flags", [])]
    tail = [*link, *(f"-l{name}" for name in want.get("libs", []))]
    inputs = sorted({*sources, *CSRC.glob("*.h"), *unit.parent.glob("*.h")})
    stamp = hashlib.sha256(repr((command, tail, sys.version)).encode() + b"".join(path.read_bytes() for path in inputs)).hexdigest()[:20]
    target = BUILD / f"{unit.stem}-{stamp}"
    if not target.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        for old in BUILD.glob(f"{unit.stem}-*"):
            old.unlink(missing_ok=True)
        done = subprocess.run([*command, *map(str, sources), *tail, "-o", str(target)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{unit.name} does not compile:\n{done.stderr}"
    return target


@pytest.mark.skipif(not shutil.which(shlex.split(os.environ.get("CC", "cc"))[0]), reason="no C compiler")
@pytest.mark.parametrize("unit", UNITS, ids=[unit.stem.removeprefix("test_") for unit in UNITS])
def test_unit(unit: Path, tmp_path: Path) -> None:
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run([str(build(unit))], capture_output=True, text=True, check=False, errors="replace", env=env, timeout=RUN_SECONDS, cwd=tmp_path)
    assert done.returncode == 0, f"{unit.name}: exit status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-8000:]}"
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr[-8000:]

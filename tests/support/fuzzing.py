"""Building and running the fuzz targets of tests/fuzz; `python -m support.fuzzing FOLDER SECONDS` runs all, one after the other, in the background.

Each leaves FOLDER/NAME.json when it is done: {"runs": how many inputs were tried, "fault": what is wrong, or ""}.
"""
from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from .server import wait_until

__all__ = ["TARGETS", "Background", "fuzz", "has_fuzzer", "name_of", "seconds"]

ROOT = Path(__file__).resolve().parent.parent.parent
FUZZ = ROOT / "tests" / "fuzz"
TARGETS = sorted(FUZZ.glob("fuzz_*.c"))
LONGEST_SECONDS = 1200.0
FLAGS = shlex.split("-std=gnu11 -D_GNU_SOURCE -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror")


def name_of(target: Path) -> str:
    return target.stem.removeprefix("fuzz_")


def seconds() -> int:
    """How long each target may run."""
    return max(1, int(os.environ.get("PYHOST_FUZZ_SECONDS", "1")))


@cache
def has_fuzzer() -> bool:
    """Can clang link its fuzzer runtime here?"""
    if not shutil.which("clang"):
        return False
    probe = "#include <stddef.h>\nint LLVMFuzzerTestOneInput(const void *d, size_t n); int LLVMFuzzerTestOneInput(const void *d, size_t n) { return !d && n > 9; }"
    done = subprocess.run(["clang", "-fsanitize=fuzzer,address", "-x", "c", "-", "-o", "/dev/null"], input=probe, text=True, capture_output=True, check=False)
    return done.returncode == 0


def build(target: Path, output: Path) -> str:
    """Compile a target; what is wrong, or ""."""
    named = re.search(r"^// *sources: *(.*)$", target.read_text(), re.MULTILINE)
    if not named:
        return f"{target.name} names no sources"
    sources = [str(ROOT / "csrc" / name) for name in named[1].split()]
    libs = re.search(r"^// *libs: *(.*)$", target.read_text(), re.MULTILINE)
    command = ["clang", *FLAGS, f"-I{ROOT / 'csrc'}", f"-I{FUZZ}", str(target), *sources, *(f"-l{name}" for name in (libs[1].split() if libs else ())), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{target.name} does not compile:\n{done.stderr}" if done.returncode else ""


def fuzz(target: Path, folder: Path, seconds: int) -> dict[str, int | str]:
    """Build a target in folder and run it from its seeds for so many seconds.

    Returns runs: inputs that were tried; fault: what is wrong, or "", with the input that breaks it as base64.
    """
    name = name_of(target)
    corpus, seeds, words = folder / "corpus", FUZZ / "seeds" / name, FUZZ / f"{name}.dict"
    corpus.mkdir()
    if fault := build(target, folder / target.stem):
        return {"runs": 0, "fault": fault}
    command = [str(folder / target.stem), f"-max_total_time={seconds}", "-max_len=2048", "-timeout=60", "-rss_limit_mb=1024", "-print_final_stats=1",
               f"-artifact_prefix={folder}/broken-", *([f"-dict={words}"] if words.exists() else []), str(corpus), *([str(seeds)] if seeds.is_dir() else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    broken = [f"{path.name}: {base64.b64encode(path.read_bytes()).decode()}" for path in folder.glob("broken-*")]
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    fault = "\n".join([*broken, done.stderr[-6000:]]) if done.returncode or broken or not runs else ""
    return {"runs": int(runs[1]) if runs else 0, "fault": fault}


class Background:
    """All targets, one after the other, in a process that only takes what the others leave of the machine."""

    def __init__(self, seconds: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pyhost-fuzz-"))
        command = [sys.executable, "-m", "support.fuzzing", str(self.folder), str(seconds)]
        self.process = subprocess.Popen(command, cwd=ROOT / "tests", stdin=subprocess.DEVNULL, start_new_session=True)

    def result(self, target: Path) -> dict[str, int | str]:
        """Wait for a target; see fuzz()."""
        result = self.folder / f"{name_of(target)}.json"
        wait_until(lambda: result.exists() or self.process.poll() is not None, f"{target.name} has run in the background", LONGEST_SECONDS)
        assert result.exists(), f"the fuzzing process has ended with {self.process.returncode}, without {target.name}"
        found: dict[str, int | str] = json.loads(result.read_text())
        return found

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def main(results: Path, seconds: int) -> None:
    os.nice(19)
    for target in TARGETS:
        with tempfile.TemporaryDirectory(dir=results) as folder:
            found = fuzz(target, Path(folder), seconds)
        (results / "new").write_text(json.dumps(found))
        (results / "new").rename(results / f"{name_of(target)}.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

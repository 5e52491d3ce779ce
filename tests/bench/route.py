"""Prints what finding a request's configuration costs: `python -m tests.bench.route` (or run the file)."""
from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CSRC = HERE.parent.parent / "csrc"
SOURCES = ["route", "route_server", "route_section", "route_cache", "route_alias", "route_split", "route_type", "route_mime", "glob", "prefix", "origin", "peer", "errors", "request", "table", "buf", "conf", "http_bytes"]


def main() -> int:
    """Compile route.c with the files it measures and run it. Returns its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "route"
        command = [*shlex.split(os.environ.get("CC", "cc")), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g", f"-I{CSRC}", str(HERE / "route.c"),
                   *(str(CSRC / f"{name}.c") for name in SOURCES), "-lpcre2-8", "-o", str(program)]
        subprocess.run(command, check=True)
        return subprocess.run([program], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

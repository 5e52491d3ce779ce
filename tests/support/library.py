"""The C++ library of tests/apps/hazard_library.cc, built once per run."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["build_library"]

SOURCE = Path(__file__).parent.parent / "apps" / "hazard_library.cc"


def build_library(folder: Path) -> dict[str, str]:
    """Build it twice; return the environment for green_library.py: LIBRARY may be switched under (PyGreenLibraries libhazard), UNKNOWN_LIBRARY not."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    target = folder / "libhazard.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-g", "-Wall", "-Werror", str(SOURCE), "-o", str(target), "-lpthread"], check=True)
    shutil.copy(target, folder / "libunknown.so")
    return {"LIBRARY": os.fspath(target), "UNKNOWN_LIBRARY": os.fspath(folder / "libunknown.so")}

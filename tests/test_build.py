"""What the build says when something is missing, and how it links where libpython is an archive only."""
from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "pyhost" / "_build.py"


@pytest.fixture
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pyhost_build_under_test", BUILD)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built_with(compiler: str, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BUILD), "-o", str(target)], env={**os.environ, "CC": compiler}, capture_output=True, text=True,
                          check=False, timeout=60)


def test_a_missing_compiler_is_named_with_its_package(tmp_path: Path) -> None:
    done = built_with("/nonexistent/cc", tmp_path / "pyhost")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "/nonexistent/cc" in done.stderr and "apt-get install gcc" in done.stderr


def test_make_names_the_compiler_only_where_nothing_else_is_missing(tmp_path: Path) -> None:
    """Without a compiler nothing can be preprocessed, which must not look as if each header were missing. No apt-get is there, so nothing is installed."""
    for name in ("sh", "id", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = subprocess.run(["sh", str(ROOT / "tests/system.sh"), "build", sys.executable], env={"PATH": str(tmp_path)}, capture_output=True, text=True,
                          check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "missing system packages; install them with: apt-get install gcc\n")


@pytest.mark.parametrize("header,package", [("pcre2.h", "libpcre2-dev"), ("crypt.h", "libcrypt-dev"), ("zlib.h", "zlib1g-dev")])
def test_a_missing_header_is_named_with_its_package(tmp_path: Path, header: str, package: str) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *-E*-) if grep -q "{header}"; then exit 1; fi; exit 0;; esac\nexec cc "$@"\n')
    compiler.chmod(0o755)
    done = built_with(str(compiler), tmp_path / "pyhost")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert header in done.stderr and f"apt-get install {package}" in done.stderr


@pytest.mark.parametrize("names,expected,pie", [(["libpythonX.so", "libpythonX.a"], "-lpythonX", True), (["libpythonX.a"], "libpythonX.a", False),
                                                (["libpythonX.a", "libpythonX-pic.a"], "libpythonX-pic.a", True)])
def test_libpython_is_linked_shared_else_as_a_whole_archive(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            names: list[str], expected: str, pie: bool) -> None:
    known = {"LIBDIR": str(tmp_path), "LDVERSION": "X", "MODLIBS": "-lexpat"}
    monkeypatch.setattr(build.sysconfig, "get_config_var", known.get)
    for name in names:
        (tmp_path / name).touch()
    words = build.libpython_flags()
    assert any(word.endswith(expected) for word in words) and ("-no-pie" not in words) == pie
    if expected.endswith(".a"):
        assert "-Wl,--whole-archive" in words and "-rdynamic" in words and "-lexpat" in words
    else:
        assert f"-Wl,-rpath,{tmp_path}" in words


def test_a_missing_libpython_is_named_with_its_package(build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.sysconfig, "get_config_var", {"LIBDIR": str(tmp_path), "LDVERSION": "X"}.get)
    with pytest.raises(build.BuildError, match="libpythonX.*libpython3-dev"):
        build.libpython_flags()

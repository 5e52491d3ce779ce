"""Packaging: the wheel carries the compiled `pyhost` program among its scripts. The build itself is in pyhost/_build.py."""
from __future__ import annotations

import importlib.util
import sys
from distutils.command.build_scripts import build_scripts  # setuptools brings its own distutils
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel

ROOT = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("pyhost_build", ROOT / "pyhost" / "_build.py")
assert spec and spec.loader
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


class BinaryDistribution(Distribution):
    """Platform and ABI in the wheel's tag: it holds machine code for one Python."""

    def has_ext_modules(self) -> bool:
        return True


class LinkProgram(build_scripts):
    """Compiles and links the program into the folder of built scripts."""

    def run(self) -> None:
        folder = Path(self.build_dir)
        folder.mkdir(parents=True, exist_ok=True)
        objects = ROOT / "build" / f"py{sys.version_info[0]}.{sys.version_info[1]}"
        try:
            build.Builder(objects).program(folder / "pyhost")
        except build.BuildError as error:
            raise SystemExit(f"pyhost cannot be built: {error}") from error

    def copy_scripts(self):  # type: ignore[no-untyped-def]
        return [str(Path(self.build_dir) / "pyhost")], []


class PlatformWheel(bdist_wheel):
    """cp3X-cp3X: it is linked against one libpython."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.root_is_pure = False


setup(distclass=BinaryDistribution, scripts=["csrc/pyhost.c"],
      cmdclass={"build_scripts": LinkProgram, "bdist_wheel": PlatformWheel})

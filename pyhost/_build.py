"""Builds the `pyhost` program: emits the cffi module, compiles it with csrc/*.c and links the executable against libpython.

`python pyhost/_build.py [-o FILE] [--sanitize] [--tests]` builds in place (build/); setup.py calls the same functions for wheels.
Objects are compiled again only when a source, a header it includes or the flags have changed.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
CDEF_FILES = ("conf.h", "bridge.h", "upcall.h")
WARNINGS = ("-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Werror").split()
NEEDS = {  # what a missing piece is called on Debian
    "cc": "gcc (apt-get install gcc)",
    "Python.h": "the headers of this Python (apt-get install python3-dev, or the -dev package of your Python)",
    "pcre2.h": "PCRE2 (apt-get install libpcre2-dev)",
    "crypt.h": "libcrypt (apt-get install libcrypt-dev)",
    "zlib.h": "zlib (apt-get install zlib1g-dev)",
    "libpython": "libpython of this Python, shared or static (apt-get install libpython3-dev; pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)",
}


class BuildError(Exception):
    """The program cannot be built; the message says what is missing and how to install it."""


def cdef(name: str) -> str:
    """Return one header as cffi reads it: no preprocessor lines, no include guards."""
    text = (CSRC / name).read_text()
    return re.sub(r"^#.*(?:\\\n.*)*$", "", text, flags=re.M)


def make_ffi() -> Any:
    """Return the FFI builder of the module `_pyhost`: Python's door into C."""
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(cdef("conf.h") + cdef("bridge.h"))
    ffi.cdef('extern "Python+C" {' + cdef("upcall.h") + "}")
    ffi.set_source("_pyhost", '#include "bridge.h"\n#include "upcall.h"\n', py_limited_api=False)
    return ffi


def compiler() -> list[str]:
    command = shlex.split(os.environ.get("CC", "cc"))
    if not shutil.which(command[0]):
        raise BuildError(f"no C compiler {command[0]!r}: install {NEEDS['cc']}")
    return command


def python_include() -> Path:
    include = Path(sysconfig.get_paths()["include"])
    if not (include / "Python.h").exists():
        raise BuildError(f"Python.h is not in {include}: install {NEEDS['Python.h']}")
    return include


def libpython_flags() -> list[str]:
    """Return the linker words for libpython: shared with an rpath where needed, else whole-archive static."""
    libdir = sysconfig.get_config_var("LIBDIR") or ""
    version = sysconfig.get_config_var("LDVERSION") or sysconfig.get_python_version()
    system = {"/usr/lib", "/lib", "/usr/lib/" + (sysconfig.get_config_var("MULTIARCH") or "")}
    places = [libdir, sysconfig.get_config_var("LIBPL") or "", "/usr/lib/" + (sysconfig.get_config_var("MULTIARCH") or "")]
    extra = [word for name in ("LIBS", "MODLIBS", "SYSLIBS") for word in shlex.split(sysconfig.get_config_var(name) or "")]
    for place in places:
        if place and (Path(place) / f"libpython{version}.so").exists():
            rpath = [] if place in system else [f"-Wl,-rpath,{place}"]
            return [f"-L{place}", f"-lpython{version}", *rpath]
    for name, pie in ((f"libpython{version}-pic.a", []), (f"libpython{version}.a", ["-no-pie"])):  # the plain one need not be relocatable
        for archive in (Path(place) / name for place in places if place):
            if archive.exists():
                return [*pie, "-Wl,--whole-archive", str(archive), "-Wl,--no-whole-archive", "-rdynamic", *extra]
    raise BuildError(f"neither libpython{version}.so nor libpython{version}.a in {[p for p in places if p]}: install {NEEDS['libpython']}")


def check_header(cc: list[str], header: str, prelude: str, need: str) -> None:
    probe = subprocess.run([*cc, "-E", "-x", "c", "-"], input=f"{prelude}\n#include <{header}>\n", text=True, capture_output=True)
    if probe.returncode:
        raise BuildError(f"{header} was not found: install {NEEDS[need]}")


def greenlet_include() -> Path:
    try:
        import greenlet
    except ImportError as exc:
        raise BuildError("the package greenlet is not installed: pip install greenlet") from exc
    return Path(greenlet.__file__).parent


class Builder:
    """One build folder with one set of flags."""

    def __init__(self, folder: Path, sanitize: bool = False) -> None:
        self.folder = folder
        self.sanitize = sanitize
        self.cc = compiler()
        check_header(self.cc, "pcre2.h", "#define PCRE2_CODE_UNIT_WIDTH 8", "pcre2.h")
        check_header(self.cc, "crypt.h", "", "crypt.h")
        check_header(self.cc, "zlib.h", "", "zlib.h")
        self.flags = ["-std=gnu11", "-g", "-fPIC", "-fno-strict-aliasing", "-pthread", "-D_GNU_SOURCE",
                      f"-I{CSRC}", f"-isystem{python_include()}", f"-isystem{greenlet_include()}"]
        # greenlet copies stacks away and back: red zones on the stack would be read by memcpy and be stale afterwards
        sanitizers = ["-O1", "-fsanitize=address,undefined", "--param", "asan-stack=0", "-fno-omit-frame-pointer"]
        self.flags += sanitizers if sanitize else ["-O2"]
        more = shlex.split(os.environ.get("PYHOST_CFLAGS", ""))
        self.flags += more
        self.link_flags = ["-pthread", *more, *(["-fsanitize=address,undefined"] if sanitize else ["-Wl,-z,relro,-z,now"])]
        self.stamp = hashlib.sha256(" ".join([*self.cc, *self.flags, sys.version]).encode()).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)

    def emit_module(self) -> Path:
        """Write the cffi module's C file when a cdef header or this file is newer."""
        target = self.folder / "_pyhost.c"
        newest = max((CSRC / name).stat().st_mtime for name in CDEF_FILES)
        if not target.exists() or target.stat().st_mtime < max(newest, Path(__file__).stat().st_mtime):
            make_ffi().emit_c_code(str(target))
            target.touch()
        return target

    def is_fresh(self, target: Path) -> bool:
        depends, stamp = target.with_suffix(".d"), target.with_suffix(".flags")
        if not (target.exists() and depends.exists() and stamp.exists() and stamp.read_text() == self.stamp):
            return False
        names = depends.read_text().replace("\\\n", " ").partition(":")[2].split()
        made = target.stat().st_mtime
        return all(os.path.exists(name) and os.path.getmtime(name) <= made for name in names)

    def compile(self, source: Path, warnings: bool = True) -> Path:
        target = self.folder / (source.stem + ".o")
        if not self.is_fresh(target):
            flags = [*self.flags, *(WARNINGS if warnings else ["-w"])]
            done = subprocess.run([*self.cc, *flags, "-MMD", "-c", str(source), "-o", str(target)], capture_output=True, text=True)
            if done.returncode:
                raise BuildError(f"{source.name} does not compile:\n{done.stderr}")
            target.with_suffix(".flags").write_text(self.stamp)
        return target

    def program(self, output: Path) -> Path:
        """Compile everything that has changed and link the executable."""
        module = self.emit_module()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(self.compile, module, False)]
            jobs += [pool.submit(self.compile, source) for source in sorted(CSRC.glob("*.c"))]
            objects = [job.result() for job in jobs]
        if output.exists() and all(output.stat().st_mtime > o.stat().st_mtime for o in objects):
            return output
        exports = CSRC / "exports.list"
        dynamic = [f"-Wl,--export-dynamic-symbol-list={exports}"] if exports.exists() else []
        command = [*self.cc, *self.link_flags, *map(str, objects), "-o", str(output) + ".new", *dynamic, *libpython_flags(),
                   "-lpcre2-8", "-lcrypt", "-lz", "-ldl", "-lm"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise BuildError(f"linking failed:\n{done.stderr}")
        os.replace(str(output) + ".new", output)
        return output


def main() -> int:
    parser = argparse.ArgumentParser(description="build the pyhost program in place")
    parser.add_argument("-o", "--output", type=Path, default=Path(sys.prefix) / "bin" / "pyhost")
    parser.add_argument("--sanitize", action="store_true", help="with ASan and UBSan")
    args = parser.parse_args()
    tag = f"py{sys.version_info[0]}.{sys.version_info[1]}" + ("-asan" if args.sanitize else "")
    try:
        print(Builder(ROOT / "build" / tag, args.sanitize).program(args.output))
    except BuildError as error:
        print(f"pyhost cannot be built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

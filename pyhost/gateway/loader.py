"""Finds applications: `package.module:callable`, `/path/file.py:callable`, factories `module:make()`; again when their files have changed."""
from __future__ import annotations

import html
import importlib
import os
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..boot import run_path
from ..mod_python._wait import LOADS

__all__ = ["Loader", "debug_page", "load", "load_object"]

CO_COROUTINE = 0x80
DEFAULTS = ("application", "app", "wsgi_app", "asgi_app", "asgi")
NEVER = -1  # a time stamp that no file has


def import_file(path: str) -> ModuleType:
    """Import a file under a name of its own; its folder is on sys.path for what it imports."""
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = "_pyhost_" + "".join(c if c.isalnum() else "_" for c in path)
    module = ModuleType(name)
    module.__file__ = path
    with open(path, "rb") as source:
        code = compile(source.read(), path, "exec", dont_inherit=True)  # without a .pyc: those cannot tell two changes in one second
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def resolve(module: ModuleType, name: str) -> Any:
    """Return the object called name (dots allowed, `f()` calls a factory), or the first usual name when name is empty."""
    if not name:
        for usual in DEFAULTS:
            if hasattr(module, usual):
                return getattr(module, usual)
        raise AttributeError(f"{module.__name__} has none of {', '.join(DEFAULTS)}; say module:callable")
    call = name.endswith("()")
    found: Any = module
    for part in name.removesuffix("()").split("."):
        found = getattr(found, part)
    return found() if call else found


def is_file(target: str) -> bool:
    return "/" in target or target.endswith(".py")  # mysite.wsgi is a module; the configuration makes files absolute


def load_object(spec: str) -> Any:
    """Import what spec names.

    spec: `module:callable`, `file.py:callable`, `module:factory()`, or without the callable (application, app, wsgi_app …).
    Raises ImportError, AttributeError, or what the module raises.
    """
    target, _, name = spec.partition(":")
    return resolve(import_file(target) if is_file(target) else importlib.import_module(target), name)


def installed_folders() -> tuple[str, ...]:
    """Folders of what nobody edits while it runs: the standard library, site-packages, pyhost itself."""
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {os.path.dirname(os.path.dirname(__file__))}
    return tuple(sorted(folder.rstrip("/") + "/" for folder in found))


INSTALLED = installed_folders()


def file_of(module: ModuleType | None) -> str | None:
    """The file of a module that its user writes; None for all others."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or path.startswith(INSTALLED) or "/site-packages/" in path or "/dist-packages/" in path:
        return None
    return path


def stamp_of(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return NEVER


def is_pure(package: str) -> bool:
    """Has no module of that package been compiled from C? Those cannot be imported a second time."""
    return not any((name == package or name.startswith(package + ".")) and str(getattr(module, "__file__", "")).endswith(".so")
                   for name, module in list(sys.modules.items()))


@dataclass(slots=True)
class Loader:
    """One application of this interpreter: where it is, what was imported for it, and when that was written."""

    spec: str
    before: frozenset[str] = frozenset()  # names of modules that others had imported
    found: Any = None
    loaded: bool = False
    stamps: dict[str, int] | None = None
    started: int = 0  # when its import began, nanoseconds since the epoch

    def modules(self) -> dict[str, ModuleType]:
        """What was imported for it and is not installed, by name."""
        new = {name: module for name, module in list(sys.modules.items()) if name not in self.before}
        return {name: module for name, module in new.items() if file_of(module)}

    def files(self) -> dict[str, int]:
        files = {str(file_of(module)) for module in self.modules().values()}
        target = self.spec.partition(":")[0]
        if is_file(target):
            files.add(os.path.abspath(target))
        return {path: stamp_of(path) for path in files}

    def has_changed(self) -> bool:
        """Has a file been written since it was loaded? Files of modules that were imported meanwhile are remembered from now on."""
        now, then = self.files(), self.stamps or {}
        self.stamps = {**now, **then}
        return any(stamp != then[path] if path in then else stamp > self.started for path, stamp in now.items())

    def forget(self) -> None:
        """Take what was imported for it out of sys.modules, so that it is read again. Django keeps a registry of all models: it is forgotten too."""
        doomed = self.modules()
        if type(self.found).__module__.startswith("django."):
            packages = {name.partition(".")[0] for name in list(sys.modules) if name not in self.before}
            pure = {package for package in packages if is_pure(package) and not self.is_standard(package)}
            doomed |= {name: module for name, module in list(sys.modules.items()) if name.partition(".")[0] in pure and name not in self.before}
        for name, module in doomed.items():
            cached = getattr(module, "__cached__", None)
            if cached and file_of(module):
                with suppress(OSError):
                    os.unlink(cached)  # it cannot tell two changes in one second
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    @staticmethod
    def is_standard(package: str) -> bool:
        return package in sys.stdlib_module_names or package in ("pyhost", "greenlet", "mod_python") or package.startswith("_")

    def load(self) -> Any:
        """Import it. Raises what the import raises; nothing of it stays in sys.modules then."""
        self.started = time.time_ns()
        if not self.before:
            self.before = frozenset(sys.modules)
        try:
            self.found = load_object(self.spec)
        except BaseException:
            self.loaded = False
            self.forget()
            raise
        self.stamps = {path: stamp if stamp < self.started else NEVER for path, stamp in self.files().items()}
        self.loaded = True
        return self.found

    def folders(self) -> list[str]:
        return sorted({os.path.dirname(path) for path in self.files()})


loaders: dict[tuple[str, str | None, str | None], Loader] = {}
hosts: dict[tuple[str, str | None, str | None], tuple[Any, Any]] = {}


def load(spec: str, reload: bool, python_path: str | None = None, home: str | None = None, asgi: bool = False) -> tuple[Callable[..., Any], list[str]]:
    """Return the application of spec and the folders of its files; with reload, a changed application is imported again. May switch.

    python_path: PythonPath, evaluated once in an interpreter. home: PyHome, a virtual environment.
    Raises as load_object, and TypeError when it cannot be called.
    """
    key = (spec, python_path, home)
    loader = loaders.get(key)
    if loader is None or not loader.loaded or reload:
        with LOADS:
            if python_path or home:
                run_path(python_path, home)
            loader = loaders.setdefault(key, Loader(spec))
            if loader.loaded and reload and loader.has_changed():
                loader.forget()
                loader.loaded = False
            if not loader.loaded:
                loader.load()
    found = loader.found
    if not callable(found):
        loader.loaded = False
        raise TypeError(f"{spec} is a {type(found).__name__}, not something that can be called")
    if not asgi and (is_coroutine_function(found) or is_coroutine_function(type(found).__call__)):
        raise TypeError(f"{spec} is an ASGI application: PyASGIAlias or SetHandler asgi serves it")
    if not asgi:
        return found, loader.folders()
    with LOADS:
        return host_of(key, found), loader.folders()


def is_coroutine_function(found: object) -> bool:
    """As inspect's, without importing that into each interpreter."""
    return bool(getattr(getattr(found, "__code__", None), "co_flags", 0) & CO_COROUTINE)


def host_of(key: tuple[str, str | None, str | None], found: Any) -> Any:
    """The ASGI host of an application; a changed one gets a new host, and the old one its shutdown."""
    from .asgi import Hosted

    known = hosts.get(key)
    if known is not None and known[0] is found and not known[1].failed:
        return known[1]
    if known is not None:
        known[1].retire()
    host = Hosted(key[0], found)
    hosts[key] = (found, host)
    return host


def debug_page(error: BaseException) -> bytes:
    """The traceback as a page, for PythonDebug."""
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    title = html.escape("".join(traceback.format_exception_only(type(error), error)).strip().splitlines()[-1])
    page = (f"<!doctype html>\n<html><head><title>{title}</title></head>\n<body><h1>{title}</h1>\n<pre>{html.escape(lines)}</pre>\n"
            "<p>Shown because PythonDebug is on.</p></body></html>\n")
    return page.encode("utf-8", "backslashreplace")

"""Finds WSGI applications: `package.module:callable`, `/path/file.py:callable`, factories `module:make()`."""
from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..boot import run_path

__all__ = ["load", "load_object"]

DEFAULTS = ("application", "app", "wsgi_app")
files: dict[str, tuple[float, Any]] = {}


def import_file(path: str) -> ModuleType:
    """Import a file under a name of its own; its folder is on sys.path for what it imports."""
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = "_pyhost_" + "".join(c if c.isalnum() else "_" for c in os.path.abspath(path))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
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


def load_object(spec: str) -> Any:
    """Import what spec names.

    spec: `module:callable`, `file.py:callable`, `module:factory()`, or without the callable (application, app, wsgi_app).
    Raises ImportError, AttributeError, or what the module raises.
    """
    target, _, name = spec.partition(":")
    if target.endswith((".py", ".wsgi")) or "/" in target:
        return resolve(import_file(target), name)
    return resolve(importlib.import_module(target), name)


def load(spec: str, reload: bool, python_path: str | None = None) -> Callable[..., Any]:
    """Return the WSGI callable of spec; with reload, a changed file is imported again.

    python_path: PythonPath, evaluated once in an interpreter.
    Raises as load_object, and TypeError when it cannot be called.
    """
    if python_path:
        run_path(python_path)
    path = spec.partition(":")[0]
    stamp = os.stat(path).st_mtime if reload and path.endswith((".py", ".wsgi")) else 0.0
    known = files.get(spec)
    if known is not None and known[0] == stamp:
        return known[1]  # type: ignore[no-any-return]
    found = load_object(spec)
    if not callable(found):
        raise TypeError(f"{spec} is a {type(found).__name__}, not something that can be called")
    files[spec] = (stamp, found)
    return found  # type: ignore[no-any-return]

"""Modules under a second name."""
from __future__ import annotations

import importlib
import importlib.machinery
from types import ModuleType

__all__ = ["alias_spec"]


class _Loader:
    """Gives the module of another name. No importlib.abc.Loader: that would bring thirty modules into each interpreter."""

    def __init__(self, real: str) -> None:
        self._real = real
        self._spec: importlib.machinery.ModuleSpec | None = None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._real)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has put the alias there


def alias_spec(name: str, real: str, is_package: bool, origin: str | None = None) -> importlib.machinery.ModuleSpec:
    """Return what a finder gives for a name under which the module `real` is to be found.

    is_package: modules may be looked for below the name. origin: the file, where it is known.
    """
    return importlib.machinery.ModuleSpec(name, _Loader(real), origin=origin, is_package=is_package)  # type: ignore[arg-type]  # see _Loader

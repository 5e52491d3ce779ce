"""What `gevent.monkey` may patch in a server's process.

Each handler is a thread to gevent and has a hub of its own. gevent's locks belong to the hub that used them first, and are let go by its loop: two
requests that share a patched `threading.Lock`, as every connection pool has one, would wait for a hub that nobody runs any more. Python's own locks,
threads, queues and children give way here by themselves, so they stay what they are; sockets, sleep, select, ssl and names are patched as
asked. Programs that pyhost runs (`pyhost script.py`) have one hub, and patch all.
"""
from __future__ import annotations

import functools
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

__all__ = ["LEFT", "allow_all", "install"]

#: Arguments of patch_all() that are off, each with a function patch_NAME that does nothing.
LEFT = ("thread", "subprocess", "queue", "signal", "os", "Event")
_MODULE = "gevent.monkey"


class Loader:
    """Loads the module as its own loader does, and wraps its functions."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._real.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._real.exec_module(module)
        wrap(module)


class Finder:
    """Finds gevent.monkey where it is, and sees it loaded."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader)  # type: ignore[assignment]
        return spec


def wrap(module: Any) -> None:
    """Let patch_all() leave out what is in LEFT, and the single functions do nothing."""
    import inspect  # brings ten modules along, for the few that patch

    everything, known = module.patch_all, inspect.signature(module.patch_all)

    @functools.wraps(everything)
    def patch_all(*args: Any, **settings: Any) -> Any:
        asked = known.bind(*args, **settings).arguments
        more = asked.pop("kwargs", {})
        return everything(**{**asked, **more, **{name: False for name in LEFT if name in known.parameters}})

    module.patch_all = patch_all
    for name in LEFT:
        if hasattr(module, f"patch_{name}"):
            setattr(module, f"patch_{name}", _nothing(getattr(module, f"patch_{name}")))


def _nothing(function: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(function)
    def left_alone(*_: Any, **__: Any) -> None:
        return None

    return left_alone


_finder = Finder()


def install() -> None:
    """From now on, in this interpreter."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def allow_all() -> None:
    """This is a program with one hub."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)

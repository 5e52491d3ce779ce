"""mod_python.apache: what handlers use most. The 185 constants are those of `constants`; the C half is `_apache`."""
from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

from . import constants, importer
from ._callback import CallBack
from ._cgistream import CGIStdin, CGIStdout, NullIO, build_cgi_env, restore_nocgi, setup_cgi
from ._native import SERVER_RETURN, native, table
from ._resolve import resolve_object
from .constants import *

__all__ = [
    "SERVER_RETURN", "CGIStdin", "CGIStdout", "CallBack", "NullIO", "build_cgi_env", "config_tree", "exists_config_define",
    "import_module", "init", "log_error", "make_table", "module_mtime", "mpm_query", "register_cleanup", "resolve_object",
    "restore_nocgi", "server_root", "setup_cgi", "stat", "table", *constants.__all__,
]

log_error = native.log_error
config_tree = native.config_tree
server_root = native.server_root
mpm_query = native.mpm_query
exists_config_define = native.exists_config_define
stat = native.stat
make_table = table

#: Name of the interpreter this module lives in; None outside the server.
interpreter: str | None = getattr(native, "_interpreter", None)
#: The main server (mp_server); None outside the server.
main_server: Any = native._main_server() if hasattr(native, "_main_server") else None


def import_module(module_name: str, autoreload: int = 1, log: int = 0, path: Sequence[str] | None = None) -> types.ModuleType:
    """Return a module, loaded again when it or what it imports from handler directories has changed.

    module_name: name, dotted name, or a file (`./x`, `/abs/x.py`; relative to the calling module's directory). autoreload: whether
    changes are looked for. log: whether a load writes a notice. path: directories to look in after the calling handler module's own and
    before sys.path.
    Raises ImportError when there is none and whatever the module's code raises. May switch.
    """
    caller = sys._getframe(1).f_globals
    file = caller.get("__file__")
    directory = importer.near_directory(file) if file and "__near__" in caller else None
    if directory is None and path and "/" in module_name:
        directory = path[0]
    return importer.load(module_name, directory, bool(autoreload), bool(log), path)


def register_cleanup(callback: Callable[..., object], data: Any = None) -> None:
    """Call callback(data), or callback() without data, when this server process ends."""
    if not callable(callback):
        raise ValueError("first argument must be a callable object")
    native.register_cleanup(interpreter, main_server, callback, data)


def module_mtime(module: types.ModuleType) -> float:
    """Return the modification time of a module's file in seconds since the epoch, 0 when it has none."""
    file = getattr(module, "__file__", None)
    try:
        return os.stat(file).st_mtime if file else 0.0
    except OSError:
        return 0.0


def init(name: str, server: Any) -> CallBack:
    """Set the interpreter's name, the main server and sys.argv as mod_python's C half did; returns the object that dispatches."""
    global interpreter, main_server
    interpreter, main_server = name, server
    sys.argv = ["mod_python"]
    return CallBack()

"""The handler behind tests/test_green.py: calls the case named in the query string inside a handler greenlet."""
from __future__ import annotations

import importlib
import os
import threading
import time
import traceback
from types import ModuleType
from typing import Any

from mod_python import apache

MODULES = ("green_cases", "green_hazards", "green_library", "green_coro")


def find(name: str) -> Any:
    for module_name in MODULES:
        module: ModuleType = importlib.import_module(module_name)
        if hasattr(module, name):
            return getattr(module, name)
    raise LookupError(name)


def handler(req: Any) -> int:
    """Answer "ok", or the traceback of what the case raised."""
    req.content_type = "text/plain"
    try:
        find(req.args)()
        req.write("ok")
    except BaseException:
        req.write(traceback.format_exc())
    return int(apache.OK)


def sleeper(req: Any) -> int:
    """Sleep for a tenth of a second with the standard library, and say who did."""
    req.content_type = "text/plain"
    time.sleep(0.1)
    req.write(str(threading.get_ident()))
    return int(apache.OK)


def forks(req: Any) -> int:
    """The child comes back from the handler, which it must not."""
    pid = os.fork()
    if pid:
        req.write(f"pid {pid} status {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")
    return int(apache.OK)

"""What C asks of Python while it serves (csrc/upcall.h): a reload, and merged settings for a request. Runs in main_interpreter only."""
from __future__ import annotations

import sys
from typing import Any

from .. import bridge
from ..errors import ConfigErrors, PyhostError
from .config import Request, read_config
from .install import Installed

__all__ = ["connect", "install", "report_reload"]

ERROR, WARN, DEBUG = 3, 4, 7

running: dict[int, Installed] = {}
counter = [0]


def install(request: Request) -> Installed:
    """Read a configuration and put it into C's hands. Raises ConfigErrors."""
    config = read_config(request, bridge.regex_error, text_error=bridge.text_error)
    config.check()
    counter[0] += 1
    made = Installed(config, counter[0])
    running[made.generation] = made
    forget_unused(made.generation)
    return made


def forget_unused(newest: int) -> None:
    """Let go of configurations older than any that a worker serves with: C has pointers into those."""
    in_use = bridge.generations_in_use()
    for old in [each for each in running if in_use and each < min(in_use | {newest})]:
        del running[old]


def report_reload(request: Request) -> int:
    """Carry out a reload: every fault goes to the error log and the old configuration stays. Returns 0 or -1."""
    try:
        made = install(request)
        bridge.configure(made.main)
    except ConfigErrors as errors:
        for error in errors.errors:
            bridge.log(ERROR, "config", str(error))
        return -1
    except (PyhostError, OSError, MemoryError) as error:
        bridge.log(ERROR, "config", f"the new configuration cannot be used: {error}")
        return -1
    for place, sentence in made.config.warnings:
        bridge.log(WARN, "config", f"{place.file}:{place.line}: {sentence}")
    return 0


def merge_for(generation: int, server_index: int, ids: Any, count: int, htaccess: Any) -> Any:
    """upcall_merge: a `struct dir_conf *`, or NULL with the reason in the log."""
    paths: list[str] = []
    while htaccess and htaccess[len(paths)]:
        paths.append(bridge.ffi.string(htaccess[len(paths)]).decode("utf-8", "surrogateescape"))
    try:
        return running[generation].merge(server_index, [ids[i] for i in range(count)], paths)
    except ConfigErrors as errors:
        for error in errors.errors:
            bridge.log(ERROR, "config", str(error))
    except PyhostError as error:
        bridge.log(ERROR, "config", str(error))
    return bridge.ffi.NULL


def connect(request: Request) -> None:
    """Take C's calls from now on; a reload reads the same files with the same options as request says."""
    def failed(_kind: Any, error: BaseException, _traceback: Any) -> None:
        sys.excepthook(type(error), error, error.__traceback__)
        bridge.log(ERROR, "config", f"{type(error).__name__}: {error}")

    bridge.ffi.def_extern(name="upcall_reload", error=-1, onerror=failed)(lambda: report_reload(request))
    bridge.ffi.def_extern(name="upcall_merge", error=bridge.ffi.NULL, onerror=failed)(merge_for)

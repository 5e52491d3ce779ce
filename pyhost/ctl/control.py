"""Orders to a running server: by signal to the process that PidFile names, and waiting for what comes of it."""
from __future__ import annotations

import os
import select
import signal
import time

from ..config.config import Config
from ..errors import ControlError

__all__ = ["send"]

SIGNALS = {"stop": signal.SIGTERM, "graceful-stop": signal.SIGQUIT, "graceful": signal.SIGHUP, "restart": signal.SIGHUP}
STOP_S = 30.0  # seconds for a stop at once; a graceful one may take GracefulShutdownTimeout on top
ENDLESS_S = 24 * 3600.0


def read_pid(path: str) -> int:
    """The process number in a PidFile. Raises ControlError."""
    try:
        with open(path, encoding="ascii") as stream:
            text = stream.read(64)
    except FileNotFoundError:
        raise ControlError(f"no server runs here: there is no PidFile {path}") from None
    except (OSError, UnicodeError) as error:
        raise ControlError(f"PidFile {path} cannot be read: {error}") from None
    if not text.strip().isdigit() or int(text) <= 1:
        raise ControlError(f"PidFile {path} holds no process number")
    return int(text)


def send(config: Config, order: str) -> None:
    """Carry out `-k order` and wait until it is done.

    Raises ControlError: no server, no permission, or it did not happen in time.
    """
    path = str(config.main["pid_file"])
    pid = read_pid(path)
    try:
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, SIGNALS[order])
    except ProcessLookupError:
        raise ControlError(f"no server runs here: process {pid} of {path} has gone") from None
    except PermissionError:
        raise ControlError(f"process {pid} of {path} belongs to another user") from None
    try:
        if order in ("graceful", "restart"):
            print(f"pyhost: process {pid} loads its configuration again; the outcome is in its error log")
        else:
            wait_for_end(handle, pid, order, config)
    finally:
        os.close(handle)


def wait_for_end(handle: int, pid: int, order: str, config: Config) -> None:
    grace_ms = int(config.main["graceful_timeout_ms"])
    limit = STOP_S + (0 if order == "stop" else grace_ms / 1000 if grace_ms else ENDLESS_S)
    started = time.monotonic()
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    if not poller.poll(int(limit * 1000)):
        raise ControlError(f"process {pid} is still there after {limit:.0f} s")
    print(f"pyhost: process {pid} has ended after {time.monotonic() - started:.1f} s")

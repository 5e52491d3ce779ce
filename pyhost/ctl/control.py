"""Orders to a running server: by signal to the process that PidFile names, and waiting for what comes of it."""
from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import time

from ..config.config import Config
from ..errors import ControlError

__all__ = ["send"]

SIGNALS = {"stop": signal.SIGTERM, "graceful-stop": signal.SIGQUIT, "graceful": signal.SIGHUP, "restart": signal.SIGHUP}
STOP_S = 30.0     # seconds for a stop at once; a graceful one may take GracefulShutdownTimeout on top
RELOAD_S = 125.0  # a little more than the master gives new workers to become ready
ENDLESS_S = 24 * 3600.0
TURN_S = 0.02
REFUSED = re.compile(rb"[^\n]*the configuration is not reloaded[^\n]*")


def read_pid(path: str) -> int:
    """The process number in a PidFile, which a running server keeps locked. Raises ControlError."""
    try:
        with open(path, "rb") as stream:
            text = stream.read(64).decode("ascii", "replace")
            if not is_locked(stream.fileno()):
                raise ControlError(f"no server runs here: PidFile {path} was left behind")
    except FileNotFoundError:
        raise ControlError(f"no server runs here: there is no PidFile {path}") from None
    except OSError as error:
        raise ControlError(f"PidFile {path} cannot be read: {error.strerror}") from None
    if not text.strip().isdigit() or int(text) <= 1:
        raise ControlError(f"PidFile {path} holds no process number")
    return int(text)


def is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def send(config: Config, order: str) -> None:
    """Carry out `-k order` and wait until it is done.

    config: as the files are now, found good. Raises ControlError: no server, no permission, refused, or it did not happen in time.
    """
    path = str(config.main["pid_file"])
    pid = read_pid(path)
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        raise ControlError(f"no server runs here: process {pid} of {path} has gone") from None
    try:
        if order in ("graceful", "restart"):
            reload(handle, pid, config)
        else:
            signal_it(handle, pid, order)
            wait_for_end(handle, pid, order, config)
    finally:
        os.close(handle)


def signal_it(handle: int, pid: int, order: str) -> None:
    try:
        signal.pidfd_send_signal(handle, SIGNALS[order])
    except ProcessLookupError:
        raise ControlError(f"process {pid} has ended meanwhile") from None
    except PermissionError:
        raise ControlError(f"process {pid} belongs to another user") from None


def wait_for_end(handle: int, pid: int, order: str, config: Config) -> None:
    grace_ms = int(config.main["graceful_timeout_ms"])
    limit = STOP_S + (0 if order == "stop" else grace_ms / 1000 if grace_ms else ENDLESS_S)
    started = time.monotonic()
    if not ended(handle, limit):
        raise ControlError(f"process {pid} is still there after {limit:.0f} s")
    print(f"pyhost: process {pid} has ended after {time.monotonic() - started:.1f} s")


def ended(handle: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(int(seconds * 1000)))


def children(pid: int) -> set[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
            return set(map(int, stream.read().split()))
    except OSError:
        return set()


def reload(handle: int, pid: int, config: Config) -> None:
    """Tell the master to load its configuration again. It touches PidFile when the new one serves, and logs why when it does not."""
    if not children(pid):
        raise ControlError(f"process {pid} serves by itself (-X): it does not load its configuration again, start it anew")
    path, log = str(config.main["pid_file"]), config.servers[0].layer.get("server.error_log")
    before, log_from = touched(path), size_of(log)
    signal_it(handle, pid, "graceful")
    started = time.monotonic()
    while time.monotonic() - started < RELOAD_S:
        if ended(handle, TURN_S):
            raise ControlError(f"process {pid} has ended instead")
        if touched(path) != before:
            print(f"pyhost: process {pid} serves with the new configuration after {time.monotonic() - started:.1f} s")
            return
        refused = REFUSED.search(tail(log, log_from))
        if refused:
            raise ControlError(f"process {pid} goes on with the old configuration: {refused[0].decode('utf-8', 'replace')}")
    raise ControlError(f"process {pid} has not taken the new configuration after {RELOAD_S:.0f} s; its error log says why")


def touched(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def size_of(log: str | None) -> int:
    return os.path.getsize(log) if log and os.path.isfile(log) else 0


def tail(log: str | None, start: int) -> bytes:
    """What has been added to a log file; b"" where the log is no file."""
    if not log or not os.path.isfile(log):
        return b""
    with open(log, "rb") as stream:
        stream.seek(start)
        return stream.read(1 << 20)

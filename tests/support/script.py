"""A Python program that pyhost runs: `pyhost script.py`."""
from __future__ import annotations

import select
import signal
import socket
import subprocess

from .server import wait_until

__all__ = ["Script"]


class Script:
    """A running script."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 30)[0], "no line"
        return self.process.stdout.readline().rstrip("\n")

    def connects(self, where: int | str) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        with socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET) as client:
            return client.connect_ex(where if isinstance(where, str) else ("127.0.0.1", where)) == 0

    def wait_for(self, where: int | str) -> None:
        """Wait until it listens on a port, or a path."""
        wait_until(lambda: self.connects(where), "it listens", 30)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=15)
        return self.process.returncode, out, err

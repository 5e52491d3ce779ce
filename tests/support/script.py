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
        assert select.select([self.process.stdout], [], [], 15)[0], "no line"
        return self.process.stdout.readline().rstrip("\n")

    def connects(self, port: int) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        except ConnectionRefusedError:
            return False

    def wait_for(self, port: int) -> None:
        wait_until(lambda: self.connects(port), "it listens")

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=15)
        return self.process.returncode, out, err

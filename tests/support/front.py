"""A real web server in front of servers under test: own folder, own port, own processes."""
from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .client import Client
from .server import free_port, wait_until

__all__ = ["Front"]


class Front:
    """What Apache and nginx have in common; each is a subclass that writes its configuration and calls `start`.

    root: its folder, made if there is none. Its errors go into `error.log` there.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.port = free_port()

    def start(self, command: Sequence[str]) -> None:
        """Start it and wait until it listens; it has to stay in the foreground."""
        with open(self.root / "stderr", "wb") as stderr:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True)
        wait_until(self.listens, f"{type(self).__name__} listens", 30)

    def listens(self) -> bool:
        assert self.process.poll() is None, (self.root / "stderr").read_text() + self.error_log
        try:
            with Client(self.address):
                return True
        except OSError:
            return False

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def error_log(self) -> str:
        path = self.root / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """End it with its children, which are of its process group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

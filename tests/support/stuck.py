"""A handler that holds up its whole process, in the kernel, until the test lets it go: the end of a fifo that it opens."""
from __future__ import annotations

import os
from pathlib import Path

from .server import wait_until

__all__ = ["STAY", "let_go", "make_fifo", "wait_for_stuck"]

#: For applications: `stay(fifo)`.
STAY = '''
import os

def stay(fifo):
    """Hold up the whole process, in the kernel, until somebody opens the other end."""
    open(fifo + ".in", "w").close()
    os.close(os.open(fifo, os.O_RDONLY))
'''


def make_fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def wait_for_stuck(fifo: Path) -> None:
    entered = fifo.with_name(f"{fifo.name}.in")
    wait_until(entered.exists, "a handler is in there")
    entered.unlink()


def let_go(fifo: Path) -> None:
    def opens() -> bool:
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True
    wait_until(opens, "it opens the other end")

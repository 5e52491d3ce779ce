"""A Python prompt on a socket of this very process, for its owner alone."""
from __future__ import annotations

import code
import contextlib
import io
import socket
import sys

from ...coro import Thread, spawn

__all__ = ["BackDoorServer"]


class BackDoorServer(Thread):
    """Gives each client a prompt in a copy of __main__'s names. Without a password: on the loopback, or wherever only its owner comes."""

    def __init__(self, args: tuple[int | str, ...] = (8023, "127.0.0.1")) -> None:
        """args: (port, address); port 0 takes a free one."""
        super().__init__(name="BackDoorServer")
        port, host = (*args, "127.0.0.1")[:2]
        self.listener = socket.create_server((str(host), int(port)))
        self.address: tuple[str, int] = self.listener.getsockname()[:2]

    def run(self) -> None:
        """Accept until shutdown(). May switch."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            spawn(converse, client)

    def shutdown(self) -> None:
        """Accept nobody any more."""
        self.listener.close()


def converse(client: socket.socket) -> None:
    """One client's session. May switch."""
    console = code.InteractiveConsole(dict(vars(sys.modules["__main__"])))
    with client, client.makefile("r", encoding="utf-8", newline="\n") as lines:
        prompt = ">>> "
        while True:
            client.sendall(prompt.encode())
            line = lines.readline()
            if not line:
                return
            output = io.StringIO()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                try:
                    more = console.push(line.rstrip("\r\n"))
                except SystemExit:
                    return
            client.sendall(output.getvalue().encode("utf-8", "backslashreplace"))
            prompt = "... " if more else ">>> "

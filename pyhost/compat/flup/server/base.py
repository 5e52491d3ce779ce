"""What flup's WSGIServer classes have in common. Threads, processes and multiplexing are the C front end's business."""
from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ....script import serving
from ....script.program import loop

__all__ = ["BaseServer"]

Application = Callable[..., Iterable[bytes | str]]


class BaseServer:
    """A WSGI server on one address."""

    protocol = "fastcgi"

    def __init__(self, application: Application, environ: Mapping[str, Any] | None = None, multithreaded: bool = True,
                 multiprocess: bool = False, bindAddress: tuple[str, int] | str | None = None, umask: int | None = None,
                 multiplexed: bool = False, debug: bool = False, **ignored: object) -> None:
        """application: WSGI. environ: added to each request's. bindAddress: (host, port), a path, or None for the socket on descriptor 0.

        umask: of the unix socket. The other arguments say how flup works inside, and change nothing here.
        """
        self.application = application
        self.environ = dict(environ or {})
        self._address = bindAddress
        self._umask = umask
        self._again = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ.update(self.environ)
        result = self.application(environ, start_response)
        return (part.encode("latin-1") if isinstance(part, str) else part for part in result) if not is_bytes(result) else result  # type: ignore[return-value]

    def run(self, timeout: float | None = None) -> bool:
        """Serve until SIGTERM, SIGINT or SIGHUP. Returns whether it was SIGHUP, as flup says "start me again". May switch."""
        address = self._address if self._address is not None else inherited()
        mask = os.umask(self._umask) if self._umask is not None else None
        try:
            serving.serve(self, address, self.protocol)
        finally:
            if mask is not None:
                os.umask(mask)
        signal.signal(signal.SIGHUP, lambda *_: self.exit(again=True))
        loop.wait()
        serving.stop(address)
        return self._again

    def exit(self, again: bool = False) -> None:
        """Let run() return."""
        self._again = again
        loop.stop()


def is_bytes(result: Iterable[bytes | str]) -> bool:
    """Nothing to convert: a list of bytes, or a file_wrapper that must stay what it is."""
    return not isinstance(result, (list, tuple)) or all(isinstance(part, bytes) for part in result)


def inherited() -> tuple[str, int] | str:
    """The address of the listening socket on descriptor 0, which spawn-fcgi and web servers leave there. Raises OSError: there is none."""
    with socket.socket(fileno=os.dup(0)) as found:
        name = found.getsockname()
    return name if isinstance(name, str) else (name[0], name[1])

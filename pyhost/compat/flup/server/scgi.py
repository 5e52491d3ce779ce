"""flup.server.scgi: WSGIServer(app, bindAddress=…).run()."""
from __future__ import annotations

from .base import BaseServer

__all__ = ["WSGIServer"]


class WSGIServer(BaseServer):
    """Speaks scgi."""

    protocol = "scgi"

"""pyhost: a web server in C with Python inside."""
from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "await_", "in_greenlet"]


def __getattr__(name: str) -> Any:
    """`pyhost.await_` and `pyhost.in_greenlet` bring asyncio with them, so they come on first use; they exist in the server only."""
    if name not in ("await_", "in_greenlet"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .gateway import asgi

    return getattr(asgi, name)

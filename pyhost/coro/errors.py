"""What coroutine functions raise."""
from __future__ import annotations

__all__ = ["CoroutineError", "LockTimeout"]


class CoroutineError(Exception):
    """A coroutine object was used in a way that cannot work."""


class LockTimeout(CoroutineError):
    """A lock was not free in time."""

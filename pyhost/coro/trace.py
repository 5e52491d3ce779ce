"""Who waits where, and what everybody has cost."""
from __future__ import annotations

import traceback
from typing import NamedTuple

import _coro

__all__ = ["Where", "where"]


class Where(NamedTuple):
    """One coroutine at one moment. run_s, longest_s: seconds; stack: innermost last, empty for the one that asks."""

    task: object
    name: str
    run_s: float
    resumes: int
    longest_s: float
    stack: tuple[str, ...]


def where() -> list[Where]:
    """Return all coroutines of this interpreter that have begun and not ended. Never switches."""
    found = []
    for task in _coro.tasks():
        frame = task.frame
        lines = tuple(line.rstrip() for line in traceback.format_stack(frame)) if frame is not None else ()
        found.append(Where(task, task.name or "request", *task.counts, lines))
    return found

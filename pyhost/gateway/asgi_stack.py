"""Where ASGI applications stand, as text for the error log. Called from C (csrc/pyasgi_limit.c)."""
from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from .asgi import the_loop

__all__ = ["where_tasks_wait", "where_the_loop_waits"]


def chain(awaitable: Any) -> Iterator[Any]:
    """Yield a coroutine and what it awaits, down to what is no coroutine."""
    while awaitable is not None:
        yield awaitable
        awaitable = next((found for name in ("cr_await", "gi_yieldfrom", "ag_await") if (found := getattr(awaitable, name, None)) is not None), None)


def frame_of(awaitable: Any) -> FrameType | None:
    return next((frame for name in ("cr_frame", "gi_frame", "ag_frame") if (frame := getattr(awaitable, name, None)) is not None), None)


def stack_of(task: asyncio.Task[Any]) -> str:
    awaited = list(chain(task.get_coro()))
    lines = [line for each in awaited if (frame := frame_of(each)) is not None
             for line in traceback.format_list(traceback.StackSummary.extract([(frame, frame.f_lineno)]))]
    end = "" if frame_of(awaited[-1]) is not None else f"  awaiting {awaited[-1]!r}\n"
    return f"{task.get_name()} waits (most recent call last):\n{''.join(lines)}{end}"


def belongs(task: asyncio.Task[Any], variable: Any, ticket: Any) -> bool:
    context: Mapping[Any, Any] = getattr(task, "get_context", dict)()  # Python 3.12
    return context.get(variable) is ticket


def where_tasks_wait(task: asyncio.Task[Any], variable: Any, ticket: Any) -> str:
    """Return the stacks of a request's task and of the tasks that it has started. Never switches."""
    others = [other for other in asyncio.all_tasks(task.get_loop()) if other is not task and belongs(other, variable, ticket)]
    return "".join(map(stack_of, [task, *others]))


def where_the_loop_waits() -> str:
    """Return the stack of the greenlet in which the asyncio loop runs, which waits in a blocking call. Never switches."""
    frame = the_loop().task.frame
    return "Stack (most recent call last):\n" + "".join(traceback.format_stack(frame)) if frame is not None else "it runs again\n"

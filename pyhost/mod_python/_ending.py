"""What is to happen when the content handler of a request has ended: before the response is out, unlike req.register_cleanup().

The phase engine (pyphase.c) calls the request's attribute `_at_handler_end` with the request where there is one.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .constants import APLOG_ERR

__all__ = ["at_handler_end", "handler_ended"]


class _Ending:
    """Functions that wait for the end of a handler. Holds no reference to the request."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, req: Any) -> None:
        while self.waiting:
            function = self.waiting.pop()
            try:
                function()
            except Exception as error:  # one that fails does not keep the others locked
                req.log_error(f"mod_python: at the end of the handler: {type(error).__name__}: {error}", APLOG_ERR)


def at_handler_end(req: Any, function: Callable[[], object]) -> None:
    """Call function() once when the content handler of this request has ended, at the latest after the response."""
    ending = getattr(req, "_at_handler_end", None)
    if ending is None:
        ending = req._at_handler_end = _Ending()
        req.register_cleanup(ending, req)
    ending.waiting.append(function)


def handler_ended(req: Any) -> None:
    """Call what waits, the last first; an exception is logged and does not stop the others. May switch."""
    ending = getattr(req, "_at_handler_end", None)
    if ending is not None:
        ending(req)

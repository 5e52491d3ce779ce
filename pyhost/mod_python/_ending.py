"""What is to happen when the content handler of a request has ended: before the response is out, unlike req.register_cleanup().

The phase engine calls handler_ended(req) where the request has the attribute `_at_handler_end`; publisher and psp do so themselves.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .constants import APLOG_ERR

__all__ = ["at_handler_end", "handler_ended"]

ATTRIBUTE = "_at_handler_end"


def at_handler_end(req: Any, function: Callable[[], object]) -> None:
    """Call function() once when the handler of this request has ended, at the latest after the response."""
    waiting = getattr(req, ATTRIBUTE, None)
    if waiting is None:
        setattr(req, ATTRIBUTE, [function])
        req.register_cleanup(handler_ended, req)
    else:
        waiting.append(function)


def handler_ended(req: Any) -> None:
    """Call what waits, the last first; an exception is logged and does not stop the others. May switch."""
    waiting = getattr(req, ATTRIBUTE, None)
    while waiting:
        function = waiting.pop()
        try:
            function()
        except Exception as error:
            req.log_error(f"mod_python: at the end of the handler: {type(error).__name__}: {error}", APLOG_ERR)

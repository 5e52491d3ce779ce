"""Calling a published object with the fields of a form: arguments matched by name."""
from __future__ import annotations

import inspect
import types
import weakref
from collections.abc import Mapping
from typing import Any

__all__ = ["apply_fs_data"]

Parameters = Mapping[str, inspect.Parameter]
_signatures: weakref.WeakKeyDictionary[types.FunctionType, Parameters] = weakref.WeakKeyDictionary()
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def apply_fs_data(object: Any, fs: Any, **args: Any) -> Any:
    """Call object(…) with those fields of the form that its signature names, and return what it returns. May switch.

    object: function, method, class or instance with __call__. fs: FieldStorage; one value is passed as it is, several as a list.
    args: more arguments by name (publisher's `req`), passed only where the signature wants them; they win over fields. `**kw` in the
    signature gets all fields. Raises TypeError when an argument without default is missing.
    """
    values: dict[str, Any] = {}
    for field in fs.list:
        values.setdefault(field.name, []).append(field)
    values = {name: found[0] if len(found) == 1 else found for name, found in values.items()}
    values.update(args)
    try:
        parameters = _parameters(object)
    except (TypeError, ValueError):
        return object()  # a callable of C that does not say what it wants
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        unwanted = {name for name in args if name not in parameters}
        return _call(object, parameters, {name: value for name, value in values.items() if name not in unwanted})
    return _call(object, parameters, {name: value for name, value in values.items()
                                      if name in parameters and parameters[name].kind in (*_NAMED, inspect.Parameter.POSITIONAL_ONLY)})


def _parameters(object: Any) -> Parameters:
    """inspect.signature(), which takes longer than most published functions, once per function."""
    function = getattr(object, "__func__", object)
    if not isinstance(function, types.FunctionType):
        return inspect.signature(object).parameters
    found = _signatures.get(function)
    if found is None:
        found = _signatures[function] = inspect.signature(function).parameters
    if function is object:
        return found
    first, *rest = found.values()
    bound = first.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return found if bound else {one.name: one for one in rest}


def _call(object: Any, parameters: Parameters, values: dict[str, Any]) -> Any:
    first = [one.name for one in parameters.values() if one.kind is inspect.Parameter.POSITIONAL_ONLY]
    positional = []
    for name in first:
        if name not in values:
            break
        positional.append(values.pop(name))
    return object(*positional, **values)

"""`__auth__`, `__auth_realm__` and `__access__` written inside a published function, found in the source of the function.

mod_python read them from code objects, which broke with each CPython. Here the file's syntax tree is read once per function; where
the function says it has such a name and the source does not show it plainly, the request is refused, never let through.
"""
from __future__ import annotations

import ast
import inspect
import linecache
import weakref
from types import CodeType, FunctionType
from typing import Any

from . import importer

__all__ = ["NAMES", "NestedRuleError", "nested_rules"]

NAMES = ("__auth_realm__", "__auth__", "__access__")
_cache: weakref.WeakKeyDictionary[FunctionType, dict[str, Any]] = weakref.WeakKeyDictionary()


class NestedRuleError(Exception):
    """A function has a nested rule that cannot be read; it must not be published."""


def nested_rules(found: Any) -> dict[str, Any]:
    """Return the rules nested in a function or method, and in those it wraps; empty for most.

    Raises NestedRuleError when there are some and they cannot be read.
    """
    function: Any = inspect.unwrap(found)
    rules: dict[str, Any] = {}
    for one in dict.fromkeys((found, function)):
        one = getattr(one, "__func__", one)
        if isinstance(one, FunctionType):
            rules |= _rules_of(one)
    return rules


def _rules_of(function: FunctionType) -> dict[str, Any]:
    code = function.__code__
    wanted = [name for name in NAMES if name in code.co_varnames or name in code.co_cellvars]
    if not wanted:
        return {}
    if function not in _cache:
        node = _definition(code)
        if node is None:
            raise NestedRuleError(f"{_where(code)} has {', '.join(wanted)}, but its source cannot be read")
        _cache[function] = {name: _value(name, node, function) for name in wanted}
    return _cache[function]


def _where(code: CodeType) -> str:
    return f"{code.co_name}() in {code.co_filename}:{code.co_firstlineno}"


def _definition(code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    source = importer.source_of(code.co_filename)
    if source is None:
        source = "".join(linecache.getlines(code.co_filename)).encode()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def _value(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, function: FunctionType) -> Any:
    """The value of a rule: a def or an assignment directly in the function's body, evaluated with the module's names."""
    found: ast.stmt | None = None
    for statement in node.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if getattr(statement, "name", None) == name or any(isinstance(one, ast.Name) and one.id == name for one in targets):
            found = statement
    if found is None:
        raise NestedRuleError(f"{name} of {_where(function.__code__)} is not directly in the function's body")
    space: dict[str, Any] = {}
    code = compile(ast.Module([found], []), function.__code__.co_filename, "exec")
    try:
        exec(code, function.__globals__, space)
        return space[name]
    except Exception as error:
        raise NestedRuleError(f"{name} of {_where(function.__code__)} cannot be evaluated by itself: {error}") from error

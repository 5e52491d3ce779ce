"""Rewrites the imports of a handler module, so that `import helper` finds the helper.py beside it and no other directory's.

Python has one namespace of modules; mod_python's users have one `index.py` per directory. Instead of putting handler directories on
sys.path, the statements whose module lies beside the importing file become calls of `__near__`, which the importer puts into the
module. All other imports stay statements and cost nothing more.
"""
from __future__ import annotations

import ast
from collections.abc import Callable
from types import CodeType

__all__ = ["NEAR", "compile_near"]

#: The name of the importer's function in a handler module. Publisher does not traverse it: it starts with an underscore.
NEAR = "__near__"


def compile_near(source: bytes, path: str, is_near: Callable[[str], bool]) -> CodeType:
    """Return the code of a module whose near imports go through `__near__`.

    source: the file's bytes, decoded as PEP 263 says. path: for tracebacks. is_near(name): whether the top-level module of that name
    lies beside the file. Raises SyntaxError and ValueError (NUL bytes) as compile() does.
    """
    tree = _Rewriter(is_near).visit(ast.parse(source, path))
    ast.fix_missing_locations(tree)
    code: CodeType = compile(tree, path, "exec", dont_inherit=True)
    return code


class _Rewriter(ast.NodeTransformer):
    def __init__(self, is_near: Callable[[str], bool]) -> None:
        self._is_near = is_near

    def _near(self, dotted: str | None, level: int = 0) -> bool:
        return level == 0 and dotted is not None and self._is_near(dotted.partition(".")[0])

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for alias in node.names:
            if not self._near(alias.name):
                out.append(ast.copy_location(ast.Import([alias]), node))
                continue
            target = alias.asname or alias.name.partition(".")[0]
            out.append(_assign(node, target, alias.name, None, leaf=alias.asname is not None))
        return out

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt] | ast.stmt:
        if node.module is None or not self._near(node.module, node.level):
            return node
        out: list[ast.stmt] = []
        for alias in node.names:
            if alias.name == "*":
                call = _call(node, node.module, "*", leaf=True)
                out.append(ast.copy_location(ast.Expr(call), node))
            else:
                out.append(_assign(node, alias.asname or alias.name, node.module, alias.name, leaf=True))
        return out


def _call(node: ast.stmt, module: str, attribute: str | None, leaf: bool) -> ast.expr:
    words = [ast.Constant(module), ast.Constant(attribute), ast.Constant(leaf)]
    return ast.copy_location(ast.Call(ast.Name(NEAR, ast.Load()), list(words), []), node)


def _assign(node: ast.stmt, target: str, module: str, attribute: str | None, leaf: bool) -> ast.stmt:
    return ast.copy_location(ast.Assign([ast.Name(target, ast.Store())], _call(node, module, attribute, leaf)), node)

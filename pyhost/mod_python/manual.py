"""Prints docs/mod_python_api.md from the docstrings: `python -m pyhost.mod_python.manual`. Reads the sources, imports nothing."""
from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

__all__ = ["entry", "manual", "public"]

HERE = Path(__file__).resolve().parent
#: Module as applications know it, the files that its public names are in, and those names.
PAGES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("apache", ("apache", "_resolve", "_callback", "_cgistream"), (
        "import_module", "register_cleanup", "module_mtime", "resolve_object", "build_cgi_env", "setup_cgi", "restore_nocgi", "CallBack",
        "CGIStdin", "CGIStdout", "NullIO")),
    ("importer", ("importer",), ("load", "load_file", "files_of")),
    ("util", ("util", "_fields", "_header", "_query", "_apply", "_form"), (
        "FieldStorage", "Field", "StringField", "FieldList", "FormLimits", "parse_qs", "parse_qsl", "parse_header", "redirect",
        "apply_fs_data")),
    ("Cookie", ("Cookie",), ("Cookie", "SignedCookie", "MarshalCookie", "add_cookie", "get_cookies", "get_cookie", "CookieError")),
    ("Session", ("Session", "_session_base", "_session_stores", "_session_shared"), (
        "Session", "BaseSession", "SqliteSession", "FileSession", "DbmSession", "MemorySession", "RedisSession")),
    ("publisher", ("publisher",), ("handler", "resolve_object", "process_auth", "publish_object")),
    ("psp", ("psp", "_psp_parser"), ("handler", "PSP", "PSPInterface", "parse", "parsestring")),
    ("cgihandler", ("cgihandler",), ("handler",)),
    ("wsgi", ("wsgi",), ("handler",)),
    ("testhandler", ("testhandler",), ("handler",)),
    ("httpdconf", ("httpdconf",), ("Directive", "Container", "ContainerTag", "Comment", "quote_if_space", "write_basic_config")),
)
Named = ast.FunctionDef | ast.ClassDef


def public(body: list[ast.stmt]) -> Iterator[Named]:
    """Yield the functions and classes of a module or a class, without overloads."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not any(
                isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list):
            yield node


def _arguments(node: ast.FunctionDef, skip_first: bool) -> str:
    arguments = node.args
    if skip_first and arguments.args:
        arguments.args = arguments.args[1:]
    for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
        if one is not None:
            one.annotation = None
    return f"({ast.unparse(arguments)})"


def entry(node: Named, inside: str = "") -> Iterator[str]:
    """The heading and the text of a function or a class, and of the class's public methods."""
    name = f"{inside}.{node.name}" if inside else node.name
    text = ast.get_docstring(node) or ""
    if isinstance(node, ast.FunctionDef):
        is_property = any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list)
        first = bool(inside) and not any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in node.decorator_list)
        yield f"{'####' if inside else '###'} `{name}{'' if is_property else _arguments(node, first)}`\n\n{text}\n"
        return
    members = list(public(node.body))
    made = next((one for one in members if one.name == "__init__" and isinstance(one, ast.FunctionDef)), None)
    bases = ", ".join(ast.unparse(one) for one in node.bases)
    more = inspect.cleandoc(ast.get_docstring(made) or "") if made else ""
    yield f"### class `{name}{_arguments(made, True) if made else ''}`\n\n{text}\n" + (f"\n{more}\n" if more else "") + (
        f"\nDerives from {bases}.\n" if bases else "")
    shown = [one for one in members if not one.name.startswith("_")]
    plain = [f"`{one.name}{_arguments(one, True)}`" for one in shown if isinstance(one, ast.FunctionDef) and not ast.get_docstring(one)]
    if plain:
        yield f"Also {', '.join(plain)}.\n"
    for one in shown:
        if ast.get_docstring(one):
            yield from entry(one, name)


def manual() -> str:
    """Return the page: every module with its description, every public name with arguments and docstring."""
    out = ["# mod_python's API in pyhost: the Python half\n", "Printed by `make docs` from the docstrings; how to move is in [mod_python.md](mod_python.md).\n"]
    for title, files, names in PAGES:
        trees = [ast.parse((HERE / f"{file}.py").read_text()) for file in files]
        out.append(f"## {title}\n\n{ast.get_docstring(trees[0])}\n")
        found = {node.name: node for tree in reversed(trees) for node in public(tree.body)}
        for name in names:
            out += entry(found[name])
    return "\n".join(out)


if __name__ == "__main__":
    print(manual(), end="")

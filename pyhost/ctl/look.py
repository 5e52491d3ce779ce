"""What an application is, found out by importing it: run in a process of its own (`python -m pyhost.ctl.look TARGET`), because the server's
master runs no user code."""
from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .static import django_aliases

__all__ = ["Found", "NotFound", "guess", "look"]

USUAL = ("application", "app", "wsgi_app", "asgi_app", "asgi")
FACTORIES = ("create_app", "make_app", "create_application", "make_application", "main")
ASGI_WORDS = re.compile(r"\basgi\b|\bFastAPI\b|\bStarlette\b|\bQuart\b|\bLitestar\b|async def \w+\(\s*scope\b", re.IGNORECASE)


class NotFound(Exception):
    """There is no application there; the text says what was looked for."""


class Found(dict[str, Any]):
    """folder: to be on sys.path; spec: `module:callable`; interface: wsgi or asgi; what: for people; static: (URL path, file or folder) pairs."""


def split(target: str) -> tuple[str, str, str]:
    """Folder, module and callable ("" when not said) of a target: `module:callable`, a file, a folder (of a Django project, or with app.py).

    Raises NotFound.
    """
    name, _, wanted = target.partition(":")
    if os.path.isdir(name):
        return (*in_folder(os.path.abspath(name)), wanted)
    if name.endswith(".py") or "/" in name:
        path = os.path.abspath(name)
        if not os.path.isfile(path):
            raise NotFound(f"{name}: there is no such file")
        folder, module = os.path.dirname(path), os.path.basename(path).removesuffix(".py")
        while os.path.exists(os.path.join(folder, "__init__.py")):
            folder, package = os.path.split(folder)
            module = f"{package}.{module}"
        return folder, module, wanted
    return os.getcwd(), name, wanted


def in_folder(folder: str) -> tuple[str, str]:
    """A Django project (manage.py names its settings), or a usual file."""
    manage = os.path.join(folder, "manage.py")
    if os.path.exists(manage):
        with open(manage, encoding="utf-8", errors="replace") as source:
            settings = re.search(r"DJANGO_SETTINGS_MODULE\W+([\w.]+)\.\w+", source.read())
        for name in ("wsgi", "asgi"):
            if settings and os.path.exists(os.path.join(folder, *settings[1].split("."), name + ".py")):
                return folder, f"{settings[1]}.{name}"
        raise NotFound(f"{manage}: no wsgi.py or asgi.py beside the settings that it names")
    for name in ("wsgi", "asgi", "app", "application", "main"):
        if os.path.exists(os.path.join(folder, name + ".py")):
            return folder, name
    raise NotFound(f"{folder}: no manage.py, wsgi.py, asgi.py, app.py, application.py or main.py in it")


def is_asgi(found: Any) -> bool:
    """Is it called with (scope, receive, send)? A class, or a function with one argument, is ASGI 2, which is not served."""
    if inspect.iscoroutinefunction(found):
        return True
    if callable(found) and inspect.iscoroutinefunction(type(found).__call__):
        return True
    return list(parameters(found))[:3] == ["scope", "receive", "send"]


def parameters(found: Any) -> Iterator[str]:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return
    for parameter in signature.parameters.values():
        if parameter.default is parameter.empty and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            yield parameter.name


def is_factory(found: Any) -> bool:
    return inspect.isfunction(found) and not list(parameters(found)) and not inspect.iscoroutinefunction(found)


def is_framework_object(value: Any) -> bool:
    module = type(value).__module__.partition(".")[0]
    return module in ("flask", "fastapi", "starlette", "bottle", "falcon", "quart", "litestar", "pyramid") and callable(value) and not inspect.isroutine(value)


def candidates(module: ModuleType) -> Iterator[str]:
    """Names that may be the application, the likely ones first."""
    yield from (name for name in USUAL if hasattr(module, name) and not inspect.ismodule(getattr(module, name)))
    for name, value in vars(module).items():
        if not name.startswith("_") and (is_framework_object(value) or is_web_py(value)) and type(value).__name__.lower() not in ("localproxy", "request"):
            yield name
    yield from (name for name in FACTORIES if is_factory(getattr(module, name, None)))


def is_web_py(found: Any) -> bool:
    return type(found).__module__.startswith("web.") and hasattr(found, "wsgifunc")


def resolved(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def choose(module: ModuleType, wanted: str) -> tuple[str, Any]:
    """The name to be written behind the colon, and the object. Raises NotFound and AttributeError."""
    name = wanted.removesuffix("()") or next(candidates(module), "")
    if not name:
        raise NotFound(f"{module.__name__} has none of {', '.join((*USUAL, *FACTORIES))}: say {module.__name__}:name")
    found = resolved(module, name)
    if wanted.endswith("()") or is_factory(found):
        name, found = name + "()", found()
    if is_web_py(found):
        name, found = name + ".wsgifunc()", found.wsgifunc()
    if not callable(found):
        raise NotFound(f"{module.__name__}:{name} is a {type(found).__name__}, not an application")
    return name, found


def look(target: str) -> Found:
    """Import a target and say what it is. Raises NotFound, and what the import raises."""
    folder, module_name, wanted = split(target)
    sys.path.insert(0, folder)
    name, found = choose(importlib.import_module(module_name), wanted)
    interface = "asgi" if is_asgi(found) else "wsgi"
    kind = type(found)
    what = "a function" if inspect.isroutine(found) else f"{kind.__module__}.{kind.__qualname__}"
    return Found(folder=folder, spec=f"{module_name}:{name}", interface=interface, what=what, static=django_aliases())


def guess(target: str) -> Found:
    """The same by reading the source only, for a file that cannot be imported at the moment. Raises NotFound."""
    folder, module_name, wanted = split(target)
    base = os.path.join(folder, *module_name.split("."))
    path = next((each for each in (base + ".py", os.path.join(base, "__init__.py")) if os.path.exists(each)), None)
    if path is None:
        raise NotFound(f"{target}: neither a module here nor a file")
    with open(path, encoding="utf-8", errors="replace") as source:
        text = source.read()
    spec = f"{module_name}:{wanted}" if wanted else module_name
    return Found(folder=folder, spec=spec, interface="asgi" if ASGI_WORDS.search(text) else "wsgi", what="not known: it cannot be imported now", static=[])


def main() -> int:
    """Print what was found as JSON on the last line of standard output. Returns 0, 1: nothing there, 2: its import raised."""
    try:
        print("\n" + json.dumps(look(sys.argv[1])))
    except NotFound as error:
        print(error, file=sys.stderr)
        return 1
    except (Exception, SystemExit, KeyboardInterrupt):  # whatever the user's module does
        traceback.print_exc()
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What C needs of Python in each interpreter: it is imported there first, finds `mod_python` for applications, and reports errors."""
from __future__ import annotations

import codecs
import html
import importlib
import importlib.machinery
import importlib.util
import io
import os
import re
import site
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType, TracebackType
from typing import Any

from .alias import alias_spec
from .compat import patches, signals

__all__ = ["config_tree", "files_of", "load", "prepare", "report", "report_filter", "run_import", "run_path", "run_pdb", "traceback_lines"]

_ALIAS = "mod_python"
_REAL = "pyhost.mod_python"
_DONE, _SERVER_ERROR, _LOG_ERR = -2, 500, 3
_paths_seen: set[str] = set()
_homes_seen: set[str] = set()


class _AliasFinder:
    """Finds `mod_python` in this package, before any that is installed."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != _ALIAS and not fullname.startswith(_ALIAS + "."):
            return None
        real = _REAL + fullname[len(_ALIAS):]
        try:
            found = importlib.util.find_spec(real)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return None
        return alias_spec(fullname, real, fullname == _ALIAS, found.origin)


#: What extensions say that cannot be loaded a second time in a process: numpy, Cython, PyO3, CPython itself.
_REFUSAL = re.compile(r"(?i)sub-?interpreter|interpreter change|(once|one interpreter) per process|more than once|already (loaded|initialized)")


class LogBytes(io.BufferedIOBase):
    """sys.stdout.buffer of handlers: UTF-8 for the stream above it."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with memoryview(data).cast("B") as view:
            self._stream.write(self._decoder.decode(bytes(view)))
            return len(view)

    def flush(self) -> None:
        self._stream.flush()


class LogStream(io.TextIOBase):
    """sys.stdout and sys.stderr of handlers: whole lines go into the error log as they are."""

    def __init__(self, name: str, write: Callable[[str], object], fd: int) -> None:
        self._name, self._write, self._fd = name, write, fd
        self._rest = ""
        self.buffer = LogBytes(self)

    @property
    def name(self) -> str:
        return self._name

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def fileno(self) -> int:
        return self._fd

    def writable(self) -> bool:
        return True

    def reconfigure(self, **options: Any) -> None:
        """Programs ask for UTF-8 or for lines at once: they have that."""

    def write(self, text: str) -> int:
        lines, newline, rest = (self._rest + text).rpartition("\n")
        self._rest = rest
        if newline:
            self._write((lines + "\n").encode("utf-8", "backslashreplace").decode("utf-8"))
        return len(text)

    def flush(self) -> None:
        rest, self._rest = self._rest, ""
        if rest:
            self._write(rest.encode("utf-8", "backslashreplace").decode("utf-8"))


def prepare(name: str) -> None:
    """Make this interpreter ready for handlers: the finder for `mod_python`, output into the error log, sys.argv, apache.interpreter.

    name: of the interpreter.
    """
    _apache = importlib.import_module("_apache")
    if not any(isinstance(finder, _AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AliasFinder())
    patches.install()
    signals.install()
    sys.argv = ["mod_python"]
    sys.stdout = LogStream("<stdout>", _apache._log_text, 1)
    sys.stderr = LogStream("<stderr>", _apache._log_text, 2)
    if name != "main_interpreter":
        _explain_refusals(name)


def _explain_refusals(name: str) -> None:
    """Let the error of a C extension that knows one interpreter only say what to do about it."""
    loader = importlib.machinery.ExtensionFileLoader

    def explained(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def call(self: Any, of: Any) -> Any:
            try:
                return method(self, of)
            except ImportError as error:
                if not _REFUSAL.search(str(error)):
                    raise
                raise ImportError(f"{error} (the C extension {self.name} cannot be used in the interpreter {name}: "
                                  "give its handlers `PythonInterpreter main_interpreter`)", name=self.name, path=self.path) from error

        return call

    loader.create_module = explained(loader.create_module)  # type: ignore[method-assign, assignment]
    loader.exec_module = explained(loader.exec_module)  # type: ignore[method-assign, assignment]


def run_path(expression: str | None, home: str | None = None) -> None:
    """Evaluate a PythonPath and make it sys.path, then put a virtual environment in front of it; each once in this interpreter.

    expression: Python, such as `sys.path+['/x']`. home: PyHome. Raises what it raises, TypeError when it is not a list of str, and ImportError
    when the environment has no packages for this Python.
    """
    if expression is not None and expression not in _paths_seen:
        value = eval(expression, {"sys": sys, "__builtins__": __builtins__})
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise TypeError(f"PythonPath {expression!r}: a list of strings was expected, not {value!r}")
        sys.path[:] = value
        _paths_seen.add(expression)
    if home is not None and home not in _homes_seen:
        _add_home(home)
        _homes_seen.add(home)


def _add_home(home: str) -> None:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folder = os.path.join(home, "lib", version, "site-packages")
    if not os.path.isdir(folder):
        raise ImportError(f"PyHome {home}: there is no {folder}")
    rest = [path for path in sys.path if path != folder]
    sys.path[:] = rest
    site.addsitedir(folder)  # which reads its .pth files
    new = [path for path in sys.path if path not in rest]
    sys.path[:] = [*new, *rest]


def load(name: str, directory: str | None, autoreload: bool, log: bool) -> ModuleType:
    """Return a handler module, loaded or loaded again when its files have changed. May switch.

    name: `module` or `package.module`. directory: of the handler, None where there is none. autoreload, log: PythonAutoReload, PythonDebug.
    """
    return _importer().load(name, directory, autoreload, log)  # type: ignore[no-any-return]


def files_of(module: ModuleType) -> list[str]:
    """Return the files whose change means that the module has to be loaded again."""
    return _importer().files_of(module)  # type: ignore[no-any-return]


def _importer() -> Any:
    return importlib.import_module(_REAL + ".importer")


def run_import(module: str, function: str | None, python_path: str | None, debug: int) -> None:
    """Do what PythonImport says: import a module and call a function of it without arguments. May switch.

    module: its name. function: `name` or `object.name`, or None. python_path: PythonPath of the main server. debug: its PythonDebug.
    """
    if python_path:
        run_path(python_path)
    found: Any = load(module, None, True, bool(debug))
    if function:
        for part in function.split("."):
            found = getattr(found, part)
        found()


def run_pdb(handler: Callable[[Any], Any], req: Any) -> Any:
    """Call a handler under the debugger (PythonEnablePdb, -X only)."""
    import pdb

    debugger = pdb.Pdb(stdin=sys.__stdin__, stdout=sys.__stdout__)
    return debugger.runcall(handler, req)


def traceback_lines(error: BaseException, trace: TracebackType | None) -> Iterator[str]:
    """Yield a traceback for a log: frames line by line; the exception's own text stays one line, since a client may have a say in it."""
    for entry in traceback.format_exception(type(error), error, trace):
        yield from entry.splitlines() if entry.startswith('  File "') else (entry.rstrip("\n"),)


def report(req: Any, phase: str, handler: str, error: BaseException, debug: bool) -> int:
    """Log an exception of a handler, line by line, and show it to the client where PythonDebug is on.

    phase, handler: names for the log. Returns 500, or DONE when the page is in the response. May switch.
    """
    lines = list(traceback_lines(error, error.__traceback__))
    for line in lines:
        req.log_error(f"{phase} {handler}: {line}", _LOG_ERR)
    if not debug or phase in ("PythonConnectionHandler", "PythonLogHandler", "PythonCleanupHandler"):
        return _SERVER_ERROR
    req.status = _SERVER_ERROR
    req.content_type = "text/html; charset=utf-8"
    try:
        req.write(_page(f"{phase} {handler}", lines))
    except OSError:
        pass  # the client has gone
    return _DONE


def report_filter(req: Any, fltr: Any, error: BaseException, debug: bool) -> bytes:
    """Log an exception of a filter; return what it writes in its place where PythonDebug is on."""
    lines = list(traceback_lines(error, error.__traceback__))
    for line in lines:
        req.log_error(f"Filter: {fltr.name} {fltr.handler}: {line}", _LOG_ERR)
    if not debug or fltr.is_input:
        return b""
    req.status = _SERVER_ERROR
    req.content_type = "text/html; charset=utf-8"
    return _page(f"{fltr.name} {fltr.handler}", lines)


def _page(what: str, lines: Sequence[str]) -> bytes:
    text = "".join(html.escape(line) + "\n" for line in lines)
    return f'\n<pre>\nMod_python error: "{what}"\n\n{text}</pre>\n'.encode("utf-8", "backslashreplace")


def config_tree() -> list[Any]:
    """Return the configuration file as nested lists: (directive, arguments) tuples, a section followed by the list of what is in it."""
    _apache = importlib.import_module("_apache")
    from .config.parser import Parser

    defines = dict.fromkeys(_apache._defines(), "")
    parser = Parser(_apache.server_root(), defines)
    parser.read_file(_apache._config_file())
    return _tree(parser.tree)


def _tree(nodes: Sequence[Any]) -> list[Any]:
    tree: list[Any] = []
    for node in nodes:
        tree.append((node.name, node.args))
        if node.children is not None:
            tree.append(_tree(node.children))
    return tree

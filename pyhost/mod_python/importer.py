"""Handler modules: keyed by the path of their file, reloaded when they or what they import from handler directories have changed.

Two `index.py` in two directories are two modules. A module's name in sys.modules is its path without `.py` (dots written `%2E`), so that
pickles of its classes are found again in every worker; where its directory is on sys.path it has its plain name. Loads happen one at a
time; other greenlets wait. A module is registered once its code has run to the end: a broken edit keeps nothing half-loaded, and the
next request tries again.

Limits: the submodules of a package are imported by Python itself, so they use relative imports, and a package is reloaded as a whole
when one of its loaded files changes. Packages and modules in site-packages or the standard library are never reloaded. Modules reached
by importlib.import_module() are Python's, not this page's: use apache.import_module().
"""
from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import site
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote

from ._native import native
from ._near import NEAR, compile_near
from ._wait import LOADS
from .constants import APLOG_NOTICE

__all__ = ["files_of", "is_near", "load", "load_file", "module_stamp", "near_directory", "near_of", "source_of"]

Stamp = tuple[int, int, int] | None
_NEVER_NEAR = frozenset({"mod_python", "pyhost", "_apache", "__future__", "__main__"})


class Record:
    """A module that is loaded."""

    __slots__ = ("module", "near", "path", "serial", "source", "stamp")

    def __init__(self, path: str, module: ModuleType, stamp: Stamp, serial: int) -> None:
        self.path, self.module, self.stamp, self.serial = path, module, stamp, serial
        self.source = b""
        self.near: dict[str, int] = {}  # path -> serial of the modules it imported from handler directories


def module_stamp(path: str) -> Stamp:
    """Return what tells one version of a file from the next (mtime in ns, size, inode), or None when there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Importer:
    """The handler modules of this interpreter."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.directories: set[str] = set()
        self.turn = LOADS
        self.serial = 0
        self.loading: dict[str, Record] = {}  # in the order of their begin
        self.pending: list[Record] = []       # whole, but part of a cycle with one that is still loading
        packages = site.getsitepackages([sys.prefix, sys.base_prefix])
        fixed = {os.path.dirname(os.__file__), *packages, os.path.dirname(os.path.dirname(__file__))}
        self.fixed = tuple(place.rstrip("/") + "/" for place in fixed)

    # Finding.

    def name_of(self, path: str) -> str:
        """Return the module name for a file: plain where its directory is on sys.path, else made of the path."""
        stem = path.removesuffix("/__init__.py").removesuffix(".py")
        directory, _, base = stem.rpartition("/")
        if directory in (entry.rstrip("/") for entry in sys.path if isinstance(entry, str)):
            return base
        return quote(stem, safe="/").replace(".", "%2E")

    def find_in(self, directory: str, name: str) -> str | None:
        """Return the file of a top-level module in a directory, or None."""
        base = os.path.join(directory, name)
        for path in (base + ".py", base + "/__init__.py"):
            if os.path.isfile(path):
                return path
        return None

    def find(self, name: str, directories: Iterable[str]) -> str | None:
        """Return the file of a module (of the package, for a dotted name) in handler directories, or None."""
        top = name.partition(".")[0]
        if top in _NEVER_NEAR:
            return None
        return next((path for place in directories if (path := self.find_in(place, top))), None)

    def is_near(self, name: str, directory: str, path: str) -> bool:
        """Return whether `import name` in the file at path means a module of its directory."""
        if name in _NEVER_NEAR or not name.isidentifier():
            return False
        found = self.find_in(directory, name)
        if found:
            return found != path or name not in sys.stdlib_module_names
        if name in sys.modules or name in sys.stdlib_module_names:
            return False
        try:
            return importlib.util.find_spec(name) is None  # not anywhere yet: looked up when the statement runs
        except (ImportError, ValueError):
            return True

    # Freshness.

    def closure(self, record: Record) -> Iterator[Record]:
        """Iterate over the record and those of everything it imported from handler directories, each once."""
        seen, queue = {record.path}, [record]
        while queue:
            one = queue.pop()
            yield one
            for path in list(one.near):
                if path not in seen and path in self.records:
                    seen.add(path)
                    queue.append(self.records[path])

    def is_stale(self, record: Record) -> bool:
        """Return whether a file changed, or a module was loaded again, since the record's module was loaded."""
        for one in self.closure(record):
            if module_stamp(one.path) != one.stamp:
                return True
            if any(path not in self.records or self.records[path].serial != serial for path, serial in list(one.near.items())):
                return True
            if one.path.endswith("/__init__.py") and any(_changed(module) for module in _submodules(one.module.__name__)):
                return True
        return False

    def get(self, path: str, autoreload: bool, log: bool) -> Record:
        """Return the record of a file, loading it where needed. May switch."""
        record = self.records.get(path)
        if record and path not in self.loading and not (autoreload and self.is_stale(record)):
            return record
        with self.turn:
            if path in self.loading:
                return self.loading[path]
            record = self.records.get(path)
            if record and not (autoreload and self.is_stale(record)):
                return record
            if log:
                again = "Reimporting" if record else "Importing"
                native.log_error(f"mod_python: {again} module '{_plain(path)}' from '{path}'", APLOG_NOTICE)
            return self._load(path, autoreload, log)

    # Loading; the turn is held.

    def _load(self, path: str, autoreload: bool, log: bool) -> Record:
        name = self.name_of(path)
        record = self._adopt(name, path) or self._new_record(name, path)
        if record.serial:
            return record
        self.serial += 1
        record.serial = self.serial
        taken = {key: sys.modules.pop(key) for key in [name, *(m.__name__ for m in _submodules(name))] if key in sys.modules}
        self.loading[path] = record
        sys.modules[name] = record.module
        try:
            self._run(record, autoreload, log)
        except BaseException:
            for key in [name, *(m.__name__ for m in _submodules(name))]:
                sys.modules.pop(key, None)
            sys.modules.update(taken)
            self.pending.clear()
            raise
        finally:
            del self.loading[path]
        self._commit(record)
        return record

    def _adopt(self, name: str, path: str) -> Record | None:
        """Take over a module that Python imported from the same file before; only where the plain name is used."""
        module = sys.modules.get(name)
        if path in self.records or module is None or getattr(module, "__file__", None) != path:
            return None
        if getattr(module.__spec__, "_initializing", False):
            module = importlib.import_module(name)  # waits for who is at it
        self.serial += 1
        record = self.records[path] = Record(path, module, module_stamp(path), self.serial)
        return record

    def _new_record(self, name: str, path: str) -> Record:
        places = [os.path.dirname(path)] if path.endswith("/__init__.py") else None
        loader = importlib.machinery.SourceFileLoader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader, submodule_search_locations=places)
        assert spec is not None
        return Record(path, importlib.util.module_from_spec(spec), None, 0)

    def _run(self, record: Record, autoreload: bool, log: bool) -> None:
        with open(record.path, "rb") as file:
            found = os.fstat(file.fileno())
            source = record.source = file.read()
        record.stamp = found.st_mtime_ns, found.st_size, found.st_ino
        directory = near_directory(record.path)
        self.directories.add(directory)
        code = compile_near(source, record.path, lambda name: self.is_near(name, directory, record.path))
        setattr(record.module, NEAR, _Near(self, record, directory, autoreload, log))
        exec(code, record.module.__dict__)

    def _commit(self, record: Record) -> None:
        if any(path in self.loading for path in record.near):
            self.pending.append(record)
            return
        self.records[record.path] = record
        if not self.loading:
            self.records.update({one.path: one for one in self.pending})
            self.pending.clear()


class _Near:
    """`__near__` of one module: its door to the modules beside it."""

    __slots__ = ("_autoreload", "_directory", "_importer", "_log", "_record")

    def __init__(self, importer: _Importer, record: Record, directory: str, autoreload: bool, log: bool) -> None:
        self._importer, self._record, self._directory, self._autoreload, self._log = importer, record, directory, autoreload, log

    def __call__(self, name: str, attribute: str | None, leaf: bool) -> Any:
        path = self._importer.find(name, [self._directory])
        if path is None:
            module = importlib.import_module(name)
            top = sys.modules[name.partition(".")[0]]
        else:
            other = self._importer.get(path, self._autoreload, self._log)
            self._record.near[path] = other.serial
            top = other.module
            module = _descend(top, name)
        if attribute is None:
            return module if leaf else top
        if attribute == "*":
            return _star(module, self._record.module.__dict__)
        return _attribute(module, attribute)


def _descend(top: ModuleType, name: str) -> ModuleType:
    rest = name.partition(".")[2]
    return importlib.import_module(f"{top.__name__}.{rest}") if rest else top


def _attribute(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        pass
    if hasattr(module, "__path__"):
        try:
            return importlib.import_module(f"{module.__name__}.{name}")
        except ModuleNotFoundError:
            pass
    raise ImportError(f"cannot import name {name!r} from {module.__file__!r}", name=name, path=module.__file__)


def _star(module: ModuleType, target: dict[str, Any]) -> None:
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name in module.__dict__ if not name.startswith("_")]
    target.update({name: _attribute(module, name) for name in names})


def _submodules(name: str) -> list[ModuleType]:
    prefix = name + "."
    return [module for key, module in list(sys.modules.items()) if key.startswith(prefix) and module is not None]


def _changed(module: ModuleType) -> bool:
    path = getattr(module, "__file__", None)
    if not path or not path.endswith(".py"):
        return False
    stamp = module_stamp(path)
    if "__stamp__" not in module.__dict__:
        module.__dict__["__stamp__"] = stamp  # Python loaded it a moment ago
    return bool(module.__dict__["__stamp__"] != stamp)


def _plain(path: str) -> str:
    return os.path.basename(path.removesuffix("/__init__.py")).removesuffix(".py")


def near_directory(path: str) -> str:
    """Return the directory in which a module of that file finds its neighbours (for a package: the one the package lies in)."""
    return os.path.dirname(path.removesuffix("/__init__.py"))


_importer = _Importer()


def load_file(path: str, autoreload: bool = True, log: bool = False) -> ModuleType:
    """Return the module of a file, loaded or loaded again where needed.

    path: absolute. autoreload: whether changes are looked for. log: whether a load writes a notice. Raises FileNotFoundError and
    whatever the module's code raises. May switch.
    """
    return _importer.get(path, autoreload, log).module


def load(module_name: str, directory: str | None = None, autoreload: bool = True, log: bool = False,
         path: Sequence[str] | None = None) -> ModuleType:
    """Return a handler module by name, loaded or loaded again where needed.

    module_name: `name`, `package.name`, or a file (`/abs/file.py`, `./file`), looked for in directory, then in each of path, then on
    sys.path. directory: of the handler, None where there is none or PythonPath says where modules are. autoreload: whether changes are
    looked for. log: whether a load writes a notice.
    Raises ImportError when there is none, and whatever the module's code raises. May switch.
    """
    if "/" in module_name:
        return load_file(_as_file(module_name, directory), autoreload, log)
    places = [os.path.abspath(place) for place in (directory, *(path or ())) if place]
    found = _importer.find(module_name, places)
    if found:
        top = _importer.get(found, autoreload, log).module
        module = _descend(top, module_name)
        for one in _submodules(top.__name__):
            _changed(one)
        return module
    return _load_global(module_name, autoreload, log, places)


def _as_file(name: str, directory: str | None) -> str:
    path = os.path.abspath(os.path.join(directory or "", os.path.expanduser(name)))
    for candidate in (path, path + ".py", path + "/__init__.py"):
        if os.path.isfile(candidate):
            return candidate
    raise ModuleNotFoundError(f"No module file {path!r}", name=name)


def _look_again() -> None:
    """Forget what was in the folders of sys.path. CPython's own stumbles when another greenlet or thread forgets at the same time; and at its end, where
    importlib.metadata is not imported yet and PythonPath leaves the standard library out (3.13).
    """
    for _ in range(3):
        try:
            importlib.invalidate_caches()
            return
        except KeyError:
            continue
        except ImportError:
            return


def _load_global(name: str, autoreload: bool, log: bool, places: Sequence[str]) -> ModuleType:
    """A module of sys.path: reloaded when it is a single file outside of the fixed places, else Python's own business."""
    if "." not in name and name not in _NEVER_NEAR:
        _look_again()
        file = _file_on_sys_path(name)
        if file and not file.startswith(_importer.fixed) and not {"site-packages", "dist-packages"} & set(file.split("/")):
            return load_file(file, autoreload, log)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        where = ", ".join([*places, "sys.path"])
        raise ModuleNotFoundError(f"No module named {name!r} in {where}", name=name) from None


def _file_on_sys_path(name: str) -> str | None:
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        return file if file and file.endswith(".py") and os.path.isfile(file) and not hasattr(module, "__path__") else None
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.has_location or spec.submodule_search_locations is not None:
        return None
    return spec.origin if spec.origin and spec.origin.endswith(".py") else None


def files_of(module: ModuleType) -> list[str]:
    """Return the files whose change makes load() load the module again; empty for a module that is never reloaded."""
    path = getattr(module, "__file__", None)
    record = _importer.records.get(path) if path else None
    if record is None:
        record = next((one for one in list(_importer.records.values()) if module.__name__.startswith(one.module.__name__ + ".")), None)
    if record is None:
        return []
    files = [one.path for one in _importer.closure(record)]
    for one in _importer.closure(record):
        if one.path.endswith("/__init__.py"):
            files += [m.__file__ for m in _submodules(one.module.__name__) if m.__file__ and m.__file__.endswith(".py")]
    return files


def is_near(name: str, directory: str, path: str) -> bool:
    """Return whether `import name` in the file at path means a module of its directory."""
    return _importer.is_near(name, directory, path)


def near_of(module: ModuleType, path: str) -> Any:
    """Return the `__near__` of a module that is not kept (a CGI script): its neighbours are kept and reloaded as for others."""
    directory = near_directory(path)
    _importer.directories.add(directory)
    return _Near(_importer, Record(path, module, None, 0), directory, True, False)


def source_of(path: str) -> bytes | None:
    """Return the source that the module of a file was made of, which the file may no longer hold; None when it is not loaded."""
    record = _importer.records.get(path)
    return record.source or None if record else None


class _PickleFinder:
    """Lets Python find handler modules by their name: for pickles of their classes, and `__import__(__name__)`."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        if not name.startswith("/") or "." in name:
            return None
        stem = unquote(name)
        file = next((one for one in (stem + ".py", stem + "/__init__.py") if os.path.isfile(one)), None)
        if file is None or near_directory(file) not in _importer.directories:
            return None
        return importlib.machinery.ModuleSpec(name, _PickleLoader(file), origin=file)  # type: ignore[arg-type]


class _PickleLoader:
    def __init__(self, path: str) -> None:
        self._path = path

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return load_file(self._path)

    def exec_module(self, module: ModuleType) -> None:
        pass  # load_file has


sys.meta_path.append(_PickleFinder)

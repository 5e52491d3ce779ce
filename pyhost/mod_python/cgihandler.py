"""mod_python.cgihandler: Python CGI scripts inside the server.

print() and sys.stdout, sys.stdin and os.environ are the request's own, for each greenlet, so that scripts run side by side and other
handlers are not touched. A script also expects to run in its directory, which is the whole process's; so by default one script runs at
a time per process, and others wait. `PythonOption mod_python.cgi.chdir Off` leaves the directory alone and lets them run together.
Limits: programs that a script starts get the server's environment unless they are given `env=os.environ`.
"""
from __future__ import annotations

import builtins
import contextvars
import os
import sys
from collections.abc import Iterator, MutableMapping
from types import ModuleType
from typing import Any

from . import importer
from ._cgistream import CGIStdin, CGIStdout, build_cgi_env
from ._native import SERVER_RETURN
from ._near import NEAR, compile_near
from ._wait import Turn
from .constants import APLOG_ERR, HTTP_INTERNAL_SERVER_ERROR, HTTP_NOT_FOUND, OK

__all__ = ["handler"]

_turn = Turn()
_current: contextvars.ContextVar[_Streams | None] = contextvars.ContextVar("mod_python_cgi", default=None)


class _Streams:
    """What is a script's own."""

    def __init__(self, req: Any) -> None:
        self.stdin = CGIStdin(req)
        self.stdout = CGIStdout(req)
        self.environ = build_cgi_env(req)


class _PerContext:
    """A standard stream: the script's own in its greenlet, the process's everywhere else."""

    def __init__(self, name: str, normal: Any) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_normal", normal)

    def _target(self) -> Any:
        streams = _current.get()
        return self._normal if streams is None else getattr(streams, self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._target())


class _EnvironPerContext(MutableMapping[str, str]):
    """os.environ: the script's own in its greenlet, the process's everywhere else."""

    def __init__(self, normal: Any) -> None:
        self._normal = normal

    def _target(self) -> Any:
        streams = _current.get()
        return self._normal if streams is None else streams.environ

    def __getitem__(self, key: str) -> str:
        return str(self._target()[key])

    def __setitem__(self, key: str, value: str) -> None:
        self._target()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._target()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._target())

    def __len__(self) -> int:
        return len(self._target())

    def __contains__(self, key: object) -> bool:
        return key in self._target()

    def copy(self) -> dict[str, str]:
        """Return a dict of it."""
        return dict(self._target())

    def __repr__(self) -> str:
        return repr(self._target())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._normal, name)  # encodekey, decodevalue … of os._Environ, which subprocess uses


def _install() -> None:
    """Put the streams in place, once; again where somebody has replaced one meanwhile."""
    for name in ("stdin", "stdout"):
        if not isinstance(getattr(sys, name), _PerContext):
            setattr(sys, name, _PerContext(name, getattr(sys, name)))
    if not isinstance(os.environ, _EnvironPerContext):
        os.environ = _EnvironPerContext(os.environ)  # type: ignore[assignment]


def handler(req: Any) -> int:
    """Run the script that req.filename is. May switch.

    Answers 404 where there is none, 500 (with a line in the log) where its output begins with no CGI header. What it raises is
    reported as other handlers' exceptions; sys.exit() ends it.
    """
    path = req.filename
    if not path or not os.path.isfile(path):
        req.log_error(f"cgihandler: script not found: {path}", APLOG_ERR)
        raise SERVER_RETURN(HTTP_NOT_FOUND)
    _install()
    streams = _Streams(req)
    token = _current.set(streams)
    try:
        if (req.get_options().get("mod_python.cgi.chdir") or "On").lower() in ("off", "0", "no", "false"):
            _run(path)
        else:
            with _turn:
                _run_in_directory(path)
        _finish(req, streams)
    finally:
        _current.reset(token)
    return OK


def _finish(req: Any, streams: _Streams) -> None:
    try:
        streams.stdout.finish()
    except ValueError as error:
        req.log_error(f"cgihandler: {error}", APLOG_ERR)
        raise SERVER_RETURN(HTTP_INTERNAL_SERVER_ERROR) from None


def _run_in_directory(path: str) -> None:
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(os.path.dirname(path))
        _run(path)
    finally:
        try:
            os.fchdir(before)
        finally:
            os.close(before)


def _run(path: str) -> None:
    """Run the script as `__main__` would: a namespace of its own, compiled each time, its neighbours imported through the importer."""
    with open(path, "rb") as file:
        source = file.read()
    directory = os.path.dirname(path)
    module = ModuleType("__main__")
    module.__file__ = path
    module.__dict__["__builtins__"] = builtins
    code = compile_near(source, path, lambda name: importer.is_near(name, directory, path))
    module.__dict__[NEAR] = importer.near_of(module, path)
    try:
        exec(code, module.__dict__)
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)

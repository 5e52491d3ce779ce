"""`pyhost serve module:application`: one line instead of a configuration, and the configuration that it stands for."""
from __future__ import annotations

import getopt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from ..config.config import Request
from ..errors import PyhostError
from .look import Found, NotFound, guess

__all__ = ["ServeError", "USAGE", "request_for"]

USAGE = """usage: pyhost serve [options] module:application | file.py[:application] | folder
  --host address   where to listen (127.0.0.1); 0.0.0.0 for everybody
  --port number    (8000)
  --workers n      processes (1)
  --threads n      for those who come from other servers: each request has a greenlet of its own, so there is nothing to set
  --reload         load the application again when its files change, and show tracebacks in the browser
  --interface kind wsgi or asgi, where looking at the application cannot tell
  --home folder    a virtual environment whose packages it uses ($VIRTUAL_ENV)
  --print          print the configuration, and serve nothing
An application is what Flask, Django (wsgi.py, asgi.py, or the folder of manage.py), Bottle, Falcon, Pyramid, web.py, FastAPI or Starlette make,
a function, or a factory: module:create_app()"""


class ServeError(PyhostError):
    """`pyhost serve` cannot do what it was asked for."""


@dataclass(slots=True)
class Options:
    """What was asked for."""

    target: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    threads: int = 0
    reload: bool = False
    interface: str = ""
    home: str = ""
    only_print: bool = False
    help: bool = False


def number(name: str, text: str, lowest: int, highest: int) -> int:
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise ServeError(f"{name} {text}: a number from {lowest} to {highest} expected")
    return int(text)


def parse(argv: Sequence[str]) -> Options:
    """Read the options. Raises ServeError."""
    options = Options()
    try:
        found, rest = getopt.gnu_getopt(list(argv), "h", ["host=", "port=", "workers=", "threads=", "reload", "interface=", "home=", "print", "help"])
    except getopt.GetoptError as error:
        raise ServeError(str(error)) from None
    for name, value in found:
        if name == "--host":
            options.host = value
        elif name == "--port":
            options.port = number(name, value, 0, 65535)
        elif name == "--workers":
            options.workers = number(name, value, 1, 128)
        elif name == "--threads":
            options.threads = number(name, value, 1, 100000)
        elif name == "--interface":
            if value not in ("wsgi", "asgi"):
                raise ServeError(f"--interface {value}: wsgi or asgi expected")
            options.interface = value
        elif name == "--home":
            options.home = os.path.abspath(value)
        elif name in ("-h", "--help"):
            options.help = True
        else:
            options.reload |= name == "--reload"
            options.only_print |= name == "--print"
    if not options.help and len(rest) != 1:
        raise ServeError("one application expected: module:application")
    options.target = rest[0] if rest else ""
    return options


def home_of(options: Options) -> str:
    """The virtual environment to be used: the one asked for, or the active one when the program is not its own. Raises ServeError."""
    active = os.environ.get("VIRTUAL_ENV", "")
    home = options.home or (active if active and os.path.realpath(active) != os.path.realpath(sys.prefix) else "")
    packages = os.path.join(home, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    if home and not os.path.isdir(packages):
        raise ServeError(f"{'--home' if options.home else 'VIRTUAL_ENV'} {home}: there is no {packages}")
    return home


def python_of(home: str) -> str:
    candidate = os.path.join(home, "bin", "python")
    return candidate if home and os.access(candidate, os.X_OK) else sys.executable


def look_from_outside(options: Options, home: str) -> Found:
    """Ask another process. A module that cannot be imported is an error, or with --reload its author's next step. Raises ServeError."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run([python_of(home), "-m", "pyhost.ctl.look", options.target], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)})
    if done.returncode == 0:
        return Found(json.loads(done.stdout.splitlines()[-1]))
    if done.returncode == 2 and options.reload:
        print(done.stderr + "pyhost: the application cannot be imported; mend it, and it is there", file=sys.stderr)
        try:
            return guess(options.target)
        except NotFound as error:
            raise ServeError(str(error)) from None
    raise ServeError(f"{options.target}: {done.stderr.strip()}")


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def configuration(options: Options, found: Found, home: str) -> str:
    """The text of the configuration."""
    where = f"[{options.host}]" if ":" in options.host else options.host
    lines = [f"# {found['spec']}: {found['what']} ({found['interface'].upper()}). Save this, and `pyhost -f file` does the same.",
             f"ServerRoot {quoted(found['folder'])}", f"ServerName {quoted('localhost')}", f"Listen {where}:{options.port}",
             f"StartServers {options.workers}",
             f"PidFile {quoted(os.path.join(tempfile.gettempdir(), f'pyhost-serve-{os.getpid()}.pid'))}",
             f"PythonPath {quoted('[' + repr(found['folder']) + '] + sys.path')}"]
    if home:
        lines.append(f"PyHome {quoted(home)}")
    if options.threads:
        lines.append(f"# --threads {options.threads}: each request has a greenlet of its own; what waits holds up nobody")
    lines += [f"PythonAutoReload {'On' if options.reload else 'Off'}", f"PythonDebug {'On' if options.reload else 'Off'}"]
    if found["static"]:
        lines.append("# Django's static files, as its staticfiles app finds them now")
    lines += [f"Alias {quoted(path)} {quoted(target)}" for path, target in found["static"]]
    lines.append(f"{'PyASGIAlias' if found['interface'] == 'asgi' else 'PyWSGIAlias'} / {quoted(found['spec'])}")
    return "\n".join(lines) + "\n"


def request_for(argv: Sequence[str]) -> Request | None:
    """Print the configuration that a command line stands for, and return how it is read; None: there is nothing to serve.

    argv: what follows `serve`. Raises ServeError.
    """
    options = parse(argv)
    if options.help:
        print(USAGE)
        return None
    home = home_of(options)
    found = look_from_outside(options, home)
    if options.interface:
        found["interface"] = options.interface
    text = configuration(options, found, home)
    print(text, flush=True)
    return None if options.only_print else Request(None, found["folder"], (), [text])

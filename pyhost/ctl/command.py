"""Options of the command line, in httpd's spellings, and what each does."""
from __future__ import annotations

import getopt
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from .. import __version__, bridge
from ..config.config import Config, Request, read_config
from ..errors import ConfigErrors, ControlError, PyhostError

__all__ = ["SERVE", "main"]

SERVE = -1  # C goes on and serves
GOOD, BAD, UNWRITTEN = 0, 1, 120  # 120: as Python's own, when its standard streams cannot be flushed
USAGE = """usage: pyhost script.py [argument ...]     run a Python program with the server's loop under it
       pyhost [-f file] [-d folder] [-D name] [-C "directive"] [-c "directive"]
              [-X] [-k start|stop|graceful|graceful-stop|restart]
              [-t] [-S] [-v] [-V] [-l] [-L] [-M] [-h]
       pyhost serve module:application [--port n] [--reload] …     (pyhost serve -h)
  -f file       configuration file (else conf/pyhost.conf or pyhost.conf below -d or here, else /etc/pyhost/pyhost.conf)
  -d folder     ServerRoot until the configuration sets it
  -D name       a name for <IfDefine name>
  -C directive  carried out before the configuration file
  -c directive  carried out after it
  -X            one process, for debugging
  -k start      serve in the foreground (so does no option at all)
  -k stop       end the running server (PidFile) at once
  -k graceful-stop  end it when the requests in flight are done
  -k graceful, restart  let it load its configuration again, without losing a request
  -t            check the configuration: all faults, or "Syntax OK"
  -S            show virtual hosts, sections, handlers and settings
  -v, -V        version; with what it was built
  -l, -M        what is built in, by file name; by module name
  -L            all directives with contexts, defaults and meaning (-L --markdown: docs/directives.md)
  -h            this text"""
DEFAULT_FILES = ("conf/pyhost.conf", "pyhost.conf")
SYSTEM_FILE = "/etc/pyhost/pyhost.conf"


@dataclass(slots=True)
class Options:
    """What was asked for."""

    file: str | None = None
    root: str = ""
    defines: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    shows: list[str] = field(default_factory=list)  # t S v V l L M h, in the order given
    one_process: bool = False
    signal: str = "start"
    markdown: bool = False


class UsageError(PyhostError):
    """The command line cannot be understood."""


def parse(argv: Sequence[str]) -> Options:
    """Read the options. Raises UsageError."""
    options = Options()
    try:
        found, rest = getopt.gnu_getopt(list(argv), "f:d:D:C:c:k:tSvVlLMXh", ["help", "version", "markdown"])
    except getopt.GetoptError as error:
        raise UsageError(str(error)) from None
    if rest:
        raise UsageError(f"no argument expected: {rest[0]}")
    for name, value in found:
        if name in ("-D", "-C", "-c"):
            {"-D": options.defines, "-C": options.before, "-c": options.after}[name].append(value)
        elif name == "-f":
            options.file = value
        elif name == "-d":
            options.root = value
        elif name == "-k":
            options.signal = value
        elif name == "-X":
            options.one_process = True
        elif name == "--markdown":
            options.markdown = True
        else:
            options.shows.append({"--help": "h", "--version": "v"}.get(name, name[1:]))
    if options.signal not in ("start", "stop", "graceful", "graceful-stop", "restart"):
        raise UsageError(f"-k {options.signal}: start, stop, graceful, graceful-stop or restart expected")
    return options


def absolute(path: str) -> str:
    """As os.path.abspath(). Raises UsageError: it is relative to a folder that is gone."""
    try:
        return os.path.abspath(path)
    except OSError as error:
        raise UsageError(f"an absolute path expected, not {path}: the current folder: {error.strerror}") from error


def find_file(options: Options) -> str:
    """The configuration file, absolute. Raises UsageError: there is none."""
    if options.file is not None and os.path.isabs(options.file):
        return absolute(options.file)
    root = absolute(options.root)
    if options.file is not None:
        here = absolute(options.file)
        there = absolute(os.path.join(root, options.file))
        return there if not os.path.exists(here) and os.path.exists(there) else here
    for name in DEFAULT_FILES:
        if os.path.exists(os.path.join(root, name)):
            return os.path.join(root, name)
    if os.path.exists(SYSTEM_FILE):
        return SYSTEM_FILE
    raise UsageError(f"no configuration: give one with -f (looked for {' and '.join(DEFAULT_FILES)} in {root}, and {SYSTEM_FILE})")


def request_of(options: Options) -> Request:
    defines = [*options.defines, *(("ONE_PROCESS", "NO_DETACH", "DEBUG") if options.one_process else ())]
    root = absolute(options.root) if options.root else ""
    return Request(find_file(options), root, defines, options.before, options.after, options.one_process)


def load(options: Options) -> Config:
    """Read and check. Raises ConfigErrors and UsageError; warnings go to standard error."""
    there = bridge.available()
    config = read_config(request_of(options), bridge.regex_error if there else None, text_error=bridge.text_error if there else None)
    warn(config)
    config.check()
    return config


def warn(config: Config) -> None:
    for place, sentence in config.warnings:
        print(f"pyhost: warning: {place.file}:{place.line}: {sentence}", file=sys.stderr)


def listing_of(letter: str, options: Options) -> str:
    """What an option prints. Raises ConfigErrors and UsageError."""
    from . import listing, settings
    match letter:
        case "h":
            return USAGE
        case "v":
            return f"Server version: pyhost/{__version__}"
        case "V":
            return listing.build_settings()
        case "l":
            return listing.built_in()
        case "M":
            return listing.modules()
        case "L":
            return listing.markdown() if options.markdown else listing.directives()
        case _:
            return settings.dump(load(options))


def check(options: Options) -> None:
    """-t. Raises ConfigErrors and UsageError."""
    config = load(options)
    print("Syntax OK" + (f" ({len(config.warnings)} warnings)" if config.warnings else ""), file=sys.stderr)


def show(options: Options) -> int:
    """Print what was asked for, in order; stop where nobody takes it."""
    for letter in options.shows:
        if letter == "t":
            check(options)
            continue
        text = listing_of(letter, options)
        try:
            print(text, flush=True)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in Python's buffer
            if not isinstance(error, BrokenPipeError):  # else: whoever read has seen enough
                print(f"pyhost: standard output: {error.strerror}", file=sys.stderr)
            return UNWRITTEN
    return GOOD


def serve(request: Request) -> int:
    """Read the configuration, put it into C's hands and say so."""
    from ..config import upcalls
    if not bridge.available():
        raise UsageError("this is not the pyhost program: run `pyhost`, which has Python inside")
    installed = upcalls.install(request)
    warn(installed.config)
    upcalls.connect(request)
    bridge.configure(installed.main)
    return SERVE


def serve_application(argv: Sequence[str]) -> int:
    """`pyhost serve …`."""
    from .serve import ServeError, request_for
    try:
        request = request_for(argv)
    except ServeError as error:
        raise UsageError(f"serve: {error}") from error
    return GOOD if request is None else serve(request)


def main(argv: Sequence[str]) -> int:
    """Carry out the command line.

    argv: the program's name and its arguments. Returns the exit code: 0 good, 1 bad command line, configuration or command,
    120 a listing that cannot be written; or SERVE.
    """
    if len(argv) > 1 and argv[1] != "serve" and not argv[1].startswith("-") and bridge.available():
        from .. import script
        script.configure(argv[1:])
        return SERVE
    try:
        if argv[1:2] == ["serve"]:
            return serve_application(argv[2:])
        options = parse(argv[1:])
        if options.shows:
            return show(options)
        if options.signal != "start":
            from . import control
            control.send(load(options), options.signal)
            return GOOD
        return serve(request_of(options))
    except UsageError as error:
        print(f"pyhost: {error}\n(pyhost {'serve ' * (argv[1:2] == ['serve'])}-h shows all options)", file=sys.stderr)
    except ConfigErrors as errors:
        print(errors, file=sys.stderr)
        print(f"pyhost: {len(errors.errors)} fault(s) in the configuration", file=sys.stderr)
    except ControlError as error:
        print(f"pyhost: {error}", file=sys.stderr)
    return BAD

"""Rows of the table: mod_python's 26 directives, and those of pyhost's own for Python."""
from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from . import convert_python as p
from . import values as v
from .convert import url_path
from .convert_python import PHASES
from .model import Alias, AliasKind
from .rows import ANYWHERE, MAIN, SERVER, row
from .table import ALIASES_FIRST, APPEND, KEYED, KEYED_LISTS, LIST, Context, Convert, Directive, Several
from .values import absolute_path, flag

__all__ = ["ROWS"]

PHASE_DOCS = {
    "PythonPostReadRequestHandler": "Handlers right after the head has been read.",
    "PythonTransHandler": "Handlers that map the URL to a file.",
    "PythonInitHandler": "Handlers that run first: after reading (server level) or after mapping (in sections).",
    "PythonHeaderParserHandler": "Handlers of the first phase after mapping.",
    "PythonAccessHandler": "Handlers that check where the client comes from.",
    "PythonAuthenHandler": "Handlers that find out who the user is (with AuthType and Require).",
    "PythonAuthzHandler": "Handlers that decide what the user may.",
    "PythonTypeHandler": "Handlers that set the media type.",
    "PythonFixupHandler": "Handlers just before the content.",
    "PythonHandler": "Handlers that make the content (with SetHandler or AddHandler mod_python).",
    "PythonLogHandler": "Handlers after the response, also after errors.",
    "PythonCleanupHandler": "Handlers when the request is done with."}
HANDLERS = "handler [handler …] [| .ext …]"


def mounted(kind: AliasKind) -> Convert:
    """An application of this kind for everything below a path."""
    def convert(ctx: Context, words: Sequence[str]) -> tuple[Alias, ...]:
        return (Alias(kind, url_path(words[0]).rstrip("/") or "/", application(ctx, words[1:])),)
    return convert


def application(ctx: Context, words: Sequence[str]) -> str:
    """`module:callable`, or `file:callable` with the file made absolute by ServerRoot."""
    target, colon, name = words[0].partition(":")
    if not target:
        raise ValueError(f"file-or-module[:callable] expected, not {words[0]}")
    is_file = "/" in target or target.endswith(".py")
    if target.endswith(".wsgi"):  # a file's name, or Django's module mysite.wsgi
        is_file |= os.path.isfile(absolute_path(ctx, target))
    return (absolute_path(ctx, target) if is_file else target) + colon + name


def home(ctx: Context, words: Sequence[str]) -> str:
    return str(absolute_path(ctx, words[0]))


def mounted_application(ctx: Context, words: Sequence[str]) -> Several:
    """The application, and where it is mounted: at its Location."""
    return Several((application(ctx, words), ctx.directory if ctx.is_location and not ctx.directory_is_pattern else None))


def names(_ctx: Context, words: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in words[0].split(";") if name)


def filter_by_extension(_ctx: Context, words: Sequence[str]) -> dict[str, str]:
    return {"." + word.lower().removeprefix("."): words[0] for word in words[1:]}


def optimize(ctx: Context, words: Sequence[str]) -> int:
    value = flag(ctx, words)
    if value and sys.flags.optimize < 2:
        ctx.warn("Python is running already: start pyhost with PYTHONOPTIMIZE=2 in the environment instead")
    return value


def flag_row(name: str, contexts: str, field: str, doc: str, default: str = "Off") -> Directive:
    shown = "dir.python_config" + (" server.python_config" if name != "PythonInterpPerDirectory" else "")
    return row(name, contexts, "On|Off", p.python_flag(name), "1", f"dir.{field} {shown}", doc, default=default)


ROWS: tuple[Directive, ...] = (
    *(row(name, SERVER if name in p.BEFORE_MAPPING else ANYWHERE, HANDLERS if name not in p.BEFORE_MAPPING else "handler [handler …]",
          p.handlers(name), "raw", "dir._hooks", PHASE_DOCS[name], rule=KEYED_LISTS) for name in PHASES),
    row("PythonHandlerModule", ANYWHERE, "module", p.handler_module, "raw", "dir._hooks",
        "A module whose functions authenhandler, handler, loghandler … are the handlers of their phases.", rule=KEYED_LISTS),
    row("PythonConnectionHandler", SERVER, "handler", p.connection_handler, "raw", "server.python_connection_handler",
        "Takes over whole connections; called with the connection object."),
    row("PythonInputFilter", "SVDLF", "handler [name]", p.filter_handler, "1-2", "dir._input_filters",
        "Registers a filter of request bodies; SetInputFilter or AddInputFilter turns it on.", rule=KEYED),
    row("PythonOutputFilter", "SVDLF", "handler [name]", p.filter_handler, "1-2", "dir._output_filters",
        "Registers a filter of responses; SetOutputFilter or AddOutputFilter turns it on.", rule=KEYED),
    row("PythonImport", SERVER, "module[::function] interpreter", p.python_import, "2", "main.imports",
        "Imports a module into an interpreter when a worker starts, and calls its function.", rule=APPEND),
    row("PythonPath", ANYWHERE, "expression", p.python_path, "1", "dir.python_path dir.python_config server.python_config",
        "A Python expression that becomes sys.path, evaluated once per interpreter."),
    row("PythonInterpreter", ANYWHERE, "name", p.python_text("PythonInterpreter"), "1",
        "dir.python_interpreter dir.python_config server.python_config", "Name of the interpreter to use."),
    flag_row("PythonInterpPerDirectory", ANYWHERE, "python_interp_per_directory", "An interpreter for the folder of each file."),
    flag_row("PythonInterpPerDirective", ANYWHERE, "python_interp_per_directive", "An interpreter for each folder or Location with handlers."),
    row("PythonOption", ANYWHERE, "key [value]", p.python_option, "1-2", "dir._python_options server._python_options",
        "A value that handlers read by req.get_options(); an empty one takes it away.", rule=KEYED),
    flag_row("PythonDebug", ANYWHERE, "python_debug", "Show tracebacks to the client."),
    flag_row("PythonAutoReload", ANYWHERE, "python_auto_reload", "Load handler modules again when their file has changed.", "On"),
    flag_row("PythonEnablePdb", ANYWHERE, "python_enable_pdb", "Run handlers in the debugger (with -X only)."),
    row("PythonOptimize", MAIN, "On|Off", optimize, "1", "", default="Off",
        doc="Accepted: Python runs before its configuration is read; start pyhost with PYTHONOPTIMIZE=2 in the environment instead."),
    row("SetInputFilter", ANYWHERE, "name[;name …]", names, "1", "dir.set_input_filters", "Filters of all request bodies here.",
        override="FileInfo", rule=LIST),
    row("SetOutputFilter", ANYWHERE, "name[;name …]", names, "1", "dir.set_output_filters", "Filters of all responses here.",
        override="FileInfo", rule=LIST),
    row("AddInputFilter", ANYWHERE, "name[;name …] .ext …", filter_by_extension, "2-", "dir.add_input_filter",
        "Filters of request bodies by extension.", override="FileInfo", rule=KEYED),
    row("AddOutputFilter", ANYWHERE, "name[;name …] .ext …", filter_by_extension, "2-", "dir.add_output_filter",
        "Filters of responses by extension.", override="FileInfo", rule=KEYED),
    # pyhost's own
    row("PyWSGIAlias", SERVER, "/path file-or-module[:callable]", mounted(AliasKind.WSGI), "2", "server.aliases",
        "A WSGI application for everything below a path, but for what an Alias inside of it leads to.", rule=ALIASES_FIRST),
    row("PyASGIAlias", SERVER, "/path file-or-module[:callable]", mounted(AliasKind.ASGI), "2", "server.aliases",
        "An ASGI application for everything below a path, but for what an Alias inside of it leads to.", rule=ALIASES_FIRST),
    row("PyWSGIApplication", ANYWHERE, "file-or-module[:callable]", mounted_application, "1", "dir.wsgi_application dir.wsgi_mount",
        "The application of SetHandler wsgi or asgi.", override="FileInfo"),
    row("PyHome", ANYWHERE, "folder", home, "1", "dir.python_home",
        "A virtual environment (python -m venv): its packages are found first in the interpreter of these handlers and applications."),
    row("PyInterpreterPerServer", ANYWHERE, "On|Off", v.flag, "1", "dir.python_interp_per_server",
        "An interpreter for each ServerName, as mod_python has it by default.", default="Off"),
    row("PyGreen", ANYWHERE, "On|Off", v.flag, "1", "dir.python_green",
        "Do blocking system calls of handlers give way to other requests?", default="On"),
    row("PyGreenLibraries", MAIN, "name …", p.library_names, "1-", "main.green_libraries",
        "Beginnings of file names of C libraries whose blocking calls may give way, beside the known ones.", rule=APPEND),
    row("PyRequestTimeout", ANYWHERE, "time|Off", v.off_or(v.duration("s")), "1", "dir.request_timeout_ms",
        "Longest time of a request in its handler; then it is ended with 504.", default="Off", unit="seconds"),
    row("PyTimeSlice", ANYWHERE, "time|Off", v.off_or(v.duration("ms")), "1", "dir.time_slice_ms",
        "Computing time after which a handler gives way while others wait.", default="10", unit="milliseconds"),
    row("PyBlockedWarning", ANYWHERE, "time|Off", v.off_or(v.duration("ms")), "1", "dir.blocked_warning_ms",
        "Time after which a handler that holds up all others is logged with its stack.", default="250", unit="milliseconds"),
    row("PyCancelOnDisconnect", ANYWHERE, "On|Off", v.flag, "1", "dir.cancel_on_disconnect",
        "Is a handler ended when its client has gone?", default="Off"),
)

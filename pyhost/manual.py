"""Prints the parts of docs/*.md that the code says itself: `python -m pyhost.manual`. Reads the sources, imports only the directive table.

A printed part of a page stands between `<!-- printed: NAME -->` and `<!-- printed end -->`; everything else in the page is written by hand.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .config.directives import TABLE
from .mod_python.manual import entry, public

__all__ = ["PARTS", "fill"]

HERE = Path(__file__).resolve().parent
CSRC = HERE.parent / "csrc"
DOCS = HERE.parent / "docs"
PART = re.compile(r"(<!-- printed: ([\w-]+) -->\n).*?(<!-- printed end -->)", re.DOTALL)

#: Directives that bound something: what happens at the bound, and words of the log line by which it is found ("" for none).
BOUNDS: dict[str, tuple[str, str]] = {
    "LimitRequestLine": ("414", "the request line is too long"),
    "LimitRequestFieldSize": ("431", "a field line is too long"),
    "LimitRequestFields": ("431", "too many fields"),
    "LimitRequestBody": ("413", "LimitRequestBody allows"),
    "RequestReadTimeout": ("408 for a head; for a body the read raises", "did not come in time"),
    "Timeout": ("a read raises, the connection closes", "the client takes no more of the answer: Timeout"),
    "PyResponseMinRate": ("the connection closes", "the client takes the answer too slowly: PyResponseMinRate"),
    "KeepAliveTimeout": ("the connection closes", ""),
    "MaxKeepAliveRequests": ("the last answer says `Connection: close`", ""),
    "ListenBacklog": ("the system refuses, or lets connections wait", ""),
    "PyMaxConnections": ("accepting pauses", "as many as PyMaxConnections allows"),
    "PyMaxRequestsInFlight": ("503 with `Retry-After: 1`", "as many as PyMaxRequestsInFlight allows"),
    "PyCGIProcesses": ("the request waits; 503 after `CGIDScriptTimeout`", "PyCGIProcesses"),
    "PyCGIQueue": ("503 with `Retry-After: 1`", "as many as PyCGIProcesses and PyCGIQueue allow"),
    "CGIDScriptTimeout": ("504, or the connection closes; the script and what it started are ended", "nothing came from it in time"),
    "CGIScriptTimeout": ("as CGIDScriptTimeout", ""),
    "RLimitCPU": ("the system ends the script", "was killed by signal"),
    "RLimitMEM": ("the script gets no more memory", ""),
    "RLimitNPROC": ("the script starts no more programs", ""),
    "PyBodyBuffer": ("reading from the client pauses", ""),
    "PyOutputBuffer": ("the handler waits in its write", ""),
    "MaxRanges": ("200 with the whole file", ""),
    "PyRequestTimeout": ("504", "RequestTimeout"),
    "PyTimeSlice": ("others go on first", ""),
    "PyBlockedWarning": ("nothing but the line", "the worker has been held up for"),
    "PyWebSocketMessageLimit": ("the WebSocket closes with 1009", "closed with"),
    "PyWebSocketPing": ("a ping; then the connection closes", "the client does not answer pings: PyWebSocketPing"),
    "GracefulShutdownTimeout": ("connections are cut", "GracefulShutdownTimeout has passed"),
    "MaxConnectionsPerChild": ("the worker is replaced", "as many as MaxConnectionsPerChild allows"),
    "StartServers": ("not more than 128", "the number of workers is"),
}
#: Headers with bounds that have no directive: file, and the line behind which they begin.
FIXED = (("limit.h", "/* fixed */"), ("master_parts.h", "enum {"))

C_STRING = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
CORO_C = ("pycoro.c", "pytask.c", "coro_alarm.c")
CORO_FUNCTIONS = {"spawn": "spawn_doc", "current": "current_doc", "tasks": "tasks_doc", "park": "park_doc", "yield_": "yield_doc",
                  "fd_closing": "fd_closing_doc", "counts": "counts_doc", "blocked": "blocked_doc"}
TASK_ATTRIBUTES = ("Attributes: `name`, `result`, `exception`, `done`, `started`, `locals`, `frame`, `counts` (seconds run, resumes, longest "
                   "stretch in seconds).")
TASK_METHODS = ("join_doc", "get_doc", "kill_doc", "wake_doc")
CORO: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Waiting", "__init__", ("sleep", "Yield", "wait_read", "wait_write", "wait_fd", "event_loop", "shutdown")),
    ("Bounds in time", "timeouts", ("Timeout", "deadline")),
    ("Real threads", "offload", ("blocking",)),
    ("Groups", "group", ("Pool",)),
    ("Between coroutines of one worker", "sync", ("lock", "cond", "Event", "Semaphore")),
    ("Queues", "fifo", ("Queue", "fifo")),
    ("Threads as in gogreen", "thread", ("Thread", "current_thread", "thread_list")),
    ("Who waits where", "trace", ("Where", "where")),
    ("Errors", "errors", ("CoroutineError", "LockTimeout")),
)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A markdown table; `|` in a cell is escaped."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def faults() -> str:
    """The faults of csrc/http_fault.c by status."""
    found = re.findall(r'\{(\d{3}), "([^"]*)", (?:NULL|"(\w+)")\}', (CSRC / "http_fault.c").read_text())
    rows = sorted((row for row in found if row[0] != "200"), key=lambda row: row[0])
    return table(("status", "what is wrong, as the log says it", "directive"), rows)


def bounds() -> str:
    """Directives that bound something."""
    rows = []
    for name, (answer, log) in BOUNDS.items():
        row = TABLE[name.lower()]
        rows.append((f"`{name}`", row.doc, f"{row.default} {row.unit}" if row.default.isdigit() else f"{row.default} ({row.unit})", answer,
                     f"`{log}`" if log else ""))
    return table(("directive", "what it bounds", "default", "at the bound", "words in the error log"), rows)


def shown(value: str) -> str:
    shift = re.fullmatch(r"(\d+) << (\d+)", value)
    return str(int(shift[1]) << int(shift[2])) if shift else value


def constants() -> Iterator[tuple[str, str, str]]:
    """Bounds without a directive: name, value, comment."""
    for file, begin in FIXED:
        text = (CSRC / file).read_text().partition(begin)[2].partition("};")[0]
        for name, value, comment in re.findall(r"^ +(\w+) = ([^,/]+?),?\s*(?:/\*(.*?)\*/)?$", text, re.MULTILINE):
            if not comment.strip().startswith("default of"):
                yield name, shown(value), comment.strip()


def unit_of(name: str) -> str:
    return next((f" {unit}" for end, unit in (("_BYTES", "bytes"), ("_MS", "ms")) if name.endswith(end)), "")


def fixed() -> str:
    """Bounds that only a change of the program changes."""
    return table(("name", "value", "what it bounds"), ((f"`{name}`", value + unit_of(name), comment) for name, value, comment in constants()))


def green_calls() -> str:
    """The names that csrc/green_real.h makes `pyhost -V` print, in its order."""
    text = (CSRC / "green_real.h").read_text()
    names = re.findall(r"\bX\(\s*[^,]+,\s*(\w+)\s*,", text)
    return " ".join(f"`{name}`" for name in names) + "\n"


def green_libraries() -> str:
    """Beginnings of the file names of libraries whose calls may give way."""
    names = (CSRC / "green_library.c").read_text().partition("known[] = {")[2].partition("}")[0]
    return " ".join(f"`{name}`" for name in re.findall(r'"([^"]+)"', names)) + "\n"


def c_docstrings() -> dict[str, str]:
    """Docstrings of the module _coro, by the name of their variable."""
    found = {}
    for file in CORO_C:
        for name, text in re.findall(rf"PyDoc_STRVAR\((\w+), ({C_STRING})\);", (CSRC / file).read_text()):
            found[name] = "".join(ast.literal_eval(f"({text})"))
    return found


def c_entry(text: str, level: str, inside: str = "") -> str:
    head, _, body = text.partition("\n--\n\n")
    return f"{level} `{inside}{head}`\n\n{body}\n"


def tree_of(file: str) -> ast.Module:
    return ast.parse((HERE / file).read_text())


def coro() -> str:
    """The API of pyhost.coro."""
    c = c_docstrings()
    out = [f"{ast.get_docstring(tree_of('coro/__init__.py'))}\n", "## Calls and tasks\n"]
    out += [c_entry(c[name], "###") for name in CORO_FUNCTIONS.values()]
    out += [f"### class `Task`\n\n{c['task_doc']}\n\n{TASK_ATTRIBUTES}\n"]
    out += [c_entry(c[name], "####", "Task.") for name in TASK_METHODS]
    for title, file, names in CORO:
        nodes = {node.name: node for node in public(tree_of(f"coro/{file}.py").body)}
        out.append(f"## {title}\n")
        for name in names:
            out += entry(nodes[name])
    ends = re.findall(r'ending\(module, "(\w+)", "([^"]+)"\)', (CSRC / "pycoro.c").read_text())
    out += [f"### class `{name}`\n\n{text} It is a BaseException and no Exception.\n" for name, text in ends]
    return "\n".join(out)


def pool() -> str:
    """The API of pyhost.pool."""
    tree = tree_of("pool.py")
    nodes = {node.name: node for node in public(tree.body)}
    out = [f"{ast.get_docstring(tree, clean=False)}"]
    for name in ("Pool", "Held", "PoolTimeout", "PoolDeadlock", "PoolClosed"):
        out += entry(nodes[name])
    return "\n".join(out)


def folder() -> str:
    """What the folder handler says of itself."""
    return f"{ast.get_docstring(tree_of('folder.py'))}\n"


PARTS: dict[str, Callable[[], str]] = {"faults": faults, "bounds": bounds, "fixed": fixed, "green-calls": green_calls,
                                       "green-libraries": green_libraries, "coro": coro, "pool": pool, "folder": folder}


def fill(page: str) -> str:
    """Return the page with its printed parts as the code has them now. Raises KeyError: there is no part of that name."""
    return PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", page)


def main() -> None:
    """Print every page of docs/ again whose parts have changed."""
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text()
        if (new := fill(page)) != page:
            path.write_text(new)


if __name__ == "__main__":
    main()

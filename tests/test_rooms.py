"""Who may know what: the rooms of csrc/, read from its #includes, and what the imports of pyhost/ must not be.

A new file of csrc/ belongs to the room whose pattern it matches; where none does, its room is added here.
"""
from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
FILES = sorted(path.name for path in [*CSRC.glob("*.c"), *CSRC.glob("*.h")])

# The first pattern that a file's name without suffix matches says its room.
ROOMS = {
    "wire": ["http_head", "http_body", "http_bytes", "http_fault", "http_field", "http_path", "http_request_line", "http_target", "http_trailer",
             "fcgi_*", "scgi_*", "uwsgi_*", "proxy_*", "ws_*", "cgi_answer"],
    "story": ["pyhost", "version", "master*", "worker*", "serve*", "pidfile", "identity", "notify", "limits"],
    "client": ["listener*", "listen_*", "sock", "cgi_head", "proxy_head", "conn*", "outq", "peer", "tls*", "gate*"],
    "tables": ["conf*", "route*", "regex", "glob", "prefix"],
    "Python": ["py*", "interp*", "coro*", "green*", "sentinel*"],
    "answers": ["request*", "response*", "static*", "errors", "conditions", "range", "listing*", "http_date", "access*", "auth_*", "password", "digest",
                "env*", "origin", "remote", "expr*"],
    "doors": ["bridge", "upcall"],
    "scripts": ["cgi_*"],
    "tools": ["loop", "watch", "timer", "buf", "log*", "shm", "blocked", "offload*", "slice", "limit", "table", "hash", "base64", "spool", "kernel", "proc"],
}
PYTHON = ["Python.h", "structmember.h", "py*.h", "interp*.h", "coro*.h", "green*.h", "greenlet.h"]
MUST_NOT_INCLUDE = {
    "story": ["sys/epoll.h", "http_bytes.h", "greenlet.h"],
    "client": [*PYTHON, "sentinel.h", "http_bytes.h"],
    "wire": ["errno.h", "time.h", "stdio.h", "stdlib.h", "sys/*", "unistd.h", "log.h", "buf.h", "request.h", "conf.h", *PYTHON],
    "tables": [*PYTHON, "sys/epoll.h", "sys/socket.h", "loop.h", "timer.h", "gate.h", "outq.h", "response.h"],
    "Python": ["sys/epoll.h", "http_bytes.h", "http_body.h", "gate.h"],
    "answers": [*PYTHON, "sys/epoll.h", "loop.h", "http_bytes.h", "http_body.h"],
    "scripts": [*PYTHON, "sys/epoll.h", "http_bytes.h", "http_body.h", "gate.h", "route.h", "serve.h"],
    "doors": ["Python.h", "structmember.h", "greenlet.h", "sys/epoll.h"],
    "tools": [*PYTHON, "http_*.h", "conn.h", "gate*.h", "listen*.h", "outq.h", "response.h", "route.h", "serve.h"],
}
# What is granted beside it, each with its reason.
MAY = {
    ("loop", "sys/epoll.h"), ("green*", "sys/epoll.h"),      # the loop is epoll; green system calls stand before epoll_wait
    ("gate*", "http_body.h"), ("gate*", "coro.h"),           # a gate asks whether a wake-up is already queued
    ("pyhost", "Python.h"), ("pyhost", "pyrequest.h"),
}
GREENLET = ["coro*", "green*"]  # nobody else includes greenlet.h
WIRE_CALLS = re.compile(r"\b(http_head_parse|http_body_feed|http_head_init|http_body_init)\s*\(")
BANNED = re.compile(r"\b(sprintf|vsprintf|strcpy|strcat|strncpy|strncat|strtok|atoi|atol|gets|alloca|localtime|gmtime|system)\s*\(")
IMPURE = re.compile(r"\b(malloc|calloc|realloc|free|errno|clock_gettime|time|log_\w+|printf|fprintf|assert|abort|getenv)\s*[(=]")
GLOBAL = re.compile(r"^(?!.*\bconst\b)(?:static\s+)?(?:struct\s+\w+|u?int\w*|char|bool|size_t)\s+\*?\w+(?:\[[^\]]*\])*\s*(?:=[^;()]*)?;", re.MULTILINE)
PYTHON_FILES = sorted((ROOT / "pyhost").rglob("*.py"))


def stem(name: str) -> str:
    return name.rsplit(".", 1)[0]


def room_of(name: str) -> str | None:
    return next((room for room, patterns in ROOMS.items() if any(fnmatch(stem(name), pattern) for pattern in patterns)), None)


@cache
def code(name: str) -> str:
    """Return a file without comments and string contents."""
    text = re.sub(r"/\*.*?\*/", "", (CSRC / name).read_text(), flags=re.DOTALL)
    return re.sub(r"//[^\n]*", "", re.sub(r'"(?:\\.|[^"\\\n])*"', lambda match: match[0] if match[0].endswith('.h"') else '""', text))


@cache
def includes(name: str) -> frozenset[str]:
    return frozenset(re.findall(r'^#\s*include\s*[<"]([^>"]+)[>"]', code(name), re.MULTILINE))


@cache
def all_includes(name: str) -> frozenset[str]:
    """Return what a file includes itself or through headers of csrc/."""
    found: set[str] = set()
    todo = [name]
    while todo:
        for header in includes(todo.pop()):
            if header not in found:
                found.add(header)
                if (CSRC / header).exists():
                    todo.append(header)
    return frozenset(found)


def granted(name: str, header: str) -> bool:
    return any(fnmatch(stem(name), pattern) and header == what for pattern, what in MAY)


def test_every_file_has_a_room() -> None:
    homeless = [name for name in FILES if not room_of(name)]
    assert not homeless, f"files of csrc/ that belong to no room: {homeless}; name their rooms in tests/test_rooms.py"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_does_not_know_what_it_must_not(room: str) -> None:
    bad = [f"{name} includes {header}" for name in FILES if room_of(name) == room for header in sorted(includes(name))
           if any(fnmatch(header, pattern) for pattern in MUST_NOT_INCLUDE[room]) and not granted(name, header) and room_of(header) != room]
    assert not bad, bad


def test_python_h_reaches_only_those_who_may() -> None:
    bad = [name for name in FILES if name.endswith(".c") and room_of(name) not in ("story", "Python") and "Python.h" in all_includes(name)]
    assert not bad, f"Python.h comes through a header into {bad}"


def test_greenlet_is_known_by_coro_alone() -> None:
    bad = [name for name in FILES if "greenlet.h" in includes(name) and not any(fnmatch(stem(name), pattern) for pattern in GREENLET)]
    assert not bad, bad


def test_bytes_of_http_are_parsed_by_gates_alone() -> None:
    bad = [name for name in FILES if room_of(name) not in ("wire", "client") and WIRE_CALLS.search(code(name))]
    assert not bad, bad


def test_the_wire_room_is_pure() -> None:
    wire = [name for name in FILES if room_of(name) == "wire" and name.endswith(".c")]
    bad = [f"{name}: {found[0]}" for name in wire for found in [IMPURE.search(code(name)) or GLOBAL.search(code(name))] if found]
    assert wire and not bad, bad


def test_no_banned_function_is_called() -> None:
    bad = [f"{name}: {found[1]}" for name in FILES for found in [BANNED.search(code(name))] if found]
    assert not bad, bad


def imports(path: Path) -> set[str]:
    """Return the absolute names of the modules that a file of pyhost/ imports."""
    package = ["pyhost", *path.relative_to(ROOT / "pyhost").parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            found.add(".".join([*base, *([node.module] if node.module else [])]))
            if not node.module:
                found |= {".".join([*base, alias.name]) for alias in node.names}
    return found


def test_only_bridge_imports_the_door_into_c() -> None:
    bad = [str(path) for path in PYTHON_FILES if "_pyhost" in imports(path) and path != ROOT / "pyhost" / "bridge.py"]
    assert not bad, f"go through pyhost.bridge: {bad}"


def test_configuration_knows_no_handlers() -> None:
    handlers = ("pyhost.mod_python", "pyhost.gateway", "pyhost.coro", "pyhost.ctl", "mod_python")
    bad = [f"{path.name} imports {name}" for path in PYTHON_FILES if path.parent.name == "config" for name in imports(path) if name.startswith(handlers)]
    assert not bad, bad

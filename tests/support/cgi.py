"""Servers with CGI scripts, and a look at the processes that they start."""
from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .client import Response
from .server import Server, wait_until

__all__ = ["ALIAS", "ENVIRONMENT", "alive", "children", "helpers", "script_server", "status_field", "told"]

ALIAS = 'ScriptAlias "/cgi-bin/" "@ROOT@/cgi-bin/"\n'

#: What `#!/usr/bin/env python3` becomes: this Python, without what takes long to find.
PYTHON = f"#!{sys.executable} -IS".encode()

#: Prints what the script was started with, as JSON.
ENVIRONMENT = """\
#!/usr/bin/env python3
import json, os, sys
body = sys.stdin.buffer.read()
print("Content-Type: application/json")
print()
print(json.dumps({"env": dict(os.environ), "argv": sys.argv[1:], "cwd": os.getcwd(), "body": body.decode("latin-1")}))
"""


def script_server(server: Callable[..., Server], scripts: dict[str, str | bytes], conf: str = ALIAS, **more: Any) -> Server:
    """Start a server with executable scripts (names below cgi-bin/ unless they have a slash)."""
    host = server(conf, started=False, **more)
    for name, content in scripts.items():
        text = textwrap.dedent(content).encode() if isinstance(content, str) else content
        text = text.replace(b"#!/usr/bin/env python3", PYTHON, 1)
        host.write(name if "/" in name else f"cgi-bin/{name}", text).chmod(0o755)
    return host.start()


def told(response: Response) -> dict[str, Any]:
    """Return what ENVIRONMENT has printed."""
    assert response.status == 200, (response.status, response.text)
    found: dict[str, Any] = json.loads(response.body)
    return found


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that are there."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid: int) -> bytes:
    """Return /proc/PID/cmdline, or b'' of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def status_field(pid: int, name: str) -> str:
    """Return a field of /proc/PID/status, or ''."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name + ":")), "")


def alive(pid: int) -> bool:
    """Does a process run? One that has ended and that nobody has waited for yet does not."""
    return os.path.exists(f"/proc/{pid}") and status_field(pid, "State")[:1] not in ("Z", "X", "")


def helpers(host: Server) -> list[int]:
    """Return the helper processes of the workers, one each once they have started."""
    def found() -> list[int]:
        return [child for pid in host.workers() for child in children(pid)
                if alive(child) and command_line(child).startswith(b"pyhost: cgi helper")]
    return wait_until(lambda: len(found()) == len(host.workers()) and found(), "every worker has its helper", 30)  # type: ignore[no-any-return]

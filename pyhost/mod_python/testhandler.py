"""mod_python.testhandler: a page that says what the server, the interpreter and this request are. Not for public places."""
from __future__ import annotations

import html
import os
import platform
import sys
from collections import deque
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from . import version as _api_version
from .apache import config_tree, interpreter, mpm_query, server_root
from .constants import AP_MPMQ_HARD_LIMIT_DAEMONS, AP_MPMQ_IS_FORKED, AP_MPMQ_IS_THREADED, OK

__all__ = ["handler"]

_LOG_LINES = 200
_SECRET = frozenset({"authorization", "cookie", "http_authorization", "http_cookie"})
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-weight:600}h2{margin-top:2.2rem;border-bottom:1px solid #ddd;padding-bottom:.2rem;font-size:1.15rem}
table{border-collapse:collapse;width:100%}td{padding:.25rem .6rem;border-bottom:1px solid #eee;vertical-align:top;word-break:break-word}
td:first-child{color:#555;width:16rem;white-space:nowrap}pre{background:#f6f6f6;padding:.8rem;overflow:auto}nav a{margin-right:1rem}
@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}td{border-color:#333}h2{border-color:#444}pre{background:#222}
td:first-child{color:#aaa}a{color:#8ab4f8}}
"""


def handler(req: Any) -> int:
    """Write the page; `?view_log=1` writes the end of the error log instead."""
    req.content_type = "text/html; charset=utf-8"
    query = parse_qs(req.args or "")
    req.write(f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>mod_python test page</title><style>{_STYLE}</style>\n"
              "<h1>mod_python test page</h1><nav><a href='?'>Overview</a><a href='?view_log=1'>Error log</a></nav>\n", 0)
    if query.get("view_log"):
        _write_log(req)
    else:
        _write_overview(req)
    req.write("</html>\n", 0)
    return OK


def _write_overview(req: Any) -> None:
    _section(req, "Server", [
        ("mod_python API", _api_version), ("Python", sys.version), ("Platform", platform.platform()), ("Interpreter", interpreter),
        ("Process", os.getpid()), ("Server root", server_root()), ("Document root", req.document_root()),
        ("Processes", mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS)), ("Forked", bool(mpm_query(AP_MPMQ_IS_FORKED))),
        ("Threaded", bool(mpm_query(AP_MPMQ_IS_THREADED))), ("Error log", req.server.error_fname),
    ])
    _section(req, "Request", [(name, getattr(req, name, None)) for name in (
        "the_request", "method", "uri", "unparsed_uri", "args", "filename", "path_info", "hostname", "protocol", "handler", "user",
        "content_type", "status", "interpreter", "phase", "extension", "request_time")])
    _section(req, "Connection", [(name, getattr(req.connection, name, None)) for name in (
        "local_addr", "client_addr", "client_ip", "remote_host", "keepalive", "keepalives", "id")])
    write_table(req, req.headers_in, "Headers in")
    req.add_common_vars()
    write_table(req, req.subprocess_env, "Environment")
    write_table(req, req.get_config(), "Python directives (get_config)")
    write_table(req, req.get_options(), "PythonOption (get_options)")
    _section(req, "sys.path", [(number, path) for number, path in enumerate(sys.path)])
    req.write("<h2>Configuration</h2><pre>", 0)
    write_tree(req, config_tree(), 0)
    req.write("</pre>\n", 0)


def _section(req: Any, title: str, rows: Iterable[tuple[Any, Any]]) -> None:
    req.write(f"<h2>{html.escape(title)}</h2><table>\n", 0)
    for name, value in rows:
        req.write(f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(str(value))}</td></tr>\n", 0)
    req.write("</table>\n", 0)


def write_table(req: Any, table: Any, title: str = "") -> None:
    """Write a table of the server as an HTML table."""
    _section(req, title, [(name, "(not shown)" if name.lower() in _SECRET else value) for name, value in table.items()])


def write_tree(req: Any, tree: Any, level: int) -> None:
    """Write the configuration tree, indented."""
    for entry in tree:
        if isinstance(entry, list):
            write_tree(req, entry, level + 1)
        else:
            req.write("    " * level + html.escape(" ".join(str(word) for word in entry)) + "\n", 0)


def _write_log(req: Any) -> None:
    name = req.server.error_fname or getattr(req.server, "error_log", None)
    req.write(f"<h2>Error log</h2><p>{html.escape(str(name))}</p><pre>", 0)
    if name and not name.startswith("|"):
        try:
            with open(os.path.join(server_root(), name), encoding="utf-8", errors="replace") as file:
                for line in deque(file, _LOG_LINES):
                    req.write(html.escape(line), 0)
        except OSError as error:
            req.write(html.escape(str(error)), 0)
    req.write("</pre>\n", 0)

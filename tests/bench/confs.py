"""The configurations that the benchmarks serve: the same 13 bytes by each kind of handler."""
from __future__ import annotations

import sys
from pathlib import Path

from support.server import free_port

BODY = "Hello World!\\n"
HANDLER = f'''
import time
from mod_python import apache

def handler(req):
    if req.uri == "/wait":
        time.sleep(0.01)
    req.content_type = "text/plain"
    req.write("{BODY}", 0)
    return apache.OK
'''
WSGI = f'''
import time
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "13")]

def application(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        time.sleep(0.01)
    start_response("200 OK", HEADERS)
    return [b"{BODY}"]
'''
COMMON = """
ServerRoot {home}
PidFile {home}/{name}.pid
ErrorLog {home}/{name}.log
Listen 127.0.0.1:{port}
ServerName localhost
MaxKeepAliveRequests 0
KeepAliveTimeout 60
PyMaxConnections 20000
PythonAutoReload {reload}
"""
KINDS = {
    "handler": ("On", "<Location />\nSetHandler mod_python\nPythonPath \"sys.path+['{home}']\"\nPythonHandler bench_handler\n</Location>\n"),
    "wsgi": ("Off", "PyWSGIAlias / {home}/bench_wsgi.py:application\n"),
    "static": ("Off", "DocumentRoot {home}/docs\n<Directory {home}/docs>\nRequire all granted\n</Directory>\n"),
}


def many_vhosts(count: int, home: Path) -> str:
    hosts = "".join(f"<VirtualHost *>\nServerName host{i}.example\n</VirtualHost>\n" for i in range(count))
    return KINDS["handler"][1].format(home=home) + "<VirtualHost *>\nServerName localhost\n</VirtualHost>\n" + hosts


def many_locations(count: int, home: Path) -> str:
    return "".join(f"<Location /place{i}>\nSetEnv PLACE {i}\n</Location>\n" for i in range(count)) + KINDS["handler"][1].format(home=home)


def write(home: Path) -> dict[str, tuple[int, Path, str]]:
    """Write all configurations below home; return kind -> (port, file, path to ask for)."""
    (home / "docs").mkdir(parents=True, exist_ok=True)
    (home / "bench_handler.py").write_text(HANDLER)
    (home / "bench_wsgi.py").write_text(WSGI)
    (home / "docs" / "hello.txt").write_bytes(b"Hello World!\n")
    texts = {kind: (reload, text.format(home=home)) for kind, (reload, text) in KINDS.items()}
    texts["vhosts-1000"] = ("On", many_vhosts(1000, home))
    texts["locations-1000"] = ("On", many_locations(1000, home))
    made = {}
    for name, (reload, text) in texts.items():
        port = free_port()
        conf = home / f"{name}.conf"
        conf.write_text(COMMON.format(home=home, name=name, port=port, reload=reload) + text)
        made[name] = (port, conf, "/hello.txt" if name == "static" else "/")
    return made


def program() -> Path:
    return Path(sys.prefix) / "bin" / "pyhost"

"""A real nginx in front of servers under test: own configuration, own ports, own processes."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from .front import Front

__all__ = ["Nginx", "program"]

CONF = """\
daemon off;
master_process off;
pid {root}/nginx.pid;
error_log {root}/error.log info;
events {{ worker_connections 512; }}
http {{
    access_log {root}/access.log;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    client_max_body_size 0;
    {http}
    server {{
        listen 127.0.0.1:{port};
        server_name front.example;
        {server}
    }}
}}
"""
PARAMS = Path("/etc/nginx")


def program() -> str | None:
    """Where nginx is, None: not installed."""
    return shutil.which("nginx") or ("/usr/sbin/nginx" if os.access("/usr/sbin/nginx", os.X_OK) else None)


class Nginx(Front):
    """One nginx process.

    http, server: text for the two blocks; `@PARAMS@` is the folder of fastcgi_params and its like.
    """

    def __init__(self, root: Path, server: str, http: str = "") -> None:
        super().__init__(root)
        conf = CONF.format(root=root, port=self.port, http=http, server=server).replace("@PARAMS@", str(PARAMS))
        (root / "nginx.conf").write_text(conf)
        self.start([str(program()), "-p", str(root), "-c", str(root / "nginx.conf"), "-e", str(root / "error.log")])

"""A real Apache httpd in front of servers under test: own configuration, own port, own processes."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from .front import Front

__all__ = ["Apache", "program"]

MODULES = Path("/usr/lib/apache2/modules")
CONF = """\
ServerRoot "{root}"
ServerName front.example
PidFile "{root}/pid"
ErrorLog "{root}/error.log"
Listen 127.0.0.1:{port}
{load}
StartServers 1
UseCanonicalName Off
AllowEncodedSlashes NoDecode
{text}
"""
LOADED = ("mpm_event", "authz_core", "proxy", "proxy_fcgi", "proxy_scgi", "proxy_uwsgi", "proxy_http", "proxy_balancer", "lbmethod_byrequests",
          "slotmem_shm", "headers", "alias")


def program() -> str | None:
    """Where Apache is, with the modules that are needed; None: not installed."""
    found = shutil.which("apache2") or ("/usr/sbin/apache2" if os.access("/usr/sbin/apache2", os.X_OK) else None)
    return found if found and all((MODULES / f"mod_{name}.so").exists() for name in LOADED) else None


class Apache(Front):
    """One Apache. text: what the configuration says beside its own folder, port and modules."""

    def __init__(self, root: Path, text: str) -> None:
        super().__init__(root)
        load = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        (root / "httpd.conf").write_text(CONF.format(root=root, port=self.port, load=load, text=text))
        self.start([str(program()), "-d", str(root), "-f", str(root / "httpd.conf"), "-DFOREGROUND"])

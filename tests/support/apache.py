"""A real Apache httpd in front of servers under test: own configuration, own port, own processes."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from .client import Client
from .server import free_port, wait_until

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


class Apache:
    """One Apache. text: what the configuration says beside its own folder, port and modules."""

    def __init__(self, root: Path, text: str) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        load = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        (root / "httpd.conf").write_text(CONF.format(root=root, port=self.port, load=load, text=text))
        with open(root / "stderr", "wb") as stderr:
            self.process = subprocess.Popen([str(program()), "-d", str(root), "-f", str(root / "httpd.conf"), "-DFOREGROUND"], stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr, start_new_session=True)
        wait_until(self.listens, "Apache listens", 30)

    def listens(self) -> bool:
        assert self.process.poll() is None, (self.root / "stderr").read_text() + self.error_log
        try:
            with Client(("127.0.0.1", self.port)):
                return True
        except OSError:
            return False

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def error_log(self) -> str:
        path = self.root / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """Its children are of its process group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

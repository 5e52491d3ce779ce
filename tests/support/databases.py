"""Real database servers in folders of their own, on unix sockets, for as long as a with block."""
from __future__ import annotations

import contextlib
import getpass
import glob
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .server import wait_until

__all__ = ["mariadb", "postgresql", "redis_server"]

START_SECONDS = 60.0
CONNECTIONS = 260


@contextlib.contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A short path: a unix socket's may have 107 characters."""
    with tempfile.TemporaryDirectory(prefix=f"pyhost-{prefix}-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        yield Path(name)


@contextlib.contextmanager
def running(command: list[str], log: Path, ready: Callable[[], bool], user: str | None = None) -> Iterator[None]:
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, user=user, cwd="/")
    try:
        wait_until(lambda: ready() or process.poll() is not None, f"{command[0]} answers", START_SECONDS)
        assert process.poll() is None, f"{command[0]} ended: {log.read_text()[-2000:]}"
        yield
    finally:
        process.send_signal(signal.SIGTERM if user is None else signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def says_yes(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """Yield the path of the socket; the user root needs no password."""
    with folder("maria") as where:
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={where}/data", f"--user={getpass.getuser()}", "--skip-test-db",
                        "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        path = f"{where}/sock"
        command = [shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={where}/data", f"--socket={path}",
                   "--skip-networking", f"--user={getpass.getuser()}", f"--pid-file={where}/pid", f"--max-connections={CONNECTIONS}",
                   "--innodb-buffer-pool-size=16M", "--innodb-flush-method=fsync"]
        with running(command, where / "log", lambda: says_yes("mariadb-admin", "--no-defaults", f"--socket={path}", "-uroot", "ping")):
            yield path


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Yield the folder of the socket; the user postgres needs no password. The server refuses to run as root, so it runs as postgres then."""
    user = "postgres" if os.getuid() == 0 else None
    bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    with folder("pg") as where:
        if user:
            shutil.chown(where, user)
        subprocess.run([f"{bins}/initdb", "-D", f"{where}/data", "-A", "trust", "-U", "postgres", "-N"], check=True, capture_output=True, user=user, cwd="/")
        command = [f"{bins}/postgres", "-D", f"{where}/data", "-k", str(where), "-c", "listen_addresses=", "-c", f"max_connections={CONNECTIONS}",
                   "-c", "shared_buffers=16MB", "-c", "fsync=off"]
        with running(command, where.parent / f"{where.name}.log", lambda: says_yes(f"{bins}/pg_isready", "-q", "-h", str(where)), user):
            yield str(where)
        (where.parent / f"{where.name}.log").unlink()


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Yield the path of the socket."""
    with folder("redis") as where:
        path = f"{where}/sock"
        command = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", str(where)]
        with running(command, where / "log", lambda: says_yes("redis-cli", "-s", path, "ping")):
            yield path

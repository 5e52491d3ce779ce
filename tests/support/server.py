"""A pyhost process under test: a folder with a configuration and files, started, waited for, stopped, and looked at afterwards."""
from __future__ import annotations

import os
import random
import re
import select
import signal
import socket
import subprocess
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .client import Client, Response, build_request

__all__ = ["Server", "free_port", "wait_until"]

START_SECONDS = 30.0
STOP_SECONDS = 20.0
BAD_LINE = re.compile(r"\[[\w.-]*:(?:emerg|alert|crit|error)\]")
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed|Fatal Python error")
PREAMBLE = """\
ServerRoot "@ROOT@"
ServerName localhost
PidFile "@ROOT@/pyhost.pid"
ErrorLog "@ROOT@/error.log"
LogLevel info
CustomLog "@ROOT@/access.log" combined
DocumentRoot "@ROOT@/www"
"""


def wait_until(true, what: str, seconds: float = 10.0):  # type: ignore[no-untyped-def]
    """Call `true` until it returns something true, and return that; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (result := true()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        select.select([], [], [], 0.005)
    return result


PORTS = range(10000, 32768)  # below those that the system gives to clients, so that no connection takes it before the server does


given: deque[int] = deque(maxlen=200)  # ports


def free_port(family: int = socket.AF_INET, host: str = "127.0.0.1") -> int:
    """Return a port that nobody listened on a moment ago, and that none of the latest callers has."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        if port in given:
            continue
        with socket.socket(family) as sock:
            try:
                sock.bind((host, port))
            except OSError:
                continue
        given.append(port)
        return port


def listener_of(port: int) -> set[str]:
    """What the descriptors of whoever listens on a port point to."""
    found = set()
    for name in ("tcp", "tcp6"):
        table = Path("/proc/net") / name
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


LAZY = {"anon_inode:inotify"}  # opened once, with the first handler that is watched for changes


def open_files(pid: int) -> Counter[str]:
    """Return what the descriptors of a process point to, sockets and pipes by kind only."""
    found: Counter[str] = Counter()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[re.sub(r":\[\d+\]", "", os.readlink(f"/proc/{pid}/fd/{name}"))] += 1
            except FileNotFoundError:
                pass
    except (FileNotFoundError, PermissionError):
        pass
    return found


class Server:
    """See the fixture `server` in conftest.py."""

    def __init__(self, binary: Path, root: Path, conf: str, files: dict[str, str | bytes], args: tuple[str, ...], env: dict[str, str],
                 preamble: bool = True) -> None:
        self.binary, self.root, self.args, self.env = binary, root, args, env
        self.process: subprocess.Popen[bytes] | None = None
        self.ports: dict[str, int] = {}
        self.clients: list[Client] = []
        self.expected: list[re.Pattern[str]] = []
        self.checked_lines = 0
        self.check_fds = True
        self.exit_status = 0
        self.files_before: dict[int, Counter[str]] = {}
        (root / "www").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            self.write(name, content)
        self.template = (PREAMBLE if preamble else "") + conf
        if not re.search(r"(?im)^\s*Listen\s", conf):
            self.template += "\nListen 127.0.0.1:@PORT@\n"
        self.conf_file = root / "pyhost.conf"

    # the folder

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file below the folder (a path relative to it; handlers and static files go to www/)."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def write_conf(self, conf: str | None = None) -> None:
        """Write the configuration with @ROOT@, @SOCK@ and @PORT…@ filled in; the same names keep their ports."""
        if conf is not None:
            self.template = conf
        for name in re.findall(r"@(PORT\w*)@", self.template):
            self.ports.setdefault(name, free_port())
        text = self.template.replace("@ROOT@", str(self.root)).replace("@SOCK@", str(self.root / "sock"))
        self.conf_file.write_text(re.sub(r"@(PORT\w*)@", lambda match: str(self.ports[match[1]]), text))

    @property
    def port(self) -> int:
        return self.ports["PORT"]

    @property
    def address(self) -> tuple[str, int] | str:
        return ("127.0.0.1", self.port) if self.ports else str(self.root / "sock")

    def read(self, name: str) -> str:
        path = self.root / name
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    @property
    def error_log(self) -> str:
        return self.read("error.log")

    @property
    def access_log(self) -> str:
        return self.read("access.log")

    @property
    def stderr(self) -> str:
        return self.read("stderr")

    # the process

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def workers(self) -> list[int]:
        """Return the pids of the worker processes (not of log commands); the process itself with -X."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except OSError:
            return []
        return [int(pid) for pid in children if self.is_worker(pid)] or [self.pid]

    def is_worker(self, pid: str) -> bool:
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"pyhost: cgi helper\0"):
                return False  # of a single process, which is its parent
            return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)") == os.path.realpath(self.binary)
        except OSError:
            return False

    def start(self) -> Server:
        for _ in range(3):
            self.write_conf()
            with open(self.root / "stderr", "wb") as stderr:
                self.process = subprocess.Popen([str(self.binary), "-f", str(self.conf_file), *self.args], stdin=subprocess.DEVNULL,
                                                stdout=stderr, stderr=stderr, env=self.env, cwd=self.root)
            if self.wait_ready():
                break
            self.ports.clear()  # somebody took the port between free_port and now
        wait_until(self.settled, "every worker has opened what it keeps", START_SECONDS)
        return self

    def settled(self) -> bool:
        """Have all workers their loops, and the same descriptors as a moment ago?"""
        before, self.files_before = self.files_before, {pid: open_files(pid) for pid in [self.pid, *self.workers()]}
        return self.files_before == before and all("anon_inode:[eventpoll]" in before[pid] for pid in self.workers())

    def wait_ready(self) -> bool:
        """Wait until something listens and each worker runs; False: the address was taken."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert self.process is not None
            if self.process.poll() is not None:
                if "in use" in self.stderr + self.error_log:
                    return False
                raise AssertionError(f"pyhost ended with status {self.process.returncode}:\n{self.stderr}{self.error_log[-4000:]}")
            try:
                if not self.is_listener():
                    raise ConnectionRefusedError
                with Client(self.address, timeout=START_SECONDS) as client:
                    client.half_close().expect_close()  # it listens early; that it closes says that its loop turns
                return True
            except OSError:
                assert time.monotonic() < deadline, f"pyhost does not listen:\n{self.stderr}{self.error_log[-4000:]}"
                select.select([], [], [], 0.01)

    def is_listener(self) -> bool:
        """Is it this process that listens on the port, and not somebody who was faster?"""
        if not self.ports:
            return True
        who = listener_of(self.port)
        try:
            return any(os.readlink(f"/proc/{self.pid}/fd/{name}") in who for name in os.listdir(f"/proc/{self.pid}/fd"))
        except OSError:
            return False

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the process and return its exit status; harmless when it has ended."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in self.workers():
                os.kill(pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"pyhost did not stop within {STOP_SECONDS} s:\n{self.stderr[-4000:]}{self.error_log[-4000:]}") from None

    def run_to_end(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Start it where it is expected not to serve, and return how it ended."""
        self.write_conf()
        return subprocess.run([str(self.binary), "-f", str(self.conf_file), *args], check=False, capture_output=True, text=True, env=self.env,
                              cwd=self.root, timeout=START_SECONDS)

    # talking to it

    def client(self, address: tuple[str, int] | str | None = None) -> Client:
        """Open a connection; it is closed after the test."""
        client = Client(address or self.address)
        self.clients.append(client)
        return client

    def request(self, method: str = "GET", target: str = "/", headers: dict[str, str] | list[tuple[str, str]] | None = None,
                body: bytes | None = None, version: str = "HTTP/1.1") -> Response:
        """One request on a connection of its own."""
        with Client(self.address) as client:
            return client.request(method, target, headers, body, version)

    def get(self, target: str = "/", headers: dict[str, str] | list[tuple[str, str]] | None = None) -> Response:
        return self.request("GET", target, headers)

    def burst(self, target: str, count: int) -> tuple[float, set[str]]:
        """That many requests at once, each on a connection of its own; how long they took in seconds, and their distinct answers."""
        clients = [Client(self.address, timeout=60) for _ in range(count)]
        start = time.monotonic()
        for client in clients:
            client.send(build_request("GET", target))
        texts = {client.read_response().text for client in clients}
        took = time.monotonic() - start
        for client in clients:
            client.close()
        return took, texts

    def burst_within(self, seconds: float, target: str, count: int, answers: set[str]) -> float:
        """The quickest of some bursts that give these answers; fails where none stays below so many seconds. The machine may be busy for a while."""
        best = float("inf")
        for _ in range(8):
            took, texts = self.burst(target, count)
            assert texts == answers
            best = min(best, took)
            if best < seconds:
                return best
        raise AssertionError(f"{count} requests took {best:.2f} s, {seconds} s at most were expected: they waited one after the other")

    # looking at it

    def expect_log(self, pattern: str, seconds: float = 10.0) -> str:
        """Wait for a line of the error log (or stderr) that matches, and return it; such lines do not fail the test."""
        regex = re.compile(pattern)
        self.expected.append(regex)
        match = wait_until(lambda: re.search(f"(?m)^.*(?:{pattern}).*$", self.error_log + self.stderr), f"log line {pattern!r}", seconds)
        return str(match[0])

    def allow_log(self, pattern: str) -> None:
        """Lines of level error that match may come, or not."""
        self.expected.append(re.compile(pattern))

    def unexpected_lines(self) -> list[str]:
        lines = self.error_log.splitlines()[self.checked_lines:] + self.stderr.splitlines()
        bad = [line for line in lines if BAD_LINE.search(line) and not any(regex.search(line) for regex in self.expected)]
        return bad + [line for line in lines if SANITIZER.search(line)]

    def leaked(self) -> str:
        """Return what descriptors a process has that it did not have when it was ready, or ''."""
        for pid, before in self.files_before.items():
            now = open_files(pid)
            more = Counter({name: n for name, n in (now - before).items() if name not in LAZY or n > 1})
            if now and more:
                return f"process {pid}: {dict(more)}"
        return ""

    @contextmanager
    def checked(self) -> Iterator[Server]:
        """For each of the tests that share a server: afterwards it lives, holds no more descriptors and has logged nothing unexpected."""
        self.expected.clear()
        self.checked_lines = len(self.error_log.splitlines())
        yield self
        for client in self.clients:
            client.close()
        self.clients.clear()
        assert self.process is not None and self.process.poll() is None, f"the server died:\n{self.stderr[-3000:]}"
        if self.check_fds:
            wait_until(lambda: not self.leaked(), f"descriptors closed: {self.leaked()}", 20.0)
        bad = self.unexpected_lines()
        self.checked_lines = len(self.error_log.splitlines())
        assert not bad, "\n".join(bad)

    def finish(self) -> None:
        """What must hold after every test. Runs the checks only when the process lives; stops it."""
        for client in self.clients:
            client.close()
        alive = self.process is not None and self.process.poll() is None
        if alive and self.check_fds:
            try:
                wait_until(lambda: not self.leaked(), "descriptors closed", 20.0)
            except AssertionError:
                leaked = self.leaked() or "none at the very end"
                self.stop()
                raise AssertionError(f"descriptors left open: {leaked}") from None
        status = self.stop()
        assert status == self.exit_status, f"exit status {status}:\n{self.stderr[-4000:]}{self.error_log[-2000:]}"
        bad = self.unexpected_lines()
        assert not bad, "unexpected in the error log:\n" + "\n".join(bad[:20])

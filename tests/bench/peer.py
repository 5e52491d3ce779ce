"""What all benchmarks measure with: servers as processes of ours, their CPU time, and wrk."""
from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from support.server import wait_until

__all__ = ["HOST", "Peer", "clean_env", "cpu_seconds", "family", "wrk"]

HOST = "127.0.0.1"


def clean_env(path: Path) -> dict[str, str]:
    """Return an environment in which Python finds what is in this folder, and no settings of ours."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | {"PYTHONPATH": str(path)}


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Return what a process and all below it have used so far."""
    ticks = 0
    for each in family(pid):
        try:
            ticks += sum(map(int, Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:
            continue  # it has just ended
    return ticks / os.sysconf("SC_CLK_TCK")


def wrk(url: str, connections: int, seconds: int, cpu: int | None = None) -> tuple[int, float]:
    """Return how many requests were answered, and how many in a second. cpu: where wrk runs. Raises RuntimeError when not all answers are good ones."""
    pinned = [] if cpu is None else ["taskset", "-c", str(cpu)]
    said = subprocess.run([*pinned, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url], capture_output=True, text=True, check=True).stdout
    requests, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s*([\d.]+)", said)
    if not requests or not rate or not int(requests[1]) or "Non-2xx" in said:
        raise RuntimeError(f"{url}: {said}")
    return int(requests[1]), float(rate[1])


@dataclass(slots=True)
class Peer:
    """A server that is measured. costs: microseconds of CPU per request; rates: requests per second; one of each for every round."""

    name: str
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    costs: list[float] = field(default_factory=list, init=False)
    rates: list[float] = field(default_factory=list, init=False)

    def run(self, command: Sequence[str], root: Path, place: tuple[str, int] | str, stdin: IO[bytes] | socket.socket | int = subprocess.DEVNULL) -> None:
        """Start it in a process group of its own, and wait until it listens at this place."""
        with open(root / "peers.log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=root, env=clean_env(root), start_new_session=True, stdin=stdin, stdout=log, stderr=log)
        wait_until(lambda: self.listens(place), f"{self.name} listens", 30)

    def listens(self, place: tuple[str, int] | str) -> bool:
        assert self.process is not None and self.process.poll() is None, f"{self.name} has ended"
        with socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET) as client:
            return client.connect_ex(place) == 0

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def measure(self, url: str, connections: int, seconds: int, beside: Sequence[int] = ()) -> None:
        """Measure one round. beside: processes whose CPU time counts too."""
        assert self.process is not None
        roots = [self.process.pid, *beside]
        before = sum(map(cpu_seconds, roots))
        try:
            requests, rate = wrk(url, connections, seconds)
        except RuntimeError as error:
            raise RuntimeError(f"{self.name}: {error}") from None
        self.costs.append((sum(map(cpu_seconds, roots)) - before) / requests * 1e6)
        self.rates.append(rate)

    def forget_first(self) -> None:
        """The first round was to warm up."""
        del self.costs[0], self.rates[0]

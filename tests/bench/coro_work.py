"""The works of coro.py, written once: blocking sockets and a spawn function. Run by gevent (monkey-patched) or in a handler of pyhost."""
from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable
from typing import Any

Spawn = Callable[..., Any]


def join(task: Any) -> None:
    task.join()


def ready_recv(spawn: Spawn, sleep: Callable[[float], None]) -> float:
    """Nanoseconds of send(1) + recv(1) where the byte is there."""
    a, b = socket.socketpair()
    rounds = 100_000
    start = time.perf_counter()
    for _ in range(rounds):
        a.send(b"x")
        b.recv(1)
    return (time.perf_counter() - start) / rounds * 1e9


def ping_pong(spawn: Spawn, sleep: Callable[[float], None]) -> float:
    """Microseconds of a round trip between two coroutines that block on a socket pair."""
    a, b = socket.socketpair()
    rounds = 30_000

    def pong() -> None:
        for _ in range(rounds):
            b.recv(1)
            b.send(b"y")

    task = spawn(pong)
    start = time.perf_counter()
    for _ in range(rounds):
        a.send(b"x")
        a.recv(1)
    took = time.perf_counter() - start
    join(task)
    return took / rounds * 1e6


def spawn_finish(spawn: Spawn, sleep: Callable[[float], None]) -> float:
    """Microseconds to spawn a coroutine that does nothing and to see it end."""
    rounds = 500
    start = time.perf_counter()
    for _ in range(rounds):
        for task in [spawn(int) for _ in range(100)]:
            join(task)
    return (time.perf_counter() - start) / rounds / 100 * 1e6


def parked_memory(spawn: Spawn, sleep: Callable[[float], None]) -> float:
    """KiB of each of many sleeping coroutines."""
    count = 50_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tasks = [spawn(sleep, 8) for _ in range(count)]
    sleep(1.5)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for task in tasks:
        join(task)
    return (after - before) / count


WORKS = {"ready send+recv, ns": ready_recv, "ping-pong round trip, us": ping_pong, "spawn + finish, us": spawn_finish,
         "memory parked, KiB": parked_memory}


def echo(listener: socket.socket, spawn: Spawn) -> None:
    """Serve until the listener is closed."""
    def serve(peer: socket.socket) -> None:
        with peer:
            while data := peer.recv(64):
                peer.sendall(data)

    while True:
        spawn(serve, listener.accept()[0])

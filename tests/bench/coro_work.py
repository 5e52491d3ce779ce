"""The works of coro.py, written once: blocking sockets and a spawn function. Run by gevent (monkey-patched), in a handler of pyhost,
or (what needs no spawn) as plain Python: `python coro_work.py NAME` prints the number alone and beside
a second thread that sleeps (the kernel then counts the references to each file).
"""
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


def only_recv(spawn: Spawn, sleep: Callable[[float], None]) -> float:
    """Nanoseconds of recv(1) where the byte is there: the best of many batches, for machines with other work."""
    a, b = socket.socketpair()
    batch, best = 2_000, float("inf")
    for _ in range(200):
        a.send(b"x" * batch)
        start = time.perf_counter()
        for _ in range(batch):
            b.recv(1)
        best = min(best, time.perf_counter() - start)
    return best / batch * 1e9


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


def resident_kib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1024


def parked_memory(spawn: Spawn, sleep: Callable[[float], None]) -> float:
    """MiB of 100,000 sleeping coroutines."""
    count, begun = 100_000, [0]
    before = resident_kib()

    def waits() -> None:
        begun[0] += 1
        sleep(15)

    tasks = [spawn(waits) for _ in range(count)]
    while begun[0] < count:
        sleep(0.1)
    after = resident_kib()
    for task in tasks:
        join(task)
    return (after - before) / 1024


READY_RECV = "ready recv, ns"
WORKS = {"ready send+recv, ns": ready_recv, READY_RECV: only_recv, "ping-pong round trip, us": ping_pong, "spawn + finish, us": spawn_finish,
         "100,000 parked, MiB": parked_memory}


def echo(listener: socket.socket, spawn: Spawn) -> None:
    """Serve until the listener is closed."""
    def serve(peer: socket.socket) -> None:
        with peer:
            while data := peer.recv(64):
                peer.sendall(data)

    while True:
        spawn(serve, listener.accept()[0])


if __name__ == "__main__":
    import sys
    import threading
    print(WORKS[sys.argv[1]](None, time.sleep))
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    print(WORKS[sys.argv[1]](None, time.sleep))

"""Handlers that take too long in one way or another, for tests/test_limits_of_handlers.py."""
from __future__ import annotations

import socket
import threading
import time
from typing import Any

from mod_python import apache

from pyhost import coro

seen: list[str] = []


def sleeps(req: Any) -> int:
    time.sleep(30)
    req.write("slept")
    return int(apache.OK)


def receives(req: Any) -> int:
    a, b = socket.socketpair()
    with a, b:
        a.recv(1)
    return int(apache.OK)


def locks(req: Any) -> int:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return int(apache.OK)


def locks_a_while(req: Any) -> int:
    lock = threading.Lock()
    lock.acquire()
    req.write(repr(lock.acquire(timeout=0.6)))
    return int(apache.OK)


def swallows(req: Any) -> int:
    """`except Exception` is no way around it."""
    try:
        time.sleep(30)
    except Exception:
        req.write("swallowed")
    return int(apache.OK)


def computes(req: Any) -> int:
    """For ever, in bytecode."""
    while True:
        pass


def computes_a_while(req: Any) -> int:
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        sum(range(100))
    req.write("computed")
    return int(apache.OK)


def blocked(req: Any) -> int:
    req.write(repr(coro.blocked()))
    return int(apache.OK)


def quick(req: Any) -> int:
    time.sleep(0.01)
    req.write("quick")
    return int(apache.OK)


def remembers(req: Any) -> int:
    """Write down how it ended."""
    seen.append("began")
    try:
        time.sleep(30)
    except coro.ClientGone:
        seen.append("gone")
        raise
    finally:
        seen.append("finally")
    return int(apache.OK)


def tells(req: Any) -> int:
    req.write(" ".join(seen))
    return int(apache.OK)


def deadlines(req: Any) -> int:
    """A deadline of its own, smaller than the server's."""
    try:
        with coro.deadline(0.05):
            time.sleep(30)
    except coro.Timeout as exc:
        req.write(f"{type(exc).__name__} {exc.seconds}")
    with coro.deadline(5):
        pass
    return int(apache.OK)


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    time.sleep(30)
    start_response("200 OK", [])
    return [b"slept"]

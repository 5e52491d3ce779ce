"""Handlers that take too long in one way or another, for tests/test_limits_of_handlers.py."""
from __future__ import annotations

import concurrent.futures
import ctypes
import fcntl
import os
import queue
import select
import selectors
import signal
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


def catches_errors(req: Any) -> int:
    """What ends the wait is no OSError, nor is any on the way."""
    a, b = socket.socketpair()
    r, w = os.pipe()
    for wait in (lambda: a.recv(1), lambda: os.read(r, 1), lambda: select.select([a], [], []), lambda: time.sleep(30)):
        try:
            wait()
        except OSError as exc:
            req.write(repr(exc))
        finally:
            a.close(), b.close(), os.close(r), os.close(w)
    return int(apache.OK)


def reads(req: Any) -> int:
    """From a pipe, through a buffered file."""
    r, w = os.pipe()
    with os.fdopen(r, "rb") as file, os.fdopen(w, "wb"):
        file.read(10)
    return int(apache.OK)


def offloads(req: Any) -> int:
    """A read of what stands for a slow disk, in a real thread: the thread goes on, the request does not wait for it."""
    r, w = os.pipe()
    try:
        coro.blocking(os.read)(r, 1)
    finally:
        os.close(w)  # the thread ends
        threading.Timer(1, os.close, [r]).start()
    return int(apache.OK)


def flocks(req: Any) -> int:
    """The test has locked the file that the query string names."""
    with open(req.args, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
    return int(apache.OK)


def region_locks(req: Any) -> int:
    with open(req.args, "rb+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
    return int(apache.OK)


def waits_for_child(req: Any) -> int:
    r, w = os.pipe()
    pid = os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, r, 0), (os.POSIX_SPAWN_CLOSE, w)])
    try:
        os.waitpid(pid, 0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(r), os.close(w)
    return int(apache.OK)


def semaphores(req: Any) -> int:
    threading.Semaphore(0).acquire()
    return int(apache.OK)


def conditions(req: Any) -> int:
    condition = threading.Condition()
    with condition:
        condition.wait(30)
    return int(apache.OK)


def queues(req: Any) -> int:
    queue.Queue[int]().get()
    return int(apache.OK)


def polls(req: Any) -> int:
    a, b = socket.socketpair()
    with a, b, selectors.DefaultSelector() as selector:
        selector.register(a, selectors.EVENT_READ)
        selector.select(30)
    return int(apache.OK)


def futures(req: Any) -> int:
    concurrent.futures.Future[int]().result()
    return int(apache.OK)


def accepts(req: Any) -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.accept()
    return int(apache.OK)


def joins(req: Any) -> int:
    """The thread outlives the wait for it."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        thread.join()
    finally:
        end.set()
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


told: list[bool] = []
computing: list[bool] = []


def computes_until_told(req: Any) -> int:
    computing.append(True)
    while not told:
        sum(range(100))
    req.write("computed")
    return int(apache.OK)


turns: list[str] = []  # who computes, each time that it goes on


def computes_and_notes(req: Any) -> int:
    mine = 0
    while not told:
        if not turns or turns[-1] != req.args:
            turns.append(req.args)
            mine += 1
        sum(range(100))
    req.write(str(mine))
    return int(apache.OK)


def waits_beside(req: Any) -> int:
    """How many turns the others have had in so many short sleeps."""
    while len(set(turns)) < 4:
        time.sleep(0.001)
    before, rounds = len(turns), 12
    for _ in range(rounds):
        turns.append("waits")
        time.sleep(0.001)
    req.write(f"{len(turns) - before - rounds} {rounds}")
    told.append(True)
    return int(apache.OK)


def tells_to_end(req: Any) -> int:
    told.append(True)
    req.write(f"told {len(computing)}")
    return int(apache.OK)


def in_the_kernel(req: Any) -> int:
    """As a read from a slow disk: a wait that no signal ends."""
    assert ctypes.CDLL(os.environ["UNKNOWN_LIBRARY"]).in_the_kernel(2500) == 0
    req.write("back")
    return int(apache.OK)


def in_c(req: Any) -> int:
    assert ctypes.CDLL(os.environ["UNKNOWN_LIBRARY"]).in_c(2000) == 0
    req.write("back")
    return int(apache.OK)


def in_c_with_the_gil(req: Any) -> int:
    assert ctypes.PyDLL(os.environ["UNKNOWN_LIBRARY"]).in_c(2000) == 0
    req.write("back")
    return int(apache.OK)


called: list[int] = []
resting: list[float] = []


@ctypes.CFUNCTYPE(None)
def back() -> None:
    """What is raised in here, ctypes swallows."""
    for number in range(3):
        called.append(number)
    if resting:
        time.sleep(resting[0])


def wait_then_call(deaf: int) -> int:
    a, b = socket.socketpair()
    with a, b:
        return int(ctypes.CDLL(os.environ["LIBRARY"]).wait_then_call(a.fileno(), deaf, back))


def calls_back(req: Any) -> int:
    """A library that is deaf to so many signals calls into Python after the end of its wait."""
    wait_then_call(int(req.args))
    time.sleep(30)
    req.write("the exception was swallowed")
    return int(apache.OK)


def waits_again(req: Any) -> int:
    """A library that tries so many times, though its waits are ended: the query says how often."""
    a, b = socket.socketpair()
    with a, b:
        failed.append(int(ctypes.CDLL(os.environ["LIBRARY"]).wait_again(a.fileno(), int(req.args))))
        time.sleep(30)
    return int(apache.OK)


guarding: list[socket.socket] = []
failed: list[int] = []


def holds_the_guard(req: Any) -> int:
    """Keeps others out of the library until lets_go."""
    a, b = socket.socketpair()
    with a, b:
        guarding.append(b)
        ctypes.CDLL(os.environ["LIBRARY"]).wait_again(a.fileno(), 1)
    return int(apache.OK)


def lets_go(req: Any) -> int:
    """When the guard is held, and so many milliseconds later, in which somebody's time is over."""
    while not guarding:
        time.sleep(0.001)
    time.sleep(int(req.args) / 1000)
    guarding.pop().send(b"x")
    return int(apache.OK)


def calls_back_in_time(req: Any) -> int:
    for deaf in (0, 1, 5):
        called.clear()
        try:
            with coro.deadline(0.05) as limit:
                wait_then_call(deaf)
                time.sleep(30)
        except coro.Timeout as exc:
            req.write(f"{exc is limit} {called}\n")
    resting.append(0.2)  # a second one comes while the first is on its way
    try:
        with coro.deadline(0.1) as outer:
            try:
                with coro.deadline(0.05) as inner:
                    wait_then_call(1)
            except coro.Timeout as exc:
                req.write(f"inner {exc is inner}\n")
            time.sleep(30)
    except coro.Timeout as exc:
        req.write(f"outer {exc is outer}")
    resting.clear()
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


def holds_up(req: Any) -> int:
    """Let nobody else run until there is a file of the name in the query string, and for longer than the worker runs jobs without looking for events."""
    seen.append("holds")
    end = time.monotonic() + 0.1
    with open(req.args + ".held", "w"):
        pass
    while not os.path.exists(req.args) or time.monotonic() < end:
        pass
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

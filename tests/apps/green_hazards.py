"""Where a switch below blocking code could go wrong. Cases for test_green.py."""
from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import queue
import select
import signal
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from green_cases import later, together, within

from pyhost import coro


class Thrown(Exception):
    """Thrown into waits."""


def error_of(task: Any) -> BaseException | None:
    task.join(20)
    assert task.done, "it still waits"
    return task.exception  # type: ignore[no-any-return]


def quietly(function: Callable[[], object]) -> Callable[[], object]:
    """Return what it raised instead of raising, so that nothing is logged."""
    def run() -> object:
        try:
            return function()
        except Exception as exc:
            return exc

    return run


def closed_while_waited_on() -> None:
    for call in ("read", "poll", "recv"):
        if call == "recv":
            a, b = socket.socketpair()
            fd, other = a.detach(), b.detach()
            task = coro.spawn(quietly(lambda: socket.socket(fileno=fd).recv(1)))
        else:
            fd, other = os.pipe()
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            task = coro.spawn(quietly((lambda: os.read(fd, 1)) if call == "read" else (lambda: poller.poll(60_000))))
        time.sleep(0.01)
        os.close(fd)
        with within(20):
            result = task.get(timeout=20)
        if call == "poll":
            assert result == [(fd, select.POLLNVAL)], result
        else:
            assert isinstance(result, OSError) and result.errno == errno.EBADF, result
        os.close(other)


def closed_in_a_range_while_waited_on() -> None:
    """os.closerange is one call of the kernel; the numbers next to each other are taken on purpose."""
    pairs = [os.pipe() for _ in range(3)]
    fds = sorted(fd for pair in pairs for fd in pair)
    base = fcntl.fcntl(0, fcntl.F_DUPFD, max(fds) + 20)
    os.close(base)
    for number, (r, _) in enumerate(pairs):
        os.dup2(r, base + number)
    a, b = timed_pair()
    os.dup2(a.fileno(), base + len(pairs))
    timed = socket.socket(fileno=base + len(pairs))
    timed.settimeout(20)
    for _ in range(3):  # it is kept registered
        later(0.002, b.send, b"x")
        assert timed.recv(1) == b"x"
    tasks = [coro.spawn(quietly(lambda fd=base + number: os.read(fd, 1))) for number in range(len(pairs))]  # type: ignore[misc]
    tasks.append(coro.spawn(quietly(lambda: timed.recv(1))))
    time.sleep(0.01)
    os.closerange(base, base + len(pairs) + 1)
    for task in tasks:
        result = task.get(timeout=10)
        assert isinstance(result, OSError) and result.errno == errno.EBADF, result
    timed.detach()
    c, d = socket.socketpair()
    os.dup2(c.fileno(), base)  # the number is another's
    again = socket.socket(fileno=base)
    later(0.005, d.send, b"new")
    assert again.recv(3) == b"new"
    for each in (a, b, c, d, again):
        each.close()
    for fd in fds:
        os.close(fd)


def descriptor_reused_while_waited_on() -> None:
    r, w = os.pipe()
    task = coro.spawn(quietly(lambda: os.read(r, 10)))
    time.sleep(0.01)
    r2, w2 = os.pipe()
    os.dup2(r2, r)  # r is another pipe now
    result = task.get(timeout=2)
    assert isinstance(result, OSError) and result.errno == errno.EBADF, result
    later(0.01, os.write, w2, b"new")
    assert os.read(r, 10) == b"new"
    for fd in (r, w, r2, w2):
        os.close(fd)


def timed_pair() -> tuple[socket.socket, socket.socket]:
    """The first has a timeout, and has waited so often that its descriptor stays registered."""
    a, b = socket.socketpair()
    a.settimeout(10)
    for n in range(3):
        later(0.002, b.send, bytes([n]))
        assert a.recv(1) == bytes([n])
    return a, b


def timed_reads_on_numbers_that_are_taken_again() -> None:
    numbers = set()
    for _ in range(3):
        a, b = timed_pair()
        numbers.add(a.fileno())
        later(0.002, b.close)
        assert a.recv(1) == b""
        a.close()
    assert len(numbers) < 3


def timed_reads_on_duplicates() -> None:
    a, b = timed_pair()
    twin = a.dup()
    twin.settimeout(10)
    a.close()
    later(0.002, b.send, b"x")
    assert twin.recv(1) == b"x"
    twin.close(), b.close()
    a, b = timed_pair()
    c, d = socket.socketpair()
    os.dup2(c.fileno(), a.fileno())  # a is another socket now, and its number was registered for the old one
    for _ in range(3):
        later(0.002, d.send, b"y")
        assert a.recv(1) == b"y"
    for each in (a, b, c, d):
        each.close()


def timed_read_on_a_number_closed_past_all_hooks() -> None:
    """It costs at most a second, not for ever."""
    a, b = timed_pair()
    c, d = socket.socketpair()
    fd, close = a.fileno(), {"x86_64": 3, "aarch64": 57}[os.uname().machine]
    assert ctypes.CDLL(None).syscall(close, fd) == 0
    assert fcntl.fcntl(c.fileno(), fcntl.F_DUPFD, fd) == fd
    later(0.01, d.send, b"z")
    assert a.recv(1) == b"z"
    for each in (a, b, c, d):
        each.close()


def timed_reads_of_several() -> None:
    a, b = timed_pair()
    readers = [coro.spawn(lambda: a.recv(1)) for _ in range(3)]
    time.sleep(0.005)
    b.send(b"12"), b.send(b"3")
    assert sorted(task.get(timeout=10) for task in readers) == [b"1", b"2", b"3"]
    a.settimeout(0.01)
    for _ in range(3):
        assert isinstance(quietly(lambda: a.recv(1))(), TimeoutError)
    later(0.002, b.send, b"4")
    a.settimeout(10)
    assert a.recv(1) == b"4"
    a.close(), b.close()


def poll_tells_what_came() -> None:
    a, b = timed_pair()
    poll = select.poll()
    poll.register(a, select.POLLIN)
    for _ in range(3):
        later(0.002, b.send, b"x")
        assert poll.poll(10_000) == [(a.fileno(), select.POLLIN)] and a.recv(1) == b"x"
    assert poll.poll(5) == []
    later(0.002, b.close)
    assert poll.poll(10_000) == [(a.fileno(), select.POLLIN | select.POLLHUP)] and a.recv(1) == b""
    a.close()


def several_wait_on_one_descriptor() -> None:
    a, b = socket.socketpair()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    readers = [coro.spawn(lambda: a.recv(1)) for _ in range(3)]
    writer = coro.spawn(lambda: a.sendall(b"z" * 500_000))
    time.sleep(0.01)
    got = 0
    while got < 500_000:
        got += len(b.recv(65536))
    writer.get()
    b.send(b"1"), b.send(b"2"), b.send(b"3")
    assert sorted(task.get(timeout=2) for task in readers) == [b"1", b"2", b"3"]
    a.close(), b.close()


def exceptions_thrown_into_waits() -> None:
    """The exception comes out of the call itself, on every kind of wait."""
    a, b = socket.socketpair()
    r, w = os.pipe()
    lock = threading.Lock()
    lock.acquire()
    box: queue.Queue[int] = queue.Queue()
    waits: dict[str, Callable[[], object]] = {
        "sleep": lambda: time.sleep(10), "recv": lambda: a.recv(1), "lock": lock.acquire, "lock timeout": lambda: lock.acquire(timeout=10),
        "queue": box.get, "read": lambda: os.read(r, 1), "select": lambda: select.select([a], [], [], 10),
        "child": lambda: subprocess.run(["sleep", "10"]), "coro": lambda: coro.sleep(10), "event": lambda: threading.Event().wait(10),
        "wait_read": lambda: coro.wait_read(r), "join": lambda: coro.spawn(coro.sleep, 0.2).join()}
    for name, wait in waits.items():
        task = coro.spawn(quietly(wait))
        time.sleep(0.01)
        task.throw(Thrown(name))
        result = task.get(timeout=2)
        assert isinstance(result, Thrown) and result.args == (name,), (name, result)
    a.close(), b.close(), os.close(r), os.close(w)


def thrown_before_it_begins() -> None:
    ran: list[int] = []
    task = coro.spawn(ran.append, 1)
    task.throw(SystemExit())
    assert isinstance(error_of(task), SystemExit) and not ran


def thrown_exception_is_caught_and_life_goes_on() -> None:
    def stubborn() -> str:
        try:
            time.sleep(10)
        except Thrown:
            time.sleep(0.01)
        return "went on"

    task = coro.spawn(stubborn)
    time.sleep(0.01)
    task.throw(Thrown)
    assert task.get(timeout=2) == "went on"


def forked_child_blocks_for_itself() -> None:
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            time.sleep(0.01)
            lock = threading.RLock()
            with lock:
                os.write(w, str(threading.get_ident() != 0).encode())
        finally:
            os._exit(7)
    assert os.read(r, 10) == b"True"
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(r), os.close(w)


def child_has_clean_descriptors() -> None:
    listing = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True).stdout.split()
    assert len(listing) <= 4, listing


def signal_goes_to_a_child_not_to_us() -> None:
    child = subprocess.Popen(["sleep", "10"])
    later(0.02, child.send_signal, signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM


def lock_held_across_a_wait() -> None:
    lock, order = threading.Lock(), []

    def one() -> None:
        with lock:
            order.append("in")
            time.sleep(0.005)
            order.append("out")

    together(10, one)
    assert order == ["in", "out"] * 10


def buffered_writer_is_shared() -> None:
    r, w = os.pipe()
    with os.fdopen(w, "wb") as file:
        def write() -> None:
            for _ in range(20):
                file.write(b"0123456789" * 800)
                file.flush()

        reader = coro.spawn(lambda: os.fdopen(r, "rb").read())
        together(5, write)
    assert len(reader.get(timeout=5)) == 5 * 20 * 8000


def imports_at_once() -> None:
    import sys
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "slow_module_of_test.py"), "w") as file:
            file.write("import time\ntime.sleep(0.05)\nready = True\n")
        sys.path.insert(0, folder)
        try:
            assert all(together(5, lambda: __import__("slow_module_of_test").ready))
        finally:
            sys.path.remove(folder)
            sys.modules.pop("slow_module_of_test", None)


def lock_of_all_imports_is_no_deadlock() -> None:
    """A time slice may end while it is held: between any two steps of importlib."""
    import _imp
    import importlib

    def hold() -> None:
        _imp.acquire_lock()
        assert _imp.lock_held()
        time.sleep(0.02)
        _imp.release_lock()

    holder = coro.spawn(hold)
    time.sleep(0.005)
    with within(5):
        together(3, lambda: importlib.import_module("colorsys"))
    holder.get()
    assert not _imp.lock_held()


def destructors_may_wait() -> None:
    class Slow:
        def __del__(self) -> None:
            time.sleep(0.005)

    def one() -> None:
        for _ in range(5):
            Slow()

    together(20, one)


def deep_recursion() -> None:
    def down(n: int) -> int:
        if n == 0:
            time.sleep(0.01)
            return 0
        return down(n - 1) + 1

    assert together(5, lambda: down(500)) == [500] * 5


def objects_of_a_greenlet_go_with_it() -> None:
    class Thing:
        pass

    def one() -> weakref.ref[Thing]:
        thing = Thing()
        time.sleep(0.005)
        return weakref.ref(thing)

    assert all(ref() is None for ref in together(20, one))  # type: ignore[operator]


def errno_survives_a_wait() -> None:
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)

    def one(number: int) -> int:
        ctypes.set_errno(number)
        libc.usleep(5000)
        return ctypes.get_errno()

    tasks = [coro.spawn(one, n) for n in range(1, 6)]
    assert [task.get() for task in tasks] == [1, 2, 3, 4, 5]


class Message(ctypes.Structure):
    """struct mmsghdr of recvmmsg and sendmmsg, with what it points to."""

    _fields_ = [("name", ctypes.c_void_p), ("name_len", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iov_len", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_len", ctypes.c_size_t), ("flags", ctypes.c_int), ("padding", ctypes.c_int),
                ("length", ctypes.c_uint32)]


def messages(*texts: bytes) -> tuple[ctypes.Array[Message], list[ctypes.Array[ctypes.c_char]], list[object]]:
    """Return the structures, their texts, and what has to live as long."""
    buffers = [ctypes.create_string_buffer(text, len(text)) for text in texts]
    parts = [(ctypes.c_size_t * 2)(ctypes.addressof(buffer), len(buffer)) for buffer in buffers]
    return (Message * len(texts))(*(Message(iov=ctypes.addressof(part), iov_len=1) for part in parts)), buffers, [parts]


def several_messages_in_one_call() -> None:
    """recvmmsg waits for all of them, or for one; sendmmsg for room; others go on."""
    libc, for_one = ctypes.CDLL(None, use_errno=True), 0x10000
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    got, texts, _alive = messages(bytes(8), bytes(8), bytes(8))

    def send() -> None:
        for text in (b"one", b"three", b"fifteen"):
            time.sleep(0.005)
            b.send(text)

    task = coro.spawn(send)
    assert libc.recvmmsg(a.fileno(), got, 3, 0, None) == 3
    task.get()
    assert [text.raw[:message.length] for text, message in zip(texts, got, strict=True)] == [b"one", b"three", b"fifteen"]
    later(0.005, b.send, b"alone")
    assert libc.recvmmsg(a.fileno(), got, 3, for_one, None) == 1 and texts[0].raw[:got[0].length] == b"alone"
    for text in (b"1", b"22"):
        b.send(text)
    assert libc.recvmmsg(a.fileno(), got, 3, for_one, None) == 2 and [each.length for each in got][:2] == [1, 2]
    a.setblocking(False)
    assert libc.recvmmsg(a.fileno(), got, 3, 0, None) == -1 and ctypes.get_errno() == errno.EAGAIN
    a.setblocking(True)
    many, _texts, _alive = messages(*(b"%04d" % number for number in range(2000)))  # more than there is room for
    reader = coro.spawn(lambda: [a.recv(8) for _ in range(2000)])
    assert libc.sendmmsg(b.fileno(), many, 2000, 0) == 2000 and {each.length for each in many} == {4}
    assert reader.get(timeout=10) == [b"%04d" % number for number in range(2000)]
    a.close(), b.close()


def switching_to_the_hub_by_hand_is_refused() -> None:
    import greenlet
    try:
        greenlet.getcurrent().parent.switch()  # type: ignore[union-attr]
    except RuntimeError as exc:
        assert "hub" in str(exc)
    else:
        raise AssertionError("nobody noticed")


def random_storm() -> None:
    """Hundreds of greenlets that wait on everything, some of them thrown into: nobody is lost, nobody stays."""
    import random
    rng = random.Random(5)
    lock, box = threading.Lock(), queue.Queue[int]()

    def one() -> None:
        for _ in range(5):
            what = rng.randrange(5)
            if what == 0:
                time.sleep(rng.random() * 0.01)
            elif what == 1:
                with lock:
                    time.sleep(0.0002)
            elif what == 2:
                box.put(1)
                box.get()
            elif what == 3:
                a, b = socket.socketpair()
                with a, b:
                    later(0.001, b.send, b"x")
                    a.settimeout(5)
                    a.recv(1)
            else:
                socket.getaddrinfo("localhost", 1)

    tasks = [coro.spawn(quietly(one)) for _ in range(200)]
    time.sleep(0.005)
    for task in rng.sample(tasks, 50):
        task.throw(Thrown())
    ends = [error_of(task) or task.result for task in tasks]  # one that was thrown into before it began raises it itself
    assert {type(end) for end in ends} <= {type(None), Thrown, socket.gaierror, OSError}, ends
    assert not lock.locked()

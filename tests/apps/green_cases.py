"""What ordinary blocking code does, run in a handler greenlet. Each case fails by an assertion; test_green.py calls them all."""
from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import errno
import fcntl
import logging
import os
import queue
import select
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pyhost import coro


@contextmanager
def within(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    took = time.monotonic() - start
    assert took < seconds, f"{took:.3f} s, at most {seconds} s were expected"


def together(count: int, function: Callable[[], object]) -> list[object]:
    """Run it in that many greenlets at once; raise what any of them raised."""
    return [task.get() for task in [coro.spawn(function) for _ in range(count)]]


def later(seconds: float, function: Callable[..., object], *args: object) -> Any:
    def run() -> object:
        time.sleep(seconds)
        return function(*args)

    return coro.spawn(run)


def sleep_many() -> None:
    with within(8):  # 10 s one after the other
        together(100, lambda: time.sleep(0.1))


def sleep_is_exact() -> None:
    start = time.monotonic()
    time.sleep(0.05)
    assert 0.05 <= time.monotonic() - start < 5


def socket_large_send() -> None:
    a, b = socket.socketpair()
    size = 3_000_000

    def reader() -> int:
        got = 0
        while got < size:
            got += len(b.recv(65536))
        b.send(b"done")
        return got

    task = coro.spawn(reader)
    a.sendall(b"x" * size)
    assert a.recv(10) == b"done" and task.get() == size
    a.close(), b.close()


def socket_blocking_send_sends_all() -> None:
    a, b = socket.socketpair()
    task = coro.spawn(lambda: b.recv(2_000_000, socket.MSG_WAITALL))
    assert a.send(b"y" * 2_000_000) == 2_000_000
    assert len(task.get()) == 2_000_000
    a.close(), b.close()


def socket_tcp() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            time.sleep(0.02)
            peer.sendall(b"hello")

    task = coro.spawn(serve)
    with socket.create_connection(listener.getsockname()) as client:
        assert client.recv(5) == b"hello" and client.recv(5) == b""
    task.get()
    listener.close()


def socket_connect_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with socket.socket() as client:
        try:
            client.connect(address)
        except ConnectionRefusedError:
            return
    raise AssertionError("connected to nobody")


def error_of(function: Callable[[], object]) -> type[BaseException] | None:
    try:
        function()
    except (OSError, coro.Timeout) as exc:
        return type(exc)
    return None


def full_listener(path: str) -> tuple[socket.socket, list[socket.socket]]:
    """A unix listener that has room for nobody else, and those who fill it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)
    waiting = []
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        if client.connect_ex(path):
            client.close()
            return listener, waiting
        waiting.append(client)


def many_connect(timeout: float | None, ex: bool = False) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, count, begun = f"{folder}/sock", 40, [0]
        listener, waiting = full_listener(path)

        def connect() -> bytes:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(timeout)
                begun[0] += 1
                if ex:
                    assert client.connect_ex(path) == 0
                else:
                    client.connect(path)
                assert client.gettimeout() == timeout and os.get_blocking(client.fileno()) == (timeout is None)
                return client.recv(1)

        tasks = [coro.spawn(connect) for _ in range(count)]
        while begun[0] < count:
            time.sleep(0.001)
        for _ in range(count + len(waiting)):
            with listener.accept()[0] as peer:
                peer.send(b"x")
        assert [task.get() for task in tasks] == [b"x"] * count
        for one in [listener, *waiting]:
            one.close()


def unix_connect_waits_for_room() -> None:
    many_connect(None)


def unix_connect_ex_waits_for_room() -> None:
    many_connect(None, ex=True)


def unix_connect_with_a_timeout_waits_for_room() -> None:
    many_connect(60)


def unix_connect_ex_with_a_timeout_waits_for_room() -> None:
    many_connect(60, ex=True)


def unix_connect_has_its_limits() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/sock"
        listener, waiting = full_listener(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            assert error_of(lambda: client.connect(path)) is BlockingIOError
            assert client.connect_ex(path) == errno.EAGAIN
            client.settimeout(0.03)
            start = time.monotonic()
            assert error_of(lambda: client.connect(path)) is TimeoutError
            assert time.monotonic() - start >= 0.03
            assert client.connect_ex(path) == errno.EAGAIN
            client.settimeout(None)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, (0).to_bytes(8, "little") + (30000).to_bytes(8, "little"))
            start = time.monotonic()
            assert error_of(lambda: client.connect(path)) is BlockingIOError
            assert time.monotonic() - start >= 0.03 and os.get_blocking(client.fileno())
        for timeout in (None, 60):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(timeout)
                with within(30):
                    assert error_of(lambda: cancelled_connect(client, path)) is coro.Timeout
        with socket.socket(socket.AF_UNIX) as client:
            task = coro.spawn(lambda: error_of(lambda: client.connect(path)))
            time.sleep(0.005)
            client.close()
            assert task.get() is OSError
        for one in [listener, *waiting]:
            one.close()


def cancelled_connect(client: socket.socket, path: str) -> None:
    with coro.deadline(0.02):
        client.connect(path)


def socket_timeouts() -> None:
    a, b = socket.socketpair()
    a.settimeout(0.03)
    try:
        a.recv(1)
    except TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    a.settimeout(None)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b"\0" * 8 + (30000).to_bytes(8, "little"))
    try:
        a.recv(1)
    except BlockingIOError:
        pass
    else:
        raise AssertionError("SO_RCVTIMEO did nothing")
    a.setblocking(False)
    try:
        a.recv(1)
    except BlockingIOError:
        pass
    else:
        raise AssertionError("a non-blocking socket waited")
    a.close(), b.close()


def socket_messages_with_descriptors() -> None:
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    r, w = os.pipe()
    later(0.02, socket.send_fds, a, [b"m"], [r])
    message, fds, _, _ = socket.recv_fds(b, 10, 1)
    assert message == b"m" and len(fds) == 1
    os.write(w, b"through")
    assert os.read(fds[0], 20) == b"through"
    for fd in (r, w, *fds):
        os.close(fd)
    a.close(), b.close()


def socket_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        later(0.02, b.sendto, b"datagram", a.getsockname())
        assert a.recvfrom(100) == (b"datagram", b.getsockname())


def pipes() -> None:
    r, w = os.pipe()

    def write() -> None:
        time.sleep(0.02)
        assert os.write(w, b"y" * 200_000) == 200_000
        os.close(w)

    task = coro.spawn(write)
    data = b""
    while piece := os.read(r, 65536):
        data += piece
    task.get()
    os.close(r)
    assert len(data) == 200_000


def pipe_vectors() -> None:
    r, w = os.pipe()
    later(0.02, os.writev, w, [b"ab", b"cd"])
    first, second = bytearray(3), bytearray(3)
    assert os.readv(r, [first, second]) == 4
    assert bytes(first + second[:1]) == b"abcd"
    os.close(r), os.close(w)


def wrong_direction_fails_at_once() -> None:
    r, w = os.pipe()
    for call in (lambda: os.write(r, b"x"), lambda: os.read(w, 1)):
        try:
            call()
        except OSError as exc:
            assert exc.errno == 9, exc
        else:
            raise AssertionError("no error")
    os.close(r), os.close(w)


def select_poll_epoll() -> None:
    a, b = socket.socketpair()
    later(0.02, b.send, b"x")
    assert select.select([a], [], [], 2)[0] == [a]
    a.recv(1)
    start = time.monotonic()
    assert select.select([a], [], [], 0.03) == ([], [], []) and time.monotonic() - start >= 0.029
    assert select.select([], [b], [], 1)[1] == [b]
    poller = select.poll()
    poller.register(a, select.POLLIN)
    later(0.02, b.send, b"x")
    assert poller.poll(2000) == [(a.fileno(), select.POLLIN)] and poller.poll(0)
    a.recv(1)
    assert poller.poll(20) == []
    epoll = select.epoll()
    epoll.register(a, select.EPOLLIN)
    later(0.02, b.send, b"x")
    assert epoll.poll(2) == [(a.fileno(), select.EPOLLIN)]
    a.recv(1)
    assert epoll.poll(0.02) == []
    epoll.close(), a.close(), b.close()


def children() -> None:
    def one() -> None:
        assert subprocess.run(["sh", "-c", "sleep 0.5; echo hi"], capture_output=True).stdout == b"hi\n"

    with within(6):
        together(12, one)
    assert subprocess.run(["sh", "-c", "exit 7"]).returncode == 7
    try:
        subprocess.run(["sleep", "5"], timeout=0.05)
    except subprocess.TimeoutExpired:
        return
    raise AssertionError("no timeout")


def system_command() -> None:
    with within(6):
        assert together(12, lambda: os.system("sleep 0.5; exit 5")) == [5 << 8] * 12


def waiting_for_any_child() -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "sleep 0.05; exit 3"], {})
    assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status == 3  # type: ignore[union-attr]
    group = os.posix_spawn("/bin/sh", ["sh", "-c", "sleep 0.05; exit 4"], {}, setpgroup=0)
    got, status = os.waitpid(-group, 0)
    assert got == group and os.waitstatus_to_exitcode(status) == 4
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3


def locks() -> None:
    lock = threading.Lock()
    lock.acquire()
    assert not lock.acquire(timeout=0.02)
    later(0.02, lock.release)
    with within(20):
        lock.acquire()


def reentrant_locks() -> None:
    lock, log = threading.RLock(), []

    def one() -> None:
        with lock, lock:
            log.append(threading.get_ident())
            time.sleep(0.005)
            log.append(threading.get_ident())

    together(5, one)
    assert all(log[i] == log[i + 1] for i in range(0, 10, 2)) and len(set(log)) == 5


def conditions_and_events() -> None:
    condition, items = threading.Condition(), []

    def take() -> None:
        with condition:
            assert condition.wait_for(lambda: bool(items), 2)
            items.pop()

    tasks = [coro.spawn(take) for _ in range(5)]
    time.sleep(0.01)
    for _ in tasks:
        with condition:
            items.append(1)
            condition.notify()
    for task in tasks:
        task.get()
    event = threading.Event()
    assert not event.wait(0.02)
    later(0.02, event.set)
    assert event.wait(2)
    barrier = threading.Barrier(4)
    assert sorted(together(4, barrier.wait)) == [0, 1, 2, 3]  # type: ignore[type-var]


def real_threads() -> None:
    event, answers = threading.Event(), queue.Queue[int]()
    thread = threading.Thread(target=lambda: (time.sleep(0.05), answers.put(5), event.set()))
    assert not thread.daemon
    thread.start()
    assert answers.get(timeout=2) == 5 and event.wait(2)
    thread.join()
    assert not thread.is_alive()


def queues() -> None:
    box = queue.Queue[int](maxsize=1)
    box.put(1)
    later(0.02, box.get)
    box.put(2, timeout=2)
    assert box.get() == 2
    try:
        box.get(timeout=0.02)
    except queue.Empty:
        pass
    else:
        raise AssertionError("got something out of nothing")
    simple = queue.SimpleQueue[int]()
    later(0.02, simple.put, 3)
    assert simple.get(timeout=2) == 3


def thread_pool() -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool, within(20):
        assert list(pool.map(lambda n: (time.sleep(0.05), n)[1], range(8))) == list(range(8))


def identity() -> None:
    local = threading.local()
    seen = set()

    def one() -> None:
        assert not hasattr(local, "name")
        local.name = threading.get_ident()
        assert threading.current_thread().ident == threading.get_ident()
        assert threading.current_thread() is not threading.main_thread()
        seen.add(local.name)
        time.sleep(0.02)
        assert local.name == threading.get_ident()
        del local.name

    together(20, one)
    assert len(seen) == 20


def context_variables() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    counter = iter(range(1, 100))

    def one() -> None:
        assert variable.get() == 99
        mine = next(counter)
        variable.set(mine)
        time.sleep(0.01)
        assert variable.get() == mine

    variable.set(99)
    together(10, one)
    assert variable.get() == 99


def exceptions_in_flight() -> None:
    def one() -> None:
        try:
            raise KeyError("mine")
        except KeyError:
            time.sleep(0.01)
            exc = sys.exc_info()[1]
            assert isinstance(exc, KeyError)

    together(10, one)
    assert sys.exc_info()[1] is None


def asyncio_runs() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(5):
            peer, _ = listener.accept()
            peer.sendall(b"ok")
            peer.close()

    async def main() -> bytes:
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        data = await reader.read(2)
        writer.close()
        assert await asyncio.to_thread(lambda: 5) == 5
        return data

    task = coro.spawn(serve)
    with within(20):
        assert together(5, lambda: asyncio.run(main())) == [b"ok"] * 5
    task.get()
    listener.close()


def names() -> None:
    together(20, lambda: socket.getaddrinfo("localhost", 80))
    assert socket.getaddrinfo("127.0.0.1", 80)[0][4] == ("127.0.0.1", 80)
    assert socket.gethostbyname("localhost").startswith("127.")
    assert socket.gethostbyname_ex("localhost")[2]
    assert socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV) == ("127.0.0.1", "80")
    assert socket.getnameinfo(("127.0.0.1", 80), 0)[0]
    socket.gethostbyaddr("127.0.0.1")


def file_locks() -> None:
    with tempfile.NamedTemporaryFile() as file, open(file.name, "rb+") as other:
        fcntl.flock(file, fcntl.LOCK_EX)
        later(0.02, fcntl.flock, file, fcntl.LOCK_UN)
        fcntl.flock(other, fcntl.LOCK_EX)
        holder = subprocess.Popen([sys.executable, "-c", "import fcntl,sys,time\nf=open(sys.argv[1],'rb+')\nfcntl.lockf(f,fcntl.LOCK_EX)\n"
                                   "print(flush=True)\ntime.sleep(0.1)", file.name], stdout=subprocess.PIPE)
        assert holder.stdout is not None and holder.stdout.readline() == b"\n"
        fcntl.lockf(file, fcntl.LOCK_EX)
        holder.stdout.close()
        assert holder.wait() == 0


def logging_from_many() -> None:
    logger = logging.getLogger("green")
    logger.propagate = False
    with tempfile.NamedTemporaryFile("r") as file:
        handler = logging.FileHandler(file.name)
        logger.addHandler(handler)

        def one() -> None:
            for _ in range(20):
                logger.error("line")
                time.sleep(0.001)

        together(10, one)
        logger.removeHandler(handler)
        handler.close()
        assert len(file.readlines()) == 200


def sqlite_busy() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "db")
        first = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        first.execute("create table t(n)")
        first.execute("begin immediate")
        later(0.05, first.execute, "commit")
        second = sqlite3.connect(path, timeout=5)
        second.execute("insert into t values(1)")
        second.commit()
        second.close(), first.close()


def tls() -> None:
    """A handshake and an exchange between two greenlets."""
    with tempfile.TemporaryDirectory() as folder:
        key, cert = os.path.join(folder, "key"), os.path.join(folder, "cert")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_side.load_cert_chain(cert, key)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_mode = ssl.CERT_NONE
    a, b = socket.socketpair()

    def serve() -> None:
        with server_side.wrap_socket(a, server_side=True) as peer:
            peer.sendall(peer.recv(100).upper())

    task = coro.spawn(serve)
    with client_side.wrap_socket(b) as client:
        client.sendall(b"quiet")
        assert client.recv(100) == b"QUIET"
    task.get()


def greenlets_by_hand() -> None:
    import greenlet

    def inner(start: int) -> int:
        time.sleep(0.01)
        got = greenlet.getcurrent().parent.switch(start + 1)  # type: ignore[union-attr]
        return int(got) + 1

    child = greenlet.greenlet(inner)
    assert child.switch(1) == 2
    time.sleep(0.01)
    assert child.switch(10) == 11 and child.dead

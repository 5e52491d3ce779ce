"""C and C++ libraries that wait: hazard_library.cc called by ctypes in handlers. Cases for test_green.py."""
from __future__ import annotations

import ctypes
import errno
import os
import signal
import threading
import time
from typing import Any

from green_cases import later, together, within

from pyhost import coro

WORD = ctypes.c_uint32


def library(variable: str = "LIBRARY") -> Any:
    lib = ctypes.CDLL(os.environ[variable])
    lib.rw_new.restype = ctypes.c_void_p
    for name in ("rw_read", "rw_write", "rw_unlock", "rw_free"):
        getattr(lib, name).argtypes = [ctypes.c_void_p]
    for name in ("rw_read_for", "rw_write_for"):
        getattr(lib, name).argtypes = [ctypes.c_void_p, ctypes.c_int]
    return lib


def futex_waits_together() -> None:
    """Others go on, who waits is woken by another greenlet of the thread, and the count of a wake is right."""
    lib, word = library(), WORD(0)
    waiters = [coro.spawn(lib.futex_wait, ctypes.byref(word), 0, -1) for _ in range(3)]
    time.sleep(0.02)
    assert coro.spawn(lib.futex_set, ctypes.byref(word), 1, 2).get() == 2
    assert lib.futex_set(ctypes.byref(word), 1, 100) <= 1  # the third may have seen the value
    assert [task.get(timeout=5) for task in waiters] == [0, 0, 0]
    assert lib.futex_wait(ctypes.byref(word), 0, -1) == errno.EAGAIN
    assert lib.plain_syscall() == 1


def futex_times_out() -> None:
    lib, word = library(), WORD(0)
    for wait in (lib.futex_wait, lib.futex_wait_until):
        start = time.monotonic()
        assert wait(ctypes.byref(word), 0, 30) == errno.ETIMEDOUT
        assert 0.029 <= time.monotonic() - start < 5


def futex_woken_by_a_thread_of_the_library() -> None:
    lib = library()
    with within(3):
        assert together(20, lib.futex_wait_for_thread) == [0] * 20


def futex_of_an_unknown_library_blocks() -> None:
    """It may keep an idea of its own of its thread: it waits for real, and nobody runs meanwhile; coro.blocking is the way."""
    lib, word = library("UNKNOWN_LIBRARY"), WORD(0)
    ran: list[float] = []
    task = coro.spawn(lambda: ran.append(time.monotonic()))
    start = time.monotonic()
    assert lib.futex_wait(ctypes.byref(word), 0, 50) == errno.ETIMEDOUT
    assert not ran and time.monotonic() - start >= 0.05
    task.get()
    ticks: list[int] = []
    beside = coro.spawn(lambda: [(time.sleep(0.002), ticks.append(1)) for _ in range(3)])
    assert coro.blocking(lib.futex_wait)(ctypes.byref(word), 0, 100) == errno.ETIMEDOUT
    beside.get()
    assert len(ticks) == 3


def rwlock_held_across_a_wait() -> None:
    """Readers together, a writer alone: between greenlets of one thread, where libc would say EDEADLK or wait for itself."""
    lib = library()
    lock, log = lib.rw_new(), []

    def read() -> None:
        assert lib.rw_read(lock) == 0
        log.append("r+")
        time.sleep(0.005)
        log.append("r-")
        assert lib.rw_unlock(lock) == 0

    def write() -> None:
        assert lib.rw_write(lock) == 0
        log.append("w+")
        time.sleep(0.005)
        log.append("w-")
        assert lib.rw_unlock(lock) == 0

    with within(5):
        for task in [coro.spawn(function) for function in (read, read, write, read, write)]:
            task.get()
    assert len(log) == 10
    assert all(log[n + 1] == "w-" for n, entry in enumerate(log) if entry == "w+"), log
    assert log[:2] == ["r+", "r+"]
    lib.rw_free(lock)


def rwlock_times_out() -> None:
    lib = library()
    lock = lib.rw_new()
    assert lib.rw_write(lock) == 0
    for wait in (lib.rw_read_for, lib.rw_write_for):
        assert coro.spawn(wait, lock, 20).get() == errno.ETIMEDOUT
    later(0.02, lib.rw_unlock, lock)
    assert coro.spawn(lib.rw_read_for, lock, 5000).get() == 0
    assert lib.rw_unlock(lock) == 0
    lib.rw_free(lock)


def rwlock_of_a_real_thread() -> None:
    lib = library()
    lock, held, let_go = lib.rw_new(), threading.Event(), threading.Event()

    def hold() -> None:
        lib.rw_write(lock)
        held.set()
        let_go.wait(10)
        lib.rw_unlock(lock)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    later(0.02, let_go.set)
    with within(5):
        assert together(3, lambda: (lib.rw_read(lock), lib.rw_unlock(lock))) == [(0, 0)] * 3
    thread.join()
    lib.rw_free(lock)


def mutexes_held_across_a_wait() -> None:
    lib = library()
    with within(5):
        assert together(5, lib.hold_mutex) == [1] * 5
        assert together(5, lib.hold_recursive_mutex) == [1] * 5


def condition_on_the_heap_waits_together() -> None:
    lib = library()
    with within(3):
        assert together(20, lib.ask_on_heap) == [256] * 20


def condition_on_the_stack_blocks_and_is_right() -> None:
    """What lies on a greenlet's stack is gone while another one runs, so this waits for real: nothing is lost."""
    assert together(3, library().ask_on_stack) == [256] * 3


def exceptions_of_cxx_in_flight() -> None:
    """Each throws on what it has caught, though others throw while it waits in its catch block."""
    lib = library()
    tasks = [coro.spawn(lib.rethrow_after_wait, n) for n in range(1, 11)]
    assert [task.get() for task in tasks] == list(range(1, 11))


def thread_ids_of_greenlets_are_understood_by_real_threads() -> None:
    ident = threading.get_ident()
    errors: list[object] = []

    def ask() -> None:
        try:
            signal.pthread_kill(ident, 0)
            time.clock_gettime(time.pthread_getcpuclockid(ident))
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert not errors, errors


def shared_library() -> tuple[Any, Any]:
    lib = library()
    lib.shared_new.restype = ctypes.c_void_p
    shared = ctypes.c_void_p(lib.shared_new())
    return lib, shared


def in_a_child(function: Any) -> Any:
    """Run it in another process, which has only what is shared; a task that waits for its end."""
    pid = os.fork()
    if not pid:
        try:
            function()
        finally:
            os._exit(0)
    return coro.spawn(os.waitpid, pid, 0)


def conditions_and_locks_of_other_processes() -> None:
    """Who signals or unlocks there is not seen here."""
    lib, shared = shared_library()
    began, begin = os.pipe()

    def child() -> None:
        lib.shared_write(shared)
        os.write(begin, b"x")
        time.sleep(0.1)
        lib.shared_unlock(shared)
        lib.shared_set(shared)

    waits = [coro.spawn(lib.shared_wait, shared) for _ in range(3)]
    time.sleep(0.01)
    start = time.monotonic()
    assert lib.shared_wait_for(shared, 30) == errno.ETIMEDOUT and time.monotonic() - start >= 0.029
    end = in_a_child(child)
    assert os.read(began, 1) == b"x"
    locks = [coro.spawn(lib.shared_read, shared) for _ in range(2)]
    ticks = coro.spawn(lambda: [time.sleep(0.002) for _ in range(5)])
    with within(10):
        assert [task.get(timeout=10) for task in waits + locks] == [0] * 5
    ticks.get(), end.get()
    assert lib.shared_wait_for(shared, 1000) == 0
    os.close(began), os.close(begin)


def mutex_that_is_waited_for_so_long_and_no_longer() -> None:
    lib, shared = shared_library()
    assert lib.shared_lock(shared) == 0
    ticks: list[int] = []
    beside = coro.spawn(lambda: [(time.sleep(0.002), ticks.append(1)) for _ in range(5)])
    start = time.monotonic()
    assert coro.spawn(lib.shared_lock_for, shared, 50).get() == errno.ETIMEDOUT
    assert 0.049 <= time.monotonic() - start
    beside.get()
    waits = coro.spawn(lib.shared_lock_for, shared, 20_000)
    time.sleep(0.005)
    assert len(ticks) == 5 and lib.shared_let_go(shared) == 0
    with within(10):
        assert waits.get(timeout=10) == 0


def waits_until_long_ago_and_for_ever() -> None:
    """Moments before this machine was started are over, those that no 64 bits of nanoseconds hold are not."""
    lib = library()
    lib.waits_new.restype = ctypes.c_void_p
    waits = ctypes.c_void_p(lib.waits_new())
    kinds = range(6)
    assert [coro.spawn(lib.waits_until, waits, kind, ctypes.c_long(0)).get(timeout=10) for kind in kinds] == [errno.ETIMEDOUT] * 6
    assert coro.spawn(lib.sleep_until_1970).get(timeout=10) == 0
    last = 2**63 // 10**9  # the last second that C++ can name
    tasks = [coro.spawn(lib.waits_until, waits, kind, ctypes.c_long(seconds)) for kind in kinds for seconds in (last, 2**63 - 1)]
    time.sleep(0.02)
    assert not any(task.done for task in tasks)
    lib.waits_open(waits)
    assert [task.get(timeout=10) for task in tasks] == [0] * 12

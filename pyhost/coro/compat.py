"""The few pieces of the standard library that do not fit greenlets.

A handler is to threading a thread that threading did not start: it shows as a _DummyThread, whose daemon flag all threads started in the
handler would inherit. Here it is a thread as any other, and named.

CPython 3.13 keeps who waits for a `queue.SimpleQueue`, for the end of a thread or for the lock of all imports on the C stack, where nobody finds
it while another greenlet runs. They get equals that wait elsewhere.
"""
from __future__ import annotations

import _thread
import os
import sys
import threading
import time
from typing import Any

import _coro

__all__ = ["install"]

FIRST_PAUSE_S = 0.0005
LONGEST_PAUSE_S = 0.02


def install() -> None:
    """Put the replacements in place in this interpreter. Called once, before any handler is imported."""
    replace_dummy_thread()
    if sys.version_info >= (3, 13):
        replace_simple_queue()
        replace_thread_join()
        replace_import_lock()


class Forget:
    """Takes a _DummyThread out of threading's list when the locals of its greenlet go, as 3.13 has it. This may be in the hub, which must not wait for
    the list's lock, as 3.13 does: a greenlet may have been made to give way while it holds it.
    """

    def __init__(self, thread: threading.Thread) -> None:
        self.thread = thread

    def __del__(self) -> None:
        active: Any = vars(threading)["_active"]
        if active.get(self.thread.ident) is self.thread:
            active.pop(self.thread.ident, None)


def replace_dummy_thread() -> None:
    """Let threading.current_thread() be a thread that is no daemon in a handler; elsewhere what it was. It is forgotten with its greenlet."""
    dummy: Any = vars(threading)["_DummyThread"]
    local = threading.local()
    real = vars(threading).get("_DeleteDummyThreadOnDel")

    def forget_later(thread: threading.Thread) -> None:
        if real and _coro.current() is None:
            real(thread)

    if real:
        setattr(threading, "_DeleteDummyThreadOnDel", forget_later)  # noqa: B010

    class HandlerThread(dummy):  # type: ignore[misc]
        """What threading knows of a handler greenlet."""

        def __init__(self) -> None:
            super().__init__()
            self.is_handler = _coro.current() is not None
            if self.is_handler:
                local.forget = Forget(self)
                self._daemonic = False
                number = threading.Thread.name.fget(self).rpartition("-")[2]  # type: ignore[attr-defined]
                setattr(self, "_name", f"Handler-{number}")  # noqa: B010

        def join(self, timeout: float | None = None) -> None:
            if self is threading.current_thread():
                raise RuntimeError("cannot join current thread")
            super().join(timeout)

        def _reset_internal_locks(self, is_alive: bool) -> None:
            """In a child of os.fork() it is the main thread, and 3.11 and 3.12 release this lock of it at the end (multiprocessing's children)."""
            super()._reset_internal_locks(is_alive)
            if is_alive and vars(self).get("_tstate_lock") is None:
                lock = _thread.allocate_lock()
                lock.acquire()
                setattr(self, "_tstate_lock", lock)  # noqa: B010

    HandlerThread.__name__ = HandlerThread.__qualname__ = "_DummyThread"
    setattr(threading, "_DummyThread", HandlerThread)  # noqa: B010 - a type checker forbids the assignment


def replace_simple_queue() -> None:
    """Let queue.SimpleQueue be the standard library's own version in Python, which waits on a lock."""
    import _queue
    import queue

    python_queue: Any = vars(queue)["_PySimpleQueue"]
    setattr(queue, "SimpleQueue", python_queue)  # noqa: B010
    setattr(_queue, "SimpleQueue", python_queue)  # noqa: B010


def replace_thread_join() -> None:
    """Let Thread.join look from time to time when it is called in a handler."""
    real_join = threading.Thread.join

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        if _coro.current() is not None and self.ident is not None and self is not threading.current_thread():
            until = None if timeout is None else time.monotonic() + timeout
            pause = FIRST_PAUSE_S
            while self.is_alive():
                left = pause if until is None else min(pause, until - time.monotonic())
                if left <= 0:
                    return
                _coro.sleep(left)
                pause = min(pause * 2, LONGEST_PAUSE_S)
        real_join(self, timeout)

    setattr(threading.Thread, "join", join)  # noqa: B010


def replace_import_lock() -> None:
    """Let importlib's short lock be an RLock: a time slice may end while it is held, and then the next one who imports would wait for ever."""
    import _imp

    lock = threading.RLock()

    def lock_held() -> bool:
        owned: Any = getattr(lock, "_is_owned")  # noqa: B009
        if owned():
            return True
        free = lock.acquire(blocking=False)
        if free:
            lock.release()
        return not free

    for name, function in (("acquire_lock", lock.acquire), ("release_lock", lock.release), ("lock_held", lock_held)):
        setattr(_imp, name, function)
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)

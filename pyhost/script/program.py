"""The script as a program: __main__, sys.argv, exit code, signals, tracebacks."""
from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from .. import bridge
from ..compat import patches, signals
from ..config import upcalls
from ..config.config import Request
from . import names, serving

__all__ = ["EventLoop", "configure", "loop", "run"]

NOT_FOUND, FAILED, INTERRUPTED = 2, 1, 130
_words: list[str] = []


class EventLoop:
    """What a script that has started its servers waits in (coro.event_loop)."""

    def __init__(self) -> None:
        self.task: Any = None
        self.stopped = False
        self.wake_fds: tuple[socket.socket, socket.socket] | None = None

    def wait(self) -> None:
        """Wait until stop(), SIGTERM or SIGINT. May switch."""
        import _coro

        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, lambda *_: self.stop())
        while not self.stopped:
            _coro.park(None)

    def stop(self) -> None:
        """Let wait() return. Never switches."""
        self.stopped = True
        if self.task is not None:
            self.task.wake()

    def watch_signals(self) -> None:
        """Let a signal end what the program's greenlet waits for, as EINTR does; runs in a greenlet of its own. May switch."""
        import _coro

        assert self.wake_fds is not None
        reading = self.wake_fds[0]
        while True:
            _coro.wait_fd(reading, 1, None)
            reading.recv(64)
            _coro._interrupt(self.task)


loop = EventLoop()


def configure(words: Sequence[str]) -> None:
    """Let C start with a configuration in which nothing is served, and call run() in a greenlet.

    words: the script and its arguments.
    """
    _words[:] = words
    request = Request(None, os.getcwd(), before=("LogLevel warn", "PythonImport pyhost.script::run main_interpreter"), one_process=True)
    made = upcalls.install(request)
    made.main.script = 1
    made.main.pid_file = bridge.ffi.NULL
    upcalls.connect(request)
    serving.keep(made)
    bridge.configure(made.main)


def run() -> None:
    """Run the script in this greenlet, then let the process end with its exit code."""
    code = FAILED
    try:
        code = run_script()
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as at the end of any program
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        bridge.lib.bridge_end(code)


def run_script() -> int:
    import _coro

    loop.task = _coro.current()
    signals.allow_all()
    become_main()
    try:
        with open(_words[0], "rb") as file:
            source = file.read()
    except OSError as error:
        print(f"pyhost: can't open file {_words[0]!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return NOT_FOUND
    module = ModuleType("__main__")
    module.__file__ = os.path.abspath(_words[0])
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    sys.argv = list(_words)
    sys.path.insert(0, os.path.dirname(module.__file__))
    names.install()
    patches.allow_all()
    try:
        exec(compile(source, module.__file__, "exec", dont_inherit=True), module.__dict__)
        return 0
    except SystemExit as error:
        return exit_code(error.code)
    except KeyboardInterrupt as error:
        show(error)
        return INTERRUPTED
    except BaseException as error:
        show(error)
        return FAILED
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass  # whoever read has gone


def become_main() -> None:
    """This greenlet is the main thread: signal handlers run here, and the standard streams are the program's own."""
    import _coro

    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
    _coro._make_main()
    main: Any = threading.main_thread()
    active: dict[int, Any] = threading._active  # type: ignore[attr-defined]
    active.pop(main.ident, None)
    main._set_ident()
    active[main.ident] = main
    if hasattr(main, "_handle"):  # 3.13: a child of os.fork() compares it with its own number
        main._handle = threading._make_thread_handle(main.ident)  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    loop.wake_fds = socket.socketpair()
    for end in loop.wake_fds:
        end.setblocking(False)
    signal.set_wakeup_fd(loop.wake_fds[1].fileno(), warn_on_full_buffer=False)
    _coro.spawn(loop.watch_signals)


def exit_code(code: object) -> int:
    """What sys.exit(code) means to who started us."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xff
    print(code, file=sys.stderr)
    return FAILED


def show(error: BaseException) -> None:
    """Print a traceback without our own frames, as sys.excepthook does."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    if sys.excepthook is sys.__excepthook__:
        traceback.print_exception(type(error), error, trace)
    else:
        sys.excepthook(type(error), error, trace)

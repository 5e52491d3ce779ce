"""A quick part of CPython's own tests passes in a handler as in a plain thread. All of it: tests/soak."""
from __future__ import annotations

from collections.abc import Callable

import pytest

from support.regrtest import check
from support.server import Server

QUICK: dict[str, list[str]] = {
    "test_select": [], "test_poll": [], "test_threading_local": [], "test_thread": [], "test_context": [], "test_fcntl": [], "test_wait4": [],
    "test_xmlrpc": ["SimpleServer"],
    "test_socket": ["BasicTCPTest", "SocketPair", "NonBlockingTCP", "RecvmsgTCP", "SendmsgTCP"],
    "test_ssl": ["ThreadedTests.test_starttls", "ThreadedTests.test_echo", "ThreadedTests.test_sendfile", "ThreadedTests.test_recv_send"],
    "test_subprocess": ["ProcessTestCase.test_c", "ProcessTestCase.test_stdin", "ProcessTestCase.test_wait"],
    "test_threading": ["LockTests", "ConditionTests", "EventTests"]}


@pytest.mark.slow
@pytest.mark.parametrize("module", QUICK)
def test_cpython_module_in_a_handler(module: str, server: Callable[..., Server]) -> None:
    check(server, module, QUICK[module])

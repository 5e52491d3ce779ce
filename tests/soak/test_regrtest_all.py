"""CPython's own tests of everything that waits: in a handler greenlet as in a plain thread, in a script's main greenlet as in the main thread."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.regrtest import check, check_script
from support.server import Server

MODULES = [
    "test_socket", "test_ssl", "test_select", "test_poll", "test_epoll", "test_selectors", "test_threading", "test_thread", "test_threading_local",
    "test_threadsignals", "test_queue", "test_subprocess", "test_signal", "test_sqlite3", "test_asyncio.test_events", "test_asyncio.test_subprocess",
    "test_asyncio.test_sock_lowlevel", "test_asyncio.test_streams", "test_logging", "test_smtplib", "test_ftplib", "test_imaplib", "test_poplib",
    "test_httplib", "test_httpservers", "test_urllib2_localnet", "test_xmlrpc", "test_socketserver", "test_wait4", "test_fcntl", "test_context",
    "test_io", "test_time"]


SIGNALS = {"test_signal", "test_threadsignals"}  # those of a server are the server's


@pytest.mark.parametrize("module", [module for module in MODULES if module not in SIGNALS])
def test_cpython_module_in_a_handler(module: str, server: Callable[..., Server]) -> None:
    check(server, module, counted=True)


@pytest.mark.parametrize("module", MODULES)
def test_cpython_module_in_a_script(module: str, binary: Path) -> None:
    check_script(binary, module, counted=True)

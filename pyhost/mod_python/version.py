"""Where and what this is; the names of mod_python.version."""
from __future__ import annotations

import os
import sys

from . import mp_version

version = mp_version
__all__ = ["APR_VERSION", "HTTPD", "HTTPD_VERSION", "LIBEXECDIR", "PYTHON_BIN", "SYSCONFDIR", "TESTHOME", "TEST_MOD_PYTHON_SO", "version"]

#: The server program: pyhost stands where mod_python has httpd.
HTTPD = os.path.join(os.path.dirname(sys.executable), "pyhost")
#: The httpd whose directives and constants are spoken.
HTTPD_VERSION = "2.4.0"
APR_VERSION = "1.7.0"
#: There are no loadable modules; the folder is that of the program.
LIBEXECDIR = os.path.dirname(HTTPD)
SYSCONFDIR = "/etc/pyhost"
PYTHON_BIN = sys.executable
TEST_MOD_PYTHON_SO = HTTPD
TESTHOME = os.path.join(os.getcwd(), "tests")

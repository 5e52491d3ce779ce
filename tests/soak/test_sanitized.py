"""The hazard cases, limits and coroutines with a program that AddressSanitizer and UndefinedBehaviorSanitizer watch."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent
FILES = ["test_green.py", "test_coro.py", "test_limits_of_handlers.py", "test_asgi_limits.py"]


def test_hazards_under_sanitizers_without_a_report() -> None:
    env = {key: value for key, value in os.environ.items() if key != "PYHOST_BINARY"} | {"PYHOST_SANITIZE": "1"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES], cwd=TESTS, env=env, capture_output=True, text=True,
                          check=False, timeout=1200)
    print(f"sanitizers: {done.stdout.splitlines()[-1] if done.stdout else done.stderr[-500:]}")
    assert done.returncode == 0, done.stdout[-8000:]

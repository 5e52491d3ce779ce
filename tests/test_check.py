"""What `make check` looks at: names that are used and not imported, and types that do not fit, are found before anybody runs into them."""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHECKS = {  # as in the Makefile; no caches, so that nothing is left behind and two runs do not meet
    "ruff": ["ruff", "check", "--no-cache", "--output-format=concise", "pyhost", "tests", "setup.py"],
    "mypy": ["mypy", "--strict", "--cache-dir=/dev/null", "pyhost"],
}


def complaints(*command: str) -> str:
    """Run a module of this Python in the folder of the sources. Returns what it says unless all is well."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("tool", CHECKS)
def test_the_sources_pass_the_check(tool: str) -> None:
    found = complaints(*CHECKS[tool])
    assert not found, found


def test_a_name_that_is_not_imported_is_found(tmp_path: Path) -> None:
    (tmp_path / "lost.py").write_text("def where() -> str:\n    return os.getcwd()\n")
    assert "F821" in complaints("ruff", "check", "--no-cache", f"--config={ROOT / 'pyproject.toml'}", str(tmp_path))

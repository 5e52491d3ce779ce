"""`python -m pyhost`: becomes the pyhost program that is installed beside this Python."""
from __future__ import annotations

import os
import shutil
import sys

__all__ = ["main"]


def main() -> int:
    """Replace this process by the program. Returns 1 when there is none."""
    beside = os.path.join(os.path.dirname(sys.executable), "pyhost")
    program = beside if os.access(beside, os.X_OK) else shutil.which("pyhost")
    if not program:
        print("pyhost: the program is not installed: pip install . (or make build)", file=sys.stderr)
        return 1
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())

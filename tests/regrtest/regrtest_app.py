"""The handler that runs one module of CPython's tests: [module, only, skip] as JSON in, how each test ended out."""
from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from mod_python import apache


def handler(req: Any) -> int:
    import runner

    module, only, skip = json.loads(req.read())
    folder, streams = os.getcwd(), (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # what a plain interpreter has; tests look at their descriptors
    try:
        answer = runner.run(module, only, skip)
    except BaseException:
        answer = {"ends": {}, "text": traceback.format_exc()}
    finally:
        sys.stdout, sys.stderr = streams
        os.chdir(folder)
    req.write(json.dumps(answer))
    return int(apache.OK)

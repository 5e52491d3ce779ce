"""`python -m bench [wsgi|hello|wait|idle|scale|interpreters|coro|driver|gateways|talks]...`: runs ../shared/bench/compare.py with pyhost beside its peers, then our own tables."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from . import confs, coro, driver, gateways, interpreters, scale, talks, wsgi

ROOT = Path(__file__).resolve().parent.parent.parent
COMPARE = ROOT.parent / "shared" / "bench" / "compare.py"
HOME = Path(os.environ.get("BENCH_HOME", ROOT / ".bench")).resolve()
PEERS = {"hello": ["bjoern", "fastwsgi", "nginx-return", "apache+mod_python"], "wait": ["gevent.pywsgi", "gunicorn-gevent", "uvicorn-asgi"],
         "idle": ["bjoern", "nginx-return"]}


def set_up() -> None:
    """Install the peers into BENCH_HOME's venv unless they are there."""
    if not (HOME / "venv").exists() and COMPARE.exists():
        subprocess.run([sys.executable, str(COMPARE), "setup"], env={**os.environ, "BENCH_HOME": str(HOME)}, check=True)
    if (HOME / "venv").exists():
        subprocess.run([str(HOME / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", "flask"], check=False)


def compare(work: str, made: dict[str, tuple[int, Path, str]]) -> None:
    """One run of compare.py with the peers that matter for this work."""
    if not COMPARE.exists():
        print(f"{COMPARE} is not there: nothing to compare with")
        return
    set_up()
    environ = {**os.environ, "BENCH_HOME": str(HOME)}
    command = [sys.executable, str(COMPARE), work, *PEERS[work], "--rounds", "5", "--seconds", "3"]
    for kind, (port, conf, path) in made.items():
        if kind == "static" and work != "hello":
            continue
        target = "/wait" if work == "wait" else path
        command += ["--pyhost", f"pyhost-{kind}={confs.program()} -X -f {conf}@{port}{target}"]
    print(f"== {work} ==", flush=True)
    subprocess.run(command, env=environ, check=True)


def main() -> None:
    works = sys.argv[1:] or ["wsgi", "hello", "wait", "idle", "scale", "interpreters", "coro", "driver", "gateways", "talks"]
    made = confs.write(HOME / "pyhost")
    for work in works:
        if work == "wsgi":
            set_up()
            wsgi.run()
        elif work == "scale":
            scale.run(made)
        elif work == "interpreters":
            interpreters.run(HOME / "pyhost")
        elif work == "coro":
            coro.main()
        elif work == "driver":
            driver.run(HOME / "pyhost")
        elif work == "gateways":
            gateways.main(HOME)
        elif work == "talks":
            talks.main(HOME)
        else:
            compare(work, {k: v for k, v in made.items() if k in ("handler", "wsgi", "static")})


if __name__ == "__main__":
    main()

"""`python -m bench [NAME...]`: runs ../shared/bench/compare.py with pyhost beside its peers, and our own tables."""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import confs, coro, driver, gateways, interpreters, scale, talks, wsgi

ROOT = Path(__file__).resolve().parent.parent.parent
COMPARE = ROOT.parent / "shared" / "bench" / "compare.py"
HOME = Path(os.environ.get("BENCH_HOME", ROOT / ".bench")).resolve()
PEERS = {"hello": ["bjoern", "fastwsgi", "nginx-return", "apache+mod_python"], "wait": ["gevent.pywsgi", "gunicorn-gevent", "uvicorn-asgi"],
         "idle": ["bjoern", "nginx-return"]}


def set_up(*more: str) -> None:
    """Install the peers, and what a table needs more, into BENCH_HOME's venv unless they are there."""
    if not (HOME / "venv").exists() and COMPARE.exists():
        subprocess.run([sys.executable, str(COMPARE), "setup"], env={**os.environ, "BENCH_HOME": str(HOME)}, check=True)
    if more and (HOME / "venv").exists():
        subprocess.run([str(HOME / "venv" / "bin" / "python"), "-m", "pip", "install", "-q", *more], check=False)


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
    made = confs.write(HOME / "pyhost")
    tables: dict[str, Callable[[], object]] = {
        "wsgi": lambda: [set_up("flask"), wsgi.run()],
        **{work: partial(compare, work, {kind: made[kind] for kind in ("handler", "wsgi", "static")}) for work in PEERS},
        "scale": partial(scale.run, made),
        "interpreters": partial(interpreters.run, HOME / "pyhost"),
        "coro": coro.main,
        "driver": lambda: [set_up("mysqlclient"), driver.run(HOME / "pyhost", HOME / "venv" / "bin" / "python")],
        "gateways": partial(gateways.main, HOME),
        "talks": partial(talks.main, HOME),
    }
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(tables)}; none: all of them")
    names = parser.parse_args().names or list(tables)
    if unknown := set(names) - set(tables):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(tables)}")
    for name in names:
        tables[name]()


if __name__ == "__main__":
    main()

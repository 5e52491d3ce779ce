"""`python -m bench.bursts [options] CONF NAME=PROGRAM[,CONF]...`: what a request costs with one program beside another.

For who changes the hot path: builds of pyhost take turns in bursts of some 20 ms, so that whatever else the machine does hits all of them, and
differences of 1 % show. CONF is a configuration whose Listen lines are replaced; the programs run in one process on CPU 0, the client on CPU 1.
"""
from __future__ import annotations

import argparse
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from support.server import free_port

HERE = Path(__file__).resolve().parent
START_S = 20


def start(program: str, conf: Path, folder: Path, name: str) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    listen = f"PidFile {folder}/{name}.pid\nListen 127.0.0.1:{port}"
    own = folder / f"{name}.conf"
    own.write_text(f"ServerRoot {conf.parent}\n{listen}\n" + re.sub(r"(?m)^\s*(Listen|PidFile|ServerRoot)\s.*$", "", conf.read_text()))
    server = subprocess.Popen(["taskset", "-c", "0", program, "-X", "-f", str(own)])
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server, port
        except OSError:
            time.sleep(0.05)
    server.kill()
    raise SystemExit(f"{name}: does not listen")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bursts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--connections", default="64")
    parser.add_argument("-n", "--requests", default="3000", help="of a burst")
    parser.add_argument("-r", "--rounds", default="100")
    parser.add_argument("-p", "--path", default="/")
    parser.add_argument("conf", type=Path)
    parser.add_argument("programs", nargs="+", metavar="NAME=PROGRAM[,CONF]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pyhost-bursts-") as made:
        folder, servers, words = Path(made), [], []
        client = folder / "burst_client"
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", str(client), str(HERE / "burst_client.c")], check=True)
        try:
            for each in args.programs:
                name, _, program = each.partition("=")
                program, _, conf = program.partition(",")
                server, port = start(program, Path(conf or args.conf).resolve(), folder, name)
                servers.append(server)
                words.append(f"{name}:{port}:{server.pid}")
            print(f"{'CPU us/request':20} {'least':>8} {'quarter':>8} {'median':>8}", flush=True)
            subprocess.run(["taskset", "-c", "1", str(client), args.connections, args.requests, args.rounds, args.path, *words], check=True)
        finally:
            for server in servers:
                server.kill()
                server.wait()


if __name__ == "__main__":
    main()

"""PythonEnablePdb: with -X a handler runs under the debugger of the terminal; without it the directive does nothing."""
from __future__ import annotations

import subprocess
from pathlib import Path

from support.client import Client, build_request
from support.server import Server, free_port

HANDLER = """
from mod_python import apache
def handler(req):
    answer = 40 + 2
    req.write("answer %d" % answer, 0)
    return apache.OK
"""
CONF = """
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler debugged
    PythonEnablePdb On
</Directory>
"""


def test_the_debugger_of_the_terminal_steps_through_a_handler(binary: Path, base_env: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "www").mkdir()
    (tmp_path / "www/debugged.py").write_text(HANDLER)
    conf = tmp_path / "x.conf"
    conf.write_text(f'ServerRoot "{tmp_path}"\nPidFile x.pid\nErrorLog error.log\nListen 127.0.0.1:{port}\nDocumentRoot "{tmp_path}/www"\n'
                    + CONF.replace("@ROOT@", str(tmp_path)))
    with subprocess.Popen([str(binary), "-X", "-f", str(conf)], env=base_env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=0) as server:
        assert server.stdin and server.stdout
        server.stdin.write("next\nnext\np answer * 1000\ncontinue\n")  # typed ahead
        server.stdin.flush()
        try:
            client = connected(port)
            client.send(build_request("GET", "/x"))
            assert client.read_response().body == b"answer 42"
        finally:
            server.terminate()
            said = server.communicate()[0]
    assert "(Pdb)" in said and "debugged.py(4)handler()" in said and "42000" in said


def connected(port: int) -> Client:
    from support.server import wait_until

    def attempt() -> Client | None:
        try:
            return Client(("127.0.0.1", port), 15)
        except OSError:
            return None

    found: Client = wait_until(attempt, "the server listens")
    return found


def test_without_one_process_it_does_nothing(server: object) -> None:
    host: Server = server(CONF, {"www/debugged.py": HANDLER}, workers=1)  # type: ignore[operator]
    assert host.get("/x").body == b"answer 42"

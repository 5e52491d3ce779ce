"""The command line of the real program: checks, listings, and orders to a running server; exit codes as httpd's."""
from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pyhost.config.directives import TABLE
from support.server import Server, wait_until

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]
GOOD = "Listen 127.0.0.1:8099\nDocumentRoot .\n"


@pytest.fixture
def conf(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "t.conf").write_text(text)
        return str(tmp_path / "t.conf")
    return write


@pytest.mark.parametrize("args, status, out, err", [
    (("-v",), 0, r"Server version: pyhost/\d", r"\Z"),
    (("--version",), 0, r"Server version: pyhost/\d", r"\Z"),
    (("-V",), 0, r"(?s)Server version: .*Python: +3\.1\d\..*greenlet: +\d", r"\Z"),
    (("-h",), 0, r"usage: pyhost .*\n", r"\Z"),
    (("-l",), 0, r"(?s)Compiled in modules:\n  core\.c\n.*  mod_python\.c\n", r"\Z"),
    (("-M",), 0, r"(?s)Loaded Modules:\n core_module \(static\).* python_module \(static\)", r"\Z"),
    (("-L",), 0, r"(?s)AcceptPathInfo On\|Off\|Default\n\t.*\n\tAllowed in: .*\n\tDefault: ", r"\Z"),
    (("-q",), 1, r"\Z", r"pyhost: option -q not recognized"),
    (("-f",), 1, r"\Z", r"pyhost: option -f requires argument"),
    (("-t", "word"), 1, r"\Z", r"pyhost: no argument expected: word"),
    (("-k", "dance"), 1, r"\Z", r"-k dance: start, stop, graceful, graceful-stop or restart expected"),
    ((), 1, r"\Z", r"pyhost: no configuration: give one with -f"),
    (("-t", "-f", "none.conf"), 1, r"\Z", r".*none\.conf: a readable file expected: .*none\.conf: No such file or directory\npyhost: 1 fault\(s\) in the configuration\n\Z"),
])
def test_options(args: tuple[str, ...], status: int, out: str, err: str, run: Run) -> None:
    done = run(*args)
    assert done.returncode == status, done.stderr
    assert re.match(out, done.stdout) and re.search(err, done.stderr), (done.stdout, done.stderr)


def test_check_says_syntax_ok(run: Run, conf: Callable[[str], str]) -> None:
    done = run("-t", "-f", conf(GOOD))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Syntax OK\n")


def test_check_prints_all_faults(run: Run, conf: Callable[[str], str]) -> None:
    file = conf(GOOD + "Nonsense\n<Location /x>\nKeepAlive On\n</Location>\nAliasMatch a(b /c\n<DirectoryMatch (>\n</DirectoryMatch>\n"
                'Timeout "5')
    done = run("-t", "-f", file)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{file}:3: Nonsense: a directive expected: there is none of this name",
        f"{file}:5: KeepAlive: expected in: server, virtual host; not in: location",
        f"{file}:7: AliasMatch: a regular expression expected: missing closing parenthesis, at character 4: a(b",
        f"{file}:8: <DirectoryMatch>: a regular expression expected: missing closing parenthesis, at character 2: (",
        f'{file}:10: Timeout: closing " expected: "5',
        "pyhost: 5 fault(s) in the configuration"]


def test_nothing_is_started_with_a_fault(run: Run, conf: Callable[[str], str], tmp_path: Path) -> None:
    done = run("-X", "-f", conf(GOOD + "Nonsense\n"))
    assert done.returncode == 1 and "Nonsense" in done.stderr and not (tmp_path / "pyhost.pid").exists()


def test_warnings_do_not_fail_a_check(run: Run, conf: Callable[[str], str]) -> None:
    done = run("-t", "-f", conf(GOOD + "DocumentRoot no-such-folder\n"))
    assert done.returncode == 0
    assert "t.conf:3: DocumentRoot" in done.stderr and "is not there" in done.stderr and "Syntax OK (1 warnings)" in done.stderr


def test_directives_and_names_from_the_command_line(run: Run, conf: Callable[[str], str]) -> None:
    file = conf("<IfDefine GIVEN>\nListen 127.0.0.1:${PORT}\n</IfDefine>\n")
    assert run("-t", "-f", file).returncode == 1
    done = run("-S", "-f", file, "-DGIVEN", "-C", "Define PORT 8123", "-c", 'ServerName "from.here"', "-c", "KeepAlive Off")
    assert done.returncode == 0 and "Listen: 127.0.0.1:8123 http" in done.stdout and "Define: GIVEN" in done.stdout
    assert "Main server: from.here" in done.stdout
    done = run("-t", "-f", file, "-DGIVEN", "-C", "Define PORT x", "-c", "Frob")
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{file}:2", "-c:1", "pyhost"]


def test_the_server_root_of_the_command_line(run: Run, conf: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "other" / "conf").mkdir(parents=True)
    (tmp_path / "other" / "conf" / "pyhost.conf").write_text("Listen 127.0.0.1:1\nPidFile run.pid\n")
    done = run("-S", "-d", "other")
    assert done.returncode == 0 and f'PidFile: "{tmp_path}/other/run.pid"' in done.stdout
    assert run("-t", "-d", "other", "-f", "conf/pyhost.conf").returncode == 0


def test_settings_are_shown(run: Run, conf: Callable[[str], str], tmp_path: Path) -> None:
    file = conf(GOOD + """StartServers 3
PythonImport mod::start main_interpreter
<VirtualHost *:80>
    ServerName a.example
    ServerAlias b.example *.c.example
    PythonInterpreter one
    <Location /x>
        SetHandler mod_python
        PythonHandler one two
        PythonHandler three | .py
        PythonDebug On
    </Location>
</VirtualHost>
<VirtualHost *:80>
    ServerName d.example
    PyWSGIAlias /app mod:app
</VirtualHost>
<VirtualHost [::1]:81>
    ServerName e.example
</VirtualHost>
""")
    done = run("-S", "-f", file)
    assert done.returncode == 0, done.stderr
    for line in ["*:80                   is a NameVirtualHost", f"         default server a.example ({file}:5)",
                 f"         port 80 namevhost d.example ({file}:16)", "                 alias b.example", "                 wild alias *.c.example",
                 f"[::1]:81               e.example ({file}:20)", f'PidFile: "{tmp_path}/pyhost.pid"', "StartServers: 3",
                 "PythonImport: mod::start in main_interpreter", "  Interpreter: one", "  | PythonInterpreter one", f"  <Location /x> section 1 ({file}:9)", "    | SetHandler mod_python",
                 "    | PythonHandler three | .py", "  | PyWSGIAlias /app mod:app", "    | PyWSGIApplication mod:app"]:
        assert line in done.stdout.splitlines(), (line, done.stdout)


def test_every_directive_is_listed(run: Run) -> None:
    out = run("-L").stdout
    assert re.findall(r"(?m)^(\w+)", out) == [row.name for row in sorted(TABLE.values(), key=lambda row: row.name.lower())]
    assert "LimitRequestLine bytes\n\tLongest request line (414).\n\tAllowed in: server, virtual host\n\tDefault: 8190 bytes\n" in out


def test_the_reference_page_is_up_to_date(run: Run) -> None:
    assert run("-L", "--markdown").stdout == (ROOT / "docs" / "directives.md").read_text(), "run: make docs"


# --- orders

@pytest.mark.parametrize("content, message", [
    (None, "there is no PidFile"), ("1", "was left behind"), ("", "was left behind"), ("99999999", "was left behind")])
def test_orders_without_a_server(content: str | None, message: str, run: Run, conf: Callable[[str], str], tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "pyhost.pid").write_text(content)
    for order in ("stop", "graceful"):
        done = run("-k", order, "-f", conf(GOOD))
        assert done.returncode == 1 and message in done.stderr


@pytest.mark.parametrize("order", ["stop", "graceful-stop"])
def test_stop_waits_until_the_server_has_ended(order: str, server: Callable[..., Server], run: Run) -> None:
    host = server(workers=1)
    done = run("-k", order, "-f", str(host.conf_file))
    assert done.returncode == 0 and "has ended after" in done.stdout
    assert host.process is not None and host.process.wait(10) == 0
    assert not (host.root / "pyhost.pid").exists()


def test_graceful_loads_the_new_configuration(server: Callable[..., Server], run: Run) -> None:
    host = server("<Location />\nRequire all granted\nHeader set X-Generation one\n</Location>\n", {"www/a.txt": "a"}, workers=1)
    host.check_fds = False  # other workers than those that were counted
    assert host.get("/a.txt").header("X-Generation") == "one"
    host.write_conf(host.template.replace("one", "two"))
    done = run("-k", "graceful", "-f", str(host.conf_file))
    assert done.returncode == 0 and "serves with the new configuration" in done.stdout, done.stderr
    wait_until(lambda: host.get("/a.txt").header("X-Generation") == "two", "new configuration")


def test_graceful_with_a_fault_changes_nothing(server: Callable[..., Server], run: Run) -> None:
    host = server("<Location />\nRequire all granted\n</Location>\n", {"www/a.txt": "a"}, workers=1)
    workers = host.workers()
    host.write_conf(host.template + "\nNonsense 1\nKeepAlive maybe\n")
    done = run("-k", "graceful", "-f", str(host.conf_file))
    assert done.returncode == 1 and "Nonsense" in done.stderr and "maybe" in done.stderr
    host.send_signal(signal.SIGHUP)  # the server finds the same by itself
    host.expect_log(r"config:error.*Nonsense: a directive expected")
    host.expect_log(r"config:error.*KeepAlive: On or Off expected, not maybe")
    host.expect_log(r"core:error.*the configuration is not reloaded")
    assert host.get("/a.txt").body == b"a" and host.workers() == workers


def test_reload_forgets_configurations_that_nobody_serves_with(server: Callable[..., Server], run: Run) -> None:
    """Many reloads, some refused: the running one must stay whole."""
    host = server("<Location />\nRequire all granted\n</Location>\n", {"www/a.txt": "a"}, workers=1)
    host.check_fds = False
    host.allow_log("client denied by server configuration")
    good = host.template
    for number in range(6):
        host.write_conf(good + f"\n<Location /n{number}>\nRequire all denied\n</Location>\n" + ("Listen 203.0.113.1:1\n" if number % 2 else ""))
        done = run("-k", "graceful", "-f", str(host.conf_file))
        assert done.returncode == number % 2, done.stderr
        if number % 2:
            host.expect_log(r"core:error.*the configuration is not reloaded")
        assert host.get("/a.txt").body == b"a"
        assert host.get(f"/n{number - number % 2}").status == 403


def test_one_process_says_that_it_does_not_reload(server: Callable[..., Server], run: Run) -> None:
    host = server()
    done = run("-k", "graceful", "-f", str(host.conf_file))
    assert done.returncode == 1 and "serves by itself (-X)" in done.stderr
    host.send_signal(0)


def test_a_second_server_does_not_start(server: Callable[..., Server], run: Run, tmp_path: Path) -> None:
    host = server()
    (tmp_path / "second.conf").write_text(f"Listen 127.0.0.1:0\nPidFile {host.root}/pyhost.pid\n")
    done = run("-X", "-f", "second.conf")
    assert done.returncode != 0 and f"the server is running already as process {host.pid}" in done.stderr


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("target", path), lambda path: socket.socket(socket.AF_UNIX).bind(str(path))],
                         ids=["fifo", "folder", "link", "socket"])
def test_a_pid_file_takes_the_place_of_no_other_thing(make: Callable[[Path], None], run: Run, tmp_path: Path) -> None:
    there = tmp_path / "there"
    make(there)
    before = os.lstat(there)
    (tmp_path / "t.conf").write_text(f"Listen 127.0.0.1:0\nPidFile {there}\n")
    done = run("-X", "-f", "t.conf")
    assert done.returncode == 1 and f"PidFile: {there}: a regular file expected" in done.stderr
    assert os.path.samestat(os.lstat(there), before)


@pytest.mark.parametrize("option", ["-h", "-v", "-V", "-l", "-M", "-L", "-S"])
def test_a_listing_that_nobody_takes_is_an_exit_code(option: str, binary: Path, base_env: dict[str, str], conf: Callable[[str], str]) -> None:
    command = [str(binary), "-f", conf("Listen 127.0.0.1:0\n"), option]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=base_env, timeout=30)
    assert (done.returncode, done.stderr) == (120, "pyhost: standard output: No space left on device\n")
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, env=base_env, timeout=30)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (120, "")


def test_a_current_folder_that_is_gone(binary: Path, base_env: dict[str, str], conf: Callable[[str], str], tmp_path: Path) -> None:
    path = conf("Listen 127.0.0.1:0\n")

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "gone").mkdir()
        command = ["sh", "-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", str(tmp_path / "gone"), str(binary), *args]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=base_env, timeout=30)

    for args in (("-f", path), ("-d", str(tmp_path), "-f", path), ("-d", str(tmp_path), "-f", path, "-S")):
        done = call("-t", *args)
        assert done.returncode == 0 and "Syntax OK" in done.stderr, done.stderr
    for args in ((), ("-f", "t.conf"), ("-d", "etc", "-f", path)):
        done = call("-t", *args)
        assert done.returncode == 1 and "an absolute path expected" in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_python_m_pyhost_becomes_the_program(binary: Path) -> None:
    done = subprocess.run([str(binary.parent / "python"), "-m", "pyhost", "-v"], check=False, capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "PATH": f"{binary.parent}:{os.environ['PATH']}"}, timeout=30)
    assert done.returncode == 0 and done.stdout.startswith("Server version: pyhost/")



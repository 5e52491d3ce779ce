"""Fixtures: the real binary, servers in folders of their own, and what must hold after every test.

    def test_hello(server):
        host = server('''
            <Location /hello>
                SetHandler mod_python
                PythonHandler hello
                PythonPath "['@ROOT@/www'] + sys.path"
            </Location>
        ''', files={"www/hello.py": "def handler(req): …"})
        assert host.get("/hello").body == b"hello"

`@ROOT@` is the folder (www/ is its DocumentRoot), `@PORT@` (and @PORT2@ …) a free port, `@SOCK@` a unix socket path. A preamble sets
ServerRoot, PidFile, ErrorLog, CustomLog and DocumentRoot; without any Listen, `Listen 127.0.0.1:@PORT@` is added. By default it is
one process (-X); workers=2 starts a master with two. After the test: fds as before, SIGTERM ends it with status 0, no line of level
error in the log unless `host.expect_log(regex)` waited for it (or `allow_log` let it pass), nothing from a sanitizer.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fuzzing import Background, has_fuzzer, seconds
from support.script import Script
from support.server import Server, free_port
from support.stuck import make_fifo

ROOT = Path(__file__).resolve().parent.parent


BACKGROUND = pytest.StashKey[Background]()
LONG_SECONDS = 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fuzzing comes last: it has run in the background by then."""
    items.sort(key=lambda item: item.path.name == "test_fuzz.py")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start fuzzing beside the other tests, where it is to take long."""
    asked = any(item.path.name == "test_fuzz.py" for item in session.items) and not session.config.option.collectonly
    if asked and seconds() >= LONG_SECONDS and has_fuzzer():
        session.config.stash[BACKGROUND] = Background(seconds())


def pytest_unconfigure(config: pytest.Config) -> None:
    if BACKGROUND in config.stash:
        config.stash[BACKGROUND].stop()


@pytest.fixture
def fuzzing(request: pytest.FixtureRequest) -> Background | None:
    """The fuzzing process in the background; None: there is none."""
    return request.config.stash.get(BACKGROUND, None)


@pytest.fixture(scope="session")
def binary() -> Path:
    """The program: PYHOST_BINARY, else built into this virtual environment (with sanitizers when PYHOST_SANITIZE is set)."""
    if "PYHOST_BINARY" in os.environ:
        return Path(os.environ["PYHOST_BINARY"])
    sanitize = bool(os.environ.get("PYHOST_SANITIZE"))
    target = Path(sys.prefix) / "bin" / ("pyhost-asan" if sanitize else "pyhost")
    if sys.prefix == sys.base_prefix:
        pytest.exit("run the tests by 'make test', or by the python of a virtual environment: the program finds its Python beside itself", 2)
    command = [sys.executable, str(ROOT / "pyhost" / "_build.py"), "-o", str(target), *(["--sanitize"] if sanitize else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.exit(f"the program cannot be built:\n{done.stdout}{done.stderr}", 2)
    return target


@pytest.fixture(scope="session")
def base_env() -> dict[str, str]:
    """The environment servers start in: nothing of the caller's Python, sanitizers set to speak up."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYHOST_"))}
    env["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=1:handle_segv=0:detect_stack_use_after_return=0"
    env["UBSAN_OPTIONS"] = "print_stacktrace=1"
    return env


@pytest.fixture
def run(binary: Path, base_env: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program with arguments to its end: run("-t", "-f", file)."""

    def call(*args: str, timeout: float = 30.0, **more: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(binary), *args], capture_output=True, text=True, check=False, env=base_env, cwd=tmp_path, timeout=timeout, **more)  # type: ignore[call-overload,no-any-return]

    return call


@pytest.fixture
def server(binary: Path, base_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts a server; several may run in one test, each in its own folder."""
    servers: list[Server] = []
    yield starter(binary, base_env, tmp_path, servers)
    finish(servers)


@pytest.fixture(scope="module")
def module_server(binary: Path, base_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """As `server`, for servers that the tests of a module share (see Server.checked)."""
    servers: list[Server] = []
    yield starter(binary, base_env, tmp_path_factory.mktemp("module"), servers)
    finish(servers)


@pytest.fixture
def sample(binary: Path, base_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a file of apache-conf, in a copy of that folder, on a free port: sample(name, *arguments, workers=2)."""
    servers: list[Server] = []

    def start(name: str, *args: str, workers: int = 0) -> Server:
        folder = tmp_path / "conf"
        shutil.copytree(ROOT / "apache-conf", folder, ignore=shutil.ignore_patterns("__pycache__", "*.pid"))
        host = Server(binary, tmp_path / "host", "", {}, (), base_env, preamble=False)
        port = host.ports["PORT"] = free_port()
        more = ("-c", f"StartServers {workers}") if workers else ("-X",)
        host.args = ("-C", f"Define PORT {port}", "-C", f"Define RUN {tmp_path}", "-c", f"PidFile {tmp_path}/x.pid", *more, *args)
        host.conf_file = folder / name
        host.write_conf = lambda conf=None: None  # type: ignore[method-assign]
        host.check_fds = False  # modules are watched from the first one on
        servers.append(host)
        return host.start()

    yield start
    finish(servers)


def starter(binary: Path, base_env: dict[str, str], folder: Path, servers: list[Server]) -> Callable[..., Server]:
    """Return the function that starts a server below a folder and notes it."""

    def start(conf: str = "", files: dict[str, str | bytes] | None = None, *, workers: int = 0, args: tuple[str, ...] = (),
              env: dict[str, str] | None = None, preamble: bool = True, started: bool = True, check_fds: bool = True) -> Server:
        if workers:
            conf += f"\nStartServers {workers}\n"
        else:
            args = (*args, "-X")
        root = folder / f"host{len(servers)}" if servers else folder
        host = Server(binary, root, conf, files or {}, args, {**base_env, **(env or {})}, preamble)
        host.check_fds = check_fds
        servers.append(host)
        return host.start() if started else host

    return start


def finish(servers: list[Server]) -> None:
    """Stop them and check what must hold."""
    failures = []
    for host in reversed(servers):
        try:
            if host.process is not None:
                host.finish()
        except AssertionError as exc:
            failures.append(str(exc))
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)


@pytest.fixture
def script(binary: Path, base_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Script]]:
    """Start a script: a path, or its text."""
    made: list[Script] = []

    def start(source: str | Path, *args: str) -> Script:
        if isinstance(source, str):
            (tmp_path / "script.py").write_text(source)
            source = tmp_path / "script.py"
        made.append(Script(subprocess.Popen([str(binary), str(source), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True, env=base_env, cwd=tmp_path)))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Return where a handler can be held up (support.stuck)."""
    return make_fifo(tmp_path / "fifo")


@pytest.fixture
def other_fifo(tmp_path: Path) -> Path:
    """Return another one."""
    return make_fifo(tmp_path / "other")

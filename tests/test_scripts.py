"""`pyhost script.py`: programs with the C loop under them; flup's and gogreen's names; greenlet and gevent programs; the talks' examples."""
from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.client import Client, Response
from support.fcgi import FastCGI, scgi_head, variables
from support.script import Script
from support.server import free_port, wait_until
from support.talks import GREENLET, flup

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "apache-conf" / "gogreen"


@pytest.fixture
def result(script: Callable[..., Script]) -> Callable[..., tuple[int, str, str]]:
    """Run a script to its end: exit code, output, errors."""
    def run(source: str | Path, *args: str) -> tuple[int, str, str]:
        process = script(source, *args).process
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    return run


Result = Callable[..., tuple[int, str, str]]


def get(port: int, target: str = "/") -> Response:
    with Client(("127.0.0.1", port)) as client:
        return client.request("GET", target)


# --- a program like any other ---

def test_main_argv_and_path(result: Result, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("here = True")
    text = "import sys, beside\nprint(__name__, sys.argv[1:], __file__, sys.modules['__main__'].beside.here)"
    assert result(text, "a", "-b") == (0, f"__main__ ['a', '-b'] {tmp_path}/script.py True\n", "")


@pytest.mark.parametrize("text, code, err", [
    ("import sys; sys.exit(7)", 7, ""), ("raise SystemExit", 0, ""), ("raise SystemExit('words')", 1, "words\n"), ("import sys; sys.exit(True)", 1, ""),
])
def test_exit_codes(result: Result, text: str, code: int, err: str) -> None:
    assert result(text) == (code, "", err)


def test_a_traceback_shows_the_script_only(result: Result, tmp_path: Path) -> None:
    code, _, err = result("def f():\n    1 / 0\nf()\n")
    assert code == 1
    assert re.findall(r'File "(.*)", line (\d+)', err) == [(f"{tmp_path}/script.py", "3"), (f"{tmp_path}/script.py", "2")]
    assert err.endswith("ZeroDivisionError: division by zero\n") and "pyhost" not in err.replace(str(tmp_path), "")
    code, _, err = result("x = (\n")
    assert code == 1 and "SyntaxError" in err


def test_a_script_that_is_not_there(result: Result) -> None:
    code, _, err = result(Path("/nowhere/at/all.py"))
    assert code == 2 and "can't open file" in err


def test_blocking_calls_of_the_main_program_let_coroutines_run(result: Result) -> None:
    code, out, err = result("""
import time, socket, threading, queue
from pyhost import coro
seen = []
def tick():
    for number in range(5):
        seen.append(number)
        time.sleep(0.01)
coro.spawn(tick)
while len(seen) < 5:
    time.sleep(0.3)
a, b = socket.socketpair()
coro.spawn(lambda: b.sendall(b"word"))
box = queue.Queue()
coro.spawn(box.put, "thing")
print(seen, a.recv(10), box.get(), threading.current_thread() is threading.main_thread())
""")
    assert (code, out, err) == (0, "[0, 1, 2, 3, 4] b'word' thing True\n", "")


@pytest.mark.parametrize("wait", ["time.sleep(60)", "pair = socket.socketpair(); pair[0].recv(1)", "threading.Event().wait()", "coro.sleep(60)",
                                  "coro.park(None)", "coro.Event().wait()", "subprocess.run(['sleep', '9'], stdout=-3, stderr=-3)"])
def test_sigint_is_a_keyboard_interrupt_where_the_program_waits(script: Callable[..., Script], wait: str) -> None:
    running = script(f"import time, socket, threading, subprocess\nfrom pyhost import coro\nprint('ready', flush=True)\n{wait}\n")
    assert running.line() == "ready"
    code, _, err = running.end(signal.SIGINT)
    assert code == 130 and err.rstrip().endswith("KeyboardInterrupt")


def test_signal_handlers_run_in_the_main_program(script: Callable[..., Script]) -> None:
    running = script("""
import os, signal, threading, time
def caught(number, frame):
    os.write(1, b"caught %s\\n" % threading.current_thread().name.encode())
signal.signal(signal.SIGUSR1, caught)
print("ready", flush=True)
time.sleep(0.5)
print("slept", flush=True)
""")
    assert running.line() == "ready"
    running.process.send_signal(signal.SIGUSR1)
    out, err = running.process.communicate(timeout=15)
    assert (running.process.returncode, out, err) == (0, "caught MainThread\nslept\n", "")


def test_sigterm_ends_it_as_any_program(script: Callable[..., Script]) -> None:
    running = script("import time\nprint('ready', flush=True)\ntime.sleep(60)")
    running.line()
    assert running.end(signal.SIGTERM)[0] == -signal.SIGTERM


TICKING = """
import sys
from pyhost import coro
def tick():
    coro.sleep(0.02)
    print("ticked", flush=True)
coro.spawn(tick)
"""
READS = {"read": "print(repr(sys.stdin.read()))", "lines": "print([line for line in sys.stdin])", "input": "print([input(), input()])",
         "buffer": "print(sys.stdin.buffer.readline() + sys.stdin.buffer.read())", "os.read": "import os\nprint(os.read(0, 10) + os.read(0, 10))"}
READ = {"read": "'one\\ntwo\\n'", "lines": r"['one\n', 'two\n']", "input": "['one', 'two']", "buffer": r"b'one\ntwo\n'", "os.read": r"b'one\ntwo\n'"}


def start_reading(binary: Path, base_env: dict[str, str], tmp_path: Path, text: str, **streams: int) -> subprocess.Popen[bytes]:
    (tmp_path / "script.py").write_text(TICKING + text)
    return subprocess.Popen([str(binary), str(tmp_path / "script.py")], env=base_env, cwd=tmp_path, **streams)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("way", list(READS))
def test_reading_standard_input_lets_coroutines_run(binary: Path, base_env: dict[str, str], tmp_path: Path, way: str, kind: str) -> None:
    theirs, ours = socket.socketpair()
    end = ours.fileno() if kind == "socket" else subprocess.PIPE
    with theirs, start_reading(binary, base_env, tmp_path, READS[way], stdin=end, stdout=subprocess.PIPE) as process:
        ours.close()
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ticked\n"  # nothing has been written to it yet
            into = process.stdin.fileno() if process.stdin is not None else theirs.fileno()
            os.write(into, b"one\n")
            os.write(into, b"two\n")
            theirs.close() if process.stdin is None else process.stdin.close()
            assert process.stdout.read().decode().strip().replace('"', "'") == READ[way]
            assert process.wait(15) == 0
        finally:
            process.kill()


def test_standard_input_from_a_file_and_from_nowhere(binary: Path, base_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "in").write_text("one\ntwo\n")
    for name, text in ((tmp_path / "in", "'one\\ntwo\\n'"), (Path("/dev/null"), "''")):
        with open(name, "rb") as file, start_reading(binary, base_env, tmp_path, READS["read"], stdin=file.fileno(), stdout=subprocess.PIPE) as process:
            assert process.communicate(timeout=15)[0].decode().splitlines()[0] == text
            assert process.returncode == 0


def read_until(fd: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        assert select.select([fd], [], [], 15)[0], seen
        seen += os.read(fd, 4096)
    return seen


HEARS = 'import signal\nsignal.signal(signal.SIGUSR1, lambda *_: print("heard", flush=True))\n'


@pytest.mark.parametrize("more", [HEARS, HEARS + "import readline\n"])
def test_input_at_a_terminal_lets_coroutines_run(binary: Path, base_env: dict[str, str], tmp_path: Path, more: str) -> None:
    import pty
    master, slave = pty.openpty()
    try:
        text = more + 'print("got", repr(input("name? ")), repr(sys.stdin.readline()), flush=True)\ninput()\n'
        with start_reading(binary, {**base_env, "TERM": "dumb"}, tmp_path, text, stdin=slave, stdout=slave, stderr=slave) as process:
            try:
                seen = read_until(master, b"ticked")
                if b"name? " not in seen:
                    seen += read_until(master, b"name? ")
                os.write(master, b"long" * 100)
                process.send_signal(signal.SIGUSR1)  # whose handler raises nothing: the reading goes on
                read_until(master, b"heard")
                os.write(master, b"long" * 100 + b"\n")
                os.write(master, b"second\n")
                got = read_until(master, b"second\\n'")
                assert b"got '" + b"long" * 200 + b"' 'second\\n'" in got
                process.send_signal(signal.SIGINT)
                assert process.wait(15) == 130 and b"KeyboardInterrupt" in read_until(master, b"KeyboardInterrupt")
            finally:
                process.kill()
    finally:
        os.close(master)
        os.close(slave)


def test_threads_atexit_and_asyncio(result: Result) -> None:
    code, out, _ = result("""
import asyncio, atexit, threading, time
atexit.register(print, "atexit")
async def both():
    return await asyncio.gather(asyncio.sleep(0.01, "a"), asyncio.to_thread(lambda: "b"))
print(asyncio.run(both()))
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
print("end")
""")
    assert (code, out) == (0, "['a', 'b']\nend\nthread\natexit\n")


# --- flup ---

@pytest.mark.parametrize("module", ["fcgi", "fcgi_fork", "fcgi_single"])
def test_the_second_talk_s_flup_script_as_printed(script: Callable[..., Script], module: str) -> None:
    port = free_port()
    running = script(flup(("127.0.0.1", port), module))
    running.wait_for(port)
    with FastCGI(("127.0.0.1", port)) as client:
        for number in (1, 2):
            assert client.get("/", number).body == f"Hello World fastcgi!\nAccess count {number}\n Running pid: {running.process.pid}".encode()
    assert running.end() == (0, "", "")


def test_flup_s_scgi_on_a_unix_socket(script: Callable[..., Script], tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    script(flup(path, "scgi").replace("['Hello", "[b'Hello")).wait_for(path)
    with Client(path) as client:
        client.send(scgi_head(variables()))
        assert b"Access count 1" in client.read_rest()


def test_servers_on_several_unix_sockets(script: Callable[..., Script], tmp_path: Path) -> None:
    running = script("""
from pyhost import coro
from pyhost.script import serving
def app(name):
    def answer(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [name.encode()]
    return answer
for name in "abc":
    serving.serve(app(name), name + ".sock")
serving.serve(app("d"), "d.sock", "scgi")
print("ready", flush=True)
coro.event_loop()
""")
    assert running.line() == "ready"
    for name in "abc":
        with Client(str(tmp_path / f"{name}.sock")) as client:
            assert client.request("GET", "/").text == name
    with Client(str(tmp_path / "d.sock")) as client:
        assert client.send(scgi_head(variables())).read_rest().endswith(b"d")
    assert running.end() == (0, "", "")


# --- gogreen ---

def test_the_first_talk_s_server_as_printed(script: Callable[..., Script], tmp_path: Path) -> None:
    (tmp_path / "htdocs" / "sub").mkdir(parents=True)
    (tmp_path / "htdocs" / "index.html").write_text("<p>first")
    (tmp_path / "htdocs" / "sub" / "a.txt").write_text("text")
    (tmp_path / "secret").write_text("no")
    port = free_port()
    running = script(SAMPLES / "httpd.py", str(port), str(tmp_path / "htdocs"))
    running.wait_for(port)
    found = get(port)
    assert (found.status, found.body, found.header("Content-Type")) == (200, b"<p>first", "text/html")
    assert get(port, "/sub/a.txt").text == "text"
    assert [get(port, path).status for path in ("/none", "/..%2fsecret", "/%2e%2e/secret")] == [404, 404, 400]
    assert running.end()[0] == 0
    wait_until(lambda: '"GET / HTTP/1.1" 200' in (tmp_path / "access.log").read_text(), "the access log")


def test_a_handler_chain_statistics_and_shutdown(script: Callable[..., Script]) -> None:
    port = free_port()
    running = script(f"""
import time
from gogreen import coro, corohttpd
class Hello:
    def match(self, request):
        return request.uri().startswith("/hello")
    def handle_request(self, request):
        request.set_cookie("seen", "1")
        request.set_header("X-Method", request.method())
        request.push("hello %s %s" % (request.get_arg("name"), request.get_query_pairs()))
class Slow:
    def match(self, request):
        return request.uri() == "/slow"
    def handle_request(self, request):
        request.set_name("slow one")
        request.push_chunked("a")
        time.sleep(0.4)
        request.push_chunked("b")
class Stop:
    def match(self, request):
        return request.uri() == "/stop"
    def handle_request(self, request):
        coro.spawn(finish)
        request.response(201)
def finish():
    print("ended", server.shutdown(stop=10), flush=True)
    coro.shutdown()
server = corohttpd.HttpServer(args=(("127.0.0.1", {port}),), postreq=[lambda request, code, seconds: print(request.name, code, flush=True)])
for handler in (Hello(), Slow(), Stop()):
    server.push_handler(handler)
server.statistics(["127.0.0.0/8"])
server.start()
coro.event_loop(30.0)
""")
    running.wait_for(port)
    hello = get(port, "/hello?name=x")
    assert (hello.text, hello.header("X-Method"), hello.header("Set-Cookie")) == ("hello x [('name', 'x')]", "get", "seen=1; Path=/")
    assert running.line() == "Hello 200"
    assert "Hello: 1 " in get(port, "/statistics").text
    assert get(port, "/none").status == 404
    with Client(("127.0.0.1", port)) as slow:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        head = slow.read_head()
        assert get(port, "/stop").status == 201
        slow.read_body(head, False)
        assert head.body == b"ab"
    out, _ = running.process.communicate(timeout=15)
    assert running.process.returncode == 0 and out.splitlines()[-2:] == ["slow one 200", "ended True"]


def test_coro_s_own_names(result: Result) -> None:
    code, out, err = result("""
import coro, socket
coro.set_local("x", "outside")
coro.setdefaulttimeout(None)
def work(number):
    coro.set_locals(x=number, y=1)
    got = coro.current_thread().Yield(30)
    print(coro.get_local("x"), coro.has_local("y"), coro.pop_local("y"), coro.has_local("y"), got)
threads = [coro.Thread(target=work, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
coro.sleep(0.01)
for thread in threads:
    coro.schedule(thread, "go")
for thread in threads:
    thread.join()
print(coro.get_local("x"), coro.has_local("y"), coro.getdefaulttimeout(), coro.real_socket is socket.socket, issubclass(coro.ConnectionError, coro.CoroutineSocketError))
""")
    assert (code, out, err) == (0, "0 True 1 False go\n1 True 1 False go\noutside False None True True\n", "")


def test_wsgi_serve(script: Callable[..., Script]) -> None:
    port = free_port()
    running = script(f"""
import wsgi
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
wsgi.serve(("127.0.0.1", {port}), app)
""")
    running.wait_for(port)
    assert get(port, "/x/y").text == "/x/y"
    assert running.end()[0] == 0


def test_sample_echo(script: Callable[..., Script]) -> None:
    running = script(SAMPLES / "echo.py", "0")
    port = int(running.line().split()[-1])
    clients = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(20)]
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
    for number, client in reversed(list(enumerate(clients))):
        assert client.recv(10) == b"%d" % number
        client.close()
    assert running.end()[0] == 0


def test_sample_heartbeat(result: Result) -> None:
    code, out, err = result(SAMPLES / "heartbeat.py", "4")
    assert (code, sorted(out.split("\n")), err) == (0, ["", "beat 0", "beat 1", "beat 2", "beat 3", "waited"], "")


def test_sample_irc_bot(script: Callable[..., Script]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(15)
        running = script(SAMPLES / "ircbot.py", "127.0.0.1", str(listener.getsockname()[1]), "bot", "#room")
        sock, _ = listener.accept()
        with sock, sock.makefile("r", encoding="utf-8", newline="") as irc:
            sock.settimeout(15)

            def say(line: str) -> None:
                sock.sendall(line.encode() + b"\r\n")

            assert irc.readline() == "NICK bot\r\n" and irc.readline().startswith("USER bot ")
            say("PING :here")
            assert irc.readline() == "PONG :here\r\n"
            say(":server 001 bot :welcome")
            assert irc.readline() == "JOIN #room\r\n"
            say(":me!u@h PRIVMSG #room :!ping")
            assert irc.readline() == "PRIVMSG #room :pong me\r\n"
            say(":me!u@h PRIVMSG #room :!quit")
            assert irc.readline() == "QUIT :bye\r\n"
        assert running.process.wait(15) == 0


def test_sample_backdoor(script: Callable[..., Script]) -> None:
    running = script(SAMPLES / "door.py", "0")
    port = int(running.line().split()[-1])
    with socket.create_connection(("127.0.0.1", port), 10) as sock, sock.makefile("rw", newline="\n") as door:
        door.write("answer + 1\nfor i in range(2): print(i)\n\n1/0\n")
        door.flush()
        sock.shutdown(socket.SHUT_WR)
        said = door.read()
    assert "43" in said and "0\n1\n" in said and "ZeroDivisionError" in said
    assert running.end(signal.SIGUSR2)[:2] == (0, "closed\n")


# --- greenlet and gevent ---

def test_the_talks_greenlet_example_in_a_handler(script: Callable[..., Script]) -> None:
    port = free_port()
    running = script(f"""
import contextlib, io
from pyhost.script import serving
from pyhost import coro
def app(environ, start_response):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec({GREENLET!r}, {{}})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [out.getvalue().encode()]
serving.serve(app, ("127.0.0.1", {port}))
coro.event_loop()
""")
    running.wait_for(port)
    assert [get(port).text for _ in range(3)] == ["12\n56\n34\n"] * 3


def test_a_gevent_server_beside_our_own_coroutines(script: Callable[..., Script]) -> None:
    pytest.importorskip("gevent")
    port = free_port()
    running = script(f"""
from pyhost import coro
ticks = []
def tick():
    while True:
        ticks.append(1)
        coro.sleep(0.01)
coro.spawn(tick)
import gevent, gevent.pool
from gevent.pywsgi import WSGIServer
def app(environ, start_response):
    before = len(ticks)
    gevent.sleep(0.2)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(ticks) - before).encode()]
print(list(gevent.pool.Pool(3).imap(lambda n: (gevent.sleep(0.01), n)[1], range(5))), flush=True)
WSGIServer(("127.0.0.1", {port}), app, log=None).serve_forever()
""")
    assert running.line() == "[0, 1, 2, 3, 4]"
    running.wait_for(port)
    with socket.create_connection(("127.0.0.1", port), 15) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while data := sock.recv(4096):
            answer += data
    assert int(answer.rsplit(b"\r\n\r\n")[-1]) >= 5  # the host's coroutines ran while gevent's hub waited

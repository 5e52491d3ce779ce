"""multiprocessing and concurrent.futures: their semaphores are posted by other processes, which no hook of this one sees."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.script import Script
from support.server import Server

WORK = '''
import concurrent.futures
import multiprocessing
import os
import threading
import time


def square(number):
    return number * number


def hold(lock, ready):
    with lock:
        ready.send(1)
        time.sleep(0.05)


def answer(first, second):
    first.wait()
    second.set()


def pool(context):
    with context.Pool(2) as made:
        return made.map(square, range(5))


def executor(context):
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as made:
        return list(made.map(square, range(5)))


def lock(context):
    held, (ours, theirs) = context.Lock(), context.Pipe()
    child = context.Process(target=hold, args=(held, theirs))
    child.start()
    ours.recv()
    quick = held.acquire(timeout=0.001)
    with held:
        child.join()
    return [quick, child.exitcode]


def events(context):
    first, second = context.Event(), context.Event()
    child = context.Process(target=answer, args=(first, second))
    child.start()
    first.set()
    told = second.wait(10)
    child.join()
    return [told, child.exitcode]


def queue(context):
    full = context.Queue(1)
    child = context.Process(target=fill, args=(full,))
    child.start()
    got = [full.get(timeout=10) for _ in range(3)]
    child.join()
    return [*got, child.exitcode]


def terminate(context):
    child = context.Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join()
    return child.exitcode


def fill(full):
    for number in range(3):
        full.put(number)


KINDS = {"pool": pool, "executor": executor, "lock": lock, "events": events, "queue": queue, "terminate": terminate}
'''
APP = '''
import json
import multiprocessing
import work

def application(environ, start_response):
    _, kind, method = environ["PATH_INFO"].split("/")
    body = json.dumps(work.KINDS[kind](multiprocessing.get_context(method)) if kind != "quick" else "quick")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body.encode()]
'''
PROGRAM = '''
import json
import multiprocessing
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(__file__))
import work

if __name__ == "__main__":
    print(json.dumps({kind: work.KINDS[kind](multiprocessing.get_context("fork")) for kind in work.KINDS}), threading.active_count(), flush=True)
    child = os.fork()
    if not child:
        alone = threading.enumerate() == [threading.main_thread()] == [threading.current_thread()]
        thread = threading.Thread(target=print, args=("a thread of the child", alone), kwargs={"flush": True})
        thread.start()
        thread.join()
        os._exit(7)
    print(os.waitpid(child, 0)[1] >> 8, threading.enumerate() == [threading.main_thread()])
'''
RESULTS = {"pool": [0, 1, 4, 9, 16], "executor": [0, 1, 4, 9, 16], "lock": [False, 0], "events": [True, 0], "queue": [0, 1, 2, 0], "terminate": -15}


@pytest.fixture(scope="module")
def shared(module_server: Callable[..., Server]) -> Server:
    return module_server('PythonPath "[\'@ROOT@/app\'] + sys.path"\nPyWSGIAlias / of_work\n', {"app/work.py": WORK, "app/of_work.py": APP}, check_fds=False)


@pytest.fixture
def host(shared: Server) -> Iterator[Server]:
    with shared.checked():
        yield shared


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", RESULTS)
def test_a_handler_uses_other_processes(host: Server, kind: str, method: str) -> None:
    client = host.client()
    client.send(f"GET /{kind}/{method} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert host.get("/quick/fork").text == '"quick"'
    answer = client.read_response()
    assert answer.status == 200 and json.loads(answer.text) == RESULTS[kind]
    host.allow_log("DeprecationWarning|os.fork")


def test_a_script_uses_other_processes(script: Callable[..., Script], tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK)
    program = script(PROGRAM)
    out, err = program.process.communicate(timeout=60)
    assert program.process.returncode == 0, err
    assert out.splitlines() == [json.dumps(RESULTS) + " 1", "a thread of the child True", "7 True"], err
    assert "Traceback" not in err

"""A WSGI application as it stands under gunicorn's gevent worker: it patches first, and uses gevent's own things in its requests."""
from gevent import monkey

monkey.patch_all()

import os
import queue
import select
import socket
import subprocess
import threading
import time
import urllib.request

import gevent
import gevent.event
import gevent.pool
import gevent.queue
import gevent.socket
import gevent.subprocess
import gevent.threadpool
from gevent.server import StreamServer

shared = threading.Lock()
counted = [0]
together = threading.Barrier(10)
ticks = [0]


def sleep(environ):
    """Ten greenlets of one request sleep at the same time: each sees the others begin."""
    begun = []

    def one(number):
        begun.append(number)
        while len(begun) < 10:
            time.sleep(0.005)
        return number

    jobs = [gevent.spawn(one, number) for number in range(10)]
    gevent.joinall(jobs)
    return sorted(job.value for job in jobs)


def lock(environ):
    """A lock of the module, held across a wait."""
    with shared:
        before = counted[0]
        time.sleep(0.005)
        counted[0] = before + 1
    return counted[0]


def meet(environ):
    """Ten requests wait for each other."""
    together.wait(30)
    return "met"


def pool(environ):
    return list(gevent.pool.Pool(3).imap(lambda number: (gevent.sleep(0.005), number)[1], range(8)))


def timeout(environ):
    try:
        with gevent.Timeout(0.05):
            gevent.sleep(30)
    except gevent.Timeout:
        return "timeout"


def threadpool(environ):
    return gevent.get_hub().threadpool.apply(lambda number: number * 2, (21,))


def child(environ):
    return subprocess.check_output(["echo", "hello"]).decode().strip()


def gevents_child(environ):
    together.wait(30)  # so that each of ten is in a greenlet of its own
    try:
        return gevent.subprocess.check_output(["echo", "hello"]).decode().strip()
    except TypeError as error:
        return error


def streams(environ):
    """gevent's server and client in one request."""
    server = StreamServer(("127.0.0.1", 0), lambda peer, address: peer.sendall(peer.recv(100).upper()))
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), 10) as client:
            client.sendall(b"abc")
            return client.recv(100).decode()
    finally:
        server.stop()


def events(environ):
    box, result = gevent.queue.Queue(), gevent.event.AsyncResult()
    gevent.spawn(lambda: (gevent.sleep(0.005), box.put(1), result.set(2)))
    return [box.get(), result.get()]


def threads(environ):
    box = queue.Queue()
    thread = threading.Thread(target=lambda: (time.sleep(0.005), box.put("put")))
    thread.start()
    thread.join()
    return box.get()


def names(environ):
    return socket.gethostbyname("localhost"), gevent.socket.gethostbyname("localhost")


def selected(environ):
    one, other = socket.socketpair()
    with one, other:
        gevent.spawn(lambda: (gevent.sleep(0.005), other.sendall(b"x")))
        return len(select.select([one], [], [], 10)[0])


def fetch(environ):
    with urllib.request.urlopen(f"http://127.0.0.1:{environ['QUERY_STRING']}{environ['SCRIPT_NAME']}/pid", timeout=20) as answer:
        return answer.read().decode()


def pid(environ):
    return os.getpid()


def patched(environ):
    return [name for name in ("socket", "time", "select", "ssl", "threading", "subprocess", "queue", "signal", "os") if monkey.is_module_patched(name)]


def application(environ, start_response):
    answer = globals()[environ["PATH_INFO"].strip("/")](environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(answer).encode()]

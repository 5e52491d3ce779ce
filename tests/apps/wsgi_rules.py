"""A WSGI application for tests/test_wsgi.py: what each path does is a rule of PEP 3333 kept, or broken on purpose."""
import hashlib
import io
import json
import os
import sys
import tempfile
import threading
import time
from urllib.parse import parse_qs

PLAIN = [("Content-Type", "text/plain")]
closed = []


class Body:
    """An iterable that remembers that it was closed."""

    def __init__(self, name, chunks, error=None):
        self.name, self.chunks, self.error = name, iter(chunks), error

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return next(self.chunks)
        except StopIteration:
            if self.error:
                raise self.error from None
            raise

    def close(self):
        closed.append(self.name)


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/").split("/")[0]
    return globals()["do_" + name](environ, start_response, parse_qs(environ["QUERY_STRING"]))


def answer(start, text):
    start("200 OK", PLAIN)
    return [text.encode() if isinstance(text, str) else text]


def do_hello(environ, start, query):
    return answer(start, "hello")


def do_closed(environ, start, query):
    text = ",".join(closed)
    closed.clear()
    return answer(start, text)


def do_environ(environ, start, query):
    return answer(start, json.dumps({key: value if isinstance(value, (str, int, bool, tuple)) else type(value).__name__ for key, value in environ.items()}))


def do_types(environ, start, query):
    assert type(environ) is dict
    assert all(type(value) is str for key, value in environ.items() if "." not in key)
    environ["mine"] = 1  # the application may change it
    return answer(start, f"{environ['wsgi.version']} {environ['wsgi.url_scheme']} {environ['wsgi.run_once']} {environ['wsgi.multithread']} {environ['wsgi.multiprocess']}")


# start_response


def do_twice(environ, start, query):
    start("200 OK", PLAIN)
    start("200 OK", PLAIN)
    return [b"never"]


def do_exc_info_before(environ, start, query):
    start("200 OK", [*PLAIN, ("X-First", "1")])
    try:
        raise ValueError("on purpose")
    except ValueError:
        start("503 Replaced", [*PLAIN, ("X-Second", "2")], sys.exc_info())
    return [b"replaced"]


def do_exc_info_after(environ, start, query):
    start("200 OK", PLAIN)
    yield b"begun"
    try:
        raise ValueError("on purpose after the head")
    except ValueError:
        start("500 Oops", PLAIN, sys.exc_info())
    yield b"never"


def do_exc_info_keyword(environ, start, query):
    start("201 Created", PLAIN, exc_info=None)
    return [b"kept"]


def do_never(environ, start, query):
    return [b"no start_response"]


def do_late(environ, start, query):
    start("200 OK", PLAIN)
    yield b"late"


def do_before_start(environ, start, query):
    yield b"too early"
    start("200 OK", PLAIN)


def do_retry(environ, start, query):
    try:
        start("200 OK", [("X-Old", "1"), ("X-Bad", "a\r\nb")])
    except ValueError:
        start("200 OK", PLAIN)
    return [b"retried"]


BAD_STARTS = {
    "status_bytes": (b"200 OK", PLAIN), "status_int": (200, PLAIN), "status_short": ("20 OK", PLAIN), "status_newline": ("200 OK\nX: y", PLAIN),
    "status_snowman": ("200 \u2603", PLAIN), "headers_tuple": ("200 OK", tuple(PLAIN)), "headers_dict": ("200 OK", dict(PLAIN)),
    "header_list": ("200 OK", [["A", "b"]]), "header_three": ("200 OK", [("A", "b", "c")]), "name_bytes": ("200 OK", [(b"A", "b")]),
    "value_bytes": ("200 OK", [("A", b"b")]), "value_int": ("200 OK", [("Content-Length", 5)]), "value_none": ("200 OK", [("A", None)]),
    "value_snowman": ("200 OK", [("A", "\u2603")]), "name_space": ("200 OK", [("A B", "b")]), "name_empty": ("200 OK", [("", "b")]),
    "hop": ("200 OK", [("Transfer-Encoding", "chunked")]), "length_word": ("200 OK", [("Content-Length", "five")]), "none": (None, None),
    "length_negative": ("200 OK", [("Content-Length", "-5")]), "lengths": ("200 OK", [("Content-Length", "5"), ("Content-Length", "6")]),
    "length_plus": ("200 OK", [("Content-Length", "+5")]), "one_argument": ("200 OK",), "four_arguments": ("200 OK", PLAIN, None, None),
    "exc_info_word": ("200 OK", PLAIN, "oops")}


def do_bad_start(environ, start, query):
    start(*BAD_STARTS[query["how"][0]])
    return [b"never"]


def do_status(environ, start, query):
    start(query["line"][0], [*PLAIN, ("Content-Length", "4")] if "length" in query else PLAIN)
    return [b"body"]


def do_nothing(environ, start, query):
    start(query["line"][0], PLAIN)
    return {"list": [], "chunk": [b""], "generator": iter(())}[query["kind"][0]]


def do_headers(environ, start, query):
    start("200 OK", [("Content-Type", "text/x; charset=latin-1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Latin", "caf\xe9"), ("X-Empty", "")])
    return []


def do_connection_close(environ, start, query):
    start("200 OK", [*PLAIN, ("Connection", "close")])
    return [b"bye"]


# write()


def do_write(environ, start, query):
    write = start("200 OK", PLAIN)
    write(b"one,")
    write(b"")
    write(b"two,")
    return [b"three"]


def do_write_text(environ, start, query):
    write = start("200 OK", PLAIN)
    write("text")
    return []


def do_write_large(environ, start, query):
    write = start("200 OK", PLAIN)
    for _ in range(100):
        write(b"x" * 30000)
    return []


# iterables


def do_iterable(environ, start, query):
    start("200 OK", PLAIN)
    kind = query["kind"][0]
    chunks = [b"a", b"", b"bc", b"", b"d"]
    if kind == "none":
        return None
    if kind == "text":
        return "text"
    if kind == "bytes":
        return b"bytes"
    if kind == "texts":
        return ["text"]
    if kind == "late_text":
        return (each for each in (b"first", "text"))
    if kind == "one":
        return [b"whole"]
    if kind == "empty":
        return [] if "list" in query else iter([])
    if kind == "bytearrays":
        return [bytearray(b"x")]
    return {"list": list, "tuple": tuple, "generator": iter, "dict": dict.fromkeys}[kind](chunks) if kind != "body" else Body("body", chunks)


def do_large_list(environ, start, query):
    start("200 OK", PLAIN)
    return [b"x" * 65536] * 64


def do_large(environ, start, query):
    start("200 OK", PLAIN)
    return Body("large", (b"x" * 65536 for _ in range(int(query["chunks"][0]))))


def do_length(environ, start, query):
    start("200 OK", [*PLAIN, ("Content-Length", query["says"][0])])
    return Body("length", [b"x" * int(each) for each in query["chunks"][0].split(",")])


def do_raise(environ, start, query):
    when = query["when"][0]
    error = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "memory": MemoryError("on purpose")}.get(when, RuntimeError("on purpose"))
    if when in ("before", "exit", "interrupt", "memory"):
        raise error
    start("200 OK", PLAIN)
    if when == "called":
        raise error
    if when == "first":
        return Body("first", [], error)
    if when == "middle":
        return Body("middle", [b"begun"], error)
    return Closing()


class Closing(list):
    """close() raises after a whole response."""

    def __init__(self):
        super().__init__([b"whole"])

    def close(self):
        closed.append("closing")
        raise RuntimeError("on purpose in close")


# wsgi.file_wrapper


def do_file(environ, start, query):
    file = open(os.path.join(os.path.dirname(__file__), "data.bin"), "rb")
    file.seek(int(query.get("from", ["0"])[0]))
    headers = [("Content-Type", "application/x-data")]
    if "length" in query:
        headers.append(("Content-Length", query["length"][0]))
    start(query.get("line", ["200 OK"])[0], headers)
    return environ["wsgi.file_wrapper"](file, int(query.get("block", ["8192"])[0]))


class Recorder(io.BytesIO):
    def close(self):
        closed.append("recorder")
        super().close()


def do_not_a_file(environ, start, query):
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](Recorder(b"in memory " * 5000))


def do_pipe(environ, start, query):
    reader, writer = os.pipe()
    os.write(writer, b"through a pipe")
    os.close(writer)
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](os.fdopen(reader, "rb"))


def do_temporary(environ, start, query):
    file = tempfile.TemporaryFile()
    file.write(b"0123456789" * 1000)
    file.flush()
    file.seek(5000)
    start("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](file)


# wsgi.input


def do_read(environ, start, query):
    stream = environ["wsgi.input"]
    how = query["how"][0]
    if how == "all":
        parts = [stream.read(), stream.read(), stream.read(5)]
    elif how == "sized":
        parts = list(iter(lambda: stream.read(7), b""))
    elif how == "zero":
        parts = [stream.read(0), stream.read(3), stream.read(-1)]
    elif how == "none":
        parts = [stream.read(None)]
    elif how == "lines":
        parts = stream.readlines()
    elif how == "hint":
        parts = stream.readlines(1)
    elif how == "line":
        parts = list(iter(stream.readline, b""))
    elif how == "short_lines":
        parts = list(iter(lambda: stream.readline(3), b""))
    elif how == "mixed":
        parts = [stream.readline(), stream.read(2), stream.readline(1), stream.readline(), stream.read()]
    else:
        parts = list(stream)
    return answer(start, json.dumps([part.decode("latin-1") for part in parts]))


def do_hash(environ, start, query):
    digest = hashlib.sha256()
    while chunk := environ["wsgi.input"].read(65536):
        digest.update(chunk)
    return answer(start, digest.hexdigest())


def do_bad_read(environ, start, query):
    environ["wsgi.input"].read("five")


def do_errors(environ, start, query):
    errors = environ["wsgi.errors"]
    errors.write("a line of the application\n")
    errors.writelines(["two ", "pieces\n"])
    errors.flush()
    return answer(start, "logged")


def do_hints(environ, start, query):
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload")])
    return answer(start, "hinted")


def do_bad_hints(environ, start, query):
    try:
        environ["wsgi.early_hints"]("Link: x")
    except TypeError:
        return answer(start, "refused")


# the client


def do_gone(environ, start, query):
    gone = environ["pyhost.client_gone"]
    assert not gone and gone() is False and gone.wait(0) is False
    start("200 OK", PLAIN)
    yield b"waiting"
    print("gone:", gone.wait(10), gone(), bool(gone), file=sys.stderr)


def do_gone_watched(environ, start, query):
    from pyhost import coro
    gone = environ["pyhost.client_gone"]
    coro.spawn(lambda: print("watched:", gone.wait(), file=sys.stderr))
    coro.sleep(0)
    return answer(start, "watched")


def do_gone_kept(environ, start, query):
    do_gone_kept.last, before = environ["pyhost.client_gone"], getattr(do_gone_kept, "last", None)
    return answer(start, repr(None if before is None else before()))


# threads of the application's own


def in_thread(function):
    """What function() returns, or says, in a thread."""
    results = []

    def call():
        try:
            results.append(function())
        except Exception as error:
            results.append(repr(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return str(results[0])


def do_thread_reads(environ, start, query):
    return answer(start, in_thread(lambda: hashlib.sha256(environ["wsgi.input"].read()).hexdigest()))


def do_thread_writes(environ, start, query):
    write = start("200 OK", PLAIN)
    told = in_thread(lambda: [write(b"x" * 65536) for _ in range(100)].count(None))
    print("the thread has written", told, file=sys.stderr)
    return []


def do_threads_read(environ, start, query):
    """Two wait for the body: one is told so at once, the other one gets it."""
    results = []

    def call():
        try:
            results.append(environ["wsgi.input"].read())
        except RuntimeError as error:
            results.append(str(error).encode())

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not results:
        time.sleep(0.001)
    start("200 OK", PLAIN)(results[0] + b".")
    for thread in threads:
        thread.join()
    return [results[1]]


def do_leave_reader(environ, start, query):
    """A thread goes on reading when its request is over."""
    stream = environ["wsgi.input"]

    def read():
        let_read.wait()
        try:
            print("the reader got", len(stream.read()), file=sys.stderr)
        except OSError as error:
            print("the reader was told:", error, file=sys.stderr)

    threading.Thread(target=read).start()
    return answer(start, "over")


let_read = threading.Event()


def do_let_read(environ, start, query):
    let_read.set()
    return answer(start, "reads")


hanging = [0]
let_go = threading.Event()


def do_hang(environ, start, query):
    hanging[0] += 1
    let_go.wait()
    return answer(start, "nobody hears it")


def do_hanging(environ, start, query):
    return answer(start, str(hanging[0]))


def do_let_go(environ, start, query):
    let_go.set()
    return answer(start, "gone")

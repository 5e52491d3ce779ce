"""mod_python.Session: every kind of store keeps the same promises; locks; cookies; forged and broken sessions."""
from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import greenlet
import pytest

from pyhost.mod_python import Session
from pyhost.mod_python import _session_stores as stores
from pyhost.mod_python._ending import handler_ended
from pyhost.mod_python._sidlock import KeyLocks
from support.client import build_request
from support.plain import PlainRequest
from support.server import Server, free_port, wait_until

KINDS = ["SqliteSession", "FileSession", "DbmSession", "MemorySession"]


class Client:
    """Keeps cookies between requests of one application."""

    def __init__(self, directory: Path, kind: str = "SqliteSession", **options: str) -> None:
        self.options = {"mod_python.session.session_type": kind, "mod_python.session.database_directory": str(directory),
                        **{f"mod_python.session.{key}": value for key, value in options.items()}}
        self.cookie: str | None = None

    def request(self, cookie: str | None = None) -> PlainRequest:
        found = cookie or self.cookie
        return PlainRequest(options=self.options, headers={"Cookie": found} if found else {})

    def keep(self, request: PlainRequest) -> str | None:
        found = request.err_headers_out.get("Set-Cookie")
        if found:
            self.cookie = found.partition(";")[0]
        handler_ended(request)
        return found


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(tmp_path, request.param)


def test_saved_values_are_there_in_the_next_request(client: Client) -> None:
    request = client.request()
    session = Session.Session(request)
    assert session.is_new() and re.fullmatch("[0-9a-f]{32}", session.id()) and session == {}
    session["n"] = {"deep": [1, "é"]}
    session.save()
    client.keep(request)
    request = client.request()
    again = Session.Session(request)
    assert not again.is_new() and again.id() == session.id() and again == {"n": {"deep": [1, "é"]}}
    assert again.created() == session.created() and again.last_accessed() >= session.last_accessed()
    assert again.timeout() == 1800 and client.keep(request) is None


def test_what_was_not_saved_is_not_kept(client: Client) -> None:
    request = client.request()
    Session.Session(request)["n"] = 1
    client.keep(request)
    request = client.request()
    again = Session.Session(request)
    assert again.is_new() and again == {}
    client.keep(request)


def test_unknown_id_of_a_client_is_not_taken_over(client: Client) -> None:
    """Else somebody could make others use an id that he knows."""
    request = client.request("pysid=" + "a" * 32)
    session = Session.Session(request)
    assert session.is_new() and session.id() != "a" * 32
    client.keep(request)


def test_session_ends_after_its_timeout(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    request = client.request()
    session = Session.Session(request, timeout=10)
    session.save()
    client.keep(request)
    now = time.time()
    for later, ended in ((9, False), (11, True)):
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        request = client.request()
        assert Session.Session(request).is_new() is ended
        handler_ended(request)


def test_set_timeout_is_kept(client: Client) -> None:
    request = client.request()
    session = Session.Session(request)
    session.set_timeout(99)
    session.save()
    client.keep(request)
    request = client.request()
    assert Session.Session(request).timeout() == 99
    handler_ended(request)


def test_delete_and_invalidate(client: Client) -> None:
    request = client.request()
    session = Session.Session(request)
    session["a"] = 1
    session.save()
    session.delete()
    assert session == {} and not session.load()
    session["a"] = 2
    session.save()
    session.invalidate()
    session.save()
    assert "expires=Thu, 01-Jan-1970 00:00:00 GMT" in request.err_headers_out["Set-Cookie"][1]
    client.keep(request)
    request = client.request()
    assert Session.Session(request).is_new()
    handler_ended(request)


def test_cleanup_removes_what_has_ended_and_nothing_else(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for timeout in (1000, 1, 2):
        request = client.request("x=y")
        session = Session.Session(request, timeout=timeout)
        session.save()
        ids.append(session.id())
        handler_ended(request)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 500)
    for path in (tmp_path / "mp_sess").glob("*/*"):
        os.utime(path, (now - 9000, now - 9000))
    request = client.request("x=y")
    one = Session.Session(request)
    one.cleanup()
    handler_ended(request)
    request.end()
    for sid, there in zip(ids, (True, False, False), strict=True):
        probe = Session.Session(client.request("x=y"), sid=sid, lock=0)
        assert probe.is_new() is not there
        if kind := getattr(probe, "_database", None):
            assert len(kind.run("SELECT 1 FROM session WHERE sid = ?", (sid,))) == there


def test_cleanup_happens_once_in_a_thousand_requests(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("random.randrange", lambda n: seen.append(n) or 0)
    request = client.request()
    Session.Session(request)
    assert seen == [Session.CLEANUP_CHANCE] == [1000] and len(request.cleanups) == 2  # the lock's and the clean-up
    handler_ended(request)
    request.end()


def test_all_kinds_but_memory_are_seen_by_other_processes(client: Client, tmp_path: Path) -> None:
    kind = client.options["mod_python.session.session_type"]
    request = client.request()
    session = Session.Session(request)
    session["n"] = 5
    session.save()
    client.keep(request)
    program = ("import sys; sys.path[:0] = ['tests', '.']\nfrom support.plain import PlainRequest\nfrom pyhost.mod_python import Session\n"
               f"s = Session.Session(PlainRequest(options={client.options!r}, headers={{'Cookie': {client.cookie!r}}}))\nprint(s.get('n'))")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parent.parent, check=True)
    assert done.stdout.strip() == ("None" if kind == "MemorySession" else "5")


def test_database_that_was_removed_is_made_again(tmp_path: Path) -> None:
    client = Client(tmp_path)
    for _ in range(2):
        request = client.request()
        session = Session.Session(request)
        session["n"] = 1
        session.save()
        handler_ended(request)
        assert (tmp_path / "mp_sess.sqlite").exists()
        for path in tmp_path.glob("mp_sess.sqlite*"):
            path.unlink()


# Ids and cookies.

@pytest.mark.parametrize("sid", ["a" * 31, "A" * 32, "a" * 32 + "\n", "../../etc/passwd", "a" * 33, "é" * 32, "' OR 1=1 --"])
def test_what_is_no_id_is_dropped_from_a_cookie_and_an_error_as_an_argument(tmp_path: Path, sid: str) -> None:
    client = Client(tmp_path)
    with pytest.raises(ValueError, match="Invalid Session ID"):
        Session.Session(client.request(), sid=sid)
    request = client.request("pysid=" + sid.strip())
    session = Session.Session(request)
    if len(sid.strip()) != 32 or not re.fullmatch("[0-9a-f]{32}", sid.strip()):
        assert session.is_new() and session.id() != sid and request.log
    handler_ended(request)


def test_signed_session_cookie_and_a_forged_one(tmp_path: Path) -> None:
    client = Client(tmp_path)
    request = client.request()
    session = Session.Session(request, secret="k")
    session.save()
    client.keep(request)
    assert client.cookie is not None
    request = client.request()
    assert Session.Session(request, secret="k").id() == session.id()
    handler_ended(request)
    for forged in (client.cookie.replace("pysid=", "pysid=0"), "pysid=" + session.id(), "pysid=" + "0" * 64 + session.id()):
        request = client.request(forged)
        other = Session.Session(request, secret="k")
        assert other.is_new() and other.id() != session.id() and "not signed" in request.log[0][1]
        handler_ended(request)


@pytest.mark.parametrize(("directory", "options", "path"), [
    ("/srv/www/app/", {}, "/app/"),
    ("/srv/www/", {}, "/"),
    ("/elsewhere/", {}, "/"),
    (None, {}, "/"),
    ("/srv/www/app/", {"application_path": "/other"}, "/other"),
    ("/srv/www2/app/", {}, "/"),
])
def test_cookie_path_is_the_applications(tmp_path: Path, directory: str | None, options: dict[str, str], path: str) -> None:
    request = Client(tmp_path, **options).request()
    request.hlist.directory = directory
    cookie = Session.Session(request).make_cookie()
    assert cookie.path == path  # type: ignore[attr-defined]
    handler_ended(request)


def test_cookie_path_of_a_location_is_the_location(tmp_path: Path) -> None:
    for directory, path in (("/app", "/app"), ("/app/", "/app/"), ("/", "/"), ("^/a.*", "/"), ("/a*", "/")):
        request = Client(tmp_path).request()
        request.hlist.directory, request.hlist.is_location = directory, 1
        assert Session.Session(request).make_cookie().path == path  # type: ignore[attr-defined]
        handler_ended(request)


def test_cookie_has_the_modern_attributes(tmp_path: Path) -> None:
    request = Client(tmp_path).request()
    request.secure = 1
    assert str(Session.Session(request).make_cookie()).endswith("; path=/app/; secure; samesite=Lax; httponly")
    handler_ended(request)
    request = Client(tmp_path, cookie_name="sid", application_domain="x.example", cookie_samesite="Off", cookie_httponly="Off").request()
    assert re.fullmatch("sid=[0-9a-f]{32}; path=/app/; domain=x.example", str(Session.Session(request).make_cookie()))
    handler_ended(request)


def test_deprecated_option_names_still_count(tmp_path: Path) -> None:
    request = PlainRequest(options={"session": "FileSession", "session_directory": str(tmp_path), "session_cookie_name": "old",
                                    "ApplicationPath": "/old"})
    session = Session.Session(request)
    session.save()
    assert isinstance(session, Session.FileSession) and str(session.make_cookie()).startswith("old=")
    assert (tmp_path / "mp_sess" / session.id()[:2] / session.id()).exists()
    handler_ended(request)


def test_unknown_session_type_is_500_and_logged(tmp_path: Path) -> None:
    from pyhost.mod_python.apache import SERVER_RETURN

    request = Client(tmp_path, "NoSuchSession").request()
    with pytest.raises(SERVER_RETURN):
        Session.Session(request)
    assert "'NoSuchSession' is none of" in request.log[0][1]


def test_default_is_the_kind_that_workers_share(tmp_path: Path) -> None:
    request = PlainRequest(options={"mod_python.session.database_directory": str(tmp_path)})
    session = Session.Session(request)
    session.save()
    assert isinstance(session, Session.SqliteSession) and (tmp_path / "mp_sess.sqlite").exists()
    assert (tmp_path / "mp_sess.sqlite").stat().st_mode & 0o777 == 0o600
    handler_ended(request)


def test_own_class_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from pyhost.mod_python.Session import MemorySession\nclass Mine(MemorySession): pass\n")
    client = Client(tmp_path, "mine::Mine")
    request = client.request()
    request.hlist.directory = str(tmp_path)
    assert type(Session.Session(request)).__name__ == "Mine"
    handler_ended(request)


# Stores that hold something else.

@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps([1, 2]), pickle.dumps({"_data": {}}), b"\x80\x04cno.such\nthing\n."])
def test_unreadable_session_begins_a_new_one_and_is_logged(tmp_path: Path, content: bytes) -> None:
    client = Client(tmp_path, "FileSession")
    folder = tmp_path / "mp_sess" / "aa"
    folder.mkdir(parents=True)
    (folder / ("a" * 32)).write_bytes(content)
    request = client.request("pysid=" + "a" * 32)
    assert Session.Session(request).is_new() and "cannot be read" in request.log[0][1]
    handler_ended(request)
    stores.filesession_cleanup({"directory": str(tmp_path / "mp_sess"), "limit": 0, "timeout": 0, "grace": -10, "fast": True, "verify": True})


# Locks.

def in_greenlet(function: object) -> greenlet.greenlet:
    one = greenlet.greenlet(function)  # type: ignore[arg-type]
    one.switch()
    return one


def test_second_request_of_a_session_waits_until_the_handler_of_the_first_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    main = greenlet.getcurrent()
    monkeypatch.setattr("pyhost.mod_python._wait.pause", lambda seconds: main.switch("waits"))
    first = client.request()
    session = Session.Session(first)
    session["n"] = 1
    session.save()
    client.cookie = first.err_headers_out["Set-Cookie"].partition(";")[0]
    seen: list[object] = []

    def second_handler() -> None:
        request = client.request()
        seen.append(Session.Session(request).get("n"))
        handler_ended(request)

    second = in_greenlet(second_handler)
    second.switch()
    assert seen == [] and not second.dead
    session["n"] = 2
    session.save()
    handler_ended(first)  # long before the response is out and cleanups run
    second.switch()
    assert seen == [2] and second.dead
    first.end()


def test_session_may_be_opened_again_in_the_same_request(client: Client) -> None:
    request = client.request()
    one = Session.Session(request)
    one.save()
    client.cookie = request.err_headers_out["Set-Cookie"].partition(";")[0]
    request.headers_in["Cookie"] = client.cookie
    two = Session.Session(request)
    assert two.id() == one.id()
    redirected = client.request()
    redirected.prev = request  # type: ignore[assignment]
    three = Session.Session(redirected)
    assert three.id() == one.id()
    for held in (redirected, request):
        handler_ended(held)
    other = client.request()
    assert Session.Session(other).id() == one.id()
    handler_ended(other)


def test_lock_that_is_not_free_in_time_is_503(tmp_path: Path) -> None:
    from pyhost.mod_python.apache import SERVER_RETURN

    client = Client(tmp_path, lock_timeout="0.01")
    request = client.request()
    session = Session.Session(request)
    session.save()
    client.cookie = request.err_headers_out["Set-Cookie"].partition(";")[0]
    late = client.request()
    with pytest.raises(SERVER_RETURN) as caught:
        Session.Session(late)
    assert caught.value.args == (503,) and "lock_timeout" in late.log[0][1]
    assert Session.Session(client.request(), lock=0).id() == session.id()
    handler_ended(request)


def test_locks_hold_between_processes_and_die_with_them(tmp_path: Path) -> None:
    program = ("import sys; sys.path[:0] = ['.']\nfrom pyhost.mod_python._sidlock import KeyLocks\n"
               f"l = KeyLocks({str(tmp_path)!r}); l.acquire('k', 1); print('has', flush=True); sys.stdin.read(1)\n")
    other = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    assert other.stdout is not None and other.stdout.readline() == b"has\n"
    locks = KeyLocks(str(tmp_path))
    self = object()
    assert locks.acquire("other key", self, timeout=0) is True
    assert locks.acquire("k", self, timeout=0.02) is False and not locks.holds("k", self)
    other.kill()
    other.communicate()
    assert locks.acquire("k", self, 1, timeout=5) and locks.acquire("k", self, 2)
    assert not locks.acquire("k", object(), timeout=0.01)
    locks.release("k", self, 1)
    locks.release("k", self, 1)
    assert locks.holds("k", self)
    locks.release("k", self, 2)
    assert not locks.holds("k", self)


# In the server.

HANDLER = '''
import os, time
from mod_python import Session, apache

def handler(req):
    what = req.path_info.strip("/") or "count"
    return globals()[what](req)

def count(req):
    s = Session.Session(req)
    n = s.get("n", 0)
    time.sleep(0.003)
    s["n"] = n + 1
    s.save()
    req.write("%d" % s["n"])
    return apache.OK

def hold(req):
    s = Session.Session(req)
    req.log_error("has the lock", apache.APLOG_NOTICE)
    if req.args == "told":
        while not os.path.exists(req.document_root() + "/let-go"):
            time.sleep(0.01)
    else:
        time.sleep(0.6)
    s["n"] = s.get("n", 0) + 100
    s.save()
    req.write("held")
    return apache.OK

def large(req):
    s = Session.Session(req)
    s.save()
    req.write(b"x" * 8000000, 0)
    return apache.OK

def failing(req):
    Session.Session(req)
    raise RuntimeError("with the lock")

def other(req):
    req.write("other")
    return apache.OK

def redirected(req):
    s = Session.Session(req)
    s["n"] = s.get("n", 0) + 1
    s.save()
    req.internal_redirect("/x/count")
    return apache.OK
'''
CONF = """
<Directory "@ROOT@/www">
    Require all granted
    SetHandler mod_python
    PythonHandler visits
    PythonOption mod_python.session.session_type KIND
    PythonOption mod_python.session.database_directory "@ROOT@/state"
    MORE
</Directory>
"""


def visits(server: object, kind: str = "SqliteSession", workers: int = 2, more: str = "") -> tuple[Server, dict[str, str]]:
    host: Server = server(CONF.replace("KIND", kind).replace("MORE", more), {"www/visits.py": HANDLER, "www/x": ""}, workers=workers)  # type: ignore[operator]
    host.check_fds = False
    first = host.get("/x")
    assert first.text == "1", first.text
    return host, {"Cookie": (first.header("Set-Cookie") or "").partition(";")[0]}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SqliteSession", "FileSession", "DbmSession"])
def test_no_update_is_lost_between_requests_and_workers(server: object, kind: str) -> None:
    host, cookie = visits(server, kind)
    with ThreadPoolExecutor(12) as pool:
        numbers = list(pool.map(lambda _: int(host.get("/x", cookie).text), range(48)))
    assert sorted(numbers) == list(range(2, 50))


def test_waiting_for_a_session_holds_nobody_else_up(server: object) -> None:
    host, cookie = visits(server, workers=0)
    with ThreadPoolExecutor(3) as pool:
        held = pool.submit(host.get, "/x/hold?told", cookie)
        host.expect_log("has the lock")
        waiting = pool.submit(host.get, "/x/count", cookie)
        assert host.get("/x/other").text == "other" and host.get("/x/count").text == "1"
        assert not held.done() and not waiting.done()
        host.write("www/let-go", "")
        assert held.result().text == "held" and waiting.result().text == "102"


def test_slow_client_does_not_keep_the_lock(server: object) -> None:
    """What the handler has written waits in the server's buffer; the handler has ended."""
    host, cookie = visits(server, workers=0, more="PyOutputBuffer 16000000")
    slow = host.client()
    slow.send(build_request("GET", "/x/large", cookie))
    assert slow.read_line().startswith(b"HTTP/1.1 200")
    assert host.get("/x/count", cookie).text == "2"


def test_failing_handler_and_internal_redirect_do_not_keep_the_lock(server: object) -> None:
    host, cookie = visits(server, workers=0)
    assert host.get("/x/failing", cookie).status == 500
    assert host.get("/x/redirected", cookie).text == "3"
    assert host.get("/x/count", cookie).text == "4"
    host.expect_log("with the lock")
    host.allow_log("PythonHandler visits")


def test_cookies_of_any_bytes_begin_a_new_session(server: object) -> None:
    host, _ = visits(server, workers=0)
    for value in ("pysid=\xff\xfe", "pysid=" + "g" * 32, "pysid=", "pysid=" + "a" * 5000, "\xff=\xff; pysid", 'pysid="' + "a" * 32):
        response = host.get("/x", {"Cookie": value})
        assert response.status == 200 and response.text == "1" and response.header("Set-Cookie")
    host.expect_log("session cookie refused: 'g+' is no session id")


def test_session_types_that_do_not_exist_are_500(server: object) -> None:
    host: Server = server(CONF.replace("KIND", "Nope").replace("MORE", ""), {"www/visits.py": HANDLER, "www/x": ""})  # type: ignore[operator]
    assert host.get("/x").status == 500
    host.expect_log("session_type 'Nope' is none of DbmSession, FileSession")
    host.allow_log("mod_python.session.session_type")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server (apt-get install redis-server)")
def test_redis_sessions_are_shared_and_locked(server: object, tmp_path: Path) -> None:
    pytest.importorskip("redis")
    port = free_port()
    redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port), "redis listens")
        host, cookie = visits(server, "RedisSession", more=f"PythonOption mod_python.redis_session.url redis://127.0.0.1:{port}/0")
        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(lambda _: int(host.get("/x", cookie).text), range(24)))
        assert sorted(numbers) == list(range(2, 26))
    finally:
        redis.terminate()
        redis.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


WAITERS = '''
import _apache, threading, time
from mod_python import Session, _sidlock, apache

looks = 0
wait_for = _sidlock.wait_for

def counted(key, ready, timeout=None):
    def look():
        global looks
        looks += 1
        return ready()
    return wait_for(key, look, timeout)

_sidlock.wait_for = counted

def handler(req):
    what = req.path_info.strip("/")
    if what == "hold":
        s = Session.Session(req)
        req.log_error("has the session", apache.APLOG_NOTICE)
        time.sleep(float(req.args))
        s.save()
    elif what == "wait":
        before, since = looks, time.monotonic()
        s = Session.Session(req)
        req.write("%d %f" % (looks - before, time.monotonic() - since))
    elif what == "lock":
        _apache._global_lock(req.server, "key")
        req.log_error("has the global lock", apache.APLOG_NOTICE)
        time.sleep(float(req.args))
        _apache._global_unlock(req.server, "key")
    elif what == "count":
        for _ in range(20):
            _apache._global_lock(req.server, "key")
            with open(req.document_root() + "/count", "r+") as file:
                n = int(file.read() or 0)
                time.sleep(0.0005)
                file.seek(0)
                file.write(str(n + 1))
            _apache._global_unlock(req.server, "key")
    elif what == "thread":
        s = Session.Session(req)
        ended = []
        def free():
            s.unlock()
            ended.append(1)
        one = threading.Thread(target=free)
        one.start()
        one.join()
        req.write("freed by a thread %s" % ended)
    return apache.OK
'''


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_who_waits_for_a_session_is_woken(server: object, workers: int) -> None:
    """A second of waiting is a handful of looks, where six that poll at 10 ms would be six hundred."""
    host: Server = server(CONF.replace("KIND", "SqliteSession").replace("MORE", "").replace("visits", "waiters"),  # type: ignore[operator]
                          {"www/waiters.py": WAITERS, "www/x": ""}, workers=workers)
    host.check_fds = False
    cookie = {"Cookie": (host.get("/x/hold?0").header("Set-Cookie") or "").partition(";")[0]}
    with ThreadPoolExecutor(8) as pool:
        for turn in range(3):
            held = pool.submit(host.get, "/x/hold?1", cookie)
            wait_until(lambda turn=turn: len(re.findall("has the session", host.error_log)) == turn + 2, "the session is held")
            waiting = [pool.submit(host.get, "/x/wait", cookie) for _ in range(6)]
            held.result()
            for one in waiting:
                looks, seconds = map(float, one.result().text.split())
                assert looks < 100 + 60 * seconds, "it polls"


@pytest.mark.slow
def test_global_locks_are_handed_on_between_workers(server: object) -> None:
    host: Server = server(CONF.replace("KIND", "SqliteSession").replace("MORE", "").replace("visits", "waiters"),  # type: ignore[operator]
                          {"www/waiters.py": WAITERS, "www/x": "", "www/count": "0"}, workers=3)
    host.check_fds = False
    with ThreadPoolExecutor(9) as pool:
        assert all(response.status == 200 for response in pool.map(lambda _: host.get("/x/count"), range(18)))
    assert host.read("www/count") == "360"
    assert host.get("/x/thread").text == "freed by a thread [1]"


def test_a_lock_whose_holder_was_killed_is_taken_over(server: object) -> None:
    host: Server = server(CONF.replace("KIND", "SqliteSession").replace("MORE", "").replace("visits", "waiters"),  # type: ignore[operator]
                          {"www/waiters.py": WAITERS + '''
def handler(req):
    import os
    if req.path_info == "/pid":
        req.write("%d" % os.getpid())
        return apache.OK
    if req.path_info == "/die":
        Session.Session(req)
        _apache._global_lock(req.server, "key")
        req.log_error("holds both in %d" % os.getpid(), apache.APLOG_NOTICE)
        time.sleep(300)
    s = Session.Session(req)
    _apache._global_lock(req.server, "key")
    _apache._global_unlock(req.server, "key")
    req.write("has both")
    return apache.OK
''', "www/x": ""}, workers=2)
    host.check_fds = False
    host.allow_log("killed|signal|exited|ended")
    cookie = {"Cookie": (host.get("/x/both").header("Set-Cookie") or "").partition(";")[0]}
    with ThreadPoolExecutor(4) as pool:
        dies = pool.submit(lambda: _status_or_none(host, "/x/die", cookie))
        pid = int(host.expect_log(r"holds both in \d+").rpartition(" ")[2])
        client = host.client()
        while True:  # a connection to the other worker, so that the waiter does not die with the holder
            client.send(build_request("GET", "/x/pid"))
            if int(client.read_response().body) != pid:
                break
            client = host.client()
        client.send(build_request("GET", "/x/both", cookie))
        os.kill(pid, signal.SIGKILL)
        assert client.read_response().body == b"has both"
        assert dies.result() is None


def _status_or_none(host: Server, target: str, headers: dict[str, str]) -> int | None:
    try:
        return host.get(target, headers).status
    except (AssertionError, OSError, EOFError):
        return None

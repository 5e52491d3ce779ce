"""pyhost.coro and pyhost.pool in a handler. Cases for tests/test_coro.py."""
from __future__ import annotations

import gc
import queue
import socket
import threading
import time
import weakref

from green_cases import later, together, within

from pyhost import coro
from pyhost.pool import Pool, PoolClosed, PoolDeadlock, PoolTimeout


def raises(kind: type[BaseException], function: object, *args: object, **kwargs: object) -> BaseException:
    try:
        function(*args, **kwargs)  # type: ignore[operator]
    except kind as exc:
        return exc
    raise AssertionError(f"{kind.__name__} was expected")


def spawn_and_join() -> None:
    task = coro.spawn(lambda a, b=0: a + b, 1, b=2)
    assert not task.started and not task.done
    assert task.get(timeout=2) == 3 and task.done and task.result == 3 and task.exception is None
    assert not coro.spawn(coro.sleep, 0.05).join(0.005)
    raises(TypeError, coro.spawn, 5)
    me = coro.current()
    raises(RuntimeError, me.join)


def task_asked_for_at_the_end_of_another_is_over_too() -> None:
    """What dies with a task asks for the task that runs: that one must not live on into the greenlet's next job."""
    seen: list[coro.Task | None] = []

    class Asks:
        def __del__(self) -> None:
            seen.append(coro.current())

    def leave_it() -> None:
        task = coro.current()
        assert task is not None
        task.locals["asks"] = Asks()

    coro.spawn(leave_it)
    with within(5):
        while not seen:
            coro.sleep(0.001)
    assert seen[0] is None or seen[0].done


def order_is_kept() -> None:
    order: list[int] = []
    together(0, int)
    for task in [coro.spawn(order.append, n) for n in range(20)]:
        task.join()
    assert order == list(range(20))


def stacks_of_every_size_come_back() -> None:
    """The copy of a stack that waits is of any size, smaller and larger ones take each other's place, and a greenlet may go deeper between two waits."""

    def deep(depth: int, tag: int) -> int:
        mine = [tag, depth]
        if depth:
            inner = sum(map(deep, [depth - 1], [tag]))  # by way of C, so that the C stack grows as well
        else:
            inner = 0
        time.sleep(0.001 * (1 + (tag + depth) % 3))
        assert mine == [tag, depth]
        return inner + tag

    with within(60):
        for _ in range(2):
            tasks = [coro.spawn(deep, tag % 14, tag) for tag in range(200)]
            assert [task.get() for task in tasks] == [tag * (tag % 14 + 1) for tag in range(200)]


def sleep_says_what_it_says_elsewhere() -> None:
    def outcome(seconds: object) -> object:
        try:
            return time.sleep(seconds)  # type: ignore[arg-type, func-returns-value]
        except Exception as exc:
            return type(exc), str(exc)

    class Number(float):
        pass

    class Index:
        def __index__(self) -> int:
            return 0

    for seconds in (-1, -0.5, float("nan"), float("inf"), float("-inf"), 1e300, 1 << 70, "1", None, 0, 0.0, -0.0, False, 1e-9, Number(0.001), Index(), 1 + 0j):
        assert outcome(seconds) == coro.blocking(outcome)(seconds), seconds
    raises(TypeError, time.sleep)
    raises(TypeError, time.sleep, 0, 0)
    start = time.monotonic()
    time.sleep(True)
    assert time.monotonic() - start >= 1


def wake_before_park_is_kept() -> None:
    coro.current().wake()
    assert coro.park(5)
    assert not coro.park(0.005)


def conditions() -> None:
    place = coro.cond()
    assert place.wait(0.005) is None and len(place) == 0
    tasks = [coro.spawn(place.wait) for _ in range(3)]
    coro.sleep(0.005)
    assert len(place) == 3
    assert place.wake_one("first") and tasks[0].get() == ("first",)
    assert place.wake(tasks[2], "third") and tasks[2].get() == ("third",)
    assert place.wake_all() == 1 and tasks[1].get() == ()
    assert not place.wake_one()


def killed_waiter_passes_its_wake_on() -> None:
    place = coro.cond()
    first, second = coro.spawn(place.wait), coro.spawn(place.wait, 2)
    coro.sleep(0.005)
    place.wake_one(1)
    first.throw(SystemExit)
    assert second.get() == (1,)


def wake_for_all_is_not_passed_on_to_who_came_later() -> None:
    """Who waits for an event that has been cleared again waits for the next one, though somebody was ended who had been woken by the last one."""
    gate, event, line = coro.Event(), coro.Event(), coro.fifo()  # type: ignore[var-annotated]
    late = coro.spawn(lambda: gate.wait() and event.wait(0.02)), coro.spawn(lambda: gate.wait() and line.pop(5))
    ended = coro.spawn(event.wait), coro.spawn(line.pop)
    coro.sleep(0.002)
    gate.set(), event.set(), event.clear(), line.wake()
    for task in ended:
        task.throw(SystemExit)
    for task in ended:
        task.join()
    line.push("something")
    assert late[0].get() is False and late[1].get() == "something"


def locks_and_semaphores() -> None:
    one = coro.lock()
    inside: list[int] = []

    def work() -> None:
        with one:
            inside.append(1)
            assert sum(inside) == 1
            coro.sleep(0.001)
            inside.pop()

    together(10, work)
    one.lock()
    raises(coro.CoroutineError, one.lock)
    assert coro.spawn(one.tset).get() is False
    failed = coro.spawn(lambda: raises(coro.LockTimeout, one.lock, 0.005))
    assert isinstance(failed.get(), coro.LockTimeout)
    one.unlock()
    raises(coro.CoroutineError, one.unlock)
    two, most, now = coro.Semaphore(2), [0], [0]

    def some() -> None:
        with two:
            now[0] += 1
            most[0] = max(most[0], now[0])
            coro.sleep(0.001)
            now[0] -= 1

    together(10, some)
    assert most == [2]


def events() -> None:
    event = coro.Event()
    assert not event.wait(0.005)
    waiters = [coro.spawn(event.wait, 2) for _ in range(5)]
    later(0.005, event.set)
    assert all(waiter.get() for waiter in waiters) and event.wait()
    event.clear()
    assert not event.is_set()


def coro_queues() -> None:
    box: coro.Queue[int] = coro.Queue(2)
    producer = coro.spawn(lambda: [box.put(n) for n in range(10)])
    assert [box.get(timeout=2) for _ in range(10)] == list(range(10))
    producer.get()
    raises(queue.Empty, box.get, timeout=0.005)
    raises(queue.Empty, box.get_nowait)
    box.put(1), box.put(2)
    raises(queue.Full, box.put, 3, timeout=0.005)
    raises(queue.Full, box.put_nowait, 3)
    line: coro.fifo[str] = coro.fifo(timeout=0.005)
    assert line.pop() is None
    line.push("x")
    assert line.pop() == "x"
    waiting = coro.spawn(line.pop, 2)
    coro.sleep(0.002)
    assert line.waiters() == 1
    line.wake()
    assert waiting.get() is None


def threads() -> None:
    log: list[str] = []

    class Worker(coro.Thread):
        def init(self) -> None:
            log.append("init")

        def run(self) -> str:
            self.set_local("answer", 42)
            child = coro.Thread(target=coro.sleep, args=(0.01,), name="child")
            child.start()
            assert child.parent() is self and self.child_count() <= 1
            assert coro.current_thread() is self and self in coro.thread_list()
            got = self.Yield(2)
            assert self.child_wait(2) == 0
            return str(got)

        def complete(self) -> None:
            log.append("complete")

    worker = Worker(name="worker")
    assert worker.status() == "initial" and worker.join() is None
    worker.start()
    raises(coro.CoroutineError, worker.start)
    coro.sleep(0.005)
    worker.resume("value")
    assert worker.join(2) and worker.result == "value" and log == ["init", "complete"]
    assert worker.get_local("answer") == 42 and worker.resume_count() >= 2 and worker.total_time() > 0
    killed = coro.Thread(target=coro.sleep, args=(10,))
    killed.start()
    coro.sleep(0.002)
    killed.kill()
    assert killed.join(2) and killed.status() == "ended"


def timeouts() -> None:
    def slow() -> None:
        with coro.Timeout(0.01):
            time.sleep(5)

    assert isinstance(raises(coro.Timeout, slow), coro.Timeout)
    with coro.Timeout(0.01, False) as quiet:
        coro.park()
    assert quiet.rang

    def other() -> None:
        with coro.Timeout(0.01, KeyError("mine")):
            threading.Event().wait(5)

    assert raises(KeyError, other).args == ("mine",)
    with coro.deadline(0.01):
        pass
    time.sleep(0.02)  # it was called off


def nested_timeouts() -> None:
    with coro.Timeout(0.01) as inner:
        pass
    try:
        with coro.Timeout(0.02) as outer, coro.Timeout(5):
            time.sleep(5)
    except coro.Timeout as exc:
        assert exc is outer and exc is not inner
    else:
        raise AssertionError("nothing rang")


def groups() -> None:
    pool, now, most = coro.Pool(3), [0], [0]

    def work(n: int) -> int:
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.003)
        now[0] -= 1
        return n * n

    assert pool.map(work, range(10)) == [n * n for n in range(10)] and most == [3]
    assert pool.join(1) and len(pool) == 0


def offloaded_calls() -> None:
    ident = threading.get_ident()

    @coro.blocking
    def outside(seconds: float) -> int:
        assert coro.current() is None
        time.sleep(seconds)
        return threading.get_ident()

    with within(1.0):
        assert all(got != ident for got in together(5, lambda: outside(0.1)))

    @coro.blocking
    def bad() -> None:
        raise KeyError("there")

    assert raises(KeyError, bad).args == ("there",)


def busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def thread_tells_its_longest_stretch() -> None:
    """Of those between two waits, not their sum; the clock goes on for nobody who waits."""
    def work() -> None:
        for stretch in (0.02, 0.06, 0.01):
            busy(stretch)
            coro.sleep(0.2)
        seen.append((thread.long_time(), thread.total_time()))  # asked by itself
        busy(0.001)

    seen: list[tuple[float, float]] = []
    thread = coro.Thread(target=work)
    assert (thread.long_time(), thread.total_time(), thread.resume_count()) == (0.0, 0.0, 0)
    start = time.monotonic()
    thread.start()
    coro.sleep(0)
    while not seen:
        before = thread.long_time()
        coro.sleep(0.01)
        assert thread.long_time() >= before
    thread.join()
    took = time.monotonic() - start
    assert 0.06 <= seen[0][0] <= thread.long_time() <= took
    assert 0.09 <= seen[0][1] <= thread.total_time() <= took - 0.6 + 0.001
    assert thread.long_time() <= thread.total_time() - 0.03
    assert thread.resume_count() >= 4


def deadline_of_socket_calls() -> None:
    """Each call that waits ends in time, whether the socket has a timeout of its own or none; it is as good as before."""
    for timeout in (None, 30.0):
        a, b = socket.socketpair()
        listener, client = socket.create_server(("127.0.0.1", 0)), socket.socket()
        for each in (a, b, listener, client):
            each.settimeout(timeout)
        calls = [lambda: a.recv(1), lambda: a.recvmsg(1), lambda: a.recv_into(bytearray(1)), lambda: a.recv(2, socket.MSG_WAITALL),
                 lambda: a.sendall(bytes(10_000_000)), lambda: a.makefile("rb").read(1), listener.accept, lambda: coro.wait_read(a.fileno())]
        for call in calls:
            with within(10.0):
                try:
                    with coro.deadline(0.02) as limit:
                        call()
                except coro.Timeout as exc:
                    assert exc is limit
                else:
                    raise AssertionError("a Timeout was expected")
        client.connect(listener.getsockname())
        assert listener.accept()[1] == client.getsockname()
        b.send(b"x")
        assert a.recv(1) == b"x"
        a.settimeout(0.01)
        with coro.deadline(30):
            raises(TimeoutError, a.recv, 1)
        for each in (a, b, listener, client):
            each.close()


def where_tells_all_of_them() -> None:
    """Name, cost and stack: of the request that asks, of tasks, of named threads; those that are over, or have not begun, are not told."""
    end = coro.Event()

    def waits_in_the_queue() -> None:
        queue.Queue[int]().get(timeout=30)

    def waits_for_the_event() -> None:
        busy(0.01)
        end.wait()

    thread = coro.Thread(target=waits_for_the_event, name="the one")
    thread.start()
    task = coro.spawn(waits_in_the_queue)
    coro.sleep(0.01)
    late = coro.spawn(int)
    found = {each.name: each for each in coro.where()}
    assert late not in [each.task for each in found.values()]
    assert "waits_for_the_event" in "".join(found["the one"].stack)
    assert found["the one"].run_s >= 0.01 and found["the one"].longest_s >= 0.01 and found["the one"].resumes >= 1
    mine = [each for each in coro.where() if each.task is coro.current()]
    assert len(mine) == 1 and mine[0].run_s > 0
    stacks = ["".join(each.stack) for each in coro.where() if each.task is task]
    assert len(stacks) == 1 and "waits_in_the_queue" in stacks[0]
    task.throw(SystemExit)
    end.set()
    thread.join()
    task.join(10)
    late.join(10)
    left = coro.where()
    assert task not in [each.task for each in left] and "the one" not in [each.name for each in left]


def who_waits_where() -> None:
    def sleeper_in_where() -> None:
        coro.sleep(1)

    task = coro.spawn(sleeper_in_where)
    coro.sleep(0.005)
    found = [each for each in coro.where() if each.task is task]
    assert len(found) == 1 and "sleeper_in_where" in "".join(found[0].stack)
    task.throw(SystemExit)
    assert coro.counts()["greenlets"] >= 2


def raw_greenlets_of_the_talks() -> None:
    """Two greenlets that hand work to each other, and a generator turned inside out."""
    from greenlet import getcurrent, greenlet

    def producer() -> None:
        for n in range(3):
            coro.sleep(0.001)
            consumer_let.switch(n)

    got: list[int] = []

    def consumer(n: int) -> None:
        while True:
            got.append(n)
            n = producer_let.switch()

    here = getcurrent()
    producer_let = greenlet(producer, here)
    consumer_let = greenlet(consumer, here)
    producer_let.switch()
    assert got == [0, 1, 2]


class Connection:
    """Something that a pool holds."""

    def __init__(self) -> None:
        self.healthy, self.closed = True, False

    def close(self) -> None:
        self.closed = True


def pool_bounds_and_reuses() -> None:
    pool = Pool(Connection, 2)
    seen = set()

    def use() -> None:
        with pool.take() as connection:
            seen.add(id(connection))
            coro.sleep(0.002)

    together(10, use)
    assert len(seen) == 2 and pool.counts()["idle"] == 2
    first, second = pool.get(), pool.get()
    raises(ValueError, pool.put, object())
    task = coro.spawn(lambda: raises(PoolTimeout, pool.get, timeout=0.005))
    assert isinstance(task.get(), PoolTimeout)
    assert [held.item for held in pool.held()] == [first, second] and "pool_bounds_and_reuses" in "".join(pool.held()[0].stack)
    pool.put(first), pool.put(second)


def pool_checks_before_reuse() -> None:
    pool = Pool(Connection, 1, check=lambda connection: connection.healthy, check_after=0)
    with pool.take() as first:
        pass
    with pool.take() as again:
        assert again is first
    first.healthy = False
    with pool.take() as other:
        assert other is not first and first.closed


def pool_keeps_priorities() -> None:
    pool, order = Pool(Connection, 1), []

    def use(priority: int) -> None:
        with pool.take(priority):
            order.append(priority)

    held = pool.get()
    tasks = [coro.spawn(use, priority) for priority in (5, 1, 3)]
    coro.sleep(0.005)
    pool.put(held)
    for task in tasks:
        task.get(timeout=2)
    assert order == [1, 3, 5]


def pool_sees_a_deadlock() -> None:
    pool = Pool(Connection, 1)
    with pool.take():
        raises(PoolDeadlock, pool.get)
    with pool.take():
        pass


def pool_drains() -> None:
    pool = Pool(Connection, 2)
    with pool.take() as idle:
        pass
    held = pool.get()
    assert held is idle
    assert not pool.drain(0.005)
    raises(PoolClosed, pool.get)
    later(0.005, pool.put, held)
    assert pool.drain(2) and held.closed


def group_killed_before_it_begins_has_room_again() -> None:
    pool, ran = coro.Pool(1), []
    task = pool.spawn(ran.append, 1)
    pool.kill()
    assert task.join(5) and not ran and len(pool) == 0
    with coro.deadline(5):
        assert pool.spawn(lambda: "next").get() == "next"


def group_has_room_again_after_what_cannot_be_called() -> None:
    pool = coro.Pool(1)
    raises(TypeError, pool.spawn, None)
    with coro.deadline(5):
        assert pool.spawn(lambda: "next").get() == "next"


def threads_of_coroutines_are_forgotten_with_them() -> None:
    """Of more than the pool has room for. Meanwhile their list's lock is held, as by somebody who was made to give way: the hub waits for nobody."""
    go, running = coro.Event(), []

    def asks() -> None:
        running.append(threading.current_thread())
        go.wait()

    before, tasks = threading.active_count(), [coro.spawn(asks) for _ in range(1200)]
    while len(running) < len(tasks):
        coro.sleep(0.001)
    assert threading.active_count() >= 1200
    with vars(threading)["_active_limbo_lock"]:
        go.set()
        for task in tasks:
            task.get(30)
        coro.sleep(0.001)
    running.clear()
    assert threading.active_count() <= before + 1024


def permit_of_a_killed_waiter_is_not_lost() -> None:
    """It has been handed the permit, and is killed before it runs again."""
    for one in (coro.Semaphore(), coro.lock()):
        one.acquire()
        waiter = coro.spawn(one.acquire)
        coro.sleep(0.002)
        one.release()
        waiter.throw(SystemExit)
        waiter.join(5)
        with coro.deadline(5):
            assert one.acquire()
        one.release()
        assert not one.locked()


def fifo_that_somebody_else_has_emptied_goes_on_waiting() -> None:
    line: coro.fifo[int] = coro.fifo()
    waiter = coro.spawn(line.pop)
    coro.sleep(0.002)
    line.push(1)
    assert line.pop() == 1  # before the one that was woken runs
    coro.sleep(0.002)
    assert not waiter.done
    line.push(2)
    assert waiter.get(5) == 2
    waiter = coro.spawn(line.pop, 0.01)
    coro.sleep(0.002)
    line.push(3)
    assert line.pop() == 3
    assert waiter.get(5) is None and line.pop(0) is None


def child_killed_before_it_begins_is_waited_for() -> None:
    def run() -> int:
        child = coro.Thread(target=coro.sleep, args=(10,))
        child.start()
        child.kill()
        return parent.child_wait()

    parent = coro.Thread(target=run)
    parent.start()
    assert parent.join(5) and parent.result == 0


def children_are_those_that_live() -> None:
    """Those that have not been started, or have ended, or were abandoned before they were started, are none."""
    def run() -> list[object]:
        early, later_, never = (coro.Thread(target=coro.sleep, args=(10,)) for _ in range(3))
        early.start()
        killed = coro.Thread(target=coro.sleep, args=(10,))
        killed.start(), killed.kill()
        coro.sleep(0.002)
        found: list[object] = [parent.child_list() == [early], early.parent() is later_.parent() is parent]
        parent.abandon()
        later_.start()
        found += [parent.child_list() == [], early.parent() is later_.parent() is never.parent() is None, parent.child_wait(5) == 0]
        for child in (early, later_):
            child.kill()
            child.join()
        return found

    parent = coro.Thread(target=run)
    parent.start()
    assert parent.join(5) and parent.result == [True] * 5, (parent.result, parent.exception)


def what_was_thrown_in_and_caught_holds_nothing() -> None:
    """As long as the task lives, that is; and a later fault of it is a fault like any other."""
    class Thing:
        pass

    seen: list[weakref.ref[Thing]] = []

    def catches() -> str:
        thing = Thing()
        seen.append(weakref.ref(thing))
        coro.sleep(10)
        return "was not ended"

    def outlives() -> str:
        try:
            return catches()
        except Stop:
            pass
        try:
            with coro.Timeout(0.001, False) as quiet:
                thing = Thing()
                seen.append(weakref.ref(thing))
                coro.sleep(10)
        finally:
            thing = None  # type: ignore[assignment]
        return str(quiet.rang)

    gc.disable()
    try:
        task = coro.spawn(outlives)
        coro.sleep(0.002)
        task.throw(Stop())
        assert task.get(5) == "True" and [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


def resume_of_a_thread_is_told_from_other_wakes() -> None:
    def run() -> None:
        coro.current().wake()  # somebody's, meant for something else
        for timeout, otherwise in ((0.01, "late"), (None, None), (0.01, "late again")):
            came.append(thread.Yield(timeout, otherwise))

    came: list[object] = []
    thread = coro.Thread(target=run)
    thread.start()
    while not came:
        coro.sleep(0.001)
    thread.resume("value")
    assert thread.join(5) and came == ["late", "value", "late again"]


class Stop(BaseException):
    """As a timeout is, or a client that has gone."""


def pool_whose_connections_cannot_be_made_keeps_nobody_waiting() -> None:
    def make() -> Connection:
        coro.sleep(0.002)
        raise OSError("nobody listens")

    pool = Pool(make, 1)
    tasks = [coro.spawn(lambda: raises(OSError, pool.get)) for _ in range(4)]
    for task in tasks:
        assert isinstance(task.get(5), OSError)
    assert pool.counts() == {"size": 1, "held": 0, "idle": 0, "waiting": 0, "making": 0}


def pool_gives_no_more_than_it_has_while_the_source_is_read() -> None:
    """Where an item was taken is told with the line of the source; a loader that waits lets others run."""
    read, taken = coro.Event(), []  # type: ignore[var-annotated]

    class Loader:
        def get_source(self, _name: str) -> str:
            read.wait()
            return "pool.get()"

    pool = Pool(Connection, 1)
    names = {"__name__": "elsewhere", "__loader__": Loader(), "pool": pool, "taken": taken}
    takes = coro.spawn(exec, compile("taken.append(pool.get(timeout=5))", "elsewhere.py", "exec"), names)
    coro.sleep(0.002)
    mine = pool.get(timeout=5)
    assert pool.counts()["held"] == 1 and not taken
    read.set()
    coro.sleep(0.002)
    pool.put(mine)
    takes.get()
    assert taken == [mine]
    pool.put(mine)


def pool_loses_nothing_when_a_check_is_ended() -> None:
    made: list[Connection] = []

    def make() -> Connection:
        made.append(Connection())
        return made[-1]

    def check(connection: Connection) -> bool:
        coro.sleep(10 if connection is made[0] else 0)
        return True

    pool = Pool(make, 1, check=check, check_after=0)
    pool.put(pool.get())
    checks = coro.spawn(lambda: raises(Stop, pool.get))
    coro.sleep(0.002)
    waits = coro.spawn(pool.get)
    coro.sleep(0.002)
    checks.throw(Stop())
    assert isinstance(checks.get(5), Stop)
    assert waits.get(5) is made[1] and made[0].closed
    pool.put(made[1])

    def use() -> None:
        with pool.take() as connection:
            made[0] = connection  # its check is slow from now on
            raise ValueError

    uses = coro.spawn(lambda: raises(Stop, use))
    coro.sleep(0.002)
    uses.throw(Stop())
    assert isinstance(uses.get(5), Stop)
    with coro.deadline(5):
        assert pool.get() is not made[0] and made[1].closed
    assert pool.counts()["held"] == 1 and pool.counts()["making"] == 0


def pool_throws_away_what_was_in_the_midst_of_something() -> None:
    """A wait that a timeout has ended leaves half an answer in the connection; an ordinary error does not."""
    pool = Pool(Connection, 1)

    def use(error: BaseException) -> Connection:
        try:
            with pool.take() as connection:
                raise error
        except (coro.Timeout, ValueError):
            return connection

    first = use(ValueError())
    assert pool.counts()["idle"] == 1 and not first.closed
    assert use(coro.Timeout(1)) is first and first.closed and pool.counts()["idle"] == 0
    with pool.take() as other:
        assert other is not first


def pool_drains_what_is_being_made() -> None:
    made: list[Connection] = []

    told = coro.Event()

    def make() -> Connection:
        told.wait(5)
        made.append(Connection())
        return made[-1]

    pool = Pool(make, 2)
    takes = coro.spawn(lambda: raises(PoolClosed, pool.get))
    coro.sleep(0.002)
    assert not pool.drain(0.001)
    later(0.002, told.set)
    assert pool.drain(5)
    assert isinstance(takes.get(5), PoolClosed) and made[0].closed and pool.counts()["held"] == 0


def pool_place_that_is_promised_is_no_deadlock() -> None:
    pool = Pool(Connection, 2)
    mine, theirs = pool.get(), coro.spawn(pool.get).get(5)
    waits = coro.spawn(pool.get)
    coro.sleep(0.002)
    pool.put(theirs)  # it goes to who waits, who has not run yet
    later(0.005, lambda: pool.put(waits.get(5)))
    assert pool.get(timeout=5) is theirs
    pool.put(mine), pool.put(theirs)


def pool_block_may_give_back_by_itself() -> None:
    pool = Pool(Connection, 1)
    with pool.take() as connection:
        pool.discard(connection)
    with pool.take() as other:
        pool.put(other)
        assert pool.get() is other  # somebody else's by now
    assert connection.closed and pool.counts()["held"] == 1
    pool.put(other)

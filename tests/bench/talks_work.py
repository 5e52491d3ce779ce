"""What the talks compare: units that wait, and two that wake each other. `python talks_work.py COUNT threads`, `… gevent`, `… asyncio`, or
`pyhost talks_work.py COUNT pyhost`: each with its own events and semaphores.

Prints as JSON: bytes of memory for each of COUNT units that wait, microseconds of CPU time to start, wake and end it, and microseconds for one
switch between two of them.
"""
from __future__ import annotations

import json
import resource
import sys
import time

count, kind = int(sys.argv[1]), sys.argv[2]
SWITCHES, BATCHES = 5_000, 5


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def blocking() -> dict[str, float]:
    """Units that wait for a semaphore, are woken one after the other, and end; then two that wake each other."""
    if kind == "pyhost":
        from pyhost.coro import Semaphore, spawn
    elif kind == "gevent":
        from gevent import spawn
        from gevent.lock import Semaphore
    else:
        from threading import Semaphore, Thread

        def spawn(f):
            made = Thread(target=f)
            made.start()
            return made
    gate, begun, ended = Semaphore(0), Semaphore(0), Semaphore(0)

    def waits():
        begun.release()
        gate.acquire()
        ended.release()

    before, start = resident(), time.process_time()
    units = [spawn(waits) for _ in range(count)]
    for _ in units:
        begun.acquire()
    memory = (resident() - before) / count
    for _ in units:
        gate.release()
        ended.acquire()
    for unit in units:
        unit.join()
    cost = (time.process_time() - start) / count * 1e6
    here, there = Semaphore(0), Semaphore(0)

    def other():
        while True:
            there.acquire()
            if done:
                return
            here.release()

    done: list[int] = []
    unit, best = spawn(other), float("inf")
    for _ in range(BATCHES):
        start = time.process_time()
        for _ in range(SWITCHES):
            there.release()
            here.acquire()
        best = min(best, time.process_time() - start)
    done.append(1)
    there.release()
    unit.join()
    return {"memory": memory, "life": cost, "switch": best / SWITCHES / 2 * 1e6}


async def tasks() -> dict[str, float]:
    """The same with asyncio's tasks."""
    import asyncio
    gate, ended = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def waits():
        await gate.acquire()
        ended.release()

    before, start = resident(), time.process_time()
    units = [asyncio.create_task(waits()) for _ in range(count)]
    await asyncio.sleep(0)
    memory = (resident() - before) / count
    for _ in units:
        gate.release()
        await ended.acquire()
    await asyncio.gather(*units)
    cost = (time.process_time() - start) / count * 1e6
    here, there = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def other():
        while True:
            await there.acquire()
            here.release()

    unit, best = asyncio.create_task(other()), float("inf")
    for _ in range(BATCHES):
        start = time.process_time()
        for _ in range(SWITCHES):
            there.release()
            await here.acquire()
        best = min(best, time.process_time() - start)
    unit.cancel()
    return {"memory": memory, "life": cost, "switch": best / SWITCHES / 2 * 1e6}


if kind == "asyncio":
    import asyncio
    found = asyncio.run(tasks())
else:
    found = blocking()
print(json.dumps(found))

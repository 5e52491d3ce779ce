"""An ASGI application for tests/test_asgi_limits.py: the first word of the path below its mount names what it does."""
import asyncio
import sys
import time

seen: list[str] = vars(sys).setdefault("seen_by_tests", [])  # each application runs this file anew


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    await globals()["do_" + scope["path"].removeprefix(scope["root_path"]).strip("/")](scope, receive, send)


async def sleeps(scope, receive, send):
    """Without a lifespan."""
    assert scope["type"] == "http"
    await asyncio.sleep(30)
    await answer(send, "slept")


async def slow_start(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        while "go" not in seen:
            await asyncio.sleep(0.005)
        await send({"type": "lifespan.startup.complete"})
        await receive()
    else:
        seen.append("called")
        await answer(send, "started")


async def answer(send, text, more=False):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


async def do_quick(scope, receive, send):
    await answer(send, "quick")


async def do_tell(scope, receive, send):
    await answer(send, " ".join(seen))


async def do_go(scope, receive, send):
    seen.append("go")
    await answer(send, "go")


async def deep_in_it():
    await asyncio.get_running_loop().create_future()


async def do_sleeps(scope, receive, send):
    try:
        await deep_in_it()
    finally:
        seen.append("finally")


async def do_child(scope, receive, send):
    async with asyncio.TaskGroup() as group:
        group.create_task(deep_in_it(), name="the child")


async def do_reads(scope, receive, send):
    while (await receive())["type"] != "http.disconnect":
        pass


async def do_stubborn(scope, receive, send):
    try:
        await deep_in_it()
    except asyncio.CancelledError:
        try:
            await answer(send, "too late")
        except OSError as error:
            seen.append(type(error).__name__)
        seen.append((await receive())["type"])


async def do_half(scope, receive, send):
    await answer(send, "half", more=True)
    await deep_in_it()


async def do_answers(scope, receive, send):
    await answer(send, "whole")
    await asyncio.sleep(1.2)
    seen.append("afterwards")


async def do_remembers(scope, receive, send):
    seen.append("began")
    try:
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                seen.append("told")
                await deep_in_it()
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise
    finally:
        seen.append("finally")


async def do_listens(scope, receive, send):
    seen.append("began")
    while (await receive())["type"] != "http.disconnect":
        pass
    seen.append("told")


async def do_socket(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    try:
        await deep_in_it()
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


async def do_echo(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def do_knocks(scope, receive, send):
    await receive()
    await deep_in_it()


def is_named(scope):
    """Does the log (query: file,word) have the word by now? The one who holds up the loop goes on until then."""
    path, word = scope["query_string"].decode().split(",")
    with open(path) as log:
        return word in log.read()


def compute(scope):
    end = time.monotonic() + 20
    while not is_named(scope) and time.monotonic() < end:
        sum(range(10000))


async def do_computes(scope, receive, send):
    await asyncio.sleep(0.001)
    compute(scope)
    await answer(send, "computed")


async def do_computes_at_once(scope, receive, send):
    compute(scope)
    await answer(send, "computed")


def until_told(seconds):
    end = time.monotonic() + seconds
    while "told" not in seen and time.monotonic() < end:
        sum(range(100))
    return "told" if "told" in seen else "not told"


async def do_computes_until_told(scope, receive, send):
    await asyncio.sleep(0.001)
    await answer(send, until_told(30))


async def do_computes_until_told_at_once(scope, receive, send):
    await answer(send, until_told(30))


async def do_computes_until_told_in_a_task(scope, receive, send):
    async def work():
        await asyncio.sleep(0.001)
        return until_told(30)

    await answer(send, await asyncio.create_task(work()))


async def do_computes_for_a_while(scope, receive, send):
    await answer(send, "told before" if "told" in seen else until_told(0.3))


async def do_blocks(scope, receive, send):
    await asyncio.sleep(0.001)
    end = time.monotonic() + 20
    while not is_named(scope) and time.monotonic() < end:
        time.sleep(0.01)
    await answer(send, "slept")


async def do_computes_in_a_task(scope, receive, send):
    async def work():
        await asyncio.sleep(0.001)
        compute(scope)

    await asyncio.create_task(work())
    await answer(send, "computed")

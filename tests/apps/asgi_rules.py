"""An ASGI application for tests/test_asgi.py, chosen by the last part of the path."""
import asyncio
import hashlib
import json
import os
import sys
import time

PLAIN = [(b"content-type", b"text/plain")]


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    name = scope["path"].removeprefix(scope["root_path"]).strip("/").split("/")[0]
    await globals()["do_" + name](scope, receive, send)


async def lifespan(scope, receive, send):
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await asyncio.sleep(0.01)
            scope["state"]["started"] = True
            await send({"type": "lifespan.startup.complete"})
        else:
            await asyncio.sleep(0.01)
            print("the application has shut down", file=sys.stderr)
            await send({"type": "lifespan.shutdown.complete"})
            return


async def answer(send, body, status=200, headers=PLAIN):
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if isinstance(body, bytes) else body.encode()})


async def do_hello(scope, receive, send):
    await answer(send, "hello")


async def do_scope(scope, receive, send):
    await answer(send, json.dumps(scope, default=lambda value: value.decode("latin-1")))


async def do_state(scope, receive, send):
    mine = scope["state"].setdefault("mine", 0)
    scope["state"]["mine"] += 1
    await answer(send, f"{scope['state']['started']} {mine}")


async def do_sleep(scope, receive, send):
    await asyncio.sleep(0.2)
    await answer(send, "slept")


async def do_block(scope, receive, send):
    import pyhost
    await asyncio.gather(*(pyhost.in_greenlet(time.sleep, 0.2) for _ in range(50)))
    try:
        await pyhost.in_greenlet(int, "x")
    except ValueError as error:
        await answer(send, str(error))


async def do_hash(scope, receive, send):
    digest = hashlib.sha256()
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        digest.update(message["body"])
        if not message["more_body"]:
            break
    await answer(send, digest.hexdigest())


async def do_path(scope, receive, send):
    """?path of a file,how: whole, after (some bytes), first (before the start), twice."""
    assert "http.response.pathsend" in scope["extensions"]
    path, how = scope["query_string"].decode().split(",")
    message = {"type": "http.response.pathsend", "path": path or None}
    if how == "first":
        await send(message)
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    if how == "after":
        await send({"type": "http.response.body", "body": b"before it ", "more_body": True})
    await send(message if how != "none" else {"type": "http.response.pathsend"})
    if how == "twice":
        await send(message)


async def do_hint(scope, receive, send):
    assert "http.response.early_hint" in scope["extensions"]
    await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]})
    await answer(send, "hinted")
    if scope["query_string"]:
        await send({"type": "http.response.early_hint", "links": [b"</late>"]})


async def do_stream(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    for number in range(3):
        await send({"type": "http.response.body", "body": b"%d," % number, "more_body": True})
        await asyncio.sleep(0.01)
    await send({"type": "http.response.body"})


async def do_large(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    for _ in range(160):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def do_at_once(scope, receive, send):
    await answer(send, b"y" * 10485760)


async def do_disconnect(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    await send({"type": "http.response.body", "body": b"waiting", "more_body": True})
    assert (await receive())["type"] == "http.request"
    message = await receive()
    print("told:", message["type"], file=sys.stderr)
    assert (await receive())["type"] == "http.disconnect"
    try:
        while True:
            await send({"type": "http.response.body", "body": b"into the void", "more_body": True})
            await asyncio.sleep(0.001)
    except OSError as error:
        print("send said:", error, file=sys.stderr)
    print("told twice", file=sys.stderr)


async def do_listen(scope, receive, send):
    """Beside the answer somebody listens for the client's end."""
    async def listen():
        while (await receive())["type"] != "http.disconnect":
            pass
        print("the listener was told", scope["query_string"].decode(), file=sys.stderr)

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0)
    await answer(send, b"answered")
    await listener


async def do_timeout(scope, receive, send):
    first = await receive()
    try:
        await asyncio.wait_for(receive(), 0.05)
    except TimeoutError:
        await answer(send, b"timed out " + first["type"].encode())


async def do_length(scope, receive, send):
    says, has = scope["query_string"].split(b",")
    await answer(send, b"x" * int(has), headers=[*PLAIN, (b"content-length", says)])


async def do_status(scope, receive, send):
    await answer(send, b"body", int(scope["query_string"]))


async def do_headers(scope, receive, send):
    await answer(send, b"", headers=[(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"transfer-encoding", b"chunked"), (b"x-latin", b"caf\xe9")])


async def do_task(scope, receive, send):
    async def later():
        assert asyncio.current_task() is not main
        await asyncio.sleep(0)
        return b"another task"
    main = asyncio.current_task()
    await answer(send, await asyncio.create_task(later()))


async def do_background(scope, receive, send):
    await answer(send, "answered")
    await asyncio.sleep(0.05)
    print("in the background", file=sys.stderr)


async def do_busy(scope, receive, send):
    for _ in range(20000):
        await asyncio.sleep(0)
    await answer(send, "was busy")


async def do_thread(scope, receive, send):
    loop = asyncio.get_running_loop()
    await answer(send, str(await loop.run_in_executor(None, sum, [1, 2, 3])))


async def do_connect(scope, receive, send):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(scope["query_string"]))
    writer.write(b"GET " + scope["root_path"].encode() + b"/hello HTTP/1.0\r\n\r\n")
    text = await reader.read()
    writer.close()
    await answer(send, text.rpartition(b"\r\n")[2])


async def do_context(scope, receive, send):
    before = VARIABLE.get()
    VARIABLE.set(before + 1)
    await asyncio.sleep(0.01)
    await answer(send, f"{before} {VARIABLE.get()}")


VARIABLE = __import__("contextvars").ContextVar("variable", default=0)

# what must not be done


async def do_raise(scope, receive, send):
    when = scope["query_string"]
    if when == b"before":
        raise RuntimeError("on purpose")
    if when == b"exit":
        sys.exit(3)
    if when == b"later":
        await asyncio.sleep(0.01)
        raise RuntimeError("on purpose")
    await send({"type": "http.response.start", "status": 200, "headers": PLAIN})
    if when == b"started":
        raise RuntimeError("on purpose")
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    if when == b"middle":
        raise RuntimeError("on purpose")
    await send({"type": "http.response.body", "body": b"."})
    raise RuntimeError("on purpose")


BAD = {
    "nothing": [], "no_type": [{}], "not_a_dict": [5], "unknown": [{"type": "http.nonsense"}], "body_first": [{"type": "http.response.body"}],
    "twice": [{"type": "http.response.start", "status": 200}] * 2, "no_status": [{"type": "http.response.start"}],
    "status_text": [{"type": "http.response.start", "status": "200"}], "status_low": [{"type": "http.response.start", "status": 99}],
    "header_text": [{"type": "http.response.start", "status": 200, "headers": [("a", "b")]}],
    "header_newline": [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nc: d")]}],
    "header_name": [{"type": "http.response.start", "status": 200, "headers": [(b"a b", b"c")]}],
    "header_three": [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"b", b"c")]}],
    "headers_number": [{"type": "http.response.start", "status": 200, "headers": 5}],
    "body_text": [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": "text"}],
    "only_start": [{"type": "http.response.start", "status": 200}]}


async def do_bad(scope, receive, send):
    for message in BAD[scope["query_string"].decode()]:
        await send(message)


async def do_file(scope, receive, send):
    """?status,length of the head, which counts, whatever the file has."""
    status, length = scope["query_string"].decode().split(",")
    headers = [*PLAIN, (b"content-length", length.encode())] if length else PLAIN
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.pathsend", "path": __file__})


async def do_no_body(scope, receive, send):
    await send({"type": "http.response.start", "status": int(scope["query_string"]), "headers": PLAIN})
    await send({"type": "http.response.body", "body": None})


async def do_receivers(scope, receive, send):
    """Tasks made of receive() itself: one that is cancelled cancels no other, and sending can be a task, too."""
    assert asyncio.iscoroutine(receive())
    waiting = [asyncio.create_task(receive()) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    late = asyncio.create_task(receive())
    late.cancel()
    await asyncio.wait(waiting[1:2])
    assert waiting[1].cancelled() and not waiting[0].done() and not waiting[2].done()
    try:
        receive().throw(KeyError("thrown"))
    except KeyError:
        receive().close()
    await asyncio.create_task(send({"type": "http.response.start", "status": 200, "headers": PLAIN}))
    await asyncio.create_task(send({"type": "http.response.body", "body": b"answered"}))
    print("receivers were told", {(await waiting[n])["type"] for n in (0, 2, 3)}, file=sys.stderr)


async def do_leave(scope, receive, send):
    """?at_once, later: in the request's own task; task, callback: beside it."""
    how = scope["query_string"]
    if how == b"at_once":
        sys.exit(3)
    if how == b"later":
        await asyncio.sleep(0.001)
        sys.exit(3)
    if how == b"callback":
        asyncio.get_running_loop().call_soon(sys.exit, 3)
    else:
        async def leave():
            await asyncio.sleep(0.001)
            sys.exit(3)
        kept.append(asyncio.create_task(leave(), name="the leaver"))
    await asyncio.sleep(0.01)
    await answer(send, "stays")


kept = []


async def do_over(scope, receive, send):
    await answer(send, "whole")
    await send({"type": "http.response.body", "body": b"more"})


def sync(scope, receive, send):
    return 5


async def failing(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "the database is away"})


async def raises_too(scope, receive, send):
    """As Starlette: says that it has failed, and raises; with a variable in the environment its shutdown does."""
    if scope["type"] != "lifespan":
        return await answer(send, "started")
    await receive()
    if "shutdown" in os.environ:
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "on purpose: the shutdown"})
    else:
        await send({"type": "lifespan.startup.failed", "message": "on purpose: the database is away"})
    raise RuntimeError("on purpose: raised, too")


async def says_so_and_leaves(scope, receive, send):
    if scope["type"] != "lifespan":
        return await answer(send, "started")
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "on purpose: no licence"})
    sys.exit("on purpose: left, too")


async def leaves(scope, receive, send):
    if scope["type"] != "lifespan":
        return await answer(send, "started")
    await receive()
    sys.exit("on purpose: no settings")


async def without_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await answer(send, json.dumps(sorted(scope)))

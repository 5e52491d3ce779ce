"""An ASGI application without a framework: server-sent events, and what the lifespan is good for."""
import asyncio
import time


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope["state"], receive, send)
    elif scope["path"] == scope["root_path"] + "/events":
        await events(scope["state"], send)
    else:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"There is only /async/events\n"})


async def lifespan(state, receive, send):
    await receive()
    state["since"] = time.time()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def events(state, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in range(5):
        text = f"data: event {number}, {time.time() - state['since']:.1f} s after the start\n\n"
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body"})

"""A chat room: whatever one says, everybody hears."""
from urllib.parse import urlsplit

from mod_python import apache

people = []
LONGEST = 100  # messages that a newcomer is told
said = []


def tell_all(text):
    said.append(text)
    del said[:-LONGEST]
    for ws in list(people):
        try:
            ws.send(text)  # waits while this one is slow: for many people, give each a queue and a greenlet of its own
        except OSError:
            pass           # gone: its own handler takes it from the list


def handler(req):
    # Any page of the web may try to open a WebSocket here, with the visitor's cookies: ask where it comes from.
    origin = req.headers_in.get("Origin")
    if origin and urlsplit(origin).netloc != req.headers_in.get("Host"):
        return apache.HTTP_FORBIDDEN
    ws = req.websocket()
    for text in said:
        ws.send(text)
    people.append(ws)
    try:
        for message in ws:
            if isinstance(message, str):
                tell_all(message)
    finally:
        people.remove(ws)
    return apache.OK

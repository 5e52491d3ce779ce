"""An echo server, one coroutine a client. pyhost apache-conf/gogreen/echo.py [port]"""
import socket
import sys

import coro


def echo(client):
    with client:
        while data := client.recv(8192):
            client.sendall(data)


def serve(listener):
    while True:
        client, _ = listener.accept()
        coro.spawn(echo, client)


listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8900))
print("echo on port", listener.getsockname()[1], flush=True)
coro.spawn(serve, listener)
coro.event_loop(30.0)

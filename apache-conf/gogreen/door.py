"""A program with a back door: a Python prompt in it. pyhost apache-conf/gogreen/door.py [port]"""
import signal
import sys

import coro
from backdoor import BackDoorServer

answer = 42
door = BackDoorServer((int(sys.argv[1]) if len(sys.argv) > 1 else 8023, "127.0.0.1"))
door.start()
signal.signal(signal.SIGUSR2, lambda *_: coro.shutdown())
print("door on port", door.address[1], flush=True)
coro.event_loop(30.0)
door.shutdown()
print("closed", flush=True)

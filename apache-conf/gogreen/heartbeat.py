"""Beats while another coroutine waits for something else. pyhost apache-conf/gogreen/heartbeat.py [beats]"""
import sys
import time

import coro

beats = int(sys.argv[1]) if len(sys.argv) > 1 else 3


def waits():
    time.sleep(0.01 * beats)
    print("waited", flush=True)


class Heartbeat(coro.Thread):
    def run(self):
        for number in range(beats):
            print("beat", number, flush=True)
            coro.sleep(0.005)


heart, other = Heartbeat(), coro.Thread(target=waits)
heart.start()
other.start()
heart.join()
other.join()

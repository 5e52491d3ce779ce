"""A WSGI application that waits 10 ms in MariaDB through mysqlclient, a driver written in C: served by pyhost and by gunicorn with gevent."""
from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import MySQLdb

local = threading.local()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    if not hasattr(local, "link"):
        local.link = MySQLdb.connect(unix_socket=os.environ["DB"], user="root")
    cursor = local.link.cursor()
    cursor.execute("select sleep(0.01)")
    cursor.fetchone()
    cursor.close()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"slept"]

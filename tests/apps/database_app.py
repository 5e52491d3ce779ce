"""Handlers that wait for a tenth of a second in a database, each with its driver, used as its manual says: blocking, one connection per thread."""
from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from mod_python import apache

WAIT_S = 0.1
local = threading.local()


def connection(name: str, connect: Callable[[], Any]) -> Any:
    """Return this thread's (here: this pooled greenlet's) connection, made on first use."""
    if not hasattr(local, name):
        setattr(local, name, connect())
    return getattr(local, name)


def query(driver: Any, text: str) -> Any:
    cursor = driver.cursor()
    cursor.execute(text)
    row = cursor.fetchone()
    cursor.close()
    return row


def pymysql() -> Any:
    import pymysql as driver
    # else it loads the system's certificates for each connection: tens of milliseconds of computing for nothing
    link = connection("pymysql", lambda: driver.connect(unix_socket=os.environ["DB"], user="root", ssl_disabled=True))
    return query(link, f"select sleep({WAIT_S})")


def mysqlclient() -> Any:
    import MySQLdb as driver
    link = connection("mysqlclient", lambda: driver.connect(unix_socket=os.environ["DB"], user="root"))
    return query(link, f"select sleep({WAIT_S})")


def mariadb() -> Any:
    import mariadb as driver
    link = connection("mariadb", lambda: driver.connect(unix_socket=os.environ["DB"], user="root"))
    return query(link, f"select sleep({WAIT_S})")


def psycopg2() -> Any:
    import psycopg2 as driver

    def connect() -> Any:
        link = driver.connect(host=os.environ["DB"], user="postgres", dbname="postgres")
        link.autocommit = True
        return link

    return query(connection("psycopg2", connect), f"select pg_sleep({WAIT_S})")


shared: list[Any] = []


def psycopg2_shared() -> Any:
    """One connection for all greenlets: psycopg2 guards it with a mutex, held while libpq waits."""
    import psycopg2 as driver
    if not shared:
        shared.append(None)
        shared[0] = driver.connect(host=os.environ["DB"], user="postgres", dbname="postgres")
        shared[0].autocommit = True
    while shared[0] is None:
        time.sleep(0.01)
    return query(shared[0], "select pg_sleep(0.02)")


def psycopg() -> Any:
    import psycopg as driver
    link = connection("psycopg", lambda: driver.connect(host=os.environ["DB"], user="postgres", dbname="postgres", autocommit=True))
    return query(link, f"select pg_sleep({WAIT_S})")


def redis() -> Any:
    import redis as driver
    link = connection("redis", lambda: driver.Redis(unix_socket_path=os.environ["DB"], single_connection_client=True))
    return link.blpop("nothing", WAIT_S)


LONG_S = 30
ends: list[str] = []


def waits_long(name: str) -> None:
    """Wait in the database for longer than any client does, on a connection of its own."""
    if name == "redis":
        import redis as driver
        link = driver.Redis(unix_socket_path=os.environ["DB"], single_connection_client=True)
        link.ping()
        ends.append("began")
        link.blpop("nothing", LONG_S)
    elif name in ("psycopg", "psycopg2"):
        link = __import__(name).connect(host=os.environ["DB"], user="postgres", dbname="postgres")
        ends.append("began")
        query(link, f"select pg_sleep({LONG_S})")
    else:
        more = {"ssl_disabled": True} if name == "pymysql" else {}
        link = __import__({"mysqlclient": "MySQLdb"}.get(name, name)).connect(unix_socket=os.environ["DB"], user="root", **more)
        ends.append("began")
        query(link, f"select sleep({LONG_S})")


def remembers(req: Any) -> int:
    """Write down how the wait ended; whatever the driver says of it."""
    from pyhost import coro
    try:
        waits_long(req.args)
        ends.append("answer")
    except coro.ClientGone:
        ends.append("gone")
        raise
    finally:
        ends.append("over")
    return int(apache.OK)


def connect(name: str) -> Any:
    """To a server that takes the connection and never says a word."""
    path = os.environ["DB"] + "/.s.PGSQL.5432"
    if name == "redis":
        import redis as driver
        return driver.Redis(unix_socket_path=path).ping()
    if name in ("psycopg", "psycopg2"):
        return __import__(name).connect(host=os.environ["DB"], user="postgres", dbname="postgres")
    more = {"ssl_disabled": True} if name == "pymysql" else {}
    return __import__({"mysqlclient": "MySQLdb"}.get(name, name)).connect(unix_socket=path, user="root", **more)


def loads(req: Any) -> int:
    """What is imported here is imported in no request that is bounded."""
    __import__({"mysqlclient": "MySQLdb"}.get(req.args, req.args))
    return int(apache.OK)


def connects(req: Any) -> int:
    """Write down how it ended, unless a driver's own error is on its way out: that is not caught."""
    ends.append("began")
    try:
        connect(req.args)
        ends.append("answer")
    finally:
        ends.append("over")
    return int(apache.OK)


def connects_and_goes_on(req: Any) -> int:
    """As applications do: the driver's error is caught, and something else tried."""
    try:
        connect(req.args)
    except Exception:
        time.sleep(30)
    req.write("went on")
    return int(apache.OK)


def connects_in_time(req: Any) -> int:
    from pyhost import coro
    try:
        with coro.deadline(0.1) as limit:
            connect(req.args)
    except coro.Timeout as exc:
        req.write(f"Timeout {exc is limit}")
    return int(apache.OK)


def tells(req: Any) -> int:
    req.write(" ".join(ends))
    return int(apache.OK)


def handler(req: Any) -> int:
    """Run the driver named in the query string."""
    req.content_type = "text/plain"
    req.write(repr(globals()[req.args]()))
    return int(apache.OK)

"""Well-known packages used as their manuals say, in handlers. Each waits for 0.2 s somewhere; tests/test_green_libraries.py counts the time."""
from __future__ import annotations

import os
import smtplib
import ssl
import threading
import time
import urllib.request
from typing import Any

from mod_python import apache

local = threading.local()


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ["CERT"])


def standard_urllib() -> str:
    with urllib.request.urlopen(os.environ["URL"], context=client_context()) as answer:
        return str(answer.read().decode())


def with_requests() -> str:
    import requests
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.verify = os.environ["CERT"]
        local.session.trust_env = False
    return str(local.session.get(os.environ["URL"], timeout=20).text)


def with_urllib3() -> str:
    import urllib3
    if not hasattr(local, "pool"):
        local.pool = urllib3.PoolManager(ca_certs=os.environ["CERT"])
    return str(local.pool.request("GET", os.environ["URL"], timeout=20).data.decode())


def with_httpx() -> str:
    import httpx
    with httpx.Client(verify=client_context(), trust_env=False) as client:
        return str(client.get(os.environ["URL"], timeout=20).text)


def with_smtplib() -> str:
    with smtplib.SMTP("127.0.0.1", int(os.environ["SMTP_PORT"])) as server:
        server.sendmail("a@example", ["b@example"], "Subject: x\r\n\r\nbody\r\n")
    return "slept"


def sqlalchemy_engine() -> Any:
    import sqlalchemy
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.QueuePool, pool_size=5, max_overflow=0,
                                      connect_args={"check_same_thread": False})

    @sqlalchemy.event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.create_function("wait", 1, lambda seconds: time.sleep(seconds) or 1)

    return engine


engines: dict[str, Any] = {}


def with_sqlalchemy_pool() -> str:
    """Five connections for all: the pool's own queue makes the others wait."""
    import sqlalchemy
    engine = engines.setdefault("engine", None) or engines.update(engine=sqlalchemy_engine()) or engines["engine"]
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select 1"))
        time.sleep(0.05)
    return "slept"


def with_flask() -> str:
    import flask
    app = flask.Flask("app")
    with app.test_request_context(f"/?n={threading.get_ident()}"):
        time.sleep(0.2)
        assert flask.request.args["n"] == str(threading.get_ident())
    return "slept"


def with_django() -> str:
    from asgiref.local import Local
    from django.urls import get_script_prefix, set_script_prefix
    mine, prefix = Local(), f"/{threading.get_ident()}/"
    mine.value = prefix
    set_script_prefix(prefix)
    time.sleep(0.2)
    assert mine.value == get_script_prefix() == prefix
    return "slept"


def handler(req: Any) -> int:
    req.content_type = "text/plain"
    req.write(globals()[req.args]())
    return int(apache.OK)

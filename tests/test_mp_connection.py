"""PythonConnectionHandler: a handler that has the whole connection to itself; and PyInterpreterPerServer."""
from __future__ import annotations

from collections.abc import Callable

from support.client import Client
from support.server import Server

Start = Callable[..., Server]

ECHO = '''
from mod_python import apache

def connectionhandler(conn):
    conn.write("hello from %s\\r\\n" % conn.hlist.handler)
    while True:
        line = conn.readline()
        if line is None:
            conn.log_error("the client has ended", apache.APLOG_NOTICE)
            return apache.OK
        if line.startswith(b"http"):
            return apache.DECLINED
        if line.startswith(b"boom"):
            1 / 0
        if line.startswith(b"read"):
            conn.write(repr((conn.read(3), conn.read(), conn.client_ip, conn.base_server.port)))
            return apache.OK
        if line.startswith(b"big"):
            for _ in range(100):
                conn.write(b"x" * 100000)
            return apache.OK
        if line.startswith(b"bad"):
            return None
        conn.write(line.upper())

def quiet(conn):
    return apache.DECLINED
'''


CONF = """
PythonPath "['@ROOT@/www'] + sys.path"
Listen 127.0.0.1:@PORT@
Listen 127.0.0.1:@PORT2@
<VirtualHost 127.0.0.1:@PORT2@>
    DocumentRoot "@ROOT@/www"
    PythonConnectionHandler HANDLER
</VirtualHost>
"""


def conf(handler: str) -> str:
    return CONF.replace("HANDLER", handler)


def connect(host: Server) -> Client:
    return host.client(("127.0.0.1", host.ports["PORT2"]))


def test_a_connection_handler_talks_as_it_likes(server: Start) -> None:
    host = server(conf("echo"), {"www/echo.py": ECHO})
    with connect(host) as one, connect(host) as two:
        for client in (one, two):
            assert client.read_line() == b"hello from echo"
        one.send(b"a\r\nb")
        two.send(b"c\r\n")
        assert (two.read_line(), one.read_line()) == (b"C", b"A")
        one.send(b"b\r\n")
        assert one.read_line() == b"BB"
        one.half_close()
        assert one.read_rest() == b""
    host.expect_log("the client has ended")


def test_reads_and_results_of_a_connection_handler(server: Start) -> None:
    host = server(conf("echo"), {"www/echo.py": ECHO})
    host.allow_log("PythonConnectionHandler echo")
    for word, pattern in (("boom", "ZeroDivisionError"), ("bad", "TypeError: handler returned None")):
        with connect(host) as client:
            assert client.read_line().startswith(b"hello")
            client.send(word.encode() + b"\n")
            assert client.read_rest() == b""
        host.expect_log("PythonConnectionHandler echo: " + pattern)
    with connect(host) as client:
        client.read_line()
        client.send(b"read\nabcdef")
        assert client.read_rest().startswith(b"(b'abc', b'def', '127.0.0.1', ")
    with connect(host) as client:
        client.read_line()
        client.send(b"big\n")
        assert len(client.read_rest()) == 10000000


def test_a_handler_that_declines_leaves_the_connection_to_http(server: Start) -> None:
    host = server(conf("echo::quiet"), {"www/echo.py": ECHO, "www/file.txt": "static"})
    assert host.get("/file.txt").body == b"static"
    with connect(host) as client:
        assert [client.request("GET", "/file.txt").body for _ in range(3)] == [b"static"] * 3


def test_what_the_handler_has_not_read_is_http(server: Start) -> None:
    host = server(conf("echo"), {"www/echo.py": ECHO, "www/file.txt": "static"})
    with connect(host) as client:
        client.read_line()
        client.send(b"http\n")
        assert client.request("GET", "/file.txt").body == b"static"


def test_interpreter_per_server(server: Start) -> None:
    host = server("""
        PyInterpreterPerServer On
        <Directory "@ROOT@/www">
            SetHandler mod_python
            PythonHandler where
        </Directory>
        <VirtualHost *>
            ServerName P1.Example
            DocumentRoot "@ROOT@/www"
        </VirtualHost>
        <VirtualHost *>
            ServerName second.example
            DocumentRoot "@ROOT@/www"
            PythonInterpreter mine
        </VirtualHost>""", {"www/where.py": "from mod_python import apache\ndef handler(req):\n    req.write(req.interpreter, 0)\n    return apache.OK\n"})
    assert host.get("/", headers={"Host": "p1.example"}).body == b"P1.Example"
    assert host.get("/", headers={"Host": "second.example"}).body == b"mine"

"""The client's address and scheme as a trusted proxy tells them: in the log, in access control, in the environment, in redirects."""
from __future__ import annotations

from collections.abc import Callable

from support.server import Server

Start = Callable[..., Server]

WHO = (
    "def handler(req):\n    req.add_common_vars()\n    env = req.subprocess_env\n"
    "    req.write(' '.join(str(v) for v in (req.useragent_ip, req.connection.client_ip, env['REMOTE_ADDR'], env.get('REMOTE_PORT'), env.get('HTTPS'), env['REQUEST_SCHEME'],"
    " env.get('HTTP_X_FORWARDED_FOR'))))\n    return 0\n")
CONF = ('RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 127.0.0.1 9.9.9.0/24\nCustomLog "@ROOT@/who.log" "%a %{c}a"\nRedirect /old /new\n'
        "<Location /who>\nSetHandler mod_python\nPythonHandler who\nPythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>\n"
        "<Location /who/closed>\nRequire ip 1.2.3.4\n</Location>\n")


def test_a_trusted_proxy_is_believed(server: Start) -> None:
    host = server(CONF, files={"py/who.py": WHO})
    host.allow_log("client denied")
    told = {"X-Forwarded-For": "8.8.8.8, 1.2.3.4, 9.9.9.7", "X-Forwarded-Proto": "https"}
    assert host.get("/who", told).text == "1.2.3.4 127.0.0.1 1.2.3.4 None on https 8.8.8.8"
    assert host.get("/who/closed", told).status == 200
    assert host.get("/who/closed").status == 403
    assert host.get("/old", {**told, "Host": "h.example"}).header("Location") == "https://h.example/new"
    plain = host.get("/who").text.split()
    assert plain[:3] + plain[4:] == ["127.0.0.1", "127.0.0.1", "127.0.0.1", "None", "http", "None"] and plain[3].isdigit()
    host.stop()
    assert host.read("who.log").splitlines()[0] == "1.2.3.4 127.0.0.1"


def test_anybody_else_is_not(server: Start) -> None:
    host = server(CONF.replace("127.0.0.1 9.9.9.0/24", "10.0.0.1"), files={"py/who.py": WHO})
    found = host.get("/who", {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}).text.split()
    assert found[:3] + found[4:] == ["127.0.0.1", "127.0.0.1", "127.0.0.1", "None", "http", "1.2.3.4"]
    host.allow_log("client denied")
    assert host.get("/who/closed", {"X-Forwarded-For": "1.2.3.4"}).status == 403


def test_a_proxy_at_a_unix_socket_is_believed(server: Start) -> None:
    host = server("Listen 127.0.0.1:@PORT@\nListen unix:@SOCK@\n" + CONF, files={"py/who.py": WHO})
    with host.client(str(host.root / "sock")) as client:
        assert client.request("GET", "/who/closed", {"X-Forwarded-For": "1.2.3.4"}).status == 200

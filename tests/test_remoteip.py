"""Behind a proxy: who the client is, by the fields of those who are believed, and of nobody else. EnableSendfile."""
from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from support.server import Server

Start = Callable[..., Server]
HANDLER = """
def handler(req):
    req.add_common_vars()
    req.write("%s %s %s %s" % (req.useragent_ip, req.connection.client_ip, req.headers_in.get("X-Forwarded-For"),
                               req.subprocess_env.get("HTTPS")))
    return 0
"""
CONF = """
RemoteIPHeader X-Forwarded-For
%s
<Location /who>
    SetHandler mod_python
    PythonHandler who
    PythonPath "['@ROOT@/www'] + sys.path"
</Location>
<Location /inside>
    Require ip 10.0.0.0/8
</Location>
"""


def start(server: Start, conf: str) -> Server:
    host = server(CONF % conf, {"www/who.py": HANDLER, "www/inside/a.txt": "a"})
    host.check_fds = False  # modules are watched from the first one on
    return host


INTERNAL = "RemoteIPInternalProxy 127.0.0.1 10.0.0.1"
TRUSTED = "RemoteIPTrustedProxy 127.0.0.1"


@pytest.mark.parametrize("conf, field, client, rest", [
    ("", "1.2.3.4", "127.0.0.1", "1.2.3.4"),
    ("RemoteIPTrustedProxy 192.0.2.0/24", "1.2.3.4", "127.0.0.1", "1.2.3.4"),
    (TRUSTED, "1.2.3.4", "1.2.3.4", None),
    (TRUSTED, "1.2.3.4:5678", "1.2.3.4", None),
    (TRUSTED, "2001:db8::1", "2001:db8::1", None),
    (TRUSTED, "[2001:db8::1]:80", "2001:db8::1", None),
    (TRUSTED, "6.6.6.6, 1.2.3.4", "1.2.3.4", "6.6.6.6"),
    (TRUSTED, "10.1.1.1", "127.0.0.1", "10.1.1.1"),
    (TRUSTED, "10.1.1.1,1.2.3.4", "1.2.3.4", "10.1.1.1"),
    (INTERNAL, "10.1.1.1", "10.1.1.1", None),
    (INTERNAL, "6.6.6.6, 10.1.1.1,  10.0.0.1", "10.1.1.1", "6.6.6.6"),
    (INTERNAL, "10.0.0.1", "10.0.0.1", None),
    (TRUSTED, "unknown", "127.0.0.1", "unknown"),
    (TRUSTED, "1.2.3.4, nonsense", "127.0.0.1", "1.2.3.4, nonsense"),
    (TRUSTED, "1.2.3.4,", "127.0.0.1", "1.2.3.4,"),
    (TRUSTED, "9" * 200, "127.0.0.1", "9" * 200),
    (TRUSTED, "[::1", "127.0.0.1", "[::1"),
    (TRUSTED, "", "127.0.0.1", ""),
])
def test_the_field_counts_as_far_as_proxies_are_believed(conf: str, field: str, client: str, rest: str | None, server: Start) -> None:
    host = start(server, conf)
    assert host.get("/who", {"Host": "x", "X-Forwarded-For": field}).text == f"{client} 127.0.0.1 {rest} None"
    assert f"{client} - - [" in host.access_log or host.get("/who").status == 200


def test_repeated_fields_are_one_list(server: Start) -> None:
    host = start(server, INTERNAL)
    fields = [("Host", "x"), ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "10.0.0.1")]
    assert host.get("/who", fields).text.startswith("6.6.6.6 127.0.0.1 None ")


def test_access_control_sees_the_client(server: Start) -> None:
    host = start(server, INTERNAL)
    host.allow_log("denied by server configuration")
    assert host.get("/inside/a.txt", {"Host": "x", "X-Forwarded-For": "10.2.3.4"}).status == 200
    assert host.get("/inside/a.txt", {"Host": "x", "X-Forwarded-For": "11.2.3.4"}).status == 403
    assert host.get("/inside/a.txt", {"Host": "x"}).status == 403


@pytest.mark.parametrize("conf, proto, https", [(TRUSTED, "https", "on"), (TRUSTED, "http, HTTPS", "on"), (TRUSTED, "https, http", "None"), ("", "https", "None")])
def test_the_scheme_is_believed_like_the_address(conf: str, proto: str, https: str, server: Start) -> None:
    assert start(server, conf).get("/who", {"Host": "x", "X-Forwarded-Proto": proto}).text.endswith(f" {https}")


def test_the_other_end_of_a_unix_socket_is_a_proxy_of_this_machine(server: Start) -> None:
    host = start(server, "Listen unix:@SOCK@")
    with host.client(str(host.root / "sock")) as client:
        answer = client.request("GET", "/who", {"Host": "x", "X-Forwarded-For": "10.1.2.3", "X-Forwarded-Proto": "https"}).text
    assert answer.startswith("10.1.2.3 ") and answer.endswith(" None on")


def test_sendfile_off_sends_the_same_bytes(server: Start) -> None:
    host = server("<Directory @ROOT@/www>\nRequire all granted\n</Directory>\n<Location /copied>\nEnableSendfile Off\n</Location>\nAlias /copied @ROOT@/www")
    content = os.urandom(3_000_000)
    host.write("www/big.bin", content)
    for place in ("", "/copied"):
        assert host.get(f"{place}/big.bin").body == content
        assert host.get(f"{place}/big.bin", {"Host": "x", "Range": "bytes=100000-2000000"}).body == content[100000:2000001]
        with host.client() as client:  # one that reads slowly: the queue goes on where it was
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
            assert client.request("GET", f"{place}/big.bin", {"Host": "x"}).body == content


# --- PROXY protocol

V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("10.9.8.7") + socket.inet_aton("5.6.7.8") + (4321).to_bytes(2, "big") + b"\0\x50"
PROXY = """
RemoteIPProxyProtocol On
<Location /who>
    SetHandler mod_python
    PythonHandler who
    PythonPath "['@ROOT@/www'] + sys.path"
</Location>
"""
ASK = b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def behind_proxy(server: Start) -> Server:
    """The fixture's readiness probe sends nothing, which is no PROXY header either."""
    host = server(PROXY, {"www/who.py": HANDLER})
    host.check_fds = False
    return host


@pytest.mark.parametrize("header, client", [(b"PROXY TCP4 10.1.2.3 5.6.7.8 1111 80\r\n", "10.1.2.3"), (V2, "10.9.8.7"),
                                            (b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7"), (b"PROXY UNKNOWN\r\n", "127.0.0.1")])
def test_a_proxy_header_names_the_client(header: bytes, client: str, behind_proxy: Server) -> None:
    with behind_proxy.client() as connection:
        connection.send(header + ASK)
        assert connection.read_response().text.startswith(f"{client} {client} ")
        assert connection.request("GET", "/who", {"Host": "x"}).text.startswith(f"{client} {client} ")  # once for the connection
    with behind_proxy.client() as connection:
        connection.send_slowly(header + ASK)
        assert connection.read_response().text.startswith(f"{client} {client} ")


@pytest.mark.parametrize("start", [ASK, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n" + ASK, b"PROXY " + b"x" * 200, V2[:12] + b"\x31" + V2[13:] + ASK])
def test_without_a_good_proxy_header_the_connection_closes(start: bytes, behind_proxy: Server) -> None:
    with behind_proxy.client() as connection:
        connection.send(start)
        connection.expect_close()
    behind_proxy.expect_log("127.0.0.1 sent no PROXY header: RemoteIPProxyProtocol: closed")

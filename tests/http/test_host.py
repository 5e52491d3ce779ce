"""Host: reference/http.md, section Host."""
from __future__ import annotations

import pytest

GET = b"GET /index.html HTTP/1.1\r\n"

BAD = [
    ("missing", GET),
    ("missing_in_absolute_form", b"GET http://localhost/ HTTP/1.1\r\n"),
    ("twice", GET + b"Host: localhost\r\nHost: other\r\n"),
    ("twice_the_same", GET + b"Host: localhost\r\nhost: localhost\r\n"),
    ("twice_in_1_0", b"GET / HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n"),
    *[(name, GET + b"Host: " + value + b"\r\n") for name, value in [
        ("empty", b""), ("list", b"localhost, other"), ("list_without_space", b"a,b"), ("space", b"local host"), ("userinfo", b"user@localhost"),
        ("path", b"localhost/x"), ("query", b"localhost?x"), ("fragment", b"localhost#x"), ("backslash", b"local\\host"), ("escape", b"local%68ost"),
        ("high_byte", b"loc\xe4lhost"), ("nul", b"localhost\0.evil"), ("empty_label", b"a..b"), ("dots_only", b".."), ("leading_dot", b".a"),
        ("empty_port", b"localhost:"), ("port_0", b"localhost:0"), ("port_65536", b"localhost:65536"), ("signed_port", b"localhost:+80"),
        ("hex_port", b"localhost:0x50"), ("port_with_space", b"localhost: 80"), ("two_ports", b"localhost:80:80"), ("port_only", b":80"),
        ("bare_ipv6", b"::1"), ("open_bracket", b"[::1"), ("text_behind_bracket", b"[::1]a"), ("bad_ipv6", b"[1::2::3]"), ("zone", b"[fe80::1%25eth0]"),
        ("scheme", b"http://localhost"), ("angle", b"<script>"), ("quote", b'"localhost"'), ("long", b"a" * 300)]],
]
GOOD = [
    ("plain", b"Host: localhost"), ("any_case", b"hOST:LOCALHOST"), ("spaces_around", b"Host: \t localhost \t"), ("port", b"Host: localhost:8080"),
    ("trailing_dot", b"Host: localhost."), ("trailing_dot_and_port", b"Host: localhost.:80"), ("ipv4", b"Host: 127.0.0.1"), ("ipv6", b"Host: [::1]:80"),
    ("ipv6_with_ipv4", b"Host: [::ffff:1.2.3.4]"), ("underscore", b"Host: a_b.c-d"), ("unknown_name", b"Host: nobody.example"),
]


@pytest.mark.parametrize("name,head", BAD, ids=[name for name, _ in BAD])
def test_bad_host_is_refused(refused, name, head):
    refused(head + b"\r\n", 400, "answered 400: ")


@pytest.mark.parametrize("name,field", GOOD, ids=[name for name, _ in GOOD])
def test_good_host_is_served(host, name, field):
    with host.client() as client:
        assert client.send(GET + field + b"\r\n\r\n").read_response().status == 200


def test_http_1_0_may_lack_host(host):
    with host.client() as client:
        response = client.send(b"GET /index.html HTTP/1.0\r\n\r\n").read_response()
        assert response.status == 200 and response.body == b"hello"
        client.expect_close()


@pytest.mark.parametrize("name,expected", [
    ("first.example", b"first"), ("second.example", b"second"), ("SECOND.Example", b"second"), ("second.example.", b"second"),
    ("second.example:8080", b"second"), ("alias.example", b"second"), ("x.wild.example", b"second"), ("unknown.example", b"first"),
])
def test_host_selects_the_virtual_host(vhosts, name, expected):
    with vhosts.client() as client:
        assert client.request("GET", "/which.txt", {"Host": name}).body == expected
        assert client.request("GET", f"http://{name}/which.txt", {"Host": name}).body == expected


@pytest.fixture
def vhosts(server):
    block = "<VirtualHost *:@PORT@>\n ServerName {0}.example\n {1}\n DocumentRoot \"@ROOT@/{0}\"\n</VirtualHost>\n"
    return server('<Directory "@ROOT@">\nRequire all granted\n</Directory>\n' + block.format("first", "")
                  + block.format("second", "ServerAlias alias.example *.wild.example"),
                  files={"first/which.txt": "first", "second/which.txt": "second"})

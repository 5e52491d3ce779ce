"""Who may: Require in all its forms, Basic against files, and how Python's handlers share the work."""
from __future__ import annotations

import base64
import hashlib
import select
import time
from collections.abc import Callable
from typing import Any

import pytest

from support.client import build_request
from support.server import Server

Start = Callable[..., Server]


def sha(password: str) -> str:
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()}


USERS = (f"# users\njoe:{sha('one')}\nann:{sha('two')}\n"
         "apr:$apr1$nAW/4lCD$IPxk.ttGqzuJRdnOGP2Cy.\n"  # myPassword, by htpasswd
         "crypt:$2y$04$cz2SKRAqbCLa0C/GZdoO2e16WwvW42Mo.Sadi1y3VdU31bGj5lrf2\n")
REALM = 'AuthType Basic\nAuthName "The Place"\nAuthUserFile "@ROOT@/users"\nAuthGroupFile "@ROOT@/groups"\n'


def locations(**requirements: str) -> str:
    return "".join(f"<Location /{name}>\n{text}\n</Location>\n" for name, text in requirements.items())


def test_requirements_without_a_user(server: Start) -> None:
    cases = {
        "granted": ("Require all granted", 200), "denied": ("Require all denied", 403), "ip": ("Require ip 127.0.0.1", 200), "net": ("Require ip 127.0.0.0/8", 200),
        "part": ("Require ip 127.0", 200), "mask": ("Require ip 127.0.0.0/255.0.0.0", 200), "other": ("Require ip 10.0.0.0/8 ::1", 403), "local": ("Require local", 200),
        "method": ("Require method GET POST", 200), "post": ("Require method POST", 403), "env": ("SetEnvIf X-Let me let\nRequire env let", 403),
        "two": ("Require all denied\nRequire local", 200), "all": ("<RequireAll>\nRequire local\nRequire all denied\n</RequireAll>", 403),
        "not": ("<RequireAll>\nRequire all granted\nRequire not ip 127.0.0.1\n</RequireAll>", 403),
        "notother": ("<RequireAll>\nRequire all granted\nRequire not ip 10.0.0.1\n</RequireAll>", 200),
        "any": ("<RequireAny>\nRequire ip 10.0.0.1\n<RequireAll>\nRequire local\nRequire method GET\n</RequireAll>\n</RequireAny>", 200),
        "none": ("<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ip 127.0.0.1\n</RequireNone>\n</RequireAll>", 403)}
    host = server(locations(**{name: text for name, (text, _) in cases.items()}), files={f"www/{name}": "x" for name in cases})
    host.allow_log("client denied")
    assert {name: host.get(f"/{name}").status for name in cases} == {name: status for name, (_, status) in cases.items()}
    assert host.get("/env", {"X-Let": "let me in"}).status == 200
    assert host.request("HEAD", "/method").status == 200


def test_ipv6_clients(server: Start) -> None:
    host = server("Listen 127.0.0.1:@PORT@\nListen [::1]:@PORT6@\n" + locations(six="Require ip ::1", net="Require ip fe80::/10 10.0.0.0/8", local="Require local"),
                  files={f"www/{name}": "x" for name in ("six", "net", "local")})
    host.allow_log("client denied")
    statuses = []
    for name in ("six", "net", "local"):
        with host.client(("::1", host.ports["PORT6"])) as client:
            statuses.append(client.request("GET", f"/{name}").status)
    assert statuses == [200, 403, 200]


def test_host_requirements_are_refused_by_the_configuration(server: Start, run: Callable[..., Any]) -> None:
    host = server(locations(a="Require host example.org"), started=False)
    host.write_conf()
    done = run("-t", "-f", str(host.conf_file))
    assert done.returncode != 0 and "Require: " in done.stderr and "use ip" in done.stderr


@pytest.fixture
def realm(server: Start) -> Server:
    names = {"valid": "Require valid-user", "user": "Require user joe", "group": "Require group staff", "either": "Require local\nRequire valid-user",
             "both": "<RequireAll>\nRequire method GET\nRequire user ann\n</RequireAll>", "never": "<RequireAll>\nRequire all denied\nRequire valid-user\n</RequireAll>"}
    host = server(locations(**{name: REALM + text for name, text in names.items()}),
                  files={"users": USERS, "groups": "staff: ann apr\n", **{f"www/{name}": "x" for name in names}})
    host.allow_log("user .*: |client denied")
    return host


def test_users_and_groups(realm: Server) -> None:
    joe, ann = basic("joe", "one"), basic("ann", "two")
    cases: dict[tuple[str, str], int] = {}
    for name in ("valid", "user", "group", "either", "both", "never"):
        for who, headers in (("joe", joe), ("ann", ann), ("nobody", {}), ("wrong", basic("joe", "two")), ("eve", basic("eve", "one"))):
            cases[name, who] = realm.get(f"/{name}", headers).status
    right = {"valid": ("joe", "ann"), "user": ("joe",), "group": ("ann",), "either": ("joe", "ann", "nobody", "wrong", "eve"), "both": ("ann",)}
    assert cases == {(name, who): 403 if name == "never" else 200 if who in right[name] else 401 for name, who in cases}


def test_challenge(realm: Server) -> None:
    answer = realm.get("/valid")
    assert (answer.status, answer.header("WWW-Authenticate")) == (401, 'Basic realm="The Place"')
    assert realm.get("/valid", basic("joe", "one")).header("WWW-Authenticate") is None
    assert realm.get("/never").header("WWW-Authenticate") is None


@pytest.mark.parametrize("field", ["Basic", "Basic !!", "Basic am9l", "Bearer x", "Basic " + "A" * 4000, "Basic \xff", "Digest username=joe"])
def test_credentials_that_are_none(realm: Server, field: str) -> None:
    assert realm.get("/valid", {"Authorization": field}).status == 401


def test_every_kind_of_password(realm: Server) -> None:
    for user in ("apr", "crypt"):
        assert [realm.get("/valid", basic(user, word)).status for word in ("myPassword", "myPassword", "mypassword", "")] == [200, 200, 401, 401]


def test_a_slow_hash_holds_nobody_up(server: Start) -> None:
    """bcrypt with 2**13 rounds takes half a second: in another thread, and only until the password has been right once."""
    host = server(locations(closed=REALM + "Require valid-user"),
                  files={"users": "slow:$2y$13$Aj2U8UZdAPwrx9t5iwOb0uSKLUB/g6RzGrTOAsOsq8N1yP8rJj9Vu\n", "www/closed": "x", "www/open": "x"})
    with host.client() as client:
        client.send(build_request("GET", "/closed", basic("slow", "myPassword")))
        for _ in range(5):
            assert host.get("/open").status == 200
        assert not select.select([client.sock], [], [], 0)[0], "the slow answer should still be on its way"
        assert client.read_response().status == 200
    with host.client() as client:  # hangs up while the hash is computed
        client.send(build_request("GET", "/closed", basic("slow", "wrong")))
        client.reset()
    host.allow_log("user slow: password mismatch")


def test_a_slow_hash_is_computed_once(server: Start) -> None:
    host = server(locations(closed=REALM + "Require valid-user"),
                  files={"users": "slow:$2y$13$Aj2U8UZdAPwrx9t5iwOb0uSKLUB/g6RzGrTOAsOsq8N1yP8rJj9Vu\n", "www/closed": "x"})

    def took() -> float:
        started = time.monotonic()
        assert host.get("/closed", basic("slow", "myPassword")).status == 200
        return time.monotonic() - started

    assert took() > 2 * min(took() for _ in range(5))


def test_password_file_edits_hold_at_once(realm: Server) -> None:
    assert realm.get("/valid", basic("joe", "one")).status == 200
    realm.write("users", USERS.replace(sha("one"), sha("six")))
    assert [realm.get("/valid", basic("joe", word)).status for word in ("one", "six")] == [401, 200]
    realm.write("users", "")
    assert realm.get("/valid", basic("joe", "six")).status == 401


def test_user_reaches_the_log_and_the_handler(server: Start) -> None:
    who = "def handler(req):\n    req.write('%s %s %s' % (req.user, req.ap_auth_type, req.get_basic_auth_pw()))\n    return 0\n"
    host = server(f"<Location />\n{REALM}Require valid-user\nSetHandler mod_python\nPythonHandler who\nPythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>",
                  files={"users": USERS, "py/who.py": who})
    assert host.get("/", basic("joe", "one")).body == b"joe Basic one"
    host.stop()
    assert " - joe [" in host.access_log


def test_missing_file_is_500_and_says_so(server: Start) -> None:
    host = server(locations(gone='AuthType Basic\nAuthName x\nAuthUserFile "@ROOT@/gone"\nRequire valid-user', none="AuthType Basic\nAuthName x\nRequire valid-user"))
    assert host.get("/gone", basic("joe", "one")).status == 500
    host.expect_log("AuthUserFile .*/gone: No such file")
    assert host.get("/none", basic("joe", "one")).status == 500
    host.expect_log("there is no AuthUserFile")


def test_python_handler_is_the_provider(server: Start) -> None:
    handlers = ("from mod_python import apache\n"
                "def authenhandler(req):\n"
                "    pw = req.get_basic_auth_pw()\n"
                "    if req.user == 'declines':\n        return apache.DECLINED\n"
                "    return apache.OK if pw == 'right' else apache.HTTP_UNAUTHORIZED\n")
    host = server("<Location />\nAuthType Basic\nAuthName x\nRequire valid-user\nPythonAuthenHandler auth\nPythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>",
                  files={"py/auth.py": handlers, "www/x": "x"})
    host.allow_log("user ")
    assert [host.get("/x", headers).status for headers in (basic("any", "right"), basic("any", "wrong"), basic("declines", "right"), {})] == [200, 401, 401, 401]


def test_a_user_that_nobody_verified_does_not_count(server: Start) -> None:
    """get_basic_auth_pw() in an early phase sets req.user from the field as it came."""
    peek = "def accesshandler(req):\n    req.get_basic_auth_pw()\n    return 0\nheaderparserhandler = accesshandler\n"
    for phase in ("Access", "HeaderParser"):
        host = server(f"<Location />\n{REALM}Require valid-user\nPython{phase}Handler peek\nPythonPath \"['@ROOT@/py'] + sys.path\"\n</Location>",
                      files={"users": USERS, "py/peek.py": peek, "www/x": "x"})
        host.allow_log("user ")
        assert [host.get("/x", headers).status for headers in (basic("joe", "one"), basic("joe", "wrong"), {})] == [200, 401, 401]


def test_limit_holds_for_its_methods(server: Start) -> None:
    host = server(locations(a="<Limit POST PUT>\nRequire all denied\n</Limit>"), files={"www/a": "x"})
    host.allow_log("client denied")
    assert host.get("/a").status == 200 and host.request("POST", "/a", body=b"").status == 403


def test_requirements_are_inherited_and_replaced(server: Start) -> None:
    host = server('<Directory "@ROOT@/www">\nRequire all denied\n</Directory>\n<Directory "@ROOT@/www/open">\nRequire all granted\n</Directory>\n'
                  '<Directory "@ROOT@/www/open/deep">\nHeader set X y\n</Directory>', files={"www/x": "", "www/open/x": "", "www/open/deep/x": ""})
    host.allow_log("client denied")
    assert [host.get(t).status for t in ("/x", "/open/x", "/open/deep/x")] == [403, 200, 200]

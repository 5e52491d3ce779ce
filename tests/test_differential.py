"""The same configuration and handlers on Apache + mod_python and on pyhost. What differs must be in docs/differences.md, and what is there must differ.

    .venv/bin/python -m pytest tests/test_differential.py -s        prints the table (case, Apache's answer, pyhost's answer)

Needs Debian's apache2 and libapache2-mod-python; skipped plainly where they are missing.
"""
from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from differential.manual import EXAMPLES, conf_of_examples
from differential.psp_pages import PAGES
from differential.scripts import SCRIPTS
from support.client import Client, build_request
from support.server import Server, free_port, wait_until

HERE = Path(__file__).resolve().parent
SOURCES = HERE / "differential"
DIFFERENCES = HERE.parent / "docs" / "differences.md"
APACHE = shutil.which("apache2") or "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SHOWN = ("content-type", "content-length", "transfer-encoding", "location", "set-cookie", "www-authenticate", "allow", "cache-control", "last-modified",
         "expires", "x-late", "x-out", "x-err", "x-a", "x-injected", "x-b")

pytestmark = pytest.mark.skipif(not (Path(APACHE).exists() and (MODULES / "mod_python.so").exists()),
                                reason="needs apache2 and libapache2-mod-python (apt-get install apache2 libapache2-mod-python)")


@dataclass(frozen=True)
class Case:
    """One question to both. name: as docs/differences.md has it."""

    name: str
    target: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    version: str = "HTTP/1.1"
    chunked: bool = False
    before: str = ""  # a target that is asked for first on the same connection, so by the same process
    cookies_of: str = ""  # a target that is asked for first; the cookies it sets are sent along
    record: str = ""  # a file below state/ that handlers write into, to the line that begins with "cleanup"; it is a part of the answer

    def bytes(self, cookies: str = "") -> bytes:
        if cookies:
            return build_request(self.method, self.target, [*self.headers, ("Cookie", cookies), ("Connection", "close")], self.body, self.version)
        if self.before:
            return build_request("GET", self.before) + build_request("GET", self.target, [("Connection", "close")])
        if self.chunked:
            assert self.body is not None
            head = build_request(self.method, self.target, [*self.headers, ("Transfer-Encoding", "chunked"), ("Connection", "close")])
            return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(self.body), self.body)
        return build_request(self.method, self.target, [*self.headers, ("Connection", "close")], self.body, self.version)


def basic(user: str, password: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode("latin-1")).decode()),)


def handler_cases() -> Iterator[Case]:
    """Every case_… function of cases_handlers.py with a plain GET; those that need more are below."""
    special = {"read", "readlines", "readlines_hint", "discard", "body_members", "form", "form_types", "form_upload", "form_dict", "cookies",
               "headers_in", "header_8bit", "common_vars", "debug", "meets_conditions"}
    for name in re.findall(r"^def case_(\w+)", (SOURCES / "cases_handlers.py").read_text(), re.MULTILINE):
        if name not in special:
            yield Case(f"handler {name}", f"/h/x?{name}")
    body = b"first\nsecond line\nthird"
    for name in ("read", "readlines", "readlines_hint", "discard", "body_members"):
        yield Case(f"handler {name}", f"/h/x?{name}", "POST", (), body)
    yield Case("handler read without a body", "/h/x?read")
    yield Case("handler read of a chunked body", "/h/x?read", "POST", (), body, chunked=True)
    yield Case("handler debug", "/debug/x?debug")
    yield Case("handler exception without PythonDebug", "/h/x?debug")
    for name in ("headers_in", "header_8bit", "common_vars"):
        value = "caf\xe9" if name == "header_8bit" else "1"
        yield Case(f"handler {name}", f"/h/x?{name}&q=1", "GET", (("X-One", value),))
    yield Case("handler headers_in repeated", "/h/x?headers_in", "GET", (("X-One", "1"), ("x-one", "2")))
    yield Case("handler cookies", "/h/x?cookies", "GET", (("Cookie", "a=1; $Path=/; b=2; c"),))
    yield Case("handler meets_conditions", "/h/x?meets_conditions")
    yield Case("handler meets_conditions not modified", "/h/x?meets_conditions", "GET", (("If-Modified-Since", "Sun, 09 Sep 2001 01:46:40 GMT"),))
    yield Case("handler HEAD", "/h/x?write_noflush", "HEAD")
    yield Case("handler HEAD flushed", "/h/x?write_flush", "HEAD")
    yield Case("handler HTTP/1.0 flushed", "/h/x?write_flush", version="HTTP/1.0")
    yield Case("handler path_info", "/h/x.txt/rest/of?filename")
    yield Case("handler nonexistent path", "/h/no/such/file?filename")
    yield Case("handler directory without slash", "/h?filename")
    yield Case("handler uri with %e9", "/h/x%e9?members")
    yield Case("handler uri with %C3%A9", "/h/x%C3%A9?filename")


def form_cases() -> Iterator[Case]:
    multipart = (("Content-Type", "multipart/form-data; boundary=XX"),)
    upload = (b'--XX\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\nContent-Type: text/plain\r\n\r\nfile\r\nend\r\n--XX\r\n'
              b'Content-Disposition: form-data; name="t"\r\n\r\ntext\r\n--XX--\r\n')
    form = tuple(FORM.items())
    yield Case("form urlencoded", "/h/x?form", "POST", form, b"aaaa=1111&bbbb=2+2%203&bbbb=")
    yield Case("form query", "/h/x?form&aaaa=1111&bbbb=2222")
    yield Case("form query short names", "/h/x?form&a=1")
    yield Case("form of GET with a body", "/h/x?form", "GET", form, b"aaaa=1")
    yield Case("form of PUT", "/h/x?form", "PUT", form, b"aaaa=1")
    yield Case("form types urlencoded", "/h/x?form_types", "POST", form, b"aaaa=1111")
    yield Case("form types query", "/h/x?form_types&aaaa=1111")
    yield Case("form types multipart", "/h/x?form_types", "POST", multipart, upload)
    yield Case("form upload", "/h/x?form_upload", "POST", multipart, upload)
    yield Case("form as a dict", "/h/x?form_dict&aaaa=1111&aaaa=2222&bbbb=3333")
    yield Case("form without Content-Type", "/h/x?form", "POST", (), b"aaaa=1")
    yield Case("form of an unknown type", "/h/x?form", "POST", (("Content-Type", "text/xml"),), b"<x/>")
    yield Case("form multipart without boundary", "/h/x?form", "POST", (("Content-Type", "multipart/form-data"),), upload)
    yield Case("form chunked", "/h/x?form", "POST", form, b"aaaa=1", chunked=True)
    yield Case("form POST without length", "/h/x?form", "POST", form)
    yield Case("form not UTF-8", "/h/x?form", "POST", form, b"aaaa=%e9")


def phase_cases() -> Iterator[Case]:
    yield Case("stack of two handlers", "/stack/x")
    yield Case("stack replaced by an inner section", "/stack/replaced/x")
    yield Case("stack with DECLINED", "/stack/declined/x")
    yield Case("class and method", "/klass/x")
    yield Case("missing module", "/missing/x")
    yield Case("missing object", "/noobject/x")
    yield Case("phases in order", "/phases/x")
    yield Case("authentication without credentials", "/auth/x")
    yield Case("authentication with credentials", "/auth/x", headers=basic("u", "p\xe9"))
    yield Case("authentication with wrong credentials", "/auth/x", headers=basic("u", "x"))
    yield Case("access handler denies", "/denied/x")
    yield Case("access handler is DONE", "/accessdone/x")
    yield Case("extension list", "/ext/f.tar.gz")
    yield Case("extension list not matching", "/ext/f.gz")
    yield Case("output filter", "/filtered/x")
    yield Case("PythonHandlerModule", "/modulephases/x")
    yield Case("PythonInitHandler in a directory", "/init/x")
    yield Case("same module name in two directories", "/sameb/x", before="/samea/x")
    yield Case("PythonInterpreter", "/named/x?interpreter")
    yield Case("Location", "/loc/x?write_noflush")
    yield Case("Location hlist", "/loc/x?hlist")
    yield Case("wsgi 200", "/wsgi/a/b?q=1")
    yield Case("wsgi 404", "/wsgi/404")
    yield Case("wsgi 302", "/wsgi/302")
    yield Case("wsgi at the Location itself", "/wsgi")
    yield Case("static file beside handlers", "/plain.txt")


def interpreter_cases() -> Iterator[Case]:
    """A handler, filters, a log handler and a cleanup handler of one request, each where its own rule puts it."""
    record = "interpreters"
    yield Case("interpreters per directive", "/interp/a/b/x", record=record)
    yield Case("interpreters per directive, two filters", "/interp/a/b/x?two", record=record)
    yield Case("interpreters per directive, registered filter", "/interp/a/b/x?registered", record=record)
    yield Case("interpreters per directive, input filter", "/interp/a/b/x", "POST", (), b"one\ntwo", record=record)
    yield Case("interpreters per directive, failing filter", "/interp/a/b/broken/x", record=record)
    yield Case("interpreters per directive, static file", "/interp/a/b/static/f.txt", record=record)
    yield Case("interpreters per directive, attribute of the request", "/interp/a/b/x?attribute", record=record)
    yield Case("interpreters per directory", "/interp/perdir/sub/x", record=record)
    yield Case("PythonInterpreter in Directory", "/interp/files/three.x", record=record)
    yield Case("PythonInterpreter in Files", "/interp/files/one.x", record=record)
    yield Case("PythonInterpreter in Location", "/interp/files/two.x", record=record)
    yield Case("interpreters per directive in a Location", "/interploc/x", record=record)


def redirect_cases() -> Iterator[Case]:
    """What requests know of each other, and what each of them sees of the other's life."""
    record = "redirects"
    yield Case("redirect inside", "/redirect/start", record=record)
    yield Case("redirect inside after a flush", "/redirect/start?flush", record=record)
    yield Case("redirect inside, twice", "/redirect/start?middle", record=record)
    yield Case("redirect inside to what is not there", "/redirect/start?lost", record=record)
    yield Case("redirect inside to what has an error document", "/redirect/start?fails", record=record)
    yield Case("redirect inside of a POST", "/redirect/start", "POST", (), b"body", record=record)
    yield Case("redirect to an error document", "/redirect/fails", record=record)
    yield Case("redirect to the index of a directory", "/redirect/", record=record)
    yield Case("redirect never made", "/redirect/target", record=record)


def publisher_cases() -> Iterator[Case]:
    names = ["", "foobar", "foobar/", "index.py", "index/foobar", "tests", "tests.py/x/", "num", "num/real", "text", "text/upper", "lst", "dct/keys",
             "nothing", "page", "raw", "_private", "obj/method", "obj/attr", "obj/__class__", "obj", "Klass", "sys", "getcwd", "check_output", "nosuch", "obj/nosuch",
             "foobar/x", "none", "klass", "func", "gen", "unicode", "fails", "noreq", "args", "args?aaaa=1111", "args?aaaa=1111&aaaa=2222&bbbb=3333",
             "args?aaaa=1111&other=x", "kw?aaaa=1111&bbbb=2222", "short?a=1", "nested", "guarded/method", "never", "foobar.index"]
    for name in names:
        yield Case(f"publisher /{name}", f"/pub/{name}")
    yield Case("publisher PUT", "/pub/foobar", "PUT", (), b"")
    yield Case("publisher HEAD", "/pub/foobar", "HEAD")
    yield Case("publisher POST", "/pub/args", "POST", tuple(FORM.items()), b"aaaa=1111")
    yield Case("publisher upload", "/pub/upload", "POST", (("Content-Type", "multipart/form-data; boundary=XX"),),
               b'--XX\r\nContent-Disposition: form-data; name="ffff"; filename="n.txt"\r\n\r\nfile\r\n--XX--\r\n')
    for name in ("nested", "guarded/method", "never"):
        yield Case(f"publisher /{name} with credentials", f"/pub/{name}", headers=basic("u", "p"))
    yield Case("publisher /nested with broken credentials", "/pub/nested", headers=(("Authorization", "Basic !!!"),))
    yield Case("publisher Digest header elsewhere", "/pub/foobar", headers=(("Authorization", "Digest x"),))


def other_cases() -> Iterator[Case]:
    for name in PAGES:
        if "." not in name:
            yield Case(f"psp {name}", f"/psp/{name}.psp")
    yield Case("psp missing page", "/psp/nosuch.psp")
    yield Case("cgi script", "/cgi/script.py/info?q=1", "POST", (), b"body")
    yield Case("cgi script missing", "/cgi/nosuch.py")
    yield Case("cgi script with Status", "/cgi/status.py")


def manual_cases() -> Iterator[Case]:
    """The patterns of the manual."""
    for one in EXAMPLES:
        for number, ask in enumerate(one.asks, 1):
            base = f"/manual/{one.name}/"
            yield Case(f"manual {one.name} {number}", base + ask.path, ask.method, ask.headers, ask.body,
                       cookies_of=base + ask.cookies_of if ask.cookies_of else "")


def script_cases() -> Iterator[Case]:
    for name in SCRIPTS:
        yield Case(f"script {name}", f"/script/{name}")
    form = tuple(FORM.items())
    yield Case("script with path and query", "/script/env/a%20b/%C3%A9?x=1&y=%20", headers=(("X-One", "1"), ("X-One", "2"), ("Proxy", "http://x"), ("Cookie", "a=1")))
    yield Case("script with credentials", "/script/env", headers=basic("u", "p"))
    yield Case("script of a POST", "/script/env?q", "POST", form, b"a=1")
    yield Case("script of HTTP/1.0", "/script/env", version="HTTP/1.0")
    for query in ("one+two", "a=b", "a+b=c", "%2Bx", "a%20b%3Bc", "$(x)`y`", "a+%00", "-d", "", "a++b", "a%26b%7Cc"):
        yield Case(f"script arguments {query}", f"/script/arguments?{query}")
    yield Case("script arguments of a POST", "/script/arguments?a+b", "POST", (), b"x")
    yield Case("script echo of a POST", "/script/echo", "POST", form, b"a=1")
    yield Case("script echo of an empty POST", "/script/echo", "POST", form, b"")
    yield Case("script echo of a PUT", "/script/echo", "PUT", (), b"x" * 5000)
    yield Case("script echo of a GET with a body", "/script/echo", "GET", (), b"x")
    yield Case("script echo of a chunked body", "/script/echo", "POST", form, b"a=1", chunked=True)
    yield Case("script unknown method", "/script/echo", "BREW")
    yield Case("script HEAD", "/script/plain", "HEAD")
    yield Case("script HEAD of a length", "/script/length", "HEAD")
    yield Case("script OPTIONS", "/script/plain", "OPTIONS")
    yield Case("script POST to a local Location", "/script/local-script", "POST", form, b"a=1")
    for name in ("validators", "validators-status"):
        yield Case(f"script {name} If-None-Match", f"/script/{name}", headers=(("If-None-Match", '"one"'),))
        yield Case(f"script {name} If-Modified-Since", f"/script/{name}", headers=(("If-Modified-Since", "Sun, 09 Sep 2001 01:46:40 GMT"),))
        yield Case(f"script {name} If-Match", f"/script/{name}", headers=(("If-Match", '"two"'),))
    yield Case("script that is not there", "/script/none")
    yield Case("script folder", "/script/folder/")
    yield Case("script folder without slash", "/script/folder")
    yield Case("script hidden", "/script/.htscript")
    yield Case("script without ExecCGI", "/noexec/plain.cgi")
    yield Case("script with ExecCGI", "/exec/plain.cgi")
    yield Case("script as the index of a folder", "/exec/")
    yield Case("script that exists beside no script", "/exec/text.txt")
    yield Case("script as an error document", "/exec/none")


CASES = [*handler_cases(), *form_cases(), *phase_cases(), *interpreter_cases(), *redirect_cases(),
         *publisher_cases(), *other_cases(), *manual_cases(), *script_cases()]


@dataclass
class Host:
    """One of the two servers."""

    name: str
    root: Path
    port: int
    lines: list[str] = field(default_factory=list)

    def ask(self, case: Case) -> str:
        """The answer as one line of text: status, the headers that matter, the body."""
        record = self.root / "state" / case.record
        if case.record:
            record.unlink(missing_ok=True)
        answer = self.ask_once(case)
        if not case.record:
            return answer
        wait_until(lambda: record.exists() and "cleanup" in record.read_text(), f"the cleanup handler of {case.name} on {self.name} has run", 20)
        return f"{answer} | then {record.read_text().replace(str(self.root), 'ROOT')!r}"

    def cookies_of(self, case: Case) -> str:
        """What a client would send after it has asked for case.cookies_of."""
        with Client(("127.0.0.1", self.port), 15) as client:
            client.send(build_request("GET", case.cookies_of))
            headers = client.read_response().headers
        return "; ".join(value.partition(";")[0] for name, value in headers if name.lower() == "set-cookie")

    def ask_once(self, case: Case) -> str:
        cookies = self.cookies_of(case) if case.cookies_of else ""
        with socket.create_connection(("127.0.0.1", self.port), 15) as sock:
            sock.sendall(case.bytes(cookies))
            data = b""
            try:
                while chunk := sock.recv(65536):
                    data += chunk
            except (ConnectionResetError, TimeoutError) as error:
                data = data or type(error).__name__.encode()
        if case.before:
            data = data[data.find(b"HTTP/1.1 ", 1):]
        return self.normal(data, case)

    def normal(self, data: bytes, case: Case) -> str:
        if not data.startswith(b"HTTP/1."):
            return "closes without an answer (the process has crashed)" if not data or data == b"ConnectionResetError" else repr(data[:100])
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        if any(name == "transfer-encoding" for name, _ in headers) and case.method != "HEAD":
            body = unchunked(body)
        text = body.decode("utf-8", "backslashreplace").replace(str(self.root), "ROOT").replace(str(self.port), "PORT")
        number = status.split(" ", 1)[1]
        page = re.search(r"<title>\s*(\d\d\d)\s", text)
        shown = []
        for name, value in headers:
            if name not in SHOWN or (page and name in ("content-type", "content-length", "transfer-encoding")):
                continue
            if case.name.startswith("script") and name in ("content-length", "transfer-encoding"):
                continue  # whether a script is seen to end with its first bytes is a matter of microseconds
            value = re.sub(r"\w{3}, \d\d-\w{3}-\d{4} [\d:]{8} GMT", "DATE", value)
            value = re.sub(r"[0-9a-f]{32}", "SID", value.replace(str(self.port), "PORT"))
            if name == "allow":
                value = ",".join(sorted(value.replace(" ", "").split(",")))
            if name == "expires":
                value = "DATE"
            if name == "content-length" and ("ROOT" in text or case.method == "HEAD" and int(value) > 300):
                value = "N"
            shown.append(f"{name}: {value}")
        if page:
            text = text[:text.lower().find("<!doctype")] + f"[error page {page[1]}]"
        text = re.sub(r'(?s)\n<pre>\nMod_python error: "(.*?)"\n.*\n(\w+(?:\.\w+)*(?:Error|Exception)[^\n]*)\n.*', r"[traceback of \1: \2]", text)
        shown.sort(key=lambda one: one.partition(":")[0])  # stable: several Set-Cookie keep their order
        return f"{number} | {'; '.join(shown)} | {text!r}"


def unchunked(data: bytes) -> bytes:
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        out, data = out + data[:count], data[count + 2:]
        if not count:
            break
    return out


def fill(root: Path) -> None:
    """The same files for both."""
    for folder in ["h", "debug", "stack", "stack/replaced", "stack/declined", "klass", "missing", "noobject", "phases", "auth", "denied", "accessdone", "ext", "filtered", "modulephases", "init", "samea", "sameb", "named", "interp/a/b/broken", "interp/a/b/static",
                   "interp/perdir/sub", "interp/files", "redirect", "pub", "psp", "cgi"]:
        (root / "www" / folder).mkdir(parents=True, exist_ok=True)
    (root / "state").mkdir(exist_ok=True)
    for name in ("cases_handlers", "cases_wsgi", "cases_init", "cases_interp", "cases_redirect", "silentmodule", "neighbour"):
        shutil.copy(SOURCES / f"{name}.py", root / "www/h" / f"{name}.py")
    shutil.copy(SOURCES / "cases_pub.py", root / "www/pub/index.py")
    files = {
        "h/data.txt": "0123456789", "interp/a/b/static/f.txt": "static", "redirect/index.txt": "index", "h/x.txt": "text", "plain.txt": "plain\n", "pub/tests.py": "def index(req): return 'tests.index'\ndef x(req): return 'tests.x'\n",
        "cgi/script.py": "import os, sys\nprint('Content-Type: text/plain\\nX-A: 1\\n')\nprint(os.environ['REQUEST_METHOD'], os.environ['QUERY_STRING'], "
                         "os.environ['SCRIPT_NAME'], os.environ['PATH_INFO'], os.environ['GATEWAY_INTERFACE'])\n",
        "cgi/status.py": "print('Status: 404 Not Found\\nContent-Type: text/plain\\n')\nprint('gone')\n",
    }
    for one in ("samea", "sameb"):
        files[f"{one}/same.py"] = f"def handler(req):\n    req.write('{one}', 0)\n    return 0\n"
    for one in EXAMPLES:
        files |= {f"manual/{one.name}/{name}": text for name, text in one.files.items()}
    files |= {f"psp/{name}" if "." in name else f"psp/{name}.psp": text for name, text in PAGES.items()}
    for name, text in files.items():
        (root / "www" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "www" / name).write_text(text)
    scripts = {**{f"script/{name}": text for name, text in SCRIPTS.items()}, "script/.htscript": SCRIPTS["plain"], "www/noexec/plain.cgi": SCRIPTS["plain"],
               "www/exec/plain.cgi": SCRIPTS["plain"], "www/exec/text.txt": "text\n", "www/exec/error.cgi": SCRIPTS["env"]}
    for name, text in scripts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        (root / name).chmod(0o644 if "not-executable" in name else 0o755)
    for path in (root / "www").rglob("*"):  # Last-Modified is the same, whichever second it is
        os.utime(path, (1_700_000_000, 1_700_000_000))


APACHE_PREAMBLE = """
ServerRoot "@ROOT@"
ServerName localhost
Listen 127.0.0.1:@PORT@
PidFile "@ROOT@/apache.pid"
ErrorLog "@ROOT@/error.log"
LogLevel info
Mutex posixsem
DocumentRoot "@ROOT@/www"
TypesConfig /etc/mime.types
StartServers 2
MinSpareServers 1
MaxSpareServers 3
MaxRequestWorkers 4
ScriptSock "@ROOT@/cgisock"
@USER@
"""


def common_conf() -> str:
    return (SOURCES / "common.conf").read_text() + conf_of_examples()


def start_apache(root: Path) -> subprocess.Popen[bytes]:
    port = free_port()
    modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in (
        "mpm_prefork", "authz_core", "authn_core", "authn_file", "auth_basic", "authz_user", "authz_host", "mime", "dir", "alias", "env", "setenvif", "cgid", "python")
        if (MODULES / f"mod_{name}.so").exists())
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    text = modules + APACHE_PREAMBLE + common_conf() + (
        "".join(f'<Directory "@ROOT@/www/{name}">\nAuthBasicAuthoritative Off\nAuthUserFile /dev/null\n</Directory>\n' for name in ("auth", "manual/gate")))
    text = text.replace("@USER@", user).replace("@ROOT@", str(root)).replace("@PORT@", str(port))
    (root / "apache.conf").write_text(text)
    if os.geteuid() == 0:
        for path in [root, *root.rglob("*")]:
            shutil.chown(path, "www-data", "www-data")
    process = subprocess.Popen([APACHE, "-f", str(root / "apache.conf"), "-DFOREGROUND"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.STDOUT, start_new_session=True)  # it signals its whole process group
    process.port = port  # type: ignore[attr-defined]

    def listens() -> bool:
        assert process.poll() is None, (root / "error.log").read_text()
        try:
            Client(("127.0.0.1", port), 1.0).close()
        except OSError:
            return False
        return True

    wait_until(listens, "apache listens", 20)
    return process


@pytest.fixture(scope="module")
def hosts(binary: Path, base_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host]]:
    root = Path(tempfile.mkdtemp(prefix="pyhost-differential-"))
    root.chmod(0o755)
    fill(root)
    apache = start_apache(root)
    try:
        folder = tmp_path_factory.mktemp("pyhost")
        fill(folder)
        host = Server(binary, folder, common_conf(), {}, ("-X",), base_env)
        host.start()
        try:
            yield Host("Apache", root, apache.port), Host("pyhost", folder, host.port)  # type: ignore[attr-defined]
        finally:
            host.stop()
    finally:
        apache.terminate()
        apache.wait(20)
        shutil.rmtree(root, ignore_errors=True)


def listed_differences() -> dict[str, str]:
    """The cases that docs/differences.md lists: rows `| case, case | Apache | pyhost | why |` with the cases in backticks."""
    found = {}
    for line in DIFFERENCES.read_text().splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert len(cells) == 4 and all(cells), f"docs/differences.md: four cells are expected in {line!r}"
            for name in re.findall(r"`([^`]+)`", cells[0]):
                assert name not in found, f"docs/differences.md lists {name!r} twice"
                found[name] = cells[3]
    return found


def test_pyhost_answers_as_apache_does_but_for_listed_differences(hosts: tuple[Host, Host], capsys: pytest.CaptureFixture[str]) -> None:
    apache, pyhost = hosts
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    listed = listed_differences()
    rows, unlisted, gone = [], [], []
    for case in CASES:
        answers = apache.ask(case), pyhost.ask(case)
        differs = answers[0] != answers[1]
        rows.append((case.name, *answers, "differs" if differs else "same"))
        if differs and case.name not in listed:
            unlisted.append(case.name)
        if not differs and case.name in listed:
            gone.append(case.name)
    with capsys.disabled():
        print(f"\n{len(CASES)} cases, {sum(row[3] == 'differs' for row in rows)} differ")
        for name, one, two, verdict in rows:
            print(f"\n{verdict:8} {name}\n         Apache  {shorten(one)}\n         pyhost  {shorten(two) if verdict == 'differs' else 'the same'}")
    assert not unlisted, "differences that docs/differences.md does not list: " + ", ".join(unlisted)
    assert not gone, "docs/differences.md lists what is no difference: " + ", ".join(gone)
    assert not set(listed) - set(names), f"docs/differences.md lists cases that do not exist: {set(listed) - set(names)}"


def shorten(text: str, room: int = 1600) -> str:
    return text if len(text) <= room else text[:room] + f"… ({len(text)} characters)"

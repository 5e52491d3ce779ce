"""What mod_python's manual shows its readers, rewritten: each of its patterns is an application here, and runs."""
from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from differential.manual import EXAMPLES, Example, conf_of_examples
from support.server import Server

WWW = """
<Directory "@ROOT@/www">
    Require all granted
    MORE
</Directory>
"""


def host_of(server: object, more: str, files: dict[str, str], outside: str = "") -> Server:
    host: Server = server(outside + WWW.replace("MORE", more.replace("\n", "\n    ")), {f"www/{name}": text for name, text in files.items()})  # type: ignore[operator]
    host.check_fds = False
    return host


def test_first_handler(server: object) -> None:
    host = host_of(server, "AddHandler mod_python .py\nPythonHandler mptest\nPythonDebug On", {"mptest.py": (
        "from mod_python import apache\n\n"
        "def handler(req):\n"
        "    req.content_type = 'text/plain'\n"
        "    req.write('Hello World!')\n"
        "    return apache.OK\n")})
    for url in ("/mptest.py", "/whatever.py"):
        assert host.get(url).text == "Hello World!" and host.get(url).header("Content-Type") == "text/plain"


def test_publisher_form_that_sends_a_mail(server: object) -> None:
    """The manual's tutorial: a static form, a published function that checks its fields."""
    host = host_of(server, "AddHandler mod_python .py\nPythonHandler mod_python.publisher\nPythonDebug On", {
        "form.html": '<html><form action="form.py/email" method="POST"><input name="name"></form></html>',
        "form.py": (
            "SENT = []\n"
            "def email(req, name, email, comment):\n"
            "    if not (name and email and comment):\n"
            "        return 'A required parameter is missing, please go back and correct the error'\n"
            "    SENT.append('From: %s\\nSubject: feedback\\n\\n%s wrote:\\n\\n%s' % (email, name, comment))\n"
            "    s = '<html>Dear %s,<br>Thank You for your kind comments, we will get back to you shortly.</html>' % name\n"
            "    return s\n")})
    assert host.get("/form.html").header("Content-Type") == "text/html"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = host.request("POST", "/form.py/email", form, b"name=J%C3%BCrgen&email=j%40example.org&comment=Good")
    assert "Dear Jürgen" in answer.text and (answer.header("Content-Type") or "").startswith("text/html")
    assert "required parameter is missing" in host.request("POST", "/form.py/email", form, b"name=&email=&comment=").text


def test_authentication_handler(server: object) -> None:
    conf = ('<Directory "@ROOT@/www">\nSetHandler mod_python\nPythonHandler myscript\nPythonAuthenHandler myscript\nAuthType Basic\n'
            'AuthName "Restricted Area"\nRequire valid-user\n</Directory>\n')
    host: Server = server(conf, {"www/myscript.py": (  # type: ignore[operator]
        "from mod_python import apache\n\n"
        "def authenhandler(req):\n"
        "    pw = req.get_basic_auth_pw()\n"
        "    user = req.user\n"
        "    if user == 'spam' and pw == 'eggs':\n"
        "        return apache.OK\n"
        "    else:\n"
        "        return apache.HTTP_UNAUTHORIZED\n\n"
        "def handler(req):\n"
        "    req.write('hello ' + req.user)\n"
        "    return apache.OK\n")})
    refused = host.get("/x")
    assert refused.status == 401 and refused.header("WWW-Authenticate") == 'Basic realm="Restricted Area"'
    assert host.get("/x", {"Authorization": "Basic " + base64.b64encode(b"spam:eggs").decode()}).text == "hello spam"


def test_own_error_page(server: object) -> None:
    host = host_of(server, "SetHandler mod_python\nPythonHandler errors", {"errors.py": (
        "from mod_python import apache\n\n"
        "def handler(req):\n"
        "    if req.path_info == '/raise':\n"
        "        raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)\n"
        "    req.status = apache.HTTP_NOT_FOUND\n"
        "    req.content_type = 'text/html'\n"
        "    req.write('<html>my own page</html>')\n"
        "    return apache.OK\n"), "x": ""})
    assert host.get("/x").status == 404 and host.get("/x").text == "<html>my own page</html>" and host.get("/x/raise").status == 403


def test_echo_connection_handler(server: object) -> None:
    host = host_of(server, "", {"connecho.py": (
        "from mod_python import apache\n\n"
        "def connectionhandler(conn):\n"
        "    while 1:\n"
        "        line = conn.readline()\n"
        "        if not line or line == b'end\\r\\n':\n"
        "            break\n"
        "        conn.write(line)\n"
        "    return apache.OK\n")}, outside='PythonConnectionHandler connecho\nPythonPath "[\'@ROOT@/www\'] + sys.path"\n')
    with socket.create_connection(("127.0.0.1", host.port), 10) as sock:
        sock.sendall(b"one\r\ntwo\r\n")
        file = sock.makefile("rb")
        assert [file.readline(), file.readline()] == [b"one\r\n", b"two\r\n"]
        sock.sendall(b"end\r\n")
        assert file.read() == b""


def test_capitalizing_output_filter(server: object) -> None:
    host = host_of(server, "PythonOutputFilter capitalize CAPITALIZE\nAddOutputFilter CAPITALIZE .txt", {"a.txt": "make me large\n", "b.html": "not me\n",
        "capitalize.py": (
            "from mod_python import apache\n\n"
            "def outputfilter(filter):\n"
            "    s = filter.read()\n"
            "    while s:\n"
            "        filter.write(s.upper())\n"
            "        s = filter.read()\n"
            "    if s is None:\n"
            "        filter.close()\n")})
    assert host.get("/a.txt").text == "MAKE ME LARGE\n" and host.get("/b.html").text == "not me\n"


def test_hit_counter_session(server: object) -> None:
    host = host_of(server, "SetHandler mod_python\nPythonHandler hits\nPythonOption mod_python.session.database_directory @ROOT@/s", {"x": "", "hits.py": (
        "from mod_python import apache, Session\n\n"
        "def handler(req):\n"
        "    session = Session.Session(req)\n"
        "    try:\n"
        "        session['hits'] += 1\n"
        "    except:\n"
        "        session['hits'] = 1\n"
        "    session.save()\n"
        "    req.content_type = 'text/plain'\n"
        "    req.write('Hits: %d\\n' % session['hits'])\n"
        "    return apache.OK\n")})
    first = host.get("/x")
    cookie = {"Cookie": (first.header("Set-Cookie") or "").partition(";")[0]}
    assert [first.text, host.get("/x", cookie).text, host.get("/x", cookie).text] == ["Hits: 1\n", "Hits: 2\n", "Hits: 3\n"]


def test_plain_and_marshal_cookies(server: object) -> None:
    host = host_of(server, "SetHandler mod_python\nPythonHandler cookies", {"x": "", "cookies.py": (
        "from mod_python import apache, Cookie\n"
        "import time\n\n"
        "def handler(req):\n"
        "    if req.path_info == '/plain':\n"
        "        cookie = Cookie.Cookie('eggs', 'spam')\n"
        "        cookie.expires = time.time() + 300\n"
        "        Cookie.add_cookie(req, cookie)\n"
        "        req.write('This response contains a cookie!\\n')\n"
        "    elif req.path_info == '/marshal':\n"
        "        value = {'egg_count': 32, 'color': 'white'}\n"
        "        Cookie.add_cookie(req, Cookie.MarshalCookie('spam', value, 'secret007'))\n"
        "        req.write('This response contains a cookie!\\n')\n"
        "    else:\n"
        "        cookies = Cookie.get_cookies(req, Cookie.MarshalCookie, secret='secret007')\n"
        "        spam = cookies.get('spam')\n"
        "        if spam is None:\n"
        "            req.write('No spam?\\n')\n"
        "        elif type(spam) is Cookie.MarshalCookie:\n"
        "            req.write('Great, a spam cookie was found: %s\\n' % sorted(spam.value.items()))\n"
        "        else:\n"
        "            req.write('WARNING: Cookie found, but it is not a MarshalCookie!\\n')\n"
        "    return apache.OK\n")})
    assert re.fullmatch(r"eggs=spam; expires=\w{3}, \d\d-\w{3}-\d{4} [\d:]{8} GMT", host.get("/x/plain").header("Set-Cookie") or "")
    cookie = (host.get("/x/marshal").header("Set-Cookie") or "").partition(";")[0]
    assert host.get("/x", {"Cookie": cookie}).text == "Great, a spam cookie was found: [('color', 'white'), ('egg_count', 32)]\n"
    assert host.get("/x").text == "No spam?\n" and host.get("/x", {"Cookie": cookie[:-2]}).text.startswith("WARNING")


def test_psp_as_a_template(server: object) -> None:
    host = host_of(server, "SetHandler mod_python\nPythonHandler mod_python.publisher", {
        "template.html": "<html><h1>Hello <%=what%></h1></html>\n", "index.py": (
            "from mod_python import apache, psp\n\n"
            "def hello(req):\n"
            "    template = psp.PSP(req, filename='template.html')\n"
            "    template.run({'what': 'world'})\n"
            "def page(req):\n"
            "    req.content_type = 'text/html'\n"
            "    return psp.PSP(req, filename='template.html', vars={'what': 'you'})\n")})
    assert host.get("/hello").text == "<html><h1>Hello world</h1></html>\n"
    assert host.get("/page").text == "<html><h1>Hello you</h1></html>\n"


def test_upload_to_a_file_class(server: object) -> None:
    """The manual's file_callback: uploads go straight to where they stay."""
    host = host_of(server, "SetHandler mod_python\nPythonHandler upload", {"x": "", "upload.py": (
        "import os\n"
        "from mod_python import apache, util\n\n"
        "class Storage:\n"
        "    def __init__(self, directory):\n"
        "        self.dir = directory\n"
        "    def create(self, filename):\n"
        "        return open(os.path.join(self.dir, os.path.basename(filename)), 'w+b')\n\n"
        "def handler(req):\n"
        "    storage = Storage(os.path.dirname(__file__))\n"
        "    form = util.FieldStorage(req, keep_blank_values=True, file_callback=storage.create)\n"
        "    form['f'].file.close()\n"
        "    req.write('kept')\n"
        "    return apache.OK\n")})
    body = b'--B\r\nContent-Disposition: form-data; name="f"; filename="../../f.bin"\r\n\r\nthe content\r\n--B--\r\n'
    assert host.request("POST", "/x", {"Content-Type": "multipart/form-data; boundary=B"}, body).text == "kept"
    assert host.read("www/f.bin") == "the content"


def test_table_of_the_request_and_its_parts(server: object) -> None:
    host = host_of(server, "SetHandler mod_python\nPythonHandler parts", {"x": "", "parts.py": (
        "from mod_python import apache\n\n"
        "class Handlers:\n"
        "    def __init__(self, req):\n"
        "        self.req = req\n"
        "    def show(self, req):\n"
        "        req.headers_out['X-Interpreter'] = req.interpreter\n"
        "        req.write('%s %s %s' % (req.hostname, req.server.server_hostname, req.connection.client_ip))\n"
        "        return apache.OK\n\n"
        "def handler(req):\n"
        "    req.log_error('seen', apache.APLOG_NOTICE)\n"
        "    req.register_cleanup(cleanup, (req, 'data'))\n"
        "    return Handlers(req).show(req)\n\n"
        "def cleanup(data):\n"
        "    data[0].log_error('cleaned up with ' + data[1], apache.APLOG_NOTICE)\n")})
    response = host.get("/x")
    assert response.text == "localhost localhost 127.0.0.1" and response.header("X-Interpreter") == "main_interpreter"
    host.expect_log("cleaned up with data")


def test_sessions_and_forms_in_a_named_interpreter(server: object) -> None:
    host = host_of(server, "SetHandler mod_python\nPythonHandler mod_python.publisher\nPythonInterpreter own\n"
                           "PythonOption mod_python.session.database_directory @ROOT@/s", {"index.py": (
        "from mod_python import apache, Session\n"
        "def index(req, a='none'):\n"
        "    s = Session.Session(req)\n"
        "    s['n'] = s.get('n', 0) + 1\n"
        "    s.save()\n"
        "    return '%s %s %d' % (apache.interpreter, a, s['n'])\n")})
    first = host.get("/?a=%C3%BC")
    cookie = {"Cookie": (first.header("Set-Cookie") or "").partition(";")[0]}
    assert first.text == "own ü 1" and host.get("/", cookie).text == "own none 2"


def test_large_upload_takes_no_memory(server: object) -> None:
    host = host_of(server, "SetHandler mod_python\nPythonHandler size", {"x": "", "size.py": (
        "from mod_python import apache, util\n"
        "def handler(req):\n"
        "    f = util.FieldStorage(req)['f']\n"
        "    f.file.seek(0, 2)\n"
        "    req.write('%d' % f.file.tell())\n"
        "    return apache.OK\n")})

    def peak_kib() -> int:
        with open(f"/proc/{host.pid}/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1])  # type: ignore[index]

    head = b'--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=B"}
    assert host.request("POST", "/x", kind, head + b"x" * 100 + b"\r\n--B--\r\n").text == "100"
    before = peak_kib()
    assert host.request("POST", "/x", kind, head + b"x" * 40_000_000 + b"\r\n--B--\r\n").text == "40000000"
    assert peak_kib() - before < 12_000


@pytest.fixture(scope="module")
def library(binary: Path, base_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server with all patterns of differential/manual.py."""
    root = tmp_path_factory.mktemp("manual")
    (root / "state").mkdir()
    for one in EXAMPLES:
        for name, text in one.files.items():
            path = root / "www/manual" / one.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    host = Server(binary, root, '<Directory "@ROOT@/www">\nRequire all granted\n</Directory>\n' + conf_of_examples(), {}, ("-X",), base_env)
    host.start()
    host.check_fds = False
    host.allow_log("manual/|_secret|_hidden|sign|publisher|user bob|user anna|psp")
    yield host
    host.stop()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_pattern_of_the_manual(library: Server, example: Example) -> None:
    base = f"/manual/{example.name}/"
    for ask in example.asks:
        headers = dict(ask.headers)
        if ask.cookies_of:
            set_cookies = [value for name, value in library.get(base + ask.cookies_of).headers if name.lower() == "set-cookie"]
            headers["Cookie"] = "; ".join(value.partition(";")[0] for value in set_cookies)
        answer = library.request(ask.method, base + ask.path, headers, ask.body)
        assert answer.status == ask.status, (ask.path, answer.text, library.error_log[-2000:])
        assert re.fullmatch(ask.says, answer.text), (ask.path, ask.says, answer.text)
        for name, value in ask.has:
            assert re.fullmatch(value, ", ".join(found for key, found in answer.headers if key.lower() == name.lower())), (ask.path, name, answer.headers)

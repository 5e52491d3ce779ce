"""Well-known packages wait together in handlers, unpatched: HTTP clients over TLS, mail, a connection pool, frameworks' thread-locals."""
from __future__ import annotations

import http.server
import importlib.util
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.server import Server

APPS = Path(__file__).parent / "apps"
AT_ONCE = 15
DELAY_SECONDS = 0.2
CASES = {"standard_urllib": "ssl", "with_requests": "requests", "with_urllib3": "urllib3", "with_httpx": "httpx", "with_smtplib": "smtplib",
         "with_sqlalchemy_pool": "sqlalchemy", "with_flask": "flask", "with_django": "django"}


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers after a while."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(DELAY_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"slept")

    def log_message(self, *_: object) -> None:
        pass


class Mail(socketserver.StreamRequestHandler):
    """Takes one message, slowly."""

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() != b".\r\n":
                    pass
                time.sleep(DELAY_SECONDS)
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n")


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The servers that handlers talk to, as environment variables."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key", folder / "cert"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    web.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    web.socket = context.wrap_socket(web.socket, server_side=True, do_handshake_on_connect=False)
    mail = MailServer(("127.0.0.1", 0), Mail)
    for server in (web, mail):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield {"URL": f"https://localhost:{web.server_address[1]}/", "CERT": str(cert), "SMTP_PORT": str(mail.server_address[1])}
    for server in (web, mail):
        server.shutdown()
        server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_handlers_wait_together(name: str, outside: dict[str, str], server: Callable[..., Server]) -> None:
    if importlib.util.find_spec(CASES[name]) is None:
        pytest.skip(f"{CASES[name]} is not installed")
    host = server(f"""
<Location />
    SetHandler mod_python
    PythonHandler library_app
    PythonPath "['{APPS}'] + sys.path"
    PyBlockedWarning Off
</Location>
""", env=outside)
    host.check_fds = False  # connections stay open in their greenlets
    assert host.request("GET", f"/?{name}").text == "slept"  # imports
    host.burst_within(AT_ONCE * DELAY_SECONDS * 0.6, f"/?{name}", AT_ONCE, {"slept"})

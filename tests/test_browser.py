"""The publisher application of apache-conf in a real browser: a form, a session, an upload."""
from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from support.browser import Browser, find_chromium
from support.server import Server

SAMPLES = Path(__file__).resolve().parent.parent / "apache-conf"


def png(width: int, height: int) -> bytes:
    """A red picture."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is None, reason="needs chromium (apt-get install chromium)")
def test_form_session_and_upload_in_a_browser(sample: Callable[..., Server], tmp_path: Path) -> None:
    host = sample("8-application.conf", workers=2)
    picture = tmp_path / "böse ../name.png".replace("/", "_")
    picture.write_bytes(png(640, 480))  # 900 kB: spooled to a temporary file on the way
    with Browser(tmp_path / "profile") as browser:
        url = f"http://127.0.0.1:{host.port}/"
        browser.open(url)
        browser.fill("input[name=name]", "Zoë <b>")
        browser.submit("button")
        assert browser.run("location.pathname") == "/" and browser.text("#who") == "Zoë <b>" and browser.text("#visits") == "2"
        browser.fill("textarea", "Grüße, 世界 & <script>alert(1)</script>")
        browser.choose_file("input[type=file]", picture)
        browser.submit("form[action=add] button")
        assert browser.text("article div") == "Grüße, 世界 & <script>alert(1)</script>" and browser.text("article small") == "Zoë <b>"
        assert browser.run("[...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight])") == [[True, 640, 480]]
        assert browser.run("document.cookie") == ""  # httponly
        for visit in range(4, 8):  # the session is the same in both workers
            browser.open(url)
            assert browser.text("#visits") == str(visit)
        browser.submit("form[action=leave] button")
        assert browser.run("!!document.querySelector('input[name=name]')") is True

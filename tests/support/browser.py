"""A real browser for tests: headless Chromium, spoken to over a pipe (Chrome DevTools Protocol); no driver needed."""
from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

__all__ = ["Browser", "find_chromium"]

SECONDS = 30.0


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome, or None."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


class Browser:
    """One browser with one page; a context manager. Every wait has a deadline."""

    def __init__(self, profile: Path) -> None:
        program = find_chromium()
        assert program, "chromium is not installed"
        there, self._write = os.pipe()
        self._read, back = os.pipe()
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                   "--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--remote-debugging-pipe",
                   f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(["/bin/bash", "-c", f'exec "$0" "$@" 3<&{there} 4>&{back}', *command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(there, back), start_new_session=True)
        os.close(there)
        os.close(back)
        self._number = 0
        self._buffer = b""
        self._session: str | None = None
        self.events: list[dict[str, object]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = str(self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "DOM", "Network", "Log", "Runtime"):
            self.call(domain + ".enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session = None
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self._write)
        os.close(self._read)

    def _message(self) -> dict[str, object]:
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, f"the browser has ended: {self.process.poll()}"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def call(self, method: str, **params: object) -> dict[str, object]:
        """Send a command and return its result; events that come meanwhile are kept."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])  # type: ignore[call-overload]
            self.events.append(answer)

    def wait(self, method: str) -> dict[str, object]:
        """Wait for an event that has not been taken yet, and return its parameters."""
        while True:
            for at, event in enumerate(self.events):
                if event.get("method") == method:
                    del self.events[at]
                    return dict(event["params"])  # type: ignore[call-overload]
            self.events.append(self._message())

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def run(self, script: str) -> object:
        """Return the value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")  # type: ignore[attr-defined]

    def text(self, selector: str) -> str:
        """Return the text of the first element that matches."""
        return str(self.run(f"document.querySelector({selector!r}).innerText"))

    def fill(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.run(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=text)

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file for an upload."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]  # type: ignore[index]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def submit(self, selector: str) -> None:
        """Click a button and wait until the next page is loaded."""
        self.events.clear()
        self.run(f"document.querySelector({selector!r}).click()")
        self.wait("Page.loadEventFired")

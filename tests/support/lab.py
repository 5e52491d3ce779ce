"""A server whose handler runs the code it is sent: rules of mod_python's objects are stated as short snippets."""
from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .server import Server

__all__ = ["HANDLER", "Lab", "lab_server"]

HANDLER = '''\
import traceback
from mod_python import apache

def run(req):
    """Runs the code of the request body; what it leaves in `result` goes back as its repr, an exception as its name and text."""
    code = req.read().decode()
    space = {"req": req, "apache": apache}
    try:
        exec(compile(code, "<snippet>", "exec"), space)
        answer = repr(space.get("result"))
    except Exception as error:
        answer = "!" + type(error).__name__ + ": " + str(error)
    return answer

def handler(req):
    answer = run(req)
    req.content_type = "text/plain; charset=utf-8"
    req.write(answer)
    return apache.OK
'''


class Lab:
    """Sends snippets to a server."""

    def __init__(self, host: Server, path: str = "/lab") -> None:
        self.host, self.path = host, path

    def text(self, code: str, path: str | None = None, headers: dict[str, str] | None = None) -> str:
        """Return the answer as text."""
        response = self.host.request("POST", path or self.path, headers=headers or {}, body=code.encode())
        assert response.status == 200, (response.status, response.body, self.host.error_log)
        return response.body.decode()

    def run(self, code: str, path: str | None = None, headers: dict[str, str] | None = None) -> Any:
        """Return `result` of the snippet, a literal."""
        answer = self.text(code, path, headers)
        assert not answer.startswith("!"), answer
        return ast.literal_eval(answer)

    def eval(self, expression: str, **more: Any) -> Any:
        """Return the value of an expression, a literal."""
        return self.run(f"result = {expression}", **more)

    def error(self, code: str, **more: Any) -> str:
        """Return "Name: text" of the exception that the code raises."""
        answer = self.text(code, **more)
        assert answer.startswith("!"), answer
        return answer[1:]


CONF = """
<Directory "@ROOT@/www">
    SetHandler mod_python
    PythonHandler lab
</Directory>
"""


@contextmanager
def lab_server(binary: Path, env: dict[str, str], root: Path, conf: str = CONF, files: dict[str, str] | None = None) -> Iterator[Lab]:
    """Start a server with the lab's handler in www/."""
    host = Server(binary, root, conf, {"www/lab.py": HANDLER, **(files or {})}, ("-X",), env, True)
    host.start()
    yield Lab(host)
    host.finish()

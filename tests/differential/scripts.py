"""CGI scripts in sh that both servers run: name -> text. Their cases are in test_differential.py."""
from __future__ import annotations

__all__ = ["SCRIPTS"]

PLAIN = "Content-Type: text/plain"


def says(*head: str, body: str = "body") -> str:
    lines = "".join(f"echo '{line}'\n" for line in head)
    return f"#!/bin/sh\n{lines}echo\necho '{body}'\n"


SCRIPTS = {
    "env": f"#!/bin/sh\necho '{PLAIN}'\necho\nenv | grep -Ev '^(SERVER_SOFTWARE|REMOTE_PORT|PATH|_|LD_LIBRARY_PATH|PWD|OLDPWD|CONTEXT_PREFIX|"
           "CONTEXT_DOCUMENT_ROOT)=' | sort\nbasename \"$(pwd)\"\n",
    "arguments": f"#!/bin/sh\necho '{PLAIN}'\necho\nfor each; do echo \"[$each]\"; done\n",
    "echo": f"#!/bin/sh\necho '{PLAIN}'\necho\necho \"$REQUEST_METHOD ${{CONTENT_LENGTH-none}} ${{CONTENT_TYPE-none}}\"\nexec cat\n",
    "plain": says(PLAIN),
    "crlf": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nX-A: 1\\r\\n\\r\\nbody'\n",
    "status": says("Status: 404 Not here", PLAIN),
    "status-only": says("Status: 201"),
    "cookies": says("Set-Cookie: a=1", "Set-Cookie: b=2", "X-A: 1", PLAIN),
    "away": says("Location: http://else.example/x", "X-A: 1"),
    "away-status": says("Status: 303 See", "Location: http://else.example/x", PLAIN),
    "local": says("Location: /plain.txt", "X-A: 1"),
    "local-script": says("Location: /script/echo?from=local"),
    "length": says("Content-Length: 3", PLAIN, body="bo"),
    "validators": says('ETag: "one"', "Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT", PLAIN),
    "validators-status": says("Status: 200", 'ETag: "one"', PLAIN),
    "no-colon": "#!/bin/sh\necho hello\necho\n",
    "nothing": "#!/bin/sh\nexit 0\n",
    "only-head": f"#!/bin/sh\necho '{PLAIN}'\n",
    "no-type": "#!/bin/sh\necho\necho body\n",
    "nph-raw": "#!/bin/sh\nprintf 'HTTP/1.1 299 Mine\\r\\nX-A: 1\\r\\nConnection: close\\r\\n\\r\\nraw'\n",
    "no-shebang": "echo hello\n",
    "no-interpreter": "#!/no/such/interpreter\n",
    "not-executable": says(PLAIN),
    "folder/inside": says(PLAIN),
}

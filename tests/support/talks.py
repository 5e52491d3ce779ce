"""Programs as the two talks print them, for the tests that run them."""
from __future__ import annotations

__all__ = ["GREENLET", "flup"]

#: greenlet's example; it prints 12, 56, 34.
GREENLET = """
from greenlet import greenlet

def test1():
    print(12)
    gr2.switch()
    print(34)

def test2():
    print(56)
    gr1.switch()
    print(78)

gr1 = greenlet(test1)
gr2 = greenlet(test2)
gr1.switch()
"""
_FLUP = """#!/usr/bin/python
# encoding : utf-8

import os
from flup.server.{module} import WSGIServer

count = 0
def myapp(environ, start_response):
    global count
    start_response('200 OK', [('Content-Type', 'text/plain')])
    count += 1
    return ['Hello World fastcgi!\\nAccess count %d\\n Running pid: %d' % (count, os.getpid())]

if __name__ == '__main__':
    WSGIServer(myapp, bindAddress={address!r}).run()
"""


def flup(address: tuple[str, int] | str | None, module: str = "fcgi") -> str:
    """Return flup's script. address: its bindAddress. module: of flup.server."""
    return _FLUP.format(module=module, address=address)

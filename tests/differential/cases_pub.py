"""index.py of the publisher cases, for both servers."""
import sys
from os import getcwd
from subprocess import check_output

num, text, lst, dct, nothing, raw = 42, "text", [1, 2], {"keys": 1}, None, b"raw"
page = "<p>x</p></html>"
_private = "hidden"


class Klass:
    attr = "klass attr"

    def method(self, req, aaaa="dflt"):
        return "method " + aaaa


obj = Klass()


def index(req):
    return "index.index"


def foobar(req):
    return "index.foobar"


def args(req, aaaa, bbbb="dflt"):
    return repr((aaaa, bbbb))


def short(req, a):
    return a


def kw(req, **kw):
    return repr(sorted(kw.items()))


def noreq():
    return "noreq"


def none(req):
    return None


def klass(req):
    return Klass


def func(req):
    return foobar


def gen(req):
    yield "one"
    yield "two"


def unicode(req):
    return "\u20ac"


def fails(req):
    raise RuntimeError("boom")


def upload(req, ffff):
    return "%s %s" % (ffff.filename, ffff.value)


def nested(req):
    def __auth__(req, user, password):
        return user == "u" and password == "p"
    __auth_realm__ = "Nested"
    return "in"


class Guarded:
    __auth__ = {"u": "p"}
    __auth_realm__ = "Guarded"
    __access__ = ["u"]

    def method(self, req):
        return "guarded"


guarded = Guarded()


def never(req):
    __access__ = 0
    return "in"

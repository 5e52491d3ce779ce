"""Published by mod_python.publisher: every function whose name has no underscore in front is a URL."""


def index(req):
    req.content_type = "text/html; charset=utf-8"
    return '<p>Try <a href="/greet?name=you">/greet?name=you</a> or <a href="/add?a=1&amp;b=2">/add?a=1&amp;b=2</a>.</p></html>'


def greet(name="nobody"):
    return f"Hello, {name}!\n"


def add(a, b):
    return f"{int(a) + int(b)}\n"


def _private():
    return "nobody sees this"

"""Published functions: try /published/greet?name=you"""


def index(req):
    req.content_type = "text/html; charset=utf-8"
    return '<form action="/published/greet">Your name: <input name="name"> <input type="submit"></form></html>'


def greet(req, name="nobody"):
    """Arguments are the fields of the form, by their names."""
    return f"Hello, {name}!\n"

"""mod_python.psp: how pages become programs (pure), and pages in the server."""
from __future__ import annotations

import contextlib
import random
import re
from pathlib import Path

import pytest

from pyhost.mod_python import psp
from pyhost.mod_python._psp_parser import parse_page
from support.server import Server


class Out:
    """What a page writes."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: object, flush: int = 1) -> None:
        assert isinstance(text, str)
        self.text += text


def shown(page: str, include: dict[str, str] | None = None, **names: object) -> str:
    out = Out()
    parsed = parse_page(page, "/p.psp", (lambda name, near: ("/" + name, (include or {})[name])) if include is not None else None)
    assert parsed.code is not None
    exec(parsed.code, {"req": out, **names})
    return out.text


@pytest.mark.parametrize(("page", "text"), [
    ("plain text\n", "plain text\n"),
    ("", ""),
    ("x <%= 1 + 1 %> y", "x 2 y"),
    ("<%= 'a', 1 %>", "('a', 1)"),
    ("<%= 1 # comment %>", "1"),
    ("a<% x = 5 %>b<%= x %>c", "ab5c"),
    ("a<%-- <% nonsense( %> --%>b", "ab"),
    ("<%%>a<% %>b<%=%>c", "abc"),
    ('q"""uote \'\'\' \\n \\x41 \\\\ \\', 'q"""uote \'\'\' \\n \\x41 \\\\ \\'),
    ("a\r\nb", "a\nb"),
    ('<% s = "%\\>" %><%= s %>', "%>"),
    ("é€😀<%= 'é' %>", "é€😀é"),
    ("{% {{ %%> 100%", "{% {{ %%> 100%"),
])
def test_text_expressions_and_comments(page: str, text: str) -> None:
    assert shown(page) == text


@pytest.mark.parametrize(("page", "text"), [
    # as mod_python's manual writes it: code on lines of its own brings its indentation
    ("<%\nfor n in range(3):\n\t# This indent will persist\n%>\n<p>This paragraph will be \nrepeated 3 times.</p>\n<%\n# This line will cause the block to end\n%>\nEnd",
     "\n<p>This paragraph will be \nrepeated 3 times.</p>\n" * 3 + "\nEnd"),
    ("<%\nif x == 1:\n%>\n  yes\n<%\nelse:\n%>\n  no\n<%\n# end\n%>", "\n  yes\n"),
    ("<%\nfor i in range(2):\n    if i:\n%>A<%\n    else:\n%>B<%\n# end\n%>C", "BAC"),
    ("<%\nfor i in range(2):\n    y = i\n%>[<%= y %>]<%\n# out\n%>.", "[0][1]."),
    ("<%\ndef f(a):\n%>(<%= a %>)<%\n# end\nf(1); f(2)\n%>", "(1)(2)"),
    # in line
    ("<% if x == 1: %>yes<% else: %>no<% # end %>!", "yes!"),
    ("<% for i in range(3): %><%= i %>,<% # end %>!", "0,1,2,!"),
    ("<% for i in range(2): %><% for j in range(2): %><%= i %><%= j %> <% # end %>/<% # end %>.", "00 01 /10 11 /."),
    ("<% try: %>A<% int('x') %>B<% except ValueError: %>C<% finally: %>D<% # end %>E", "ACDE"),
    ("<% if x == 0: %>a<% elif x == 1: %>b<% else: %>c<% # end %>", "b"),
    ("<% if x: %><% else: %>no<% # end %>end", "end"),
    ("<% match x: %><% case 0: %>zero<% case _: %>other<% # end %><% # end %>!", "other!"),
    ("<% if x: %>only text up to the end", "only text up to the end"),
    ("<% while x < 4: %>.<% x += 1 %><% # end %>", "..."),
    # the two mixed, spaces below tabs
    ("<% for i in range(2): %>T<%\n    y = i\n%><%= y %><%\n# end\n%>.", "T0T1."),
    ("<%\nz = [1,\n         2]\n%>T<%= z %>", "T[1, 2]"),
    ('<%\ns = """\n        deep\n"""\n%>T<%= len(s) %>', "T14"),
    ("<%\nif x: # trailing comment\n%>T<%\n# end\n%>", "T"),
    ("<%\nd = {1:\n  2}\n%>T", "T"),
    ("<%for i in range(2):\n    req.write(str(i))%>T", "0T1T"),
    ("<%\n\n\n   \nif x:\n\n    y = 1\n\n%>T", "T"),
])
def test_indentation(page: str, text: str) -> None:
    assert shown(page, x=1) == text


def test_include_is_part_of_the_page() -> None:
    parts = {"head.psp": "<h1><%= title %></h1>", "loop.psp": "<% for i in range(2): %>", "self.psp": '<%@ include file="self.psp" %>'}
    assert shown("<% title = 'T' %><%@ include file=\"head.psp\" %>!", parts) == "<h1>T</h1>!"
    assert shown("<%@ include file='loop.psp'%>x<% # end %>.", parts) == "xx."
    with pytest.raises(SyntaxError, match="includes itself"):
        shown('<%@ include file="self.psp" %>', parts)


@pytest.mark.parametrize(("page", "line", "message"), [
    ("one\ntwo <% x = ( %>", 2, "closed|never"),
    ("one\n\n<%\nx = 1\nif y\n%>", 5, "expected ':'"),
    ("a\nb\n<%= 1 + %>", 3, "invalid syntax|expected|forget"),
    ("a\n<% x", 2, "not closed by %>"),
    ("a\nb<%= x", 2, "not closed by %>"),
    ("\n\n<%-- x", 3, "not closed by --%>"),
    ("a\n<%@ page language='x' %>", 2, "unknown directive"),
    ("<%\nif 1:\nx = 1\n%>", 3, "expected an indented block"),
    ("a\n<% else: %>", 2, "invalid syntax"),
    ("a\0b\n<% \0 %>", 2, "null|NUL|invalid"),
])
def test_errors_name_the_line_of_the_page(page: str, line: int, message: str) -> None:
    with pytest.raises((SyntaxError, ValueError)) as caught:
        parse_page(page, "/p.psp")
    if isinstance(caught.value, SyntaxError):
        assert caught.value.filename == "/p.psp" and caught.value.lineno == line, caught.value
        assert re.search(message, str(caught.value.msg)), caught.value.msg


def test_error_in_an_include_names_the_included_file() -> None:
    with pytest.raises(SyntaxError) as caught:
        parse_page('\n<%@ include file="x.psp"%>', "/p.psp", lambda name, near: ("/x.psp", "ok\n\n<% bad ( %>"))
    assert (caught.value.filename, caught.value.lineno) == ("/x.psp", 3)


def test_exceptions_name_the_line_of_the_page() -> None:
    page = "one\n<% a = 1 %>\nthree <%= a %>\n<%\nb = 2\n\nc = b / 0\n%>\n"
    with pytest.raises(ZeroDivisionError) as caught:
        shown(page)
    assert caught.traceback[-1].lineno + 1 == 7 and str(caught.traceback[-1].path) == "/p.psp"
    with pytest.raises(NameError) as missing:
        shown("a\n\n\n<%= nothing %>")
    assert missing.traceback[-1].lineno + 1 == 4


def test_any_page_is_a_program_or_a_syntax_error() -> None:
    random.seed(11)
    words = ["<%", "%>", "<%=", "<%--", "--%>", "\n", "\t", "  ", "if x:", "else:", "# end", "x", "'", '"""', ":", "(", "é", "for i in x:", "pass"]
    for _ in range(1500):
        page = "".join(random.choice(words) + random.choice(["", " ", "\n"]) for _ in range(random.randrange(14)))
        try:
            parse_page(page, "/p.psp")
        except (SyntaxError, ValueError) as error:
            assert not isinstance(error, SyntaxError) or 1 <= (error.lineno or 0) <= page.count("\n") + 1


@pytest.mark.parametrize("page", ["a<% x = 1\r\xd3 %>b", "<% if x:\r\xd3\n %>y<% # %>"])
def test_bare_cr_before_a_letter_is_a_syntax_error_if_anything(page: str) -> None:
    """3.12's tokenizer says UnicodeDecodeError."""
    with contextlib.suppress(SyntaxError):
        parse_page(page, "x.psp")


def test_parse_functions_give_the_program(tmp_path: Path) -> None:
    (tmp_path / "x.psp").write_text("a<%= 1 %>")
    assert psp.parse(str(tmp_path / "x.psp")) == psp.parse("x.psp", str(tmp_path)) == psp.parsestring(b"a<%= 1 %>")


# In the server.

CONF = """
<Directory "@ROOT@/www">
    Require all granted
    AddHandler mod_python .psp .psp_ .py
    PythonHandler mod_python.psp | .psp .psp_
    PythonHandler index | .py
    PythonOption mod_python.session.database_directory "@ROOT@"
</Directory>
"""


def pages(server: object, files: dict[str, str], conf: str = CONF) -> Server:
    host: Server = server(conf, {f"www/{name}": text for name, text in files.items()})  # type: ignore[operator]
    host.check_fds = False
    return host


def test_page_is_served_with_form_and_headers(server: object) -> None:
    host = pages(server, {"p.psp": "<html><%= form.getfirst('x', 'none') %> <%= req.method %> <%= __file__ %></html>", "u.psp": "é<%= '€' %>"})
    response = host.get("/p.psp?x=%C3%A9")
    assert response.text == f"<html>é GET {host.root}/www/p.psp</html>" and response.header("Content-Type") == "text/html"
    assert response.header("Content-Length") == str(len(response.body)) and response.header("Set-Cookie") is None  # nobody named the session
    assert host.get("/u.psp").header("Content-Type") == "text/html; charset=utf-8" and host.get("/u.psp").text == "é€"
    assert host.request("POST", "/p.psp", {"Content-Type": "application/x-www-form-urlencoded"}, b"x=1").text.startswith("<html>1 POST")
    assert host.get("/nosuch.psp").status == 404
    host.allow_log("psp: .*nosuch")


def test_edited_page_and_include_are_served_at_once(server: object) -> None:
    host = pages(server, {"p.psp": "one <%@ include file='i.psp' %>", "i.psp": "inc1"})
    assert host.get("/p.psp").text == "one inc1"
    host.write("www/i.psp", "inc2 more")
    assert host.get("/p.psp").text == "one inc2 more"
    host.write("www/p.psp", "two")
    assert host.get("/p.psp").text == "two"


def test_session_of_a_page_is_saved_and_unlocked_by_itself(server: object) -> None:
    host = pages(server, {"p.psp": "<% session['n'] = session.get('n', 0) + 1 %><%= session['n'] %>"})
    first = host.get("/p.psp")
    cookie = (first.header("Set-Cookie") or "").partition(";")[0]
    assert [host.get("/p.psp", {"Cookie": cookie}).text for _ in range(3)] == ["2", "3", "4"] and first.text == "1"
    assert host.get("/p.psp").text == "1"


def test_handler_and_page_may_both_open_the_session(server: object) -> None:
    """In mod_python they dead-lock."""
    host = pages(server, {"p.psp": "<%= session['n'] %>", "x.py": "", "index.py": (
        "from mod_python import psp, Session\n"
        "def handler(req):\n"
        "    s = Session.Session(req); s['n'] = s.get('n', 0) + 1; s.save()\n"
        "    req.headers_in['Cookie'] = 'pysid=' + s.id()\n"
        "    psp.PSP(req, 'p.psp').run()\n"
        "    return 0\n")})
    assert host.get("/x.py").text == "1"


def test_error_page_sees_the_exception(server: object) -> None:
    host = pages(server, {"p.psp": "before<% psp.set_error_page('err.psp') %><%= 1/0 %>", "q.psp": "<% psp.set_error_page('/err.psp') %><%= nope %>",
                          "err.psp": "sorry: <%= exception[0].__name__ %>"})
    assert host.get("/p.psp").text == "beforesorry: ZeroDivisionError"
    assert host.get("/q.psp").text == "sorry: NameError"


def test_error_without_error_page_is_500_with_the_line(server: object) -> None:
    host = pages(server, {"p.psp": "a\nb\n<%= 1/0 %>\n", "s.psp": "a\n<% if %>"}, CONF.replace("Require all granted", "Require all granted\nPythonDebug On"))
    response = host.get("/p.psp")
    assert response.status == 500 and "p.psp&quot;, line 3" in response.text and "ZeroDivisionError" in response.text
    assert "s.psp&quot;, line 2" in host.get("/s.psp").text
    host.expect_log("ZeroDivisionError")
    host.allow_log("PythonHandler mod_python.psp")


def test_underscore_shows_the_source_only_with_debug(server: object) -> None:
    files = {"p.psp": "<b><%= secret %></b>\n"}
    debug = pages(server, files, CONF.replace("Require all granted", "Require all granted\nPythonDebug On"))
    assert "&lt;%= secret %&gt;" in debug.get("/p.psp_").text and "req.write(str((" in debug.get("/p.psp_").text
    normal = pages(server, files)
    assert normal.get("/p.psp_").status == 404
    normal.allow_log("psp: ")


def test_templates_redirects_and_calls(server: object) -> None:
    host = pages(server, {
        "t.psp": "<b><%= who %></b>", "r.psp": "lost<% psp.redirect('/else') %>", "a.psp": "<% def f(a, b='d'):\n    return a + b\n# end\n%><%= psp.apply_data(f) %>",
        "s.psp": "<% from mod_python import psp as p\n%>[<%= p.PSP(req, string='in <%= x %\\>', vars={'x': 9}) %>]", "x.py": "", "index.py": (
            "from mod_python import psp\n"
            "def handler(req):\n"
            "    psp.PSP(req, filename='t.psp', vars={'who': 'w'}).run({'who': 'over'})\n"
            "    return 0\n")})
    assert host.get("/x.py").text == "<b>over</b>"
    response = host.get("/r.psp")
    assert response.status == 302 and response.header("Location") == "/else"
    assert host.get("/a.psp?a=1").text == "1d"
    assert host.get("/s.psp").text == "[in 9]"


def test_page_in_latin1_is_read(server: object) -> None:
    host: Server = server(CONF, {"www/l.psp": b"caf\xe9", "www/c.psp": b"<%-- -*- coding: koi8-r -*- --%>\xc1"})  # type: ignore[operator]
    assert host.get("/l.psp").text == "café" and host.get("/c.psp").text == "а"


def test_old_caches_are_accepted_and_not_used(server: object) -> None:
    """docs/differences.md, "What is left out"."""
    host: Server = server("""  # type: ignore[operator]
<Directory "@ROOT@/www">
    AddHandler mod_python .psp
    PythonHandler mod_python.psp
    PythonOption mod_python.psp.cache_database_filename "@ROOT@/www/pspcache.dbm"
    PythonOption PSPDbmCache "@ROOT@/www/old.dbm"
</Directory>
""", {"www/page.psp": "<%= 6 * 7 %>", "www/page.psc": b"\x00marshalled rubbish"})
    assert [host.get("/page.psp").text for _ in range(2)] == ["42", "42"]
    assert sorted(path.name for path in (host.root / "www").iterdir()) == ["page.psc", "page.psp"]

"""The patterns of mod_python's manual, chapter by chapter, in our own words: small applications, what they are asked and what they say.

test_manual_examples.py runs them on pyhost and holds them to `says`; test_differential.py asks Apache + mod_python the same. Each lives in the folder
www/manual/NAME, whose <Directory> holds `conf`. `@DIR@` is that folder.
"""
from __future__ import annotations

import base64
from dataclasses import dataclass

__all__ = ["EXAMPLES", "Ask", "Example", "conf_of_examples"]


@dataclass(frozen=True)
class Ask:
    """A request and its answer. says: a regular expression for the body. cookies_of: a path that is asked first; its cookies are sent along."""

    path: str
    says: str
    status: int = 200
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    cookies_of: str = ""
    has: tuple[tuple[str, str], ...] = ()  # headers of the answer: name, regular expression


@dataclass(frozen=True)
class Example:
    """One pattern."""

    name: str
    teaches: str
    conf: str
    files: dict[str, str]
    asks: tuple[Ask, ...]


FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
MULTI = (("Content-Type", "multipart/form-data; boundary=BOUND"),)


def login(user: str, password: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()),)


def upload(part: str, filename: str, content: str, **fields: str) -> bytes:
    parts = [f'--BOUND\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    parts.append(f'--BOUND\r\nContent-Disposition: form-data; name="{part}"; filename="{filename}"\r\nContent-Type: text/plain\r\n\r\n{content}\r\n')
    return ("".join(parts) + "--BOUND--\r\n").encode()


PUBLISHER = "SetHandler mod_python\nPythonHandler mod_python.publisher"


def handler(module: str, more: str = "") -> str:
    return f"SetHandler mod_python\nPythonHandler {module}\n{more}"


# ---- the tutorial ----

TUTORIAL = [
    Example("mail", "a form whose fields a published function turns into a letter", PUBLISHER + "\nPythonDebug On", {
        "contact.html": '<form action="contact/send" method="post"><input name="sender"><textarea name="words"></textarea><button>Send</button></form>',
        "outbox.py": "LETTERS = []\n\ndef deliver(text):\n    LETTERS.append(text)\n    return len(LETTERS)\n",
        "contact.py": '''
import os, sys
sys.path.append(os.path.dirname(__file__))
import outbox

LETTER = """From: %s
To: webmaster@example.org
Subject: from the site

%s
"""

def send(req, sender="", words=""):
    if not (sender and words):
        return "Please fill in both fields"
    outbox.deliver(LETTER % (sender, words))
    return "<html><body>Thank you, %s</body></html>" % sender
''',
    }, (
        Ask("contact/send", "Please fill in both fields", has=(("Content-Type", "text/plain"),)),
        Ask("contact/send?sender=anna%40example.org&words=hello+there", "<html><body>Thank you, anna@example.org</body></html>", has=(("Content-Type", "text/html"),)),
    )),
    Example("greeting", "a handler: content type, output, OK", handler("greeting"), {"greeting.py": '''
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    req.headers_out["X-A"] = "greeting"
    req.write("Good day, ")
    req.write("world")
    return apache.OK
'''}, (Ask("x", "Good day, world", has=(("Content-Type", "text/plain"), ("X-A", "greeting"))), Ask("anything/at/all.html", "Good day, world"))),
    Example("shout", "an output filter that is turned on by extension", "PythonOutputFilter shout SHOUT\nAddOutputFilter SHOUT .txt", {
        "note.txt": "read me\n", "note.html": "<p>not me</p>\n", "shout.py": '''
KEPT = []

def outputfilter(filter):
    text = filter.readline()
    while text:
        KEPT.append(text.upper())
        filter.write(KEPT[-1])
        text = filter.readline()
    if text is None:
        filter.close()
'''}, (Ask("note.txt", "READ ME\n"), Ask("note.html", "<p>not me</p>\n"))),
    Example("gate", "authentication in .htaccess", "AllowOverride All", {
        ".htaccess": "SetHandler mod_python\nPythonHandler gate\nPythonAuthenHandler gate\nAuthType Basic\nAuthName \"the shed\"\nRequire valid-user\n",
        "gate.py": '''
from mod_python import apache

KEYS = {"gardener": "spade", "visitor": "map"}

def authenhandler(req):
    password = req.get_basic_auth_pw()
    if req.user not in KEYS:
        return apache.HTTP_UNAUTHORIZED
    return apache.OK if KEYS[req.user] == password else apache.HTTP_UNAUTHORIZED

def handler(req):
    req.content_type = "text/plain"
    req.write("come in, %s (%s)" % (req.user, req.ap_auth_type))
    return apache.OK
'''}, (Ask("x", "(?s).*", 401, has=(("WWW-Authenticate", 'Basic realm="the shed"'),)),
       Ask("x", r"come in, gardener \(Basic\)", headers=login("gardener", "spade")), Ask("x", "(?s).*", 401, headers=login("gardener", "map")))),
    Example("lost", "an error page of one's own", handler("lost"), {"lost.py": '''
from mod_python import apache

def handler(req):
    if req.args == "raise":
        raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)
    if req.args == "gone":
        return apache.HTTP_GONE
    req.status = apache.HTTP_NOT_FOUND
    req.content_type = "text/html"
    req.write("<html><body>We looked everywhere.</body></html>", 0)
    return apache.OK
'''}, (Ask("x", "<html><body>We looked everywhere.</body></html>", 404), Ask("x?raise", "(?s).*", 403), Ask("x?gone", "(?s).*", 410))),
]

# ---- the API: apache and its objects ----

API = [
    Example("table", "tables: several values of a name, case of names", handler("shelf"), {"shelf.py": '''
from mod_python import apache

def handler(req):
    shelf = apache.make_table()
    shelf["Colour"] = "red"
    shelf.add("colour", "blue")
    shelf["size"] = "7"
    req.content_type = "text/plain"
    req.write("%s|%s|%s|%d" % (shelf["COLOUR"], shelf.get("colour"), sorted(shelf.keys()), len(shelf)))
    return apache.OK
'''}, (Ask("x", r"\['red', 'blue'\]\|red\|\['Colour', 'colour', 'size'\]\|3"),)),
    Example("phases", "handlers of several phases, handed on by attributes, and one more added on the way", handler("steps", (
        "PythonHeaderParserHandler steps::first\nPythonFixupHandler steps::second\nPythonAccessHandler steps::door")), {"steps.py": '''
from mod_python import apache

def first(req):
    req.way = [req.phase]
    if req.args == "add":
        req.add_handler("PythonHandler", "steps::more", req.hlist.directory)
    return apache.OK

def door(req):
    req.way.append(req.phase)
    return apache.HTTP_FORBIDDEN if req.args == "closed" else apache.OK

def second(req):
    req.way.append(req.phase)
    req.notes["from"] = "fixup"
    return apache.OK

def handler(req):
    req.content_type = "text/plain"
    req.write("%s %s" % (req.way, req.notes["from"]), 0)
    return apache.OK

def more(req):
    req.write(" and more", 0)
    return apache.OK
'''}, (Ask("x", r"\['PythonHeaderParserHandler', 'PythonAccessHandler', 'PythonFixupHandler'\] fixup"),
       Ask("x?add", r".*fixup and more"), Ask("x?closed", "(?s).*", 403))),
    Example("fresh", "validators and conditions", handler("fresh"), {"fresh.py": '''
from mod_python import apache

def handler(req):
    req.content_type = "text/plain"
    req.headers_out["ETag"] = '"edition-7"'
    req.update_mtime(1100000000)
    req.set_last_modified()
    status = req.meets_conditions()
    if status != apache.OK:
        return status
    req.write("the whole text", 0)
    return apache.OK
'''}, (Ask("x", "the whole text", has=(("Last-Modified", "Tue, 09 Nov 2004 11:33:20 GMT"), ("ETag", '"edition-7"'))),
       Ask("x", "", 304, headers=(("If-None-Match", '"edition-7"'),)), Ask("x", "(?s).*", 412, headers=(("If-Match", '"edition-6"'),)),
       Ask("x", "the whole text", headers=(("If-Modified-Since", "Mon, 08 Nov 2004 11:33:20 GMT"),)))),
    Example("methods", "which methods a handler allows", handler("methods"), {"methods.py": '''
from mod_python import apache

def handler(req):
    req.allow_methods(["GET", "HEAD"])
    if req.method not in ("GET", "HEAD"):
        raise apache.SERVER_RETURN(apache.HTTP_METHOD_NOT_ALLOWED)
    req.write("%s %d" % (req.method, req.method_number == apache.M_GET), 0)
    return apache.OK
'''}, (Ask("x", "GET 1"), Ask("x", "(?s).*", 405, "DELETE", has=(("Allow", "(?s).*GET.*HEAD.*"),)))),
    Example("body", "reading the body by lines and whole", handler("body"), {"body.py": '''
from mod_python import apache

def handler(req):
    first = req.readline()
    rest = req.read()
    req.content_type = "text/plain"
    req.write("%r %r %s" % (first, rest, req.headers_in.get("Content-Type")), 0)
    return apache.OK
'''}, (Ask("x", r"b'one\\n' b'two\\nthree' text/plain", method="POST", headers=(("Content-Type", "text/plain"),), body=b"one\ntwo\nthree"),)),
    Example("file", "sending a file, and a length that is known", handler("send"), {"letters.txt": "abcdefghijklmnopqrstuvwxyz", "send.py": '''
import os
from mod_python import apache

def handler(req):
    path = os.path.join(os.path.dirname(__file__), "letters.txt")
    req.content_type = "text/plain"
    if req.args == "part":
        req.set_content_length(5)
        req.sendfile(path, 3, 5)
    else:
        req.set_content_length(os.path.getsize(path))
        req.sendfile(path)
    return apache.OK
'''}, (Ask("x", "abcdefghijklmnopqrstuvwxyz", has=(("Content-Length", "26"),)), Ask("x?part", "defgh", has=(("Content-Length", "5"),)))),
    Example("inside", "an internal redirect", handler("inside"), {"inside.py": '''
from mod_python import apache

def handler(req):
    if req.args == "go":
        req.internal_redirect(req.uri + "?there")
        return apache.OK
    req.content_type = "text/plain"
    req.write("%s, before it %s" % (req.args, req.prev and req.prev.args), 0)
    return apache.OK
'''}, (Ask("x", "None, before it None"), Ask("x?go", "there, before it go"))),
    Example("cleanup", "what is done after the answer", handler("after", "PythonOption keep @DIR@/../../../state/after"), {"after.py": '''
import os
from mod_python import apache

def handler(req):
    path = req.get_options()["keep"]
    if req.args == "look":
        req.write(open(path).read() if os.path.exists(path) else "nothing", 0)
        return apache.OK
    if os.path.exists(path):
        os.unlink(path)
    req.register_cleanup(note, (path, "first"))
    req.register_cleanup(note, (path, "second"))
    req.write("answered", 0)
    return apache.OK

def note(data):
    path, word = data
    with open(path, "a") as file:
        file.write(word + " ")
'''}, (Ask("x", "answered"),)),
    Example("options", "options, inherited and taken away", handler("options", (
        'PythonOption colour red\nPythonOption size 7\n<Files "plain*">\nPythonOption colour ""\n</Files>\n<Files "big*">\nPythonOption size 9\n</Files>')), {
        "plain.x": "", "big.x": "", "other.x": "", "options.py": '''
from mod_python import apache

def handler(req):
    options = req.get_options()
    req.content_type = "text/plain"
    req.write("colour %s size %s" % (options.get("colour"), options["size"]), 0)
    return apache.OK
'''}, (Ask("other.x", "colour red size 7"), Ask("plain.x", "colour None size 7"), Ask("big.x", "colour red size 9"))),
    Example("suffix", "handlers by extension, and a list of handlers", (
        "SetHandler mod_python\nPythonHandler suffix::start suffix::end\nPythonHandler suffix::page | .page .pg"), {"suffix.py": '''
from mod_python import apache

def start(req):
    req.content_type = "text/plain"
    req.write("start, ", 0)
    return apache.OK

def end(req):
    req.write("end", 0)
    return apache.OK

def page(req):
    req.write("page %s" % req.extension, 0)
    return apache.OK
''', "a.page": "", "a.pg": "", "a.txt": ""}, (Ask("a.page", "page .page"), Ask("a.pg", "page .pg"), Ask("a.txt", "start, end"))),
    Example("klass", "a handler that is a method of a class", handler("shop::Counter.serve"), {"shop.py": '''
from mod_python import apache

class Counter:
    def __init__(self, req):
        self.opened_by = req.uri

    def serve(self, req):
        req.content_type = "text/plain"
        req.write("opened by %s" % self.opened_by, 0)
        return apache.OK
'''}, (Ask("x", "opened by /manual/klass/x"),)),
    Example("chooses", "a fix-up handler that decides who makes the content", "PythonFixupHandler chooses", {
        "plain.txt": "the file itself\n", "chooses.py": '''
from mod_python import apache

def fixuphandler(req):
    if req.args == "python":
        req.handler = "mod_python"
        req.add_handler("PythonHandler", "chooses::speak", req.hlist.directory)
    return apache.OK

def speak(req):
    req.content_type = "text/plain"
    req.write("python speaks", 0)
    return apache.OK
'''}, (Ask("plain.txt", "the file itself\n"), Ask("plain.txt?python", "python speaks"))),
    Example("cgivars", "the environment of CGI, and the URL of this server", handler("variables"), {"variables.py": '''
from mod_python import apache

def handler(req):
    env = apache.build_cgi_env(req)
    req.content_type = "text/plain"
    req.write("%s %s %s %s" % (env["REQUEST_METHOD"], env["QUERY_STRING"], env["SERVER_PROTOCOL"], env["HTTP_X_A"]), 0)
    req.write(" %s" % req.construct_url("/there").partition("//")[2].partition("/")[2], 0)
    return apache.OK
'''}, (Ask("x?a=1", "GET a=1 HTTP/1.1 yes there", headers=(("X-A", "yes"),)),)),
    Example("state", "what the module apache knows", handler("knows"), {"knows.py": '''
import os
from mod_python import apache

def handler(req):
    here = apache.stat(os.path.join(os.path.dirname(__file__), "knows.py"), apache.APR_FINFO_NORM)
    gone = apache.stat("/no/such/file", apache.APR_FINFO_NORM)
    found = [here.filetype == apache.APR_REG, here.size > 10, gone.filetype == apache.APR_NOFILE, apache.exists_config_define("NO_SUCH"),
             isinstance(apache.config_tree(), list), apache.server_root() != "", apache.mpm_query(apache.AP_MPMQ_IS_THREADED) >= 0]
    req.content_type = "text/plain"
    req.write("%s" % found, 0)
    return apache.OK
'''}, (Ask("x", r"\[True, True, True, (0|False), True, True, True\]"),)),
]

# ---- util, Cookie, Session, psp ----

COUNT = '''
from mod_python import Session, apache

def handler(req):
    session = Session.Session(req)
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    req.content_type = "text/plain"
    req.write("visit %d, new %s" % (session["visits"], bool(session.is_new())), 0)
    return apache.OK
'''

LIBRARY = [
    Example("fields", "FieldStorage: one value, several, first, none", handler("fields"), {"fields.py": '''
from mod_python import apache, util

def handler(req):
    form = util.FieldStorage(req, keep_blank_values=True)
    many = [str(one) for one in form.getlist("fruit")]
    req.content_type = "text/plain"
    req.write("%s %s %s %s %s" % (many, form.getfirst("fruit"), form.get("nothing", "none"), "blank" in form, sorted(form.keys())), 0)
    return apache.OK
'''}, (Ask("x?fruit=pear&fruit=plum&blank=&other=last", r"\['pear', 'plum'\] pear none True \['blank', 'fruit', 'other'\]"),)),
    Example("upload", "an upload, read from its field", handler("take"), {"take.py": '''
from mod_python import apache, util

def handler(req):
    form = util.FieldStorage(req)
    field = form["letter"]
    req.content_type = "text/plain"
    if not field.filename:
        req.write("no file", 0)
        return apache.OK
    field.file.seek(0)
    lines = field.file.readlines()
    req.write("%s %s %d %r" % (field.filename, field.type, len(lines), lines[-1]), 0)
    return apache.OK
'''}, (Ask("x", r"a.txt text/plain 3 b'three'", method="POST", headers=MULTI, body=upload("letter", "a.txt", "one\ntwo\nthree")),)),
    Example("factory", "large uploads: a factory makes the files", handler("depot", "PythonOption depot @DIR@/../../../state"), {"depot.py": '''
import hashlib, os
from mod_python import apache, util

class Kept:
    """A file that knows its name and what has gone through it."""

    def __init__(self, path):
        self.path, self.size, self.digest = path, 0, hashlib.md5()
        self.file = open(path, "wb")

    def write(self, data):
        self.size += len(data)
        self.digest.update(data)
        return self.file.write(data)

    def seek(self, where, whence=0):
        return self.file.seek(where, whence)

    def flush(self):
        self.file.flush()

    def close(self):
        self.file.close()

class Depot:
    def __init__(self, folder):
        self.folder, self.made = folder, []

    def create(self, filename):
        kept = Kept(os.path.join(self.folder, "kept-" + os.path.basename(filename)))
        self.made.append(kept)
        return kept

def handler(req):
    depot = Depot(req.get_options()["depot"])
    form = util.FieldStorage(req, keep_blank_values=1, file_callback=depot.create)
    req.content_type = "text/plain"
    for kept in depot.made:
        kept.close()
        req.write("%s %d %s " % (os.path.basename(kept.path), kept.size, kept.digest.hexdigest()), 0)
        os.unlink(kept.path)
    req.write(str(form.getfirst("title") is not None), 0)
    return apache.OK
'''}, (Ask("x", "kept-big.bin 200000 [0-9a-f]{32} True", method="POST", headers=MULTI, body=upload("f", "../big.bin", "0123456789" * 20000, title="t")),)),
    Example("elsewhere", "util.redirect", PUBLISHER, {"index.py": '''
from mod_python import util

def index(req):
    util.redirect(req, "http://www.example.org/new", text="it is there")

def moved(req):
    util.redirect(req, "http://www.example.org/for/good", permanent=True)
'''}, (Ask("", "it is there", 302, has=(("Location", "http://www.example.org/new"),)),
       Ask("moved", "(?s).*", 301, has=(("Location", "http://www.example.org/for/good"),)))),
    Example("cookie", "a cookie with a life, and back", handler("crumbs"), {"crumbs.py": '''
import time
from mod_python import Cookie, apache

def handler(req):
    cookies = Cookie.get_cookies(req)
    req.content_type = "text/plain"
    if "tea" in cookies:
        req.write("tea is %s" % cookies["tea"].value, 0)
        return apache.OK
    cookie = Cookie.Cookie("tea", "green")
    cookie.path = "/"
    cookie.expires = time.time() + 600
    Cookie.add_cookie(req, cookie)
    Cookie.add_cookie(req, "milk", "none", domain="example.org")
    req.write("set", 0)
    return apache.OK
'''}, (Ask("x", "set", has=(("Cache-Control", 'no-cache="set-cookie"'),)), Ask("x", "tea is green", cookies_of="x"))),
    Example("signed", "cookies that clients cannot change", handler("sealed"), {"sealed.py": '''
from mod_python import Cookie, apache

def handler(req):
    req.content_type = "text/plain"
    found = Cookie.get_cookies(req, Cookie.MarshalCookie, secret="under the mat")
    if "basket" in found and isinstance(found["basket"], Cookie.MarshalCookie):
        req.write("basket %s" % sorted(found["basket"].value.items()), 0)
        return apache.OK
    Cookie.add_cookie(req, Cookie.MarshalCookie("basket", {"apples": 3, "pears": [1, 2]}, "under the mat"))
    Cookie.add_cookie(req, Cookie.SignedCookie("name", "anna", "under the mat"))
    req.write("packed", 0)
    return apache.OK
'''}, (Ask("x", "packed"), Ask("x", r"basket \[\('apples', 3\), \('pears', \[1, 2\]\)\]", cookies_of="x"))),
    Example("visits", "a session that counts", handler("visits", 'PythonOption mod_python.session.database_directory "@DIR@/../../../state"'),
            {"visits.py": COUNT}, (Ask("x", "visit 1, new True", has=(("Set-Cookie", "(?s).*pysid=[0-9a-f]{32}.*"),)), Ask("x", "visit 2, new False", cookies_of="x"))),
    Example("filesession", "a session in files, named by an option", handler("visits", (
        "PythonOption mod_python.session.session_type FileSession\nPythonOption mod_python.file_session.database_directory \"@DIR@/../../../state\"\n"
        "PythonOption mod_python.session.cookie_name counter")), {"visits.py": COUNT},
            (Ask("x", "visit 1, new True", has=(("Set-Cookie", "(?s).*counter=.*"),)), Ask("x", "visit 2, new False", cookies_of="x"))),
    Example("login", "a session that knows who is there", PUBLISHER + '\nPythonOption mod_python.session.database_directory "@DIR@/../../../state"', {"index.py": '''
from mod_python import Session

PEOPLE = {"anna": "pear"}

def index(req):
    session = Session.Session(req)
    if "who" not in session:
        return "Who are you?"
    return "Hello %s" % session["who"]

def enter(req, name="", word=""):
    session = Session.Session(req)
    if PEOPLE.get(name) != word:
        return "No."
    session["who"] = str(name)
    session.save()
    return "Welcome."

def leave(req):
    session = Session.Session(req)
    session.invalidate()
    return "Good bye."
'''}, (Ask("", r"Who are you\?"), Ask("enter?name=anna&word=plum", "No."), Ask("", "Hello anna", cookies_of="enter?name=anna&word=pear"),
       Ask("leave", "Good bye.", cookies_of="enter?name=anna&word=pear"))),
    Example("pages", "PSP: code, expressions, comments, includes, blocks", "AddHandler mod_python .psp\nPythonHandler mod_python.psp", {
        "list.psp": '''<html><%-- nobody sees this --%>
<%
names = ["ann", "bob"]
for name in names:
%>
<li><%= name %></li>
<%
# end of the list
%>
<%@ include file="foot.psp"%>
</html>''', "foot.psp": "<p>foot of <%= req.uri.split('/')[-1] %></p>", "if.psp": '''<%
if "wanted" in form:
%>
has <%= form["wanted"] %>
<%
else:
%>
has none
<%
# end if
%>done'''}, (Ask("list.psp", r"(?s)<html>\s*<li>ann</li>\s*<li>bob</li>\s*<p>foot of list.psp</p>\s*</html>", has=(("Content-Type", "text/html"),)),
             Ask("if.psp?wanted=everything", r"(?s)\s*has everything\s*done"), Ask("if.psp", r"(?s)\s*has none\s*done"))),
    Example("pspform", "PSP: a page with a form that answers itself", "AddHandler mod_python .psp\nPythonHandler mod_python.psp", {
        "form.psp": '''<form action="form.psp" method="get"><input name="first"><input name="second"></form>
<%
if "first" in form and "second" in form:
%>
<p><%= form["first"] %> and <%= form["second"] %></p>
<%
else:
%>
<p>tell me</p>
<%
# end
%>'''}, (Ask("form.psp", r"(?s)<form.*<p>tell me</p>\s*"), Ask("form.psp?first=salt&second=pepper&z=zzzz", r"(?s)<form.*<p>salt and pepper</p>\s*"))),
    Example("psperror", "PSP: another page shows what went wrong", "AddHandler mod_python .psp\nPythonHandler mod_python.psp", {
        "fails.psp": '''<% psp.set_error_page("sorry.psp") %><% 1/0 %>''', "sorry.psp": "Sorry: <%= exception[0].__name__ %>"}, (
            Ask("fails.psp", "Sorry: ZeroDivisionError"),)),
    Example("pspsession", "PSP: a session by its name", (
        'AddHandler mod_python .psp\nPythonHandler mod_python.psp\nPythonOption mod_python.session.database_directory "@DIR@/../../../state"'), {
        "count.psp": '''<%
session["n"] = session.get("n", 0) + 1
%>seen <%= session["n"] %>'''}, (Ask("count.psp", "seen 1"), Ask("count.psp", "seen 2", cookies_of="count.psp"))),
    Example("psptemplate", "PSP as a template of a published function", PUBLISHER, {
        "hello.tmpl": "<b><%= greeting %>, <%= name %></b>", "index.py": '''
from mod_python import psp

def index(req, name="you"):
    req.content_type = "text/html"
    page = psp.PSP(req, filename="hello.tmpl", vars={"greeting": "Hello"})
    page.run({"name": name})

def string(req):
    return psp.PSP(req, string="<i><%= word %></i>", vars={"word": "inline"})
'''}, (Ask("", "<b>Hello, you</b>"), Ask("index?name=anna&z=zzzz", "<b>Hello, anna</b>"), Ask("string", "<i>inline</i>"))),
]

# ---- the standard handlers ----

HANDLERS = [
    Example("published", "publisher: functions, values, objects, and what is not published", PUBLISHER, {"index.py": '''
"""What is here is there for everybody."""

VERSION = "7"
_secret = "no"

def index(req):
    return "<html>front page of %s</html>" % req.hostname

def add(first="0", second="0"):
    return "%d" % (int(first) + int(second))

class Garden:
    """Only instances are published."""

    def __init__(self, name):
        self.name = name
        self.beds = {"north": "beans"}

    def __call__(self, req):
        return "the garden %s" % self.name

    def water(self, litres="10"):
        return "%s litres for %s" % (litres, self.name)

    def _hidden(self):
        return "hidden"

garden = Garden("behind")
''', "other.py": "def index(req):\n    return 'other'\ndef deep(req):\n    return 'deep'\n"}, (
        Ask("", "<html>front page of localhost</html>", headers=(("Host", "localhost"),)), Ask("add?first=19&second=23", "42"), Ask("VERSION", "7"),
        Ask("_secret", "(?s).*", 403), Ask("garden", "the garden behind"), Ask("garden/water?litres=3&z=zzzz", "3 litres for behind"),
        Ask("garden/name", "behind"), Ask("garden/_hidden", "(?s).*", 403), Ask("Garden", "(?s).*", 403), Ask("other", "other"),
        Ask("other/deep", "deep"), Ask("other.py/deep", "deep"), Ask("no/such", "(?s).*", 404))),
    Example("guarded", "publisher: who may come in, by module", PUBLISHER, {"index.py": '''
__auth_realm__ = "members"

def __auth__(req, user, password):
    return user == "anna" and password == "pear"

def __access__(req, user):
    return user == "anna" and req.args != "closed"

def index(req):
    return "inside"
'''}, (Ask("", "(?s).*", 401, has=(("WWW-Authenticate", 'Basic realm="members"'),)), Ask("", "inside", headers=login("anna", "pear")),
       Ask("", "(?s).*", 401, headers=login("anna", "plum")), Ask("?closed", "(?s).*", 403, headers=login("anna", "pear")))),
    Example("passwords", "publisher: a dictionary of passwords, a list of users", PUBLISHER, {"index.py": '''
__auth_realm__ = "people"
__auth__ = {"anna": "pear", "bob": "plum"}
__access__ = ["anna"]

def index(req):
    return "hello"
'''}, (Ask("", "hello", headers=login("anna", "pear")), Ask("", "(?s).*", 403, headers=login("bob", "plum")), Ask("", "(?s).*", 401))),
    Example("inner", "publisher: rules inside one function", PUBLISHER, {"index.py": '''
def index(req):
    return "open"

def closed(req):
    def __auth__(req, user, password):
        return user == "anna" and password == "pear"
    return "opened"

def constant(req):
    __access__ = False
    return "never"
'''}, (Ask("", "open"), Ask("closed", "(?s).*", 401), Ask("closed", "opened", headers=login("anna", "pear")), Ask("constant", "(?s).*", 403))),
    Example("guestbook", "publisher: forms by POST, with an upload", PUBLISHER, {"index.py": '''
def sign(req, name, words, picture=None):
    got = " with %d bytes of %s" % (len(picture.value), picture.filename) if picture is not None else ""
    return "%s wrote %s%s" % (name, words, got)
'''}, (Ask("sign", "anna wrote good with 4 bytes of p.txt", method="POST", headers=MULTI, body=upload("picture", "p.txt", "data", name="anna", words="good")),
       Ask("sign?name=anna", "(?s).*", 500))),
    Example("wsgi", "the WSGI handler", handler("mod_python.wsgi", "PythonOption mod_python.wsgi.application hello::application"), {"hello.py": '''
def application(environ, start_response):
    status = "404 Not Found" if environ.get("QUERY_STRING") == "lost" else "200 OK"
    body = ("%s says hello" % environ["REQUEST_METHOD"]).encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
'''}, (Ask("x", "GET says hello", has=(("Content-Type", "text/plain"), ("Content-Length", "14"))), Ask("x?lost", "GET says hello", 404))),
    Example("cgi", "the CGI handler", handler("mod_python.cgihandler"), {"env.py": '''
import os, sys

print("Content-Type: text/plain")
print("X-A: cgi")
print()
print("%s %s %r" % (os.environ["REQUEST_METHOD"], os.environ["QUERY_STRING"], sys.stdin.read() if os.environ["REQUEST_METHOD"] == "POST" else ""))
'''}, (Ask("env.py?a=1", "GET a=1 ''\n", has=(("X-A", "cgi"),)), Ask("none.py", "(?s).*", 404))),
]

EXAMPLES = [*TUTORIAL, *API, *LIBRARY, *HANDLERS]


def conf_of_examples() -> str:
    """Return the <Directory> sections of all examples."""
    text = ""
    for one in EXAMPLES:
        path = f"@ROOT@/www/manual/{one.name}"
        text += f'<Directory "{path}">\n{one.conf}\n</Directory>\n'.replace("@DIR@", path)
    return text

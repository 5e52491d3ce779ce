"""Notes with pictures. Each function is a URL: /, /enter, /leave, /add, /picture."""
import hmac
import html
import secrets

import store
from mod_python import Session, apache, util

PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Notes</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}form{display:grid;gap:.6rem;margin:1.5rem 0}
textarea,input{font:inherit;padding:.4rem}button{font:inherit;justify-self:start;padding:.4rem 1rem}article{border-top:1px solid #ddd;padding:1rem 0}
img{max-width:100%%;border-radius:6px}small{color:#666}</style>
%s
</html>
"""
ENTER = """<h1>Notes</h1><form method="post" action="enter"><input type="hidden" name="token" value="{token}">
<label>Who are you? <input name="name" required maxlength="40" autofocus></label><button>Enter</button></form>"""
WRITE = """<h1>Notes</h1><p>You are <b id="who">{name}</b>, this is your visit number <span id="visits">{visits}</span>.</p>
<form method="post" action="leave"><input type="hidden" name="token" value="{token}"><button>Leave</button></form>
<form method="post" action="add" enctype="multipart/form-data"><input type="hidden" name="token" value="{token}">
<textarea name="text" rows="3" required maxlength="2000" placeholder="A note"></textarea><input type="file" name="picture" accept="image/*">
<button>Keep</button></form>"""


def opened(req, token=None):
    """The session; for a form that changes something, only with the token that our own page put into it."""
    session = Session.Session(req)
    session.setdefault("token", secrets.token_hex(16))
    if token is not None and not hmac.compare_digest(session["token"].encode(), str(token).encode()):
        raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)
    if token is not None and req.method != "POST":
        raise apache.SERVER_RETURN(apache.HTTP_METHOD_NOT_ALLOWED)
    return session


opened.__access__ = False  # a helper, not a page


def folder(req):
    return req.get_options()["notes.folder"]


folder.__access__ = False


def index(req):
    session = opened(req)
    session["visits"] = session.get("visits", 0) + 1
    session.save()
    if "name" not in session:
        return PAGE % ENTER.format(token=session["token"])
    parts = [WRITE.format(name=html.escape(session["name"]), visits=session["visits"], token=session["token"])]
    for number, author, text, picture in store.notes(folder(req)):
        image = f'<p><img src="picture?number={number}" alt="picture of note {number}"></p>' if picture else ""
        parts.append(f"<article><small>{html.escape(author)}</small><div>{html.escape(text)}</div>{image}</article>")
    return PAGE % "\n".join(parts)


def enter(req, name, token):
    session = opened(req, token)
    session["name"] = name[:40]
    session.save()
    util.redirect(req, req.construct_url("/"))


def leave(req, token):
    opened(req, token).invalidate()
    util.redirect(req, req.construct_url("/"))


def add(req, text, token, picture=None):
    session = opened(req, token)
    if "name" not in session:
        raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)
    session.unlock()  # storing a large picture need not keep the user's other requests waiting
    store.add(folder(req), session["name"], text[:2000], picture)
    util.redirect(req, req.construct_url("/"))


def picture(req, number):
    found = store.picture(folder(req), number) if number.isdecimal() else None
    if not found:
        raise apache.SERVER_RETURN(apache.HTTP_NOT_FOUND)
    req.content_type = found[1]
    req.headers_out["X-Content-Type-Options"] = "nosniff"
    req.sendfile(found[0])

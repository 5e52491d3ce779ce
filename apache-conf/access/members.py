"""Authentication by a handler, and a page for who has passed."""
import hmac

from mod_python import apache

PASSWORDS = {"me": "secret"}


def authenhandler(req):
    password = req.get_basic_auth_pw() or ""
    if hmac.compare_digest(PASSWORDS.get(req.user or "", "\0").encode(), password.encode()):
        return apache.OK
    return apache.HTTP_UNAUTHORIZED


def handler(req):
    req.content_type = "text/plain"
    req.write(f"Welcome, {req.user}.\n")
    return apache.OK

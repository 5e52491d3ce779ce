"""mod_python.publisher: functions and values of modules, published by their path.

`/module/function?x=1` calls `function(req, x)` of `module.py` beside the requested file; `/function` that of `index.py`. Names that
begin with an underscore, modules, classes and C functions are forbidden. `__auth__`, `__auth_realm__` and `__access__` of a module, an
object or inside a function say who may; `PythonHandler mod_python.publisher` switches it on.
"""
from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import sys
import types
from typing import Any

from . import importer, util
from ._native import SERVER_RETURN
from ._nested import NestedRuleError, nested_rules
from .constants import (
    APLOG_ERR,
    APLOG_INFO,
    HTTP_BAD_REQUEST,
    HTTP_FORBIDDEN,
    HTTP_INTERNAL_SERVER_ERROR,
    HTTP_METHOD_NOT_ALLOWED,
    HTTP_MOVED_PERMANENTLY,
    HTTP_NOT_FOUND,
    HTTP_UNAUTHORIZED,
    OK,
)

__all__ = ["PageCache", "handler", "page_cache", "process_auth", "publish_object", "resolve_object"]

_METHODS = ["GET", "POST", "HEAD"]
_HTML_END = re.compile(r"</html\s*>\s*\Z", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_OPEN_TYPES = {types.SimpleNamespace, types.DynamicClassAttribute}
_INTERPRETER_TYPES = tuple({one for one in vars(types).values() if isinstance(one, type)} - _OPEN_TYPES)
_C_CALLABLES = (types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodWrapperType, types.MethodDescriptorType,
                types.ClassMethodDescriptorType)
_MISSING = object()


def handler(req: Any) -> int:
    """Publish the object that the URL names. May switch.

    Answers 405 for methods other than GET, POST and HEAD, 404 where there is no such object, 403 where it may not be published, 401
    and 403 as the rules on the way say.
    """
    req.allow_methods(_METHODS)
    if req.method not in _METHODS:
        raise SERVER_RETURN(HTTP_METHOD_NOT_ALLOWED)
    module, path = _find_module(req)
    publish_object(req, _resolve(req, module, path))
    return OK


def _find_module(req: Any) -> tuple[types.ModuleType, str]:
    """The module and the dotted path in it that filename and path_info mean."""
    if req.filename is None:
        raise SERVER_RETURN(HTTP_NOT_FOUND)
    directory, name = os.path.split(req.filename)
    if name and not req.path_info and os.path.isdir(req.filename):
        _add_slash(req)
    words = (req.path_info or "").strip("/").split("/")
    path = ".".join(word for word in words if word)
    if any("." in word for word in words):
        raise SERVER_RETURN(HTTP_NOT_FOUND)
    name = _without_extension(req, name) or "index"
    file = os.path.join(directory, name + ".py")
    if "\0" in file:
        raise SERVER_RETURN(HTTP_NOT_FOUND)
    if not os.path.isfile(file):
        if "." in name:
            raise SERVER_RETURN(HTTP_NOT_FOUND)
        if name != "index":
            path = f"{name}.{path}" if path else name
        file = os.path.join(directory, "index.py")
        if not os.path.isfile(file):
            raise SERVER_RETURN(HTTP_NOT_FOUND)
    return _module(req, file), path or "index"


def _module(req: Any, file: str) -> types.ModuleType:
    config = req.get_config()
    return importer.load_file(file, config.get("PythonAutoReload", "1") == "1", config.get("PythonDebug", "0") == "1")


class PageCache:
    """`page_cache[req]`: the module of req.filename, as publisher loads it. May switch."""

    def __getitem__(self, req: Any) -> types.ModuleType:
        return _module(req, req.filename)


page_cache = PageCache()


def _add_slash(req: Any) -> None:
    """Send the client to the directory's own URL, below which relative links work."""
    uri, query, args = req.unparsed_uri.partition("?")
    if not uri.endswith("/"):
        req.err_headers_out["Location"] = req.construct_url(f"{uri}/{query}{args}")
        raise SERVER_RETURN(HTTP_MOVED_PERMANENTLY)


def _without_extension(req: Any, name: str) -> str:
    extensions = [req.extension or "", ".py", *("." + one for one in (req.get_addhandler_exts() or "").split())]
    for one in extensions:
        if one and name.endswith(one):
            return name[:-len(one)]
    return name


def resolve_object(req: Any, obj: Any, object_str: str, realm: str | None = None, user: str | None = None,
                   passwd: str | None = None) -> Any:
    """Return the object that a dotted path below obj means, checking the rules of everything on the way.

    Raises SERVER_RETURN: 404 for what is not there, 403 for what may not be passed through or published, 401/403/400 as process_auth.
    """
    for depth, name in enumerate(object_str.split(".")):
        if name.startswith("_"):
            req.log_error(f"publisher: {object_str!r} has a name that begins with an underscore", APLOG_INFO)
            raise SERVER_RETURN(HTTP_FORBIDDEN)
        if depth and not _traversable(obj):
            req.log_error(f"publisher: a {type(obj).__name__} cannot be traversed to {name!r}", APLOG_INFO)
            raise SERVER_RETURN(HTTP_FORBIDDEN)
        found = getattr(obj, name, _MISSING)
        if found is _MISSING:
            raise SERVER_RETURN(HTTP_NOT_FOUND)
        obj = found
        realm, user, passwd = process_auth(req, obj, realm or "unknown", user, passwd)
    if not _publishable(obj):
        req.log_error(f"publisher: {object_str!r} is a {type(obj).__name__} and not published", APLOG_INFO)
        raise SERVER_RETURN(HTTP_FORBIDDEN)
    return obj


def _resolve(req: Any, module: types.ModuleType, path: str) -> Any:
    realm, user, passwd = process_auth(req, module)
    return resolve_object(req, module, path, realm, user, passwd)


def _traversable(obj: Any) -> bool:
    return not isinstance(obj, (type, *_INTERPRETER_TYPES))


def _publishable(obj: Any) -> bool:
    if isinstance(obj, (type, types.ModuleType, *_C_CALLABLES)):
        return False
    if isinstance(obj, types.FunctionType):  # `from subprocess import run` in a module does not publish run
        return (obj.__module__ or "").partition(".")[0] not in sys.stdlib_module_names
    return True


def process_auth(req: Any, object: Any, realm: str = "unknown", user: str | None = None,
                 passwd: str | None = None) -> tuple[str, str | None, str | None]:
    """Check `__auth__` and `__access__` of an object and return (realm, user, password) for what lies behind it. May switch.

    `__auth__`: callable(req, user, password), {user: password}, or a constant; false → 401 with a Basic challenge. `__access__`:
    callable(req, user), a sequence of users, or a constant; false → 403. A header that cannot be read → 400.
    Raises SERVER_RETURN.
    """
    rules = _rules(req, object)
    realm = rules.get("__auth_realm__", realm)
    if "__auth__" not in rules and "__access__" not in rules:
        return realm, user, passwd
    if user is None:
        user, passwd = _credentials(req)
    if "__auth__" in rules:
        if user is None or not _admits(rules["__auth__"], req, user, passwd or ""):
            text = str(realm).replace("\\", "\\\\").replace('"', '\\"')
            req.err_headers_out["WWW-Authenticate"] = f'Basic realm="{text}"'
            raise SERVER_RETURN(HTTP_UNAUTHORIZED)
        req.user, req.ap_auth_type = user, "Basic"
    if "__access__" in rules:
        access = rules["__access__"]
        if callable(access):
            granted = access(req, user)
        elif isinstance(access, (list, tuple, set, frozenset, dict)):
            granted = user in access
        else:
            granted = access
        if not granted:
            raise SERVER_RETURN(HTTP_FORBIDDEN)
    return realm, user, passwd


def _rules(req: Any, found: Any) -> dict[str, Any]:
    rules = {name: value for name in ("__auth_realm__", "__auth__", "__access__")
             if (value := getattr(found, name, _MISSING)) is not _MISSING}
    if callable(found):
        try:
            rules |= nested_rules(found)
            rules |= nested_rules(found.__call__) if not isinstance(found, (types.FunctionType, types.MethodType)) else {}
        except NestedRuleError as error:
            req.log_error(f"publisher: {error}; refused", APLOG_ERR)
            raise SERVER_RETURN(HTTP_INTERNAL_SERVER_ERROR) from error
    return rules


def _admits(auth: Any, req: Any, user: str, passwd: str) -> bool:
    if callable(auth):
        return bool(auth(req, user, passwd))
    if isinstance(auth, dict):
        expected = auth.get(user)
        return expected is not None and hmac.compare_digest(str(expected).encode(), passwd.encode())
    return bool(auth)


def _credentials(req: Any) -> tuple[str | None, str | None]:
    """User and password of an Authorization header of the Basic scheme, (None, None) without. Raises SERVER_RETURN(400)."""
    scheme, _, text = (req.headers_in.get("Authorization") or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        user, colon, passwd = base64.b64decode(text.strip().encode("latin-1"), validate=True).decode("latin-1").partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        req.log_error("publisher: the Authorization header cannot be read", APLOG_INFO)
        raise SERVER_RETURN(HTTP_BAD_REQUEST)
    return user, passwd


def publish_object(req: Any, obj: Any) -> None:
    """Write an object as the answer: None nothing, a callable what it returns for the form, bytes as they are, else str(obj).

    Without a content type: text/html when the text ends in `</html>`, else text/plain. May switch.
    """
    while callable(obj) and not isinstance(obj, types.GeneratorType):
        if getattr(req, "form", None) is None:
            req.form = util.FieldStorage(req, keep_blank_values=1)
        obj = util.apply_fs_data(obj, req.form, req=req)
    if obj is None:
        return
    if isinstance(obj, types.GeneratorType):
        for piece in obj:
            _write(req, piece)
    else:
        _write(req, obj)


def _write(req: Any, piece: Any) -> None:
    content_type = req.content_type if req._content_type_set else None
    if isinstance(piece, bytes):
        if not content_type:
            end = piece[-100:].decode("latin-1")
            req.content_type = "text/html" if _HTML_END.search(end) else "text/plain"
        req.write(piece, 0)
        return
    text = str(piece)
    if not content_type:
        kind = "text/html" if _HTML_END.search(text[-100:]) else "text/plain"
        req.content_type = kind if text.isascii() else kind + "; charset=utf-8"
    match = _CHARSET.search(content_type or "")
    req.write(_encoded(text, match[1]) if match else text.encode("utf-8", "replace"), 0)


def _encoded(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset, "xmlcharrefreplace")
    except LookupError:
        return text.encode("utf-8", "replace")

"""The table of all directives, and look-up in it."""
from __future__ import annotations

import difflib

from .directives_dir import ROWS as DIR_ROWS
from .directives_python import ROWS as PYTHON_ROWS
from .directives_server import ROWS as SERVER_ROWS
from .table import KEYED, Directive, Rule

__all__ = ["FIELD_RULES", "TABLE", "find", "not_found"]

TABLE: dict[str, Directive] = {each.name.lower(): each for each in (*SERVER_ROWS, *DIR_ROWS, *PYTHON_ROWS)}

# What people bring from httpd or older versions, and what to write instead.
INSTEAD = {
    "order": "Require all granted or Require all denied", "allow": "Require all granted or Require ip …",
    "deny": "Require all denied or Require not ip … in <RequireAll>", "satisfy": "<RequireAny> or <RequireAll>",
    "namevirtualhost": "nothing: virtual hosts on one address are told apart by name", "maxclients": "PyMaxRequestsInFlight",
    "maxrequestworkers": "PyMaxRequestsInFlight", "threadsperchild": "nothing: requests run in greenlets", "serverlimit": "StartServers",
    "minspareservers": "StartServers", "maxspareservers": "StartServers", "rewriteengine": "Redirect, Alias or a PythonTransHandler",
    "rewriterule": "RedirectMatch, AliasMatch or a PythonTransHandler", "rewritecond": "SetEnvIf or a PythonTransHandler",
    "wsgiscriptalias": "PyWSGIAlias", "sslengine": "a proxy in front: TLS is not built in", "proxypass": "a handler",
    "scriptsock": "nothing: the helper that starts CGI scripts has no socket in the file system",
    "scriptlog": "ErrorLog: what scripts write to stderr goes there", "maxmemfree": "nothing", "defaulttype": "ForceType or AddType",
    "sslcertificatefile": "a proxy in front: TLS is not built in", "protocols": "nothing: HTTP/1.1 and 1.0 are spoken",
    "httpprotocoloptions": "nothing: what is no HTTP is refused", "hostnamelookups": "nothing: no name server is asked",
    "mutex": "nothing: workers share no lock of this kind", "acceptfilter": "nothing", "enablemmap": "nothing: files go out by sendfile",
    "scoreboardfile": "nothing: it is in memory", "coredumpdirectory": "nothing: kernel.core_pattern says where",
    "authmerging": "one <RequireAll> or <RequireAny> in the inner section",
    "fallbackresource": "ErrorDocument 404, or a handler for the <Location>", "setenvifexpr": "SetEnv in <If>",
    "expiresactive": "Header set Cache-Control", "addoutputfilterbytype": "AddOutputFilter, or a proxy in front that compresses"}


def rules() -> dict[str, Rule]:
    """The rule of each field; what get_config() shows is merged name by name, whichever directive it comes from."""
    return {field: KEYED if field.endswith(".python_config") else each.rule for each in TABLE.values() for field in each.fields}


FIELD_RULES: dict[str, Rule] = rules()


def find(name: str) -> Directive | None:
    """The row of a directive, any case."""
    return TABLE.get(name.lower())


def not_found(name: str) -> str:
    """What to say of a name that is no directive."""
    if name.lower() in INSTEAD:
        return f"not part of pyhost; use {INSTEAD[name.lower()]}"
    near = difflib.get_close_matches(name.lower(), TABLE, 1, 0.75)
    hint = f" (did you mean {TABLE[near[0]].name}?)" if near else ""
    return f"a directive expected: there is none of this name{hint}"

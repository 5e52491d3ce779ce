"""Names of modules for LoadModule, <IfModule>, -M and -l: what is built in, and what httpd has besides."""
from __future__ import annotations

__all__ = ["BUILT_IN", "is_built_in", "is_known"]

BUILT_IN: dict[str, str] = {  # identifier without "_module": what of it pyhost has
    "core": "sections, limits, logs, static files",
    "http": "HTTP/1.0 and 1.1",
    "so": "LoadModule is accepted for what is listed here",
    "unixd": "User, Group",
    "mpm_event": "master, workers, the loop",
    "alias": "Alias, Redirect and their kin",
    "auth_basic": "AuthType Basic",
    "authn_core": "AuthType, AuthName",
    "authn_file": "AuthUserFile",
    "authz_core": "Require and its containers",
    "authz_groupfile": "AuthGroupFile",
    "authz_host": "Require ip, host, local",
    "authz_user": "Require user, valid-user",
    "autoindex": "listings of directories",
    "cgi": "CGI scripts, as cgid",
    "cgid": "CGI scripts: ScriptAlias, the handler cgi-script",
    "dir": "DirectoryIndex, DirectorySlash",
    "env": "SetEnv, PassEnv, UnsetEnv",
    "headers": "Header, RequestHeader",
    "log_config": "CustomLog, LogFormat",
    "mime": "AddType, AddHandler, AddCharset, AddEncoding, AddLanguage, TypesConfig",
    "python": "mod_python's directives and API",
    "remoteip": "RemoteIPHeader and its kin",
    "reqtimeout": "RequestReadTimeout",
    "setenvif": "SetEnvIf, BrowserMatch",
    "status": "SetHandler server-status",
}

# httpd's other modules: LoadModule for them is not an error (files written for httpd load many by habit), their directives are.
OTHERS = frozenset(["access_compat", "actions", "allowmethods", "asis", "auth_digest", "auth_form", "authn_anon", "authn_dbd", "authn_dbm", "authn_socache", "authnz_fcgi", "authnz_ldap", "authz_dbd", "authz_dbm", "authz_owner", "brotli", "buffer", "cache", "cache_disk", "cache_socache", "cern_meta", "charset_lite", "data", "dav", "dav_fs", "dav_lock", "dbd", "deflate", "dialup", "dumpio", "echo", "env", "expires", "ext_filter", "file_cache", "filter", "heartbeat", "heartmonitor", "http2", "ident", "imagemap", "include", "info", "lbmethod_bybusyness", "lbmethod_byrequests", "lbmethod_bytraffic", "lbmethod_heartbeat", "ldap", "log_debug", "log_forensic", "logio", "lua", "macro", "md", "mime_magic", "mpm_prefork", "mpm_worker", "negotiation", "proxy", "proxy_ajp", "proxy_balancer", "proxy_connect", "proxy_express", "proxy_fcgi", "proxy_fdpass", "proxy_ftp", "proxy_hcheck", "proxy_html", "proxy_http", "proxy_http2", "proxy_scgi", "proxy_uwsgi", "proxy_wstunnel", "ratelimit", "reflector", "request", "rewrite", "sed", "session", "session_cookie", "session_crypto", "session_dbd", "slotmem_plain", "slotmem_shm", "socache_dbm", "socache_memcache", "socache_redis", "socache_shmcb", "speling", "ssl", "substitute", "suexec", "systemd", "unique_id", "userdir", "usertrack", "version", "vhost_alias", "watchdog", "wsgi", "xml2enc"])


def identifier(name: str) -> str:
    """Return the bare name of `python_module`, `mod_python.c`, `mod_python.so` or `mod_python`."""
    for suffix in (".c", ".so", ".cpp"):
        name = name.removesuffix(suffix)
    return name.removeprefix("mod_").removesuffix("_module")


def is_built_in(name: str) -> bool:
    """Is the module, in any of httpd's spellings, part of this program?"""
    return identifier(name) in BUILT_IN


def is_known(name: str) -> bool:
    """Is it built in or one of httpd's own?"""
    return identifier(name) in BUILT_IN or identifier(name) in OTHERS

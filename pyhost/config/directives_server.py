"""Rows of the table: the process, the listeners, virtual hosts, the wire's limits, logs."""
from __future__ import annotations

from . import convert as c
from . import convert_logs as logs
from . import values as v
from .model import AliasKind
from .rows import MAIN, SERVER, row
from .table import ALIASES_FIRST, APPEND, KEYED, KEYED_LISTS, LIST, Directive

__all__ = ["ROWS"]

MOST_FIELDS = 32767  # httpd's: what 0 stands for
TOKENS = {"Full": 0, "OS": 1, "Minor": 2, "Minimal": 3, "Min": 3, "Major": 4, "Prod": 5, "ProductOnly": 5}

ROWS: tuple[Directive, ...] = (
    # the process
    row("ServerRoot", MAIN, "folder", v.path("folder"), "1", "main.server_root", "Folder that relative paths start from.",
        default="(folder of the configuration file, or -d)"),
    row("PidFile", MAIN, "file", v.path(), "1", "main.pid_file", "File that holds the process number of the master; -k reads it.",
        default="pyhost.pid"),
    row("User", MAIN, "name|#number", v.user, "1", "main.user", "User that the workers become when the server is started as root.",
        default="(who started it)"),
    row("Group", MAIN, "name|#number", v.group, "1", "main.group", "Group that the workers become when the server is started as root.",
        default="(who started it)"),
    row("StartServers", MAIN, "number", v.integer(1, 128), "1", "main.start_servers",
        "Worker processes; each serves any number of connections. -X serves in one process.", default="(number of CPUs)", unit="processes"),
    row("MaxConnectionsPerChild", MAIN, "number", v.integer(), "1", "main.max_requests_per_child",
        "Connections after which a worker is replaced by a fresh one; 0: never.", default="0", unit="connections"),
    row("MaxRequestsPerChild", MAIN, "number", v.integer(), "1", "main.max_requests_per_child", "Old name of MaxConnectionsPerChild.",
        unit="requests"),
    row("GracefulShutdownTimeout", MAIN, "time", v.duration("s"), "1", "main.graceful_timeout_ms",
        "How long a graceful stop or reload waits for requests in flight; 0: for ever.", default="0", unit="seconds"),
    row("PyMaxConnections", MAIN, "number", v.integer(1), "1", "main.max_connections",
        "Open connections of one worker; above it no more are accepted until some close.", default="10240", unit="connections"),
    row("PyMaxRequestsInFlight", MAIN, "number", v.integer(1), "1", "main.max_requests_in_flight",
        "Requests that one worker handles at the same time; more are answered 503.", default="4096", unit="requests"),
    row("PyCGIProcesses", MAIN, "number", v.integer(1, 10000), "1", "main.cgi_processes",
        "CGI scripts that one worker runs at the same time; further requests wait.", default="64", unit="scripts"),
    row("PyCGIQueue", MAIN, "number", v.integer(0, 100000), "1", "main.cgi_queue",
        "Requests that wait for a CGI script to end; more are answered 503.", default="512", unit="requests"),
    row("PyBodyBuffer", MAIN, "bytes", v.size(1024), "1", "main.body_memory_bytes",
        "Request body kept in memory before the handler reads it; above it reading from the client pauses.", default="65536", unit="bytes"),
    row("TypesConfig", MAIN, "file", c.types_file, "1", "main.types", "File of media types by extension, added to the built-in ones.",
        default="(built-in types)", rule=KEYED),
    # listeners
    row("Listen", MAIN, "[address:]port [protocol] | unix:/path [protocol]", c.listen, "1-2", "main.listens",
        "Where connections are accepted; IPv6 addresses in brackets; port 0 takes a free one. Protocol: http, fastcgi, scgi, uwsgi.",
        rule=APPEND),
    row("ListenBacklog", MAIN, "number", v.integer(1, 65535), "1", "main._backlog", "Connections the system may queue before they are accepted.",
        default="511", unit="connections"),
    row("PyListenMode", MAIN, "octal", lambda _ctx, words: octal(words[0]), "1", "main._mode", "Permissions of unix sockets of Listen.",
        default="0666"),
    # virtual hosts
    row("ServerName", SERVER, "[http[s]://]host[:port]", c.server_name, "1", "server.server_name server.server_port server.server_scheme",
        "Name of the server or virtual host; also that of its interpreter in mod_python."),
    row("ServerAlias", "V", "name …", c.server_alias, "1-", "server.alias_names server.wild_names",
        "Further names of a virtual host, * and ? allowed.", rule=LIST),
    row("ServerAdmin", SERVER, "address", v.text, "1", "server.server_admin", "Whom to write to; shown by error pages of applications.",
        default="[no address given]"),
    row("ServerPath", "V", "/path", lambda _ctx, words: c.url_path(words[0]), "1", "server.server_path", "Shown as server.path to handlers."),
    row("DocumentRoot", SERVER, "folder", v.path("folder"), "1", "server.document_root", "Folder that URL paths are looked up in.",
        default="htdocs"),
    row("AccessFileName", SERVER, "name", v.text, "1", "server.access_file_name", "Name of the per-folder configuration files.",
        default=".htaccess"),
    row("UseCanonicalName", SERVER, "On|Off|DNS", v.choice({"On": 1, "Off": 0, "DNS": 2}), "1", "server.use_canonical_name",
        "Does the server call itself by ServerName (On) or by the Host the client sent (Off)?", default="Off"),
    row("Alias", SERVER, "/path folder-or-file", c.alias(AliasKind.PLAIN), "2", "server.aliases", "Maps URL paths to another place.",
        rule=ALIASES_FIRST),
    row("AliasMatch", SERVER, "regex folder-or-file", c.alias_match(AliasKind.MATCH), "2", "server.aliases",
        "Alias by regular expression; $1 … in the target.", rule=ALIASES_FIRST),
    row("ScriptAlias", SERVER, "/path folder", c.alias(AliasKind.SCRIPT), "2", "server.aliases", "Alias whose files are run as CGI scripts.",
        rule=ALIASES_FIRST),
    row("ScriptAliasMatch", SERVER, "regex folder", c.alias_match(AliasKind.SCRIPT), "2", "server.aliases",
        "ScriptAlias by regular expression.", rule=ALIASES_FIRST),
    # the wire
    row("Timeout", SERVER, "time", v.duration("s", 1), "1", "server.timeout_ms",
        "How long a read or write may wait for the client to make progress.", default="60", unit="seconds"),
    row("PyResponseMinRate", SERVER, "number", v.integer(), "1", "server.response_min_rate",
        "Least rate at which a client takes an answer that waits for it, measured over Timeout; 0: any byte in that time is enough.", default="240",
        unit="bytes/s"),
    row("KeepAlive", SERVER, "On|Off", v.flag, "1", "server.keep_alive", "May a connection bring more than one request?", default="On"),
    row("KeepAliveTimeout", SERVER, "time", v.duration("s", 1), "1", "server.keep_alive_timeout_ms",
        "How long an idle connection is kept for the next request.", default="5", unit="seconds"),
    row("MaxKeepAliveRequests", SERVER, "number", v.integer(), "1", "server.max_keep_alive_requests",
        "Requests on one connection; 0: any number.", default="100", unit="requests"),
    row("RequestReadTimeout", SERVER, "[header=time[-time,MinRate=n]] [body=…]", c.read_timeout, "1-2", "server.read_header server.read_body",
        "Time for a head and for a body to arrive (408); with a second time it grows by 1 s for each MinRate bytes, up to that.",
        default="header=20-40,MinRate=500 body=20,MinRate=500", unit="seconds, bytes/s"),
    row("LimitRequestLine", SERVER, "bytes", v.integer(64, 1 << 20), "1", "server.limit_request_line",
        "Longest request line (414).", default="8190", unit="bytes"),
    row("LimitRequestFields", SERVER, "number", lambda ctx, words: v.integer(0, MOST_FIELDS)(ctx, words) or MOST_FIELDS, "1", "server.limit_request_fields",
        "Most header fields of a request (431); 0: 32767.", default="100", unit="fields"),
    row("LimitRequestFieldSize", SERVER, "bytes", v.integer(64, 1 << 20), "1", "server.limit_request_field_size",
        "Longest header field (431).", default="8190", unit="bytes"),
    row("AllowEncodedSlashes", SERVER, "On|Off|NoDecode", v.choice({"On": 1, "Off": 0, "NoDecode": 2}), "1", "server.allow_encoded_slashes",
        "May %2F stand in a path (404 if not)?", default="Off"),
    row("TraceEnable", SERVER, "On|Off|extended", v.choice({"On": 1, "Off": 0, "extended": 1}), "1", "server.trace_enable",
        "Is TRACE answered (405 if not)?", default="Off"),
    row("ServerTokens", MAIN, "Full|OS|Minor|Minimal|Major|Prod", v.choice(TOKENS), "1", "server.server_tokens",
        "How much the Server header tells.", default="Full"),
    row("RemoteIPHeader", SERVER, "field", v.text, "1", "server.remoteip_header", "Header field in which trusted proxies name the client."),
    row("RemoteIPTrustedProxy", SERVER, "address[/bits] …", lambda _ctx, words: tuple(map(v.net, words)), "1-", "server.trusted_proxies",
        "Proxies that are believed about public client addresses.", rule=APPEND),
    row("RemoteIPInternalProxy", SERVER, "address[/bits] …", lambda _ctx, words: tuple(map(v.net, words)), "1-", "server.internal_proxies",
        "Proxies that are believed about any client address, private ones too.", rule=APPEND),
    row("RemoteIPProxyProtocol", SERVER, "On|Off", v.flag, "1", "server._proxy_protocol",
        "Do connections to these addresses begin with a PROXY header (v1 or v2)?", default="Off"),
    row("ExtendedStatus", MAIN, "On|Off", v.flag, "1", "", "Accepted: the pages of `SetHandler server-status` always have all there is.", default="On"),
    # logs
    row("ErrorLog", SERVER, "file | |command | syslog[:facility]", logs.error_log, "1", "server.error_log", "Where errors are logged.",
        default="(standard error)"),
    row("ErrorLogFormat", SERVER, "[connection|request] format", logs.error_log_format, "1-2", "server._error_log_formats",
        "What lines of the error log look like; with `connection` or `request`: a line that comes before the first one of each connection or request "
        "(several: all of them). Items: docs/operation.md.", default='("[%{u}t] [%m:%l] [pid %P] [client\\ %a] %M")', rule=KEYED_LISTS),
    row("LogLevel", SERVER, "[module:]level …", logs.log_levels, "1-", "server._log_levels",
        "Least important message that the error log shows: emerg, alert, crit, error, warn, notice, info, debug, trace1 … trace8; for one module "
        "(as in the lines' `[module:level]`): `LogLevel warn python:debug`.", default="warn", rule=APPEND),
    row("LogFormat", SERVER, "format [nickname]", logs.log_format, "1-2", "server._log_formats",
        "A format of access logs; without a nickname the one of TransferLog.", default='(common, combined)', rule=KEYED),
    row("CustomLog", SERVER, "file | |command [format|nickname] [env=[!]VAR|expr=condition]", logs.custom_log, "1-3", "server.access_logs",
        "Access log of the server or virtual host.", default="(none; its format: combined)", rule=LIST),
    row("TransferLog", SERVER, "file | |command", logs.transfer_log, "1", "server.access_logs", "Access log in the default format.", rule=LIST),
)


def octal(word: str) -> int:
    """File permissions."""
    if not word.strip("01234567") == "" or not word or int(word, 8) > 0o777:
        raise ValueError(f"permissions such as 0660 expected, not {word}")
    return int(word, 8)

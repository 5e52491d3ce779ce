"""Directives: what good and bad lines give. The table itself: defaults that convert, fields that exist, limits that agree with C."""
from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import Any

import pytest

from pyhost.config import model
from pyhost.config.config import Config, Request, read_config
from pyhost.config.directives import TABLE
from pyhost.config.finish import defaults, finish_dir, finish_server
from pyhost.config.model import (
    Address,
    Alias,
    AliasKind,
    ErrorDocument,
    HeaderOp,
    HeaderRule,
    Hook,
    HookList,
    Import,
    ModuleLevel,
    Net,
    Pair,
    Phase,
    Rate,
    Regex,
    Require,
    RequireKind,
    SetEnvIf,
)
from pyhost.config.table import CONTEXTS

CSRC = Path(__file__).resolve().parent.parent / "csrc"


def read(text: str, tmp_path: Path, **more: Any) -> Config:
    file = tmp_path / "t.conf"
    file.write_text(text)
    return read_config(Request(str(file), **more))


def faults(config: Config) -> list[str]:
    return [f"{error.line}: {error.directive}: {error.expected}" for error in config.errors]


def v4(text: str, bits: int = 32) -> Net:
    return Net(bytes(10) + b"\xff\xff" + bytes(map(int, text.split("."))), 96 + bits)


# --- main and server fields

SERVER_LINES: list[tuple[str, str, Any]] = [
    ("PidFile run/x.pid", "main.pid_file", "@/run/x.pid"),
    ("PidFile /run/x.pid", "main.pid_file", "/run/x.pid"),
    ("StartServers 3", "main.start_servers", 3),
    ("MaxConnectionsPerChild 7", "main.max_requests_per_child", 7),
    ("MaxRequestsPerChild 8", "main.max_requests_per_child", 8),
    ("GracefulShutdownTimeout 1min", "main.graceful_timeout_ms", 60000),
    ("PyMaxConnections 10", "main.max_connections", 10),
    ("PyMaxRequestsInFlight 10", "main.max_requests_in_flight", 10),
    ("PyBodyBuffer 4096", "main.body_memory_bytes", 4096),
    ("User #33", "main.user", "#33"),
    ("User #4294967294", "main.user", "#4294967294"),
    ("User root", "main.user", "root"),
    ("Group #33", "main.group", "#33"),
    ("PythonImport a.b::f one", "main.imports", (Import("a.b", "f", "one"),)),
    ("PythonImport a two\nPythonImport b two", "main.imports", (Import("a", None, "two"), Import("b", None, "two"))),
    ("Timeout 5", "server.timeout_ms", 5000),
    ("Timeout 500ms", "server.timeout_ms", 500),
    ("TimeOut 2H", "server.timeout_ms", 7200000),
    ("KeepAlive off", "server.keep_alive", 0),
    ("KeepAliveTimeout 300ms", "server.keep_alive_timeout_ms", 300),
    ("MaxKeepAliveRequests 0", "server.max_keep_alive_requests", 0),
    ("LimitRequestLine 100", "server.limit_request_line", 100),
    ("LimitRequestFields 20", "server.limit_request_fields", 20),
    ("LimitRequestFields 0", "server.limit_request_fields", 32767),
    ("LimitRequestFieldSize 200", "server.limit_request_field_size", 200),
    ("RequestReadTimeout header=10-20,MinRate=100 body=5", "server.read_header", Rate(10000, 20000, 100)),
    ("RequestReadTimeout header=10-20,MinRate=100 body=5", "server.read_body", Rate(5000, 0, 0)),
    ("RequestReadTimeout header=0", "server.read_header", Rate(0, 0, 0)),
    ("RequestReadTimeout header=0", "server.read_body", Rate(20000, 0, 500)),
    ("ServerName Foo.Example", "server.server_name", "Foo.Example"),
    ("ServerName https://foo:444", "server.server_port", 444),
    ("ServerName https://foo:444", "server.server_scheme", "https"),
    ("ServerName foo", "server.server_scheme", None),
    ("ServerAdmin me@x", "server.server_admin", "me@x"),
    ("DocumentRoot /", "server.document_root", "/"),
    ("DocumentRoot web/../www/", "server.document_root", "@/www"),
    ("AccessFileName .acl", "server.access_file_name", ".acl"),
    ("UseCanonicalName DNS", "server.use_canonical_name", 2),
    ("AllowEncodedSlashes NoDecode", "server.allow_encoded_slashes", 2),
    ("TraceEnable on", "server.trace_enable", 1),
    ("ServerTokens prod", "server.server_tokens", 5),
    ("ServerSignature EMail", "server.server_signature", 2),
    ("ErrorLog e", "server.error_log", "@/e"),
    ('ErrorLog "|/bin/cat -n"', "server.error_log", "|/bin/cat -n"),
    ("ErrorLog syslog:daemon", "server.error_log", "syslog:daemon"),
    ("LogLevel debug", "server.log_level", 7),
    ("LogLevel trace4 mod_python.c:WARN wsgi_module:info", "server.log_level", 8),
    ("LogLevel trace4 mod_python.c:WARN wsgi_module:info", "server.module_levels", (ModuleLevel("python", 4), ModuleLevel("wsgi", 6))),
    ("LogLevel python:debug\nLogLevel error ssl:info", "server.module_levels", (ModuleLevel("ssl", 6),)),
    ("Alias /a b/c", "server.aliases", (Alias(AliasKind.PLAIN, "/a", "@/b/c"),)),
    ("Alias /a/ /b/c/", "server.aliases", (Alias(AliasKind.PLAIN, "/a/", "/b/c/"),)),
    ("AliasMatch ^/u/(.*) /home/$1/w", "server.aliases", (Alias(AliasKind.MATCH, "^/u/(.*)", "/home/$1/w", 0, Regex("^/u/(.*)")),)),
    ("ScriptAlias /cgi /c", "server.aliases", (Alias(AliasKind.SCRIPT, "/cgi", "/c"),)),
    ("PyWSGIAlias / web/app.py", "server.aliases", (Alias(AliasKind.WSGI, "/", "@/web/app.py"),)),
    ("PyWSGIAlias /app/ mod:app", "server.aliases", (Alias(AliasKind.WSGI, "/app", "mod:app"),)),
    ("Redirect /a http://b/", "server.aliases", (Alias(AliasKind.REDIRECT, "/a", "http://b/", 302),)),
    ("Redirect permanent /a /b", "server.aliases", (Alias(AliasKind.REDIRECT, "/a", "/b", 301),)),
    ("Redirect 308 /a /b", "server.aliases", (Alias(AliasKind.REDIRECT, "/a", "/b", 308),)),
    ("Redirect gone /a", "server.aliases", (Alias(AliasKind.REDIRECT, "/a", None, 410),)),
    ("Redirect 404 /a", "server.aliases", (Alias(AliasKind.REDIRECT, "/a", None, 404),)),
    ("RedirectPermanent /a /b", "server.aliases", (Alias(AliasKind.REDIRECT, "/a", "/b", 301),)),
    ("RedirectTemp /a /b", "server.aliases", (Alias(AliasKind.REDIRECT, "/a", "/b", 302),)),
    ("RedirectMatch seeother (.*)\\.gif$ /x$1.png", "server.aliases",
     (Alias(AliasKind.REDIRECT_MATCH, "(.*)\\.gif$", "/x$1.png", 303, Regex("(.*)\\.gif$")),)),
    ("RemoteIPHeader X-Forwarded-For", "server.remoteip_header", "X-Forwarded-For"),
    ("RemoteIPTrustedProxy 10.0.0.0/8 192.168.1.1\nRemoteIPInternalProxy 10.1", "server.trusted_proxies",
     (v4("10.0.0.0", 8), v4("192.168.1.1"), v4("10.1.0.0", 16))),
    ("RemoteIPInternalProxy 10.1", "server.internal_proxies", (v4("10.1.0.0", 16),)),
    ("PythonConnectionHandler m::c", "server.python_connection_handler", "m::c"),
    ("PythonOption A b\nPythonOption a c\nPythonOption d", "server.python_options", (Pair("a", "c"), Pair("d", ""))),
    ("PythonDebug On\nPythonInterpPerDirectory On", "server.python_config", (Pair("PythonDebug", "1"),)),
]


@pytest.mark.parametrize("text, field, value", SERVER_LINES)
def test_server_level(text: str, field: str, value: Any, tmp_path: Path) -> None:
    config = read("Listen 1\n" + text, tmp_path)
    assert not config.errors, config.errors
    scope, name = field.split(".")
    found = config.main if scope == "main" else finish_server(config.servers[0].layer)
    assert str(found[name]) == str(value).replace("@", str(tmp_path)) if "@/" in str(value) else found[name] == value


# --- what a Location gives

HOOK = Hook("h", "/l", True)
DIR_LINES: list[tuple[str, str, Any]] = [
    ("SetHandler mod_python", "set_handler", "mod_python"),
    ("SetHandler None", "set_handler", ""),
    ("AddHandler mod_python py .PSP", "add_handler", (Pair(".py", "mod_python"), Pair(".psp", "mod_python"))),
    ("AddHandler mod_python py psp\nRemoveHandler .py", "add_handler", (Pair(".psp", "mod_python"),)),
    ("AddType text/x .x", "add_type", (Pair(".x", "text/x"),)),
    ("AddCharset UTF-8 .utf8 U8", "add_charset", (Pair(".utf8", "utf-8"), Pair(".u8", "utf-8"))),
    ("AddEncoding x-gzip .gz\nAddEncoding br .br\nRemoveEncoding gz", "add_encoding", (Pair(".br", "br"),)),
    ("AddLanguage pt-BR .pt-br", "add_language", (Pair(".pt-br", "pt-br"),)),
    ("DefaultLanguage EN", "default_language", "en"),
    ('AddType "text/html; charset=utf-8" .h', "add_type", (Pair(".h", "text/html; charset=utf-8"),)),
    ("ForceType image/png", "force_type", "image/png"),
    ("ForceType None", "force_type", None),
    ("AddDefaultCharset On", "default_charset", "iso-8859-1"),
    ("AddDefaultCharset utf-8", "default_charset", "utf-8"),
    ("AddDefaultCharset Off", "default_charset", None),
    ("Options Indexes ExecCGI", "options", 9),
    ("Options +Indexes", "options", 3),
    ("Options +Indexes -FollowSymLinks", "options", 1),
    ("Options None\nOptions +Indexes", "options", 1),
    ("Options All", "options", 47),
    ("DirectoryIndex a b\nDirectoryIndex c", "directory_index", ("a", "b", "c")),
    ("DirectoryIndex disabled", "directory_index", ()),
    ("DirectorySlash Off", "directory_slash", 0),
    ("IndexOptions +IgnoreCase +FancyIndexing +NameWidth=*", "index_options", 3),
    ("IndexOptions None", "index_options", 0),
    ("IndexOptions FancyIndexing VersionSort HTMLTable NameWidth=* DescriptionWidth=* Charset=UTF-8", "index_options", 16),  # Debian's
    ("IndexOptions IgnoreClient SuppressIcon", "index_options", 192),
    ("IndexIgnore *~ core\nIndexIgnore [ab]?", "index_ignore", ("*~", "core", "[ab]?")),
    ("FileETag INode Size", "file_etag", 6),
    ("FileETag None", "file_etag", 0),
    ("FileETag -MTime", "file_etag", 2),
    ("EnableSendfile Off", "enable_sendfile", 0),
    ("AcceptPathInfo On", "accept_path_info", 1),
    ("MaxRanges unlimited", "max_ranges", -1),
    ("MaxRanges none", "max_ranges", 0),
    ("MaxRanges 5", "max_ranges", 5),
    ("LimitRequestBody 10", "limit_request_body_bytes", 10),
    ("PyOutputBuffer 2048", "output_high_bytes", 2048),
    ("PyWebSocketPing 5", "websocket_ping_ms", 5000),
    ("PyWebSocketPing Off", "websocket_ping_ms", 0),
    ("PyWebSocketMessageLimit 100", "websocket_message_bytes", 100),
    ("PyWebSocketCompression Off", "websocket_compression", 0),
    ("PyWebSocketCompression context", "websocket_compression", 2),
    ("PyWebSocketWindow 9", "websocket_window_bits", 9),
    ('ErrorDocument 404 /nf.html\nErrorDocument 403 "No  way"\nErrorDocument 500 http://x/\nErrorDocument 402 "open', "error_documents",
     (ErrorDocument(404, "/nf.html"), ErrorDocument(403, "No  way"), ErrorDocument(500, "http://x/"), ErrorDocument(402, "open"))),
    ("ErrorDocument 404 /a\nErrorDocument 404 default", "error_documents", ()),
    ("Redirect http://b/", "redirects", (Alias(AliasKind.REDIRECT, None, "http://b/", 302),)),
    ("Redirect gone", "redirects", (Alias(AliasKind.REDIRECT, None, None, 410),)),
    ("Require all granted", "require", Require(RequireKind.GRANTED)),
    ("Require all denied", "require", Require(RequireKind.DENIED)),
    ("Require user a b\nRequire group c", "require", Require(RequireKind.ANY_OF, children=(
        Require(RequireKind.USER, words=("a", "b")), Require(RequireKind.GROUP, words=("c",))))),
    ("Require ip 10 192.168.0.0/255.255.0.0 ::1", "require", Require(RequireKind.IP, nets=(
        v4("10.0.0.0", 8), v4("192.168.0.0", 16), Net(bytes(15) + b"\1", 128)))),
    ("<RequireAll>\nRequire valid-user\nRequire not ip 1.2.3.4\n</RequireAll>", "require", Require(RequireKind.ALL_OF, children=(
        Require(RequireKind.VALID_USER), Require(RequireKind.IP, True, nets=(v4("1.2.3.4"),))))),
    ("<RequireAll>\nRequire local\n<RequireNone>\nRequire env X\n</RequireNone>\n</RequireAll>", "require", Require(
        RequireKind.ALL_OF, children=(Require(RequireKind.LOCAL), Require(RequireKind.NONE_OF, children=(Require(RequireKind.ENV, words=("X",)),))))),
    ("Require valid-user", "require_needs_user", True),
    ("Require method GET", "require_needs_user", False),
    ("AuthType Basic", "auth_type", "Basic"),
    ("AuthType None", "auth_type", None),
    ('AuthName "My Realm"', "auth_name", "My Realm"),
    ("AuthUserFile /etc/pw", "auth_user_file", "/etc/pw"),
    ("AuthGroupFile /etc/gr", "auth_group_file", "/etc/gr"),
    ("Header set X-A b", "header_rules", (HeaderRule(HeaderOp.SET, False, "X-A", "b", None),)),
    ('Header always append X-A "b c" env=!V', "header_rules", (HeaderRule(HeaderOp.APPEND, True, "X-A", "b c", "!V"),)),
    ("Header unset X-A:", "header_rules", (HeaderRule(HeaderOp.UNSET, False, "X-A", None, None),)),
    ("Header edit* X-A b+ c", "header_rules", (HeaderRule(HeaderOp.EDIT_ALL, False, "X-A", "c", None, Regex("b+")),)),
    ("RequestHeader setifempty X b", "request_header_rules", (HeaderRule(HeaderOp.SETIFEMPTY, False, "X", "b", None),)),
    ("SetEnv A b\nSetEnv C\nUnsetEnv A", "setenv", (Pair("A", None), Pair("C", ""))),
    ("SetEnvIf Request_URI \\.gif$ img !x y=$0", "setenvif",
     (SetEnvIf("Request_URI", None, Regex("\\.gif$"), (Pair("img", "1"), Pair("x", None), Pair("y", "$0"))),)),
    ("SetEnvIfNoCase ^X-.* a b", "setenvif", (SetEnvIf("^X-.*", Regex("^X-.*", True), Regex("a", True), (Pair("b", "1"),)),)),
    ("SetEnvIf X-(A|B) a b", "setenvif", (SetEnvIf("X-(A|B)", Regex("X-(A|B)", True), Regex("a"), (Pair("b", "1"),)),)),
    ("BrowserMatch MSIE old", "setenvif", (SetEnvIf("User-Agent", None, Regex("MSIE"), (Pair("old", "1"),)),)),
    ("BrowserMatchNoCase msie old", "setenvif", (SetEnvIf("User-Agent", None, Regex("msie", True), (Pair("old", "1"),)),)),
    ("PythonHandler h", "hook_lists", (HookList(Phase.CONTENT, None, (HOOK,)),)),
    ("PythonHandler h::x.y h\nPythonHandler h", "hook_lists", (HookList(Phase.CONTENT, None, (Hook("h::x.y", "/l", True), HOOK, HOOK)),)),
    ("PythonHandler h | .py .tar.gz\nPythonHandler i", "hook_lists",
     (HookList(Phase.CONTENT, ".py", (HOOK,)), HookList(Phase.CONTENT, ".tar.gz", (HOOK,)),
      HookList(Phase.CONTENT, None, (Hook("i", "/l", True),)))),
    ('PythonHandler "h"', "hook_lists", (HookList(Phase.CONTENT, None, (Hook('"h"', "/l", True),)),)),
    ("PythonHeaderParserHandler h\nPythonInitHandler i", "hook_lists",
     (HookList(Phase.HEADER_PARSER, None, (Hook("i::inithandler", "/l", True), HOOK)),)),
    ("PythonInitHandler i | .x\nPythonHeaderParserHandler h", "hook_lists",
     (HookList(Phase.HEADER_PARSER, ".x", (Hook("i::inithandler", "/l", True), HOOK)), HookList(Phase.HEADER_PARSER, None, (HOOK,)))),
    ("PythonAuthenHandler a\nPythonLogHandler l\nPythonCleanupHandler c", "hook_phases", 1 << 5 | 1 << 10 | 1 << 11),
    ("PythonInputFilter f::g UP", "input_filters", (model.Filter("UP", Hook("f::g", "/l", True)),)),
    ("PythonOutputFilter f", "output_filters", (model.Filter("f", Hook("f", "/l", True)),)),
    ("SetOutputFilter A;B", "set_output_filters", ("A", "B")),
    ("AddOutputFilter A;B .x", "add_output_filter", (Pair(".x", "A;B"),)),
    ("PythonPath \"sys.path+['/x']\"", "python_path", "sys.path+['/x']"),
    ("PythonInterpreter one", "python_interpreter", "one"),
    ("PythonInterpPerDirective On", "python_interp_per_directive", 1),
    ("PythonDebug On\nPythonAutoReload Off", "python_config", (Pair("PythonDebug", "1"), Pair("PythonAutoReload", "0"))),
    ("PythonAutoReload Off", "python_auto_reload", 0),
    ("PythonOption mod_python.x y\nPythonOption z", "python_options", (Pair("mod_python.x", "y"), Pair("z", ""))),
    ("PyGreen Off", "python_green", 0),
    ("PyRequestTimeout 30", "request_timeout_ms", 30000),
    ("PyTimeSlice 20", "time_slice_ms", 20),
    ("PyTimeSlice Off", "time_slice_ms", 0),
    ("PyBlockedWarning 1s", "blocked_warning_ms", 1000),
    ("PyCancelOnDisconnect On", "cancel_on_disconnect", 1),
    ("PyWSGIApplication m:app", "wsgi_application", "m:app"),
    ("PyIndexTitle \"My files\"", "index_title", "My files"),
]


@pytest.mark.parametrize("text, field, value", DIR_LINES)
def test_location_level(text: str, field: str, value: Any, tmp_path: Path) -> None:
    config = read(f"Listen 1\n<Location /l>\n{text}\n</Location>", tmp_path)
    assert not config.errors, config.errors
    from pyhost.config.merge import merge_layers
    found = finish_dir(merge_layers(config.servers[0].base, config.servers[0].sections[0].layer))
    assert found[field] == value


# --- faults: one line, what is said of it

BAD_LINES = [
    ("Nonsense 1", "Nonsense: a directive expected: there is none of this name"),
    ("DocumentRot /x", "DocumentRot: a directive expected: there is none of this name (did you mean DocumentRoot?)"),
    ("Order allow,deny", "Order: not part of pyhost; use Require all granted or Require all denied"),
    ("Protocols h2", "Protocols: not part of pyhost; use nothing: HTTP/1.1 and 1.0 are spoken"),
    ("KeepAlive", "KeepAlive: one argument expected: On|Off"),
    ("KeepAlive yes", "KeepAlive: On or Off expected, not yes"),
    ("KeepAlive On Off", "KeepAlive: one argument expected: On|Off"),
    ("Timeout -1", "Timeout: a time such as 10, 500ms, 10s, 2min or 1h expected (without a suffix: s), not -1"),
    ("Timeout 10x", "Timeout: a time such as"),
    ("Timeout 0", "Timeout: a time of at least 1 ms expected, not 0"),
    ("StartServers 0", "StartServers: a number from 1 to 128 expected, not 0"),
    ("StartServers 99999999999", "StartServers: a number from 1 to 128 expected"),
    ("StartServers 0x10", "StartServers: a number from 1 to 128 expected"),
    ("LimitRequestBody -5", "LimitRequestBody: a number of bytes of at least 0 expected"),
    ("LimitRequestLine ten", "LimitRequestLine: a number from 64 to 1048576 expected"),
    ("Listen", "Listen: 1 to 2 arguments expected"),
    ("Listen 70000", "Listen: a port from 0 to 65535 expected, not 70000"),
    ("Listen localhost", "Listen: a port, address:port or unix:/path expected, not localhost"),
    ("Listen 1.2.3.4.5:80", "Listen: an address or a name that resolves expected, not 1.2.3.4.5"),
    ("Listen ::1:80", "Listen: address:port expected (IPv6 in brackets), not ::1:80"),
    ("Listen 80 gopher", "Listen: http, fastcgi, scgi, uwsgi expected, not gopher"),
    ("Listen 443 https", "Listen: http, fastcgi, scgi or uwsgi expected: TLS is not built in"),
    ("Listen unix:" + "x" * 120, "Listen: a path of at most 107 bytes expected"),
    ("ServerName a b", "ServerName: one argument expected"),
    ("ServerName a:b", "ServerName: [scheme://]host[:port] expected, not a:b"),
    ("ServerAlias a", "ServerAlias: expected in: virtual host; not in: server"),
    ("AllowOverride All", "AllowOverride: expected in: directory; not in: server"),
    ("Require all granted", "Require: expected in: directory, location, files, .htaccess; not in: server"),
    ("Alias a /b", "Alias: a URL path that starts with / expected, not a"),
    ("Redirect /a", "Redirect: a URL path and a URL expected at server level"),
    ("Redirect http://x/", "Redirect: a URL path and a URL expected at server level"),
    ("Redirect /a b", "Redirect: a URL that starts with a scheme or / expected, not b"),
    ("Redirect 200 /a /b", "Redirect: a status from 300 to 599 expected, not 200"),
    ("Redirect gone /a /b", "Redirect: a URL path and no target expected for status 410"),
    ("Header frobnicate X y", "Header: an action (set, add, append, merge, unset, setifempty, edit, edit*, note) expected, not frobnicate"),
    ("Header set X", "Header: a field name and a value expected"),
    ("Header set \"X Y\" z", "Header: the name of a header field expected, not X Y"),
    ("Header unset X y", "Header: a field name expected"),
    ("Header set X y env=", "Header: the name of a variable expected after env="),
    ("RequestHeader set X y env=!", "RequestHeader: the name of a variable expected after env=!"),
    ('Header set X "100%% %Q x"', "Header: %t, %D, %l, %{VARIABLE}e, %{VARIABLE}s or %% expected in a value, not %Q"),
    ('Header set X "%{FOO}i"', "Header: %t, %D, %l, %{VARIABLE}e, %{VARIABLE}s or %% expected in a value, not %{FOO}i"),
    ('CustomLog x "%h" env=', "CustomLog: the name of a variable expected after env="),
    ("CustomLog none/x", "CustomLog: a file in a folder that is there expected, not "), ("ErrorLog /none/x", "ErrorLog: a file in a folder that is there expected, not /none/x"),
    ("Header set X y nonsense=z", "Header: a field name and a value expected"),
    ("RequestHeader note X y", "RequestHeader: an action (set, add, append, merge, unset, setifempty, edit, edit*) expected, not note"),
    ("SetEnvIf A b", "SetEnvIf: at least 3 arguments expected"),
    ("SetEnvIf A b =c", "SetEnvIf: VAR, VAR=value or !VAR expected, not =c"),
    ("AddCharset a/b .x", "AddCharset: a character set such as utf-8 expected, not a/b"),
    ("AddEncoding gzip", "AddEncoding: at least 2 arguments expected"),
    ("AddLanguage en,fr .x", "AddLanguage: a language such as en or pt-br expected, not en,fr"),
    ("AddType html .x", "AddType: a media type such as text/html expected, not html"),
    ("Options +Indexes FollowSymLinks", "Options: either all words with + or -, or none of them expected"),
    ("Options Foo", "Options: Indexes, FollowSymLinks, SymLinksIfOwnerMatch, ExecCGI, MultiViews, Includes, IncludesNOEXEC, All, None expected, not Foo"),
    ("ErrorDocument 200 x", "ErrorDocument: a status from 400 to 599 expected, not 200"),
    ("ErrorDocument 404", "ErrorDocument: a status and a URL path, URL or text expected"),
    ("LogLevel loud", "LogLevel: emerg, alert, crit"),
    ("RequestReadTimeout header=a", "RequestReadTimeout: a time such as"),
    ("RequestReadTimeout header=20-10,MinRate=5", "RequestReadTimeout: a second time that is not less than the first expected"),
    ("RequestReadTimeout header=20-40", "RequestReadTimeout: MinRate expected with two times"),
    ("RequestReadTimeout foo=1", "RequestReadTimeout: header=20-40,MinRate=500 or body=20,MinRate=500 expected, not foo=1"),
    ("RemoteIPTrustedProxy x", "RemoteIPTrustedProxy: an address, the beginning of one, or address/bits expected, not x"),
    ("TypesConfig /dev/zero", "TypesConfig: a file of media types of at most 16777216 bytes expected, not /dev/zero"),
    ("TypesConfig none.types", "TypesConfig: a readable file of media types expected"),
    ("User no-such-user-here", "User: a user of this system or #number expected: there is no no-such-user-here"),
    ("User #4294967295", "User: a user of this system or #number expected: there is no #4294967295"),  # -1: "as before"
    ("User #4294967296", "User: a user of this system or #number expected: there is no #4294967296"),  # root, with its upper bits cut off
    ("Group #4294967295", "Group: a group of this system or #number expected: there is no #4294967295"),
    ("PyListenMode 999", "PyListenMode: permissions such as 0660 expected, not 999"),
    ("PythonHandler", "PythonHandler: one argument expected: handler [handler …] [| .ext …]"),
    ("PythonHandler | .x", "PythonHandler: a handler (module or module::object) expected"),
    ("PythonHandler a | x", "PythonHandler: extensions with their dot expected after |"),
    ("PythonHandler a |", "PythonHandler: extensions with their dot expected after |"),
    ("PythonHandler a::b::c", "PythonHandler: module or module::object expected, not a::b::c"),
    ("PythonTransHandler a | .x", "PythonTransHandler: no | .ext expected: there is no file yet in this phase"),
    ("PythonPath sys.path+", "PythonPath: a Python expression expected (invalid syntax"),
    ("PythonImport a", "PythonImport: 2 arguments expected"),
    ('DocumentRoot "/x', 'DocumentRoot: closing " expected'),
    ("<Foo>\n</Foo>", "<Foo>: one of the sections VirtualHost"),
    ("<Directory>\n</Directory>", "<Directory>: one path or pattern expected"),
    ("<Directory /a /b>\n</Directory>", "<Directory>: one path or pattern expected"),
    ("<Location a>\n</Location>", "<Location>: a URL path that starts with / expected, not a"),
    ("<RequireAll>\n</RequireAll>", "<RequireAll>: expected in: directory"),
    ("<VirtualHost>\n</VirtualHost>", "<VirtualHost>: at least one address[:port] expected"),
    ("<VirtualHost *:99999>\n</VirtualHost>", "<VirtualHost>: a port from 0 to 65535 expected"),
    ("<Location /a>\n<Location /b>\n</Location>\n</Location>", "<Location>: not expected in: location"),
    ("<Location /a>\n<Directory /b>\n</Directory>\n</Location>", "<Directory>: not expected in: location"),
    ("<Location /a>\nListen 8\n</Location>", "Listen: expected in: server; not in: location"),
    ("<Location /a>\nRequire frob x\n</Location>", "Require: all granted, all denied, ip, local, method, env, user, group, valid-user or expr expected, not frob"),
    ("<Location /a>\nRequire ip\n</Location>", "Require: at least one word after ip expected"),
    ("<Location /a>\nRequire ip 1.2.3.4/33\n</Location>", "Require: an address, the beginning of one"),
    ("<Location /a>\nRequire not all granted\n</Location>", "Require: all granted or all denied expected"),
    ("<Location /a>\n<RequireAny>\nRequire not ip 1\nRequire all granted\n</RequireAny>\n</Location>",
     "<RequireAny>: no negative requirement expected in <RequireAny>: put it into <RequireAll>"),
    ("<Location /a>\n<RequireAll>\nRequire not ip 1\n</RequireAll>\n</Location>", "<RequireAll>: a requirement that can grant expected"),
    ("<Location /a>\n<RequireAll>\nSetEnv x\nRequire all granted\n</RequireAll>\n</Location>",
     "SetEnv: only Require and sections of them expected in <RequireAll>"),
    ("<Location /a>\n<RequireAll x>\n</RequireAll>\n</Location>", "<RequireAll>: no argument expected"),
]


@pytest.mark.parametrize("text, message", BAD_LINES)
def test_bad_lines_say_what_was_expected(text: str, message: str, tmp_path: Path) -> None:
    config = read("Listen 1\n" + text, tmp_path)
    assert len(config.errors) == 1, faults(config)
    assert message in f"{config.errors[0].directive}: {config.errors[0].expected}"
    assert str(config.errors[0]).startswith(f"{tmp_path}/t.conf:")


def test_all_faults_are_collected_in_order(tmp_path: Path) -> None:
    config = read("Nonsense\n<VirtualHost *:80>\nKeepAlive x\n<Location /a>\nListen 1\n</Directory>\n</Location>\n</VirtualHost>\nTimeout z", tmp_path)
    assert [error.line for error in config.errors] == [1, 3, 5, 6, 9]


@pytest.mark.parametrize("word, message", [
    ("Indexes=x", "All, None, AuthConfig, FileInfo, Indexes, Limit, Options or Options=Option,… expected, not Indexes=x"),
    ("Options=-Indexes", "All, None, AuthConfig, FileInfo, Indexes, Limit, Options or Options=Option,… expected, not Options=-Indexes"),
    ("Options=Foo", "Indexes, FollowSymLinks, SymLinksIfOwnerMatch, ExecCGI, MultiViews, Includes, IncludesNOEXEC, All, None expected, not foo")])
def test_overrides_that_are_none(word: str, message: str, tmp_path: Path) -> None:
    assert faults(read(f"Listen 1\n<Directory />\nAllowOverride {word}\n</Directory>", tmp_path)) == [f"3: AllowOverride: {message}"]


def test_a_configuration_without_listen_is_refused(tmp_path: Path) -> None:
    assert faults(read("", tmp_path)) == ["0: Listen: at least one expected, such as Listen 8080"]


def test_the_same_address_twice_is_refused(tmp_path: Path) -> None:
    assert len(read("Listen 127.0.0.1:80\nListen 127.0.0.1:80", tmp_path).errors) == 1
    assert not read("Listen 127.0.0.1:0\nListen 127.0.0.1:0", tmp_path).errors


def test_requirements_of_all_sections_of_one_kind_combine_as_any(tmp_path: Path) -> None:
    config = read("Listen 1\n<Location /a>\nRequire not ip 1.2.3.4\nRequire all granted\n</Location>", tmp_path)
    assert faults(config) == ["2: <Location>: no negative requirement expected in <RequireAny>: put it into <RequireAll>"]
    config = read("Listen 1\n<Location /a>\nRequire all granted\n<RequireNone>\nRequire ip 1.2.3.4\n</RequireNone>\n</Location>", tmp_path)
    assert faults(config) == ["2: <Location>: no negative requirement expected in <RequireAny>: put it into <RequireAll>"]


@pytest.mark.parametrize("words, addresses", [
    ("8080", [Address(port=8080)]),
    ("*:8080", [Address(port=8080)]),
    ("127.0.0.1:81", [Address(2, b"\x7f\0\0\1" + bytes(12), 81)]),
    ("[::1]:82 http", [Address(10, bytes(15) + b"\1", 82)]),
    ("unix:/run/s.sock scgi", [Address(1, path="/run/s.sock")]),
])
def test_listen(words: str, addresses: list[Address], tmp_path: Path) -> None:
    config = read(f"Listen {words}", tmp_path)
    assert not config.errors
    assert [each["address"] for each in config.main["listens"]] == addresses


def test_listen_takes_backlog_mode_and_proxy_protocol(tmp_path: Path) -> None:
    config = read("Listen 127.0.0.1:81 uwsgi\nListen 82\nListenBacklog 5\nPyListenMode 0600\n<VirtualHost 127.0.0.1:81>\nRemoteIPProxyProtocol On\n"
                  "</VirtualHost>", tmp_path)
    assert [(e["backlog"], e["mode"], int(e["protocol"]), e["proxy_protocol"]) for e in config.main["listens"]] == [(5, 0o600, 3, True),
                                                                                                                    (5, 0o600, 0, False)]


def test_types_config_adds_to_the_built_in_types(tmp_path: Path) -> None:
    (tmp_path / "mime.types").write_text("# c\ntext/new  new NEWER\ntext/x-mine html\n\nfoo/bar\n")
    types = {p.key: p.value for p in read("Listen 1\nTypesConfig mime.types", tmp_path).main["types"]}
    assert (types["new"], types["newer"], types["html"], types["css"], types["woff2"]) == ("text/new", "text/new", "text/x-mine", "text/css", "font/woff2")
    assert list(types) == sorted(types)


def test_log_formats_are_found_by_their_nickname_wherever_they_stand(tmp_path: Path) -> None:
    config = read('Listen 1\nCustomLog a mine\nCustomLog b "%h" env=X\nCustomLog c\nTransferLog d\nLogFormat "%m" mine\nLogFormat "%s"\n'
                  "<VirtualHost *:1>\nCustomLog v mine\n</VirtualHost>\n<VirtualHost *:1>\n</VirtualHost>", tmp_path)
    logs = [[(log.path.rpartition("/")[2], log.format, log.env) for log in finish_server(s.layer)["access_logs"]] for s in config.servers]
    combined = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
    assert logs[0] == [("a", "%m", None), ("b", "%h", "X"), ("c", combined, None), ("d", "%s", None)]
    assert logs[1] == [("v", "%m", None)] and logs[2] == logs[0]


def test_pass_env_takes_the_servers_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "value")
    config = read("Listen 1\nPassEnv GIVEN NOT_GIVEN", tmp_path)
    assert finish_dir(config.servers[0].base)["setenv"] == (Pair("GIVEN", "value"),)
    assert [sentence for _, sentence in config.warnings] == ["PassEnv NOT_GIVEN: not in the environment"]


def test_handler_module_fills_all_phases_silently(tmp_path: Path) -> None:
    config = read("Listen 1\nPythonHandlerModule m\n<Directory /d>\nPythonHandlerModule n\n</Directory>", tmp_path)
    lists = finish_dir(config.servers[0].base)["hook_lists"]
    assert [each.phase for each in lists] == [p for p in Phase if p != Phase.CONNECTION]
    assert all(hook.silent for each in lists for hook in each.hooks)
    assert [hook.handler for hook in lists[0].hooks] == ["m::inithandler", "m"]
    inner = finish_dir({**defaults(), **config.servers[0].sections[0].layer})["hook_lists"]
    assert [each.phase for each in inner] == [p for p in Phase if p not in (Phase.CONNECTION, Phase.POST_READ_REQUEST, Phase.TRANS)]


@pytest.mark.parametrize("section, directory, is_location, is_pattern", [
    ("Directory /a/b/", "/a/b/", False, False), ("Directory /a/w*", "/a/w*/", False, True), ("DirectoryMatch ^/a", "^/a", False, True),
    ('Directory ~ "^/a"', "^/a", False, True), ("Location /l/", "/l/", True, False), ("Files x.py", None, False, False),
])
def test_the_directory_of_a_handler(section: str, directory: str | None, is_location: bool, is_pattern: bool, tmp_path: Path) -> None:
    name = section.split()[0]
    config = read(f"Listen 1\n<{section}>\nPythonHandler h\n</{name}>", tmp_path)
    hook = config.servers[0].sections[0].layer["dir._hooks"]["PythonHandler", None][0]
    assert (hook.directory, hook.is_location, hook.directory_is_pattern) == (directory, is_location, is_pattern)


def test_files_in_a_directory_have_its_directory_and_parent(tmp_path: Path) -> None:
    config = read("Listen 1\n<Directory /d>\n<FilesMatch \\.py$>\nPythonHandler h\n</FilesMatch>\n</Directory>", tmp_path)
    outer, inner = config.servers[0].sections
    assert inner.section.parent_id == outer.section.id and inner.section.regex == Regex("\\.py$")
    assert inner.layer["dir._hooks"]["PythonHandler", None][0].directory == "/d/"


def test_python_import_in_a_virtual_host_is_warned_of(tmp_path: Path) -> None:
    config = read("Listen 1\n<VirtualHost *:1>\nPythonImport a b\n</VirtualHost>", tmp_path)
    assert not config.errors and "imports" not in config.main or config.main["imports"] == ()
    assert "not carried out" in config.warnings[0][1]


# --- the table

def c_struct(name: str) -> set[str]:
    body = re.search(rf"struct {name} \{{(.*?)\n\}};", (CSRC / "conf.h").read_text(), re.DOTALL)
    assert body
    plain = re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL)
    return set(re.findall(r"(\w+)(?:\[\d+\])?\s*(?:[,;])", plain))


@pytest.mark.parametrize("scope, struct", [("main", "main_conf"), ("server", "server_conf"), ("dir", "dir_conf")])
def test_every_field_of_the_table_is_in_conf_h(scope: str, struct: str) -> None:
    names = {field.split(".")[1] for row in TABLE.values() for field in row.fields if field.startswith(scope + ".") and "._" not in field}
    assert names <= c_struct(struct)


@pytest.mark.parametrize("cls, prefix", [
    (model.Phase, "PHASE"), (model.SectionKind, "SECTION"), (model.Option, "OPTION"), (model.Override, "OVERRIDE"), (model.AliasKind, "ALIAS"),
    (model.HeaderOp, "HEADER"), (model.RequireKind, "REQUIRE"), (model.Protocol, "PROTOCOL"), (model.IndexOption, "INDEX"),
    (model.IndexMarkKind, "MARK"), (model.TextKind, "TEXT")])
def test_enums_are_those_of_conf_h(cls: type[enum.IntEnum], prefix: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", (CSRC / "conf.h").read_text(), flags=re.DOTALL)
    body = next(b for b in re.findall(r"enum \w+ \{(.*?)\}", text, re.DOTALL) if f"{prefix}_{next(iter(cls)).name}" in b)
    number, found = -1, {}
    for name, value in re.findall(r"(\w+)\s*(?:=\s*(\d+))?", body):
        number = int(value) if value else number + 1
        found[name] = number
    assert {f"{prefix}_{name}": int(value) for name, value in cls.__members__.items()} == {k: v for k, v in found.items() if k != "PHASES"}


LIMITS = {"LimitRequestLine": "LIMIT_REQUEST_LINE_BYTES", "LimitRequestFields": "LIMIT_REQUEST_FIELDS", "MaxRanges": "LIMIT_RANGES",
          "LimitRequestFieldSize": "LIMIT_REQUEST_FIELD_SIZE_BYTES", "MaxKeepAliveRequests": "LIMIT_MAX_KEEP_ALIVE_REQUESTS",
          "ListenBacklog": "LIMIT_LISTEN_BACKLOG", "PyMaxConnections": "LIMIT_MAX_CONNECTIONS", "PyOutputBuffer": "LIMIT_OUTPUT_HIGH_BYTES",
          "PyMaxRequestsInFlight": "LIMIT_MAX_REQUESTS_IN_FLIGHT", "PyBodyBuffer": "LIMIT_BODY_MEMORY_BYTES"}


@pytest.mark.parametrize("name, limit", LIMITS.items())
def test_defaults_agree_with_limit_h(name: str, limit: str) -> None:
    found = re.search(rf"\b{limit} = (\d+)", (CSRC / "limit.h").read_text())
    assert found and TABLE[name.lower()].default == found[1]


def test_rows_are_complete() -> None:
    for row in TABLE.values():
        assert row.doc[-1] in ".?…)" and row.syntax and set(row.contexts) <= set(CONTEXTS), row.name
        assert not row.override or row.override in ("AuthConfig", "FileInfo", "Indexes", "Limit", "Options"), row.name
    assert {"server.timeout_ms", "dir.options", "main.max_connections", "server.read_header"} <= set(defaults())


def test_every_directive_of_the_issue_is_there() -> None:
    names = ["ServerRoot", "ServerName", "ServerAlias", "Listen", "DocumentRoot", "DirectoryIndex", "Alias", "AliasMatch", "SetHandler", "AddHandler", "RemoveHandler", "AddType", "TypesConfig", "ErrorDocument", "ErrorLog", "LogLevel", "CustomLog", "LogFormat", "PidFile", "User", "Group", "Options", "Require", "AuthType", "AuthName", "Header", "RequestHeader", "Redirect", "SetEnv", "SetEnvIf", "PassEnv", "ServerTokens", "UseCanonicalName", "LimitRequestLine", "LimitRequestFields", "LimitRequestFieldSize", "LimitRequestBody", "Timeout", "KeepAlive", "KeepAliveTimeout", "MaxKeepAliveRequests", "RequestReadTimeout", "StartServers", "GracefulShutdownTimeout", "PythonPostReadRequestHandler", "PythonTransHandler", "PythonInitHandler", "PythonHeaderParserHandler", "PythonAccessHandler", "PythonAuthenHandler", "PythonAuthzHandler", "PythonTypeHandler", "PythonFixupHandler", "PythonHandler", "PythonLogHandler", "PythonCleanupHandler", "PythonHandlerModule", "PythonConnectionHandler", "PythonInputFilter", "PythonOutputFilter", "PythonImport", "PythonPath", "PythonInterpreter", "PythonInterpPerDirectory", "PythonInterpPerDirective", "PythonOption", "PythonDebug", "PythonAutoReload", "PythonEnablePdb", "PythonOptimize"]
    assert not [name for name in names if name.lower() not in TABLE]
    assert sum(name.startswith("python") for name in TABLE) == 26

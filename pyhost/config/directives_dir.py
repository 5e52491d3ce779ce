"""Rows of the table: what holds for a request: handlers, types, folders, access, header fields, variables."""
from __future__ import annotations

from . import convert as c
from . import values as v
from .convert_access import require
from .rows import ANYWHERE, SECTIONS, row
from .table import ALIASES_FIRST, APPEND, KEYED, LIST, OPTIONS, Directive

__all__ = ["ROWS"]


def auth_type(_ctx: object, words: object) -> str | None:
    word = str(words[0])  # type: ignore[index]
    return None if word.lower() == "none" else word


ROWS: tuple[Directive, ...] = (
    # handlers and types
    row("SetHandler", ANYWHERE, "name|None", c.set_handler, "1", "dir.set_handler",
        "Handler for everything here: mod_python, wsgi, asgi, cgi-script, server-status, default-handler …", override="FileInfo"),
    row("AddHandler", ANYWHERE, "name .ext …", c.by_extension(), "2-", "dir.add_handler", "Handler for files with an extension.",
        override="FileInfo", rule=KEYED),
    row("RemoveHandler", "VDLFH", ".ext …", c.remove_extension, "1-", "dir.add_handler", "Takes AddHandler back for extensions.",
        override="FileInfo", rule=KEYED),
    row("AddType", ANYWHERE, "type .ext …", c.add_type, "2-", "dir.add_type", "Media type for files with an extension.",
        override="FileInfo", rule=KEYED),
    row("RemoveType", "VDLFH", ".ext …", c.remove_extension, "1-", "dir.add_type", "Takes AddType back for extensions.",
        override="FileInfo", rule=KEYED),
    row("ForceType", SECTIONS, "type|None", c.media_type, "1", "dir.force_type", "Media type for every file here.", override="FileInfo"),
    row("AddDefaultCharset", ANYWHERE, "On|Off|charset", c.charset, "1", "dir.default_charset",
        "Character set added to text/plain and text/html that name none.", default="Off", override="FileInfo"),
    # folders and files
    row("Options", ANYWHERE, "[+|-]word …", c.options, "1-", "dir.options",
        "Indexes, FollowSymLinks, SymLinksIfOwnerMatch, ExecCGI, MultiViews, Includes, All, None.", default="FollowSymLinks",
        override="Options", rule=OPTIONS),
    row("AllowOverride", "D", "All|None|AuthConfig|FileInfo|Indexes|Limit|Options …", c.allow_override, "1-", "dir.allow_override",
        "Which directives .htaccess files may have.", default="None"),
    row("DirectoryIndex", ANYWHERE, "file … | disabled", c.directory_index, "1-", "dir.directory_index",
        "Files that answer for a folder, tried in order.", default="index.html", override="Indexes", rule=LIST),
    row("DirectorySlash", ANYWHERE, "On|Off", v.flag, "1", "dir.directory_slash", "Is a folder without its slash redirected to it?",
        default="On", override="Indexes"),
    row("IndexOptions", ANYWHERE, "[+|-]word …", c.index_options, "1-", "dir.index_options",
        "Listing: FoldersFirst, IgnoreCase, VersionSort, SuppressSize, SuppressLastModified, SuppressColumnSorting, IgnoreClient, None; httpd's "
        "other words (FancyIndexing, HTMLTable, icons, widths) are accepted.",
        default="FoldersFirst", override="Indexes", rule=OPTIONS),
    row("IndexIgnore", ANYWHERE, "name …", lambda _ctx, words: tuple(words), "1-", "dir.index_ignore",
        "Names that listings leave out; *, ? and [] allowed. Names with a dot in front never are in them.", override="Indexes", rule=APPEND),
    row("PyIndexTitle", ANYWHERE, "text", v.text, "1", "dir.index_title", "Title of directory listings.", default="(Index of /path)",
        override="Indexes"),
    row("FileETag", ANYWHERE, "[+|-]MTime|Size|INode|All|None …", c.file_etag, "1-", "dir.file_etag", "What ETags of files are made from.",
        default="MTime Size", override="FileInfo", rule=OPTIONS),
    row("EnableSendfile", ANYWHERE, "On|Off", v.flag, "1", "dir.enable_sendfile", "May files be sent by the kernel without copying?",
        default="On", override="FileInfo"),
    row("AcceptPathInfo", ANYWHERE, "On|Off|Default", v.choice({"Off": 0, "On": 1, "Default": 2}), "1", "dir.accept_path_info",
        "May a path go on behind a file? Default: handlers take it, static files answer 404.", default="Default", override="FileInfo"),
    row("MaxRanges", ANYWHERE, "default|unlimited|none|number", c.max_ranges, "1", "dir.max_ranges",
        "Most ranges answered in one response; above it the whole file is sent.", default="200", unit="ranges"),
    row("ServerSignature", ANYWHERE, "On|Off|EMail", v.choice({"On": 1, "Off": 0, "EMail": 2}), "1", "server.server_signature",
        "Do pages made by the server end with its name?", default="Off"),
    row("LimitRequestBody", ANYWHERE, "bytes", v.size(), "1", "dir.limit_request_body_bytes",
        "Largest request body (413); 0: any.", default="1073741824", unit="bytes"),
    row("CGIDScriptTimeout", ANYWHERE, "time", v.duration("s", 1), "1", "dir.cgi_timeout_ms",
        "How long a CGI script may neither write nor read; then it is ended, with 504 if it has not answered.", default="(Timeout)", unit="seconds",
        override="Options"),
    row("CGIScriptTimeout", ANYWHERE, "time", v.duration("s", 1), "1", "dir.cgi_timeout_ms", "Another name of CGIDScriptTimeout.",
        unit="seconds", override="Options"),
    row("CGIPassAuth", SECTIONS, "On|Off", v.flag, "1", "dir.cgi_pass_auth",
        "Do programs see the Authorization of the client, as HTTP_AUTHORIZATION?", default="Off", override="AuthConfig"),
    row("RLimitCPU", ANYWHERE, "seconds|max [seconds|max]", c.resource_limit, "1-2", "dir.rlimit_cpu_soft dir.rlimit_cpu_hard",
        "CPU time of a CGI script and of each program it starts: soft and hard limit.", default="(as the server's)", unit="seconds"),
    row("RLimitMEM", ANYWHERE, "bytes|max [bytes|max]", c.resource_limit, "1-2", "dir.rlimit_memory_soft dir.rlimit_memory_hard",
        "Memory of a CGI script and of each program it starts: soft and hard limit.", default="(as the server's)", unit="bytes"),
    row("RLimitNPROC", ANYWHERE, "number|max [number|max]", c.resource_limit, "1-2", "dir.rlimit_processes_soft dir.rlimit_processes_hard",
        "Processes of the server's user, above which a CGI script can start no more: soft and hard limit.", default="(as the server's)",
        unit="processes"),
    row("PyOutputBuffer", ANYWHERE, "bytes", v.size(1024), "1", "dir.output_high_bytes",
        "Response bytes kept for a slow client before the handler has to wait.", default="65536", unit="bytes"),
    row("PyWebSocketPing", ANYWHERE, "time|Off", v.off_or(v.duration("s")), "1", "dir.websocket_ping_ms",
        "Silence after which a WebSocket's client gets a ping; after as long without an answer the connection is closed.", default="30",
        unit="seconds", override="FileInfo"),
    row("PyWebSocketMessageLimit", ANYWHERE, "bytes", v.size(), "1", "dir.websocket_message_bytes",
        "Largest message that a WebSocket's client may send (closed with 1009); 0: any.", default="1048576", unit="bytes", override="FileInfo"),
    row("PyWebSocketCompression", ANYWHERE, "On|Off|Context", v.choice({"On": 1, "Off": 0, "Context": 2}), "1", "dir.websocket_compression",
        "Are messages of WebSockets compressed where the client offers it? On: each by itself, which costs no memory; Context: with what came before "
        "in mind, which costs up to 300 KiB for each connection.", default="On", override="FileInfo"),
    row("PyWebSocketWindow", ANYWHERE, "9…15", v.integer(9, 15), "1", "dir.websocket_window_bits",
        "Window of that compression, as a power of two in bytes.", default="15", override="FileInfo"),
    row("ErrorDocument", ANYWHERE, "status /path|URL|\"text\"|default", c.error_document, "raw", "dir.error_documents",
        "What is answered instead of the built-in page.", override="FileInfo", rule=KEYED),
    # redirects
    row("Redirect", ANYWHERE, "[status] [/path] URL", c.redirect(), "1-3", "server.aliases dir.redirects",
        "Sends the client to another URL; status: permanent, temp (default), seeother, gone or a number.", override="FileInfo",
        rule=ALIASES_FIRST),
    row("RedirectMatch", ANYWHERE, "[status] regex URL", c.redirect(match=True), "1-3", "server.aliases dir.redirects",
        "Redirect by regular expression; $1 … in the URL.", override="FileInfo", rule=ALIASES_FIRST),
    row("RedirectPermanent", ANYWHERE, "[/path] URL", c.redirect(fixed=301), "1-2", "server.aliases dir.redirects", "Redirect with 301.",
        override="FileInfo", rule=ALIASES_FIRST),
    row("RedirectTemp", ANYWHERE, "[/path] URL", c.redirect(fixed=302), "1-2", "server.aliases dir.redirects", "Redirect with 302.",
        override="FileInfo", rule=ALIASES_FIRST),
    # access
    row("Require", SECTIONS, "[not] all granted|all denied|ip …|local|host …|method …|env …|user …|group …|valid-user|expr condition", require, "1-",
        "dir._require", "Who may; several: one of them is enough, unless in <RequireAll>.", override="AuthConfig", rule=LIST),
    row("AuthType", SECTIONS, "Basic|None|name", auth_type, "1", "dir.auth_type",
        "Kind of authentication; PythonAuthenHandler does it, or AuthUserFile for Basic.", override="AuthConfig"),
    row("AuthName", SECTIONS, "text", v.text, "1", "dir.auth_name", "Realm shown when a password is asked for.", override="AuthConfig"),
    row("AuthUserFile", SECTIONS, "file", v.path(), "1", "dir.auth_user_file", "Users and their password hashes (htpasswd).",
        override="AuthConfig"),
    row("AuthGroupFile", SECTIONS, "file", v.path(), "1", "dir.auth_group_file", "Groups: lines of `group: user user`.",
        override="AuthConfig"),
    row("AuthBasicProvider", SECTIONS, "file", v.choice({"file": 1}), "1", "", "Accepted: AuthUserFile is the only provider besides handlers.",
        default="file", override="AuthConfig"),
    row("AuthBasicAuthoritative", SECTIONS, "On|Off", v.flag, "1", "",
        "Accepted: a PythonAuthenHandler is always asked before AuthUserFile.", default="On", override="AuthConfig"),
    # header fields and variables
    row("Header", ANYWHERE, "[always] set|add|append|merge|unset|setifempty|edit|edit*|note field [value [replacement]] [env=[!]VAR|expr=condition]",
        c.header_rule(False), "2-6", "dir.header_rules", "Changes header fields of responses.", override="FileInfo", rule=APPEND),
    row("RequestHeader", ANYWHERE, "set|add|append|merge|unset|setifempty|edit|edit* field [value [replacement]] [env=[!]VAR|expr=condition]",
        c.header_rule(True), "2-5", "dir.request_header_rules", "Changes header fields of requests before handlers see them.",
        override="FileInfo", rule=APPEND),
    row("SetEnv", ANYWHERE, "VAR [value]", c.set_env, "1-2", "dir.setenv", "Sets a variable of the request's environment.",
        override="FileInfo", rule=KEYED),
    row("PassEnv", ANYWHERE, "VAR …", c.pass_env, "1-", "dir.setenv", "Takes variables from the environment the server was started in.",
        override="FileInfo", rule=KEYED),
    row("UnsetEnv", ANYWHERE, "VAR …", c.unset_env, "1-", "dir.setenv", "Takes variables away.", override="FileInfo", rule=KEYED),
    row("SetEnvIf", ANYWHERE, "attribute regex [!]VAR[=value] …", c.set_env_if(), "3-", "dir.setenvif",
        "Sets variables by a header field, Remote_Addr, Request_URI … or an earlier variable.", override="FileInfo", rule=APPEND),
    row("SetEnvIfNoCase", ANYWHERE, "attribute regex [!]VAR[=value] …", c.set_env_if(nocase=True), "3-", "dir.setenvif",
        "SetEnvIf without regard to case.", override="FileInfo", rule=APPEND),
    row("BrowserMatch", ANYWHERE, "regex [!]VAR[=value] …", c.set_env_if(attribute="User-Agent"), "2-", "dir.setenvif",
        "SetEnvIf User-Agent.", override="FileInfo", rule=APPEND),
    row("BrowserMatchNoCase", ANYWHERE, "regex [!]VAR[=value] …", c.set_env_if(True, "User-Agent"), "2-", "dir.setenvif",
        "BrowserMatch without regard to case.", override="FileInfo", rule=APPEND),
)

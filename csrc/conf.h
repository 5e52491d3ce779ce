/* The frozen configuration: plain structures that pyhost/config fills through cffi and C only reads.
 * cffi reads this file as its cdef, so there is nothing in it but enums, structs and integer #defines.
 * All text is NUL-terminated latin-1, borrowed: Python keeps it alive as long as the configuration. */
#ifndef PYHOST_CONF_H
#define PYHOST_CONF_H

#include <stdint.h>

/* Phases of a request in httpd's order; hook lists are indexed by them. */
enum phase {
    PHASE_CONNECTION, PHASE_POST_READ_REQUEST, PHASE_TRANS, PHASE_HEADER_PARSER, PHASE_ACCESS, PHASE_AUTHEN, PHASE_AUTHZ, PHASE_TYPE,
    PHASE_FIXUP, PHASE_CONTENT, PHASE_LOG, PHASE_CLEANUP, PHASES
};

enum section_kind {
    SECTION_DIRECTORY, SECTION_DIRECTORY_MATCH, SECTION_FILES, SECTION_FILES_MATCH, SECTION_LOCATION, SECTION_LOCATION_MATCH,
    SECTION_IF
};

enum options_bit {
    OPTION_INDEXES = 1, OPTION_FOLLOW_SYMLINKS = 2, OPTION_SYMLINKS_IF_OWNER = 4, OPTION_EXEC_CGI = 8, OPTION_MULTIVIEWS = 16, OPTION_INCLUDES = 32
};
enum override_bit {
    OVERRIDE_AUTHCONFIG = 1, OVERRIDE_FILEINFO = 2, OVERRIDE_INDEXES = 4, OVERRIDE_LIMIT = 8, OVERRIDE_OPTIONS = 16, OVERRIDE_ALL = 31,
    OVERRIDE_SOME_OPTIONS = 64 /* with more bits above, for Python alone */
};

enum index_option_bit {
    INDEX_FOLDERS_FIRST = 1, INDEX_IGNORE_CASE = 2, INDEX_SUPPRESS_SIZE = 4, INDEX_SUPPRESS_LAST_MODIFIED = 8, INDEX_VERSION_SORT = 16,
    INDEX_SUPPRESS_COLUMN_SORTING = 32, INDEX_IGNORE_CLIENT = 64, INDEX_SUPPRESS_ICON = 128, INDEX_SUPPRESS_DESCRIPTION = 256, INDEX_ICONS_ARE_LINKS = 512,
    INDEX_SUPPRESS_HTML_PREAMBLE = 1024
};
enum index_mark_kind { MARK_NAME, MARK_TYPE, MARK_ENCODING, MARK_DIRECTORY, MARK_BLANK };
struct index_mark { int kind; const char *pattern; const char *value; }; /* AddIcon, AddAlt, AddDescription and their kin; the first that fits counts */

/* Log levels, httpd's (syslog's) numbers; trace1 is 8. */
enum log_level_number { LEVEL_EMERG, LEVEL_ALERT, LEVEL_CRIT, LEVEL_ERROR, LEVEL_WARN, LEVEL_NOTICE, LEVEL_INFO, LEVEL_DEBUG, LEVEL_TRACE };

/* Small languages that directives are written in: what bridge_text_check can tell good from bad. */
enum text_kind { TEXT_LOG_FORMAT, TEXT_ERROR_FORMAT, TEXT_ERROR_FORMAT_CONNECTION, TEXT_ERROR_FORMAT_REQUEST, TEXT_CONDITION, TEXT_EXPR,
                 TEXT_RESTRICTED_CONDITION, TEXT_RESTRICTED_EXPR };

struct pair_conf { const char *key; const char *value; };

struct regex_conf { /* compiled once by conf_compile (PCRE2) */
    const char *pattern; /* NULL: no regular expression */
    int nocase;
    void *compiled;
};

enum expr_kind { EXPR_CONDITION, EXPR_TEXT, EXPR_RESTRICTED /* with either: of an .htaccess file */ };
struct expr_conf { /* compiled once by bridge_expr_compile (expr.h) */
    const char *text; /* NULL: there is none */
    int kind;         /* enum expr_kind */
    void *compiled;
};

/* <Directory>, <Files>, <Location> and their Match forms, in the order of the file within each kind
 * (Directory: by depth, shallow first). */
struct section_conf {
    int id;              /* unique in the configuration; the key under which Python merges it */
    int kind;            /* enum section_kind */
    const char *pattern; /* Directory: without trailing slash ("/" stays); Location: as written; a glob when is_glob */
    int pattern_len;
    int is_glob;
    struct regex_conf regex; /* for the Match kinds and "~" */
    int parent_id;       /* Files inside a Directory, If inside any: only where that one holds; -1: everywhere */
    struct expr_conf condition; /* If, ElseIf; no text: Else */
    int else_of;         /* ElseIf, Else: the id of the one before, in whose place it comes; 0: If */
};

enum alias_kind { ALIAS_PLAIN, ALIAS_MATCH, ALIAS_REDIRECT, ALIAS_REDIRECT_MATCH, ALIAS_SCRIPT, ALIAS_WSGI, ALIAS_ASGI };
struct alias_conf { /* in the order of the file; redirects are tried before aliases */
    int kind;
    const char *from;
    int from_len;
    const char *to; /* path or URL; with $1 … for the Match kinds; NULL for status-only redirects (gone) */
    int status;     /* redirects: 301, 302, 303, 307, 308, 410, or any */
    struct regex_conf regex;
};

enum header_op { HEADER_SET, HEADER_ADD, HEADER_APPEND, HEADER_MERGE, HEADER_UNSET, HEADER_SETIFEMPTY, HEADER_EDIT, HEADER_EDIT_ALL, HEADER_NOTE };
struct header_rule { /* Header, RequestHeader */
    int op;
    int always;         /* Header always: on error responses too */
    const char *name;
    const char *value;  /* format: %% %t %D %{VAR}e %{VAR}s %l; NULL for unset */
    const char *env;    /* env=VAR or env=!VAR without the "env="; NULL: always */
    struct regex_conf regex; /* edit */
    struct expr_conf condition; /* expr=… */
    struct expr_conf value_expr;/* in place of value: "expr=…" */
};

struct setenvif_rule { /* SetEnvIf, SetEnvIfNoCase, BrowserMatch; in order */
    const char *attribute; /* header name (or regex of one), Remote_Host, Remote_Addr, Server_Addr, Request_Method, Request_Protocol, Request_URI, or an earlier variable */
    struct regex_conf attribute_regex; /* when attribute is a pattern of header names (it has characters that no token has); else pattern NULL */
    struct regex_conf regex;
    int count;
    const struct pair_conf *set; /* value NULL: unset ("!VAR"); $0…$9 are filled from the match */
};

enum require_kind { REQUIRE_ALL_OF, REQUIRE_ANY_OF, REQUIRE_NONE_OF, REQUIRE_GRANTED, REQUIRE_DENIED, REQUIRE_IP, REQUIRE_LOCAL, REQUIRE_HOST, REQUIRE_METHOD, REQUIRE_ENV, REQUIRE_USER, REQUIRE_GROUP, REQUIRE_VALID_USER, REQUIRE_EXPR };
struct net_conf { unsigned char address[16]; int bits; }; /* IPv4 as ::ffff:a.b.c.d, bits counted in 128 */
struct require_conf {
    int kind;
    int negate;                          /* Require not … */
    int count;                           /* of children, nets or words */
    const struct require_conf *children; /* ALL_OF, ANY_OF, NONE_OF */
    const struct net_conf *nets;         /* IP */
    const char *const *words;            /* users, groups, methods, variables, hosts */
    struct expr_conf expr;               /* EXPR */
};

struct error_document { int status; const char *target; }; /* starts with '/': internal redirect; http:// or https://: redirect; else text */

/* One Python handler: module[::object[.attr]] as written. */
struct hook_conf {
    const char *handler;
    const char *directory; /* canonical with a trailing slash, the Location as written, or NULL */
    int is_location;
    int directory_is_pattern; /* directory is a glob or regex: resolved per request to the shortest matching prefix of the file name */
    int silent;
};
struct hook_list {
    int phase;             /* enum phase */
    const char *extension; /* ".py": only for files of that extension; NULL: all */
    int count;
    const struct hook_conf *hooks;
};
struct filter_conf { const char *name; struct hook_conf hook; };

/* What holds for one request: server defaults, Directory, .htaccess, Files and Location merged in httpd's order.
 * One for each distinct set of matching sections; made by Python on first use, then frozen. */
struct dir_conf {
    int id;
    const char *set_handler; /* NULL: none; "" after SetHandler None */
    int add_handler_count;
    const struct pair_conf *add_handler;  /* key ".ext" lower case, value handler; removed ones are gone */
    int add_type_count;
    const struct pair_conf *add_type;     /* key ".ext" lower case, value type */
    const char *force_type;               /* NULL: none */
    const char *default_charset;          /* AddDefaultCharset, NULL: off */
    int add_charset_count, add_encoding_count, add_language_count; /* keys ".ext" lower case; removed ones are gone */
    const struct pair_conf *add_charset, *add_encoding, *add_language;
    const char *default_language;         /* NULL: none */
    int options;                          /* enum options_bit */
    int allow_override;                   /* enum override_bit; of Directory sections only */
    int directory_index_count;
    const char *const *directory_index;
    int directory_slash;
    const char *index_title;              /* PyIndexTitle, NULL: "Index of …" */
    int index_options;                    /* enum index_option_bit */
    int index_ignore_count;
    const char *const *index_ignore;      /* IndexIgnore: names, * and ? and [] allowed */
    const char *index_header, *index_readme; /* HeaderName, ReadmeName; NULL: none */
    const char *default_icon;             /* DefaultIcon, NULL: none */
    int index_icon_count, index_alt_count, index_description_count;
    const struct index_mark *index_icons; /* value: a URL */
    const struct index_mark *index_alts;
    const struct index_mark *index_descriptions; /* value: HTML */
    int index_order;                      /* IndexOrderDefault: 'N', 'M', 'S' or 'D' */
    int index_descending;
    int error_document_count;
    const struct error_document *error_documents;
    const struct require_conf *require;   /* NULL: granted */
    int require_needs_user;               /* some Require names a user: authentication phases run */
    const char *auth_type;                /* NULL: none */
    const char *auth_name;
    const char *auth_user_file;
    const char *auth_group_file;
    int header_rule_count;
    const struct header_rule *header_rules;
    int request_header_rule_count;
    const struct header_rule *request_header_rules;
    int setenv_count;
    const struct pair_conf *setenv;       /* SetEnv, PassEnv (taken at start); value NULL: UnsetEnv */
    int setenvif_count;
    const struct setenvif_rule *setenvif;
    int redirect_count;                   /* Redirect in Directory/Location/.htaccess */
    const struct alias_conf *redirects;
    int enable_sendfile;
    int file_etag;                        /* bit 0 mtime, bit 1 size, bit 2 inode; 0: none */
    int accept_path_info;                 /* 0 Off, 1 On, 2 Default */
    int64_t limit_request_body_bytes;     /* 0: no limit */
    int64_t output_high_bytes;            /* PyOutputBuffer */
    int64_t cgi_timeout_ms;               /* CGIDScriptTimeout, 0: the server's Timeout */
    int cgi_pass_auth;                    /* CGIPassAuth */
    int64_t rlimit_cpu_soft, rlimit_cpu_hard;             /* RLimitCPU, seconds; 0: as the server's, -1: the most there is */
    int64_t rlimit_memory_soft, rlimit_memory_hard;       /* RLimitMEM, bytes */
    int64_t rlimit_processes_soft, rlimit_processes_hard; /* RLimitNPROC */
    int64_t websocket_ping_ms;            /* PyWebSocketPing, 0: off */
    int64_t websocket_message_bytes;      /* PyWebSocketMessageLimit, 0: no limit */
    int websocket_compression;            /* PyWebSocketCompression: 0 Off, 1 On, 2 Context */
    int websocket_window_bits;            /* PyWebSocketWindow */
    int max_ranges;                       /* -1: any number, 0: Range is ignored */
    /* Python */
    int hook_list_count;
    const struct hook_list *hook_lists;   /* by phase, extension lists before the plain one of a phase */
    int hook_phases;                      /* bit 1 << phase: there is a list */
    int input_filter_count;
    const struct filter_conf *input_filters;
    int output_filter_count;
    const struct filter_conf *output_filters;
    int set_input_filter_count;
    const char *const *set_input_filters; /* SetInputFilter */
    int set_output_filter_count;
    const char *const *set_output_filters;
    int add_input_filter_count;
    const struct pair_conf *add_input_filter;  /* AddInputFilter: key ".ext" lower case, value "name;name" */
    int add_output_filter_count;
    const struct pair_conf *add_output_filter;
    int python_option_count;
    const struct pair_conf *python_options;
    int python_config_count;
    const struct pair_conf *python_config; /* what req.get_config() shows: "PythonDebug" -> "1" … */
    const char *python_path;               /* expression, NULL: none */
    const char *python_home;               /* PyHome: a virtual environment, NULL: none */
    const char *python_interpreter;        /* NULL: by the other rules */
    int python_interp_per_directory;
    int python_interp_per_directive;
    int python_interp_per_server;          /* PyInterpreterPerServer: the ServerName, when no other rule names one */
    int python_debug;
    int python_auto_reload;
    int python_enable_pdb;
    int python_green;                      /* PyGreen */
    int64_t request_timeout_ms;            /* PyRequestTimeout, 0: none */
    int64_t time_slice_ms;                 /* PyTimeSlice, 0: off */
    int64_t blocked_warning_ms;            /* PyBlockedWarning, 0: off */
    int cancel_on_disconnect;              /* PyCancelOnDisconnect */
    const char *wsgi_application;          /* file-or-module[:callable] for SetHandler wsgi and PyWSGIAlias */
    const char *wsgi_mount;                /* SCRIPT_NAME of it: the path of PyWSGIAlias; NULL: location */
    const char *location;                  /* the Location string that matched last, NULL: none */
    int htaccess_section_count;           /* <Files>, <FilesMatch> and <If> of the .htaccess files merged here: those that hold are merged */
    const struct section_conf *const *htaccess_sections; /* in a second round */
    void *runtime;                         /* C's own cache for this configuration (resolved handlers …); NULL at first */
};

struct module_level_conf { const char *module; int level; }; /* LogLevel python:debug */

struct access_log_conf {
    const char *path;      /* absolute file, or "|command" */
    const char *format;    /* LogFormat text */
    const char *env;       /* env=VAR or !VAR, NULL: always */
    struct expr_conf condition; /* expr=… */
    int fd;                /* filled by log_open_all */
    void *compiled;
};

struct rate_conf { int64_t initial_ms, max_ms; int min_bytes_per_s; }; /* RequestReadTimeout header=20-40,MinRate=500 */

struct address_conf { /* of a Listen or of a VirtualHost */
    int family;                 /* AF_INET, AF_INET6, AF_UNIX; 0: any address (*) */
    unsigned char address[16];  /* network order; IPv4 in the first 4 bytes */
    int port;                   /* 0: any (VirtualHost *) */
    const char *path;           /* AF_UNIX */
};

struct server_conf { /* the main server (index 0) and each VirtualHost in file order */
    int index;
    const char *defn_name;
    int defn_line;
    int is_virtual;
    const char *server_name;   /* host as written, NULL: none */
    int server_port;           /* from ServerName, 0: none */
    const char *server_scheme; /* from ServerName, NULL: http */
    const char *server_admin;
    const char *server_path;
    int alias_name_count;
    const char *const *alias_names; /* ServerAlias without wildcards, lower case */
    int wild_name_count;
    const char *const *wild_names;  /* ServerAlias with * or ? */
    int address_count;
    const struct address_conf *addresses;
    const char *document_root;      /* absolute, no trailing slash */
    int alias_count;
    const struct alias_conf *aliases;
    int section_count;
    const struct section_conf *sections; /* the main server's, then the vhost's own; each by kind, then as in the file */
    struct dir_conf *base;          /* per-dir defaults of this server: no section matched */
    int has_htaccess;               /* some AllowOverride other than None can apply */
    const char *access_file_name;   /* AccessFileName, ".htaccess" */
    int python_hook_phases;         /* bits of phases with hooks at server level or in any section of this server */
    int64_t timeout_ms, keep_alive_timeout_ms;
    int response_min_rate;          /* PyResponseMinRate, bytes/s; 0: any byte within Timeout is enough */
    int keep_alive, max_keep_alive_requests; /* 0: unlimited */
    int limit_request_line, limit_request_fields, limit_request_field_size;
    struct rate_conf read_header, read_body; /* RequestReadTimeout */
    int use_canonical_name;         /* 0 Off, 1 On, 2 DNS */
    int allow_encoded_slashes;      /* 0 Off, 1 On, 2 NoDecode */
    int trace_enable;
    const char *error_log;          /* absolute path, NULL: as the main server, "|command", "syslog" */
    int error_fd;                   /* filled by log_open_all */
    const char *error_log_format;   /* ErrorLogFormat, NULL: the built-in one */
    int error_connection_format_count, error_request_format_count;
    const char *const *error_connection_formats; /* ErrorLogFormat connection: before the first line of one */
    const char *const *error_request_formats;
    void *error_formats;            /* compiled, filled by log_open_all */
    int log_level;
    int module_level_count;
    const struct module_level_conf *module_levels; /* what differs from log_level */
    int access_log_count;
    struct access_log_conf *access_logs;
    int server_tokens;              /* 0 Full 1 OS 2 Minor 3 Minimal 4 Major 5 Prod */
    int server_signature;
    int python_option_count;
    const struct pair_conf *python_options;
    int python_config_count;
    const struct pair_conf *python_config;
    const char *python_connection_handler; /* NULL: none */
    const char *remoteip_header;            /* RemoteIPHeader, NULL: none is believed */
    int trusted_proxy_count;
    const struct net_conf *trusted_proxies;  /* the internal ones too */
    int internal_proxy_count;
    const struct net_conf *internal_proxies; /* RemoteIPInternalProxy: believed about private addresses as well */
};

enum listen_protocol { PROTOCOL_HTTP, PROTOCOL_FASTCGI, PROTOCOL_SCGI, PROTOCOL_UWSGI };
struct listen_conf {
    struct address_conf address;
    int protocol;             /* enum listen_protocol */
    int proxy_protocol;       /* RemoteIPProxyProtocol */
    int backlog;
    int mode;                 /* AF_UNIX: permissions */
    const char *where;        /* "file:line", for errors */
    int fd;                   /* filled by listener_open_all; kept over a reload when the address is the same */
};

struct import_conf { const char *module; const char *function; const char *interpreter; }; /* PythonImport */

struct main_conf {
    int generation;
    const char *server_root;
    const char *config_file;
    const char *pid_file;
    const char *user; /* NULL: stay */
    const char *group;
    int server_count;
    struct server_conf *const *servers; /* [0] is the main server */
    int listen_count;
    struct listen_conf *listens;
    int start_servers;              /* workers; 0: serve in the master's process (-X) */
    int max_requests_per_child;     /* MaxConnectionsPerChild, 0: never */
    int max_connections;            /* PyMaxConnections, per worker */
    int max_requests_in_flight;     /* PyMaxRequestsInFlight, per worker */
    int cgi_processes;              /* PyCGIProcesses, per worker */
    int cgi_queue;                  /* PyCGIQueue, per worker */
    int cgi_expected;               /* something names cgi-script: the helper is started before the first request */
    int expected_module_count;
    const char *const *expected_modules; /* what handlers that are named need in the main interpreter: likewise */
    int64_t body_memory_bytes;      /* PyBodyBuffer */
    int64_t graceful_timeout_ms;    /* GracefulShutdownTimeout, 0: wait for ever */
    int type_count;
    const struct pair_conf *types;  /* TypesConfig: key "ext" lower case, value type; sorted by key */
    int import_count;
    const struct import_conf *imports;
    int define_count;
    const char *const *defines;
    int green_library_count;
    const char *const *green_libraries; /* PyGreenLibraries: beginnings of file names */
    int one_process;                /* -X */
    int script;                     /* pyhost script.py: the first job is the program, and its end ours */
};

#endif

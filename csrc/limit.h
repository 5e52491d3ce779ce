/* Every bound that has no directive, in one place, with its unit; and the defaults of those that have one.
 * A bound with a directive is named after it. */
#ifndef PYHOST_LIMIT_H
#define PYHOST_LIMIT_H

enum {
    /* defaults of directives (the directive table in pyhost/config/directives takes them from here through cffi) */
    LIMIT_REQUEST_LINE_BYTES = 8190,
    LIMIT_REQUEST_FIELDS = 100,
    LIMIT_REQUEST_FIELD_SIZE_BYTES = 8190,
    LIMIT_KEEP_ALIVE_MS = 5000,
    LIMIT_TIMEOUT_MS = 60000,
    LIMIT_MAX_KEEP_ALIVE_REQUESTS = 100,
    LIMIT_LISTEN_BACKLOG = 511,
    LIMIT_MAX_CONNECTIONS = 10240,       /* PyMaxConnections, per worker */
    LIMIT_MAX_REQUESTS_IN_FLIGHT = 4096, /* PyMaxRequestsInFlight, per worker */
    LIMIT_OUTPUT_HIGH_BYTES = 65536,     /* PyOutputBuffer: a producer waits above this */
    LIMIT_BODY_MEMORY_BYTES = 65536,     /* PyBodyBuffer: unread body kept in memory before reading stops */

    /* fixed */
    LIMIT_GATE_HEAD_BYTES = 65536,       /* the variables of one FastCGI or SCGI request (uwsgi cannot have more) */
    LIMIT_GATE_REQUESTS = 256,           /* requests at a time on one FastCGI connection */
    LIMIT_METHOD_BYTES = 32,             /* a method's name (501) */
    LIMIT_READ_BYTES = 65536,            /* one read() from a socket, into a buffer that all connections share */
    LIMIT_CHUNK_LINE_BYTES = 1024,       /* a chunk-size line with its extensions */
    LIMIT_CHUNK_EXTENSIONS_BYTES = 16384,/* all chunk extensions of one message */
    LIMIT_DISCARD_BYTES = 262144,        /* of a body that nobody has read: what is above it costs the connection */
    LIMIT_ANSWERS_TOGETHER = 64,         /* short answers that are sent together at the end of a turn */
    LIMIT_ANSWER_WAITS_NS = 500000,      /* how long one of them may wait for the others, as far as the turns before can tell */
    LIMIT_LINGER_MS = 2000,              /* lingering close: how long it goes on */
    LIMIT_LINGER_BYTES = 4194304,        /* lingering close: how much is read away; who sends more is cut off */
    LIMIT_WEBSOCKET_CLOSE_MS = 5000,     /* the client's close frame, after ours */
    LIMIT_INTERNAL_REDIRECTS = 10,       /* internal redirects of one request; more: 500 */
    LIMIT_RANGES = 200,                  /* default of MaxRanges: ranges of one response; more: the whole file */
    LIMIT_PATH_BYTES = 4096,             /* the file name that a URL is mapped to */
    LIMIT_LISTING_TEXT_BYTES = 262144,   /* a file of HeaderName or ReadmeName; a longer one is left out */
    LIMIT_EXPR_BYTES = 8192,             /* an expression of the configuration */
    LIMIT_EXPR_DEPTH = 64,               /* parentheses, negations and calls within each other in one */
    LIMIT_EXPR_VALUE_BYTES = 65536,      /* a text that one puts together; longer: it is false, and logged */
    LIMIT_MATCHED_SECTIONS = 256,        /* sections that hold for one request; more: 500 */
    LIMIT_HTACCESS_FILES = 32,           /* .htaccess files read for one request; more: 500 */
    LIMIT_MERGED_SETS = 16384,           /* merged configurations kept; at the bound the cache starts anew */
    LIMIT_ROUTE_PATHS = 1024,            /* paths whose route is remembered, power of two */
    LIMIT_ROUTE_PATH_BYTES = 512,        /* longer ones are not */
    LIMIT_CGI_HEAD_BYTES = 65536,        /* the head that a CGI script writes; longer: 500 */
    LIMIT_CGI_FIELDS = 128,              /* fields in it; more: 500 */
    LIMIT_CGI_ARGUMENTS = 256,           /* words of a query without '=' that become arguments of a CGI script; more: none does */
    LIMIT_CGI_STDERR_BYTES = 65536,      /* what the log takes of a CGI script's standard error, for each request */
    LIMIT_CGI_GRACE_MS = 3000,           /* from TERM to KILL for the processes of a CGI script */
    LIMIT_CGI_GONE_MS = 2000,            /* how long a CGI script may be silent when its client has closed its side */
    LIMIT_CGI_STARTS = 8,                /* how often a CGI script is started, when its helper dies before it runs */
    LIMIT_PASSWORD_FILE_BYTES = 16 << 20,/* AuthUserFile, AuthGroupFile; larger: 500 */
    LIMIT_PASSWORDS_KNOWN = 1024         /* passwords that have been verified lately, power of two */
};

#endif

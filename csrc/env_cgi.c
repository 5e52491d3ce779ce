/* The environment of CGI/1.1 (RFC 3875) as httpd spells it, in its two parts: what holds for every kind of gateway, and CGI's own. */
#include <stdio.h>
#include <stdlib.h>

#include "env.h"
#include "log.h"
#include "origin.h"
#include "version.h"

enum { NAME_BYTES = 256 };

static int set(struct request *r, struct slice name, const char *value)
{
    return table_set(&r->subprocess_env, name, slice_text(value ? value : ""));
}

static int set_if(struct request *r, struct slice name, const char *value) { return value && *value ? set(r, name, value) : 0; }

static int set_number(struct request *r, struct slice name, long number)
{
    char text[24];
    snprintf(text, sizeof text, "%ld", number);
    return set(r, name, text);
}

/* "HTTP_" and the name in capitals with '_' for '-'. False: other bytes are in it (two names could come out alike), or it is not for programs:
 * credentials unless CGIPassAuth says so, and Proxy, which they would take for their own setting. */
static bool variable_name(struct slice header, bool pass_auth, char out[NAME_BYTES], struct slice *name)
{
    if (header.len + 6 > NAME_BYTES || slice_eq_nocase(header, SLICE("Proxy")) || slice_eq_nocase(header, SLICE("Proxy-Authorization")) ||
        (!pass_auth && slice_eq_nocase(header, SLICE("Authorization"))))
        return false;
    memcpy(out, "HTTP_", 5);
    for (size_t i = 0; i < header.len; i++) {
        char c = header.at[i];
        bool lower = c >= 'a' && c <= 'z', plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!lower && !plain && c != '-')
            return false;
        out[5 + i] = c == '-' ? '_' : lower ? (char)(c - 32) : c;
    }
    *name = slice_of(out, 5 + header.len);
    return true;
}

static int add_headers(struct request *r)
{
    const struct table *headers = request_headers_in(r);
    char text[NAME_BYTES];
    bool pass_auth = r->conf && r->conf->cgi_pass_auth;
    int failed = 0;
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct table_entry *e = &headers->entries[i];
        struct slice key = slice_of(e->key, e->key_len), value = slice_of(e->value ? e->value : "", e->value_len), name;
        if (slice_eq_nocase(key, SLICE("Content-Type")))
            failed |= table_set(&r->subprocess_env, SLICE("CONTENT_TYPE"), value);
        else if (slice_eq_nocase(key, SLICE("Content-Length")))
            failed |= table_set(&r->subprocess_env, SLICE("CONTENT_LENGTH"), value);
        else if (variable_name(key, pass_auth, text, &name))
            failed |= table_set(&r->subprocess_env, name, value);
    }
    return failed;
}

static int add_peer(struct request *r)
{
    char text[46];
    int failed = 0;
    origin_local_text(r, text);
    failed |= set(r, SLICE("SERVER_ADDR"), text);
    failed |= set_number(r, SLICE("SERVER_PORT"), origin_port(r));
    origin_client_text(r, text);
    failed |= set(r, SLICE("REMOTE_ADDR"), text);
    if (!r->useragent_ip && origin_client_port(r)) /* a proxy's port says nothing of the client */
        failed |= set_number(r, SLICE("REMOTE_PORT"), origin_client_port(r));
    return failed;
}

static int add_user(struct request *r)
{
    int failed = set_if(r, SLICE("REMOTE_USER"), r->user);
    if (!r->user && r->prev)
        failed |= set_if(r, SLICE("REDIRECT_REMOTE_USER"), r->prev->user);
    return failed | set_if(r, SLICE("AUTH_TYPE"), r->auth_type);
}

/* What programs need to find others; the rest of our own environment is not theirs. */
static int add_process(struct request *r)
{
    const char *path = getenv("PATH");
    int failed = 0;
    if (!env_get(r, SLICE("PATH")).at) /* SetEnv has been there before us */
        failed = set(r, SLICE("PATH"), path ? path : "/usr/local/bin:/usr/bin:/bin");
    if (!env_get(r, SLICE("LD_LIBRARY_PATH")).at)
        failed |= set_if(r, SLICE("LD_LIBRARY_PATH"), getenv("LD_LIBRARY_PATH"));
    return failed;
}

static int add_server(struct request *r)
{
    const struct server_conf *s = r->server;
    int failed = set(r, SLICE("SERVER_SIGNATURE"), "");
    failed |= set(r, SLICE("SERVER_SOFTWARE"), version_words(s->server_tokens));
    failed |= set(r, SLICE("SERVER_NAME"), origin_host(r));
    failed |= set(r, SLICE("DOCUMENT_ROOT"), s->document_root);
    failed |= set(r, SLICE("REQUEST_SCHEME"), origin_scheme(r));
    failed |= set(r, SLICE("CONTEXT_PREFIX"), "");
    failed |= set(r, SLICE("CONTEXT_DOCUMENT_ROOT"), s->document_root);
    failed |= set(r, SLICE("SERVER_ADMIN"), s->server_admin ? s->server_admin : "[no address given]");
    return failed | (r->secure ? set(r, SLICE("HTTPS"), "on") : 0);
}

static int add_script_filename(struct request *r)
{
    if (r->filename)
        return set(r, SLICE("SCRIPT_FILENAME"), r->filename);
    return table_set(&r->subprocess_env, SLICE("SCRIPT_FILENAME"), slice_of(NULL, 0)); /* the key is there and has no value: None in Python */
}

static void report(const struct request *r, int failed)
{
    if (failed)
        log_request(r, LEVEL_ERROR, "env", "out of memory: not every variable is set");
}

void env_add_common(struct request *r)
{
    int failed = add_headers(r);
    failed |= add_process(r);
    failed |= add_server(r);
    failed |= add_peer(r);
    failed |= add_user(r);
    report(r, failed | add_script_filename(r));
}

/* The target that the client sent, however often the request has been redirected inside. */
static const char *first_target(const struct request *r)
{
    while (r->prev)
        r = r->prev;
    return r->unparsed_uri;
}

static const char *first_protocol(const struct request *r) { return r->head.minor ? "HTTP/1.1" : "HTTP/1.0"; }

/* SCRIPT_NAME is the path up to path_info, where that is its end. */
static int add_script_name(struct request *r)
{
    struct slice uri = slice_text(r->uri), info = slice_text(r->path_info);
    if (info.len && info.len <= uri.len && !memcmp(uri.at + uri.len - info.len, info.at, info.len))
        uri.len -= info.len;
    return table_set(&r->subprocess_env, SLICE("SCRIPT_NAME"), uri);
}

static int add_path_info(struct request *r)
{
    const char *root = r->server->document_root ? r->server->document_root : "";
    if (!r->path_info || !*r->path_info)
        return 0;
    size_t room = strlen(root) + strlen(r->path_info) + 1;
    char *translated = request_alloc(r, room);
    if (!translated)
        return -1;
    snprintf(translated, room, "%s%s", root, r->path_info);
    return set(r, SLICE("PATH_INFO"), r->path_info) | set(r, SLICE("PATH_TRANSLATED"), translated);
}

void env_add_cgi(struct request *r)
{
    int failed = set(r, SLICE("GATEWAY_INTERFACE"), "CGI/1.1");
    failed |= set(r, SLICE("SERVER_PROTOCOL"), first_protocol(r));
    failed |= set(r, SLICE("REQUEST_METHOD"), r->method);
    failed |= set(r, SLICE("QUERY_STRING"), r->args);
    failed |= set(r, SLICE("REQUEST_URI"), first_target(r));
    failed |= add_script_name(r);
    report(r, failed | add_path_info(r));
}

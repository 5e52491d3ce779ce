/* Any bytes as an expression: what is taken can be freed, evaluated (twice with the same result) and does not read beyond its text; and a taken
 * expression meets hostile values of a request. The first byte says which kind it is, the bytes behind a NUL are the request's. */
// sources: expr_parse.c expr_words.c expr_eval.c expr_calls.c expr_vars.c base64.c digest.c conf.c env.c env_cgi.c origin.c peer.c request.c table.c buf.c http_bytes.c
// libs: pcre2-8
#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "access.h"
#include "expr.h"
#include "fuzz.h"
#include "log.h"

static struct server_conf server = {.server_name = "www.example.org", .document_root = "/www"};

void log_request_at(const char *place, const struct request *r, int level, const char *module, const char *format, ...)
{
    char line[512];
    va_list args;
    (void)place, (void)r, (void)level, (void)module;
    va_start(args, format);
    MUST(vsnprintf(line, sizeof line, format, args) >= 0);
    va_end(args);
}

bool access_net_contains(const struct net_conf *net, const unsigned char address[16])
{
    MUST(net->bits >= 0 && net->bits <= 128);
    return memcmp(net->address, address, (size_t)net->bits / 8) == 0;
}

static struct request *request_make(struct slice value)
{
    struct request *r = request_new(10);
    MUST(r);
    r->server = &server;
    r->method = (char *)"GET";
    r->unparsed_uri = (char *)"/a?b";
    r->uri = request_strdup(r, value);
    r->args = (char *)"b";
    r->peer = (struct peer){.address = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, .port = 1, .family = AF_INET};
    table_set(request_headers_in(r), SLICE("A"), value);
    table_set(&r->subprocess_env, SLICE("a"), value);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256] = "";
    if (!size)
        return 0;
    size_t len = strnlen((const char *)data + 1, size - 1), rest = size - 1 - len;
    char *text = fuzz_copy(data + 1, len + 1 <= size - 1 ? len + 1 : len), *whole = malloc(len + 1);
    MUST(whole);
    memcpy(whole, text, len);
    whole[len] = 0;
    free(text);
    struct expr_conf conf = {.text = whole, .kind = data[0] & 1 ? EXPR_TEXT : EXPR_CONDITION};
    conf.compiled = expr_new(whole, conf.kind, error, sizeof error);
    MUST(!conf.compiled == (error[0] != 0));
    if (conf.compiled) {
        struct request *r = request_make(slice_of((const char *)data + 1 + len, rest));
        if (conf.kind == EXPR_TEXT) {
            struct slice value = expr_value(&conf, r);
            MUST(!value.at || value.len <= 4 * 65536u);
        } else {
            bool first = expr_holds(&conf, r);
            MUST(first == expr_holds(&conf, r) || strcasestr(whole, "TIME")); /* the clock goes on */
        }
        expr_asks_user(&conf);
        request_unref(r);
    }
    expr_free(conf.compiled);
    free(whole);
    return 0;
}

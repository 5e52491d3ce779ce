/* Any bytes as a request head: the first byte seeds the cuts, the others are fed whole and in pieces. */
// sources: http_head.c http_request_line.c http_target.c http_field.c http_bytes.c http_fault.c http_path.c
#include "fuzz.h"
#include "http_head.h"

enum { LINE = 200, FIELD = 150, FIELDS = 12 };

static bool within(struct http_span inner, struct http_span outer)
{
    return inner.len == 0 || (inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len);
}

static void check_fields(const struct http_head *h, const char *bytes, size_t used)
{
    size_t at = h->start + h->line_len;
    MUST(h->nfields <= FIELDS);
    for (uint32_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];
        MUST(f->name_at > at && f->value_at > f->name_at + f->name_len && (size_t)f->value_at + f->value_len + 2 < used);
        MUST(http_is_token(slice_of(bytes + f->name_at, f->name_len)) && http_is_value(slice_of(bytes + f->value_at, f->value_len)));
        at = f->value_at + f->value_len;
    }
}

static void check_path(const struct http_head *h, const char *bytes)
{
    for (int slashes = 0; slashes < 2; slashes++) {
        char *raw = fuzz_copy(bytes + h->path.at, h->path.len), *out = malloc(h->path.len + 1);
        long n = http_path_decode(slice_of(raw, h->path.len), slashes, out);
        MUST(n >= -2 && n <= (long)h->path.len);
        if (n >= 0) {
            MUST(n > 0 && strlen(out) == (size_t)n && !strstr(out, "//") && !strstr(out, "/./") && !strstr(out, "/../"));
            MUST(out[0] == '/' || strcmp(out, "*") == 0);
        }
        free(raw);
        free(out);
    }
}

static void check_done(const struct http_head *h, const char *bytes, size_t used)
{
    struct http_span line = {h->start, h->line_len}, whole = {0, (uint32_t)used};
    MUST(used >= 16 && memcmp(bytes + used - 4, "\r\n\r\n", 4) == 0 && h->start <= 2 && h->line_len <= LINE);
    MUST(h->method_name.len && h->target.len && within(h->method_name, line) && within(h->target, line));
    MUST(within(h->path, h->target) && within(h->query, h->target) && within(h->host, whole));
    MUST((h->path.len > 0) == (h->form != TARGET_AUTHORITY) && h->host_name_len <= h->host.len && h->port <= 65535);
    MUST(!(h->chunked && h->has_length) && !(h->chunked && !h->minor) && (h->has_length || h->length == 0) && h->length <= INT64_MAX);
    MUST(h->minor <= 1 && (!h->minor || h->host.len) && h->method <= METHOD_INVALID && (!h->head_only || h->method == METHOD_GET));
    MUST(http_is_token(slice_of(bytes + h->method_name.at, h->method_name.len)));
    check_fields(h, bytes, used);
    if (h->path.len)
        check_path(h, bytes);
}

struct answer { struct http_head head; struct http_field fields[FIELDS]; enum http_result result; enum http_fault fault; size_t used; };

static void feed(struct answer *a, const uint8_t *data, size_t len, uint32_t seed, bool pieces)
{
    size_t given = pieces ? 0 : len;
    memset(a, 0, sizeof *a);
    http_head_init(&a->head, a->fields, LINE, FIELD, FIELDS);
    do {
        char *copy;
        if (pieces && given < len) {
            given += fuzz_piece(&seed, len);
            given = given < len ? given : len;
        }
        copy = fuzz_copy(data, given);
        a->result = http_head_parse(&a->head, copy, given, &a->used, &a->fault);
        MUST(a->used <= given && (a->result == HTTP_DONE) == (a->used > 0) && (a->result == HTTP_BAD) == (a->fault != FAULT_NONE));
        MUST(a->head.start + a->head.line_len <= given && a->head.target.at + a->head.target.len <= given);
        if (a->result == HTTP_DONE)
            check_done(&a->head, copy, a->used);
        free(copy);
    } while (a->result == HTTP_MORE && given < len);
    a->head.fields = NULL; /* differs between the two that are compared */
    a->head.scanned = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct answer whole, pieces;
    if (size == 0)
        return 0;
    feed(&whole, data + 1, size - 1, 0, false);
    feed(&pieces, data + 1, size - 1, data[0], true);
    MUST(whole.result == pieces.result && whole.fault == pieces.fault && whole.used == pieces.used);
    MUST(memcmp(&whole.head, &pieces.head, sizeof whole.head) == 0);
    MUST(memcmp(whole.fields, pieces.fields, sizeof *whole.fields * whole.head.nfields) == 0);
    MUST(http_fault_info(whole.fault).why != NULL);
    return 0;
}

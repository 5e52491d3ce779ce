/* Any bytes as FastCGI records; the content of all PARAMS together as pairs. */
// sources: fcgi_record.c scgi_head.c cgi_head.c buf.c errors.c table.c http_head.c http_request_line.c http_target.c http_field.c http_bytes.c http_fault.c
#include "gate_head.h"
#include "fcgi_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pack p;
    struct buf params = {0};
    char *copy = fuzz_copy(data, size);
    size_t at = 0;
    struct fcgi_record r;
    while (fcgi_record_parse(&r, copy + at, size - at) == PACK_DONE) {
        MUST(r.used >= FCGI_HEADER_BYTES && r.used <= size - at && r.content.at + r.content.len <= copy + at + r.used);
        if (r.type == FCGI_PARAMS)
            buf_add(&params, r.content.at, r.content.len);
        at += r.used;
    }
    if (params.len && fcgi_pairs_parse(&p, slice_of(params.at, params.len)) == PACK_DONE) {
        check_inside(&p, params.at, params.len);
        check_head(&p);
    }
    buf_clear(&params);
    free(copy);
    return 0;
}

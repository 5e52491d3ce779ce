/* Any bytes as the head of a request by scgi: whole, and at every cut. */
// sources: scgi_head.c cgi_head.c buf.c errors.c table.c http_head.c http_request_line.c http_target.c http_field.c http_bytes.c http_fault.c
#include "gate_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pack p, part;
    char *copy = fuzz_copy(data, size);
    enum pack_result result = scgi_head_parse(&p, copy, size, 65536);
    if (result == PACK_DONE) {
        MUST(p.used <= size);
        check_inside(&p, copy, p.used);
        check_head(&p);
        MUST(scgi_head_parse(&part, copy, p.used - 1, 65536) == PACK_MORE);
    }
    MUST(result != PACK_BAD || p.fault);
    free(copy);
    return 0;
}

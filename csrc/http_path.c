/* From a raw path to the one that is mapped: decoded once, then its dot segments resolved, so that "%2e%2e" is what ".." is. */
#include "http_bytes.h"

/* Decodes in one pass; out may not overlap. Returns the length, -1 or -2 as http_path_decode. */
static long decode(struct slice path, bool slashes_ok, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < path.len; i++, n++) {
        out[n] = path.at[i];
        if (path.at[i] != '%')
            continue;
        if (path.len - i < 3 || !byte_is(path.at[i + 1], BYTE_HEX) || !byte_is(path.at[i + 2], BYTE_HEX))
            return -1;
        out[n] = (char)(byte_hex(path.at[i + 1]) << 4 | byte_hex(path.at[i + 2]));
        i += 2;
        if (out[n] == '\0')
            return -1;
        if (out[n] == '/' && !slashes_ok)
            return -2;
    }
    return (long)n;
}

/* RFC 3986 5.2.4 in place, with empty segments merged; but a path that climbs above the root is refused, not clipped. */
static long resolve(char *path, size_t len)
{
    size_t out = 0, i = 0;
    while (i < len) {
        size_t start = ++i; /* behind the slash */
        while (i < len && path[i] != '/')
            i++;
        if (i == start && i < len)
            continue;
        if (i - start == 2 && path[start] == '.' && path[start + 1] == '.') {
            if (out == 0)
                return -1;
            while (path[--out] != '/')
                ;
            start = i;
        } else if (i - start == 1 && path[start] == '.') {
            start = i;
        }
        if (i == start && i < len)
            continue;
        path[out] = '/';
        memmove(path + out + 1, path + start, i - start);
        out += 1 + i - start;
    }
    return (long)out;
}

long http_path_decode(struct slice path, bool slashes_ok, char *out)
{
    long len;
    if (slice_is(path, "*", 1)) {
        memcpy(out, "*", 2);
        return 1;
    }
    if (path.len == 0 || path.at[0] != '/')
        return -1;
    len = decode(path, slashes_ok, out);
    if (len > 0)
        len = resolve(out, (size_t)len);
    if (len >= 0)
        out[len] = '\0';
    return len;
}

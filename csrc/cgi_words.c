/* What a script is started with: its path, its folder, arguments (RFC 3875 4.4) and the variables of subprocess_env. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buf.h"
#include "cgi_parts.h"
#include "spool.h"

static int add_word(struct buf *to, struct slice word) { return buf_add(to, word.at, word.len) < 0 ? -1 : buf_add(to, "", 1); }

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decoded, and what a shell would take for more than a letter behind a backslash, as httpd does. False: a bad escape or an encoded NUL. */
static bool add_argument(struct buf *to, struct slice word, int *failed)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];
        if (c == '%') {
            int high = i + 2 < word.len ? hex(word.at[i + 1]) : -1, low = high < 0 ? -1 : hex(word.at[i + 2]);
            if (low < 0 || high + low == 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (strchr("&;`'\"|*?~<>^()[]{}$\\\n", c))
            *failed |= buf_add(to, "\\", 1);
        *failed |= buf_add(to, &c, 1);
    }
    *failed |= buf_add(to, "", 1);
    return true;
}

/* "GET /script?a+b": an indexed query, of words without '='. All of them become arguments, or none does. */
static int add_arguments(struct buf *to, const struct request *r, struct cgi_order *order)
{
    struct slice rest = slice_text(r->args);
    uint32_t before = to->len, count = 0;
    int failed = 0;
    if (!rest.len || r->method_number != METHOD_GET || memchr(rest.at, '=', rest.len))
        return 0;
    for (;;) {
        const char *plus = memchr(rest.at, '+', rest.len);
        size_t n = plus ? (size_t)(plus - rest.at) : rest.len;
        if (count == LIMIT_CGI_ARGUMENTS || !add_argument(to, slice_of(rest.at, n), &failed)) {
            to->len = before;
            return failed;
        }
        count++;
        if (!plus)
            break;
        rest = slice_of(plus + 1, rest.len - n - 1);
    }
    order->arguments += count;
    return failed;
}

/* A name that a shell can have: what else is in it becomes '_'. */
static int add_variable(struct buf *to, const struct table_entry *e)
{
    char *name = buf_room(to, e->key_len);
    if (!name || !e->key_len)
        return -1;
    memcpy(name, e->key, e->key_len);
    to->len += e->key_len;
    for (uint32_t i = 0; i < e->key_len; i++) {
        char c = name[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !(c >= '0' && c <= '9' && i))
            name[i] = '_';
    }
    return buf_add(to, "=", 1) < 0 ? -1 : add_word(to, slice_of(e->value ? e->value : "", e->value ? e->value_len : 0));
}

static int add_environment(struct buf *to, const struct request *r, struct cgi_order *order)
{
    for (uint32_t i = 0; i < r->subprocess_env.count; i++) {
        const struct table_entry *e = &r->subprocess_env.entries[i];
        if (!e->key_len || (e->value && memchr(e->value, 0, e->value_len)))
            continue;
        if (add_variable(to, e) < 0)
            return -1;
        order->variables++;
    }
    return 0;
}

static int build(struct buf *to, const struct request *r, struct cgi_order *order)
{
    struct slice path = slice_text(r->filename);
    const char *slash = strrchr(r->filename, '/');
    size_t folder = slash && slash != r->filename ? (size_t)(slash - r->filename) : 1;
    order->arguments = 1;
    order->variables = 0;
    if (add_word(to, path) < 0 || add_word(to, slice_of(r->filename, folder)) < 0 || add_word(to, slice_text(slash ? slash + 1 : r->filename)) < 0)
        return -1;
    return add_arguments(to, r, order) || add_environment(to, r, order) ? -1 : 0;
}

int cgi_words_write(struct request *r, struct cgi_order *order)
{
    struct buf words = {0};
    int fd = -1;
    if (build(&words, r, order) == 0 && (fd = memfd_create("cgi", MFD_CLOEXEC)) >= 0 && spool_write(fd, words.at, words.len) < 0) {
        int error = errno;
        close(fd);
        fd = -1;
        errno = error;
    }
    order->bytes = words.len;
    buf_clear(&words);
    return fd;
}

/* The text is read whole, cut at its lines, and indexed by a hash of the names. */
#include "auth_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "limit.h"

enum { SETTLED_NS = 50 * 1000000 /* two changes within a tick of the kernel may look alike */ };

struct auth_line { struct slice name, rest; };
struct auth_file {
    struct auth_file *next;
    char *path;              /* owned, as the next two */
    char *text;
    struct auth_line *lines; /* open addressing; name.at NULL: empty */
    uint32_t cap;            /* power of two */
    struct stat st;
    bool unsettled;
};

static struct auth_file *files; /* as many as the configuration names; of this process's loop thread */

static struct auth_line *line_slot(const struct auth_file *f, struct slice name)
{
    uint32_t i = (uint32_t)hash_bytes(name.at, name.len, 0) & (f->cap - 1);
    while (f->lines[i].name.at && !slice_eq(f->lines[i].name, name))
        i = (i + 1) & (f->cap - 1);
    return &f->lines[i];
}

static void line_take(struct auth_file *f, char *line, size_t len)
{
    if (len && line[len - 1] == '\r')
        line[--len] = 0;
    char *colon = memchr(line, ':', len);
    if (!colon || line[0] == '#')
        return;
    struct slice name = slice_of(line, (size_t)(colon - line)), rest = slice_of(colon + 1, (size_t)(line + len - colon - 1));
    struct auth_line *slot = line_slot(f, name);
    if (!slot->name.at)
        *slot = (struct auth_line){.name = name, .rest = rest};
}

static int text_index(struct auth_file *f, size_t len)
{
    size_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += f->text[i] == '\n';
    for (f->cap = 16; f->cap < 2 * lines;)
        f->cap *= 2;
    if (!(f->lines = calloc(f->cap, sizeof *f->lines)))
        return ENOMEM;
    for (char *at = f->text, *end; at < f->text + len; at = end + 1) {
        end = memchr(at, '\n', (size_t)(f->text + len - at));
        end = end ? end : f->text + len;
        *end = 0;
        line_take(f, at, (size_t)(end - at));
    }
    return 0;
}

static void file_forget(struct auth_file *f)
{
    free(f->text);
    free(f->lines);
    f->text = NULL;
    f->lines = NULL;
}

static int text_read(struct auth_file *f, int fd, size_t size)
{
    size_t len = 0;
    if (!(f->text = malloc(size + 1)))
        return ENOMEM;
    while (len < size) {
        ssize_t n = read(fd, f->text + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    f->text[len] = 0;
    return text_index(f, len);
}

static bool is_unsettled(const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return llabs((now.tv_sec - st->st_ctim.tv_sec) * 1000000000LL + now.tv_nsec - st->st_ctim.tv_nsec) < SETTLED_NS;
}

static int file_load(struct auth_file *f)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
    file_forget(f);
    if (fd < 0)
        return errno;
    if (fstat(fd, &f->st) < 0)
        error = errno;
    else if (!S_ISREG(f->st.st_mode))
        error = EINVAL;
    else if (f->st.st_size > LIMIT_PASSWORD_FILE_BYTES)
        error = EFBIG;
    else
        error = text_read(f, fd, (size_t)f->st.st_size);
    close(fd);
    f->unsettled = is_unsettled(&f->st);
    if (error)
        file_forget(f);
    return error;
}

static bool is_current(const struct auth_file *f)
{
    struct stat st;
    return f->lines && !f->unsettled && stat(f->path, &st) == 0 && st.st_ino == f->st.st_ino && st.st_dev == f->st.st_dev
        && st.st_size == f->st.st_size && !memcmp(&st.st_mtim, &f->st.st_mtim, sizeof st.st_mtim)
        && !memcmp(&st.st_ctim, &f->st.st_ctim, sizeof st.st_ctim);
}

static struct auth_file *file_of(const char *path)
{
    struct auth_file *f = files;
    while (f && strcmp(f->path, path) != 0)
        f = f->next;
    if (f)
        return f;
    f = calloc(1, sizeof *f);
    if (!f || !(f->path = strdup(path))) {
        free(f);
        return NULL;
    }
    f->next = files;
    return files = f;
}

struct slice auth_file_find(const char *path, struct slice name, int *error)
{
    struct auth_file *f = file_of(path);
    *error = !f ? ENOMEM : is_current(f) ? 0 : file_load(f);
    return *error ? slice_of(NULL, 0) : line_slot(f, name)->rest;
}

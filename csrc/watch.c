/* Changes of Python files. One descriptor per process, because a user has few of them (fs.inotify.max_user_instances) and hundreds of interpreters. */
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct folder {
    struct folder *next;
    int wd;      /* -1: gone; watched again when asked for */
    char path[]; /* NUL-terminated */
};

uint64_t watch_epoch = 1;
static struct { struct source source; struct folder *folders; bool failed; } watch = {.source = {.fd = -1}}; /* of this process's loop */

static bool name_matters(const struct inotify_event *e)
{
    size_t len = e->len ? strlen(e->name) : 0;
    return !len || (len > 3 && !memcmp(e->name + len - 3, ".py", 3));
}

static void folder_gone(int wd)
{
    for (struct folder *f = watch.folders; f; f = f->next)
        if (f->wd == wd)
            f->wd = -1;
}

static void watch_event(const struct inotify_event *e)
{
    if (e->mask & (IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF | IN_UNMOUNT)) {
        folder_gone(e->wd);
        watch_epoch++;
    } else if (e->mask & IN_Q_OVERFLOW || name_matters(e)) {
        watch_epoch++;
    }
}

static void watch_ready(struct source *source, uint32_t events)
{
    char room[4096] __attribute__((aligned(8)));
    (void)events;
    for (;;) {
        ssize_t n = read(source->fd, room, sizeof room);
        if (n <= 0)
            return;
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const struct inotify_event *)(room + at);
            watch_event(e);
            at += (ssize_t)(sizeof *e + e->len);
        }
    }
}

static bool watch_open(struct loop *loop)
{
    if (watch.source.fd >= 0 || watch.failed)
        return !watch.failed;
    watch.source.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch.source.ready = watch_ready;
    watch.failed = watch.source.fd < 0 || loop_add(loop, &watch.source, EPOLLIN) < 0;
    return !watch.failed;
}

void watch_start(struct loop *loop) { watch_open(loop); }

static struct folder *folder_of(const char *path)
{
    struct folder *f = watch.folders;
    while (f && strcmp(f->path, path))
        f = f->next;
    if (f)
        return f;
    size_t len = strlen(path);
    f = malloc(sizeof *f + len + 1);
    if (!f)
        return NULL;
    f->wd = -1;
    memcpy(f->path, path, len + 1);
    f->next = watch.folders;
    watch.folders = f;
    return f;
}

static bool is_watched(int wd)
{
    const struct folder *f = watch.folders;
    while (f && f->wd != wd)
        f = f->next;
    return f != NULL;
}

/* Asked for again each time: a link that leads elsewhere by now, or an ancestor that was renamed, has put another folder in the place of the one that
 * is watched, and nobody is told. For the same folder the kernel gives the same number. */
bool watch_folder(struct loop *loop, const char *path)
{
    struct folder *f = watch_open(loop) ? folder_of(path) : NULL;
    if (!f)
        return false;
    int before = f->wd;
    f->wd = inotify_add_watch(watch.source.fd, path, IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
                                                          IN_MOVE_SELF | IN_ONLYDIR);
    if (before >= 0 && before != f->wd && !is_watched(before))
        inotify_rm_watch(watch.source.fd, before);
    return f->wd >= 0;
}

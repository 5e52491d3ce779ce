/* One thread, one eventfd: it is for passwords that are seen for the first time, or wrong. */
#include "serve_auth.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "offload.h"

struct later {
    struct offload offload;
    struct source source;
    struct loop *loop;
    struct request *r; /* strong */
    struct password_check *check; /* owned; the thread's until the eventfd is written */
    void (*resume)(struct request *r);
};

static void later_run(struct offload *offload) /* Context: a pool thread */
{
    struct later *later = (struct later *)offload;
    const uint64_t one = 1;
    password_check_run(later->check);
    if (write(later->source.fd, &one, sizeof one) < 0)
        abort(); /* an eventfd with nothing in it takes a number */
}

static void check_over(struct request *r, struct password_check *check)
{
    r->password = password_check_end(check) ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

static void later_ready(struct source *source, uint32_t events)
{
    struct later *later = (struct later *)((char *)source - offsetof(struct later, source));
    struct request *r = later->r;
    (void)events;
    int fd = source->fd;
    loop_remove(later->loop, source);
    close(fd);
    check_over(r, later->check);
    later->resume(r);
    free(later);
    request_unref(r);
}

static struct later *later_new(struct loop *loop, struct request *r, struct password_check *check)
{
    struct later *later = calloc(1, sizeof *later);
    int fd = later ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (fd < 0) {
        free(later);
        return NULL;
    }
    *later = (struct later){.offload.run = later_run, .source = {.ready = later_ready, .fd = fd}, .loop = loop, .r = r, .check = check};
    if (loop_add(loop, &later->source, EPOLLIN) == 0)
        return later;
    close(fd);
    free(later);
    return NULL;
}

static void later_drop(struct later *later)
{
    int fd = later->source.fd;
    loop_remove(later->loop, &later->source);
    close(fd);
    free(later);
}

bool auth_later(struct loop *loop, struct request *r, struct password_check *check, void (*resume)(struct request *r))
{
    struct later *later = later_new(loop, r, check);
    if (later) {
        later->resume = resume;
        request_ref(r);
        if (offload_submit(&later->offload) == 0)
            return true;
        request_unref(r);
        later_drop(later);
    }
    password_check_run(check);
    check_over(r, check);
    return false;
}

/* Locks on files: the kernel tells nobody when one is free, so try, and try again after 1 to 30 ms. */
#include "green.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <unistd.h>

#include "green_hooks.h"

/* pyconfig.h is not included here, but other feature macros may rename these two: their symbols are fixed. */
int green_fcntl(int fd, int command, ...) __asm__("fcntl");
int green_fcntl64(int fd, int command, ...) __asm__("fcntl64");
int green_lockf(int fd, int command, off_t len) __asm__("lockf");
int green_lockf64(int fd, int command, off_t len) __asm__("lockf64");

#define HOOKED() (green_coro && green_gil_released())
enum { BACK_OFF_FIRST_NS = 1000000, BACK_OFF_MAX_NS = 30000000 };

static bool is_taken(int error) { return error == EAGAIN || error == EACCES; }

/* 1: try again; 0: do the real call; -1: errno. */
static int back_off(int64_t *pause_ns, const void *caller)
{
    if (!green_may_yield(caller))
        return 0;
    int result = green_sleep_until(green_now_ns() + *pause_ns);
    *pause_ns = *pause_ns * 2 > BACK_OFF_MAX_NS ? BACK_OFF_MAX_NS : *pause_ns * 2;
    if (result == ETIMEDOUT)
        return 1;
    if (result == GREEN_BLOCK)
        return 0;
    errno = result;
    return -1;
}

int flock(int fd, int operation)
{
    if (!HOOKED() || (operation & LOCK_NB) || (operation & LOCK_UN))
        return green_real.flock(fd, operation);
    int64_t pause_ns = BACK_OFF_FIRST_NS;
    for (;;) {
        int result = green_real.flock(fd, operation | LOCK_NB);
        if (!result || errno != EWOULDBLOCK)
            return result;
        int again = back_off(&pause_ns, GREEN_CALLER());
        if (again <= 0)
            return again < 0 ? -1 : green_real.flock(fd, operation);
    }
}

static int lock_region(int fd, int waits, int tries, void *lock, const void *caller)
{
    int64_t pause_ns = BACK_OFF_FIRST_NS;
    for (;;) {
        int result = green_real.fcntl(fd, tries, lock);
        if (result >= 0 || !is_taken(errno))
            return result;
        int again = back_off(&pause_ns, caller);
        if (again <= 0)
            return again < 0 ? -1 : green_real.fcntl(fd, waits, lock);
    }
}

static int fcntl_any(int fd, int command, void *arg, const void *caller)
{
    if (command == F_SETLKW && HOOKED())
        return lock_region(fd, F_SETLKW, F_SETLK, arg, caller);
    if (command == F_OFD_SETLKW && HOOKED())
        return lock_region(fd, F_OFD_SETLKW, F_OFD_SETLK, arg, caller);
    if (command == F_SETFL)
        green_flags_changed();
    return green_real.fcntl(fd, command, arg);
}

int green_fcntl(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    void *arg = va_arg(list, void *);
    va_end(list);
    return fcntl_any(fd, command, arg, GREEN_CALLER());
}

int green_fcntl64(int fd, int command, ...)
{
    va_list list;
    va_start(list, command);
    void *arg = va_arg(list, void *);
    va_end(list);
    return fcntl_any(fd, command, arg, GREEN_CALLER());
}

static int lockf_any(int fd, int command, off_t len, const void *caller)
{
    if (command != F_LOCK || !HOOKED())
        return green_real.lockf(fd, command, len);
    int64_t pause_ns = BACK_OFF_FIRST_NS;
    for (;;) {
        int result = green_real.lockf(fd, F_TLOCK, len);
        if (!result || !is_taken(errno))
            return result;
        int again = back_off(&pause_ns, caller);
        if (again <= 0)
            return again < 0 ? -1 : green_real.lockf(fd, command, len);
    }
}

int green_lockf(int fd, int command, off_t len) { return lockf_any(fd, command, len, GREEN_CALLER()); }
int green_lockf64(int fd, int command, off_t len) { return lockf_any(fd, command, len, GREEN_CALLER()); }

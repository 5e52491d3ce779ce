/* Opening what a request names, with links followed only as Options say.
 *
 * openat2 does the whole check in the kernel, race-free and in one call. It cannot compare owners, and old kernels and some sandboxes lack it:
 * for these there is a walk, component by component, that never trusts a path it has not opened. Magic links of /proc are never followed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "static_room.h"

/* Non-blocking, so that opening a FIFO that nobody writes to does not stop the loop. */
enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, LINKS_MAX = 40, OPEN_TRIES = 3 };

struct walk {
    enum link_policy policy;
    int links; /* followed so far */
};

static int walk(struct walk *w, int dir, const char *path, int flags);

/* The text of an open link, on the heap. */
static char *link_text(int link_fd)
{
    char *text = malloc(PATH_MAX);
    ssize_t n = text ? readlinkat(link_fd, "", text, PATH_MAX) : -1;
    if (n >= 0 && n < PATH_MAX) {
        text[n] = 0;
        return text;
    }
    if (n == PATH_MAX)
        errno = ENAMETOOLONG;
    free(text);
    return NULL;
}

/* Is what link_fd names on procfs, whose links may lead anywhere without a path? */
static bool link_is_magic(int link_fd)
{
    struct statfs fs;
    return fstatfs(link_fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}

static int walk_link(struct walk *w, int dir, int link_fd, const struct stat *link, int flags)
{
    struct stat target;
    if (w->policy == LINKS_NONE || ++w->links > LINKS_MAX || link_is_magic(link_fd)) {
        errno = ELOOP;
        return -1;
    }
    char *text = link_text(link_fd);
    int fd = text ? walk(w, dir, text, flags) : -1;
    free(text);
    if (fd >= 0 && w->policy == LINKS_OWNER && (fstat(fd, &target) < 0 || target.st_uid != link->st_uid)) {
        close(fd);
        errno = ELOOP;
        return -1;
    }
    return fd;
}

/* One component below dir. The object is looked at through O_PATH, so that no device is opened by the look. */
static int walk_step(struct walk *w, int dir, const char *name, int flags)
{
    struct stat st;
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        goto failed;
    if (S_ISLNK(st.st_mode)) {
        int target = walk_link(w, dir, fd, &st, flags);
        int error = errno;
        close(fd);
        errno = error;
        return target;
    }
    if (flags & O_PATH && !(flags & O_DIRECTORY && !S_ISDIR(st.st_mode)))
        return fd;
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        errno = flags & O_DIRECTORY ? ENOTDIR : ENXIO;
        goto failed;
    }
    close(fd);
    return openat(dir, name, flags | O_NOFOLLOW); /* ELOOP when a link has taken its place meanwhile */
failed:;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

/* The next component of path into name; the rest is returned, or NULL when the component is too long. */
static const char *walk_name(const char *path, char name[NAME_MAX + 1])
{
    size_t len = strcspn(path, "/");
    if (len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    memcpy(name, path, len);
    name[len] = 0;
    return path + len + strspn(path + len, "/");
}

/* Opens path from dir (borrowed); an absolute path begins at the root. */
static int walk(struct walk *w, int dir, const char *path, int flags)
{
    char name[NAME_MAX + 1];
    int at = *path == '/' ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : fcntl(dir, F_DUPFD_CLOEXEC, 0);
    path += strspn(path, "/");
    if (!*path)
        path = ".";
    while (at >= 0 && *path) {
        const char *rest = walk_name(path, name);
        bool last = rest && !*rest;
        int wanted = last && rest[-1] != '/' ? flags : last ? flags | O_DIRECTORY : O_PATH | O_DIRECTORY | O_CLOEXEC;
        int next = rest ? walk_step(w, at, name, wanted) : -1;
        int error = errno;
        close(at);
        errno = error;
        at = next;
        path = rest;
    }
    return at;
}

static bool has_dotdot(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || !at[2]))
            return true;
    return false;
}

size_t static_root_len(const char *root)
{
    size_t len = strlen(root);
    while (len && root[len - 1] == '/')
        len--;
    return len;
}

/* The part of path below root, never empty nor absolute. */
static const char *below_root(const char *root, const char *path)
{
    path += static_root_len(root);
    path += strspn(path, "/");
    return *path ? path : ".";
}

int static_walk_path(const char *root, const char *path, enum link_policy policy, int more)
{
    struct walk w = {.policy = policy};
    const char *below = below_root(root, path);
    if (has_dotdot(below)) {
        errno = EXDEV;
        return -1;
    }
    int dir = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;
    int fd = walk(&w, dir, below, OPEN_FLAGS | more);
    int error = errno;
    close(dir);
    errno = error;
    return fd;
}

static int openat2_call(int dir, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(flags & O_PATH ? flags & (O_PATH | O_DIRECTORY | O_CLOEXEC) : flags), .resolve = resolve};
    int fd = -1;
    for (int i = 0; i < OPEN_TRIES; i++) { /* EAGAIN: something was renamed while the kernel looked for ".." */
        fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    return fd;
}

/* One call for links that are free; root, then below it, where they are not. */
static int open_by_kernel(const char *root, const char *path, enum link_policy policy, int flags)
{
    if (policy == LINKS_FOLLOW)
        return openat2_call(AT_FDCWD, path, flags, RESOLVE_NO_MAGICLINKS);
    int dir = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;
    int fd = openat2_call(dir, below_root(root, path), flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
    int error = errno;
    close(dir);
    errno = error;
    return fd;
}

int static_open_path(const char *root, const char *path, enum link_policy policy, int more)
{
    if (has_dotdot(below_root(root, path))) {
        errno = EXDEV;
        return -1;
    }
    if (policy != LINKS_OWNER) {
        int fd = open_by_kernel(root, path, policy, OPEN_FLAGS | more);
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL && errno != E2BIG && errno != EAGAIN))
            return fd;
    }
    return static_walk_path(root, path, policy, more);
}

int static_errno_status(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return 404;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EXDEV:
    case ENXIO:
    case ENODEV:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    default:
        return 500;
    }
}

bool static_name_is_hidden(const char *path)
{
    size_t end = static_root_len(path), from = end;
    while (from && path[from - 1] != '/')
        from--;
    return end - from >= 3 && strncasecmp(path + from, ".ht", 3) == 0;
}

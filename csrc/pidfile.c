/* The pid file. Whoever wrote it holds a lock on it, so a file that a killed server left behind is never mistaken for a running one,
 * even when its number belongs to another process by now. It appears whole, by rename. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master_parts.h"

static struct { char *path; int fd; } ours = {.fd = -1};

static int refuse(char *error, int room, const char *path, const char *why)
{
    snprintf(error, (size_t)room, "PidFile: %s: %s", path, why);
    return -1;
}

/* A device by this name would be replaced by the file, and removed with it at the end. */
static bool is_no_file(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* 0: nobody holds it. */
static int check_holder(const char *path, char *error, int room)
{
    char text[32] = "";
    if (is_no_file(path))
        return refuse(error, room, path, "a regular file expected, or nothing by this name");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : refuse(error, room, path, strerror(errno));
    int held = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    ssize_t n = held ? read(fd, text, sizeof text - 1) : 0;
    close(fd);
    if (!held)
        return 0;
    text[n > 0 ? (size_t)n : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    snprintf(error, (size_t)room, "PidFile: %s: the server is running already as process %.16s", path, text);
    return -1;
}

static int write_new(const char *new_path)
{
    char text[32];
    unlink(new_path);
    int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, text, (size_t)n) != n)) {
        close(fd);
        unlink(new_path);
        fd = -1;
    }
    return fd;
}

int pidfile_write(const char *path, char *error, int room)
{
    char new_path[PATH_MAX];
    struct stat mine, there;
    if (path && ours.path && strcmp(path, ours.path) == 0)
        futimens(ours.fd, NULL); /* how `-k graceful` sees that the new configuration serves */
    if (!path || (ours.path && strcmp(path, ours.path) == 0))
        return 0;
    if (check_holder(path, error, room) < 0)
        return -1;
    if (snprintf(new_path, sizeof new_path, "%s.%d.new", path, (int)getpid()) >= (int)sizeof new_path)
        return refuse(error, room, path, strerror(ENAMETOOLONG));
    int fd = write_new(new_path);
    if (fd < 0)
        return refuse(error, room, path, strerror(errno));
    char *copy = strdup(path);
    if (!copy || rename(new_path, path) < 0 || fstat(fd, &mine) < 0 || stat(path, &there) < 0 || mine.st_ino != there.st_ino) {
        int why = errno;
        unlink(new_path);
        close(fd);
        free(copy);
        return refuse(error, room, path, strerror(why));
    }
    pidfile_remove(); /* of the configuration before */
    ours.path = copy;
    ours.fd = fd;
    return 0;
}

void pidfile_remove(void)
{
    struct stat mine, there;
    if (ours.path && fstat(ours.fd, &mine) == 0 && stat(ours.path, &there) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
        unlink(ours.path);
    pidfile_forget();
}

void pidfile_forget(void)
{
    if (ours.fd >= 0)
        close(ours.fd);
    free(ours.path);
    ours.path = NULL;
    ours.fd = -1;
}

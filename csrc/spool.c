/* O_TMPFILE where the file system has it. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int spool_open(const char *what)
{
    const char *folder = getenv("TMPDIR");
    int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create(what, MFD_CLOEXEC);
}

int spool_write(int fd, const void *data, size_t n)
{
    for (const char *at = data; n;) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno != EINTR)
            return -1;
        at += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

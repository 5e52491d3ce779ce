/* Files without a name, for what would be too much memory: they are gone with their last descriptor. */
#ifndef PYHOST_SPOOL_H
#define PYHOST_SPOOL_H

#include <stddef.h>

/* Context of both: any thread; the GIL does not matter. */
/* An empty file in TMPDIR or /tmp (in memory where there can be none), read and write, close-on-exec. The descriptor is the caller's; -1 with errno. */
int spool_open(const char *what);
/* All of n bytes. 0, or -1 with errno. */
int spool_write(int fd, const void *data, size_t n);

#endif

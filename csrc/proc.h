/* What the kernel says of processes and threads: the small texts below /proc. */
#ifndef PYHOST_PROC_H
#define PYHOST_PROC_H

#include <stddef.h>

/* As much of the file as there is room for, NUL-terminated in text; "" where it cannot be read. Context: any thread, and a forked child. */
void proc_read(const char *path, char *text, size_t room);

#endif

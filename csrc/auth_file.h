/* AuthUserFile and AuthGroupFile: "name:rest" lines, kept in memory and read again as soon as the file is another one or has changed. */
#ifndef PYHOST_AUTH_FILE_H
#define PYHOST_AUTH_FILE_H

#include "slice.h"

/* What stands behind "name:" in the first line of that name, to the end of the line; {NULL, 0}: no such line. The value ends in NUL and is valid
 * until the next call. *error: errno of a file that cannot be read (EFBIG above LIMIT_PASSWORD_FILE_BYTES), else 0.
 * Context: the loop thread; reads the file when it has changed. */
struct slice auth_file_find(const char *path, struct slice name, int *error);

#endif

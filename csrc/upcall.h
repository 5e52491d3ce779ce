/* What C calls in Python, through cffi, always in main_interpreter with the GIL held, from the master or the hub: never from a handler greenlet. */
#ifndef PYHOST_UPCALL_H
#define PYHOST_UPCALL_H

#include "conf.h"

/* Parses the configuration file again; 0: bridge_configure has been called with the new one; -1: bad (logged), keep the old one. */
int upcall_reload(void);
/* Merges sections into a dir_conf that lives as long as the configuration (or, with .htaccess files, until they change). NULL: failed, logged. */
struct dir_conf *upcall_merge(int generation, int server_index, const int *ids, int count, const char *const *htaccess);

#endif

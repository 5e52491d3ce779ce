/* mp_finfo: what stat says of a file, with APR's names and numbers. */
#ifndef PYHOST_PYFINFO_H
#define PYHOST_PYFINFO_H

#include "pyrequest.h"

/* Context: the GIL held. st_mode 0 means that there is no such file: then everything is None but fname and filetype. */
PyObject *pyfinfo_new(const struct stat *st, const char *fname);
/* The structure inside, or NULL with TypeError when the object is no mp_finfo. */
const struct stat *pyfinfo_stat(PyObject *object);

#endif

/* mp_server: the main server or a virtual host. One object per interpreter and server, so attributes set on it stay. */
#ifndef PYHOST_PYSERVER_H
#define PYHOST_PYSERVER_H

#include "pyrequest.h"

/* Context: the GIL held. New references, or NULL with an exception. */
PyObject *pyserver_of(const struct server_conf *server);
/* The server_conf of an mp_server, NULL with TypeError otherwise. */
const struct server_conf *pyserver_conf(PyObject *object);
/* The configuration that this process runs: the main server's. NULL before there is one. */
const struct main_conf *pyserver_main(void);
/* Called in each process with the configuration it serves. */
void pyserver_use(const struct main_conf *main);

#endif

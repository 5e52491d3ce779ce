/* Between listen_open.c and listen_inherit.c: addresses, and sockets that whoever started us had opened. */
#ifndef PYHOST_LISTEN_PARTS_H
#define PYHOST_LISTEN_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "conf.h"

/* Context of all: master. */
/* Fills the socket address; returns its length, or -1 with errno ENAMETOOLONG. */
int listen_sockaddr(const struct address_conf *a, struct sockaddr_storage *out);
/* "127.0.0.1:80", "[::1]:80", "*:80", "unix:/path". */
void listen_address_text(const struct address_conf *a, char *out, size_t room);
/* The same of an open one: port 0 is the one that the system has chosen. */
void listen_bound_text(const struct listen_conf *l, char *out, size_t room);
/* A socket of systemd's LISTEN_FDS or spawn-fcgi's descriptor 0 that listens on that address, or -1. Each is given out once. */
int listen_inherited(const struct address_conf *a);
bool listen_was_inherited(int fd);
void listen_inherit_forget(int fd); /* it is being closed */
/* Closes inherited sockets that no Listen has claimed, with a warning each. */
void listen_inherit_end(void);

#endif

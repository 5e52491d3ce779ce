/* One end of a connection. */
#ifndef PYHOST_PEER_H
#define PYHOST_PEER_H

#include <stddef.h>
#include <stdint.h>

struct sockaddr_storage;
struct peer { unsigned char address[16]; uint16_t port; uint8_t family; }; /* IPv4 mapped into IPv6; family AF_INET, AF_INET6 or AF_UNIX; 0: not known */

/* Context of both: any thread; pure. */
/* From what accept or getsockname said; an IPv4 address that came over IPv6 counts as IPv4. */
void peer_from(struct peer *peer, const struct sockaddr_storage *from);
/* The address as text without port ("unix:" for unix sockets), into out. */
void peer_text(const struct peer *peer, char *out, size_t room);

#endif

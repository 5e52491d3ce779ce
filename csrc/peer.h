/* One end of a connection. */
#ifndef PYHOST_PEER_H
#define PYHOST_PEER_H

#include <stdint.h>

struct peer { unsigned char address[16]; uint16_t port; uint8_t family; }; /* IPv4 mapped into IPv6; family AF_INET, AF_INET6 or AF_UNIX; 0: not known */

#endif

/* Addresses of connections, from what the kernel says to what a log says. */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void peer_from(struct peer *peer, const struct sockaddr_storage *from)
{
    memset(peer, 0, sizeof *peer);
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        peer->address[10] = peer->address[11] = 0xff;
        memcpy(peer->address + 12, &in->sin_addr, 4);
        peer->port = ntohs(in->sin_port);
        peer->family = AF_INET;
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;
        memcpy(peer->address, &in->sin6_addr, 16);
        peer->port = ntohs(in->sin6_port);
        peer->family = IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) ? AF_INET : AF_INET6;
    } else {
        peer->family = AF_UNIX;
    }
}

void peer_text(const struct peer *peer, char *out, size_t room)
{
    if (peer->family == AF_INET)
        inet_ntop(AF_INET, peer->address + 12, out, (socklen_t)room);
    else if (peer->family == AF_INET6)
        inet_ntop(AF_INET6, peer->address, out, (socklen_t)room);
    else
        snprintf(out, room, "unix:");
}

/* recv and send on the loop's own sockets: straight into the kernel. libc's are cancellation points, which cost more once there is a second thread,
 * and pyhost's own (green_socket.c) ask first who calls. */
#ifndef PYHOST_SOCK_H
#define PYHOST_SOCK_H

#include <sys/socket.h>
#include <sys/types.h>

#include "kernel.h"

/* Context of both: any. -1 with errno. */
static inline ssize_t sock_recv(int fd, void *to, size_t n) { return kernel_call(SYS_recvfrom, fd, (long)to, (long)n, MSG_DONTWAIT, 0, 0); }
static inline ssize_t sock_send(int fd, const void *from, size_t n, int flags) { return kernel_call(SYS_sendto, fd, (long)from, (long)n, flags, 0, 0); }

#endif

/* recv and send on the loop's own sockets: straight into the kernel. libc's are cancellation points, which cost more with every thread that was ever
 * started, and pyhost's own (green_socket.c) ask first who calls. */
#ifndef PYHOST_SOCK_H
#define PYHOST_SOCK_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Context of both: any. -1 with errno. */
static inline ssize_t sock_recv(int fd, void *to, size_t n) { return syscall(SYS_recvfrom, fd, to, n, MSG_DONTWAIT, NULL, NULL); }
static inline ssize_t sock_send(int fd, const void *from, size_t n, int flags) { return syscall(SYS_sendto, fd, from, n, flags, NULL, 0); }

#endif

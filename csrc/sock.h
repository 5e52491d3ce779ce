/* recv and send on the loop's own sockets: straight into the kernel. libc's are cancellation points, which cost more once there is a second thread,
 * and pyhost's own (green_socket.c) ask first who calls. */
#ifndef PYHOST_SOCK_H
#define PYHOST_SOCK_H

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __x86_64__
static inline ssize_t sock_call(long number, int fd, const void *at, size_t n, int flags)
{
    register long r10 __asm__("r10") = flags, r8 __asm__("r8") = 0, r9 __asm__("r9") = 0;
    long result = number;
    __asm__ volatile("syscall" : "+a"(result) : "D"((long)fd), "S"(at), "d"(n), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}
#else
static inline ssize_t sock_call(long number, int fd, const void *at, size_t n, int flags) { return syscall(number, fd, at, n, flags, NULL, 0); }
#endif

/* Context of both: any. -1 with errno. */
static inline ssize_t sock_recv(int fd, void *to, size_t n) { return sock_call(SYS_recvfrom, fd, to, n, MSG_DONTWAIT); }
static inline ssize_t sock_send(int fd, const void *from, size_t n, int flags) { return sock_call(SYS_sendto, fd, from, n, flags); }

#endif

/* Exported names that no public header declares, and what the hook files share. */
#ifndef PYHOST_GREEN_HOOKS_H
#define PYHOST_GREEN_HOOKS_H

#include "green_real.h"

ssize_t green_recvmsg(int fd, struct msghdr *m, int flags, const void *caller);
ssize_t green_sendmsg(int fd, const struct msghdr *m, int flags, const void *caller);
/* What read() does for a handler greenlet that has let the GIL go. */
ssize_t green_read(int fd, void *to, size_t n, const void *caller);
void green_fd_forget(int fd);
void green_fds_forget(unsigned first, unsigned last);
/* Some descriptor's O_NONBLOCK or timeouts are about to change. */
void green_flags_changed(void);

ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict to, size_t n, size_t room, int flags, __SOCKADDR_ARG from, socklen_t *restrict from_len);
ssize_t __read(int fd, void *to, size_t n);
ssize_t __write(int fd, const void *from, size_t n);
ssize_t __read_chk(int fd, void *to, size_t n, size_t room);
int close_range(unsigned first, unsigned last, int flags); /* glibc's headers know both since 2.34 */
void closefrom(int first);
int __poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room);

#endif

/* libc's own functions behind the ones that pyhost exports. Filled before any library's constructor runs. */
#ifndef PYHOST_GREEN_REAL_H
#define PYHOST_GREEN_REAL_H

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define GREEN_REAL(X)                                                                                                                  \
    X(ssize_t, recv, (int, void *, size_t, int))                                                                                       \
    X(ssize_t, recvfrom, (int, void *, size_t, int, struct sockaddr *, socklen_t *))                                                   \
    X(ssize_t, recvmsg, (int, struct msghdr *, int))                                                                                   \
    X(ssize_t, send, (int, const void *, size_t, int))                                                                                 \
    X(ssize_t, sendto, (int, const void *, size_t, int, const struct sockaddr *, socklen_t))                                           \
    X(ssize_t, sendmsg, (int, const struct msghdr *, int))                                                                             \
    X(int, recvmmsg, (int, struct mmsghdr *, unsigned, int, struct timespec *))                                                        \
    X(int, sendmmsg, (int, struct mmsghdr *, unsigned, int))                                                                           \
    X(ssize_t, sendfile, (int, int, off_t *, size_t))                                                                                  \
    X(int, connect, (int, const struct sockaddr *, socklen_t))                                                                         \
    X(int, accept, (int, struct sockaddr *, socklen_t *))                                                                              \
    X(int, accept4, (int, struct sockaddr *, socklen_t *, int))                                                                        \
    X(ssize_t, read, (int, void *, size_t))                                                                                            \
    X(ssize_t, write, (int, const void *, size_t))                                                                                     \
    X(ssize_t, readv, (int, const struct iovec *, int))                                                                                \
    X(ssize_t, writev, (int, const struct iovec *, int))                                                                               \
    X(int, poll, (struct pollfd *, nfds_t, int))                                                                                       \
    X(int, ppoll, (struct pollfd *, nfds_t, const struct timespec *, const sigset_t *))                                                \
    X(int, select, (int, fd_set *, fd_set *, fd_set *, struct timeval *))                                                              \
    X(int, pselect, (int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *))                                    \
    X(int, epoll_wait, (int, struct epoll_event *, int, int))                                                                          \
    X(int, epoll_pwait, (int, struct epoll_event *, int, int, const sigset_t *))                                                       \
    X(int, clock_nanosleep, (clockid_t, int, const struct timespec *, struct timespec *))                                              \
    X(int, nanosleep, (const struct timespec *, struct timespec *))                                                                    \
    X(int, getaddrinfo, (const char *, const char *, const struct addrinfo *, struct addrinfo **))                                     \
    X(int, getnameinfo, (const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int))                               \
    X(int, gethostbyname_r, (const char *, struct hostent *, char *, size_t, struct hostent **, int *))                                \
    X(int, gethostbyaddr_r, (const void *, socklen_t, int, struct hostent *, char *, size_t, struct hostent **, int *))                \
    X(pid_t, waitpid, (pid_t, int *, int))                                                                                             \
    X(pid_t, wait4, (pid_t, int *, int, struct rusage *))                                                                              \
    X(int, waitid, (idtype_t, id_t, siginfo_t *, int))                                                                                 \
    X(int, system, (const char *))                                                                                                     \
    X(int, flock, (int, int))                                                                                                          \
    X(int, fcntl, (int, int, ...))                                                                                                     \
    X(int, lockf, (int, int, off_t))                                                                                                   \
    X(int, sem_wait, (sem_t *))                                                                                                        \
    X(int, sem_timedwait, (sem_t *, const struct timespec *))                                                                          \
    X(int, sem_clockwait, (sem_t *, clockid_t, const struct timespec *))                                                               \
    X(int, sem_post, (sem_t *))                                                                                                        \
    X(int, pthread_mutex_lock, (pthread_mutex_t *))                                                                                    \
    X(int, pthread_mutex_trylock, (pthread_mutex_t *))                                                                                 \
    X(int, pthread_mutex_timedlock, (pthread_mutex_t *, const struct timespec *))                                                      \
    X(int, pthread_mutex_clocklock, (pthread_mutex_t *, clockid_t, const struct timespec *))                                           \
    X(int, pthread_mutex_unlock, (pthread_mutex_t *))                                                                                  \
    X(int, pthread_cond_wait, (pthread_cond_t *, pthread_mutex_t *))                                                                   \
    X(int, pthread_cond_timedwait, (pthread_cond_t *, pthread_mutex_t *, const struct timespec *))                                     \
    X(int, pthread_cond_clockwait, (pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *))                          \
    X(int, pthread_cond_signal, (pthread_cond_t *))                                                                                    \
    X(int, pthread_cond_broadcast, (pthread_cond_t *))                                                                                 \
    X(int, pthread_rwlock_rdlock, (pthread_rwlock_t *))                                                                                \
    X(int, pthread_rwlock_wrlock, (pthread_rwlock_t *))                                                                                \
    X(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t *, const struct timespec *))                                                  \
    X(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t *, const struct timespec *))                                                  \
    X(int, pthread_rwlock_clockrdlock, (pthread_rwlock_t *, clockid_t, const struct timespec *))                                       \
    X(int, pthread_rwlock_clockwrlock, (pthread_rwlock_t *, clockid_t, const struct timespec *))                                       \
    X(int, pthread_rwlock_unlock, (pthread_rwlock_t *))                                                                                \
    X(long, syscall, (long, ...))                                                                                                      \
    X(int, pthread_join, (pthread_t, void **))                                                                                         \
    X(pthread_t, pthread_self, (void))                                                                                                 \
    X(int, pthread_kill, (pthread_t, int))                                                                                             \
    X(int, pthread_getcpuclockid, (pthread_t, clockid_t *))                                                                            \
    X(int, setsockopt, (int, int, int, const void *, socklen_t))                                                                       \
    X(int, ioctl, (int, unsigned long, ...))                                                                                           \
    X(int, close, (int))                                                                                                               \
    X(int, dup2, (int, int))                                                                                                           \
    X(int, dup3, (int, int, int))                                                                                                      \
    X(int, fclose, (FILE *))                                                                                                           \
    X(int, close_range, (unsigned, unsigned, int))                                                                                     \
    X(void, closefrom, (int))

struct green_real {
#define GREEN_FIELD(type, name, args) type(*name) args;
    GREEN_REAL(GREEN_FIELD)
#undef GREEN_FIELD
};
extern struct green_real green_real;

/* Code that may run before the table is filled (it runs in .preinit_array, but sanitizers come earlier still). */
void green_real_fill(void);

#endif

/* Keeps N connections busy with 64-byte messages against an echo server for some seconds; prints messages per second. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, EVENTS = 512 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_one(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    int port = (int)strtol(argv[1], NULL, 10), count = (int)strtol(argv[2], NULL, 10), epoll = epoll_create1(0);
    double seconds = strtod(argv[3], NULL);
    char message[MESSAGE];
    struct epoll_event events[EVENTS];
    memset(message, 'x', sizeof message);
    for (int i = 0; i < count; i++) {
        int fd = open_one(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) || write(fd, message, MESSAGE) != MESSAGE)
            return 3;
    }
    long done = 0;
    double start = now(), end = start + seconds;
    while (now() < end) {
        int n = epoll_wait(epoll, events, EVENTS, 1000);
        for (int i = 0; i < n; i++) {
            if (read(events[i].data.fd, message, MESSAGE) <= 0 || write(events[i].data.fd, message, MESSAGE) != MESSAGE)
                return 4;
            done++;
        }
    }
    printf("%.0f\n", (double)done / (now() - start));
    return 0;
}

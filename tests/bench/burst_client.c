/* Lets servers take turns in short bursts of requests; prints what CPU a request took each, in microseconds: least, lower quartile, median.
 * burst_client CONNECTIONS REQUESTS ROUNDS PATH NAME:PORT:PID... */
#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVERS = 16, EVENTS = 256, WARM_UP = 3, PATIENCE_MS = 5000, SETTLE_US = 300 };

struct server {
    char name[64];
    int port, pid, epoll;
    int *fds;       /* of the connections */
    double *costs;  /* of a request, by round */
};

static char request[1024], bytes[1 << 20];
static int connections, requests, rounds;

static void fail(const char *name, const char *what)
{
    fprintf(stderr, "%s: %s\n", name, what);
    exit(1);
}

/* What the threads of a process have run for, in nanoseconds. */
static double cpu_ns(const struct server *s)
{
    char place[300];
    double sum = 0, one;
    snprintf(place, sizeof place, "/proc/%d/task", s->pid);
    DIR *tasks = opendir(place);
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        snprintf(place, sizeof place, "/proc/%d/task/%s/schedstat", s->pid, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(place, "r");
        if (file && fscanf(file, "%lf", &one) == 1)
            sum += one;
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return sum;
}

static void open_all(struct server *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)s->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->epoll = epoll_create1(0);
    s->fds = calloc((size_t)connections, sizeof *s->fds);
    s->costs = calloc((size_t)rounds, sizeof *s->costs);
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = s->fds[i] = socket(AF_INET, SOCK_STREAM, 0)};
        if (connect(s->fds[i], (struct sockaddr *)&to, sizeof to) || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->fds[i], &event))
            fail(s->name, "no connection");
    }
}

static void ask(const struct server *s, int fd)
{
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        fail(s->name, "a request was not taken");
}

/* The rest of an answer whose beginning has come: its head tells how long it is. */
static void read_answer(const struct server *s, int fd)
{
    size_t have = 0, want = 0;
    do {
        ssize_t n = recv(fd, bytes + have, sizeof bytes - 1 - have, 0);
        if (n <= 0)
            fail(s->name, "closed");
        have += (size_t)n;
        bytes[have] = 0;
        const char *end = want ? NULL : strstr(bytes, "\r\n\r\n"), *length = end ? strcasestr(bytes, "content-length:") : NULL;
        if (end && (!length || strncmp(bytes + 8, " 200", 4)))
            fail(s->name, "not an answer of 200 with a length");
        if (length)
            want = (size_t)(end + 4 - bytes) + strtoul(length + 15, NULL, 10);
    } while (!want || have < want);
}

static double burst(const struct server *s)
{
    struct epoll_event events[EVENTS];
    double before = cpu_ns(s);
    int sent = 0, answered = 0;
    for (; sent < connections; sent++)
        ask(s, s->fds[sent]);
    while (answered < sent) {
        int n = epoll_wait(s->epoll, events, EVENTS, PATIENCE_MS);
        if (n <= 0)
            fail(s->name, "no answer");
        for (int i = 0; i < n; i++, answered++) {
            read_answer(s, events[i].data.fd);
            if (sent < requests) {
                ask(s, events[i].data.fd);
                sent++;
            }
        }
    }
    usleep(SETTLE_US); /* what a server does behind its last answer counts */
    return (cpu_ns(s) - before) / answered / 1000;
}

static int by_cost(const void *a, const void *b) { return *(const double *)a < *(const double *)b ? -1 : 1; }

int main(int argc, char **argv)
{
    static struct server servers[SERVERS];
    int count = argc - 5;
    if (count < 1 || count > SERVERS)
        return 2;
    connections = (int)strtol(argv[1], NULL, 10);
    requests = (int)strtol(argv[2], NULL, 10);
    rounds = (int)strtol(argv[3], NULL, 10);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[4]);
    for (int i = 0; i < count; i++) {
        if (sscanf(argv[5 + i], "%63[^:]:%d:%d", servers[i].name, &servers[i].port, &servers[i].pid) != 3)
            return 2;
        open_all(&servers[i]);
    }
    for (int round = -WARM_UP; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            double cost = burst(&servers[i]);
            if (round >= 0)
                servers[i].costs[round] = cost;
        }
    for (int i = 0; i < count; i++) {
        qsort(servers[i].costs, (size_t)rounds, sizeof(double), by_cost);
        printf("%-20s %8.2f %8.2f %8.2f\n", servers[i].name, servers[i].costs[0], servers[i].costs[rounds / 4], servers[i].costs[rounds / 2]);
    }
    return 0;
}

/* Names: numbers at once, everything else in the thread pool, arguments and results copied through the heap. */
#include "green.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "green_hooks.h"

#define HOOKED() (green_coro && green_gil_released())

enum { HOST_BYTES = NI_MAXHOST, SERVICE_BYTES = NI_MAXSERV, HOSTENT_BYTES = 8192 };

/* --- getaddrinfo --- */

struct address_query {
    char *node, *service;
    struct addrinfo hints;
    bool has_hints;
    struct addrinfo *found;
    int result, error;
};

static void address_free(void *arg)
{
    struct address_query *q = arg;
    free(q->node);
    free(q->service);
    if (q->found)
        freeaddrinfo(q->found);
    free(q);
}

static void address_work(void *arg)
{
    struct address_query *q = arg;
    q->result = green_real.getaddrinfo(q->node, q->service, q->has_hints ? &q->hints : NULL, &q->found);
    q->error = errno;
}

static struct address_query *address_query(const char *node, const char *service, const struct addrinfo *hints)
{
    struct address_query *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->node = node ? strdup(node) : NULL;
    q->service = service ? strdup(service) : NULL;
    if ((node && !q->node) || (service && !q->service)) {
        address_free(q);
        return NULL;
    }
    if (hints) {
        q->hints = *hints;
        q->has_hints = true;
    }
    return q;
}

/* True when the answer needs no look-up; it is then in *result. */
static bool is_numeric(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found, int *result)
{
    struct addrinfo numeric = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
    if (hints)
        numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    *result = green_real.getaddrinfo(node, service, &numeric, found);
    return *result != EAI_NONAME;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    int result;
    if (!HOOKED() || !green_may_yield(GREEN_CALLER()))
        return green_real.getaddrinfo(node, service, hints, found);
    if (node && is_numeric(node, service, hints, found, &result))
        return result;
    struct address_query *q = address_query(node, service, hints);
    if (!q)
        return EAI_MEMORY;
    int waited = green_offload(address_work, address_free, q);
    if (waited == GREEN_READY) {
        *found = q->found;
        q->found = NULL;
        result = q->result;
        errno = q->error;
    } else if (waited == GREEN_BLOCK) {
        result = green_real.getaddrinfo(node, service, hints, found);
    } else {
        if (waited == ENOMEM)
            address_free(q);
        errno = waited;
        return EAI_SYSTEM;
    }
    int error = errno;
    address_free(q);
    errno = error;
    return result;
}

/* --- getnameinfo --- */

struct name_query {
    struct sockaddr_storage address;
    socklen_t len;
    int flags, result, error;
    socklen_t host_len, service_len;
    char host[HOST_BYTES], service[SERVICE_BYTES];
};

static void name_work(void *arg)
{
    struct name_query *q = arg;
    q->result = green_real.getnameinfo((struct sockaddr *)&q->address, q->len, q->host_len ? q->host : NULL, q->host_len,
                                       q->service_len ? q->service : NULL, q->service_len, q->flags);
    q->error = errno;
}

static socklen_t least(socklen_t a, socklen_t b) { return a < b ? a : b; }

int getnameinfo(const struct sockaddr *restrict address, socklen_t len, char *restrict host, socklen_t host_len, char *restrict service,
                socklen_t service_len, int flags)
{
    bool numeric = (!host_len || (flags & NI_NUMERICHOST)) && (!service_len || (flags & NI_NUMERICSERV));
    struct name_query *q = NULL;
    if (!numeric && HOOKED() && len <= sizeof q->address && green_may_yield(GREEN_CALLER()))
        q = calloc(1, sizeof *q);
    if (!q)
        return green_real.getnameinfo(address, len, host, host_len, service, service_len, flags);
    memcpy(&q->address, address, len);
    q->len = len;
    q->flags = flags;
    q->host_len = host ? least(host_len, HOST_BYTES) : 0;
    q->service_len = service ? least(service_len, SERVICE_BYTES) : 0;
    int waited = green_offload(name_work, free, q);
    if (waited != GREEN_READY && waited != GREEN_BLOCK) {
        if (waited == ENOMEM)
            free(q);
        errno = waited;
        return EAI_SYSTEM;
    }
    if (waited == GREEN_BLOCK)
        name_work(q);
    int result = q->result, error = q->error;
    if (!result && q->host_len)
        memcpy(host, q->host, q->host_len);
    if (!result && q->service_len)
        memcpy(service, q->service, q->service_len);
    free(q);
    errno = error;
    return result;
}

/* --- gethostbyname_r, gethostbyaddr_r: the answer is relocated into the caller's buffer --- */

struct host_query {
    char *name;
    unsigned char address[16];
    socklen_t address_len; /* 0: by name */
    int family;
    struct hostent host, *found;
    int result, h_error;
    char bytes[HOSTENT_BYTES];
};

static void host_free(void *arg)
{
    struct host_query *q = arg;
    free(q->name);
    free(q);
}

static void host_work(void *arg)
{
    struct host_query *q = arg;
    if (q->address_len)
        q->result = green_real.gethostbyaddr_r(q->address, q->address_len, q->family, &q->host, q->bytes, sizeof q->bytes, &q->found, &q->h_error);
    else
        q->result = green_real.gethostbyname_r(q->name, &q->host, q->bytes, sizeof q->bytes, &q->found, &q->h_error);
}

/* Everything that the answer points to lies in q->bytes, so one copy and one distance move it. */
static char *moved(const struct host_query *q, char *buffer, const void *old)
{
    return old ? buffer + ((const char *)old - q->bytes) : NULL;
}

static void move_list(const struct host_query *q, char *buffer, char **list)
{
    for (; list && *list; list++)
        *list = moved(q, buffer, *list);
}

static int host_answer(const struct host_query *q, struct hostent *host, char *buffer, size_t room, struct hostent **found, int *h_error)
{
    *h_error = q->h_error;
    *found = NULL;
    if (q->result || !q->found)
        return q->result;
    if (room < sizeof q->bytes)
        return ERANGE;
    memcpy(buffer, q->bytes, sizeof q->bytes);
    *host = q->host;
    host->h_name = moved(q, buffer, q->host.h_name);
    host->h_aliases = (char **)(void *)moved(q, buffer, q->host.h_aliases);
    host->h_addr_list = (char **)(void *)moved(q, buffer, q->host.h_addr_list);
    move_list(q, buffer, host->h_aliases);
    move_list(q, buffer, host->h_addr_list);
    *found = host;
    return 0;
}

/* Takes q. */
static int host_wait(struct host_query *q, struct hostent *host, char *buffer, size_t room, struct hostent **found, int *h_error)
{
    int waited = green_offload(host_work, host_free, q);
    if (waited != GREEN_READY && waited != GREEN_BLOCK) {
        if (waited == ENOMEM)
            host_free(q);
        *found = NULL;
        *h_error = TRY_AGAIN;
        errno = waited;
        return waited;
    }
    if (waited == GREEN_BLOCK)
        host_work(q);
    int result = host_answer(q, host, buffer, room, found, h_error);
    host_free(q);
    return result;
}

int gethostbyname_r(const char *restrict name, struct hostent *restrict host, char *restrict buffer, size_t room, struct hostent **restrict found,
                    int *restrict h_error)
{
    struct host_query *q = HOOKED() && room >= HOSTENT_BYTES && green_may_yield(GREEN_CALLER()) ? calloc(1, sizeof *q) : NULL;
    if (q && !(q->name = strdup(name))) {
        free(q);
        q = NULL;
    }
    return q ? host_wait(q, host, buffer, room, found, h_error) : green_real.gethostbyname_r(name, host, buffer, room, found, h_error);
}

int gethostbyaddr_r(const void *restrict address, socklen_t len, int family, struct hostent *restrict host, char *restrict buffer, size_t room,
                    struct hostent **restrict found, int *restrict h_error)
{
    struct host_query *q = NULL;
    if (HOOKED() && len && len <= sizeof q->address && room >= HOSTENT_BYTES && green_may_yield(GREEN_CALLER()))
        q = calloc(1, sizeof *q);
    if (!q)
        return green_real.gethostbyaddr_r(address, len, family, host, buffer, room, found, h_error);
    memcpy(q->address, address, len);
    q->address_len = len;
    q->family = family;
    return host_wait(q, host, buffer, room, found, h_error);
}

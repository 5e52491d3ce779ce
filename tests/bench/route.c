/* Nanoseconds per look-up of route, with 1 and with 1,000 virtual hosts, Locations and aliases. Compiled and run by route.py. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "log.h"
#include "route.h"

void log_request_at(const char *place, const struct request *r, int level, const char *module, const char *format, ...)
{
    (void)place, (void)r, (void)level, (void)module, (void)format;
}

static struct dir_conf merged = {.set_handler = "mod_python"};
static const struct dir_conf *merge(const struct server_conf *server, const int *ids, int count, const char *const *htaccess)
{
    (void)server, (void)ids, (void)count, (void)htaccess;
    return &merged;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static char *format(const char *text, int i)
{
    char *out = NULL;
    return asprintf(&out, text, i) < 0 ? abort(), NULL : out;
}

enum { ROUNDS = 400000, URIS = 8 };

static void measure(const char *what, int count, struct route *route, const struct server_conf *server, char **uris, int kind)
{
    struct address_conf local = {.family = AF_INET, .port = 80, .address = {127, 0, 0, 1}};
    struct request *r = request_new(10);
    struct slice hosts[URIS];
    double best = 1e18;
    r->server = server;
    for (int i = 0; i < URIS; i++)
        hosts[i] = slice_text(uris[i]);
    for (int repeat = 0; repeat < 5; repeat++) {
        double start = now_ns();
        for (int i = 0; i < ROUNDS; i++) {
            r->uri = uris[i % URIS];
            r->filename = NULL;
            r->arena_used = 0;
            if (kind == 0)
                r->server = route_server(route, &local, hosts[i % URIS]);
            else if (kind == 1)
                route_location(route, r, true);
            else
                route_map(route, r, true);
            __asm__ volatile("" : : "r"(r) : "memory");
        }
        double each = (now_ns() - start) / ROUNDS;
        best = each < best ? each : best;
    }
    printf("%-44s %5d   %7.1f ns\n", what, count, best);
    request_unref(r);
}

static struct server_conf *server_new(int index)
{
    static struct address_conf any = {.port = 80};
    static struct dir_conf base;
    struct server_conf *s = calloc(1, sizeof *s);
    *s = (struct server_conf){.index = index, .is_virtual = index > 0, .server_name = format("www%d.example.org", index), .addresses = &any, .address_count = index > 0,
                              .document_root = "/srv/www", .base = &base};
    return s;
}

static void hosts(int count)
{
    struct server_conf **all = calloc((size_t)count + 1, sizeof *all);
    struct main_conf conf = {.server_count = count + 1, .servers = all};
    char *names[URIS];
    for (int i = 0; i <= count; i++)
        all[i] = server_new(i);
    for (int i = 0; i < URIS; i++)
        names[i] = format("www%d.example.org", 1 + i * 7919 % count);
    struct route *route = route_new(&conf, merge);
    measure("route_server: virtual hosts by name", count, route, all[0], names, 0);
    route_free(route);
}

static void sections(int count, bool cold)
{
    struct server_conf *server = server_new(0);
    struct section_conf *s = calloc((size_t)count, sizeof *s);
    struct main_conf conf = {.server_count = 1, .servers = &server};
    char *uris[URIS];
    for (int i = 0; i < count; i++) {
        s[i] = (struct section_conf){.id = i, .kind = SECTION_LOCATION, .pattern = format("/app%d", i), .parent_id = -1};
        s[i].pattern_len = (int)strlen(s[i].pattern);
    }
    for (int i = 0; i < URIS; i++)
        uris[i] = format(cold ? "/app%d/a/rather/long/path/that/differs.html" : "/app%d/hello", i * 7919 % count);
    server->sections = s;
    server->section_count = count;
    struct route *route = route_new(&conf, merge);
    if (cold)
        measure("route_location: no path is remembered", count, route, server, uris, 1);
    else
        measure("route_map: handler in a Location, remembered", count, route, server, uris, 2);
    route_free(route);
}

int main(void)
{
    printf("%-44s %5s   %10s\n", "look-up", "count", "each");
    for (int count = 1; count <= 1000; count *= 1000)
        hosts(count);
    for (int count = 1; count <= 1000; count *= 1000)
        sections(count, false);
    for (int count = 1; count <= 1000; count *= 1000)
        sections(count, true);
    return 0;
}

/* A configuration built by hand for the units of route, access and env; requests for it; a log that is kept; a merge that is counted. */
#ifndef PYHOST_TESTS_ROUTE_WORLD_H
#define PYHOST_TESTS_ROUTE_WORLD_H

#include <stdarg.h>
#include <sys/socket.h>

#include "bridge.h"
#include "check.h"
#include "log.h"
#include "route.h"

static char last_log[512];
void log_request_at(const char *place, const struct request *r, int level, const char *module, const char *format, ...)
{
    va_list args;
    (void)place, (void)r, (void)level, (void)module;
    va_start(args, format);
    vsnprintf(last_log, sizeof last_log, format, args);
    va_end(args);
}

/* Each merged set says what it was merged from: "1,5,7" and, behind '|', how many .htaccess files. */
struct world_set { struct dir_conf conf; char ids[200]; };
static struct world_set sets[400];
static int set_count;

static const char *ids_of_conf(const struct dir_conf *conf) { return ((const struct world_set *)(const void *)conf)->ids; }

/* What a merged set gets from its sections: set by tests, by section id. */
static struct { const char *set_handler; int allow_override; } by_id[4000];
static const struct section_conf *const *htaccess_sections; /* of every .htaccess */
static int htaccess_section_count;

static const struct dir_conf *world_merge(const struct server_conf *server, const int *ids, int count, const char *const *htaccess)
{
    struct world_set *set = &sets[set_count++ % 400];
    int n = 0, files = 0;
    memset(set, 0, sizeof *set);
    set->conf = *server->base;
    for (int i = 0; i < count; i++) {
        if (n < (int)sizeof set->ids)
            n += snprintf(set->ids + n, sizeof set->ids - (size_t)n, "%s%d", i ? "," : "", ids[i]);
        if (by_id[ids[i]].set_handler)
            set->conf.set_handler = by_id[ids[i]].set_handler;
        if (by_id[ids[i]].allow_override)
            set->conf.allow_override = by_id[ids[i]].allow_override;
    }
    while (htaccess[files])
        files++;
    if (files) {
        snprintf(set->ids + n, sizeof set->ids - (size_t)n, "|%d", files);
        set->conf.htaccess_sections = htaccess_sections;
        set->conf.htaccess_section_count = htaccess_section_count;
    }
    return &set->conf;
}

static struct world_set base_set;
static struct server_conf main_server = {.base = &base_set.conf, .document_root = "/docs", .server_name = "main.example"};

static struct request *request_for(const struct server_conf *server, const char *uri)
{
    static const struct main_conf none;
    struct request *r = request_new(100);
    r->server = server;
    r->main = &none;
    r->method = (char *)"GET";
    r->uri = r->unparsed_uri = request_strdup(r, slice_text(uri));
    r->bytes = (char *)"";
    return r;
}

static struct regex_conf regex_for(const char *pattern)
{
    struct regex_conf regex = {.pattern = pattern};
    char error[200];
    if (bridge_regex_compile(&regex, error, sizeof error) < 0)
        CHECK(0, "%s: %s", pattern, error);
    return regex;
}

#endif

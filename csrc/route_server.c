/* Virtual hosts as httpd chooses them: the best matching address first (address and port, address, port, neither), then within its hosts, in the
 * order of the file, the first that bears the name (ServerName, ServerAlias, wildcard), else the first of all; no address: the main server.
 * Names and "*.suffix" wildcards are one hash table, so that a thousand hosts cost what one costs; only other wildcards are tried one by one. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "glob.h"
#include "hash.h"
#include "route_parts.h"

enum address_class { ADDRESS_ANY, ADDRESS_IP, ADDRESS_UNIX, ADDRESS_UNIX_ANY /* every host of any address */ };

struct host_address {
    enum address_class class;
    unsigned char ip[16]; /* IPv4 mapped */
    int port;             /* 0: any */
    const char *path;     /* borrowed */
};

struct host_set { /* hosts of one address, in the order of the file */
    struct host_address address;
    int *members; /* owned: server indexes */
    int member_count;
    struct host_glob { char *pattern; int order; } *globs; /* owned: wildcards that are not "*.suffix" */
    int glob_count;
};

struct host_name {
    uint64_t hash;
    char *name; /* owned, lower case; NULL: empty */
    uint32_t len;
    int set, order;
    bool is_suffix; /* of "*.suffix", with its dot */
};

struct host_map {
    const struct main_conf *main;
    struct host_set *sets; /* owned */
    int set_count;
    struct host_name *names; /* owned: open addressing */
    uint32_t name_count, name_cap;
    int *set_slots; /* owned: open addressing over sets; -1: empty */
    uint32_t set_slot_count;
    bool by_ip; /* some host has an address of its own */
};

static const struct host_address every_unix = {.class = ADDRESS_UNIX_ANY};

static struct host_address address_of(const struct address_conf *a)
{
    struct host_address out = {.port = a->port, .class = ADDRESS_IP};
    if (a->family == AF_UNIX) {
        out.class = ADDRESS_UNIX;
        out.path = a->path ? a->path : "";
        out.port = 0;
    } else if (a->family == AF_INET) {
        memcpy(out.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        memcpy(out.ip + 12, a->address, 4);
    } else if (a->family == AF_INET6) {
        memcpy(out.ip, a->address, 16);
    } else {
        out.class = ADDRESS_ANY;
    }
    return out;
}

static bool address_eq(const struct host_address *a, const struct host_address *b)
{
    return a->class == b->class && a->port == b->port && !memcmp(a->ip, b->ip, 16)
        && (a->class != ADDRESS_UNIX || !strcmp(a->path, b->path));
}

static uint64_t address_hash(const struct host_address *a)
{
    uint64_t seed = (uint64_t)a->class << 32 | (uint32_t)a->port;
    return a->class == ADDRESS_UNIX ? hash_bytes(a->path, strlen(a->path), seed) : hash_bytes((const char *)a->ip, 16, seed);
}

static int *set_slot(const struct host_map *m, const struct host_address *a)
{
    uint32_t i = (uint32_t)address_hash(a) & (m->set_slot_count - 1);
    while (m->set_slots[i] >= 0 && !address_eq(&m->sets[m->set_slots[i]].address, a))
        i = (i + 1) & (m->set_slot_count - 1);
    return &m->set_slots[i];
}

/* Index of the set of that address, or -1. */
static int set_find(const struct host_map *m, const struct host_address *a) { return *set_slot(m, a); }

static int slots_grow(struct host_map *m)
{
    uint32_t count = m->set_slot_count ? m->set_slot_count * 2 : 16;
    int *slots = malloc(count * sizeof *slots);
    if (!slots)
        return -1;
    memset(slots, 0xff, count * sizeof *slots);
    free(m->set_slots);
    m->set_slots = slots;
    m->set_slot_count = count;
    for (int i = 0; i < m->set_count; i++)
        *set_slot(m, &m->sets[i].address) = i;
    return 0;
}

/* The same, made when there is none; -1 with errno ENOMEM. */
static int set_make(struct host_map *m, const struct host_address *a)
{
    if ((uint32_t)m->set_count * 2 >= m->set_slot_count && slots_grow(m) < 0)
        return -1;
    int *slot = set_slot(m, a);
    if (*slot >= 0)
        return *slot;
    struct host_set *sets = realloc(m->sets, ((size_t)m->set_count + 1) * sizeof *sets);
    if (!sets)
        return -1;
    m->sets = sets;
    m->sets[m->set_count] = (struct host_set){.address = *a};
    return *slot = m->set_count++;
}

static struct host_name *name_slot(struct host_name *names, uint32_t cap, const struct host_name *key)
{
    uint32_t i = (uint32_t)key->hash & (cap - 1);
    for (; names[i].name; i = (i + 1) & (cap - 1))
        if (names[i].hash == key->hash && names[i].set == key->set && names[i].is_suffix == key->is_suffix && names[i].len == key->len
            && !memcmp(names[i].name, key->name, key->len))
            break;
    return &names[i];
}

static int names_grow(struct host_map *m)
{
    uint32_t cap = m->name_cap ? m->name_cap * 2 : 16;
    struct host_name *names = calloc(cap, sizeof *names);
    if (!names)
        return -1;
    for (uint32_t i = 0; i < m->name_cap; i++)
        if (m->names[i].name)
            *name_slot(names, cap, &m->names[i]) = m->names[i];
    free(m->names);
    m->names = names;
    m->name_cap = cap;
    return 0;
}

static char *lower_copy(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static uint64_t name_hash(struct slice name, int set, bool is_suffix)
{
    return hash_bytes(name.at, name.len, (uint64_t)set << 1 | is_suffix);
}

/* The first host of a name keeps it. */
static int name_add(struct host_map *m, int set, int order, const char *text, bool is_suffix)
{
    if (m->name_count * 2 >= m->name_cap && names_grow(m) < 0)
        return -1;
    struct host_name key = {.name = lower_copy(text), .len = (uint32_t)strlen(text), .set = set, .order = order, .is_suffix = is_suffix};
    if (!key.name)
        return -1;
    key.hash = name_hash(slice_of(key.name, key.len), set, is_suffix);
    struct host_name *slot = name_slot(m->names, m->name_cap, &key);
    if (slot->name) {
        free(key.name);
        return 0;
    }
    *slot = key;
    m->name_count++;
    return 0;
}

static int glob_add(struct host_set *set, int order, const char *pattern)
{
    struct host_glob *globs = realloc(set->globs, ((size_t)set->glob_count + 1) * sizeof *globs);
    if (!globs)
        return -1;
    set->globs = globs;
    globs[set->glob_count] = (struct host_glob){.pattern = lower_copy(pattern), .order = order};
    return globs[set->glob_count].pattern ? (set->glob_count++, 0) : -1;
}

static int wild_add(struct host_map *m, int set, int order, const char *pattern)
{
    if (pattern[0] == '*' && pattern[1] == '.' && !strpbrk(pattern + 1, "*?[\\"))
        return name_add(m, set, order, pattern + 1, true);
    return glob_add(&m->sets[set], order, pattern);
}

static int member_add(struct host_map *m, const struct host_address *address, const struct server_conf *server)
{
    int at = set_make(m, address), order;
    if (at < 0)
        return -1;
    struct host_set *set = &m->sets[at];
    if (set->member_count && set->members[set->member_count - 1] == server->index)
        return 0; /* the same address twice */
    int *members = realloc(set->members, ((size_t)set->member_count + 1) * sizeof *members);
    if (!members)
        return -1;
    set->members = members;
    order = set->member_count++;
    members[order] = server->index;
    if (server->server_name && name_add(m, at, order, server->server_name, false) < 0)
        return -1;
    for (int i = 0; i < server->alias_name_count; i++)
        if (name_add(m, at, order, server->alias_names[i], false) < 0)
            return -1;
    for (int i = 0; i < server->wild_name_count; i++)
        if (wild_add(m, at, order, server->wild_names[i]) < 0)
            return -1;
    return 0;
}

static int host_add(struct host_map *m, const struct server_conf *server)
{
    for (int i = 0; i < server->address_count; i++) {
        struct host_address address = address_of(&server->addresses[i]);
        m->by_ip |= address.class == ADDRESS_IP;
        if (member_add(m, &address, server) < 0)
            return -1;
        if (address.class == ADDRESS_ANY && member_add(m, &every_unix, server) < 0)
            return -1;
    }
    return 0;
}

struct host_map *host_map_new(const struct main_conf *main)
{
    struct host_map *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->main = main;
    if (slots_grow(m) < 0 || names_grow(m) < 0)
        goto fail;
    for (int i = 0; i < main->server_count; i++)
        if (main->servers[i]->is_virtual && host_add(m, main->servers[i]) < 0)
            goto fail;
    return m;
fail:
    host_map_free(m);
    errno = ENOMEM;
    return NULL;
}

void host_map_free(struct host_map *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->set_count; i++) {
        for (int k = 0; k < m->sets[i].glob_count; k++)
            free(m->sets[i].globs[k].pattern);
        free(m->sets[i].globs);
        free(m->sets[i].members);
    }
    for (uint32_t i = 0; i < m->name_cap; i++)
        free(m->names[i].name);
    free(m->names);
    free(m->sets);
    free(m->set_slots);
    free(m);
}

/* Order of the host of that name within the set, or INT_MAX. */
static int name_find(const struct host_map *m, int set, struct slice name, bool is_suffix)
{
    struct host_name key = {.name = (char *)name.at, .len = (uint32_t)name.len, .set = set, .is_suffix = is_suffix,
                            .hash = name_hash(name, set, is_suffix)};
    const struct host_name *found = name_slot(m->names, m->name_cap, &key);
    return found->name ? found->order : INT_MAX;
}

static int order_of(const struct host_map *m, int set, struct slice host)
{
    int best = name_find(m, set, host, false);
    for (const char *dot = host.at; best && (dot = memchr(dot, '.', (size_t)(host.at + host.len - dot))); dot++) {
        int order = name_find(m, set, slice_of(dot, (size_t)(host.at + host.len - dot)), true);
        best = order < best ? order : best;
    }
    const struct host_set *s = &m->sets[set];
    for (int i = 0; i < s->glob_count && s->globs[i].order < best; i++)
        if (glob_match(s->globs[i].pattern, host))
            best = s->globs[i].order;
    return best == INT_MAX ? 0 : best;
}

static int set_of_ip(const struct host_map *m, const struct host_address *local)
{
    struct host_address any_port = *local, any = {.class = ADDRESS_ANY, .port = local->port}, neither = {.class = ADDRESS_ANY};
    int set = -1;
    if (m->by_ip && local->class == ADDRESS_IP) {
        any_port.port = 0;
        set = set_find(m, local);
        if (set < 0)
            set = set_find(m, &any_port);
    }
    if (set < 0)
        set = set_find(m, &any);
    return set < 0 ? set_find(m, &neither) : set;
}

static int set_of(const struct host_map *m, const struct address_conf *address)
{
    struct host_address local = address_of(address);
    if (local.class != ADDRESS_UNIX)
        return set_of_ip(m, &local);
    int set = set_find(m, &local);
    return set < 0 ? set_find(m, &every_unix) : set;
}

const struct server_conf *route_server(const struct route *route, const struct address_conf *local, struct slice host)
{
    const struct host_map *m = route->hosts;
    int set = m->set_count ? set_of(m, local) : -1;
    if (set < 0)
        return m->main->servers[0];
    return m->main->servers[m->sets[set].members[host.len ? order_of(m, set, host) : 0]];
}

static bool is_wildcard_listen(const struct address_conf *a)
{
    int length = a->family == AF_INET ? 4 : 16, i = 0;
    while (i < length && !a->address[i])
        i++;
    return a->family != AF_UNIX && i == length;
}

bool route_needs_local_address(const struct route *route, const struct listen_conf *listen)
{
    return route->hosts->by_ip && is_wildcard_listen(&listen->address);
}

/* What the files of route share: the indexes of one server, the cache of merged sets, the cache of paths. Nobody else includes this. */
#ifndef PYHOST_ROUTE_PARTS_H
#define PYHOST_ROUTE_PARTS_H

#include "limit.h"
#include "prefix.h"
#include "route.h"

/* Virtual hosts by address and name (route_server.c). */
struct host_map;
struct host_map *host_map_new(const struct main_conf *main); /* owned by the caller; NULL with errno */
void host_map_free(struct host_map *map);

/* Sections or aliases of one kind: those with plain patterns through the index, the others one by one. Values are positions in the list. */
struct pattern_list {
    struct prefix_index plain;
    int *others; /* owned: positions of globs and regular expressions */
    int other_count;
};

struct server_index {
    const struct server_conf *conf;
    const struct section_conf **sections; /* owned: Directory (shallow first), DirectoryMatch, Files, Location, If */
    int directory_end, directory_match_end, files_end, location_end, section_count;
    struct pattern_list directories, locations, aliases, redirects;
};
int server_index_init(struct server_index *index, const struct server_conf *conf);
void server_index_clear(struct server_index *index);

/* Sections that hold, in merge order. More of them than fit is an error that the caller answers with 500. */
struct match_list {
    int count;
    bool overflow;
    int at[LIMIT_MATCHED_SECTIONS]; /* positions in server_index.sections, later ids */
};
void match_locations(const struct server_index *index, struct slice uri, struct match_list *out);
void match_directories(const struct server_index *index, struct slice path, struct match_list *out);
void match_directory_regexes(const struct server_index *index, struct slice path, struct match_list *out);
bool match_file(const struct section_conf *section, struct slice base_name);
/* Appends the ids of the If sections among these n that hold for r, given those that hold already. -1: too many. */
int match_ifs(const struct section_conf *const *sections, int n, const struct request *r, int *ids, int count);
/* Could a <Files> hold for any component of the path? Then its split into file and path_info matters. */
bool match_any_file(const struct server_index *index, struct slice path);
int directory_depth(struct slice pattern); /* "/" is 0, "/a/b" is 2 */

/* Merged sets (route_cache.c). */
struct htaccess {
    int count;
    bool allowed;   /* AllowOverride lets there be some */
    bool unsettled; /* one of them changed so lately that the next change could look the same */
    char *paths[LIMIT_HTACCESS_FILES + 1]; /* arena of the request, shallow first, NULL behind the last */
    struct file_identity { int64_t mtime_ns, ctime_ns, size; uint64_t inode, device; } files[LIMIT_HTACCESS_FILES];
};
struct merged;
struct merge_cache {
    struct merged **buckets; /* owned; count is a power of two */
    uint32_t bucket_count, count;
};
struct path_entry {
    uint64_t hash;
    const struct server_conf *server;
    const struct dir_conf *location_conf, *conf;
    const char *handler;    /* static text, NULL: none */
    const char *type;       /* what route_type says of the file name; static text, or NULL */
    uint32_t uri_len, filename_len;
    char text[];            /* uri NUL filename NUL */
};

struct route {
    const struct main_conf *main;
    route_merge_fn merge;
    struct host_map *hosts;
    struct server_index *servers; /* owned, by server_conf.index */
    struct merge_cache merged;
    struct path_entry *paths[LIMIT_ROUTE_PATHS]; /* owned; direct-mapped */
};

/* The merged set for these ids (and .htaccess files, or NULL). ROUTE_STATUS: the merge failed, status 500. */
enum route_result merge_cache_find(struct route *route, const struct server_conf *server, const int *ids, int count,
                                   const struct htaccess *htaccess, bool may_merge, const struct dir_conf **out);
void merge_cache_clear(struct merge_cache *cache);

uint64_t path_hash(const struct server_conf *server, struct slice uri);
const struct path_entry *path_find(const struct route *route, const struct server_conf *server, struct slice uri, uint64_t hash);
/* Keeps a copy; on ENOMEM, or when the text is long, nothing. */
void path_store(struct route *route, const struct path_entry *entry, struct slice uri, struct slice filename);

/* Redirects and aliases (route_alias.c). */
enum route_result route_redirect(struct request *r, const struct alias_conf *aliases, const struct pattern_list *list, int count);
/* r->uri -> the file name (arena) by the first alias that holds or by DocumentRoot. NULL: *status says why. */
char *route_filename(const struct server_index *index, struct request *r, const char **handler, int *status);
int pattern_list_add(struct pattern_list *list, int position, const char *plain, int len);
void pattern_list_clear(struct pattern_list *list);

/* Length of the file name in name (a path of len bytes, changed and restored meanwhile): up to the file, or to the first component that does not
 * exist; the rest is path_info. Fills *st, st_mode 0: no such file. */
size_t route_split(char *name, size_t len, struct stat *st);
/* Finds the .htaccess files in the folders of path wherever AllowOverride of the Directory sections so far lets them be; look false: only says
 * whether it does anywhere (out->allowed). ROUTE_STATUS: *status says what to answer. */
enum route_result htaccess_find(struct route *route, const struct server_index *index, struct request *r, struct slice path,
                                const struct match_list *directories, bool may_merge, bool look, struct htaccess *out, int *status);

#endif

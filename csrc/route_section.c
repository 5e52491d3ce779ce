/* Which sections hold. Plain patterns come from the prefix index; globs and regular expressions are tried one by one. What was found
 * is put in the order in which it is merged. */
#include <errno.h>
#include <stdlib.h>

#include "glob.h"
#include "regex.h"
#include "route_parts.h"

int directory_depth(struct slice path)
{
    int depth = 0;
    for (size_t i = 0; i < path.len; i++)
        if (path.at[i] == '/' && i + 1 < path.len && path.at[i + 1] != '/')
            depth++;
    return depth;
}

/* Sections of one group are merged one after another: Directory, DirectoryMatch, Files, Location, If. */
static int group_of(const struct section_conf *s)
{
    switch ((enum section_kind)s->kind) {
    case SECTION_DIRECTORY:
        return s->regex.pattern ? 1 : 0;
    case SECTION_DIRECTORY_MATCH:
        return 1;
    case SECTION_FILES:
    case SECTION_FILES_MATCH:
        return 2;
    case SECTION_LOCATION:
    case SECTION_LOCATION_MATCH:
        return 3;
    case SECTION_IF:
        return 4;
    }
    return 3;
}

static struct slice pattern_of(const struct section_conf *s) { return slice_of(s->pattern, s->pattern ? (size_t)s->pattern_len : 0); }

struct ranked { const struct section_conf *section; int group, depth, position; };

static int ranked_compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->group != y->group)
        return x->group - y->group;
    return x->depth != y->depth ? x->depth - y->depth : x->position - y->position;
}

static int sections_sort(struct server_index *index, const struct server_conf *conf)
{
    struct ranked *all = calloc((size_t)conf->section_count + 1, sizeof *all);
    index->sections = calloc((size_t)conf->section_count + 1, sizeof *index->sections);
    if (!all || !index->sections) {
        free(all);
        return -1;
    }
    for (int i = 0; i < conf->section_count; i++) {
        const struct section_conf *s = &conf->sections[i];
        int group = group_of(s);
        all[i] = (struct ranked){.section = s, .group = group, .depth = group ? 0 : directory_depth(pattern_of(s)), .position = i};
    }
    qsort(all, (size_t)conf->section_count, sizeof *all, ranked_compare);
    for (int i = 0; i < conf->section_count; i++) {
        index->sections[i] = all[i].section;
        index->directory_end += all[i].group < 1;
        index->directory_match_end += all[i].group < 2;
        index->files_end += all[i].group < 3;
        index->location_end += all[i].group < 4;
    }
    index->section_count = conf->section_count;
    free(all);
    return 0;
}

int pattern_list_add(struct pattern_list *list, int position, const char *plain, int len)
{
    if (plain)
        return prefix_add(&list->plain, slice_of(plain, (size_t)len), position);
    int *others = realloc(list->others, ((size_t)list->other_count + 1) * sizeof *others);
    if (!others)
        return -1;
    list->others = others;
    others[list->other_count++] = position;
    return 0;
}

void pattern_list_clear(struct pattern_list *list)
{
    prefix_clear(&list->plain);
    free(list->others);
}

static int section_add(struct pattern_list *list, const struct server_index *index, int position)
{
    const struct section_conf *s = index->sections[position];
    return pattern_list_add(list, position, s->regex.pattern || s->is_glob ? NULL : s->pattern, s->pattern_len);
}

static int aliases_index(struct server_index *index, const struct server_conf *conf)
{
    for (int i = 0; i < conf->alias_count; i++) {
        const struct alias_conf *a = &conf->aliases[i];
        bool redirect = a->kind == ALIAS_REDIRECT || a->kind == ALIAS_REDIRECT_MATCH;
        if (a->kind == ALIAS_WSGI || a->kind == ALIAS_ASGI)
            continue; /* an application is no file: its Location says what it is */
        if (pattern_list_add(redirect ? &index->redirects : &index->aliases, i, a->regex.pattern ? NULL : a->from, a->from_len) < 0)
            return -1;
    }
    return 0;
}

int server_index_init(struct server_index *index, const struct server_conf *conf)
{
    index->conf = conf;
    if (sections_sort(index, conf) < 0 || aliases_index(index, conf) < 0)
        goto fail;
    for (int i = 0; i < index->directory_end; i++)
        if (section_add(&index->directories, index, i) < 0)
            goto fail;
    for (int i = index->files_end; i < index->location_end; i++)
        if (section_add(&index->locations, index, i) < 0)
            goto fail;
    return 0;
fail:
    server_index_clear(index);
    errno = ENOMEM;
    return -1;
}

void server_index_clear(struct server_index *index)
{
    free(index->sections);
    pattern_list_clear(&index->directories);
    pattern_list_clear(&index->locations);
    pattern_list_clear(&index->aliases);
    pattern_list_clear(&index->redirects);
    *index = (struct server_index){0};
}

static void match_add(struct match_list *out, int position)
{
    if (out->count == LIMIT_MATCHED_SECTIONS)
        out->overflow = true;
    else
        out->at[out->count++] = position;
}

static void match_plain(const struct pattern_list *list, struct slice path, struct match_list *out)
{
    int room = LIMIT_MATCHED_SECTIONS - out->count, found = prefix_find(&list->plain, path, out->at + out->count, room);
    out->overflow |= found > room;
    out->count += found > room ? room : found;
}

/* What has been found from `first` on, in the order of the list: there are few, nearly sorted. */
static void match_sort(struct match_list *out, int first)
{
    for (int i = first + 1; i < out->count; i++) {
        int position = out->at[i], k = i;
        for (; k > first && out->at[k - 1] > position; k--)
            out->at[k] = out->at[k - 1];
        out->at[k] = position;
    }
}

void match_locations(const struct server_index *index, struct slice uri, struct match_list *out)
{
    int first = out->count;
    match_plain(&index->locations, uri, out);
    for (int i = 0; i < index->locations.other_count; i++) {
        const struct section_conf *s = index->sections[index->locations.others[i]];
        if (s->regex.pattern ? regex_match(&s->regex, uri, NULL, 0) > 0 : glob_match(s->pattern, uri))
            match_add(out, index->locations.others[i]);
    }
    match_sort(out, first);
}

/* The first depth components of a path; false: it has not so many. */
static bool path_prefix(struct slice path, int depth, struct slice *out)
{
    size_t i = 0, start = 0;
    for (; depth > 0 && i < path.len; depth--)
        for (start = i++; i < path.len && path.at[i] != '/';)
            i++;
    *out = slice_of(path.at, i);
    return depth == 0 && i > start + 1;
}

void match_directories(const struct server_index *index, struct slice path, struct match_list *out)
{
    int first = out->count;
    match_plain(&index->directories, path, out);
    for (int i = 0; i < index->directories.other_count; i++) {
        const struct section_conf *s = index->sections[index->directories.others[i]];
        struct slice part;
        if (path_prefix(path, directory_depth(pattern_of(s)), &part) && glob_match(s->pattern, part))
            match_add(out, index->directories.others[i]);
    }
    match_sort(out, first);
}

/* A regular expression may speak of the folder, with or without its slash, or of the whole name. */
static bool directory_regex_holds(const struct section_conf *s, struct slice path)
{
    size_t folder = path.len;
    while (folder && path.at[folder - 1] != '/')
        folder--;
    return regex_match(&s->regex, path, NULL, 0) > 0 || (folder < path.len && folder && regex_match(&s->regex, slice_of(path.at, folder), NULL, 0) > 0)
        || (folder > 1 && regex_match(&s->regex, slice_of(path.at, folder - 1), NULL, 0) > 0);
}

void match_directory_regexes(const struct server_index *index, struct slice path, struct match_list *out)
{
    for (int i = index->directory_end; i < index->directory_match_end; i++)
        if (directory_regex_holds(index->sections[i], path))
            match_add(out, i);
}

bool match_file(const struct section_conf *s, struct slice name)
{
    if (!name.len)
        return false;
    if (s->regex.pattern)
        return regex_match(&s->regex, name, NULL, 0) > 0;
    return s->is_glob ? glob_match(s->pattern, name) : slice_eq(pattern_of(s), name);
}

static bool is_among(const int *ids, int count, int id)
{
    for (int i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Those of one chain follow each other; taken: one of it holds. Chains of different sections may stand within each other, so it is asked by id. */
static bool chain_is_taken(const struct section_conf *const *sections, int at, const int *ids, int count)
{
    for (int id = sections[at]->else_of; id && at > 0;)
        if (sections[--at]->id == id) {
            if (is_among(ids, count, id))
                return true;
            id = sections[at]->else_of;
        }
    return false;
}

static bool if_holds(const struct section_conf *s, const struct request *r)
{
    return !s->condition.text || (route_expr_holds && route_expr_holds(&s->condition, r));
}

int match_ifs(const struct section_conf *const *sections, int n, const struct request *r, int *ids, int count)
{
    for (int i = 0; i < n; i++) {
        const struct section_conf *s = sections[i];
        if (s->kind != SECTION_IF || (s->parent_id >= 0 && !is_among(ids, count, s->parent_id)) || chain_is_taken(sections, i, ids, count)
            || !if_holds(s, r))
            continue;
        if (count == LIMIT_MATCHED_SECTIONS)
            return -1;
        ids[count++] = s->id;
    }
    return count;
}

bool match_any_file(const struct server_index *index, struct slice path)
{
    if (index->directory_match_end == index->files_end)
        return false;
    for (size_t i = 0, start; i < path.len; i++) {
        for (start = i; i < path.len && path.at[i] != '/';)
            i++;
        for (int k = index->directory_match_end; k < index->files_end; k++)
            if (match_file(index->sections[k], slice_of(path.at + start, i - start)))
                return true;
    }
    return false;
}

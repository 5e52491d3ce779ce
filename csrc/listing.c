/* Directory listings: sorted, escaped, sortable by the reader, with what would not be served left out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "errors.h"
#include "glob.h"
#include "response.h"
#include "spool.h"
#include "listing_parts.h"

enum { ENTRIES_MAX = 5000, NAMES_MAX_BYTES = 4 << 20, PATTERN_MAX_BYTES = 256 };

struct listing {
    struct buf names;     /* owned; all names, NUL-terminated */
    struct entry *entries;/* owned */
    uint32_t count;
    bool cut;             /* there are more than ENTRIES_MAX */
    int options;          /* enum index_option_bit */
    char column;          /* 'N' name, 'M' modified, 'S' size, 'D' description: mod_autoindex's C= */
    bool descending, described; /* described: there is a column of descriptions */
    char *pattern;        /* owned; P=: names that are shown; NULL: all */
    struct listing_text header, readme; /* owned */
};

static const char LISTING_STYLE[] =
    "table{border-collapse:collapse;margin:0 -.75rem;width:calc(100% + 1.5rem);font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;padding:.42rem .75rem;border-bottom:1px solid var(--line);vertical-align:baseline}"
    "th{color:var(--dim);font-size:.85rem;font-weight:500;white-space:nowrap}th a{color:inherit;text-decoration:none}th a:hover{text-decoration:underline}"
    "th[aria-sort]{color:var(--text)}th[aria-sort=ascending] a::after{content:\" \\2191\"}th[aria-sort=descending] a::after{content:\" \\2193\"}"
    "td:first-child{overflow-wrap:anywhere;width:100%}td:first-child a{text-decoration:none}td:first-child a:hover{text-decoration:underline}"
    ".dir{font-weight:600}.size{text-align:right;white-space:nowrap}td.size,td.date{color:var(--dim)}.date{white-space:nowrap}"
    "tbody tr:hover{background:var(--hover)}.sum{color:var(--dim);font-size:.9rem}"
    "td img{height:1.25em;vertical-align:text-bottom}.about{color:var(--dim)}td.about{min-width:12rem}"
    "@media(max-width:34rem){th.date,td.date{display:none}}";

/* --- reading --- */

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

/* What P= says, decoded; NULL: nothing that could be the pattern of a name. */
static char *pattern_of(const char *at)
{
    size_t len = strcspn(at, ";&"), n = 0;
    char *out = len && len <= PATTERN_MAX_BYTES ? malloc(len + 1) : NULL;
    for (size_t i = 0; out && i < len; i++) {
        bool escape = at[i] == '%' && i + 2 < len && hex(at[i + 1]) >= 0 && hex(at[i + 2]) >= 0;
        out[n++] = escape ? (char)(hex(at[i + 1]) * 16 + hex(at[i + 2])) : at[i] == '+' ? ' ' : at[i];
        i += escape ? 2 : 0;
    }
    if (out)
        out[n] = 0;
    return out;
}

/* "C=S;O=D;V=1;P=*.txt", with ; or &. */
static void listing_order(struct listing *l, const struct dir_conf *conf, const char *args)
{
    l->column = (char)conf->index_order;
    l->descending = conf->index_descending;
    for (const char *at = args; at && *at; at += strcspn(at, ";&"), at += *at != 0) {
        if (at[0] == 0 || at[1] != '=')
            continue;
        if (at[0] == 'C' && at[2] && strchr("NMSD", at[2]) && (at[2] != 'D' || l->described))
            l->column = at[2];
        else if (at[0] == 'O')
            l->descending = at[2] == 'D';
        else if (at[0] == 'V')
            l->options = at[2] == '1' ? l->options | INDEX_VERSION_SORT : l->options & ~INDEX_VERSION_SORT;
        else if (at[0] == 'P' && !l->pattern)
            l->pattern = pattern_of(at + 2);
    }
}

static bool is_ignored(const struct dir_conf *conf, const char *name)
{
    for (int i = 0; i < conf->index_ignore_count; i++)
        if (glob_match(conf->index_ignore[i], slice_text(name)))
            return true;
    return false;
}

/* What a request for the entry would be refused for is not shown: hidden files, links that may not be followed, neither file nor directory. */
static bool entry_stat(const struct request *r, int dir, const char *name, struct stat *st)
{
    int links = r->conf->options & (OPTION_FOLLOW_SYMLINKS | OPTION_SYMLINKS_IF_OWNER);
    if (name[0] == '.' || is_ignored(r->conf, name) || fstatat(dir, name, st, links ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return S_ISDIR(st->st_mode) || S_ISREG(st->st_mode);
}

static int entry_add(struct listing *l, const struct dir_conf *conf, const char *name, const struct stat *st)
{
    if (l->count == ENTRIES_MAX || l->names.len + NAME_MAX + 1 > NAMES_MAX_BYTES) {
        l->cut = true;
        return 0;
    }
    if ((l->count & (l->count - 1)) == 0) { /* full at each power of two */
        struct entry *more = realloc(l->entries, (l->count ? l->count * 2 : 1) * sizeof *more);
        if (!more)
            return -1;
        l->entries = more;
    }
    size_t len = strlen(name);
    l->entries[l->count] = (struct entry){.name_at = l->names.len, .name_len = (uint32_t)len, .is_dir = S_ISDIR(st->st_mode),
                                          .size = S_ISDIR(st->st_mode) ? -1 : st->st_size, .mtime_s = st->st_mtim.tv_sec,
                                          .description = l->described ? listing_description(conf, name) : NULL};
    if (buf_add(&l->names, name, len + 1) < 0)
        return -1;
    l->count++;
    return 0;
}

/* Takes fd. */
static int listing_read(struct listing *l, const struct request *r, int fd)
{
    DIR *dir = fdopendir(fd);
    struct dirent *d;
    struct stat st;
    int result = 0;
    if (!dir) {
        close(fd);
        return -1;
    }
    while (result == 0 && !l->cut && (d = readdir(dir)))
        if (entry_stat(r, fd, d->d_name, &st) && (!l->pattern || glob_match(l->pattern, slice_text(d->d_name))))
            result = entry_add(l, r->conf, d->d_name, &st);
    closedir(dir);
    return result;
}

static int compare_names(const struct listing *l, const struct entry *a, const struct entry *b)
{
    const char *x = l->names.at + a->name_at, *y = l->names.at + b->name_at;
    int order = l->options & INDEX_IGNORE_CASE ? strcasecmp(x, y) : 0;
    return order ? order : l->options & INDEX_VERSION_SORT ? strverscmp(x, y) : strcmp(x, y);
}

/* Names decide between equals. */
static int entry_compare(const void *x, const void *y, void *listing)
{
    const struct listing *l = listing;
    const struct entry *a = x, *b = y;
    int64_t order = 0;
    if (a->is_dir != b->is_dir && l->options & INDEX_FOLDERS_FIRST)
        return a->is_dir ? -1 : 1;
    if (l->column == 'S')
        order = a->size < b->size ? -1 : a->size > b->size;
    else if (l->column == 'M')
        order = a->mtime_s < b->mtime_s ? -1 : a->mtime_s > b->mtime_s;
    else if (l->column == 'D')
        order = strcmp(a->description ? a->description : "", b->description ? b->description : "");
    if (order == 0 && l->column != 'N')
        return compare_names(l, a, b);
    if (order == 0)
        order = compare_names(l, a, b);
    return (int)(l->descending ? -order : order);
}

/* --- writing --- */

static int size_add(struct buf *to, int64_t bytes)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)bytes / 1000;
    int unit = 0;
    if (bytes < 1000)
        return buf_addf(to, "%" PRId64 " B", bytes);
    while (size >= 999.5 && unit < 5) {
        size /= 1000;
        unit++;
    }
    return buf_addf(to, size < 9.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static int date_add(struct buf *to, int64_t seconds)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    char text[32];
    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm))
        return buf_add(to, "–", 3);
    return buf_addf(to, "<time datetime=\"%.10sT%sZ\">%s</time>", text, text + 11, text);
}

static int head_cell(struct buf *to, const struct listing *l, char column, const char *css, const char *words)
{
    bool sorted = l->column == column, turn = sorted && !l->descending;
    if (l->options & (INDEX_SUPPRESS_COLUMN_SORTING | INDEX_IGNORE_CLIENT))
        return buf_addf(to, "<th scope=\"col\"%s>%s</th>", css, words);
    if (buf_addf(to, "<th scope=\"col\"%s%s><a href=\"?C=%c;O=%c", css,
                 !sorted ? "" : l->descending ? " aria-sort=\"descending\"" : " aria-sort=\"ascending\"", column, turn ? 'D' : 'A') < 0
        || (l->pattern && (buf_addf(to, ";P=") < 0 || url_escape(to, slice_text(l->pattern)) < 0)))
        return -1;
    return buf_addf(to, "\">%s</a></th>", words);
}

static int name_cell(struct buf *to, const struct listing *l, const struct entry *e, const struct request *r, struct slice base)
{
    struct slice name = slice_of(l->names.at + e->name_at, e->name_len);
    const char *slash = e->is_dir ? "/" : "";
    bool inside = l->options & INDEX_ICONS_ARE_LINKS;
    if (buf_addf(to, "<td>") < 0 || (!inside && listing_icon(to, r, name.at, e->is_dir) < 0)
        || buf_addf(to, "<a%s href=\"", e->is_dir ? " class=\"dir\"" : "") < 0 || url_escape(to, base) < 0 || url_escape(to, name) < 0
        || buf_addf(to, "%s\">", slash) < 0 || (inside && listing_icon(to, r, name.at, e->is_dir) < 0) || html_escape(to, name) < 0)
        return -1;
    return buf_addf(to, "%s</a></td>", slash);
}

static int size_cell(struct buf *to, const struct entry *e)
{
    if (buf_addf(to, "<td class=\"size\">") < 0 || (e->is_dir ? buf_addf(to, "–") : size_add(to, e->size)) < 0)
        return -1;
    return buf_addf(to, "</td>");
}

static int row_add(struct buf *to, const struct listing *l, const struct entry *e, const struct request *r, struct slice base)
{
    if (buf_addf(to, "<tr>") < 0 || name_cell(to, l, e, r, base) < 0)
        return -1;
    if (!(l->options & INDEX_SUPPRESS_SIZE) && size_cell(to, e) < 0)
        return -1;
    if (!(l->options & INDEX_SUPPRESS_LAST_MODIFIED)
        && (buf_addf(to, "<td class=\"date\">") < 0 || date_add(to, e->mtime_s) < 0 || buf_addf(to, "</td>") < 0))
        return -1;
    if (l->described && buf_addf(to, "<td class=\"about\">%s</td>", e->description ? e->description : "") < 0)
        return -1;
    return buf_addf(to, "</tr>\n");
}

static int summary_add(struct buf *to, const struct listing *l)
{
    uint32_t folders = 0;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        folders += l->entries[i].is_dir;
        bytes += l->entries[i].is_dir ? 0 : l->entries[i].size;
    }
    uint32_t files = l->count - folders;
    if (l->count == 0)
        return buf_addf(to, "<p class=\"sum\">Nothing is in here.</p>\n");
    if (l->cut)
        return buf_addf(to, "<p class=\"sum\">There is more in here than is shown: %u entries are.</p>\n", l->count);
    if (buf_addf(to, "<p class=\"sum\">%u folder%s, %u file%s, ", folders, folders == 1 ? "" : "s", files, files == 1 ? "" : "s") < 0
        || size_add(to, bytes) < 0)
        return -1;
    return buf_addf(to, "</p>\n");
}

static int table_head(struct buf *to, const struct listing *l, const struct request *r)
{
    bool size = !(l->options & INDEX_SUPPRESS_SIZE), date = !(l->options & INDEX_SUPPRESS_LAST_MODIFIED);
    if (buf_addf(to, "<table>\n<thead><tr>") < 0 || head_cell(to, l, 'N', "", "Name") < 0
        || (size && head_cell(to, l, 'S', " class=\"size\"", "Size") < 0)
        || (date && head_cell(to, l, 'M', " class=\"date\"", "Last modified (UTC)") < 0)
        || (l->described && head_cell(to, l, 'D', " class=\"about\"", "Description") < 0) || buf_addf(to, "</tr></thead>\n<tbody>\n") < 0)
        return -1;
    if (strcmp(r->uri, "/") == 0)
        return 0;
    if (buf_addf(to, "<tr><td>") < 0 || listing_icon(to, r, "..", true) < 0)
        return -1;
    return buf_addf(to, "<a class=\"dir\" href=\"../\">Parent folder</a></td>%s%s%s</tr>\n", size ? "<td></td>" : "", date ? "<td class=\"date\"></td>" : "",
                    l->described ? "<td></td>" : "");
}

/* What hrefs begin with: "./" keeps a name from being read as anything else; below no trailing slash (DirectorySlash Off) the folder's name. */
static struct slice listing_base(const struct request *r, char **owned)
{
    const char *last = strrchr(r->uri, '/');
    *owned = NULL;
    if (!last || last[1] == 0)
        return SLICE("./");
    if (asprintf(owned, "./%s/", last + 1) < 0) {
        *owned = NULL;
        return SLICE("./");
    }
    return slice_text(*owned);
}

/* What stands above the table: the file of HeaderName in place of the title, when it is HTML; without the page's own beginning where it has one. */
static int listing_begin(struct buf *to, const struct listing *l, struct slice title)
{
    bool own = l->header.text.len && l->header.is_html;
    if (!(own && l->options & INDEX_SUPPRESS_HTML_PREAMBLE) && page_begin(to, title, LISTING_STYLE) < 0)
        return -1;
    if (!own && (buf_addf(to, "<h1>") < 0 || html_escape(to, title) < 0 || buf_addf(to, "</h1>\n") < 0))
        return -1;
    return listing_text_add(to, &l->header);
}

static int listing_page(struct buf *to, const struct listing *l, const struct request *r)
{
    struct buf title = {0};
    char *owned;
    struct slice base = listing_base(r, &owned);
    int result = r->conf->index_title ? buf_addf(&title, "%s", r->conf->index_title) : buf_addf(&title, "Index of %s", r->uri);
    struct slice words = slice_of(title.at, title.len);
    if (result == 0 && (listing_begin(to, l, words) < 0 || table_head(to, l, r) < 0))
        result = -1;
    for (uint32_t i = 0; i < l->count && result == 0; i++)
        result = row_add(to, l, &l->entries[i], r, base);
    if (result == 0 && (buf_addf(to, "</tbody>\n</table>\n") < 0 || summary_add(to, l) < 0 || listing_text_add(to, &l->readme) < 0 || page_end(to, r) < 0))
        result = -1;
    buf_clear(&title);
    free(owned);
    return result;
}

/* A page that is all ours needs nothing but its style, and icons; what HTML of others in it needs is theirs to say. */
static void listing_policy(struct request *r, const struct listing *l)
{
    if (l->header.is_html || l->readme.is_html)
        return;
    if (listing_has_icons(r->conf))
        static_header(r, SLICE("Content-Security-Policy"), SLICE("default-src 'none'; style-src 'unsafe-inline'; img-src *; base-uri 'none'"));
    else
        static_header(r, SLICE("Content-Security-Policy"), SLICE("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"));
}

/* Who reads slowly keeps no more of a long page in memory than of any other answer: it waits in a file. */
static void listing_send(struct request *r, const struct buf *page)
{
    int fd = page->len > response_high_bytes(r) && !r->header_only ? spool_open("listing") : -1;
    bool spooled = fd >= 0 && spool_write(fd, page->at, page->len) == 0;
    r->clength = page->len;
    if (!spooled || (response_send_file(r, fd, 0, page->len) < 0 && r->response == RESPONSE_OPEN))
        response_write(r, page->at, page->len);
    if (fd >= 0)
        close(fd);
    response_finish(r);
}

int listing_answer(struct request *r, int fd)
{
    struct listing l = {.options = r->conf->index_options};
    l.described = r->conf->index_description_count && !(l.options & INDEX_SUPPRESS_DESCRIPTION);
    listing_text_read(r->beside[0], &l.header);
    listing_text_read(r->beside[1], &l.readme);
    struct buf page = {0};
    int status = 500;
    listing_order(&l, r->conf, l.options & INDEX_IGNORE_CLIENT ? NULL : r->args);
    if (listing_read(&l, r, fd) < 0)
        goto out;
    if (l.count)
        qsort_r(l.entries, l.count, sizeof *l.entries, entry_compare, &l);
    if (listing_page(&page, &l, r) < 0)
        goto out;
    status = 0;
    r->content_type = (char *)"text/html; charset=utf-8";
    listing_policy(r, &l);
    listing_send(r, &page);
out:
    free(l.entries);
    free(l.pattern);
    buf_clear(&l.header.text);
    buf_clear(&l.readme.text);
    buf_clear(&l.names);
    buf_clear(&page);
    return status;
}

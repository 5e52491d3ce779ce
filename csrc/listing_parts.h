/* What the files of directory listings share; nobody else includes it. */
#ifndef PYHOST_LISTING_PARTS_H
#define PYHOST_LISTING_PARTS_H

#include "buf.h"
#include "static_room.h"

struct entry {
    uint32_t name_at, name_len; /* in the names of the listing */
    bool is_dir;
    int64_t size, mtime_s;
    const char *description;    /* borrowed from the configuration; NULL: none */
};

/* listing_marks.c: what AddIcon, AddAlt and AddDescription say of an entry. name: NUL-terminated, no slash; ".." is the parent folder. */
const char *listing_description(const struct dir_conf *conf, const char *name);
/* Appends the <img>, or nothing where there is no icon. 0, or -1. */
int listing_icon(struct buf *to, const struct request *r, const char *name, bool is_dir);
bool listing_has_icons(const struct dir_conf *conf);

/* listing_text.c: HeaderName and ReadmeName. What is in the file, and whether it is HTML; len 0: there is none. */
struct listing_text { struct buf text; bool is_html; };
/* found: the sub-request for it, NULL: none. Owned by the caller (buf_clear). A file that cannot be read, is no text, or longer than LIMIT_LISTING_TEXT_BYTES is logged and left out. */
void listing_text_read(const struct request *found, struct listing_text *out);
int listing_text_add(struct buf *to, const struct listing_text *text);

#endif

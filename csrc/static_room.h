/* What the files of the static room share; nobody outside includes it. */
#ifndef PYHOST_STATIC_ROOM_H
#define PYHOST_STATIC_ROOM_H

#include "request.h"

/* --- static_open.c --- */

enum link_policy {
    LINKS_FOLLOW, /* Options FollowSymLinks: also out of the root, as in httpd */
    LINKS_OWNER,  /* SymLinksIfOwnerMatch: link and target belong to the same user */
    LINKS_NONE
};

/* Opens path (absolute) read-only and close-on-exec. root: a prefix of path that the administrator named; links in it are followed whatever the
 * policy is, links below it as the policy says. more: further open flags (O_DIRECTORY, O_PATH). Returns a descriptor that the caller
 * closes, or -1 with errno (ELOOP: a link that may not be followed; EXDEV: above the root). Context: any thread; no GIL. */
int static_open_path(const char *root, const char *path, enum link_policy policy, int more);
/* The same without openat2, for kernels and sandboxes that lack it: component by component. */
int static_walk_path(const char *root, const char *path, enum link_policy policy, int more);
/* Length of a path without slashes at its end. */
size_t static_root_len(const char *root);
/* 404 for ENOENT, 403 for EACCES … */
int static_errno_status(int error);
/* Is the last component of the path one that is never served nor shown (.ht*)? */
bool static_name_is_hidden(const char *path);

/* --- static_root.c --- */

/* Opens r->filename as its Options say. 0 with *fd, or the status to answer (logged). */
int static_open(const struct request *r, int more, int *fd);

/* --- static_range.c --- */

struct range;

/* Answers 206 with these ranges of the open file (length bytes long). 0: finished; else the status to answer. */
int range_send(struct request *r, int fd, int64_t length, const struct range *ranges, int count);
/* Can range_send do it with bounded memory and descriptors? Otherwise the whole file is the answer. */
bool range_is_bounded(const struct range *ranges, int count);
/* Body bytes from an open file: small pieces are read, so that they leave with the head in one write, large ones go by sendfile.
 * 0, or -1 with errno (EIO: the file is shorter than it was). */
int static_send_piece(struct request *r, int fd, int64_t offset, int64_t len);

/* --- static_dir.c --- */

/* r->filename is a directory: see static_answer. */
int static_directory(struct request *r, char **index);

/* --- listing.c --- */

/* Answers with a page that lists the open directory (takes fd). 0: finished; else the status to answer. */
int listing_answer(struct request *r, int fd);

/* --- static.c --- */

/* 0 when the method is GET or HEAD; else what to answer, with Allow set: 405, 501, or -1 when the answer (OPTIONS) has been finished. */
int static_method(struct request *r);
/* Finishes the response when result is 0 or its head is out (a body that is too short closes the connection); else 0 is not returned but the
 * status for errno, with the response as if nothing had been tried. */
int static_finish(struct request *r, int result);
/* Puts a field of static life (or the arena's) into headers_out; value.at stays valid with the request. */
void static_header(struct request *r, struct slice name, struct slice value);

#endif

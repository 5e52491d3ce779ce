/* What the files that read names as mod_mime share. Nobody else includes this. */
#ifndef PYHOST_ROUTE_MIME_H
#define PYHOST_ROUTE_MIME_H

#include "route.h"

enum { EXTENSION_BYTES = 64 };

/* Context of all: any thread; pure but for route_describe. */
/* The extensions of the base name. */
struct slice route_extensions(const char *name);
/* Takes ".ext" off the front of *rest into out, lower case with its dot; false: none left. Those too long for any table come out empty. */
bool route_extension_next(struct slice *rest, char out[EXTENSION_BYTES]);
/* The value under a key, NULL: none. */
const char *route_pair_find(const struct pair_conf *pairs, int count, const char *key);
/* Sets the type of r (static text, or NULL) with the charset that its file's extensions name, its encodings and its languages (route_mime.c). Context: the
 * loop thread. */
void route_describe(struct request *r, const char *type);

#endif

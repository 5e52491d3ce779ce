/* Passwords against what htpasswd stores: crypt(3)'s kinds (bcrypt, SHA-512, SHA-256, MD5, DES), "$apr1$" and "{SHA}". */
#ifndef PYHOST_PASSWORD_H
#define PYHOST_PASSWORD_H

#include <stdbool.h>

#include "slice.h"

/* Most kinds are slow on purpose (bcrypt: milliseconds and more), too slow for the loop. Pairs that were right lately are remembered, as a
 * keyed digest: another hash in the file asks anew by itself. */

/* Has this pair been right lately, or is the kind a fast one and the pair right? *slow: only the slow way can tell. Context: the loop thread. */
bool password_is_known(const char *password, const char *stored, bool *slow);

struct password_check { /* owned by whoever asked for it */
    char *password, *stored; /* owned */
    bool fits;
};
struct password_check *password_check_new(const char *password, const char *stored); /* NULL with errno ENOMEM */
void password_check_run(struct password_check *check); /* Context: any thread; may take seconds */
bool password_check_end(struct password_check *check); /* remembers what was right and frees it. Context: the loop thread */

#endif

/* Passwords against what htpasswd stores: crypt(3)'s kinds (bcrypt, SHA-512, SHA-256, MD5, DES), "$apr1$" and "{SHA}". */
#ifndef PYHOST_PASSWORD_H
#define PYHOST_PASSWORD_H

#include <stdbool.h>

#include "slice.h"

/* Is it the password behind stored? Compares in constant time. Slow on purpose of whoever chose the hash (bcrypt: milliseconds), therefore
 * pairs that were right lately are remembered (as a keyed digest) and answered at once. Context: the loop thread. */
bool password_is(const char *password, const char *stored);

#endif

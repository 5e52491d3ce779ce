/* MD5 and SHA-1, for what htpasswd writes ("$apr1$", "{SHA}") and for nothing new. */
#ifndef PYHOST_DIGEST_H
#define PYHOST_DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct digest {
    uint32_t state[5];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
    void (*mix)(struct digest *d);
};

/* Context of all: any thread; pure. */
void digest_md5_start(struct digest *d);
void digest_sha1_start(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t n);
void digest_md5_end(struct digest *d, unsigned char out[16]);
void digest_sha1_end(struct digest *d, unsigned char out[20]);

#endif

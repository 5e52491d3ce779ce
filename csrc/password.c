/* What was right is remembered as SHA-1 over a key of this process, the password and the stored hash: a changed file asks anew by itself. */
#include "password.h"

#include <crypt.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base64.h"
#include "digest.h"
#include "limit.h"

enum { APR1_SALT_BYTES = 8, APR1_ROUNDS = 1000 };

static struct { bool ready; unsigned char key[32]; unsigned char right[LIMIT_PASSWORDS_KNOWN][20]; } known; /* of this process's loop thread */

static bool same_bytes(const char *a, const char *b, size_t n)
{
    unsigned char differ = 0;
    for (size_t i = 0; i < n; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    return !differ;
}

static bool same_text(const char *a, const char *b)
{
    size_t n = strlen(a);
    return n == strlen(b) && same_bytes(a, b, n);
}

static const char crypt64[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool sha_is(const char *password, const char *stored)
{
    unsigned char sum[20];
    char text[29] = "";
    struct digest d;
    digest_sha1_start(&d);
    digest_add(&d, password, strlen(password));
    digest_sha1_end(&d, sum);
    base64_encode(text, sum, sizeof sum);
    return same_text(text, stored);
}

/* The first sum of Poul-Henning Kamp's MD5 crypt, of which $apr1$ is a variant with another name. */
static void apr1_begin(const char *password, const char *salt, size_t salt_len, unsigned char sum[16])
{
    size_t len = strlen(password);
    struct digest d, other;
    digest_md5_start(&other);
    digest_add(&other, password, len);
    digest_add(&other, salt, salt_len);
    digest_add(&other, password, len);
    digest_md5_end(&other, sum);
    digest_md5_start(&d);
    digest_add(&d, password, len);
    digest_add(&d, "$apr1$", 6);
    digest_add(&d, salt, salt_len);
    for (size_t left = len; left; left -= left < 16 ? left : 16)
        digest_add(&d, sum, left < 16 ? left : 16);
    for (size_t bits = len; bits; bits >>= 1)
        digest_add(&d, bits & 1 ? "" : password, 1); /* a NUL, or the first letter */
    digest_md5_end(&d, sum);
}

static void apr1_stretch(const char *password, const char *salt, size_t salt_len, unsigned char sum[16])
{
    size_t len = strlen(password);
    for (int i = 0; i < APR1_ROUNDS; i++) {
        struct digest d;
        digest_md5_start(&d);
        digest_add(&d, i & 1 ? password : (const char *)sum, i & 1 ? len : 16);
        if (i % 3)
            digest_add(&d, salt, salt_len);
        if (i % 7)
            digest_add(&d, password, len);
        digest_add(&d, i & 1 ? (const char *)sum : password, i & 1 ? 16 : len);
        digest_md5_end(&d, sum);
    }
}

/* stored is what follows "$apr1$": the salt, '$', 22 letters of the sum in the order that crypt chose. */
static bool apr1_is(const char *password, const char *stored)
{
    static const unsigned char order[6][3] = {{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}, {16, 16, 11}};
    size_t salt_len = strcspn(stored, "$");
    unsigned char sum[17] = {0};
    char text[23];
    if (salt_len > APR1_SALT_BYTES || stored[salt_len] != '$')
        return false;
    apr1_begin(password, stored, salt_len, sum);
    apr1_stretch(password, stored, salt_len, sum);
    for (int i = 0, k = 0; i < 6; i++) {
        uint32_t bits = (uint32_t)sum[order[i][0]] << 16 | (uint32_t)sum[order[i][1]] << 8 | sum[order[i][2]];
        for (int j = 0; j < (i < 5 ? 4 : 2); j++, bits >>= 6)
            text[k++] = crypt64[bits & 63];
    }
    text[22] = 0;
    return same_text(text, stored + salt_len + 1);
}

static bool crypt_is(const char *password, const char *stored)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made = data ? crypt_r(password, stored, data) : NULL;
    bool same = made && made[0] != '*' && same_text(made, stored);
    if (data)
        explicit_bzero(data, sizeof *data);
    free(data);
    return same;
}

/* Where a hash is slow, it is one of these. */
static bool slow_fits(const char *password, const char *stored)
{
    return strncmp(stored, "$apr1$", 6) == 0 ? apr1_is(password, stored + 6) : crypt_is(password, stored);
}

static void keyed_sum(const char *password, const char *stored, unsigned char out[20])
{
    struct digest d;
    digest_sha1_start(&d);
    digest_add(&d, known.key, sizeof known.key);
    digest_add(&d, password, strlen(password) + 1);
    digest_add(&d, stored, strlen(stored));
    digest_sha1_end(&d, out);
    explicit_bzero(&d, sizeof d);
}

/* Where such a pair is remembered; NULL: the system has no random key to give. */
static unsigned char *known_slot(const char *password, const char *stored, unsigned char sum[20])
{
    if (!known.ready)
        known.ready = getrandom(known.key, sizeof known.key, 0) == (ssize_t)sizeof known.key;
    if (!known.ready)
        return NULL;
    keyed_sum(password, stored, sum);
    return known.right[(sum[0] | sum[1] << 8) & (LIMIT_PASSWORDS_KNOWN - 1)];
}

bool password_is_known(const char *password, const char *stored, bool *slow)
{
    unsigned char sum[20];
    *slow = strncmp(stored, "{SHA}", 5) != 0;
    if (!*slow)
        return sha_is(password, stored + 5);
    const unsigned char *slot = known_slot(password, stored, sum);
    return slot && same_bytes((const char *)slot, (const char *)sum, sizeof sum);
}

struct password_check *password_check_new(const char *password, const char *stored)
{
    struct password_check *check = calloc(1, sizeof *check);
    if (!check)
        return NULL;
    check->password = strdup(password);
    check->stored = strdup(stored);
    if (check->password && check->stored)
        return check;
    password_check_end(check);
    return NULL;
}

void password_check_run(struct password_check *check) { check->fits = slow_fits(check->password, check->stored); }

bool password_check_end(struct password_check *check)
{
    unsigned char sum[20], *slot;
    bool fits = check->fits;
    if (fits && (slot = known_slot(check->password, check->stored, sum)))
        memcpy(slot, sum, sizeof sum);
    if (check->password)
        explicit_bzero(check->password, strlen(check->password));
    free(check->password);
    free(check->stored);
    free(check);
    return fits;
}

/* Require trees with httpd's logic: a directive grants, denies, or has nothing to say; "not" can only take away; and where naming another user
 * could change the result, the answer is 401 and not 403. */
#include "access.h"

#include <arpa/inet.h>
#include <errno.h>

#include "auth_file.h"
#include "env.h"
#include "expr.h"
#include "log.h"
#include "origin.h"

enum verdict { VERDICT_NEUTRAL, VERDICT_GRANTED, VERDICT_DENIED, VERDICT_DENIED_NO_USER };

bool access_net_contains(const struct net_conf *net, const unsigned char address[16])
{
    int bytes = net->bits / 8, rest = net->bits % 8;
    if (memcmp(net->address, address, (size_t)bytes) != 0)
        return false;
    return !rest || !((net->address[bytes] ^ address[bytes]) >> (8 - rest));
}

static bool address_parse(const char *text, unsigned char out[16])
{
    memcpy(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    return inet_pton(AF_INET, text, out + 12) == 1 || inet_pton(AF_INET6, text, out) == 1;
}

bool access_client_address(const struct request *r, unsigned char out[16])
{
    if (r->useragent_ip)
        return address_parse(r->useragent_ip, out);
    memcpy(out, r->peer.address, 16);
    return r->peer.family == AF_INET || r->peer.family == AF_INET6;
}

static bool ip_is_listed(const struct request *r, const struct require_conf *q)
{
    unsigned char address[16];
    if (!access_client_address(r, address))
        return false;
    for (int i = 0; i < q->count; i++)
        if (access_net_contains(&q->nets[i], address))
            return true;
    return false;
}

/* A unix socket says nothing of where the client is: most often a proxy is at its other end. */
static bool is_local(const struct request *r)
{
    static const struct net_conf loopback = {.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}, .bits = 104};
    static const struct net_conf loopback6 = {.address = {[15] = 1}, .bits = 128};
    unsigned char address[16];
    char client[46], local[46];
    if (!access_client_address(r, address))
        return false;
    if (access_net_contains(&loopback, address) || access_net_contains(&loopback6, address))
        return true;
    origin_client_text(r, client);
    origin_local_text(r, local);
    return local[0] && !strcmp(client, local);
}

static bool word_is(const struct require_conf *q, const char *text)
{
    for (int i = 0; text && i < q->count; i++)
        if (!strcmp(q->words[i], text))
            return true;
    return false;
}

static bool env_is_set(const struct request *r, const struct require_conf *q)
{
    for (int i = 0; i < q->count; i++)
        if (table_find(&r->subprocess_env, slice_text(q->words[i])))
            return true;
    return false;
}

static bool list_has(struct slice list, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0, start; i < list.len; i++) {
        for (start = i; i < list.len && list.at[i] != ' ' && list.at[i] != '\t';)
            i++;
        if (slice_is(slice_of(list.at + start, i - start), word, len))
            return true;
    }
    return false;
}

static bool group_has(const struct request *r, const struct require_conf *q)
{
    int error = 0;
    if (!r->conf->auth_group_file) {
        log_request(r, LEVEL_ERROR, "access", "Require group: there is no AuthGroupFile");
        return false;
    }
    for (int i = 0; i < q->count; i++) {
        struct slice members = auth_file_find(r->conf->auth_group_file, slice_text(q->words[i]), &error);
        if (error) {
            log_request(r, LEVEL_ERROR, "access", "AuthGroupFile %s: %s", r->conf->auth_group_file, strerror(error));
            return false;
        }
        if (members.at && list_has(members, r->user))
            return true;
    }
    return false;
}

static enum verdict verdict_of(bool granted) { return granted ? VERDICT_GRANTED : VERDICT_DENIED; }

/* Somebody else might pass: the client is asked (again) who it is. */
static enum verdict verdict_of_user(bool granted) { return granted ? VERDICT_GRANTED : VERDICT_DENIED_NO_USER; }

static enum verdict evaluate(const struct request *r, const struct require_conf *q);

static enum verdict all_of(const struct request *r, const struct require_conf *q)
{
    enum verdict result = VERDICT_NEUTRAL;
    for (int i = 0; i < q->count; i++) {
        enum verdict v = evaluate(r, &q->children[i]);
        if (v == VERDICT_DENIED)
            return v;
        if (v == VERDICT_DENIED_NO_USER || result == VERDICT_NEUTRAL)
            result = v == VERDICT_NEUTRAL ? result : v;
    }
    return result;
}

static enum verdict any_of(const struct request *r, const struct require_conf *q)
{
    enum verdict result = VERDICT_NEUTRAL;
    for (int i = 0; i < q->count; i++) {
        enum verdict v = evaluate(r, &q->children[i]);
        if (v == VERDICT_GRANTED)
            return v;
        if (v == VERDICT_DENIED_NO_USER || result == VERDICT_NEUTRAL)
            result = v == VERDICT_NEUTRAL ? result : v;
    }
    return result;
}

static enum verdict turned(enum verdict v) { return v == VERDICT_GRANTED ? VERDICT_DENIED : VERDICT_NEUTRAL; }

static enum verdict evaluate_one(const struct request *r, const struct require_conf *q)
{
    switch ((enum require_kind)q->kind) {
    case REQUIRE_ALL_OF:
        return all_of(r, q);
    case REQUIRE_ANY_OF:
        return any_of(r, q);
    case REQUIRE_NONE_OF:
        return turned(any_of(r, q));
    case REQUIRE_GRANTED:
        return VERDICT_GRANTED;
    case REQUIRE_DENIED:
    case REQUIRE_HOST: /* would need a look-up of names, which waits: the configuration refuses it */
        return VERDICT_DENIED;
    case REQUIRE_IP:
        return verdict_of(ip_is_listed(r, q));
    case REQUIRE_LOCAL:
        return verdict_of(is_local(r));
    case REQUIRE_METHOD:
        return verdict_of(word_is(q, r->method) || (r->header_only && word_is(q, "GET")));
    case REQUIRE_ENV:
        return verdict_of(env_is_set(r, q));
    case REQUIRE_USER:
        return verdict_of_user(r->user && word_is(q, r->user));
    case REQUIRE_GROUP:
        return verdict_of_user(r->user && group_has(r, q));
    case REQUIRE_VALID_USER:
        return verdict_of_user(r->user != NULL);
    case REQUIRE_EXPR: /* httpd: a user could make a difference only where there is none yet */
        return expr_holds(&q->expr, r) ? VERDICT_GRANTED : !r->user && expr_asks_user(&q->expr) ? VERDICT_DENIED_NO_USER : VERDICT_DENIED;
    }
    return VERDICT_DENIED;
}

static enum verdict evaluate(const struct request *r, const struct require_conf *q)
{
    enum verdict v = evaluate_one(r, q);
    return q->negate ? turned(v) : v;
}

enum access_result access_check(const struct request *r)
{
    enum verdict v = r->conf->require ? evaluate(r, r->conf->require) : VERDICT_GRANTED;
    if (v == VERDICT_GRANTED)
        return ACCESS_GRANTED;
    return v == VERDICT_DENIED_NO_USER ? ACCESS_NEEDS_USER : ACCESS_DENIED;
}

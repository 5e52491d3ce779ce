/* One offer after the other is read strictly; one with a parameter that is unknown, doubled or out of its range is left out, as RFC 7692 5.1 wants. */
#include "ws_offer.h"

#include <string.h>

struct words { struct slice left; bool malformed; };

static bool is_token_byte(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_space(struct words *w)
{
    while (w->left.len && (w->left.at[0] == ' ' || w->left.at[0] == '\t'))
        w->left = slice_of(w->left.at + 1, w->left.len - 1);
}

/* Is this the next byte? Then it is taken. */
static bool take(struct words *w, char c)
{
    skip_space(w);
    if (!w->left.len || w->left.at[0] != c)
        return false;
    w->left = slice_of(w->left.at + 1, w->left.len - 1);
    return true;
}

static struct slice take_token(struct words *w)
{
    size_t n = 0;
    skip_space(w);
    while (n < w->left.len && is_token_byte((unsigned char)w->left.at[n]))
        n++;
    struct slice token = slice_of(w->left.at, n);
    w->malformed |= !n;
    w->left = slice_of(w->left.at + n, w->left.len - n);
    return token;
}

/* A token, or one in quotes (RFC 6455 9.1: what is quoted has to be a token). */
static struct slice take_value(struct words *w)
{
    bool quoted = take(w, '"');
    struct slice value = take_token(w);
    if (quoted && !(w->left.len && w->left.at[0] == '"'))
        w->malformed = true;
    else if (quoted)
        w->left = slice_of(w->left.at + 1, w->left.len - 1);
    return value;
}

/* 8 to 15; 0: it is no such number. */
static uint8_t bits_of(struct slice value)
{
    if (value.len == 1 && (value.at[0] == '8' || value.at[0] == '9'))
        return (uint8_t)(value.at[0] - '0');
    if (value.len == 2 && value.at[0] == '1' && value.at[1] >= '0' && value.at[1] <= '5')
        return (uint8_t)(10 + value.at[1] - '0');
    return 0;
}

struct offer { bool deflate, bad, out_reset, in_reset, has_out_bits, has_in_bits; uint8_t out_bits, in_bits; };

static void read_flag(struct offer *o, bool *flag, bool has_value)
{
    o->bad |= *flag || has_value;
    *flag = true;
}

static void read_bits(struct offer *o, bool *given, uint8_t *bits, struct slice value, bool has_value, bool needs_value)
{
    *bits = has_value ? bits_of(value) : WS_WINDOW_BITS_MAX;
    o->bad |= *given || !*bits || (needs_value && !has_value);
    *given = true;
}

static void read_parameter(struct offer *o, struct words *w)
{
    struct slice name = take_token(w), value = {NULL, 0};
    bool has_value = take(w, '=');
    if (has_value)
        value = take_value(w);
    if (slice_eq_nocase(name, SLICE("server_no_context_takeover")))
        read_flag(o, &o->out_reset, has_value);
    else if (slice_eq_nocase(name, SLICE("client_no_context_takeover")))
        read_flag(o, &o->in_reset, has_value);
    else if (slice_eq_nocase(name, SLICE("server_max_window_bits")))
        read_bits(o, &o->has_out_bits, &o->out_bits, value, has_value, true);
    else if (slice_eq_nocase(name, SLICE("client_max_window_bits")))
        read_bits(o, &o->has_in_bits, &o->in_bits, value, has_value, false);
    else
        o->bad = true;
}

static uint8_t least(uint8_t a, uint8_t b) { return a < b ? a : b; }

static bool agree(const struct offer *o, const struct ws_terms *wishes, struct ws_terms *agreed)
{
    if (!o->deflate || o->bad || (o->has_out_bits && o->out_bits < WS_WINDOW_BITS_MIN))
        return false;
    agreed->keep_out = wishes->keep_out && !o->out_reset;
    agreed->keep_in = wishes->keep_in && !o->in_reset;
    agreed->out_bits = o->has_out_bits ? least(o->out_bits, wishes->out_bits) : wishes->out_bits;
    agreed->in_bits_told = o->has_in_bits;
    agreed->in_bits = o->has_in_bits ? least(o->in_bits, wishes->in_bits) : WS_WINDOW_BITS_MAX;
    return true;
}

enum ws_offer_result ws_offer_choose(struct slice value, const struct ws_terms *wishes, struct ws_terms *agreed)
{
    struct words w = {.left = value};
    enum ws_offer_result result = WS_OFFER_NONE;
    skip_space(&w);
    while (w.left.len && !w.malformed) {
        struct offer o = {0};
        if (take(&w, ','))
            continue;
        o.deflate = slice_eq_nocase(take_token(&w), SLICE("permessage-deflate"));
        while (!w.malformed && take(&w, ';'))
            read_parameter(&o, &w);
        skip_space(&w);
        w.malformed |= w.left.len && w.left.at[0] != ',';
        if (result == WS_OFFER_NONE && agree(&o, wishes, agreed))
            result = WS_OFFER_TAKEN;
    }
    return w.malformed ? WS_OFFER_MALFORMED : result;
}

static size_t add(char *to, size_t at, struct slice text)
{
    memcpy(to + at, text.at, text.len);
    return at + text.len;
}

static size_t add_bits(char *to, size_t at, struct slice name, unsigned bits)
{
    at = add(to, at, name);
    if (bits >= 10)
        to[at++] = '1';
    to[at++] = (char)('0' + bits % 10);
    return at;
}

size_t ws_offer_answer(const struct ws_terms *agreed, char to[WS_TERMS_BYTES])
{
    size_t at = add(to, 0, SLICE("permessage-deflate"));
    if (!agreed->keep_out)
        at = add(to, at, SLICE("; server_no_context_takeover"));
    if (!agreed->keep_in)
        at = add(to, at, SLICE("; client_no_context_takeover"));
    if (agreed->out_bits < WS_WINDOW_BITS_MAX)
        at = add_bits(to, at, SLICE("; server_max_window_bits="), agreed->out_bits);
    if (agreed->in_bits_told && agreed->in_bits < WS_WINDOW_BITS_MAX)
        at = add_bits(to, at, SLICE("; client_max_window_bits="), agreed->in_bits);
    return at;
}

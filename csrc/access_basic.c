/* AuthType Basic against AuthUserFile. */
#include <stdio.h>
#include <stdlib.h>

#include "access.h"
#include "auth_file.h"
#include "base64.h"
#include "log.h"

/* In place, with a NUL behind it. False: not base64, or a NUL in it. */
static bool decode(char *text, size_t len)
{
    size_t used, n = base64_decode(text, slice_of(text, len), &used), end = used;
    while (end < len && text[end] == '=' && end - used < 2)
        end++;
    bool whole = end == len && used % 4 != 1 && !memchr(text, 0, n);
    text[n] = 0;
    return whole;
}

bool access_basic_credentials(struct request *r, char **user, char **password)
{
    struct slice field = request_header(r, FIELD_AUTHORIZATION, SLICE("Authorization"));
    if (field.len < 6 || strncasecmp(field.at, "Basic ", 6) != 0)
        return false;
    field = slice_of(field.at + 6, field.len - 6);
    while (field.len && field.at[0] == ' ')
        field = slice_of(field.at + 1, field.len - 1);
    char *text = request_strdup(r, field);
    if (!text || !decode(text, field.len))
        return false;
    char *colon = strchr(text, ':');
    if (!colon)
        return false;
    *colon = 0;
    *user = text;
    *password = colon + 1;
    return true;
}

static bool is_basic(const struct request *r) { return r->conf->auth_type && strcasecmp(r->conf->auth_type, "Basic") == 0; }

/* Python's authentication handlers, where there are any, have had their turn and left the matter to us. */
static int misconfigured(struct request *r, const char *what)
{
    if (r->conf->hook_phases & 1 << PHASE_AUTHEN)
        return 401;
    log_request(r, LEVEL_ERROR, "access", "Require wants a user, but %s", what);
    return 500;
}

static int refused(struct request *r, const char *user, const char *why)
{
    log_request(r, LEVEL_ERROR, "access", "user %s: %s", user, why);
    return 401;
}

/* 0, 401, or ACCESS_BASIC_SLOW. */
static int compare(struct request *r, const char *user, const char *password, struct slice stored, struct password_check **slow)
{
    char *hash = strndup(stored.at, strcspn(stored.at, ":"));
    bool is_slow = false, fits = hash && (r->password == PASSWORD_RIGHT || password_is_known(password, hash, &is_slow));
    int status = fits ? 0 : 401;
    if (!fits && is_slow && r->password == PASSWORD_UNKNOWN && (*slow = password_check_new(password, hash)))
        status = ACCESS_BASIC_SLOW;
    free(hash);
    return status == 401 ? refused(r, user, "password mismatch") : status;
}

int access_basic(struct request *r, struct password_check **slow)
{
    char *user, *password;
    const char *path = r->conf->auth_user_file;
    int error = 0;
    if (!is_basic(r))
        return misconfigured(r, "AuthType is not Basic");
    if (!path)
        return misconfigured(r, "there is no AuthUserFile");
    if (!access_basic_credentials(r, &user, &password))
        return 401;
    struct slice stored = auth_file_find(path, slice_text(user), &error);
    if (error) {
        log_request(r, LEVEL_ERROR, "access", "AuthUserFile %s: %s", path, strerror(error));
        return 500;
    }
    if (!stored.at)
        return refused(r, user, "not found in AuthUserFile");
    int status = compare(r, user, password, stored, slow);
    if (status)
        return status;
    r->user = user;
    r->auth_type = (char *)"Basic";
    return 0;
}

void access_challenge(struct request *r)
{
    const char *realm = r->conf && r->conf->auth_name ? r->conf->auth_name : "";
    struct buf text = {.max = 8192};
    if (!r->conf || !is_basic(r) || table_find(&r->err_headers_out, SLICE("WWW-Authenticate")))
        return;
    if (buf_addf(&text, "Basic realm=\"") == 0) {
        for (; *realm; realm++)
            if (((*realm == '"' || *realm == '\\') && buf_add(&text, "\\", 1) < 0) || buf_add(&text, realm, 1) < 0)
                break;
        if (buf_add(&text, "\"", 1) == 0)
            table_set(&r->err_headers_out, SLICE("WWW-Authenticate"), slice_of(text.at, text.len));
    }
    buf_clear(&text);
}

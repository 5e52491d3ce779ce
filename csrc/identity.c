/* User and Group: the master stays as it was started, workers become somebody else before they see the first request. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "master_parts.h"

/* "#1000" as httpd writes a number. The system takes the largest, (uid_t)-1, for "as before"; larger ones would lose their upper bits. */
static bool number_of(const char *text, long *out)
{
    char *end;
    if (*text != '#')
        return false;
    *out = strtol(text + 1, &end, 10);
    return end != text + 1 && *end == 0 && *out >= 0 && *out < UINT32_MAX;
}

static int find_user(const char *user, struct identity *out)
{
    long number;
    const struct passwd *entry = number_of(user, &number) ? getpwuid((uid_t)number) : getpwnam(user);
    if (!entry && !number_of(user, &number))
        return -1;
    out->uid = entry ? entry->pw_uid : (uid_t)number;
    out->gid = entry ? entry->pw_gid : (gid_t)number;
    snprintf(out->name, sizeof out->name, "%s", entry ? entry->pw_name : "");
    return 0;
}

static int find_group(const char *group, struct identity *out)
{
    long number;
    const struct group *entry = number_of(group, &number) ? NULL : getgrnam(group);
    if (!entry && !number_of(group, &number))
        return -1;
    out->gid = entry ? entry->gr_gid : (gid_t)number;
    return 0;
}

int identity_find(const struct main_conf *conf, struct identity *out, char *error, int room)
{
    *out = (struct identity){.uid = geteuid(), .gid = getegid()};
    if (conf->user && find_user(conf->user, out) < 0) {
        snprintf(error, (size_t)room, "User: there is no user \"%s\"", conf->user);
        return -1;
    }
    if (conf->group && find_group(conf->group, out) < 0) {
        snprintf(error, (size_t)room, "Group: there is no group \"%s\"", conf->group);
        return -1;
    }
    out->change = geteuid() == 0 && (out->uid != geteuid() || out->gid != getegid());
    return 0;
}

int identity_take(const struct identity *identity)
{
    if (!identity->change)
        return 0;
    int groups = identity->name[0] ? initgroups(identity->name, identity->gid) : setgroups(0, NULL);
    if (groups < 0 || setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
        setresuid(identity->uid, identity->uid, identity->uid) < 0)
        return -1;
    if (identity->uid != 0 && setuid(0) == 0) { /* the way back must be closed */
        errno = EPERM;
        return -1;
    }
    return 0;
}

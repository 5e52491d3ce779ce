// sources: static_open.c
// Opening below a root: the same cases by openat2 and by the walk that stands in for it.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "check.h"
#include "static_room.h"

static char base[PATH_MAX];

static const char *at(const char *name)
{
    static char path[4][PATH_MAX + 300];
    static int turn;
    char *to = path[turn++ % 4];
    snprintf(to, sizeof path[0], "%s/%s", base, name);
    return to;
}

static void put(const char *name, const char *text)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", name);
    close(fd);
}

static void make_tree(void)
{
    CHECK(mkdir(at("root"), 0755) == 0 && mkdir(at("root/sub"), 0755) == 0 && mkdir(at("root/a..b"), 0755) == 0, "mkdir");
    put("root/file", "file");
    put("root/sub/file", "sub/file");
    put("root/a..b/..file", "dots");
    put("outside", "outside");
    CHECK(symlink("file", at("root/inside-link")) == 0 && symlink("../outside", at("root/outside-link")) == 0, "symlink");
    CHECK(symlink("sub", at("root/dir-link")) == 0 && symlink("loop", at("root/loop")) == 0, "symlink");
    CHECK(symlink(at("outside"), at("root/absolute-link")) == 0 && symlink("dir-link/../inside-link", at("root/chain")) == 0, "symlink");
    CHECK(symlink("/proc/self/root", at("root/magic")) == 0 && symlink("nothing", at("root/dangling")) == 0, "symlink");
    CHECK(symlink("root", at("root-link")) == 0 && mkfifo(at("root/fifo"), 0644) == 0, "root-link");
    CHECK(symlink("/etc/passwd", at("root/foreign")) == 0 && lchown(at("root/foreign"), 12345, 12345) == 0, "lchown");
    CHECK(symlink("file/", at("root/slash-link")) == 0 && symlink("sub/", at("root/slash-dir")) == 0, "symlink");
}

/* For each policy: the content, or NULL with the error. */
struct sample { const char *path, *follow; int follow_error; const char *owner; int owner_error; const char *none; int none_error; };

static const struct sample samples[] = {
    {"root/file", "file", 0, "file", 0, "file", 0},
    {"root//sub///file", "sub/file", 0, "sub/file", 0, "sub/file", 0},
    {"root/a..b/..file", "dots", 0, "dots", 0, "dots", 0},
    {"root/missing", NULL, ENOENT, NULL, ENOENT, NULL, ENOENT},
    {"root/missing/file", NULL, ENOENT, NULL, ENOENT, NULL, ENOENT},
    {"root/file/", NULL, ENOTDIR, NULL, ENOTDIR, NULL, ENOTDIR},
    {"root/file/more", NULL, ENOTDIR, NULL, ENOTDIR, NULL, ENOTDIR},
    {"root/../outside", NULL, EXDEV, NULL, EXDEV, NULL, EXDEV},
    {"root/sub/../file", NULL, EXDEV, NULL, EXDEV, NULL, EXDEV},
    {"root/..", NULL, EXDEV, NULL, EXDEV, NULL, EXDEV},
    {"root/inside-link", "file", 0, "file", 0, NULL, ELOOP},
    {"root/outside-link", "outside", 0, "outside", 0, NULL, ELOOP},
    {"root/absolute-link", "outside", 0, "outside", 0, NULL, ELOOP},
    {"root/dir-link/file", "sub/file", 0, "sub/file", 0, NULL, ELOOP},
    {"root/chain", "file", 0, "file", 0, NULL, ELOOP},
    {"root/slash-dir/file", "sub/file", 0, "sub/file", 0, NULL, ELOOP},
    {"root/slash-link", NULL, ENOTDIR, NULL, ENOTDIR, NULL, ELOOP},
    {"root/loop", NULL, ELOOP, NULL, ELOOP, NULL, ELOOP},
    {"root/dangling", NULL, ENOENT, NULL, ENOENT, NULL, ELOOP},
    {"root/magic/etc/passwd", NULL, ELOOP, NULL, ELOOP, NULL, ELOOP},
    {"root/foreign", "root:", 0, NULL, ELOOP, NULL, ELOOP}};

typedef int opener(const char *root, const char *path, enum link_policy policy, int more);

static void check_one(const char *name, opener *open_it, const char *root, const char *path, enum link_policy policy, const char *want, int error)
{
    char text[5] = "";
    errno = 0;
    int fd = open_it(root, at(path), policy, 0);
    int got = errno;
    CHECK((fd >= 0) == (want != NULL), "%s %s policy %d: %d %s", name, path, policy, fd, strerror(got));
    CHECK(want || got == error, "%s %s policy %d: %s, not %s", name, path, policy, strerror(got), strerror(error));
    if (fd < 0)
        return;
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC, "%s %s: not close-on-exec", name, path);
    ssize_t n = read(fd, text, sizeof text);
    CHECK(want && n >= 0 && strncmp(text, want, n < 5 ? (size_t)n : 5) == 0, "%s %s policy %d: %.5s", name, path, policy, text);
    close(fd);
}

static void check_all(const char *name, opener *open_it, const char *root)
{
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *s = &samples[i];
        check_one(name, open_it, root, s->path, LINKS_FOLLOW, s->follow, s->follow_error);
        check_one(name, open_it, root, s->path, LINKS_OWNER, s->owner, s->owner_error);
        check_one(name, open_it, root, s->path, LINKS_NONE, s->none, s->none_error);
    }
}

static void check_special(const char *name, opener *open_it)
{
    char long_name[NAME_MAX + 3 + 5] = "root/", *root = strdup(at("root"));
    struct stat st;
    for (enum link_policy policy = LINKS_FOLLOW; policy <= LINKS_NONE; policy++) {
        int fd = open_it(root, at("root/fifo"), policy, 0); /* must return at once; what it is, fstat tells */
        CHECK(fd >= 0 ? fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) : errno == ENXIO, "%s fifo: %s", name, strerror(errno));
        if (fd >= 0)
            close(fd);
        memset(long_name + 5, 'x', NAME_MAX + 1);
        CHECK(open_it(root, at(long_name), policy, 0) < 0 && errno == ENAMETOOLONG, "%s: %s", name, strerror(errno));
        fd = open_it(root, root, policy, O_PATH | O_DIRECTORY);
        CHECK(fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode), "%s: the root itself: %s", name, strerror(errno));
        close(fd);
        CHECK(open_it(root, at("root/file"), policy, O_PATH | O_DIRECTORY) < 0 && errno == ENOTDIR, "%s: %s", name, strerror(errno));
        fd = open_it(root, at("root/sub/"), policy, O_PATH | O_DIRECTORY);
        CHECK(fd >= 0, "%s: %s", name, strerror(errno));
        close(fd);
    }
    free(root);
}

/* The root is the administrator's: links in it are followed; a slash at its end changes nothing. */
static void check_roots(const char *name, opener *open_it)
{
    char *link_root = strdup(at("root-link")), *slash_root = strdup(at("root/"));
    check_one(name, open_it, link_root, "root-link/file", LINKS_NONE, "file", 0);
    check_one(name, open_it, link_root, "root-link/inside-link", LINKS_NONE, NULL, ELOOP);
    check_one(name, open_it, "", "root-link/file", LINKS_NONE, NULL, ELOOP);
    check_one(name, open_it, slash_root, "root/file", LINKS_NONE, "file", 0);
    check_one(name, open_it, slash_root, "root/sub/file", LINKS_OWNER, "sub/file", 0);
    free(link_root);
    free(slash_root);
}

static int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void check_names(void)
{
    static const struct { const char *path; bool hidden; } rows[] = {
        {"/www/.htaccess", true}, {"/www/.htpasswd", true}, {"/www/.HTAccess", true}, {"/www/.ht", true}, {"/www/.htaccess/", true}, {".htx", true},
        {"/www/htaccess", false}, {"/www/.h", false}, {"/www/x.htaccess", false}, {"/.htx/file", false}, {"/", false}, {"", false}, {"/www/.", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK(static_name_is_hidden(rows[i].path) == rows[i].hidden, "%s", rows[i].path);
}

int main(void)
{
    if (!getcwd(base, sizeof base - 300))
        return 1;
    snprintf(base + strlen(base), 64, "/tree-%d", (int)getpid());
    CHECK(mkdir(base, 0755) == 0, "%s", base);
    make_tree();
    char *root = strdup(at("root"));
    int before = count_fds();
    check_all("open", static_open_path, root);
    check_all("walk", static_walk_path, root);
    check_special("open", static_open_path);
    check_special("walk", static_walk_path);
    check_roots("open", static_open_path);
    check_roots("walk", static_walk_path);
    check_names();
    CHECK(count_fds() == before, "%d descriptors were left open", count_fds() - before);
    free(root);
    return check_result();
}

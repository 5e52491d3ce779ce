/* Which library asks: known ones may be switched under, others keep their thread to themselves.
 *
 * A library that keeps its own thread-local identity (gRPC, Rust runtimes) aborts when another greenlet comes by on its thread; it blocks
 * instead, rightly. Verdicts are per call site, kept in a small direct-mapped cache, since a call site never changes its library. */
#include "green.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <string.h>

#include "green_real.h"

enum { VERDICTS = 1024, MORE_MAX = 64 };

static struct { const void *address; bool allowed; } verdicts[VERDICTS];
static const char *more[MORE_MAX]; /* PyGreenLibraries; borrowed */
static int more_count;

/* Beginnings of file names. */
static const char *const known[] = {
    "libpython", "libssl", "libcrypto", "libpq", "libmariadb", "libmysqlclient", "libperconaserverclient", "libhiredis", "libsqlite3", "libffi",
    "libldap", "liblber", "libsasl2", "libodbc", "libfreetds", "libsybdb", "libct.", "libcurl", "libssh", "libcares", "libevent", "libev.",
    "_mysql", "_psycopg", "hiredis", "pq.", "_psycopg_binary", "psycopg", "_pymssql", "_sqlite3", "pyodbc", "_cffi_backend", "_ssl", "_hashlib",
    "_ctypes", "pycurl", "_pycurl", "_zmq", "uvloop", "libuv", "corecext", "_mariadb"};

static bool has_prefix(const char *name, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (prefixes[i] && strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool file_allowed(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return strstr(path, "/lib-dynload/") || has_prefix(name, known, sizeof known / sizeof *known) || has_prefix(name, more, (size_t)more_count);
}

/* The program itself is never asked for: its own calls in a handler are not the handler's. */
static bool look_up(const void *address)
{
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map || !map->l_name || !*map->l_name)
        return false;
    return file_allowed(map->l_name);
}

bool green_library_allowed(const void *address)
{
    size_t slot = ((uintptr_t)address >> 2) % VERDICTS;
    if (verdicts[slot].address != address) {
        verdicts[slot].allowed = look_up(address);
        verdicts[slot].address = address;
    }
    return verdicts[slot].allowed;
}

void green_allow_library(const char *prefix)
{
    if (more_count < MORE_MAX)
        more[more_count++] = prefix;
    memset(verdicts, 0, sizeof verdicts);
}

/* --- where libpython and this thread's stack are --- */

static struct { uintptr_t from, to; } python_text;

static int find_text(struct dl_phdr_info *info, size_t size, void *wanted)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || (uintptr_t)wanted < from || (uintptr_t)wanted >= from + p->p_memsz)
            continue;
        python_text.from = from;
        python_text.to = from + p->p_memsz;
        return 1;
    }
    return 0;
}

bool green_find_libpython(const void *inside)
{
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1(inside, &info, (void **)&map, RTLD_DL_LINKMAP) || !map || !map->l_name || !*map->l_name)
        return false; /* a static libpython: its calls cannot be told from the program's own */
    return dl_iterate_phdr(find_text, (void *)(uintptr_t)inside) == 1;
}

bool green_in_libpython(const void *address) { return (uintptr_t)address >= python_text.from && (uintptr_t)address < python_text.to; }

static _Thread_local struct { uintptr_t from, to; } stack;

bool green_on_stack(const void *address)
{
    if (!stack.to) {
        pthread_attr_t attr;
        void *base = NULL;
        size_t size = 0;
        if (pthread_getattr_np(green_real.pthread_self(), &attr))
            return true;
        pthread_attr_getstack(&attr, &base, &size);
        pthread_attr_destroy(&attr);
        stack.from = (uintptr_t)base;
        stack.to = stack.from + size;
    }
    return (uintptr_t)address >= stack.from && (uintptr_t)address < stack.to;
}

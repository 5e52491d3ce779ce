/* Finds libc's own functions. The program's .preinit_array runs before any library's constructor, so no hook is called without them. */
#include "green_real.h"

#include <dlfcn.h>

#include "green.h"

struct green_real green_real;

const char *const green_call_names[] = {
#define GREEN_NAME(type, name, args) #name,
    GREEN_REAL(GREEN_NAME)
#undef GREEN_NAME
    NULL};

/* glibc has two generations of condition variables under one name; the default one is not always what dlsym finds. */
static void *find(const char *name)
{
    void *at = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return at ? at : dlsym(RTLD_NEXT, name);
}

void green_real_fill(void)
{
    if (green_real.recv)
        return;
#define GREEN_FIND(type, name, args) *(void **)&green_real.name = find(#name);
    GREEN_REAL(GREEN_FIND)
#undef GREEN_FIND
}

static void fill_early(int argc, char **argv, char **env)
{
    (void)argc;
    (void)argv;
    (void)env;
    green_real_fill();
}

__attribute__((section(".preinit_array"), used)) static void (*const fill_first)(int, char **, char **) = fill_early;

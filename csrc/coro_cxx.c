/* C++ exceptions in flight. The C++ runtime keeps those that are being handled per thread, so a greenlet that waits in a catch block would find
 * another one's exception there. They are exchanged with each switch, as the ABI for it allows: __cxa_get_globals is two words. */
#include <dlfcn.h>

#include "coro_impl.h"

static struct coro_cxx *of_thread; /* the loop thread's; NULL: no C++ runtime in this process */

void coro_cxx_init(void)
{
    void *runtime = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    struct coro_cxx *(*globals)(void) = NULL;
    if (runtime)
        *(void **)&globals = dlsym(runtime, "__cxa_get_globals");
    of_thread = globals ? globals() : NULL;
}

void coro_cxx_swap(struct coro_cxx *kept)
{
    if (!of_thread)
        return;
    struct coro_cxx now = *of_thread;
    *of_thread = *kept;
    *kept = now;
}

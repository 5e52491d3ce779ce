/* Whom pthread_self names: asked by libpython in a handler greenlet, the greenlet. So thread ids, the owners of RLocks and
 * threading.current_thread() are per greenlet; everybody else gets the thread. */
#include "green.h"

#include <pthread.h>
#include <signal.h>

#include "green_hooks.h"

extern _Thread_local uintptr_t green_identity __attribute__((tls_model("initial-exec")));
_Thread_local uintptr_t green_identity __attribute__((tls_model("initial-exec")));

pthread_t pthread_self(void)
{
    if (__builtin_expect(green_identity != 0, 0) && green_in_libpython(GREEN_CALLER()))
        return (pthread_t)green_identity;
    return green_real.pthread_self();
}

static pthread_t loop_thread;

void green_identity_init(void) { loop_thread = green_real.pthread_self(); }

/* A greenlet's id in a call about threads, of any thread, means the thread that it runs on. What a thread's id points to begins with its own
 * address (the ABI's thread control block); a greenlet begins with the complement of its own. */
static pthread_t real_thread(pthread_t thread)
{
    return loop_thread && thread && *(const uintptr_t *)thread == ~(uintptr_t)thread ? loop_thread : thread;
}

int pthread_kill(pthread_t thread, int signal_number) { return green_real.pthread_kill(real_thread(thread), signal_number); }
int pthread_getcpuclockid(pthread_t thread, clockid_t *clock) { return green_real.pthread_getcpuclockid(real_thread(thread), clock); }

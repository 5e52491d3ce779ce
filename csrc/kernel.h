/* A system call that does not wait, made in place: libc's own functions make every call a cancellation point (two atomic operations), and each
 * return after the kernel's costs more than it looks, as processors forget their predictions on the way. */
#ifndef PYHOST_KERNEL_H
#define PYHOST_KERNEL_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The result, or -1 with errno. */
static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long r;
    /* at the end of a cache line it costs 0.25 us more on AMD Zen: whoever grows a function before it would wonder */
    __asm__ volatile(".p2align 4\n\tsyscall" : "=a"(r) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    if (__builtin_expect(r < 0 && r >= -4095, 0)) {
        errno = (int)-r;
        return -1;
    }
    return r;
#else
    return syscall(number, a, b, c, d, e, f);
#endif
}

#endif

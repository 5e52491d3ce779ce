/* Where the stacks of greenlets that wait are copied to. greenlet takes and gives back such a copy, some 2 KiB, with each switch; libc's malloc is at its
 * slowest there (past its cache for small pieces, split and merged each time). Here a piece is a piece of its size for ever, and it is known whose stack
 * lies where, so that it can be fetched into the cache before it is switched to.
 *
 * greenlet asks PyMem, which has room for an allocator of others. Ours answers for what was ordered by coro_copy_for, and passes on all the rest. Spans of
 * memory are cut into pieces of one size; one that is empty again serves another size, and goes back to the system where there are many. */
#include "coro_impl.h"

#include <string.h>
#include <sys/mman.h>

enum {
    COPY_MIN = 513, COPY_MAX = 4096, /* bytes; others are left to PyMem */
    STEP = 64,
    SIZES = COPY_MAX / STEP + 1,
    SPAN_BYTES = 32768,
    SPANS = 65536,      /* 2 GiB of addresses */
    SPANS_EMPTY_MAX = 64 /* kept with their memory */
};

struct span {
    struct span *next, **at; /* of those of its size that have room, or of the empty ones */
    void *free;
    uint32_t cut;       /* bytes from its start that have been cut into pieces */
    uint16_t used, size; /* pieces; in STEPs */
    bool bare;          /* its memory went back */
};

static struct {
    PyMemAllocatorEx real;
    char *base;         /* NULL: no room for them */
    struct coro_copy *order;
    struct span *roomy[SIZES], *empty;
    unsigned count, empty_count; /* spans that have ever been used; with memory and nothing in it */
    struct span spans[SPANS];
} copies;

static void span_link(struct span **list, struct span *s)
{
    s->next = *list;
    s->at = list;
    if (s->next)
        s->next->at = &s->next;
    *list = s;
}

static void span_unlink(struct span *s)
{
    *s->at = s->next;
    if (s->next)
        s->next->at = s->at;
}

static char *span_start(const struct span *s) { return copies.base + (size_t)(s - copies.spans) * SPAN_BYTES; }
static bool span_is_full(const struct span *s) { return !s->free && s->cut + (uint32_t)s->size * STEP > SPAN_BYTES; }

static struct span *span_new(uint16_t size)
{
    struct span *s = copies.empty;
    if (s) {
        span_unlink(s);
        copies.empty_count -= !s->bare;
    } else if (copies.count < SPANS && !mprotect(copies.base + (size_t)copies.count * SPAN_BYTES, SPAN_BYTES, PROT_READ | PROT_WRITE)) {
        s = &copies.spans[copies.count++];
    } else {
        return NULL;
    }
    *s = (struct span){.size = size};
    span_link(&copies.roomy[size], s);
    return s;
}

static void *copy_new(size_t bytes)
{
    uint16_t size = (uint16_t)((bytes + STEP - 1) / STEP);
    struct span *s = copies.roomy[size];
    if (!s && !(s = span_new(size)))
        return NULL;
    void *copy = s->free;
    if (copy) {
        memcpy(&s->free, copy, sizeof s->free);
    } else {
        copy = span_start(s) + s->cut;
        s->cut += (uint32_t)size * STEP;
    }
    s->used++;
    if (span_is_full(s))
        span_unlink(s);
    return copy;
}

static void span_rest(struct span *s)
{
    span_unlink(s);
    s->bare = copies.empty_count == SPANS_EMPTY_MAX;
    if (s->bare)
        madvise(span_start(s), SPAN_BYTES, MADV_DONTNEED);
    copies.empty_count += !s->bare;
    span_link(&copies.empty, s);
}

static struct span *span_of(const void *copy)
{
    size_t at = (size_t)((const char *)copy - copies.base); /* huge where copy lies below */
    return at < (size_t)SPANS * SPAN_BYTES ? &copies.spans[at / SPAN_BYTES] : NULL;
}

static void copy_free(struct span *s, void *copy)
{
    if (span_is_full(s))
        span_link(&copies.roomy[s->size], s);
    memcpy(copy, &s->free, sizeof s->free);
    s->free = copy;
    if (--s->used == 0)
        span_rest(s);
}

static void *mem_realloc(void *ctx, void *before, size_t bytes)
{
    if (!before && copies.order && bytes >= COPY_MIN && bytes <= COPY_MAX) {
        void *copy = copy_new(bytes);
        copies.order->at = copy;
        copies.order->bytes = (uint32_t)bytes;
        copies.order = NULL;
        if (copy)
            return copy;
    }
    struct span *s = before ? span_of(before) : NULL;
    if (!s)
        return copies.real.realloc(ctx, before, bytes);
    size_t held = (size_t)s->size * STEP;
    void *after = copies.real.malloc(ctx, bytes);
    if (after) {
        memcpy(after, before, held < bytes ? held : bytes);
        copy_free(s, before);
    }
    return after;
}

static void mem_free(void *ctx, void *piece)
{
    struct span *s = span_of(piece);
    if (s)
        copy_free(s, piece);
    else
        copies.real.free(ctx, piece);
}

void coro_copy_for(struct coro_copy *copy) { copies.order = copy; }

/* Who traces from the start puts back the allocators that were there before when he stops, and ours with them: nobody would know its pieces then. */
static bool will_be_replaced(void) { return PyTraceMalloc_Untrack(0, 0) != -2; /* -2: nobody traces */ }

void coro_keep_copies(void)
{
    if (copies.base || will_be_replaced())
        return;
    void *base = mmap(NULL, (size_t)SPANS * SPAN_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return;
    copies.base = base;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &copies.real);
    PyMemAllocatorEx ours = copies.real;
    ours.realloc = mem_realloc;
    ours.free = mem_free;
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &ours);
}

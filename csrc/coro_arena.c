/* Chunks of Python stack: each new greenlet maps one and each that ends unmaps it, unless somebody keeps them. CPython takes them from the
 * arena allocator, with the GIL held. */
#include "coro_impl.h"

enum {
    ARENA_CACHE = 64, /* chunks of ended greenlets kept for new ones */
    ARENA_CHUNK_BYTES = 16384
};

static struct {
    PyObjectArenaAllocator real;
    void *kept[ARENA_CACHE];
    int count;
} arena;

static void *arena_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (size == ARENA_CHUNK_BYTES && arena.count)
        return arena.kept[--arena.count];
    return arena.real.alloc(arena.real.ctx, size);
}

static void arena_free(void *ctx, void *chunk, size_t size)
{
    (void)ctx;
    if (size == ARENA_CHUNK_BYTES && arena.count < ARENA_CACHE)
        arena.kept[arena.count++] = chunk;
    else
        arena.real.free(arena.real.ctx, chunk, size);
}

void coro_keep_chunks(void)
{
    if (arena.real.alloc)
        return;
    PyObject_GetArenaAllocator(&arena.real);
    PyObjectArenaAllocator ours = {NULL, arena_alloc, arena_free};
    PyObject_SetArenaAllocator(&ours);
}

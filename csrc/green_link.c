/* CPython lets the GIL go and takes it back around each system call: three mutexes and two signals, which our hooks would look at and pass on.
 * libpython's entries for these functions in its own table of addresses are set to libc's, as if we had never exported them. */
#include "green.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "green_real.h"

#if defined(__x86_64__)
enum { JUMP_SLOT = R_X86_64_JUMP_SLOT, GLOB_DAT = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { JUMP_SLOT = R_AARCH64_JUMP_SLOT, GLOB_DAT = R_AARCH64_GLOB_DAT };
#else
enum { JUMP_SLOT = -1, GLOB_DAT = -1 };
#endif

/* The parts of a library's dynamic section that are needed here. */
struct image {
    uintptr_t base;
    const ElfW(Sym) *symbols;
    const char *names;
    const ElfW(Rela) *tables[2]; /* of calls, of addresses */
    size_t bytes[2];
    uintptr_t relro_from, relro_to; /* read-only since it was loaded */
};

static const void *libc_of(const char *name)
{
    const struct { const char *name; const void *at; } straight[] = {
        {"pthread_mutex_lock", (const void *)(uintptr_t)green_real.pthread_mutex_lock},
        {"pthread_mutex_trylock", (const void *)(uintptr_t)green_real.pthread_mutex_trylock},
        {"pthread_mutex_unlock", (const void *)(uintptr_t)green_real.pthread_mutex_unlock},
        {"pthread_cond_wait", (const void *)(uintptr_t)green_real.pthread_cond_wait},
        {"pthread_cond_timedwait", (const void *)(uintptr_t)green_real.pthread_cond_timedwait},
        {"pthread_cond_signal", (const void *)(uintptr_t)green_real.pthread_cond_signal},
        {"pthread_cond_broadcast", (const void *)(uintptr_t)green_real.pthread_cond_broadcast}};
    for (size_t i = 0; i < sizeof straight / sizeof *straight; i++)
        if (strcmp(name, straight[i].name) == 0)
            return straight[i].at;
    return NULL;
}

static bool read_dynamic(const struct link_map *map, struct image *image)
{
    bool rela = false;
    image->base = map->l_addr;
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++)
        switch (d->d_tag) {
        case DT_SYMTAB: image->symbols = (const void *)d->d_un.d_ptr; break;
        case DT_STRTAB: image->names = (const void *)d->d_un.d_ptr; break;
        case DT_JMPREL: image->tables[0] = (const void *)d->d_un.d_ptr; break;
        case DT_PLTRELSZ: image->bytes[0] = d->d_un.d_val; break;
        case DT_RELA: image->tables[1] = (const void *)d->d_un.d_ptr; break;
        case DT_RELASZ: image->bytes[1] = d->d_un.d_val; break;
        case DT_PLTREL: rela = d->d_un.d_val == DT_RELA; break;
        default: break;
        }
    return rela && image->symbols && image->names;
}

static int find_relro(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct image *image = arg;
    if (info->dlpi_addr != image->base)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
            image->relro_from = image->base + info->dlpi_phdr[i].p_vaddr;
            image->relro_to = image->relro_from + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

static void set_slot(const struct image *image, const void **slot, const void *to)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)slot;
    bool read_only = at >= image->relro_from && at < image->relro_to;
    void *page = (void *)(at & ~(page_size - 1));
    if (read_only && mprotect(page, page_size, PROT_READ | PROT_WRITE))
        return;
    *slot = to;
    if (read_only)
        mprotect(page, page_size, PROT_READ);
}

static void link_table(const struct image *image, const ElfW(Rela) *table, size_t bytes)
{
    for (size_t i = 0; table && i < bytes / sizeof *table; i++) {
        int type = (int)ELF64_R_TYPE(table[i].r_info);
        if (type != JUMP_SLOT && type != GLOB_DAT)
            continue;
        const void *to = libc_of(image->names + image->symbols[ELF64_R_SYM(table[i].r_info)].st_name);
        if (to)
            set_slot(image, (const void **)(image->base + table[i].r_offset), to);
    }
}

void green_link_python(const void *inside)
{
    Dl_info info;
    struct link_map *map = NULL;
    struct image image = {0};
    if (!dladdr1(inside, &info, (void **)&map, RTLD_DL_LINKMAP) || !map || !read_dynamic(map, &image))
        return;
    dl_iterate_phdr(find_relro, &image);
    link_table(&image, image.tables[0], image.bytes[0]);
    link_table(&image, image.tables[1], image.bytes[1]);
}

/* The table of places that held up the worker: counts, long names, its bound. */
// sources: blocked.c
#include <stdio.h>
#include <string.h>

#include "blocked.h"
#include "check.h"

static struct blocked table;

static void counts_each_place(void)
{
    uint64_t count = 0;
    CHECK(!blocked_at(&table, 0, &count), "count %llu", (unsigned long long)count);
    CHECK(blocked_count(&table, "/a") == 1 && blocked_count(&table, "/b") == 1 && blocked_count(&table, "/a") == 2 && blocked_count(&table, NULL) == 1, "count %llu", (unsigned long long)count);
    CHECK(!strcmp(blocked_at(&table, 0, &count), "/a") && count == 2, "count %llu", (unsigned long long)count);
    CHECK(!strcmp(blocked_at(&table, 1, &count), "/b") && count == 1, "count %llu", (unsigned long long)count);
    CHECK(!strcmp(blocked_at(&table, 2, &count), "(no Location)") && count == 1, "count %llu", (unsigned long long)count);
    CHECK(!blocked_at(&table, 3, &count), "count %llu", (unsigned long long)count);
}

static void cuts_long_names(void)
{
    char name[BLOCKED_TEXT_BYTES * 2];
    uint64_t count = 0;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    CHECK(blocked_count(&table, name) == 1 && blocked_count(&table, name) == 2, "count %llu", (unsigned long long)count);
    CHECK(strlen(blocked_at(&table, 3, &count)) == BLOCKED_TEXT_BYTES - 1 && count == 2, "count %llu", (unsigned long long)count);
}

static void stays_within_its_bound(void)
{
    char name[32];
    uint64_t count = 0;
    unsigned used = 0;
    for (unsigned n = 0; n < BLOCKED_PLACES * 2; n++) {
        snprintf(name, sizeof name, "/many/%u", n);
        blocked_count(&table, name);
    }
    while (blocked_at(&table, used, &count))
        used++;
    CHECK(used == BLOCKED_PLACES, "count %llu", (unsigned long long)count);
    CHECK(!strcmp(blocked_at(&table, BLOCKED_PLACES - 1, &count), "(other Locations)"), "count %llu", (unsigned long long)count);
    CHECK(count == BLOCKED_PLACES * 2 - (BLOCKED_PLACES - 1 - 4), "count %llu", (unsigned long long)count);
    CHECK(blocked_count(&table, "/a") == 3, "count %llu", (unsigned long long)count);
}

static void adds_another_table(void)
{
    static struct blocked sum;
    uint64_t count = 0;
    blocked_count(&sum, "/a");
    blocked_add(&sum, &table);
    CHECK(!strcmp(blocked_at(&sum, 0, &count), "/a") && count == 4, "count %llu", (unsigned long long)count);
    CHECK(!strcmp(blocked_at(&sum, 1, &count), "/b") && count == 1, "count %llu", (unsigned long long)count);
}

int main(void)
{
    counts_each_place();
    cuts_long_names();
    stays_within_its_bound();
    adds_another_table();
    return check_result();
}

/* What the two files of ErrorLogFormat share; nobody else includes it. */
#ifndef PYHOST_LOG_EVENT_ITEMS_H
#define PYHOST_LOG_EVENT_ITEMS_H

#include "log_event.h"
#include "log_parts.h"

struct event_item;
typedef void (*event_item_fn)(struct log_sink *out, const struct log_event *e, const struct event_item *item);
struct event_item {
    event_item_fn write;  /* writes nothing where there is no value; NULL: text is copied as it is */
    const char *text;     /* borrowed from the format: words, or what stood in {}; NULL: there was none */
    uint32_t text_len;
    uint8_t flags;        /* enum event_flag */
    uint8_t least_level;  /* %7F: only in lines of this level or below it in importance */
};
/* Finds the writer of a letter by item->text; fills item->write. 0, or -1: there is none. */
int event_item_find(char letter, struct event_item *item);

#endif

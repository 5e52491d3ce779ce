/* Places and the queue for them: first come, first served. */
#include "cgi_pool.h"

void cgi_pool_init(struct cgi_pool *p, struct loop *loop, unsigned long long soft_files)
{
    *p = (struct cgi_pool){.loop = loop, .helper.fd = -1, .soft_files = soft_files};
}

static void queue_add(struct cgi_pool *p, struct cgi_place *place)
{
    place->state = CGI_PLACE_WAITS;
    place->next = NULL;
    place->prev = p->last;
    if (p->last)
        p->last->next = place;
    else
        p->first = place;
    p->last = place;
    p->waiting++;
}

static void queue_remove(struct cgi_pool *p, struct cgi_place *place)
{
    if (place->prev)
        place->prev->next = place->next;
    else
        p->first = place->next;
    if (place->next)
        place->next->prev = place->prev;
    else
        p->last = place->prev;
    place->state = CGI_PLACE_NONE;
    p->waiting--;
}

bool cgi_pool_enter(struct cgi_pool *p, struct cgi_place *place, uint32_t most, uint32_t most_waiting)
{
    if (p->held < most && !p->first) {
        place->state = CGI_PLACE_HELD;
        p->held++;
        return true;
    }
    if (p->waiting >= most_waiting)
        return false;
    queue_add(p, place);
    return true;
}

void cgi_pool_leave(struct cgi_pool *p, struct cgi_place *place, uint32_t most)
{
    if (place->state == CGI_PLACE_WAITS)
        queue_remove(p, place);
    else if (place->state == CGI_PLACE_HELD)
        p->held--;
    place->state = CGI_PLACE_NONE;
    while (p->first && p->held < most) {
        struct cgi_place *next = p->first;
        queue_remove(p, next);
        next->state = CGI_PLACE_HELD;
        p->held++;
        next->granted(next);
    }
}

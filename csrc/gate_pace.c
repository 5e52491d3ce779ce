/* Is a client that takes long for its answer to be waited for any longer? */
#include "gate.h"
#include "log.h"
#include "shm.h"

bool gate_waits_for_client(struct conn *c, const char *module)
{
    const struct server_conf *server = c->req->server;
    int64_t wanted = server->response_min_rate * server->timeout_ms / 1000;
    uint32_t taken = conn_taken(c);
    if (taken && taken >= wanted)
        return true;
    log_request(c->req, LEVEL_INFO, module, taken ? "the client takes the answer too slowly: PyResponseMinRate" : "the client takes no more of the answer: Timeout");
    shm_add(limits_hit, 1);
    return false;
}

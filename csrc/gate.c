/* Which protocol is spoken where. */
#include "gate.h"

const struct gate *gate_for(int protocol)
{
    static const struct gate *const gates[] = {
        [PROTOCOL_HTTP] = &gate_http, [PROTOCOL_FASTCGI] = &gate_fcgi, [PROTOCOL_SCGI] = &gate_scgi, [PROTOCOL_UWSGI] = &gate_uwsgi};
    return protocol >= 0 && protocol < (int)(sizeof gates / sizeof *gates) ? gates[protocol] : NULL;
}

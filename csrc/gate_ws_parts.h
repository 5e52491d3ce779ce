/* What the files of the WebSocket gate share. */
#ifndef PYHOST_GATE_WS_PARTS_H
#define PYHOST_GATE_WS_PARTS_H

#include "gate_ws.h"

/* Context: the loop thread. The connection is the WebSocket's from now on; takes a reference. */
void gate_ws_take(struct conn *c, struct websocket *ws);

#endif

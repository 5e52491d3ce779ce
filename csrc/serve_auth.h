/* Passwords whose hash is slow: verified in a pool thread, while the loop goes on. */
#ifndef PYHOST_SERVE_AUTH_H
#define PYHOST_SERVE_AUTH_H

#include "access.h"
#include "loop.h"

/* Runs the check (taken) in a thread; then, on the hub, sets r->password and calls resume. False: no thread can be had, the check has been run
 * right here and r->password is set. Context: the loop thread. */
bool auth_later(struct loop *loop, struct request *r, struct password_check *check, void (*resume)(struct request *r));

#endif

/* Who may: Require trees, and Basic credentials against AuthUserFile. C only; Python's access and auth phases run beside it. */
#ifndef PYHOST_ACCESS_H
#define PYHOST_ACCESS_H

#include "password.h"
#include "request.h"

enum access_result {
    ACCESS_GRANTED,
    ACCESS_DENIED,   /* 403 */
    ACCESS_NEEDS_USER/* 401 unless an authentication phase sets r->user */
};

/* Context of all: the loop thread; no I/O but the read of AuthUserFile (cached by mtime) in access_basic. */
/* Evaluates the Require tree for the request; users count as known when r->user is set. */
enum access_result access_check(const struct request *r);
/* Checks "Authorization: Basic" against AuthUserFile; sets r->user and r->auth_type. 0: good; 401: no or bad credentials; 500: misconfigured;
 * ACCESS_BASIC_SLOW: only a slow hash can tell; *slow is for another thread to run (password.h), then r->password is set and this is called again. */
enum { ACCESS_BASIC_SLOW = -1 };
int access_basic(struct request *r, struct password_check **slow);
/* Name and password of "Authorization: Basic", in the request's arena. False: there is none, or it is none. */
bool access_basic_credentials(struct request *r, char **user, char **password);
/* Puts the WWW-Authenticate challenge for AuthType Basic into err_headers_out. */
void access_challenge(struct request *r);
/* The client's address as 16 bytes (IPv4 mapped), honouring useragent_ip. False for unix sockets. */
bool access_client_address(const struct request *r, unsigned char out[16]);
bool access_net_contains(const struct net_conf *net, const unsigned char address[16]);

#endif

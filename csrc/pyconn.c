/* mp_conn. It keeps what it needs of the connection, because requests and their objects may outlive it. */
#include "pyconn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>

#include "conn.h"
#include "log.h"
#include "origin.h"
#include "pyhlist.h"
#include "pyreq.h"
#include "pyserver.h"
#include "pyroom.h"
#include "pytable.h"
#include "pytext.h"

struct pyconn {
    PyObject_HEAD
    struct request *r;  /* counted reference: the first request of the chain that asked */
    uint64_t id;        /* of the connection */
    PyObject *notes;    /* strong: a table of its own, or NULL */
    int keepalive;      /* what Python has set, -1: nothing */
};

enum { ADDRESS_TEXT = 64 };

PyObject *pyconn_address(const char *ip, int port)
{
    return Py_BuildValue("(si)", ip, port);
}

/* Requests that came from one another share one connection object. */
static struct request *first_of_chain(struct request *r)
{
    while (r->prev || r->main_request)
        r = r->prev ? r->prev : r->main_request;
    return r;
}

/* The one of the chain that has the connection now. */
static struct request *holder_of(const struct pyconn *self)
{
    struct request *r = self->r;
    while (!r->conn && r->next)
        r = r->next;
    return r;
}

PyObject *pyconn_of(struct request *r)
{
    struct request *first = first_of_chain(r);
    struct pyrequest *holder = (struct pyrequest *)pyrequest_of(first);
    if (!holder)
        return NULL;
    PyTypeObject *type = pyroom_type(TYPE_CONN);
    struct pyconn *self = (struct pyconn *)holder->connection;
    if (!self) {
        self = (struct pyconn *)type->tp_alloc(type, 0);
        if (self) {
            self->r = request_ref(first);
            self->keepalive = -1;
            self->id = first->conn ? first->conn->id : r->conn ? r->conn->id : 0;
            holder->connection = (PyObject *)self;
        }
    }
    Py_XINCREF(self);
    Py_DECREF(holder);
    return (PyObject *)self;
}

static void conn_dealloc(PyObject *object)
{
    struct pyconn *self = (struct pyconn *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(self->notes);
    request_unref(self->r);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *conn_remote_host(const struct pyconn *self)
{
    (void)self;
    Py_RETURN_NONE; /* no look-ups behind the handler's back: get_remote_host() asks */
}

static PyObject *conn_client_ip(const struct pyconn *self)
{
    char text[ADDRESS_TEXT];
    peer_text(&self->r->peer, text, sizeof text);
    return PyUnicode_FromString(text);
}

static PyObject *conn_client_addr(const struct pyconn *self)
{
    char text[ADDRESS_TEXT];
    peer_text(&self->r->peer, text, sizeof text);
    return pyconn_address(text, self->r->peer.port);
}

static PyObject *conn_local(const struct pyconn *self, bool with_port)
{
    char text[ADDRESS_TEXT] = "";
    origin_local_text(self->r, text);
    return with_port ? pyconn_address(text, origin_local_port(self->r)) : PyUnicode_FromString(text);
}

static PyObject *conn_notes(PyObject *object)
{
    struct pyconn *self = (struct pyconn *)object;
    const struct table empty = {0};
    if (!self->notes)
        self->notes = pytable_view((struct table *)&empty, NULL);
    return Py_XNewRef(self->notes);
}

static bool same_address(const struct address_conf *a, const struct address_conf *b)
{
    return a->family == b->family && a->port == b->port && !memcmp(a->address, b->address, sizeof a->address);
}

/* The default server of the address that the connection came to: the first virtual host there, or the main server. */
static PyObject *conn_base_server(const struct pyconn *self)
{
    const struct server_conf *server = self->r->server;
    const struct main_conf *main = self->r->main;
    for (int i = 0; server->is_virtual && server->address_count && i < main->server_count; i++) {
        const struct server_conf *other = main->servers[i];
        for (int a = 0; a < other->address_count; a++)
            if (other->is_virtual && same_address(&other->addresses[a], &server->addresses[0]))
                return pyserver_of(other);
    }
    return pyserver_of(server);
}

/* httpd's: 0 not known yet, 1 close, 2 keep-alive. */
static long conn_keepalive(const struct pyconn *self)
{
    const struct request *r = holder_of(self);
    if (self->keepalive >= 0)
        return self->keepalive;
    if (r->response == RESPONSE_OPEN)
        return 0;
    return r->close_after ? 1 : 2;
}

static long conn_keepalives(const struct pyconn *self)
{
    return (long)self->r->keepalives + (holder_of(self)->response != RESPONSE_OPEN);
}

static PyObject *conn_aborted(const struct pyconn *self)
{
    const struct request *r = holder_of(self);
    return PyLong_FromLong(!r->conn || r->aborted);
}

enum conn_field {
    CONN_BASE_SERVER, CONN_LOCAL_ADDR, CONN_CLIENT_ADDR, CONN_REMOTE_ADDR, CONN_CLIENT_IP, CONN_REMOTE_IP, CONN_REMOTE_HOST, CONN_REMOTE_LOGNAME,
    CONN_ABORTED, CONN_DOUBLE_REVERSE, CONN_KEEPALIVES, CONN_LOCAL_IP, CONN_LOCAL_HOST, CONN_ID, CONN_NOTES, CONN_HLIST, CONN_REC
};

static PyObject *conn_hlist(const struct pyconn *self);

static PyObject *conn_deprecated(const struct pyconn *self, const char *old, const char *now, PyObject *value)
{
    log_request(self->r, LEVEL_WARN, "python", "conn.%s is deprecated in 2.4, use req.useragent_%s or conn.client_%s", old, now, now);
    return value;
}

static PyObject *conn_get(PyObject *object, void *closure)
{
    const struct pyconn *self = (struct pyconn *)object;
    switch ((enum conn_field)(intptr_t)closure) {
    case CONN_BASE_SERVER: return conn_base_server(self);
    case CONN_LOCAL_ADDR: return conn_local(self, true);
    case CONN_CLIENT_ADDR: return conn_client_addr(self);
    case CONN_REMOTE_ADDR: return conn_deprecated(self, "remote_addr", "addr", conn_client_addr(self));
    case CONN_CLIENT_IP: return conn_client_ip(self);
    case CONN_REMOTE_IP: return conn_deprecated(self, "remote_ip", "ip", conn_client_ip(self));
    case CONN_REMOTE_HOST: return conn_remote_host(self);
    case CONN_REMOTE_LOGNAME: Py_RETURN_NONE;
    case CONN_ABORTED: return conn_aborted(self);
    case CONN_DOUBLE_REVERSE: return PyLong_FromLong(0);
    case CONN_KEEPALIVES: return PyLong_FromLong(conn_keepalives(self));
    case CONN_LOCAL_IP: return conn_local(self, false);
    case CONN_LOCAL_HOST: Py_RETURN_NONE;
    case CONN_ID: return PyLong_FromUnsignedLongLong(self->id);
    case CONN_NOTES: return conn_notes(object);
    case CONN_HLIST: return conn_hlist(self);
    case CONN_REC: return PyCapsule_New((void *)self->r, "conn_rec", NULL);
    }
    Py_UNREACHABLE();
}

static PyObject *conn_get_keepalive(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(conn_keepalive((struct pyconn *)object));
}

/* AP_CONN_CLOSE closes the connection after this response; the other values leave it to the protocol. */
static int conn_set_keepalive(PyObject *object, PyObject *value, void *unused)
{
    struct pyconn *self = (struct pyconn *)object;
    long v = value ? PyLong_AsLong(value) : -1;
    (void)unused;
    if (v < 0 || v > 2) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "keepalive is 0 (unknown), 1 (close) or 2 (keep alive)");
        return -1;
    }
    self->keepalive = (int)v;
    if (v == 1)
        holder_of(self)->close_after = true;
    return 0;
}

static PyObject *conn_log_error(PyObject *object, PyObject *args)
{
    return pytext_log_error(((struct pyconn *)object)->r, NULL, args);
}

/* The request through which a connection handler reads; NULL with an exception: a request owns its connection's bytes. */
static struct pyrequest *conn_reader(PyObject *object)
{
    struct request *r = ((struct pyconn *)object)->r;
    struct pyrequest *reader = pyrequest_existing(r);
    if (r->at_phase != PHASE_CONNECTION) {
        PyErr_SetString(PyExc_OSError, "the connection of a request is read and written through the request; a PythonConnectionHandler has it to itself");
        return NULL;
    }
    if (reader && !pyrequest_check_live(reader))
        return reader;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_OSError, "this connection belongs to another interpreter");
    return NULL;
}

/* None at the end of the stream. */
static PyObject *none_at_end(PyObject *bytes)
{
    if (!bytes || PyBytes_GET_SIZE(bytes))
        return bytes;
    Py_DECREF(bytes);
    Py_RETURN_NONE;
}

/* read(): what has come, at least a byte; read(n): n bytes or up to the end; read(-1): all. */
static PyObject *conn_read(PyObject *object, PyObject *args)
{
    Py_ssize_t limit = 0;
    struct pyrequest *reader = PyArg_ParseTuple(args, "|n:read", &limit) ? conn_reader(object) : NULL;
    if (!reader)
        return NULL;
    return none_at_end(limit ? pyrequest_body_read(reader, limit) : pyrequest_body_some(reader));
}

static PyObject *conn_readline(PyObject *object, PyObject *args)
{
    Py_ssize_t limit = 0;
    struct pyrequest *reader = PyArg_ParseTuple(args, "|n:readline", &limit) ? conn_reader(object) : NULL;
    return reader ? none_at_end(pyrequest_body_readline(reader, limit ? limit : -1)) : NULL;
}

static PyObject *conn_write(PyObject *object, PyObject *data)
{
    struct pyrequest *reader = conn_reader(object);
    struct slice text;
    Py_buffer view;
    if (!reader || pytext_body(data, &text, &view))
        return NULL;
    struct request *r = reader->r;
    int failed = !r->conn || conn_send(r->conn, &text, 1) < 0;
    if (view.obj)
        PyBuffer_Release(&view);
    if (failed) {
        PyErr_SetString(PyExc_OSError, "Write failed, client closed connection.");
        return NULL;
    }
    return pyrequest_drain(r) ? NULL : Py_NewRef(Py_None);
}

static PyObject *conn_hlist(const struct pyconn *self)
{
    struct pyrequest *reader = self->r->at_phase == PHASE_CONNECTION ? pyrequest_existing(self->r) : NULL;
    return reader ? pyhlist_new(reader, NULL) : Py_NewRef(Py_None);
}

#define CONN_MEMBER(name, field) {name, conn_get, NULL, NULL, (void *)(intptr_t)(field)}
static PyGetSetDef conn_getset[] = {
    CONN_MEMBER("base_server", CONN_BASE_SERVER), CONN_MEMBER("local_addr", CONN_LOCAL_ADDR), CONN_MEMBER("client_addr", CONN_CLIENT_ADDR),
    CONN_MEMBER("remote_addr", CONN_REMOTE_ADDR), CONN_MEMBER("client_ip", CONN_CLIENT_IP), CONN_MEMBER("remote_ip", CONN_REMOTE_IP),
    CONN_MEMBER("remote_host", CONN_REMOTE_HOST), CONN_MEMBER("remote_logname", CONN_REMOTE_LOGNAME), CONN_MEMBER("aborted", CONN_ABORTED),
    CONN_MEMBER("double_reverse", CONN_DOUBLE_REVERSE), CONN_MEMBER("keepalives", CONN_KEEPALIVES), CONN_MEMBER("local_ip", CONN_LOCAL_IP),
    CONN_MEMBER("local_host", CONN_LOCAL_HOST), CONN_MEMBER("id", CONN_ID), CONN_MEMBER("notes", CONN_NOTES), CONN_MEMBER("hlist", CONN_HLIST),
    CONN_MEMBER("_conn_rec", CONN_REC), {"keepalive", conn_get_keepalive, conn_set_keepalive, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef conn_methods[] = {
    {"log_error", conn_log_error, METH_VARARGS, "log_error(message[, level]): writes into the error log."},
    {"read", conn_read, METH_VARARGS, "read([n]): bytes, None at the end. May switch."},
    {"readline", conn_readline, METH_VARARGS, "readline([n]): a line as bytes, None at the end. May switch."},
    {"write", conn_write, METH_O, "write(data): sends at once. May switch."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot conn_slots[] = {
    {Py_tp_doc, "The connection of a client."},
    {Py_tp_dealloc, conn_dealloc},
    {Py_tp_getset, conn_getset},
    {Py_tp_methods, conn_methods},
    {0, NULL},
};
PyType_Spec pyconn_spec = {
    .name = "mp_conn", .basicsize = sizeof(struct pyconn), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = conn_slots,
};

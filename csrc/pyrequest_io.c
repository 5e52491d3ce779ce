/* Body in, body out. Reading waits for the client, writing waits while the connection holds more than the high-water mark: both park the greenlet,
 * with the waker linked into the request, which this object keeps alive. */
#include "pyreq.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "coro.h"
#include "pyclient.h"
#include "pytext.h"
#include "response.h"

enum { READ_STEP_BYTES = 8192, READ_ALL_FIRST_BYTES = 65536 };

static PyObject *write_failed(void)
{
    if (errno == ENOMEM)
        return PyErr_NoMemory();
    int error = errno;
    if (error == EPROTO)
        PyErr_SetString(PyExc_ValueError, "Write failed, the response has a status or a header that must not be sent (see the error log).");
    else
        PyErr_SetString(PyExc_OSError, error == EPIPE ? "Write failed, client closed connection." : "Write failed, the response has ended.");
    if (error == EPIPE)
        pyclient_mark(error);
    return NULL;
}

int pyrequest_drain(struct request *r)
{
    while (response_is_congested(r) && !r->aborted && coro_current())
        if (pyrequest_wait(&r->on_drain))
            return -1;
    return 0;
}

static int flag_argument(PyObject *const *args, Py_ssize_t nargs, Py_ssize_t index, int missing)
{
    return nargs > index ? PyObject_IsTrue(args[index]) : missing;
}

/* Writes as the connection has room, so that a slow client holds no more than the high-water mark of it. 0, or -1 with an exception. SWITCHES. */
static int write_waiting(struct request *r, struct slice data)
{
    while (data.len) {
        long taken = response_write_some(r, data.at, data.len);
        if (taken < 0) {
            write_failed();
            return -1;
        }
        data = slice_of(data.at + taken, data.len - (size_t)taken);
        if (taken == 0 && !coro_current())
            return response_write(r, data.at, data.len) ? (write_failed(), -1) : 0;
        if (taken == 0 && pyrequest_drain(r))
            return -1;
    }
    return 0;
}

/* What is kept for one write with the head, or for fewer packets. */
static int write_gathering(struct request *r, struct slice data, bool flush)
{
    if (response_write(r, data.at, data.len) || (flush && response_flush_soon(r))) {
        write_failed();
        return -1;
    }
    return pyrequest_drain(r);
}

enum { GATHER_BYTES = 8192 };

PyObject *pyrequest_write(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    struct pyrequest *self = pyreq(object);
    struct request *r = self->r;
    struct slice data;
    Py_buffer view;
    if (nargs < 1 || nargs > 2) {
        PyErr_Format(PyExc_TypeError, "write() takes 1 or 2 arguments (%zd given)", nargs);
        return NULL;
    }
    int flush = flag_argument(args, nargs, 1, 1);
    if (flush < 0 || pyrequest_check_live(self) || pytext_body(args[0], &data, &view))
        return NULL;
    bool gather = data.len <= GATHER_BYTES || (!flush && r->response == RESPONSE_OPEN && r->out.len + data.len < response_high_bytes(r));
    int failed = gather ? write_gathering(r, data, flush) : write_waiting(r, data);
    if (view.obj)
        PyBuffer_Release(&view);
    return failed ? NULL : Py_NewRef(Py_None);
}

PyObject *pyrequest_flush(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    struct pyrequest *self = pyreq(object);
    (void)args;
    (void)nargs;
    if (pyrequest_check_live(self))
        return NULL;
    if (response_flush(self->r))
        return write_failed();
    return pyrequest_drain(self->r) ? NULL : Py_NewRef(Py_None);
}

/* The status that a body which never comes in whole deserves. */
static int body_status(int error)
{
    return error == EFBIG ? 413 : error == ETIMEDOUT ? 408 : 400;
}

static void raise_status(long status)
{
    PyObject *value = PyLong_FromLong(status);
    if (value)
        PyErr_SetObject(pyroom_get()->server_return, value);
    Py_XDECREF(value);
}

static void body_failed(int error)
{
    if (error == EFBIG)
        raise_status(413);
    else if (error == ETIMEDOUT)
        PyErr_SetString(PyExc_TimeoutError, "Client read error (Timeout?)");
    else if (error == ECONNRESET)
        PyErr_SetString(PyExc_ConnectionResetError, "Client read error: the client has gone before the body was whole");
    else if (error == EBADMSG)
        PyErr_SetString(PyExc_OSError, "Client read error: the body is malformed");
    else
        PyErr_Format(PyExc_OSError, "Client read error: %s", strerror(error));
    pyclient_mark(error);
}

/* Up to n bytes, waiting for the first: > 0, 0 at the end, -1 with errno (ECANCELED: an exception is set). SWITCHES. */
static long body_take(struct request *r, char *to, size_t n)
{
    for (;;) {
        long got = request_body_read(r, to, n);
        if (got >= 0 || errno != EAGAIN)
            return got;
        if (pyrequest_wait(&r->on_body)) {
            errno = ECANCELED;
            return -1;
        }
    }
}

int pyrequest_body_failed(int error)
{
    if (error != ECANCELED || !PyErr_Occurred())
        body_failed(error);
    return -1;
}

static PyObject *body_raise(void)
{
    pyrequest_body_failed(errno);
    return NULL;
}

static size_t line_left(const struct pyrequest *self) { return self->line.len - self->line_at; }

/* Takes what readline has read ahead. */
static size_t line_take(struct pyrequest *self, char *to, size_t n)
{
    size_t have = line_left(self);
    if (n > have)
        n = have;
    if (n)
        memcpy(to, self->line.at + self->line_at, n);
    self->line_at += (uint32_t)n;
    if (self->line_at == self->line.len) {
        buf_clear(&self->line);
        self->line_at = 0;
    }
    return n;
}

/* How much to make room for at first: a client's announced length is a wish, not a reason to take its memory at once. */
static size_t read_first_room(const struct pyrequest *self, Py_ssize_t limit)
{
    const struct request *r = self->r;
    size_t room = READ_ALL_FIRST_BYTES;
    if (r->head.has_length && r->head.length - r->body_bytes_read + line_left(self) < room)
        room = (size_t)(r->head.length - r->body_bytes_read) + line_left(self) + 1;
    return limit >= 0 && (size_t)limit < room ? (size_t)limit : room;
}

/* limit < 0: all there is. */
PyObject *pyrequest_body_read(struct pyrequest *self, Py_ssize_t limit)
{
    Py_ssize_t room = (Py_ssize_t)read_first_room(self, limit), len = 0;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, room);
    if (bytes)
        len = (Py_ssize_t)line_take(self, PyBytes_AS_STRING(bytes), (size_t)room);
    while (bytes && (limit < 0 || len < limit)) {
        if (len == room) {
            room = limit >= 0 && room * 2 > limit ? limit : room * 2;
            if (_PyBytes_Resize(&bytes, room))
                return NULL;
        }
        long got = line_left(self) ? (long)line_take(self, PyBytes_AS_STRING(bytes) + len, (size_t)(room - len))
                                   : body_take(self->r, PyBytes_AS_STRING(bytes) + len, (size_t)(room - len));
        if (got < 0) {
            Py_DECREF(bytes);
            return body_raise();
        }
        if (got == 0)
            break;
        len += got;
    }
    if (bytes && len != room)
        _PyBytes_Resize(&bytes, len);
    return bytes;
}

/* Reads ahead into the line buffer: bytes, 0 at the end, -1 with errno. */
static long line_fill(struct pyrequest *self)
{
    if (self->line_at) {
        buf_drop(&self->line, self->line_at);
        self->line_at = 0;
    }
    char *room = buf_room(&self->line, READ_STEP_BYTES);
    if (!room)
        return -1;
    long got = body_take(self->r, room, READ_STEP_BYTES);
    if (got > 0)
        self->line.len += (uint32_t)got;
    return got;
}

PyObject *pyrequest_body_some(struct pyrequest *self)
{
    if (!line_left(self)) {
        long got = line_fill(self);
        if (got < 0)
            return body_raise();
    }
    size_t have = line_left(self);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)have);
    if (bytes)
        line_take(self, PyBytes_AS_STRING(bytes), have);
    return bytes;
}

static int length_argument(PyObject *const *args, Py_ssize_t nargs, Py_ssize_t *out)
{
    *out = -1;
    if (nargs > 1) {
        PyErr_Format(PyExc_TypeError, "takes at most 1 argument (%zd given)", nargs);
        return -1;
    }
    if (nargs == 1 && args[0] != Py_None)
        *out = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    return PyErr_Occurred() ? -1 : 0;
}

PyObject *pyrequest_read(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t limit;
    if (length_argument(args, nargs, &limit) || pyrequest_check_live(pyreq(object)))
        return NULL;
    return limit == 0 ? PyBytes_FromStringAndSize(NULL, 0) : pyrequest_body_read(pyreq(object), limit);
}

/* A line with its newline, at most limit bytes of it (limit < 0: no bound). b"" at the end. */
PyObject *pyrequest_body_readline(struct pyrequest *self, Py_ssize_t limit)
{
    size_t searched = 0, len = 0;
    for (;;) {
        size_t have = line_left(self), most = limit >= 0 && (size_t)limit < have ? (size_t)limit : have;
        const char *from = self->line.at + self->line_at;
        const char *end = most > searched ? memchr(from + searched, '\n', most - searched) : NULL;
        len = end ? (size_t)(end - from) + 1 : most;
        if (end || (limit >= 0 && most == (size_t)limit))
            break;
        searched = most;
        long got = line_fill(self);
        if (got < 0)
            return body_raise();
        if (got == 0)
            break;
    }
    PyObject *line = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (line)
        line_take(self, PyBytes_AS_STRING(line), len);
    return line;
}

PyObject *pyrequest_readline(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t limit;
    if (length_argument(args, nargs, &limit) || pyrequest_check_live(pyreq(object)))
        return NULL;
    return limit == 0 ? PyBytes_FromStringAndSize(NULL, 0) : pyrequest_body_readline(pyreq(object), limit);
}

PyObject *pyrequest_readlines(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    Py_ssize_t hint, total = 0;
    if (length_argument(args, nargs, &hint) || pyrequest_check_live(pyreq(object)))
        return NULL;
    PyObject *lines = PyList_New(0);
    while (lines && (hint < 0 || total < hint)) {
        PyObject *line = pyrequest_body_readline(pyreq(object), -1);
        Py_ssize_t len = line ? PyBytes_GET_SIZE(line) : 0;
        if (!line || (len && PyList_Append(lines, line)))
            Py_CLEAR(lines);
        Py_XDECREF(line);
        if (!len)
            break;
        total += len;
    }
    return lines;
}

PyObject *pyrequest_discard_request_body(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    struct pyrequest *self = pyreq(object);
    (void)args;
    (void)nargs;
    if (pyrequest_check_live(self))
        return NULL;
    char *scratch = PyMem_Malloc(READ_STEP_BYTES); /* not on the stack: waiting copies the stack */
    if (!scratch)
        return PyErr_NoMemory();
    buf_clear(&self->line);
    self->line_at = 0;
    long got;
    while ((got = body_take(self->r, scratch, READ_STEP_BYTES)) > 0)
        continue;
    PyMem_Free(scratch);
    if (got < 0 && errno == ECANCELED)
        return NULL;
    return PyLong_FromLong(got < 0 ? body_status(errno) : 0);
}

static PyObject *sendfile_fd(struct request *r, int fd, PyObject *path, long long offset, long long len)
{
    struct stat st;
    if (fstat(fd, &st) || (S_ISREG(st.st_mode) ? 0 : (errno = EINVAL, 1)))
        return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    if (offset < 0 || offset > st.st_size) {
        PyErr_SetString(PyExc_OSError, "the offset lies outside of the file");
        return NULL;
    }
    if (len < 0 || len > st.st_size - offset)
        len = st.st_size - offset;
    if (response_send_file(r, fd, offset, len))
        return write_failed();
    return pyrequest_drain(r) ? NULL : PyLong_FromLongLong(len);
}

PyObject *pyrequest_sendfile(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    struct pyrequest *self = pyreq(object);
    PyObject *path = NULL;
    long long offset = 0, len = -1;
    if (nargs < 1 || nargs > 3) {
        PyErr_Format(PyExc_TypeError, "sendfile() takes 1 to 3 arguments (%zd given)", nargs);
        return NULL;
    }
    if (nargs > 1)
        offset = PyLong_AsLongLong(args[1]);
    if (nargs > 2 && !PyErr_Occurred())
        len = PyLong_AsLongLong(args[2]);
    if (PyErr_Occurred() || pyrequest_check_live(self) || !PyUnicode_FSConverter(args[0], &path))
        return NULL;
    int fd = open(PyBytes_AS_STRING(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    PyObject *result = fd < 0 ? PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, args[0]) : sendfile_fd(self->r, fd, args[0], offset, len);
    Py_DECREF(path);
    if (fd >= 0)
        close(fd);
    return result;
}

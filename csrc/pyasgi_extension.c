/* Extensions of ASGI's http scope: files that go out by the kernel, and early hints. */
#include "pyasgi_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "response.h"

PyObject *asgi_extensions(struct asgi_state *s)
{
    return Py_BuildValue("{O{}O{}}", s->keys[ASGI_PATHSEND], s->keys[ASGI_EARLY_HINT]);
}

/* A descriptor of a regular file and its size; -1 with an exception. */
static int open_file(PyObject *path, int64_t *size)
{
    PyObject *name = NULL;
    struct stat info;
    if (!PyUnicode_FSConverter(path, &name))
        return -1;
    int fd = open(PyBytes_AS_STRING(name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    Py_DECREF(name);
    if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        errno = fd >= 0 && !S_ISREG(info.st_mode) ? EINVAL : errno;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *size = info.st_size;
    return fd;
}

int asgi_send_path(struct cycle *c, PyObject *message)
{
    PyObject *path = PyDict_Check(message) ? PyDict_GetItemString(message, "path") : NULL;
    int64_t size = 0;
    if (!path) {
        PyErr_SetString(PyExc_TypeError, "http.response.pathsend needs a path");
        return -1;
    }
    int fd = open_file(path, &size);
    if (fd < 0)
        return -1;
    int result = c->request->conn ? response_send_file(c->request, fd, 0, size) : -1, error = errno;
    close(fd);
    errno = error;
    return result;
}

int asgi_send_hint(struct cycle *c, PyObject *message)
{
    PyObject *links = asgi_field(message, c->state->keys[ASGI_LINKS]), *iterator = links ? PyObject_GetIter(links) : NULL, *link;
    struct table fields = {0};
    int failed = 0;
    if (c->started) {
        PyErr_SetString(PyExc_RuntimeError, "http.response.early_hint came behind http.response.start");
        failed = -1;
    }
    while (!failed && iterator && (link = PyIter_Next(iterator))) {
        char *text;
        Py_ssize_t len;
        failed = PyBytes_AsStringAndSize(link, &text, &len) < 0 || table_add(&fields, SLICE("Link"), slice_of(text, (size_t)len)) < 0 ? -1 : 0;
        Py_DECREF(link);
    }
    if (!failed && !PyErr_Occurred())
        response_interim(c->request, 103, &fields); /* a client that has gone needs none */
    table_clear(&fields);
    Py_XDECREF(iterator);
    return failed || PyErr_Occurred() ? -1 : 0;
}

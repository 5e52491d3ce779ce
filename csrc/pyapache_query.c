/* parse_qs and parse_qsl: names and values of a query string or an urlencoded form. Text in, text out: percent escapes are decoded as UTF-8, bytes that
 * are none stay what they are as surrogates would not survive a log, so they become latin-1 characters; bytes in, bytes out. */
#include "pyapache.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "slice.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* '+' is a space; a bad escape stays as it is. Returns the length. */
static size_t unescape(struct slice from, char *to)
{
    size_t out = 0;
    for (size_t i = 0; i < from.len; i++) {
        char c = from.at[i];
        int high = c == '%' && i + 2 < from.len ? hex_digit(from.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(from.at[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        to[out++] = c;
    }
    return out;
}

static PyObject *decoded(struct slice from, char *scratch, bool bytes)
{
    size_t len = unescape(from, scratch);
    if (bytes)
        return PyBytes_FromStringAndSize(scratch, (Py_ssize_t)len);
    PyObject *text = PyUnicode_DecodeUTF8(scratch, (Py_ssize_t)len, NULL);
    if (text || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return text;
    PyErr_Clear();
    return PyUnicode_DecodeLatin1(scratch, (Py_ssize_t)len, NULL);
}

struct query {
    struct slice text;
    PyObject *owner;  /* strong: holds the text */
    bool bytes, keep_blank, strict;
    char *scratch;    /* owned; as long as the text */
    PyObject *pairs;  /* strong: the list */
};

static int query_open(struct query *q, PyObject *args, const char *format)
{
    PyObject *text;
    int keep_blank = 0, strict = 0;
    *q = (struct query){0};
    if (!PyArg_ParseTuple(args, format, &text, &keep_blank, &strict))
        return -1;
    q->bytes = PyBytes_Check(text);
    if (q->bytes)
        q->owner = Py_NewRef(text);
    else if (PyUnicode_Check(text))
        q->owner = PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape");
    else
        PyErr_SetString(PyExc_TypeError, "parse_qs() takes str or bytes");
    if (!q->owner)
        return -1;
    q->text = slice_of(PyBytes_AS_STRING(q->owner), (size_t)PyBytes_GET_SIZE(q->owner));
    q->keep_blank = keep_blank;
    q->strict = strict;
    q->scratch = PyMem_Malloc(q->text.len + 1);
    q->pairs = PyList_New(0);
    if (!q->scratch)
        PyErr_NoMemory();
    return q->scratch && q->pairs ? 0 : -1;
}

static void query_close(struct query *q)
{
    Py_XDECREF(q->owner);
    PyMem_Free(q->scratch);
    Py_XDECREF(q->pairs);
}

static int query_pair(struct query *q, struct slice field)
{
    const char *equals = memchr(field.at, '=', field.len);
    if (!field.len)
        return 0;
    if (!equals && q->strict) {
        PyErr_Format(PyExc_ValueError, "bad query field: '%.200s'", PyBytes_AS_STRING(q->owner));
        return -1;
    }
    struct slice name = slice_of(field.at, equals ? (size_t)(equals - field.at) : field.len);
    struct slice value = equals ? slice_of(equals + 1, field.len - name.len - 1) : slice_of("", 0);
    if (!value.len && !q->keep_blank)
        return 0;
    PyObject *k = decoded(name, q->scratch, q->bytes), *v = k ? decoded(value, q->scratch, q->bytes) : NULL;
    PyObject *pair = v ? PyTuple_Pack(2, k, v) : NULL;
    int result = pair ? PyList_Append(q->pairs, pair) : -1;
    Py_XDECREF(k);
    Py_XDECREF(v);
    Py_XDECREF(pair);
    return result;
}

static int query_run(struct query *q)
{
    size_t from = 0;
    for (size_t i = 0; i <= q->text.len; i++) {
        if (i < q->text.len && q->text.at[i] != '&' && q->text.at[i] != ';')
            continue;
        if (query_pair(q, slice_of(q->text.at + from, i - from)))
            return -1;
        from = i + 1;
    }
    return 0;
}

PyObject *pyapache_parse_qsl(PyObject *module, PyObject *args)
{
    struct query q;
    (void)module;
    PyObject *result = !query_open(&q, args, "O|ii:parse_qsl") && !query_run(&q) ? Py_NewRef(q.pairs) : NULL;
    query_close(&q);
    return result;
}

/* The pairs as a dict of lists. */
static PyObject *pairs_gathered(PyObject *pairs)
{
    PyObject *dict = PyDict_New();
    for (Py_ssize_t i = 0; dict && i < PyList_GET_SIZE(pairs); i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i), *empty = PyList_New(0);
        PyObject *values = empty ? PyDict_SetDefault(dict, PyTuple_GET_ITEM(pair, 0), empty) : NULL; /* borrowed */
        if (!values || PyList_Append(values, PyTuple_GET_ITEM(pair, 1)))
            Py_CLEAR(dict);
        Py_XDECREF(empty);
    }
    return dict;
}

PyObject *pyapache_parse_qs(PyObject *module, PyObject *args)
{
    struct query q;
    (void)module;
    PyObject *result = !query_open(&q, args, "O|ii:parse_qs") && !query_run(&q) ? pairs_gathered(q.pairs) : NULL;
    query_close(&q);
    return result;
}

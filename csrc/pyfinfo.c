/* mp_finfo. protection is APR's: rwx digits of owner, group and world as hexadecimal digits (0644 is 0x644). */
#include "pyfinfo.h"


#include "pyroom.h"
#include "pytext.h"

struct pyfinfo {
    PyObject_HEAD
    struct stat st;
    PyObject *fname; /* strong */
};

enum finfo_field { /* the tuple index of mod_python (FINFO_MODE … of the apache module); the last one was out of its reach there */
    FINFO_PROTECTION, FINFO_INODE, FINFO_DEVICE, FINFO_NLINK, FINFO_USER, FINFO_GROUP, FINFO_SIZE, FINFO_ATIME, FINFO_MTIME, FINFO_CTIME,
    FINFO_FNAME, FINFO_NAME, FINFO_FILETYPE, FINFO_INDEXES, FINFO_VALID = FINFO_INDEXES
};
enum { APR_FINFO_VALID = 0x0073f370 /* all that stat tells */ };

PyObject *pyfinfo_new(const struct stat *st, const char *fname)
{
    PyTypeObject *type = pyroom_type(TYPE_FINFO);
    struct pyfinfo *self = (struct pyfinfo *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->st = *st;
    self->fname = pytext_or_none(fname);
    if (!self->fname)
        Py_CLEAR(self);
    return (PyObject *)self;
}

const struct stat *pyfinfo_stat(PyObject *object)
{
    if (object && PyObject_TypeCheck(object, pyroom_type(TYPE_FINFO)))
        return &((struct pyfinfo *)object)->st;
    PyErr_SetString(PyExc_TypeError, "an mp_finfo is expected, such as apache.stat() returns");
    return NULL;
}

static void finfo_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(((struct pyfinfo *)object)->fname);
    type->tp_free(object);
    Py_DECREF(type);
}

static long finfo_filetype(mode_t mode)
{
    switch (mode & S_IFMT) {
    case 0: return 0;
    case S_IFREG: return 1;
    case S_IFDIR: return 2;
    case S_IFCHR: return 3;
    case S_IFBLK: return 4;
    case S_IFIFO: return 5;
    case S_IFLNK: return 6;
    case S_IFSOCK: return 7;
    }
    return 127;
}

static long finfo_protection(mode_t mode)
{
    long digits = (long)(mode & 07) | (long)(mode >> 3 & 07) << 4 | (long)(mode >> 6 & 07) << 8;
    return digits | (mode & S_ISUID ? 0x8000 : 0) | (mode & S_ISGID ? 0x4000 : 0) | (mode & S_ISVTX ? 0x2000 : 0);
}

static PyObject *finfo_number(const struct stat *st, enum finfo_field field)
{
    switch ((int)field) {
    case FINFO_VALID: return PyLong_FromLong(APR_FINFO_VALID);
    case FINFO_PROTECTION: return PyLong_FromLong(finfo_protection(st->st_mode));
    case FINFO_USER: return PyLong_FromUnsignedLong(st->st_uid);
    case FINFO_GROUP: return PyLong_FromUnsignedLong(st->st_gid);
    case FINFO_INODE: return PyLong_FromUnsignedLongLong(st->st_ino);
    case FINFO_DEVICE: return PyLong_FromUnsignedLongLong(st->st_dev);
    case FINFO_NLINK: return PyLong_FromUnsignedLongLong(st->st_nlink);
    case FINFO_SIZE: return PyLong_FromLongLong(st->st_size);
    case FINFO_ATIME: return PyLong_FromLongLong(st->st_atime);
    case FINFO_MTIME: return PyLong_FromLongLong(st->st_mtime);
    case FINFO_CTIME: return PyLong_FromLongLong(st->st_ctime);
    }
    Py_RETURN_NONE; /* name: APR fills it in directory reads only */
}

static PyObject *finfo_get(PyObject *object, void *closure)
{
    const struct pyfinfo *self = (struct pyfinfo *)object;
    enum finfo_field field = (enum finfo_field)(intptr_t)closure;
    if (field == FINFO_FNAME)
        return Py_NewRef(self->fname);
    if (field == FINFO_FILETYPE)
        return PyLong_FromLong(finfo_filetype(self->st.st_mode));
    return self->st.st_mode ? finfo_number(&self->st, field) : Py_NewRef(Py_None);
}

static PyObject *finfo_item(PyObject *object, Py_ssize_t index)
{
    if (index < 0 || index >= FINFO_INDEXES) {
        PyErr_SetString(PyExc_IndexError, "tuple index out of range");
        return NULL;
    }
    return finfo_get(object, (void *)(intptr_t)index);
}

static Py_ssize_t finfo_length(PyObject *object)
{
    (void)object;
    return FINFO_INDEXES;
}

static PyObject *finfo_repr(PyObject *object)
{
    static const struct { const char *name; enum finfo_field field; } shown[] = {
        {"fname", FINFO_FNAME}, {"filetype", FINFO_FILETYPE}, {"valid", FINFO_VALID}, {"protection", FINFO_PROTECTION}, {"user", FINFO_USER},
        {"group", FINFO_GROUP}, {"size", FINFO_SIZE}, {"inode", FINFO_INODE}, {"device", FINFO_DEVICE}, {"nlink", FINFO_NLINK},
        {"atime", FINFO_ATIME}, {"mtime", FINFO_MTIME}, {"ctime", FINFO_CTIME}, {"name", FINFO_NAME},
    };
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict && i < sizeof shown / sizeof *shown; i++) {
        PyObject *value = finfo_get(object, (void *)(intptr_t)shown[i].field);
        if (!value || PyDict_SetItemString(dict, shown[i].name, value))
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    PyObject *text = dict ? PyObject_Repr(dict) : NULL;
    Py_XDECREF(dict);
    return text;
}

#define FINFO_MEMBER(name, field) {name, finfo_get, NULL, NULL, (void *)(intptr_t)(field)}
static PyGetSetDef finfo_getset[] = {
    FINFO_MEMBER("fname", FINFO_FNAME), FINFO_MEMBER("filetype", FINFO_FILETYPE), FINFO_MEMBER("valid", FINFO_VALID),
    FINFO_MEMBER("protection", FINFO_PROTECTION), FINFO_MEMBER("user", FINFO_USER), FINFO_MEMBER("group", FINFO_GROUP),
    FINFO_MEMBER("inode", FINFO_INODE), FINFO_MEMBER("device", FINFO_DEVICE), FINFO_MEMBER("nlink", FINFO_NLINK),
    FINFO_MEMBER("size", FINFO_SIZE), FINFO_MEMBER("atime", FINFO_ATIME), FINFO_MEMBER("mtime", FINFO_MTIME),
    FINFO_MEMBER("ctime", FINFO_CTIME), FINFO_MEMBER("name", FINFO_NAME), {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot finfo_slots[] = {
    {Py_tp_doc, "What stat says of a file."},
    {Py_tp_dealloc, finfo_dealloc},
    {Py_tp_repr, finfo_repr},
    {Py_tp_getset, finfo_getset},
    {Py_sq_item, finfo_item},
    {Py_sq_length, finfo_length},
    {0, NULL},
};
PyType_Spec pyfinfo_spec = {
    .name = "mp_finfo", .basicsize = sizeof(struct pyfinfo), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, .slots = finfo_slots,
};

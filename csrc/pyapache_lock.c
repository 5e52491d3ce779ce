/* mod_python's global locks: a few words in memory that all workers share. A greenlet that has to wait parks, so holder and waiter may live in one
 * process, and is woken by who gives the lock back, wherever that is; a lock whose holder has died is taken over. Index 0 is for dbm files, as the sessions of mod_python have it. */
#include "pyapache.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "pyapache_wait.h"
#include "pyroom.h"
#include "pyserver.h"

enum { LOCKS_DEFAULT = 32 };

/* How many locks there are: mod_python.mutex_locks of the main server. At least 2, so that index 0 stays apart. */
static long lock_count(void)
{
    const struct main_conf *main = pyserver_main();
    long count = LOCKS_DEFAULT;
    for (int i = 0; main && i < main->servers[0]->python_option_count; i++)
        if (!strcasecmp(main->servers[0]->python_options[i].key, "mod_python.mutex_locks"))
            count = strtol(main->servers[0]->python_options[i].value, NULL, 10);
    return count < 2 ? 2 : count > SHM_LOCKS ? SHM_LOCKS : count;
}

/* The same number in every process, whatever its hash seed. */
static unsigned long lock_hash(PyObject *key)
{
    unsigned long hash = 2166136261u;
    PyObject *text = PyBytes_Check(key) ? Py_NewRef(key) : PyObject_Str(key);
    Py_ssize_t len = 0;
    const char *at = NULL;
    if (text)
        at = PyBytes_Check(text) ? (len = PyBytes_GET_SIZE(text), PyBytes_AS_STRING(text)) : PyUnicode_AsUTF8AndSize(text, &len);
    for (Py_ssize_t i = 0; at && i < len; i++)
        hash = (hash ^ (unsigned char)at[i]) * 16777619u;
    Py_XDECREF(text);
    return hash & 0xffffffffu;
}

/* (server, key[, index]) -> the index, -1 with an exception. index -1 or absent: by the key. */
static int lock_index(PyObject *args)
{
    PyObject *server, *key;
    int index = -1;
    if (!PyArg_ParseTuple(args, "OO|i", &server, &key, &index) || !pyserver_conf(server))
        return -1;
    if (!shm) {
        PyErr_SetString(PyExc_RuntimeError, "there are no global locks outside of a server");
        return -1;
    }
    if (index < 0 || index >= SHM_LOCKS)
        index = (int)(lock_hash(key) % (unsigned long)(lock_count() - 1)) + 1;
    return PyErr_Occurred() ? -1 : index;
}

static bool lock_try(int index)
{
    pid_t holder = 0, me = getpid();
    if (atomic_compare_exchange_strong(&shm->locks[index], &holder, me))
        return true;
    return holder != me && kill(holder, 0) && errno == ESRCH && atomic_compare_exchange_strong(&shm->locks[index], &holder, me);
}

/* 0 with the lock taken, -1 with an exception. SWITCHES. */
static int lock_wait(int index)
{
    struct waiting *w = waiting_begin(index);
    bool got = false;
    if (!w)
        return -1;
    while (!(got = lock_try(index)))
        if (waiting_park(w, -1))
            break;
    waiting_end(w, got);
    return got ? 0 : -1;
}

PyObject *pyapache_global_lock(PyObject *module, PyObject *args)
{
    int index = lock_index(args);
    (void)module;
    if (index < 0 || (!lock_try(index) && lock_wait(index)))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *pyapache_global_trylock(PyObject *module, PyObject *args)
{
    int index = lock_index(args);
    (void)module;
    return index < 0 ? NULL : PyLong_FromLong(lock_try(index));
}

PyObject *pyapache_global_unlock(PyObject *module, PyObject *args)
{
    int index = lock_index(args);
    pid_t me = getpid();
    (void)module;
    if (index < 0)
        return NULL;
    if (!atomic_compare_exchange_strong(&shm->locks[index], &me, 0)) {
        PyErr_SetString(PyExc_ValueError, "Failed to release global mutex lock: it is not held by this process");
        return NULL;
    }
    waiting_wake(index, false);
    Py_RETURN_NONE;
}

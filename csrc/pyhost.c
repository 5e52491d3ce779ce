/* main(): starts CPython inside this program, lets pyhost.ctl read the command line and the configuration, and serves. */
#include <Python.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgi_order.h"
#include "interp.h"
#include "log.h"
#include "master.h"
#include "pyasgi.h"
#include "pyrequest.h"

enum { PYHOST_SERVE = -1, EXIT_NO_PYTHON = 4 };

PyMODINIT_FUNC PyInit__pyhost(void); /* cffi's */
PyMODINIT_FUNC PyInit__coro(void);

/* The python3.X beside this program, so that a virtual environment is found and sys.executable can be run; else this program itself. */
static int find_python(char *out, size_t room)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return -1;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    snprintf(out, room, "%.*s/python%d.%d", (int)(slash - self), self, PY_MAJOR_VERSION, PY_MINOR_VERSION);
    if (access(out, X_OK) != 0)
        snprintf(out, room, "%s", self);
    return 0;
}

static int start_python(int argc, char **argv)
{
    char python[PATH_MAX + 32];
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    config.install_signal_handlers = 1;
    if (PyImport_AppendInittab("_pyhost", PyInit__pyhost) < 0 || PyImport_AppendInittab("_apache", PyInit__apache) < 0 ||
        PyImport_AppendInittab("_coro", PyInit__coro) < 0 || PyImport_AppendInittab("_asgi", PyInit__asgi) < 0 || find_python(python, sizeof python) < 0)
        return -1;
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, python);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.executable, python);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesArgv(&config, argc, argv);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (!PyStatus_Exception(status))
        return 0;
    fprintf(stderr, "pyhost: Python does not start: %s\n", status.err_msg ? status.err_msg : "unknown reason");
    return -1;
}

/* pyhost.ctl.main(argv): an exit code, or PYHOST_SERVE. */
static int command_line(int argc, char **argv)
{
    int code = EXIT_NO_PYTHON;
    PyObject *words = PyList_New(0), *ctl = PyImport_ImportModule("pyhost.ctl"), *result = NULL;
    for (int i = 0; words && i < argc; i++) {
        PyObject *word = PyUnicode_DecodeFSDefault(argv[i]);
        if (word)
            PyList_Append(words, word);
        Py_XDECREF(word);
    }
    if (ctl && words)
        result = PyObject_CallMethod(ctl, "main", "(O)", words);
    if (result)
        code = (int)PyLong_AsLong(result);
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_SystemExit))
        code = 1;
    if (PyErr_Occurred())
        PyErr_Print();
    Py_XDECREF(words);
    Py_XDECREF(ctl);
    Py_XDECREF(result);
    return code;
}

/* Descriptors 0 to 2 must exist, or the first files opened would be written to as stdout. */
static void open_standard_descriptors(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2)
        fd = dup(fd);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[0], CGI_HELPER_NAME) == 0)
        return cgi_helper_main(argv[1]);
    open_standard_descriptors();
    log_start(2, LEVEL_WARN);
    if (start_python(argc, argv) < 0)
        return EXIT_NO_PYTHON;
    int code = command_line(argc, argv);
    if (code == PYHOST_SERVE) {
        if (interp_init() < 0) {
            PyErr_Print();
            return EXIT_NO_PYTHON;
        }
        code = master_run(master_next_conf);
        fflush(NULL);
        _exit(code);
    }
    if (Py_FinalizeEx() < 0 && code == 0)
        code = 120; /* Python's own: the standard streams could not be flushed */
    return code;
}

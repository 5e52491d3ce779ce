/* input() at a terminal. CPython reads such a line by libc's stdio, whose reads are libc's own and cannot give way; here it is read by ours.
 * GNU readline, where a program imports it, waits in select, which gives way by itself. */
#include "green_python.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "green_hooks.h"

enum { LINE_BYTES = 256 };

/* A signal came: its handler runs now, and if it raises nothing the reading goes on, as CPython's own does. */
static bool a_handler_raised(void)
{
    PyGILState_STATE held = PyGILState_Ensure();
    bool raised = PyErr_CheckSignals() < 0;
    PyGILState_Release(held);
    return raised;
}

/* As PyOS_ReadlineFunctionPointer has it: called without the GIL; the line in PyMem_RawMalloc's memory with its newline, empty at the end of the
 * input, NULL when the handler of a signal has raised. SWITCHES. */
static char *read_line(FILE *in, FILE *out, const char *prompt)
{
    const void *caller = GREEN_CALLER();
    size_t len = 0, room = LINE_BYTES;
    char *line = PyMem_RawMalloc(room);
    fflush(out);
    if (prompt)
        fputs(prompt, stderr);
    fflush(stderr);
    while (line) {
        ssize_t n = green_read(fileno(in), line + len, room - len - 1, caller);
        if (n < 0 && errno == EINTR) {
            if (!a_handler_raised())
                continue;
            PyMem_RawFree(line);
            return NULL;
        }
        len += n > 0 ? (size_t)n : 0;
        line[len] = 0;
        if (n <= 0 || line[len - 1] == '\n')
            return line;
        if (len + 1 == room) {
            char *larger = PyMem_RawRealloc(line, room *= 2);
            if (!larger)
                PyMem_RawFree(line);
            line = larger;
        }
    }
    return NULL;
}

void green_teach_input(void) { PyOS_ReadlineFunctionPointer = read_line; }

/* A worker's life: make the loop, the interpreters and the listeners, turn until told to stop, drain, leave. */
#include "worker.h"

#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cgi_job.h"
#include "coro.h"
#include "expr.h"
#include "green.h"
#include "gate.h"
#include "gate_request.h"
#include "interp.h"
#include "listener.h"
#include "log.h"
#include "master.h"
#include "pyasgi.h"
#include "pyphase.h"
#include "pyserver.h"
#include "sentinel.h"
#include "shm.h"
#include "upcall.h"

enum { RUN_BUDGET_NS = 20000000, EXIT_CANNOT_START = 3 };
static const int64_t STOP_SPAWNED_NS = 2000000000; /* what spawned greenlets have to clean up */
static const int64_t LEAVE_NS = 15000000000; /* a little more than an application has for its shutdown */

struct worker *worker;

/* What signal handlers leave behind; the descriptor wakes the loop. */
static struct { atomic_uint orders; struct source source; pid_t pid; } orders = {.source = {.fd = -1}};
static PyThreadState *waiting_state;

void worker_order(enum worker_order order)
{
    int error = errno;
    uint64_t one = 1;
    atomic_fetch_or(&orders.orders, (unsigned)order);
    if (orders.source.fd >= 0 && write(orders.source.fd, &one, sizeof one) < 0)
        errno = error; /* the counter is full: the loop is awake anyway */
    errno = error;
}

/* A child of a handler's os.fork(), multiprocessing's for one, is no worker: what ends other programs ends it. */
static bool is_for_child(int number)
{
    if (getpid() == orders.pid)
        return false;
    signal(number, SIG_DFL);
    raise(number);
    return true;
}

static void on_signal(int number)
{
    if (!is_for_child(number))
        worker_order(number == SIGUSR1 ? WORKER_REOPEN_LOGS : number == SIGQUIT ? WORKER_GRACEFUL : WORKER_STOP);
}

/* Caught and not ignored: what a handler starts by exec must have the default. The timers are for applications that set one: their signal handlers are
 * ignored (pyhost/compat/signals.py), and nobody has to die of that. */
static void on_nothing(int number) { is_for_child(number); }

static void worker_catch_signals(void)
{
    static const int caught[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    orders.pid = getpid();
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL); /* as Python has it; subprocess undoes it for its children */
    static const int dropped[] = {SIGHUP /* the master reloads, not we */, SIGALRM, SIGVTALRM, SIGPROF};
    action.sa_handler = on_nothing;
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        sigaction(dropped[i], &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void on_order(struct source *s, uint32_t events)
{
    uint64_t count;
    (void)events;
    if (read(s->fd, &count, sizeof count) < 0)
        return; /* the orders are looked at once a turn in any case */
}

static void let_gil_go(struct loop *l)
{
    (void)l;
    waiting_state = PyEval_SaveThread();
}

static void take_gil(struct loop *l)
{
    (void)l;
    PyEval_RestoreThread(waiting_state);
}

static const struct dir_conf *worker_merge(const struct server_conf *server, const int *ids, int count, const char *const *htaccess)
{
    return upcall_merge(worker->conf->generation, server->index, ids, count, htaccess);
}

void worker_on_hub(struct worker *w, struct job *job) { job_add(&w->hub, job); }

static void worker_run_hub_jobs(struct worker *w)
{
    struct job *job;
    while ((job = job_take(&w->hub)))
        job->run(job);
}

static void worker_start_listeners(struct worker *w)
{
    w->listeners = calloc((size_t)w->conf->listen_count + 1, sizeof *w->listeners);
    for (int i = 0; w->listeners && i < w->conf->listen_count; i++)
        if (gate_for(w->conf->listens[i].protocol) && (w->listeners[w->listener_count] = listener_start(w, &w->conf->listens[i])))
            w->listener_count++;
}

static void worker_raise_descriptors(struct worker *w)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    w->soft_files = limit.rlim_cur;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void worker_allow_libraries(const struct main_conf *conf)
{
    for (int i = 0; i < conf->green_library_count; i++)
        green_allow_library(conf->green_libraries[i]);
}

static int worker_start(struct worker *w)
{
    worker_allow_libraries(w->conf);
    worker_raise_descriptors(w);
    if (loop_init(&w->loop) < 0)
        return -1;
    w->loop.before_wait = let_gil_go;
    w->loop.after_wait = take_gil;
    w->loop.after_events = conn_read_due;
    orders.source = (struct source){.ready = on_order, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (orders.source.fd < 0 || loop_add(&w->loop, &orders.source, EPOLLIN) < 0)
        return -1;
    if (w->conf->script) {
        sigset_t none; /* signals are the script's, as they are any Python program's */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
    } else {
        worker_catch_signals();
    }
    cgi_pool_init(&w->cgi, &w->loop, w->soft_files);
    if (w->conf->cgi_expected)
        cgi_launch_helper(&w->cgi);
    w->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    w->route = route_new(w->conf, worker_merge);
    if (!w->route)
        return -1;
    sentinel_set_held(&conn_soon_held, conn_soon_release);
    log_expr_holds = expr_holds;
    route_expr_holds = expr_decides;
    log_begins_connection = gate_request_begins_connection;
    if (interp_after_fork() < 0 || coro_init(&w->loop) < 0 || pyphase_prepare(interp_main()) < 0) {
        PyErr_Print();
        errno = EPROTO;
        return -1;
    }
    return 0;
}

static void worker_drain(struct worker *w)
{
    w->draining = true;
    shm_slot->state = SLOT_STOPPING;
    master_notice(); /* it starts another one now, not when we are done */
    if (w->conf->graceful_timeout_ms)
        w->drain_until_ns = w->loop.now_ns + w->conf->graceful_timeout_ms * 1000000;
    for (int i = 0; i < w->listener_count; i++)
        listener_stop(w->listeners[i]);
    if (w->conf->one_process)
        listener_close_unused(w->conf, NULL); /* they are nobody else's */
    else
        listener_leave(w->conf, NULL);
    for (struct conn *c = w->conns, *next; c; c = next) {
        next = c->next;
        c->gate->drain(c);
    }
}

static void worker_reopen_logs(struct worker *w)
{
    log_flush();
    if (log_open_all(w->conf) < 0)
        log_error(NULL, LEVEL_ERROR, "core", "logs cannot be reopened; the old files stay in use");
}

/* False: leave. */
static bool worker_obey(struct worker *w)
{
    unsigned now = atomic_exchange(&orders.orders, 0);
    if (now & WORKER_REOPEN_LOGS)
        worker_reopen_logs(w);
    if (now & WORKER_STOP)
        return false;
    if (now & WORKER_GRACEFUL && !w->draining)
        worker_drain(w);
    int most = w->conf->max_requests_per_child;
    if (most && !w->draining && shm_slot->connections_total >= (uint64_t)most) {
        log_error(NULL, LEVEL_INFO, "core", "%d connections served, as many as MaxConnectionsPerChild allows; this worker drains", most);
        worker_drain(w);
    }
    if (!w->draining)
        return true;
    if (w->drain_until_ns && w->loop.now_ns >= w->drain_until_ns) {
        if (w->conn_count)
            log_error(NULL, LEVEL_WARN, "core", "%u connections are cut: GracefulShutdownTimeout has passed", w->conn_count);
        return false;
    }
    return w->conn_count > 0 || w->in_flight > 0;
}

/* What a turn has brought. */
static void worker_do(struct worker *w)
{
    worker_run_hub_jobs(w);
    coro_run_ready(RUN_BUDGET_NS);
    worker_run_hub_jobs(w);
    conn_send_due(w->loop.now_ns);
    log_flush();
    loop_end_turn(&w->loop);
}

static void worker_turn(struct worker *w)
{
    bool busy = coro_has_ready() || w->hub.first;
    if (loop_turn(&w->loop, busy ? 0 : w->drain_until_ns ? w->drain_until_ns : -1) < 0)
        log_error(NULL, LEVEL_CRIT, "core", "epoll_wait: %s", strerror(errno));
    worker_do(w);
    atomic_store_explicit(&shm_slot->turn_ns, w->loop.now_ns, memory_order_relaxed);
    atomic_store_explicit(&shm_slot->connections, w->conn_count, memory_order_relaxed);
    atomic_store_explicit(&shm_slot->busy, w->in_flight, memory_order_relaxed);
    if (shm_slot->cgi_waiting != w->cgi.waiting)
        atomic_store_explicit(&shm_slot->cgi_waiting, w->cgi.waiting, memory_order_relaxed);
}

/* ASGI applications get their shutdown messages, and CGI scripts are ended, with the loop turning. */
static void worker_end_applications(struct worker *w)
{
    int64_t until_ns = w->loop.now_ns + LEAVE_NS;
    while ((cgi_job_end_all(&w->cgi) | pyasgi_leave()) && w->loop.now_ns < until_ns) {
        loop_turn(&w->loop, coro_has_ready() || w->hub.first ? 0 : until_ns);
        worker_do(w);
    }
}

static bool worker_has(struct listener *const *listeners, int count, const struct listener *one)
{
    for (int i = 0; i < count; i++)
        if (listeners[i] == one)
            return true;
    return false;
}

/* Listeners that stay look into the new tables; those that are new are started. */
static int worker_start_more(struct worker *w)
{
    struct listener **listeners = calloc((size_t)w->conf->listen_count + 1, sizeof *listeners);
    int count = 0;
    if (!listeners)
        return -1;
    for (int i = 0; i < w->conf->listen_count; i++) {
        struct listener *l = NULL;
        for (int k = 0; k < w->listener_count && !l; k++)
            if (w->listeners[k]->conf->fd == w->conf->listens[i].fd)
                l = w->listeners[k];
        if (l)
            listener_use(l, &w->conf->listens[i]);
        else
            l = listener_start(w, &w->conf->listens[i]);
        if (l)
            listeners[count++] = l;
    }
    for (int k = 0; k < w->listener_count; k++) /* those that go stay in memory: connections know theirs */
        if (!worker_has(listeners, count, w->listeners[k]))
            listener_stop(w->listeners[k]);
    free(w->listeners);
    w->listeners = listeners;
    w->listener_count = count;
    return 0;
}

int worker_serve(struct main_conf *conf, char *error, int room)
{
    struct worker *w = worker;
    struct main_conf *before = w ? w->conf : NULL;
    struct route *route = NULL;
    if (!w) {
        snprintf(error, (size_t)room, "this process serves nothing");
        return -1;
    }
    if (listener_open_all(conf, w->conf, error, room) < 0)
        return -1;
    if (log_open_all(conf) < 0 || !(route = route_new(conf, worker_merge))) {
        snprintf(error, (size_t)room, "a log cannot be opened, or memory is out");
        listener_close_unused(conf, w->conf);
        return -1;
    }
    w->conf = conf;
    w->route = route; /* requests in flight may look into the one before */
    shm_slot->generation = conf->generation;
    pyserver_use(conf);
    int result = worker_start_more(w);
    listener_close_unused(before, conf);
    return result;
}

void worker_end(int code)
{
    worker->exit_code = code;
    worker_order(WORKER_GRACEFUL);
}

static void worker_leave(struct worker *w)
{
    shm_slot->state = SLOT_STOPPING;
    loop_drop_kept(&w->loop);
    for (int i = 0; i < w->listener_count; i++)
        listener_stop(w->listeners[i]);
    while (w->conns)
        conn_close(w->conns);
    loop_end_turn(&w->loop);
    worker_end_applications(w);
    cgi_launch_end(&w->cgi);
    for (int i = 0; i < w->listener_count; i++) /* connections know theirs until they are gone */
        listener_free(w->listeners[i]);
    loop_now(&w->loop);
    coro_stop_spawned(w->loop.now_ns + STOP_SPAWNED_NS);
    interp_leave_all();
    log_flush();
    shm_slot->state = SLOT_DEAD;
}

int worker_run(struct main_conf *conf, int slot)
{
    struct worker *w = worker = calloc(1, sizeof *w);
    if (!w)
        return EXIT_CANNOT_START;
    w->conf = conf;
    shm_take(slot);
    shm_slot->state = SLOT_STARTING;
    shm_slot->pid = getpid();
    shm_slot->generation = conf->generation;
    log_use_slot(slot);
    int code = 0;
    if (worker_start(w) < 0) {
        log_error(NULL, LEVEL_EMERG, "core", "the worker cannot start: %s", strerror(errno));
        code = EXIT_CANNOT_START;
    } else {
        pyphase_import_all(conf);
        if (!conf->script) /* a script has started its own by now */
            worker_start_listeners(w);
        shm_slot->started_us = w->loop.wall_us;
        shm_slot->state = SLOT_READY;
        while (worker_obey(w))
            worker_turn(w);
        worker_leave(w);
        code = w->exit_code;
    }
    log_flush();
    fflush(NULL);
    if (conf->one_process)
        return code; /* main leaves in the same way */
    _exit(code); /* with sub-interpreters alive Py_FinalizeEx would abort */
}

/* Connections of one turn: all are read before the first is looked at, however many there are, and whatever their gate does to the others. */
// sources: conn.c conn_read.c conn_soon.c outq.c loop.c timer.c buf.c proxy_head.c peer.c
#include <fcntl.h>
#include <sys/socket.h>

#include "check.h"
#include "listener.h"
#include "log.h"
#include "worker.h"

enum { CLIENTS = 70 /* more than are read in a row */, LONG_BYTES = 5000 /* more than one is read at once */ };

static struct worker world;
static struct listen_conf listen_conf = {.address = {.family = AF_UNIX}};
static struct listener listener = {.conf = &listen_conf, .worker = &world};
static struct conn *conns[CLIENTS];
static int clients[CLIENTS], ended, closed;
static size_t inputs, bytes_in;
static bool closes_others, answers;

void log_error_at(const char *place, const struct server_conf *server, int level, const char *module, const char *format, ...)
{
    (void)place, (void)server, (void)level, (void)module, (void)format;
}

static size_t on_input(struct conn *c, const char *bytes, size_t len)
{
    (void)bytes;
    inputs++;
    bytes_in += len;
    for (int i = 0; closes_others && i < CLIENTS; i++)
        if (conns[i] && conns[i] != c)
            conn_close(conns[i]);
    if (answers && conn_send_soon(c, &(struct slice){"answer", 6}, 1) < 0)
        conn_close(c);
    return len;
}

static void on_eof(struct conn *c, bool broken)
{
    CHECK(!broken, "broken");
    ended++;
    conn_close(c);
}

static void on_drained(struct conn *c) { (void)c; }

static void on_close(struct conn *c)
{
    closed++;
    for (int i = 0; i < CLIENTS; i++)
        if (conns[i] == c)
            conns[i] = NULL;
}

static const struct gate gate = {.name = "test", .input = on_input, .eof = on_eof, .drained = on_drained, .close = on_close};

static void connect_all(void)
{
    inputs = bytes_in = 0;
    ended = closed = 0;
    listener.gate = &gate;
    for (int i = 0; i < CLIENTS; i++) {
        int pair[2];
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
        clients[i] = pair[1];
        conns[i] = conn_new(&listener, pair[0], &(struct peer){0});
        CHECK(conns[i], "conn_new");
        conn_start(conns[i]);
    }
    loop_turn(&world.loop, 0); /* they are writable, and nothing more */
    CHECK(world.loop.came == 0 && inputs == 0, "%u came", world.loop.came);
}

static void disconnect_all(void)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (conns[i])
            conn_close(conns[i]);
        close(clients[i]);
    }
    loop_end_turn(&world.loop);
    CHECK(!world.conns && world.conn_count == 0, "%u connections", world.conn_count);
}

static void send_all(const char *bytes, size_t len)
{
    for (int i = 0; i < CLIENTS; i++)
        CHECK(write(clients[i], bytes, len) == (ssize_t)len, "write");
}

static void turn(void)
{
    loop_turn(&world.loop, 0);
    conn_send_due(world.loop.now_ns);
    loop_end_turn(&world.loop);
}

static void all_of_them_have_come(void)
{
    static char bytes[LONG_BYTES];
    connect_all();
    send_all("x", 1);
    turn();
    CHECK(world.loop.came == CLIENTS && inputs == CLIENTS, "%u came, %zu inputs", world.loop.came, inputs);
    turn();
    CHECK(world.loop.came == 0 && inputs == CLIENTS, "%u came again", world.loop.came);
    send_all(bytes, sizeof bytes);
    turn();
    CHECK(world.loop.came == CLIENTS && bytes_in == CLIENTS * (1 + sizeof bytes), "%u came, %zu bytes", world.loop.came, bytes_in);
    for (int i = 0; i < CLIENTS; i++)
        shutdown(clients[i], SHUT_WR);
    turn();
    CHECK(ended == CLIENTS && closed == CLIENTS, "%d ended", ended);
    disconnect_all();
}

static void who_is_closed_by_another_is_not_heard(void)
{
    connect_all();
    closes_others = true;
    send_all("x", 1);
    turn();
    closes_others = false;
    CHECK(inputs == 1 && closed == CLIENTS - 1, "%zu inputs, %d closed", inputs, closed);
    disconnect_all();
}

static void answers_go_out_with_the_turn(void)
{
    char bytes[16];
    connect_all();
    answers = true;
    send_all("x", 1);
    turn();
    answers = false;
    for (int i = 0; i < CLIENTS; i++)
        CHECK(read(clients[i], bytes, sizeof bytes) == 6 && !conns[i]->out_waiting, "the answer of %d", i);
    disconnect_all();
}

int main(void)
{
    CHECK(loop_init(&world.loop) == 0, "loop_init");
    world.loop.after_events = conn_read_due;
    all_of_them_have_come();
    who_is_closed_by_another_is_not_heard();
    answers_go_out_with_the_turn();
    loop_clear(&world.loop);
    return check_result();
}

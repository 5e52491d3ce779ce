// sources: outq.c
// Output queues over a socket pair: bytes and files in order, whole, however little the socket takes at a time.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "check.h"
#include "outq.h"

enum { FILE_BYTES = 3000000 };

static char expected[FILE_BYTES * 3], received[FILE_BYTES * 3];
static size_t expected_len, received_len;

static void make_pair(int ends[2])
{
    int size = 8192;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0, "socketpair");
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    expected_len = received_len = 0;
}

static int make_file(size_t bytes)
{
    char name[] = "file-XXXXXX", block[1000];
    int fd = mkstemp(name);
    unlink(name);
    for (size_t at = 0; at < bytes; at += sizeof block) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (char)((at + i) * 7 % 251);
        CHECK(write(fd, block, sizeof block) == (ssize_t)sizeof block, "write");
    }
    return fd;
}

static void take(int fd)
{
    ssize_t n;
    while ((n = recv(fd, received + received_len, sizeof received - received_len, 0)) > 0)
        received_len += (size_t)n;
}

static enum outq_result finish(struct outq *q, const int ends[2], enum outq_result result)
{
    for (int turn = 0; turn < 10000 && (result == OUTQ_WAITING || result == OUTQ_MORE); turn++) {
        take(ends[1]);
        result = outq_flush(q, ends[0]);
    }
    take(ends[1]);
    return result;
}

static void expect_file(int fd, int64_t offset, size_t len)
{
    CHECK(pread(fd, expected + expected_len, len, offset) == (ssize_t)len, "pread");
    expected_len += len;
}

static enum outq_result put(struct outq *q, int fd, const char *text, size_t len)
{
    struct slice parts[2] = {slice_of(text, len / 3), slice_of(text + len / 3, len - len / 3)};
    memcpy(expected + expected_len, text, len);
    expected_len += len;
    return outq_send(q, fd, parts, 2);
}

static void check_order(bool copy)
{
    static char block[50000];
    int ends[2], file = make_file(FILE_BYTES);
    struct outq q = {0};
    make_pair(ends);
    memset(block, 'x', sizeof block);
    CHECK(put(&q, ends[0], "head", 4) == OUTQ_EMPTY && q.pending == 0, "a little goes at once");
    expect_file(file, 0, FILE_BYTES);
    CHECK(outq_send_file(&q, ends[0], dup(file), 0, FILE_BYTES, copy) == OUTQ_WAITING, "the socket is small");
    CHECK(put(&q, ends[0], block, sizeof block) == OUTQ_WAITING && q.pending > sizeof block, "%zu", q.pending);
    expect_file(file, 1234567, 100);
    enum outq_result result = outq_send_file(&q, ends[0], dup(file), 1234567, 100, copy);
    CHECK(put(&q, ends[0], "tail", 4) == OUTQ_WAITING, "behind the others");
    CHECK(finish(&q, ends, result) == OUTQ_EMPTY, "copy %d", copy);
    CHECK(received_len == expected_len && memcmp(received, expected, expected_len) == 0, "%zu of %zu bytes", received_len, expected_len);
    CHECK(q.pending == 0 && !q.last && q.sent == expected_len, "%zu pending, %u sent", q.pending, q.sent);
    close(ends[0]);
    close(ends[1]);
    close(file);
}

static void check_short_file(bool copy)
{
    int ends[2], file = make_file(2000);
    struct outq q = {0};
    make_pair(ends);
    enum outq_result result = finish(&q, ends, outq_send_file(&q, ends[0], dup(file), 1000, 2000, copy));
    CHECK(result == OUTQ_BROKEN && received_len == 1000, "%d, %zu bytes", result, received_len);
    outq_clear(&q);
    close(ends[0]);
    close(ends[1]);
    close(file);
}

/* A reader that keeps up does not keep the loop: at most about a megabyte goes out in one call. */
static void check_turns(void)
{
    int ends[2], file = make_file(FILE_BYTES), size = 16 << 20;
    struct outq q = {0};
    make_pair(ends);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    enum outq_result result = outq_send_file(&q, ends[0], dup(file), 0, FILE_BYTES, false);
    CHECK(result != OUTQ_EMPTY && q.sent <= 2 << 20, "%d, %u bytes at once", result, q.sent);
    CHECK(finish(&q, ends, result) == OUTQ_EMPTY && received_len == FILE_BYTES, "%zu bytes", received_len);
    close(ends[0]);
    close(ends[1]);
    close(file);
}

static void check_gone(void)
{
    int ends[2], file = make_file(FILE_BYTES);
    struct outq q = {0};
    make_pair(ends);
    outq_send_file(&q, ends[0], dup(file), 0, FILE_BYTES, false);
    close(ends[1]);
    CHECK(outq_flush(&q, ends[0]) == OUTQ_BROKEN, "%s", strerror(errno));
    outq_clear(&q);
    CHECK(!q.last && q.pending == 0, "cleared");
    close(ends[0]);
    close(file);
}

/* What the socket does not take at once is not kept; nothing overtakes what waits. */
static void check_now(void)
{
    static char block[1000000];
    int ends[2];
    struct outq q = {0};
    make_pair(ends);
    long taken = outq_send_now(&q, ends[0], slice_of(block, sizeof block));
    CHECK(taken > 0 && taken < (long)sizeof block && !q.last && !q.pending && q.sent == (uint32_t)taken, "%ld taken", taken);
    CHECK(outq_send_now(&q, ends[0], slice_of(block, 1)) == 0 && !q.last, "the socket is full");
    struct slice part = slice_of("waits", 5);
    CHECK(outq_send(&q, ends[0], &part, 1) == OUTQ_WAITING && q.pending == 5, "%zu pending", q.pending);
    take(ends[1]);
    CHECK(outq_send_now(&q, ends[0], slice_of(block, 1)) == 0, "nothing overtakes what waits");
    CHECK(finish(&q, ends, OUTQ_WAITING) == OUTQ_EMPTY && received_len == (size_t)taken + 5, "%zu received", received_len);
    CHECK(outq_send_now(&q, ends[0], slice_of("x", 1)) == 1, "there is room again");
    close(ends[1]);
    CHECK(outq_send_now(&q, ends[0], slice_of("x", 1)) == -1, "the other end has gone");
    outq_clear(&q);
    close(ends[0]);
}

/* The counters start again at 2^32, in the middle of a turn as well. */
static void check_counters(void)
{
    int ends[2], file = make_file(FILE_BYTES), size = 16 << 20;
    struct outq q = {.sent = UINT32_MAX - 1000, .taken = UINT32_MAX - 1000};
    make_pair(ends);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    CHECK(!outq_taken(&q, ends[0]), "nothing was sent");
    enum outq_result result = outq_send_file(&q, ends[0], dup(file), 0, FILE_BYTES, false);
    CHECK(result != OUTQ_EMPTY && q.sent > 100000 && q.sent <= 2 << 20, "%d, %u sent", result, q.sent);
    take(ends[1]);
    CHECK(outq_taken(&q, ends[0]) && q.taken == q.sent, "%u of %u taken", q.taken, q.sent);
    CHECK(!outq_taken(&q, ends[0]), "nothing since");
    CHECK(finish(&q, ends, result) == OUTQ_EMPTY && received_len == FILE_BYTES, "%zu bytes", received_len);
    CHECK(outq_taken(&q, ends[0]), "all of the rest");
    close(ends[0]);
    CHECK(!outq_taken(&q, ends[0]), "no socket");
    close(ends[1]);
    close(file);
}

int main(void)
{
    int before = dup(0);
    close(before);
    signal(SIGPIPE, SIG_IGN);
    check_order(false);
    check_order(true);
    check_short_file(false);
    check_short_file(true);
    check_turns();
    check_gone();
    check_now();
    check_counters();
    int after = dup(0);
    CHECK(after == before, "%d descriptors were left open", after - before);
    return check_result();
}

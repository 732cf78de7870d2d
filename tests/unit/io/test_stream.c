/* Streams and listeners on loopback. */
#include "common/io/listen.h"
#include "common/io/stream.h"

#include "common/base/mem.h"
#include "tests/support/suite.h"
#include "tests/support/turns.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct end_told {
    bool told;
    enum stream_end how;
    bool up;
    size_t got;
    int data_calls, drained;
    struct stream *s;
};

static void on_up(struct stream *s, void *owner)
{
    (void)s;
    ((struct end_told *)owner)->up = true;
}

static void on_data(struct stream *s, void *owner)
{
    struct end_told *t = owner;

    t->got += buf_len(stream_in(s));
    t->data_calls++;
    buf_consume(stream_in(s), buf_len(stream_in(s)));
}

static void on_end(struct stream *s, enum stream_end how, int why, void *owner)
{
    struct end_told *t = owner;

    (void)why;
    ck_assert(!t->told);
    t->told = true;
    t->how = how;
    stream_close(s);
}

static void on_drained(struct stream *s, void *owner)
{
    (void)s;
    ((struct end_told *)owner)->drained++;
}

static const struct stream_events events = {on_up, on_data, on_end, on_drained};

static struct loop *l;
static struct listener *li;
static struct end_told server, client;

static void accepted(int fd, const struct addr *peer, bool is_unix, void *arg)
{
    (void)peer, (void)is_unix, (void)arg;
    server.s = stream_from_fd(l, fd, &events, &server);
}

static void begin(void)
{
    l = loop_new();
    li = NULL;
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
}

/* A port that `accepted` listens at. */
static uint16_t begin_listening(void)
{
    struct err e;

    begin();
    ck_assert_int_eq(listener_open(l, "127.0.0.1", 0, 16, accepted, NULL, &li, &e), 0);
    return listener_port(li);
}

static void finish(void)
{
    listener_close(li);
    loop_free(l);
}

static struct addr at(uint16_t port)
{
    struct addr a;

    addr_set(&a, "127.0.0.1", 9, port);
    return a;
}

static void begin_connected(void)
{
    struct addr to = at(begin_listening());

    client.s = stream_connect(l, &to, NULL, 1000, &events, &client);
    turn_until(l, client.up && server.s);
}

START_TEST(bytes_go_both_ways)
{
    char *big = mem_zalloc(3 << 20);

    begin_connected();
    stream_write(client.s, "hello", 5);
    turn_until(l, server.got == 5);
    stream_write(server.s, big, 3 << 20);
    turn_until(l, client.got == 3 << 20);
    ck_assert_int_ge(server.drained, 1);
    ck_assert_int_eq(stream_peer(client.s).port, listener_port(li));
    ck_assert_str_eq(stream_local(client.s).host, "127.0.0.1");
    stream_close(server.s);
    turn_until(l, client.told);
    ck_assert_int_eq(client.how, STREAM_EOF);
    mem_free(big);
    finish();
}
END_TEST

START_TEST(one_write_per_turn)
{
    begin_connected();
    for (int i = 0; i < 100; i++)
        stream_write(client.s, "0123456789", 10);
    ck_assert_uint_eq(stream_bytes_out(client.s), 0);
    turn_until(l, server.got == 1000);
    ck_assert_int_eq(server.data_calls, 1);
    stream_close(client.s);
    stream_close(server.s);
    finish();
}
END_TEST

START_TEST(refused_is_told_later)
{
    struct addr to = at(begin_listening());

    listener_close(li);
    li = NULL;
    client.s = stream_connect(l, &to, NULL, 1000, &events, &client);
    ck_assert(!client.told);
    turn_until(l, client.told);
    ck_assert_int_eq(client.how, STREAM_REFUSED);
    memset(&client, 0, sizeof client);
    addr_set(&to, "not-an-address", 14, 1);
    client.s = stream_connect(l, &to, NULL, 1000, &events, &client);
    turn_until(l, client.told);
    ck_assert_int_eq(client.how, STREAM_UNREACHABLE);
    finish();
}
END_TEST

START_TEST(connect_times_out)
{
    struct addr to;

    begin();
    addr_set(&to, "192.0.2.1", 9, 9);      /* TEST-NET: nobody answers, or there is no route */
    client.s = stream_connect(l, &to, NULL, 50, &events, &client);
    turn_until(l, client.told || client.up);
    ck_assert(client.up || client.how == STREAM_TIMEOUT || client.how == STREAM_UNREACHABLE ||
              client.how == STREAM_REFUSED);
    if (client.up)
        stream_close(client.s);
    finish();
}
END_TEST

START_TEST(last_words_arrive)
{
    begin_connected();
    stream_write(client.s, "unread", 6);
    for (int i = 0; i < 1000; i++)
        stream_write(server.s, "last words ", 11);
    stream_close_when_sent(server.s);
    turn_until(l, client.told);
    ck_assert_uint_eq(client.got, 11000);
    ck_assert_int_eq(client.how, STREAM_EOF);
    finish();
}
END_TEST

START_TEST(too_much_unread_output_ends_it)
{
    char *big = mem_zalloc(32 << 20);

    begin_connected();
    stream_pause_reading(client.s, true);
    stream_limit_out(server.s, 1 << 20);
    stream_write(server.s, big, 32 << 20);
    turn_until(l, server.told);
    ck_assert_int_eq(server.how, STREAM_LIMIT);
    stream_close(client.s);
    mem_free(big);
    finish();
}
END_TEST

/* Bytes have numbers; those from `allowed` on stay, without a busy loop, until a higher number is said. */
START_TEST(output_waits_to_be_allowed)
{
    char *big = mem_zalloc(3 << 20);

    begin_connected();
    stream_write(server.s, "free", 4);
    ck_assert_uint_eq(stream_out_end(server.s), 4);
    stream_allow(server.s, 4);
    stream_write(server.s, "kept", 4);
    ck_assert_uint_eq(stream_waits(server.s), 4);
    turn_until(l, client.got == 4);
    turn_times(l, 5);
    ck_assert_uint_eq(client.got, 4);
    ck_assert_uint_eq(stream_bytes_out(server.s), 4);
    ck_assert_uint_eq(buf_len(stream_out(server.s)), 4);
    ck_assert_int_eq(server.drained, 0);
    ck_assert(!stream_flush_now(server.s));
    stream_allow(server.s, 6);               /* leaves in this turn, without another word */
    turn_until(l, client.got == 6);
    ck_assert_uint_eq(stream_waits(server.s), 2);
    stream_write(server.s, big, 3 << 20);    /* more than a socket takes at once, with an end in the middle */
    stream_allow(server.s, 8 + (2 << 20));
    turn_until(l, client.got == 8 + (2 << 20));
    ck_assert_uint_eq(stream_waits(server.s), 1 << 20);
    stream_drop_waiting(server.s);
    stream_write(server.s, "end", 3);
    turn_until(l, client.got == 11 + (2 << 20));
    ck_assert_uint_eq(stream_allowed(server.s), STREAM_ALL);
    stream_allow(server.s, stream_out_end(server.s));
    stream_write(server.s, "never", 5);
    stream_close_when_sent(server.s);        /* what waits is not sent */
    turn_until(l, client.told);
    ck_assert_uint_eq(client.got, 11 + (2 << 20));
    mem_free(big);
    finish();
}
END_TEST

/* Inside of a turn: one stream without calling anybody back, or everything that was to be written. */
START_TEST(written_before_the_turn_is_over)
{
    char got[16];

    begin_connected();
    stream_write(server.s, "one", 3);
    stream_flush_some(server.s);
    ck_assert_uint_eq(stream_bytes_out(server.s), 3);
    ck_assert_int_eq(server.drained, 0);
    stream_write(server.s, "two", 3);
    stream_write(client.s, "three", 5);
    stream_flush_all(l);
    ck_assert_uint_eq(stream_bytes_out(server.s), 6);
    ck_assert_uint_eq(stream_bytes_out(client.s), 5);
    ck_assert_int_eq(server.drained, 1);
    turn_until(l, client.got == 6 && server.got == 5);

    /* the other side is gone: told at the end of the turn, not here */
    int fd = stream_detach_fd(client.s);
    ck_assert_int_ge((int)recv(fd, got, sizeof got, MSG_DONTWAIT), -1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
    stream_write(server.s, "lost", 4);
    stream_flush_some(server.s);
    stream_flush_some(server.s);
    ck_assert(!server.told);
    turn_until(l, server.told);
    finish();
}
END_TEST

START_TEST(waiting_output_counts_for_the_limit)
{
    char some[1000] = {0};

    begin_connected();
    stream_limit_out(server.s, 2500);
    stream_allow(server.s, 0);
    for (int i = 0; i < 2; i++)
        stream_write(server.s, some, sizeof some);
    loop_run_once(l, false);
    ck_assert(!server.told);
    stream_write(server.s, some, sizeof some);
    turn_until(l, server.told);
    ck_assert_int_eq(server.how, STREAM_LIMIT);
    turn_until(l, client.told);
    ck_assert_uint_eq(client.got, 0);
    finish();
}
END_TEST

START_TEST(unix_sockets)
{
    struct err e;
    char path[64];

    begin();
    snprintf(path, sizeof path, "/tmp/kvstream-%d.sock", (int)getpid());
    ck_assert_int_eq(listener_open_unix(l, path, 0600, accepted, NULL, &li, &e), 0);
    client.s = stream_connect_unix(l, path, 1000, &events, &client);
    turn_until(l, client.up && server.s);
    ck_assert(stream_is_unix(server.s));
    stream_write(client.s, "x", 1);
    turn_until(l, server.got == 1);
    ck_assert_str_eq(stream_peer(server.s).host, path);
    stream_close(client.s);
    stream_close(server.s);
    finish();
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(port_taken_says_so)
{
    uint16_t port = begin_listening();
    struct listener *other = NULL;
    struct err e;
    char want[64];

    ck_assert_int_eq(listener_open(l, "127.0.0.1", port, 16, accepted, NULL, &other, &e), ERR_SYS);
    snprintf(want, sizeof want, "Failed listening on port %d", port);
    ck_assert_int_eq(strncmp(e.text, want, strlen(want)), 0);
    ck_assert_int_eq(listener_open(l, "-2001:db8::7", 0, 16, accepted, NULL, &other, &e), 0);
    ck_assert_ptr_null(other);
    ck_assert_int_eq(listener_open(l, "no.such.name", 0, 16, accepted, NULL, &other, &e), ERR_RANGE);
    finish();
}
END_TEST

/* In a process of its own, with the listening socket as descriptor 3. */
static int use_inherited(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);       /* blocking, as systemd makes them */
    struct addr to;
    struct err e;
    char pid[32];

    if (bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, 5) != 0 ||
        getsockname(fd, (struct sockaddr *)&sa, &n) != 0 || dup2(fd, 3) != 3)
        return 2;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    begin();
    if (listener_open(l, "127.0.0.1", ntohs(sa.sin_port), 16, accepted, NULL, &li, &e) != 0)
        return 3;
    to = at(ntohs(sa.sin_port));
    client.s = stream_connect(l, &to, NULL, 1000, &events, &client);
    for (int i = 0; i < 1000 && !(client.up && server.s); i++) {
        loop_again(l);
        loop_run_once(l, true);
    }
    return client.up && server.s ? 0 : 4;
}

START_TEST(inherited_sockets)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(20);
        _exit(use_inherited());
    }
    waitpid(pid, &status, 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

SUITE(stream, inherited_sockets, bytes_go_both_ways, one_write_per_turn, refused_is_told_later, connect_times_out, last_words_arrive,
      too_much_unread_output_ends_it, output_waits_to_be_allowed,
      written_before_the_turn_is_over, waiting_output_counts_for_the_limit, unix_sockets, port_taken_says_so)

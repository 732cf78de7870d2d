/* Non-blocking bytes. Two things keep many idle connections small: buffers are lent
 * to a stream while it has something in them (a spare input buffer per loop, a few
 * spare output buffers), and reads grow only as far as the reader says it wants.
 *
 * States: connecting -> up -> ended (on_end told) -> closed (parked). A stream that was
 * closed "when sent" has no owner any more and goes by itself. */
#include "common/io/stream.h"

#include "common/base/mem.h"
#include "common/base/timeval.h"
#include "common/io/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_MIN (16u << 10)
#define READ_MAX (1u << 20)
#define EXPECT_MAX (32u << 20)
#define SPARE_OUT 32
#define SPARE_BYTES (16u << 10)
#define KEEP_BYTES 4096
#define LINGER_MS 5000

enum stream_state { ST_CONNECTING, ST_UP, ST_ENDED, ST_CLOSED };

struct stream {
    struct loop *loop;
    const struct stream_events *ev;
    void *owner;
    enum stream_state state;
    int fd;
    bool is_unix;
    bool paused;
    bool leaving;               /* closed when sent */
    bool reading;               /* inside on_data: a turn inside of it must leave the input alone */
    bool half;                  /* the other side says no more, but output waits: its end is told when that has left */
    bool shut_out;              /* such a turn wanted to read: watching again comes after on_data */
    struct fd_watch watch;
    struct timer timer;         /* connect timeout, telling of an early failure, lingering */
    struct buf in, out;
    struct list_link dirty;     /* in pool.dirty: to be written at the end of the turn */
    struct list_link last;      /* in pool.leaving, when leaving */
    uint64_t allowed;           /* number of the first byte of the output that may not leave; STREAM_ALL: none */
    size_t out_max;
    size_t expect;
    size_t read_size;           /* grows with a sender that fills every read */
    enum stream_end early_how;  /* a connect that failed at once, told in a later turn */
    int early_errno;
    uint64_t bytes_in, bytes_out;
    struct sockaddr_storage to;
};

/* What the streams of one loop share. */
struct pool {
    struct loop_hook flush;
    struct list_link dirty;
    struct list_link leaving;           /* nobody owns these any more */
    struct buf spare_in;
    struct buf spare_out[SPARE_OUT];
    int nspare_out;
};

const char *stream_end_name(enum stream_end how)
{
    static const char *const names[] = {"closed", "reset", "refused", "unreachable", "timed out", "over its limit"};

    return names[how];
}

static bool write_some(struct stream *s);
static void on_fd(struct fd_watch *w, int events, void *arg);
static void on_timer(struct timer *t, void *arg);

static void flush_all(void *arg)
{
    struct pool *p = arg;

    /* a callback may make more to write: go round until it is quiet, within reason */
    for (int pass = 0; pass < 8 && !list_empty(&p->dirty); pass++) {
        struct list_link now;
        list_init(&now);
        now.next = p->dirty.next;
        now.prev = p->dirty.prev;
        now.next->prev = now.prev->next = &now;
        list_init(&p->dirty);
        while (!list_empty(&now)) {
            struct stream *s = list_first(&now, struct stream, dirty);
            list_remove(&s->dirty);
            write_some(s);
        }
    }
}

static void pool_fini(void *arg)
{
    struct pool *p = arg;

    list_each_safe(struct stream, s, &p->leaving, last)
        stream_close(s);
    loop_hook_remove(&p->flush);
    buf_fini(&p->spare_in);
    while (p->nspare_out > 0)
        buf_fini(&p->spare_out[--p->nspare_out]);
    mem_free(p);
}

static struct pool *pool_of(struct loop *l)
{
    struct pool *p = loop_attached(l);

    if (!p) {
        p = mem_zalloc(sizeof *p);
        list_init(&p->dirty);
        list_init(&p->leaving);
        loop_flush_hook_add(l, &p->flush, flush_all, p);
        loop_attach(l, p, pool_fini);
    }
    return p;
}

static struct stream *stream_make(struct loop *l, const struct stream_events *ev, void *owner)
{
    struct stream *s = mem_zalloc(sizeof *s);

    pool_of(l);
    s->loop = l;
    s->ev = ev;
    s->owner = owner;
    s->fd = -1;
    s->allowed = STREAM_ALL;
    s->read_size = READ_MIN;
    list_init(&s->dirty);
    list_init(&s->last);
    fd_watch_init(&s->watch, l, on_fd, s);
    timer_init(&s->timer, l, on_timer, s);
    return s;
}

static void stream_free(void *arg)
{
    struct stream *s = arg;

    buf_fini(&s->in);
    buf_fini(&s->out);
    mem_free(s);
}

static void unhook(struct stream *s)
{
    fd_watch_stop(&s->watch);
    timer_clear(&s->timer);
    list_remove(&s->dirty);
    list_remove(&s->last);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* Bytes of the output that may leave now. */
static size_t sendable(const struct stream *s)
{
    size_t have = buf_len(&s->out);

    if (s->allowed == STREAM_ALL)
        return have;
    if (s->allowed <= s->bytes_out)
        return 0;
    return s->allowed - s->bytes_out < have ? (size_t)(s->allowed - s->bytes_out) : have;
}

static void watch_what_matters(struct stream *s)
{
    int events = 0;

    if (s->fd < 0)
        return;
    if (s->state == ST_CONNECTING)
        events = EV_WRITE;
    else if (s->state == ST_UP)
        events = (s->paused || s->leaving || s->shut_out || s->half ? 0 : EV_READ) |
                 (list_empty(&s->dirty) && sendable(s) > 0 ? EV_WRITE : 0);
    fd_watch_set(&s->watch, s->fd, events);
}

static void end(struct stream *s, enum stream_end how, int sys_errno)
{
    if (s->state >= ST_ENDED)
        return;
    unhook(s);
    if (s->leaving) {
        stream_close(s);
        return;
    }
    s->state = ST_ENDED;
    if (s->ev->on_end)
        s->ev->on_end(s, how, sys_errno, s->owner);
}

/* --- writing --- */

static void put_away_out(struct stream *s)
{
    struct pool *p = pool_of(s->loop);

    if (s->out.cap <= KEEP_BYTES) {
        buf_clear(&s->out);
    } else if (s->out.cap <= SPARE_BYTES * 4 && p->nspare_out < SPARE_OUT) {
        buf_clear(&s->out);
        p->spare_out[p->nspare_out] = (struct buf){0};
        buf_swap(&s->out, &p->spare_out[p->nspare_out++]);
    } else {
        buf_fini(&s->out);
    }
}

static void lend_out(struct stream *s)
{
    struct pool *p = pool_of(s->loop);

    if (s->out.mem)
        return;
    if (p->nspare_out > 0)
        buf_swap(&s->out, &p->spare_out[--p->nspare_out]);
    else
        buf_reserve(&s->out, SPARE_BYTES);
}

/* Discards what the peer still sent: closing a socket with unread bytes resets it,
 * and our last words might not be read. */
static void drain_input(struct stream *s)
{
    char nowhere[4096];

    for (int i = 0; i < 16 && recv(s->fd, nowhere, sizeof nowhere, MSG_DONTWAIT) > 0; i++)
        ;
}

/* As much as the socket takes. 0, or what is wrong. */
static int send_out(struct stream *s)
{
    size_t left;

    while ((left = sendable(s)) > 0) {
        ssize_t n = send(s->fd, buf_data(&s->out), left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
        s->bytes_out += (uint64_t)n;
        buf_consume(&s->out, (size_t)n);
    }
    return 0;
}

/* Returns true if nothing is left to write, nor waits. */
static bool write_some(struct stream *s)
{
    uint64_t before = s->bytes_out;
    int why;

    if (s->state != ST_UP)
        return buf_len(&s->out) == 0;
    why = send_out(s);
    if (why != 0) {
        end(s, STREAM_RESET, why);
        return false;
    }
    if (s->out_max && buf_len(&s->out) > s->out_max && !s->leaving) {
        end(s, STREAM_LIMIT, 0);
        return false;
    }
    if (buf_len(&s->out) > 0) {
        watch_what_matters(s);
        return false;
    }
    put_away_out(s);
    if (s->half && !s->leaving) {
        end(s, STREAM_EOF, 0);
        return true;
    }
    if (s->leaving) {
        drain_input(s);
        stream_close(s);
        return true;
    }
    watch_what_matters(s);
    if (s->bytes_out > before && s->ev->on_drained)
        s->ev->on_drained(s, s->owner);
    return s->state == ST_UP && buf_len(&s->out) == 0;
}

uint64_t stream_out_end(const struct stream *s)
{
    return s->bytes_out + buf_len(&s->out);
}

void stream_allow(struct stream *s, uint64_t below)
{
    bool more = below > s->allowed;

    s->allowed = below;
    if (more && (s->half || sendable(s) > 0))
        stream_flush_later(s);
}

uint64_t stream_allowed(const struct stream *s)
{
    return s->allowed;
}

size_t stream_waits(const struct stream *s)
{
    return buf_len(&s->out) - sendable(s);
}

void stream_drop_waiting(struct stream *s)
{
    buf_cut(&s->out, sendable(s));
    s->allowed = STREAM_ALL;
    if (s->half)
        stream_flush_later(s);
}

void stream_flush_later(struct stream *s)
{
    if (s->state >= ST_ENDED || !list_empty(&s->dirty))
        return;
    list_append(&pool_of(s->loop)->dirty, &s->dirty);
}

bool stream_flush_now(struct stream *s)
{
    list_remove(&s->dirty);
    return write_some(s);
}

void stream_flush_some(struct stream *s)
{
    if (s->state == ST_UP && !s->leaving)
        send_out(s);
}

void stream_flush_all(struct loop *l)
{
    flush_all(pool_of(l));
}

void stream_write(struct stream *s, const void *p, size_t n)
{
    if (s->state >= ST_ENDED)
        return;
    buf_append(&s->out, p, n);
    stream_flush_later(s);
}

/* --- reading --- */

static size_t read_room(const struct stream *s)
{
    size_t want = s->read_size;

    if (s->expect > want)
        want = s->expect < EXPECT_MAX ? s->expect : EXPECT_MAX;
    return want;
}

static void lend_in(struct stream *s, struct pool *p)
{
    if (!s->in.mem && p->spare_in.mem)
        buf_swap(&s->in, &p->spare_in);
}

/* Between reads: an empty input holds no memory, a small rest only what it needs. */
static void put_away_in(struct stream *s, struct pool *p)
{
    size_t left = buf_len(&s->in);
    struct buf rest = {0};

    if (left > 0 && (left > KEEP_BYTES || s->in.cap < 2 * READ_MIN))
        return;
    if (left > 0)
        buf_append(&rest, buf_data(&s->in), left);
    if (p->spare_in.mem || s->in.cap > READ_MAX + READ_MIN) {
        buf_fini(&s->in);
    } else {
        buf_clear(&s->in);
        buf_swap(&s->in, &p->spare_in);
    }
    buf_swap(&s->in, &rest);
}

static void read_some(struct stream *s)
{
    struct pool *p = pool_of(s->loop);
    size_t room;
    ssize_t n;

    lend_in(s, p);
    room = read_room(s);
    buf_reserve(&s->in, room);
    do
        n = recv(s->fd, buf_tail(&s->in, room), room, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        put_away_in(s, p);
        return;
    }
    if (n == 0 && stream_waits(s) > 0) {
        s->half = true;
        watch_what_matters(s);
        put_away_in(s, p);
        return;
    }
    if (n <= 0) {
        end(s, n == 0 ? STREAM_EOF : STREAM_RESET, n == 0 ? 0 : errno);
        return;
    }
    buf_added(&s->in, (size_t)n);
    s->bytes_in += (uint64_t)n;
    if ((size_t)n == room && s->read_size < READ_MAX)
        s->read_size *= 2;
    else if ((size_t)n < s->read_size / 4 && s->read_size > READ_MIN)
        s->read_size /= 2;
    s->expect = s->expect > (size_t)n ? s->expect - (size_t)n : 0;
    lend_out(s);
    s->reading = true;
    s->ev->on_data(s, s->owner);
    s->reading = false;
    if (s->state == ST_CLOSED)
        return;
    if (s->shut_out) {
        s->shut_out = false;
        watch_what_matters(s);
    }
    put_away_in(s, p);
    if (buf_len(&s->out) == 0)
        put_away_out(s);
}

/* --- connecting --- */

static void fail_early(struct stream *s, int sys_errno)
{
    s->early_how = sys_errno == ECONNREFUSED ? STREAM_REFUSED : STREAM_UNREACHABLE;
    s->early_errno = sys_errno;
    timer_set(&s->timer, 0);
}

/* A connect to a local port where nobody listens may meet itself, when the kernel picks
 * that very port for our end. Nobody listens there: that is "refused". */
static bool met_itself(int fd)
{
    struct sockaddr_storage a, b;
    socklen_t na = sizeof a, nb = sizeof b;

    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    return getsockname(fd, (struct sockaddr *)&a, &na) == 0 && getpeername(fd, (struct sockaddr *)&b, &nb) == 0 &&
           a.ss_family != AF_UNIX && na == nb && memcmp(&a, &b, na) == 0;
}

static void connected(struct stream *s)
{
    int why = 0;
    socklen_t n = sizeof why;

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &n) != 0)
        why = errno;
    if (why == 0 && met_itself(s->fd))
        why = ECONNREFUSED;
    if (why != 0) {
        end(s, why == ECONNREFUSED ? STREAM_REFUSED : STREAM_UNREACHABLE, why);
        return;
    }
    timer_clear(&s->timer);
    s->state = ST_UP;
    watch_what_matters(s);
    if (s->ev->on_up)
        s->ev->on_up(s, s->owner);
    if (s->state == ST_UP && buf_len(&s->out) > 0)
        stream_flush_later(s);
}

static void on_timer(struct timer *t, void *arg)
{
    struct stream *s = arg;

    (void)t;
    if (s->leaving)
        stream_close(s);
    else if (s->early_errno)
        end(s, s->early_how, s->early_errno);
    else if (s->state == ST_CONNECTING)
        end(s, STREAM_TIMEOUT, ETIMEDOUT);
}

static void on_fd(struct fd_watch *w, int events, void *arg)
{
    struct stream *s = arg;

    (void)w;
    if (s->state == ST_CONNECTING) {
        connected(s);
        return;
    }
    if ((events & EV_WRITE) && s->state == ST_UP)
        write_some(s);
    if (!(events & EV_READ) || s->state != ST_UP || s->paused || s->leaving || s->half)
        return;
    if (s->reading) {
        s->shut_out = true;
        watch_what_matters(s);
    } else {
        read_some(s);
    }
}

static void begin_connect(struct stream *s, const struct sockaddr *sa, socklen_t len, int64_t timeout_ms)
{
    int rc;

    timer_set(&s->timer, timeout_ms > 0 ? timeout_ms : NEVER_MS);
    do
        rc = connect(s->fd, sa, len);
    while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno != EINPROGRESS)
        fail_early(s, errno);
    else
        watch_what_matters(s);
}

struct stream *stream_connect(struct loop *l, const struct addr *to, const char *source_ip, int64_t timeout_ms,
                              const struct stream_events *ev, void *owner)
{
    struct stream *s = stream_make(l, ev, owner);
    struct sockaddr_storage sa, from;
    socklen_t len, from_len;

    s->state = ST_CONNECTING;
    if (!sock_fill(to->host, to->port, &sa, &len)) {
        fail_early(s, EINVAL);
        return s;
    }
    s->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        fail_early(s, errno);
        return s;
    }
    sock_nodelay(s->fd);
    if (source_ip && source_ip[0]) {
        if (!sock_fill(source_ip, 0, &from, &from_len) || bind(s->fd, (struct sockaddr *)&from, from_len) != 0) {
            fail_early(s, errno ? errno : EADDRNOTAVAIL);
            return s;
        }
    }
    s->to = sa;
    begin_connect(s, (struct sockaddr *)&sa, len, timeout_ms);
    return s;
}

struct stream *stream_connect_unix(struct loop *l, const char *path, int64_t timeout_ms,
                                   const struct stream_events *ev, void *owner)
{
    struct stream *s = stream_make(l, ev, owner);
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    s->state = ST_CONNECTING;
    s->is_unix = true;
    if (strlen(path) >= sizeof un.sun_path) {
        fail_early(s, ENAMETOOLONG);
        return s;
    }
    strcpy(un.sun_path, path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        fail_early(s, errno);
    else
        begin_connect(s, (struct sockaddr *)&un, sizeof un, timeout_ms);
    return s;
}

struct stream *stream_from_fd(struct loop *l, int fd, const struct stream_events *ev, void *owner)
{
    struct stream *s = stream_make(l, ev, owner);
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && !(flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    s->is_unix = getsockname(fd, (struct sockaddr *)&sa, &n) == 0 && sa.ss_family == AF_UNIX;
    if (!s->is_unix)
        sock_nodelay(fd);
    s->fd = fd;
    s->state = ST_UP;
    watch_what_matters(s);
    return s;
}

/* --- ending --- */

void stream_close(struct stream *s)
{
    if (!s || s->state == ST_CLOSED)
        return;
    unhook(s);
    s->state = ST_CLOSED;
    loop_park(s->loop, s, stream_free);
}

void stream_close_when_sent(struct stream *s)
{
    if (s->state != ST_UP) {
        stream_close(s);
        return;
    }
    stream_drop_waiting(s);
    s->leaving = true;
    list_append(&pool_of(s->loop)->leaving, &s->last);
    timer_set(&s->timer, LINGER_MS);
    watch_what_matters(s);
    stream_flush_later(s);
}

int stream_detach_fd(struct stream *s)
{
    int fd = s->fd;

    fd_watch_stop(&s->watch);
    s->fd = -1;
    stream_close(s);
    return fd;
}

/* --- small things --- */

struct buf *stream_in(struct stream *s)
{
    return &s->in;
}

struct buf *stream_out(struct stream *s)
{
    return &s->out;
}

void stream_pause_reading(struct stream *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    watch_what_matters(s);
}

void stream_expect(struct stream *s, size_t bytes)
{
    s->expect = bytes;
}

size_t stream_memory(const struct stream *s)
{
    return sizeof *s + s->in.cap + s->out.cap;
}

void stream_limit_out(struct stream *s, size_t max_bytes)
{
    s->out_max = max_bytes;
}

void stream_set_keepalive(struct stream *s, int idle_s)
{
    if (!s->is_unix && s->fd >= 0)
        sock_keepalive(s->fd, idle_s);
}

int stream_fd(const struct stream *s)
{
    return s->fd;
}

bool stream_is_up(const struct stream *s)
{
    return s->state == ST_UP;
}

bool stream_is_unix(const struct stream *s)
{
    return s->is_unix;
}

struct addr stream_peer(const struct stream *s)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;

    memset(&sa, 0, sizeof sa);
    if (s->fd < 0 || getpeername(s->fd, (struct sockaddr *)&sa, &n) != 0)
        return sock_addr(&s->to);
    if (s->is_unix && ((struct sockaddr_un *)&sa)->sun_path[0] == '\0')
        return stream_local(s);     /* the connecting end of a unix socket has no name */
    return sock_addr(&sa);
}

struct addr stream_local(const struct stream *s)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;

    memset(&sa, 0, sizeof sa);
    if (s->fd < 0 || getsockname(s->fd, (struct sockaddr *)&sa, &n) != 0)
        return (struct addr){{0}, 0};
    return sock_addr(&sa);
}

uint64_t stream_bytes_in(const struct stream *s)
{
    return s->bytes_in;
}

uint64_t stream_bytes_out(const struct stream *s)
{
    return s->bytes_out;
}

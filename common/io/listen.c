/* Bind and accept. A burst of connections is taken a few at a time, so that those who
 * are already in are not kept waiting; when descriptors run out, accepting rests. */
#include "common/io/listen.h"

#include "common/base/mem.h"
#include "common/io/library.h"
#include "common/io/log.h"
#include "common/io/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ACCEPT_PER_TURN 256
#define REST_MS 100

struct listener {
    struct loop *loop;
    int fd;
    bool is_unix;
    bool inherited;
    uint16_t port;
    char *path;
    listen_fn *fn;
    void *arg;
    struct fd_watch watch;
    struct timer rest;
};

static void on_readable(struct fd_watch *w, int events, void *arg)
{
    struct listener *li = arg;

    (void)w, (void)events;
    for (int i = 0; i < ACCEPT_PER_TURN && li->fd >= 0; i++) {
        struct sockaddr_storage sa = {0};     /* of a unix client accept4 fills in the family alone */
        struct addr peer;
        socklen_t n = sizeof sa;
        int fd = accept4(li->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                fd_watch_stop(&li->watch);
                timer_set(&li->rest, REST_MS);
            }
            return;
        }
        peer = sock_addr(&sa);
        if (li->is_unix)
            snprintf(peer.host, sizeof peer.host, "%s", li->path);
        else
            sock_nodelay(fd);
        li->fn(fd, &peer, li->is_unix, li->arg);
    }
}

static void rested(struct timer *t, void *arg)
{
    struct listener *li = arg;

    (void)t;
    fd_watch_set(&li->watch, li->fd, EV_READ);
}

static struct listener *make(struct loop *l, int fd, listen_fn *fn, void *arg)
{
    struct listener *li = mem_zalloc(sizeof *li);

    li->loop = l;
    li->fd = fd;
    li->fn = fn;
    li->arg = arg;
    fd_watch_init(&li->watch, l, on_readable, li);
    timer_init(&li->rest, l, rested, li);
    fd_watch_set(&li->watch, fd, EV_READ);
    return li;
}

/* --- sockets that systemd opened for us --- */

#define INHERITED_MAX 16
static int inherited[INHERITED_MAX];
static int ninherited = -1;

#define SYSTEMD_CALLS(X) X(listen_fds, sd_listen_fds)
LIBRARY(systemd, LIBSYSTEMD, SYSTEMD_CALLS);

static int count_inherited(void)
{
    struct err e = {0};

    if (!getenv("LISTEN_FDS"))
        return 0;
    if (library_load(&systemd_library, &e) == 0)
        return systemd.listen_fds(1);
    log_error("the sockets that systemd opened are not taken: %s", e.text);
    return 0;
}

static bool same_place(int fd, const struct sockaddr *sa, socklen_t len)
{
    struct sockaddr_storage has;
    socklen_t n = sizeof has;

    memset(&has, 0, sizeof has);
    if (getsockname(fd, (struct sockaddr *)&has, &n) != 0 || has.ss_family != sa->sa_family)
        return false;
    if (sa->sa_family == AF_UNIX)
        return strcmp(((struct sockaddr_un *)&has)->sun_path, ((const struct sockaddr_un *)sa)->sun_path) == 0;
    return n == len && memcmp(&has, sa, len) == 0;
}

static int take_inherited(const struct sockaddr *sa, socklen_t len)
{
    if (ninherited < 0) {
        int n = count_inherited();
        ninherited = 0;
        for (int i = 0; i < n && ninherited < INHERITED_MAX; i++)
            inherited[ninherited++] = SD_LISTEN_FDS_START + i;
    }
    for (int i = 0; i < ninherited; i++) {
        int fd = inherited[i];
        if (same_place(fd, sa, len)) {
            inherited[i] = inherited[--ninherited];
            fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);    /* systemd hands them over blocking */
            return fd;
        }
    }
    return -1;
}

/* --- opening --- */

static int bind_tcp(const struct sockaddr_storage *sa, socklen_t len, int backlog)
{
    int one = 1, why;
    int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (sa->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)sa, len) == 0 && listen(fd, backlog > 0 ? backlog : 511) == 0)
        return fd;
    why = errno;
    close(fd);
    errno = why;
    return -1;
}

static bool not_available(int why)
{
    return why == EADDRNOTAVAIL || why == EAFNOSUPPORT || why == EPROTONOSUPPORT || why == ENOPROTOOPT;
}

int listener_open(struct loop *l, const char *host, uint16_t port, int backlog, listen_fn *fn, void *arg,
                  struct listener **out, struct err *e)
{
    bool optional = host[0] == '-';
    struct sockaddr_storage sa;
    struct listener *li;
    socklen_t len;
    int fd;

    if (optional)
        host++;
    if (!sock_fill_local(host, port, &sa, &len))
        return err_set(e, ERR_RANGE, "cannot listen on '%s': give an IPv4 or IPv6 address, '*' or '::*'", host);
    fd = take_inherited((struct sockaddr *)&sa, len);
    bool was_inherited = fd >= 0;
    if (fd < 0)
        fd = bind_tcp(&sa, len, backlog);
    if (fd < 0 && optional && not_available(errno)) {
        *out = NULL;
        return 0;
    }
    if (fd < 0)
        return err_sys(e, "Failed listening on port %d (TCP), address %s", port, host);
    len = sizeof sa;
    li = make(l, fd, fn, arg);
    li->inherited = was_inherited;
    li->port = port;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        li->port = sock_addr(&sa).port;
    *out = li;
    return 0;
}

int listener_open_unix(struct loop *l, const char *path, unsigned mode, listen_fn *fn, void *arg,
                       struct listener **out, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct listener *li;
    bool was_inherited;
    int fd;

    if (strlen(path) >= sizeof un.sun_path)
        return err_set(e, ERR_RANGE, "the socket path %s is longer than %zu bytes", path, sizeof un.sun_path - 1);
    strcpy(un.sun_path, path);
    fd = take_inherited((struct sockaddr *)&un, sizeof un);
    was_inherited = fd >= 0;
    if (fd < 0) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return err_sys(e, "make a unix socket");
        unlink(path);
        if (bind(fd, (struct sockaddr *)&un, sizeof un) != 0 || listen(fd, 511) != 0) {
            err_sys(e, "Failed opening Unix socket: bind: %s", path);
            close(fd);
            return ERR_SYS;
        }
        if (mode)
            chmod(path, (mode_t)mode);
    }
    li = make(l, fd, fn, arg);
    li->is_unix = true;
    li->inherited = was_inherited;
    li->path = mem_strdup(path);
    *out = li;
    return 0;
}

void listener_close(struct listener *li)
{
    if (!li || li->fd < 0)
        return;
    fd_watch_stop(&li->watch);
    timer_clear(&li->rest);
    close(li->fd);
    li->fd = -1;
    if (li->path && !li->inherited)
        unlink(li->path);
    mem_free(li->path);
    li->path = NULL;
    loop_park(li->loop, li, mem_free);
}

uint16_t listener_port(const struct listener *li)
{
    return li->port;
}

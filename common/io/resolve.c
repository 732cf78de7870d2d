/* Names to addresses in up to four threads around getaddrinfo, which may hang for as
 * long as a name server does. What threads and loop share (struct desk) is counted, so
 * that a thread that is stuck does not hold up the end of the program.
 *
 * Answers come back through a pipe's worth of wake-up (eventfd) and a list. */
#include "common/io/resolve.h"

#include "common/base/dict.h"
#include "common/base/mem.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>

#define THREADS_MAX 4
#define CACHE_MAX 1024

struct resolve_job {
    struct list_link link;
    struct resolver *r;
    void (*fn)(void *arg, const char *ip, const char *why);    /* NULL: cancelled */
    void *arg;
    char host[ADDR_HOST_MAX], ip[ADDR_HOST_MAX], why[128];
};

/* Under the lock, all of it. */
struct desk {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list_link todo, done;
    int refs, threads, idle;
    bool closed;
    int wake_fd;
};

struct resolver {
    struct loop *loop;
    struct desk *desk;
    struct fd_watch watch;
    struct timer literal;            /* answers that need no thread */
    struct list_link literals;
    struct dict known;               /* name -> address text */
};

static void desk_release(struct desk *d)
{
    bool last;

    pthread_mutex_lock(&d->lock);
    last = --d->refs == 0;
    pthread_mutex_unlock(&d->lock);
    if (!last)
        return;
    list_each_safe(struct resolve_job, j, &d->todo, link)
        mem_free(j);
    list_each_safe(struct resolve_job, j, &d->done, link)
        mem_free(j);
    close(d->wake_fd);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->work);
    mem_free(d);
}

/* --- in a thread --- */

static bool put_ip(const struct addrinfo *a, char out[ADDR_HOST_MAX])
{
    if (a->ai_family == AF_INET)
        return inet_ntop(AF_INET, &((struct sockaddr_in *)a->ai_addr)->sin_addr, out, ADDR_HOST_MAX);
    if (a->ai_family == AF_INET6)
        return inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a->ai_addr)->sin6_addr, out, ADDR_HOST_MAX);
    return false;
}

/* IPv4 first: what a server binds to by default. */
static void look_up(struct resolve_job *j)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *all = NULL, *best = NULL;
    int rc = getaddrinfo(j->host, NULL, &want, &all);

    for (struct addrinfo *a = all; rc == 0 && a; a = a->ai_next)
        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
            (!best || (best->ai_family != AF_INET && a->ai_family == AF_INET)))
            best = a;
    if (!best || !put_ip(best, j->ip)) {
        j->ip[0] = '\0';
        snprintf(j->why, sizeof j->why, "%s", rc != 0 ? gai_strerror(rc) : "it has no address");
    }
    if (all)
        freeaddrinfo(all);
}

static void *thread_main(void *arg)
{
    struct desk *d = arg;
    uint64_t one = 1;

    pthread_mutex_lock(&d->lock);
    while (!d->closed) {
        struct resolve_job *j = list_first(&d->todo, struct resolve_job, link);
        if (!j) {
            d->idle++;
            pthread_cond_wait(&d->work, &d->lock);
            d->idle--;
            continue;
        }
        list_remove(&j->link);
        pthread_mutex_unlock(&d->lock);
        look_up(j);
        pthread_mutex_lock(&d->lock);
        list_append(&d->done, &j->link);
        if (write(d->wake_fd, &one, sizeof one) < 0)
            continue;        /* the counter is full: it is awake already */
    }
    pthread_mutex_unlock(&d->lock);
    desk_release(d);
    return NULL;
}

/* --- in the loop --- */

static void remember(struct resolver *r, const struct resolve_job *j)
{
    struct dict_entry *e;

    if (!j->ip[0])
        return;
    if (dict_count(&r->known) >= CACHE_MAX && !dict_find(&r->known, j->host, strlen(j->host)))
        dict_clear(&r->known, mem_free);
    e = dict_put(&r->known, j->host, strlen(j->host), NULL);
    mem_free(e->v.p);
    e->v.p = mem_strdup(j->ip);
}

static void answer(struct resolver *r, struct resolve_job *j)
{
    remember(r, j);
    if (j->fn)
        j->fn(j->arg, j->ip, j->why);
    mem_free(j);
}

static void on_wake(struct fd_watch *w, int events, void *arg)
{
    struct resolver *r = arg;
    uint64_t count;

    (void)events;
    if (read(w->ev.fd, &count, sizeof count) < 0)
        return;
    for (;;) {
        struct resolve_job *j;
        pthread_mutex_lock(&r->desk->lock);
        j = list_first(&r->desk->done, struct resolve_job, link);
        if (j)
            list_remove(&j->link);
        pthread_mutex_unlock(&r->desk->lock);
        if (!j)
            return;
        answer(r, j);
    }
}

static void on_literal(struct timer *t, void *arg)
{
    struct resolver *r = arg;

    (void)t;
    while (!list_empty(&r->literals)) {
        struct resolve_job *j = list_first(&r->literals, struct resolve_job, link);
        list_remove(&j->link);
        answer(r, j);
    }
}

struct resolver *resolver_new(struct loop *l)
{
    struct resolver *r = mem_zalloc(sizeof *r);
    struct desk *d = mem_zalloc(sizeof *d);

    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, NULL);
    list_init(&d->todo);
    list_init(&d->done);
    d->refs = 1;
    d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->desk = d;
    r->loop = l;
    list_init(&r->literals);
    dict_init(&r->known);
    timer_init(&r->literal, l, on_literal, r);
    fd_watch_init(&r->watch, l, on_wake, r);
    fd_watch_set(&r->watch, d->wake_fd, EV_READ);
    return r;
}

void resolver_free(struct resolver *r)
{
    struct desk *d;

    if (!r)
        return;
    d = r->desk;
    fd_watch_stop(&r->watch);
    timer_clear(&r->literal);
    list_each_safe(struct resolve_job, j, &r->literals, link)
        mem_free(j);
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->lock);
    desk_release(d);
    dict_fini(&r->known, mem_free);
    mem_free(r);
}

static void start_thread_if_wanted(struct desk *d)
{
    pthread_attr_t a;
    pthread_t t;

    if (d->idle > 0 || d->threads >= THREADS_MAX)
        return;
    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&a, 256 << 10);
    d->refs++;
    if (pthread_create(&t, &a, thread_main, d) == 0)
        d->threads++;
    else
        d->refs--;
    pthread_attr_destroy(&a);
}

struct resolve_job *resolve_start(struct resolver *r, const char *host,
                                  void (*fn)(void *arg, const char *ip, const char *why), void *arg)
{
    struct resolve_job *j = mem_zalloc(sizeof *j);
    struct desk *d = r->desk;
    size_t n = strlen(host);

    j->r = r;
    j->fn = fn;
    j->arg = arg;
    list_init(&j->link);
    if (n == 0 || n >= sizeof j->host || addr_is_ip(host)) {
        if (n > 0 && n < sizeof j->host)
            memcpy(j->ip, host, n + 1);
        else
            snprintf(j->why, sizeof j->why, "a name has 1 to %zu characters", sizeof j->host - 1);
        memcpy(j->host, j->ip, sizeof j->host);
        list_append(&r->literals, &j->link);
        timer_set(&r->literal, 0);
        return j;
    }
    memcpy(j->host, host, n + 1);
    pthread_mutex_lock(&d->lock);
    list_append(&d->todo, &j->link);
    start_thread_if_wanted(d);
    if (d->threads == 0) {          /* no thread to be had: say so instead of hanging */
        list_remove(&j->link);
        snprintf(j->why, sizeof j->why, "no thread could be started for the look-up");
        list_append(&r->literals, &j->link);
        timer_set(&r->literal, 0);
    }
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
    return j;
}

void resolve_cancel(struct resolve_job *j)
{
    if (j)
        j->fn = NULL;
}

bool resolve_cached(struct resolver *r, const char *host, char ip[ADDR_HOST_MAX])
{
    const char *known;

    if (addr_is_ip(host))
        known = host;
    else
        known = dict_get(&r->known, host, strlen(host));
    if (known)
        snprintf(ip, ADDR_HOST_MAX, "%s", known);
    return known != NULL;
}

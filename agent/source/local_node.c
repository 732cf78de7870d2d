/* One link, one look at a time: PING (is it loading?), INFO replication, INFO ha. Stock nodes
 * know no section "ha" and answer it with nothing. */
#include "agent/source/local_node.h"

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/timeval.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define POLL_MS 200
#define DOWN_AFTER_MS 1000

struct local_node {
    struct local_node_opts o;
    struct resp_link *link;
    struct local_node_state is;
    struct timer next, down;         /* the next look; no answer for so long: it is down */
    bool looking, again;
    char run_id[48], version[32];    /* of the process behind the link */
    /* of the look under way */
    bool loading, replication_known;
    struct local_node_state seen;
    char ha_state[24];               /* "" = not one of ours */
    char ha_lease[24];
    bool handing_over;
    struct list_link asks;           /* struct ask under way */
    char trouble[200];
};

/* One command of somebody else. */
struct ask {
    struct list_link link;
    link_reply_fn *fn;
    void *arg;
};

static const char *const role_names[] = {"unknown", "down", "loading", "master", "fenced", "slave", "syncing"};
const char *local_role_name(enum local_role r) { return role_names[r]; }
const struct local_node_state *local_node_state(const struct local_node *n) { return &n->is; }
const struct addr *local_node_addr(const struct local_node *n) { return &n->o.at; }
const char *local_node_trouble(const struct local_node *n) { return n->trouble; }
bool local_role_usable(enum local_role r) { return r >= LOCAL_PRIMARY; }

/* Said once for each reason. */
static void complain(struct local_node *n, const char *why)
{
    if (strcmp(n->trouble, why) == 0)
        return;
    slice_copy_z(slice_z(why), n->trouble, sizeof n->trouble);
    log_warning("node: %s:%u: %s", n->o.at.host, n->o.at.port, why);
}

static void become(struct local_node *n, const struct local_node_state *fresh)
{
    struct local_node_state was = n->is;

    n->is = *fresh;
    n->is.since_ms = was.role == fresh->role ? was.since_ms : loop_now_ms(n->o.loop);
    if (n->o.on_change && (was.role != fresh->role || !addr_equal(&was.primary, &fresh->primary) ||
                           strcmp(was.run_id, fresh->run_id) != 0))
        n->o.on_change(n->o.owner, &was, &n->is);
}

static void become_silent(struct local_node *n, enum local_role role)
{
    struct local_node_state s = {.role = role, .offset = -1, .lag_ms = -1};

    become(n, &s);
}

static void on_down(struct timer *t, void *arg)
{
    struct local_node *n = arg;

    (void)t;
    become_silent(n, LOCAL_DOWN);
    if (resp_link_is_up(n->link))
        resp_link_drop(n->link, "it does not answer");
}

/* --- reading INFO --- */

/* Calls fn for each "name:value" line. */
static void each_line(struct slice text, void (*fn)(struct local_node *n, struct slice name, struct slice value),
                      struct local_node *n)
{
    const char *p = text.p, *end = text.p + text.len;

    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end, *colon;

        if (stop > p && stop[-1] == '\r')
            stop--;
        colon = memchr(p, ':', (size_t)(stop - p));
        if (colon)
            fn(n, (struct slice){p, (size_t)(colon - p)}, (struct slice){colon + 1, (size_t)(stop - colon - 1)});
        p = nl ? nl + 1 : end;
    }
}

static int64_t number(struct slice v, int64_t otherwise)
{
    int64_t out;

    return num_i64_in(v.p, v.len, INT64_MIN, INT64_MAX, &out) ? out : otherwise;
}

static void take_server(struct local_node *n, struct slice name, struct slice value)
{
    if (slice_is(name, "run_id"))
        slice_copy_z(value, n->run_id, sizeof n->run_id);
    else if (slice_is(name, "kvorum_version") || slice_is(name, "valkey_version") ||
             (slice_is(name, "redis_version") && !n->version[0]))
        slice_copy_z(value, n->version, sizeof n->version);
}

static void take_replication(struct local_node *n, struct slice name, struct slice value)
{
    struct local_node_state *s = &n->seen;
    int64_t v;

    if (slice_is(name, "role")) {
        s->role = slice_is(value, "master") ? LOCAL_PRIMARY : LOCAL_SYNCING;
        n->replication_known = true;
    } else if (slice_is(name, "master_host")) {
        addr_set(&s->primary, value.p, value.len, s->primary.port);
    } else if (slice_is(name, "master_port")) {
        s->primary.port = (uint16_t)number(value, 0);
    } else if (slice_is(name, "master_link_status") && slice_is(value, "up")) {
        s->role = LOCAL_REPLICA;
    } else if (slice_is(name, "master_last_io_seconds_ago") && (v = number(value, -1)) >= 0) {
        s->lag_ms = v * 1000;
    } else if (slice_is(name, "slave_repl_offset") || (slice_is(name, "master_repl_offset") && s->offset < 0)) {
        s->offset = number(value, -1);
    } else if (slice_is(name, "master_failover_state")) {
        n->handing_over = !slice_is(value, "no-failover");
    }
}

static void take_ha(struct local_node *n, struct slice name, struct slice value)
{
    if (slice_is(name, "ha_state"))
        slice_copy_z(value, n->ha_state, sizeof n->ha_state);
    else if (slice_is(name, "ha_lease_ms"))
        slice_copy_z(value, n->ha_lease, sizeof n->ha_lease);
}

/* A kvnode says how it stands in its group: a plain one and one that is only bound write as they always did, one
 * that is open writes while it holds a lease, all others refuse. */
static bool may_write(const struct local_node *n)
{
    if (n->handing_over)
        return false;
    if (!n->ha_state[0] || strcmp(n->ha_state, "plain") == 0 || strcmp(n->ha_state, "bound") == 0)
        return true;
    return strcmp(n->ha_state, "open") == 0 && strcmp(n->ha_lease, "none") != 0;
}

/* Neither primary nor replica: INFO has to call it one of the two. */
static bool waits_for_its_group(const struct local_node *n)
{
    return n->seen.role == LOCAL_SYNCING && !addr_is_set(&n->seen.primary) &&
           (strcmp(n->ha_state, "fenced") == 0 || strcmp(n->ha_state, "fetching") == 0);
}

/* --- one look --- */

static void look(struct local_node *n);

static void end_look(struct local_node *n)
{
    n->looking = false;
    timer_set(&n->next, n->again ? 0 : n->o.poll_ms);
    n->again = false;
}

static void on_server(void *arg, const struct redisReply *r)
{
    struct local_node *n = arg;

    if (r)
        each_line(reply_text(r), take_server, n);
}

static void on_ping(void *arg, const struct redisReply *r)
{
    struct local_node *n = arg;

    n->loading = reply_error_is(r, "LOADING");
}

static void on_replication(void *arg, const struct redisReply *r)
{
    struct local_node *n = arg;

    if (r && !reply_is_error(r)) {
        each_line(reply_text(r), take_replication, n);
    } else if (r && !reply_error_is(r, "LOADING")) {
        struct slice s = reply_text(r);
        char why[sizeof n->trouble];

        slice_copy_z((struct slice){s.p, s.len < sizeof why ? s.len : sizeof why - 1}, why, sizeof why);
        complain(n, why);
    }
}

static void on_ha(void *arg, const struct redisReply *r)
{
    struct local_node *n = arg;

    if (!r)
        return;             /* on_end has seen to it */
    if (!reply_is_error(r))
        each_line(reply_text(r), take_ha, n);
    timer_set(&n->down, n->o.down_after_ms);
    memcpy(n->seen.version, n->version, sizeof n->version);
    memcpy(n->seen.run_id, n->run_id, sizeof n->run_id);
    if (n->loading)
        n->seen.role = LOCAL_LOADING;
    else if (!n->replication_known)
        n->seen.role = LOCAL_DOWN;         /* may not ask: the user has no right to INFO */
    else if ((n->seen.role == LOCAL_PRIMARY && !may_write(n)) || waits_for_its_group(n))
        n->seen.role = LOCAL_FENCED;
    if (n->seen.role == LOCAL_PRIMARY || n->seen.role == LOCAL_FENCED)
        n->seen.primary = (struct addr){.host = ""};
    if (n->replication_known)
        n->trouble[0] = 0;
    end_look(n);
    become(n, &n->seen);
}

static void look(struct local_node *n)
{
    if (n->looking) {
        n->again = true;
        return;
    }
    if (!resp_link_is_up(n->link))
        return;
    n->looking = true;
    if (!timer_is_set(&n->down))
        timer_set(&n->down, n->o.down_after_ms);
    n->loading = n->replication_known = n->handing_over = false;
    n->ha_state[0] = n->ha_lease[0] = 0;
    n->seen = (struct local_node_state){.role = LOCAL_UNKNOWN, .offset = -1, .lag_ms = -1};
    resp_link_sendz(n->link, on_ping, n, "PING", NULL);
    resp_link_sendz(n->link, on_replication, n, "INFO", "replication", NULL);
    resp_link_sendz(n->link, on_ha, n, "INFO", "ha", NULL);
}

static void on_next(struct timer *t, void *arg)
{
    (void)t;
    look(arg);
}

/* --- the link --- */

static void on_up(struct resp_link *k, void *owner)
{
    struct local_node *n = owner;

    n->run_id[0] = n->version[0] = 0;
    resp_link_sendz(k, on_server, n, "INFO", "server", NULL);
    look(n);
}

static void on_end(struct resp_link *k, enum link_end how, const char *why, void *owner)
{
    struct local_node *n = owner;

    (void)k;
    if (how == LINK_AUTH || how == LINK_PROTOCOL)
        complain(n, why);
    else if (!n->trouble[0])
        slice_copy_z(slice_z(why && why[0] ? why : link_end_name(how)), n->trouble, sizeof n->trouble);
    n->looking = n->again = false;
    timer_clear(&n->next);
    if (n->is.role == LOCAL_DOWN)
        return;
    if (!timer_is_set(&n->down))
        timer_set(&n->down, n->o.down_after_ms);
    become_silent(n, LOCAL_UNKNOWN);
}

/* --- questions of others --- */

static void on_answer(void *arg, const struct redisReply *r)
{
    struct ask *a = arg;
    link_reply_fn *fn = a->fn;
    void *whose = a->arg;

    list_remove(&a->link);
    mem_free(a);
    if (fn)
        fn(whose, r);
}

bool local_node_ask(struct local_node *n, int argc, const struct slice *argv, link_reply_fn *fn, void *arg)
{
    struct ask *a;

    if (!resp_link_is_up(n->link))
        return false;
    a = mem_zalloc(sizeof *a);
    a->fn = fn;
    a->arg = arg;
    list_append(&n->asks, &a->link);
    if (resp_link_send(n->link, on_answer, a, argc, argv))
        return true;
    list_remove(&a->link);
    mem_free(a);
    return false;
}

void local_node_forget(struct local_node *n, const void *arg)
{
    list_each(struct ask, a, &n->asks, link)
        if (a->arg == arg)
            a->fn = NULL;
}

struct local_node *local_node_new(const struct local_node_opts *o)
{
    struct local_node *n = mem_zalloc(sizeof *n);
    struct resp_link_opts k = {.to = o->at, .user = o->user, .password = o->password, .client_name = "kvorum-agent",
                               .reconnect_at_once = true, .resolver = o->resolver, .on_up = on_up, .on_end = on_end,
                               .owner = n};

    n->o = *o;
    list_init(&n->asks);
    n->o.user = n->o.password = NULL;          /* the link has copies */
    if (!n->o.poll_ms)
        n->o.poll_ms = POLL_MS;
    if (!n->o.down_after_ms)
        n->o.down_after_ms = DOWN_AFTER_MS;
    n->is = (struct local_node_state){.role = LOCAL_UNKNOWN, .offset = -1, .lag_ms = -1, .since_ms = loop_now_ms(o->loop)};
    timer_init(&n->next, o->loop, on_next, n);
    timer_init(&n->down, o->loop, on_down, n);
    timer_set(&n->down, n->o.down_after_ms);
    n->link = resp_link_new(o->loop, &k);
    return n;
}

void local_node_free(struct local_node *n)
{
    if (!n)
        return;
    timer_clear(&n->next);
    timer_clear(&n->down);
    resp_link_free(n->link);
    list_each_safe(struct ask, a, &n->asks, link)
        mem_free(a);
    loop_park(n->o.loop, n, mem_free);
}

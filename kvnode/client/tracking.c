/* Two tables. Ordinary tracking: key -> ids of the clients that read it; a change tells them once
 * and forgets. Broadcasting: prefix -> its clients and the keys that changed since the last turn.
 *
 * Messages are written when the command that caused them is over, so that a client sees the answer
 * to its own request before the invalidation that the request caused. */
#include "kvnode/client/tracking.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/words.h"
#include "kvnode/server.h"

#include <string.h>

struct id_list {
    VEC(uint64_t) ids;                 /* rising */
};

struct prefix {
    VEC(uint64_t) ids;
    struct dict changed;               /* key -> id of the client that changed it last (v.u) */
};

struct pending {
    uint64_t to;
    struct slice key;                  /* ours; p NULL: everything was flushed */
};

struct tracking {
    struct server *srv;
    struct dict keys;                  /* key -> struct id_list * */
    struct dict prefixes;              /* prefix -> struct prefix * */
    VEC(struct pending) pending;
    size_t items, clients;
    bool bcast_pending;
    struct watcher watcher;
};

static void free_ids(void *p)
{
    struct id_list *l = p;

    vec_fini(&l->ids);
    mem_free(l);
}

static void free_prefix(void *p)
{
    struct prefix *f = p;

    vec_fini(&f->ids);
    dict_fini(&f->changed, NULL);
    mem_free(f);
}

static struct client *tracking_client(struct tracking *t, uint64_t id)
{
    struct session *s = session_by_id(&t->srv->resp, id);
    struct client *c = s ? client_of(s) : NULL;

    return c && c->tracking ? c : NULL;
}

static void queue_one(struct tracking *t, uint64_t to, struct slice key)
{
    struct pending *p = vec_add(&t->pending);

    p->to = to;
    if (key.p)
        p->key = (struct slice){mem_strndup(key.p, key.len), key.len};
}

/* `why` is the client whose command changes the key, or NULL. */
static void invalidate(struct tracking *t, struct slice key, const struct client *why)
{
    void *old = NULL;

    if (!dict_del(&t->keys, key.p, key.len, &old))
        return;
    struct id_list *l = old;
    for (size_t i = 0; i < l->ids.n; i++) {
        struct client *c = tracking_client(t, l->ids.at[i]);

        if (!c || c->track_bcast || (c->track_noloop && c == why))
            continue;
        queue_one(t, l->ids.at[i], key);
    }
    t->items -= l->ids.n;
    free_ids(l);
}

static void broadcast(struct tracking *t, struct slice key, const struct client *why)
{
    struct dict_iter it;
    struct dict_entry *e;

    dict_iter_init(&it, &t->prefixes);
    while ((e = dict_iter_next(&it))) {
        struct prefix *f = e->v.p;

        if (e->klen <= key.len && memcmp(e->key, key.p, e->klen) == 0) {
            dict_put(&f->changed, key.p, key.len, NULL)->v.u = why && why->session ? why->session->id : 0;
            t->bcast_pending = true;
        }
    }
    dict_iter_fini(&it);
}

static void flushed(struct tracking *t)
{
    if (t->clients > 0)
        list_each(struct session, s, &t->srv->resp.sessions, link) {
            struct client *c = client_of(s);

            if (c && c->tracking)
                queue_one(t, s->id, (struct slice){NULL, 0});
        }
    dict_clear(&t->keys, free_ids);
    t->items = 0;
}

static void on_change(void *arg, enum watch_kind kind, int db, struct slice key)
{
    struct tracking *t = arg;
    struct client *why = t->srv->now.client;

    (void)db;
    if (t->clients == 0 && dict_count(&t->keys) == 0)
        return;
    if (kind == WATCH_FLUSHED || kind == WATCH_SWAPPED) {
        flushed(t);
        return;
    }
    if (dict_count(&t->keys) > 0)
        invalidate(t, key, kind == WATCH_EXPIRED ? NULL : why);
    if (dict_count(&t->prefixes) > 0)
        broadcast(t, key, kind == WATCH_EXPIRED ? NULL : why);
}

void tracking_init(struct server *srv)
{
    struct tracking *t = mem_zalloc(sizeof *t);

    t->srv = srv;
    dict_init(&t->keys);
    dict_init(&t->prefixes);
    watch_add(&srv->watch, &t->watcher, on_change, t);
    srv->tracking = t;
}

void tracking_fini(struct server *srv)
{
    struct tracking *t = srv->tracking;

    if (!t)
        return;
    watch_remove(&t->watcher);
    dict_fini(&t->keys, free_ids);
    dict_fini(&t->prefixes, free_prefix);
    for (size_t i = 0; i < t->pending.n; i++)
        mem_free((char *)t->pending.at[i].key.p);
    vec_fini(&t->pending);
    mem_free(t);
    srv->tracking = NULL;
}

/* --- remembering --- */

static bool wants_to_remember(const struct client *c)
{
    if (c->track_optin)
        return c->track_caching;
    if (c->track_optout)
        return !c->track_caching;
    return true;
}

/* The place of id, or where it belongs. */
static size_t place_of(const struct id_list *l, uint64_t id)
{
    size_t low = 0, high = l->ids.n;

    if (high > 0 && l->ids.at[high - 1] < id)      /* who came last reads for the first time */
        return high;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (l->ids.at[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Of a key that never changes, clients come and go: whoever left is forgotten each time the list has doubled. */
static void forget_gone(struct tracking *t, struct id_list *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->ids.n; i++)
        if (tracking_client(t, l->ids.at[i]))
            l->ids.at[kept++] = l->ids.at[i];
    t->items -= l->ids.n - kept;
    l->ids.n = kept;
}

#define FORGET_FROM 64

static void remember_id(struct tracking *t, struct id_list *l, uint64_t id)
{
    size_t at = place_of(l, id);

    if (at < l->ids.n && l->ids.at[at] == id)
        return;
    if (l->ids.n >= FORGET_FROM && l->ids.n == l->ids.cap) {
        forget_gone(t, l);
        at = place_of(l, id);
    }
    vec_push(&l->ids, id);
    memmove(&l->ids.at[at + 1], &l->ids.at[at], (l->ids.n - 1 - at) * sizeof id);
    l->ids.at[at] = id;
    t->items++;
}

#define TRACKED_KEYS_MAX 1024      /* of one command */

void tracking_remember(struct client *c, const struct command *cmd, int argc, const struct slice *argv)
{
    struct tracking *t = c->srv->tracking;
    int at[TRACKED_KEYS_MAX];
    int n;

    if (!c->session || c->track_bcast || !wants_to_remember(c))
        return;
    n = command_keys(cmd, argc, argv, at, TRACKED_KEYS_MAX);
    for (int i = 0; i < n; i++) {
        bool is_new;
        struct dict_entry *e = dict_put(&t->keys, argv[at[i]].p, argv[at[i]].len, &is_new);
        struct id_list *l = e->v.p;

        if (is_new)
            e->v.p = l = mem_zalloc(sizeof *l);
        remember_id(t, l, c->session->id);
    }
}

void tracking_start(struct client *c, uint64_t redirect, bool bcast)
{
    struct tracking *t = c->srv->tracking;

    if (!c->tracking)
        t->clients++;
    c->tracking = true;
    c->track_bcast = bcast;
    c->track_redirect = redirect;
    c->track_broken = false;
}

void tracking_add_prefix(struct client *c, struct slice prefix)
{
    struct tracking *t = c->srv->tracking;
    bool is_new;
    struct dict_entry *e = dict_put(&t->prefixes, prefix.p, prefix.len, &is_new);
    struct prefix *f = e->v.p;

    for (size_t i = 0; i < c->track_prefixes.n; i++)
        if (slice_eq(prefix, c->track_prefixes.at[i]))
            return;
    if (is_new) {
        e->v.p = f = mem_zalloc(sizeof *f);
        dict_init(&f->changed);
    }
    vec_push(&f->ids, c->session->id);
    vec_push(&c->track_prefixes, ((struct slice){mem_strndup(prefix.p, prefix.len), prefix.len}));
}

void tracking_stop(struct client *c)
{
    struct tracking *t = c->srv->tracking;

    for (size_t i = 0; i < c->track_prefixes.n; i++) {
        struct slice name = c->track_prefixes.at[i];
        struct prefix *f = dict_get(&t->prefixes, name.p, name.len);

        for (size_t k = 0; f && k < f->ids.n; k++)
            if (f->ids.at[k] == c->session->id) {
                vec_remove_fast(&f->ids, k);
                break;
            }
        if (f && f->ids.n == 0) {
            void *old = NULL;

            dict_del(&t->prefixes, name.p, name.len, &old);
            free_prefix(old);
        }
        mem_free((char *)(uintptr_t)name.p);
    }
    vec_clear(&c->track_prefixes);
    if (c->tracking)
        t->clients--;
    c->tracking = c->track_bcast = c->track_noloop = c->track_optin = c->track_optout = false;
    c->track_caching = c->track_broken = false;
    c->track_redirect = 0;
}

/* --- telling --- */

/* Everything up to the list of keys; NULL: nobody there who could be told. */
static struct reply *message_head(struct tracking *t, struct client *c)
{
    struct session *s = c->session;
    bool redirected = c->track_redirect != 0;
    struct reply *r;

    if (redirected) {
        s = session_by_id(&t->srv->resp, c->track_redirect);
        if (!s) {
            c->track_broken = true;
            if (c->session->resp > 2) {
                r = session_reply(c->session);
                reply_push(r, 2);
                reply_bulk_z(r, "tracking-redir-broken");
                reply_int(r, (int64_t)c->track_redirect);
            }
            return NULL;
        }
    }
    if (s->resp > 2) {
        r = session_reply(s);
        reply_push(r, 2);
        reply_bulk_z(r, "invalidate");
        return r;
    }
    if (!redirected || s->nchannels + s->npatterns == 0)
        return NULL;
    r = session_reply(s);
    reply_array(r, 3);
    reply_bulk_z(r, "message");
    reply_bulk_z(r, TRACKING_CHANNEL);
    return r;
}

static void send_pending(struct tracking *t)
{
    for (size_t i = 0; i < t->pending.n; i++) {
        struct pending *p = &t->pending.at[i];
        struct client *c = tracking_client(t, p->to);
        struct reply *r = c ? message_head(t, c) : NULL;

        if (r && p->key.p) {
            reply_array(r, 1);
            reply_bulk_slice(r, p->key);
        } else if (r) {
            reply_null(r);
        }
        mem_free((char *)p->key.p);
    }
    vec_clear(&t->pending);
}

static void send_prefix(struct tracking *t, struct prefix *f)
{
    for (size_t i = 0; i < f->ids.n; i++) {
        struct client *c = tracking_client(t, f->ids.at[i]);
        struct dict_iter it;
        struct dict_entry *e;
        size_t n = 0;
        struct reply *r;

        if (!c)
            continue;
        dict_iter_init(&it, &f->changed);
        while ((e = dict_iter_next(&it)))
            n += !(c->track_noloop && e->v.u == c->session->id);
        dict_iter_fini(&it);
        if (n == 0 || !(r = message_head(t, c)))
            continue;
        reply_array(r, n);
        dict_iter_init(&it, &f->changed);
        while ((e = dict_iter_next(&it)))
            if (!(c->track_noloop && e->v.u == c->session->id))
                reply_bulk(r, e->key, e->klen);
        dict_iter_fini(&it);
    }
    dict_clear(&f->changed, NULL);
}

void tracking_flush(struct server *srv)
{
    struct tracking *t = srv->tracking;

    if (t->pending.n > 0)
        send_pending(t);
}

void tracking_turn(struct server *srv)
{
    struct tracking *t = srv->tracking;
    struct dict_iter it;
    struct dict_entry *e;
    int64_t max = srv->opt.tracking_table_max_keys;

    while (max > 0 && (int64_t)dict_count(&t->keys) > max) {
        e = dict_random(&t->keys, &srv->rng);
        struct str key = {0};

        str_set(&key, e->key, e->klen);
        invalidate(t, (struct slice){key.p, key.len}, NULL);
        str_fini(&key);
    }
    tracking_flush(srv);
    if (!t->bcast_pending)
        return;
    t->bcast_pending = false;
    dict_iter_init(&it, &t->prefixes);
    while ((e = dict_iter_next(&it))) {
        struct prefix *f = e->v.p;

        if (dict_count(&f->changed) > 0)
            send_prefix(t, f);
    }
    dict_iter_fini(&it);
}

size_t tracking_keys(const struct server *srv) { return dict_count(&srv->tracking->keys); }
size_t tracking_items(const struct server *srv) { return srv->tracking->items; }
size_t tracking_prefixes(const struct server *srv) { return dict_count(&srv->tracking->prefixes); }
size_t tracking_clients(const struct server *srv) { return srv->tracking->clients; }

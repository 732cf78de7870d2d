/* A transaction is a list of copied requests; a watched key is an entry in one dict (database and
 * name -> clients). Whether EXEC may go on is one flag per client, set when a change is told. */
#include "kvnode/client/txn.h"

#include "common/base/mem.h"
#include "kvnode/server.h"

#include <string.h>

struct txn_watch {
    struct server *srv;
    struct dict keys;              /* database (4 bytes) and key -> struct list_link * of watched_key */
    struct watcher watcher;
};

static void dict_name(int db, struct slice key, struct str *out)
{
    str_clear(out);
    str_append(out, &db, sizeof db);
    str_append(out, key.p, key.len);
}

static struct slice name_key(const struct dict_entry *e, int *db)
{
    memcpy(db, e->key, sizeof *db);
    return (struct slice){e->key + sizeof *db, e->klen - sizeof *db};
}

static void break_all(struct list_link *head, bool by_expiry)
{
    list_each(struct watched_key, w, head, link) {
        if (by_expiry && w->was_gone) {
            w->was_gone = false;           /* it was as good as gone when the watch began: nothing new */
            continue;
        }
        w->client->watch_broken = true;
    }
}

/* What a key was like when the watch began, and is now: `was` and `now` are the object before and
 * after an emptying or exchange of databases (NULL: none). A key that was gone by its deadline and is
 * gone now has not changed. */
static void compare(struct txn_watch *t, struct list_link *head, int db, struct object *was, struct object *now)
{
    struct db *d = keyspace_db(t->srv->ks, db);
    bool now_gone = !now || db_is_expired(d, now);

    if (!was && !now)
        return;
    list_each(struct watched_key, w, head, link) {
        if ((w->was_gone || !was) && now_gone)
            w->was_gone = now != NULL;
        else
            w->client->watch_broken = true;
    }
}

static void each_watched(struct txn_watch *t, int db, int with)
{
    struct dict_iter it;
    struct dict_entry *e;

    dict_iter_init(&it, &t->keys);
    while ((e = dict_iter_next(&it))) {
        int of;
        struct slice key = name_key(e, &of);

        if (db == -1 || db == of)
            compare(t, e->v.p, of, db_raw(keyspace_db(t->srv->ks, of), key),
                    with >= 0 ? db_raw(keyspace_db(t->srv->ks, with), key) : NULL);
    }
    dict_iter_fini(&it);
}

static void break_everything(struct txn_watch *t)
{
    struct dict_iter it;
    struct dict_entry *e;

    dict_iter_init(&it, &t->keys);
    while ((e = dict_iter_next(&it)))
        break_all(e->v.p, false);
    dict_iter_fini(&it);
}

void txn_swapped(struct server *srv, int a, int b)
{
    each_watched(srv->txn_watch, a, b);
    each_watched(srv->txn_watch, b, a);
}

static void on_change(void *arg, enum watch_kind kind, int db, struct slice key)
{
    struct txn_watch *t = arg;

    if (dict_count(&t->keys) == 0)
        return;
    if (kind == WATCH_FLUSHED) {
        each_watched(t, db, -1);
        return;
    }
    if (kind == WATCH_SWAPPED) {
        break_everything(t);
        return;
    }
    struct str name = {0};
    dict_name(db, key, &name);
    struct list_link *head = dict_get(&t->keys, name.p, name.len);
    str_fini(&name);
    if (head)
        break_all(head, kind == WATCH_EXPIRED);
}

void txn_init(struct server *srv)
{
    struct txn_watch *t = mem_zalloc(sizeof *t);

    t->srv = srv;
    dict_init(&t->keys);
    watch_add(&srv->watch, &t->watcher, on_change, t);
    srv->txn_watch = t;
}

void txn_fini(struct server *srv)
{
    if (!srv->txn_watch)
        return;
    watch_remove(&srv->txn_watch->watcher);
    dict_fini(&srv->txn_watch->keys, mem_free);
    mem_free(srv->txn_watch);
    srv->txn_watch = NULL;
}

void txn_queue(struct client *c, const struct command *cmd, int argc, const struct slice *argv)
{
    struct queued *q = vec_add(&c->queue);
    size_t bytes = 0;
    char *p;

    for (int i = 0; i < argc; i++)
        bytes += argv[i].len + 1;
    q->cmd = cmd;
    q->argc = argc;
    q->argv = mem_alloc((size_t)argc * sizeof *q->argv + bytes);
    p = (char *)(q->argv + argc);
    for (int i = 0; i < argc; i++) {
        memcpy(p, argv[i].p, argv[i].len);
        p[argv[i].len] = '\0';
        q->argv[i] = (struct slice){p, argv[i].len};
        p += argv[i].len + 1;
    }
    c->queue_bytes += bytes;
    c->queue_flags |= cmd->flags;
}

void txn_discard(struct client *c)
{
    for (size_t i = 0; i < c->queue.n; i++)
        mem_free(c->queue.at[i].argv);
    vec_fini(&c->queue);
    c->queue_bytes = 0;
    c->queue_flags = 0;
    c->txn = TXN_NONE;
    txn_unwatch(c);
}

void txn_watch_key(struct client *c, struct slice key)
{
    struct txn_watch *t = c->srv->txn_watch;
    struct db *d = keyspace_db(c->srv->ks, c->db);
    struct object *o;
    struct str name = {0};
    bool is_new;

    dict_name(c->db, key, &name);
    struct dict_entry *e = dict_put(&t->keys, name.p, name.len, &is_new);
    str_fini(&name);
    if (is_new) {
        struct list_link *head = mem_alloc(sizeof *head);
        list_init(head);
        e->v.p = head;
    }
    for (size_t i = 0; i < c->watching.n; i++)
        if (c->watching.at[i]->entry == e)
            return;
    struct watched_key *w = mem_zalloc(sizeof *w);
    w->client = c;
    w->entry = e;
    o = db_raw(d, key);
    w->was_gone = o && db_is_expired(d, o);
    list_append(e->v.p, &w->link);
    vec_push(&c->watching, w);
}

void txn_unwatch(struct client *c)
{
    for (size_t i = 0; i < c->watching.n; i++) {
        struct watched_key *w = c->watching.at[i];
        struct dict_entry *e = w->entry;
        struct list_link *head = e->v.p;

        list_remove(&w->link);
        mem_free(w);
        if (list_empty(head)) {
            void *old = NULL;

            dict_del(&c->srv->txn_watch->keys, e->key, e->klen, &old);
            mem_free(old);
        }
    }
    vec_clear(&c->watching);
    c->watch_broken = false;
}

bool txn_watch_expired(struct client *c)
{
    for (size_t i = 0; i < c->watching.n; i++) {
        const struct watched_key *w = c->watching.at[i];
        int dbi;
        struct slice key = name_key(w->entry, &dbi);
        struct db *d = keyspace_db(c->srv->ks, dbi);
        struct object *o = db_raw(d, key);

        if (!w->was_gone && o && db_is_expired(d, o))
            return true;
    }
    return false;
}

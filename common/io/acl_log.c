/* A short list, searched from its newest end. */
#include "common/io/acl_log.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/list.h"
#include "common/io/clock.h"
#include "common/io/session.h"

#include <string.h>

#define SAME_WITHIN_MS 60000
#define LOOK_BACK 10                 /* entries that are searched for the same */
#define OBJECT_MAX 256

struct entry {
    struct list_link link;
    uint64_t count;
    enum acl_log_reason why;
    const char *context;
    char *object, *user, *client;
    size_t object_len;
    int64_t at_ms;
};

struct acl_log {
    struct list_link entries;        /* newest first */
    size_t n;
    int64_t max;
};

struct acl_log *acl_log_new(void)
{
    struct acl_log *l = mem_zalloc(sizeof *l);

    list_init(&l->entries);
    l->max = 128;
    return l;
}

static void drop(struct acl_log *l, struct entry *e)
{
    list_remove(&e->link);
    l->n--;
    mem_free(e->object);
    mem_free(e->user);
    mem_free(e->client);
    mem_free(e);
}

static void cut(struct acl_log *l, size_t max)
{
    while (l->n > max)
        drop(l, list_of(l->entries.prev, struct entry, link));
}

void acl_log_free(struct acl_log *l)
{
    if (!l)
        return;
    cut(l, 0);
    mem_free(l);
}

void acl_log_set_max(struct acl_log *l, int64_t max)
{
    l->max = max;
    cut(l, (size_t)max);
}

static struct entry *same(struct acl_log *l, const struct entry *like)
{
    int looked = 0;

    list_each(struct entry, e, &l->entries, link) {
        if (looked++ == LOOK_BACK)
            break;
        if (e->why == like->why && e->context == like->context && like->at_ms - e->at_ms <= SAME_WITHIN_MS &&
            e->object_len == like->object_len && memcmp(e->object, like->object, e->object_len) == 0 && strcmp(e->user, like->user) == 0)
            return e;
    }
    return NULL;
}

void acl_log_note(struct acl_log *l, const struct session *s, enum acl_log_reason why, struct slice object, struct slice user)
{
    struct session_facts f = {.multi = -1};
    struct entry *e = mem_zalloc(sizeof *e), *known;
    struct str client = {0};

    if (session_facts_hook)
        session_facts_hook(s, &f);
    session_line(s, &client);
    e->count = 1;
    e->why = why;
    e->context = f.multi >= 0 || f.in_exec ? "multi" : "toplevel";
    e->object_len = object.len < OBJECT_MAX ? object.len : OBJECT_MAX;
    e->object = mem_strndup(object.p, e->object_len);
    e->user = mem_strndup(user.p, user.len < OBJECT_MAX ? user.len : OBJECT_MAX);
    e->client = str_take(&client);
    e->at_ms = clock_mono_ms();
    known = same(l, e);
    if (known) {
        e->count += known->count;
        drop(l, known);
    }
    list_prepend(&l->entries, &e->link);
    l->n++;
    cut(l, (size_t)l->max);
}

static void put(struct reply *r, const struct entry *e)
{
    static const char *const reasons[] = {"command", "key", "channel", "auth"};

    reply_map(r, 7);
    reply_bulk_z(r, "count");
    reply_int(r, (int64_t)e->count);
    reply_bulk_z(r, "reason");
    reply_bulk_z(r, reasons[e->why]);
    reply_bulk_z(r, "context");
    reply_bulk_z(r, e->context);
    reply_bulk_z(r, "object");
    reply_bulk(r, e->object, e->object_len);
    reply_bulk_z(r, "username");
    reply_bulk_z(r, e->user);
    reply_bulk_z(r, "age-seconds");
    reply_double(r, (double)(clock_mono_ms() - e->at_ms) / 1000);
    reply_bulk_z(r, "client-info");
    reply_bulk_z(r, e->client);
}

void acl_log_command(struct call *c)
{
    struct acl_log *l = c->session->srv->acl_log;
    int64_t count = 10;

    if (c->argc == 3 && slice_is_nocase(c->argv[2], "reset")) {
        cut(l, 0);
        reply_ok(c->reply);
        return;
    }
    if (c->argc == 3 && !num_i64(c->argv[2].p, c->argv[2].len, &count)) {
        reply_error(c->reply, "ERR value is not an integer or out of range");
        return;
    }
    if (count < 0)
        count = 0;
    if ((uint64_t)count > l->n)
        count = (int64_t)l->n;
    reply_array(c->reply, (size_t)count);
    list_each(struct entry, e, &l->entries, link) {
        if (count-- == 0)
            break;
        put(c->reply, e);
    }
}

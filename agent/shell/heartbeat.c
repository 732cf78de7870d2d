/* The hash of this node. */
#include "agent/shell/heartbeat.h"

#include "agent/shell/shell.h"
#include "agent/source/digest.h"
#include "agent/source/local_node.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/words.h"
#include "common/io/file.h"
#include "common/io/log.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRY_MS 200            /* while the directory is not live */
#define FIELDS_MAX 24

struct heartbeat {
    struct agent *a;
    struct timer timer;
    char *key;
    char boot[64];
    bool complained, soon;
};

/* Names and values; the values are ours until the end of the beat. */
struct fields {
    struct slice at[2 + 2 * FIELDS_MAX];
    char *values[FIELDS_MAX];
    int n;
};

static void put(struct fields *f, const char *name, const char *value)
{
    CHECK(f->n < FIELDS_MAX);
    f->values[f->n] = mem_strdup(value);
    f->at[2 + 2 * f->n] = slice_z(name);
    f->at[3 + 2 * f->n] = slice_z(f->values[f->n]);
    f->n++;
}

static void put_i64(struct fields *f, const char *name, int64_t value)
{
    char text[NUM_I64_MAX];

    num_put_i64(text, value);
    put(f, name, text);
}

/* --- what it says --- */

static int by_name(const void *x, const void *y)
{
    const struct applier *const *a = x, *const *b = y;
    int rc = strcmp((*a)->name.type, (*b)->name.type);

    return rc ? rc : strcmp((*a)->name.component, (*b)->name.component);
}

/* Over all that is in force. */
static void fingerprint(const struct agent *a, char out[SHA_MAX])
{
    VEC(const struct applier *) known = {0};
    struct sha_pieces s;

    for (size_t i = 0; i < a->appliers.n; i++)
        if (a->appliers.at[i]->applied.known)
            vec_push(&known, a->appliers.at[i]);
    if (known.n > 1)
        qsort(known.at, known.n, sizeof *known.at, by_name);
    sha_begin(&s);
    for (size_t i = 0; i < known.n; i++) {
        char name[DOC_KEY_MAX];

        docname_text(&known.at[i]->name, name);
        sha_piece(&s, name, strlen(name));
        sha_piece(&s, known.at[i]->applied.sha, strlen(known.at[i]->applied.sha));
    }
    sha_end(&s, out);
    vec_fini(&known);
}

static void put_local(struct fields *f, const struct agent *a)
{
    const struct local_node_state *s = a->means.node ? local_node_state(a->means.node) : NULL;
    char text[ADDR_TEXT_MAX] = "";

    put(f, "role", s ? local_role_name(s->role) : "none");
    if (s && addr_is_set(&s->primary))
        addr_text(&s->primary, text);
    put(f, "primary", text);
    put_i64(f, "offset", s ? s->offset : -1);
    put_i64(f, "lag-ms", s ? s->lag_ms : -1);
    put(f, "node-version", s ? s->version : "");
}

static void put_labels(struct fields *f, const struct agent *a)
{
    const cJSON *tree = a->in_force ? a->in_force->tree : NULL;
    const cJSON *labels = tree ? tree_at(tree, "labels") : NULL, *vars = tree ? tree_at(tree, "vars") : NULL;
    const cJSON *zone = labels ? tree_at(labels, "zone") : NULL;
    char *text = labels ? cJSON_PrintUnformatted(labels) : NULL;

    if (!zone && vars)
        zone = tree_at(vars, "zone");
    put(f, "zone", cJSON_IsString(zone) && strlen(zone->valuestring) <= 128 ? zone->valuestring : "");
    put(f, "labels", text && strlen(text) <= HEARTBEAT_LABELS_MAX ? text : "{}");
    cJSON_free(text);
}

static void fill(struct heartbeat *h, struct fields *f)
{
    const struct agent *a = h->a;
    struct agent_counts n;
    struct addr at;
    char text[ADDR_TEXT_MAX] = "", sha[SHA_MAX];

    put(f, "version", KVORUM_VERSION);
    put(f, "boot", h->boot);
    put_i64(f, "started", a->started_wall_ms);
    put_i64(f, "t", loop_wall_ms(a->loop));
    put_i64(f, "pid", getpid());
    put(f, "group", a->means.who.group);
    put_local(f, a);
    put_labels(f, a);
    if (directory_address(a->directory, &at))
        addr_text(&at, text);
    put(f, "directory", text);
    put(f, "push", dir_rung_name(directory_rung(a->directory)));
    put(f, "agent-document", a->in_force ? a->in_force->name.component : "");
    agent_count(a, &n);
    put_i64(f, "documents", (int64_t)n.documents);
    put_i64(f, "ok", (int64_t)n.ok);
    put_i64(f, "failed", (int64_t)n.failed);
    put_i64(f, "busy", (int64_t)n.busy);
    put_i64(f, "stuck", (int64_t)n.stuck);
    fingerprint(a, sha);
    put(f, "fingerprint", sha);
}

/* --- when --- */

static void on_reply(void *arg, const struct redisReply *r)
{
    struct heartbeat *h = arg;

    if (!r)
        return;
    if (r->type != REDIS_REPLY_ERROR)
        h->complained = false;
    else if (!h->complained) {
        h->complained = true;
        log_warning("heartbeat: %s: %.200s", h->key, r->str);
    }
}

static bool beat(struct heartbeat *h)
{
    struct slice expire[] = {slice_z("EXPIRE"), slice_z(h->key), slice_z(HEARTBEAT_EXPIRE_S)};
    struct fields f = {.n = 0};
    bool sent;

    f.at[0] = slice_z("HSET");
    f.at[1] = slice_z(h->key);
    fill(h, &f);
    sent = directory_command(h->a->directory, 2 + 2 * f.n, f.at, on_reply, h) &&
           directory_command(h->a->directory, 3, expire, on_reply, h);
    for (int i = 0; i < f.n; i++)
        mem_free(f.values[i]);
    return sent;
}

static void on_timer(struct timer *t, void *arg)
{
    struct heartbeat *h = arg;
    bool live = h->a->directory && directory_state(h->a->directory) == DIR_LIVE;

    h->soon = false;
    if (live && beat(h))
        timer_set(t, HEARTBEAT_EVERY_MS - 250 + (int64_t)rng_below(&h->a->rng, 500));
    else
        timer_set(t, TRY_MS);
}

/* Where /proc shows processes only, the unit tells. */
static void read_boot_id(char *out, size_t cap)
{
    const char *told = getenv("KVORUM_BOOT_ID");
    struct str s = {0};

    if (file_slurp("/proc/sys/kernel/random/boot_id", cap - 1, &s, NULL) != 0)
        str_set_z(&s, told ? told : "");
    slice_copy_z((struct slice){str_c(&s), strcspn(str_c(&s), "\n")}, out, cap);
    for (char *p = out; *p; p++)             /* both without dashes: the same boot, the same word */
        while (*p == '-')
            memmove(p, p + 1, strlen(p));
    str_fini(&s);
}

struct heartbeat *heartbeat_new(struct agent *a)
{
    struct heartbeat *h = mem_zalloc(sizeof *h);
    struct str s = {0};

    h->a = a;
    read_boot_id(h->boot, sizeof h->boot);
    str_printf(&s, "node:%s", a->means.who.node);
    h->key = str_take(&s);
    timer_init(&h->timer, a->loop, on_timer, h);
    timer_set(&h->timer, TRY_MS);
    return h;
}

void heartbeat_free(struct heartbeat *h)
{
    if (!h)
        return;
    timer_clear(&h->timer);
    if (h->key)
        loop_park(h->a->loop, h->key, mem_free);
    loop_park(h->a->loop, h, mem_free);
}

void heartbeat_soon(struct heartbeat *h)
{
    if (!h->soon)
        timer_set(&h->timer, TRY_MS);
    h->soon = true;
}

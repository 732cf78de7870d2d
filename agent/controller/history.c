/* Keys that changed are read with what is known of them, and what follows is written only while
 * all of that still holds. */
#include "agent/controller/history.h"

#include "agent/controller/remembered.h"
#include "agent/core/doclog.h"
#include "agent/core/document.h"
#include "agent/shell/events.h"
#include "agent/source/digest.h"
#include "agent/source/watch.h"
#include "common/base/dict.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define RESCAN_MS 60000          /* the safety net beneath the pushes */
#define QUIET_MS 20
#define AGAIN_MS 100             /* something else was written meanwhile */
#define CASES_MAX 128            /* documents that are read or written at one time */
#define PREFIX "config:"
#define META_PREFIX "cfgmeta:"
#define BOTH "c[of][ng][fm][ie][gt]*"      /* these two, in one scan */

struct history_duty {
    struct loop *loop;
    struct directory *directory;
    struct controller *controller;
    struct watch *watch;
    struct remembered held;
    struct dict dirty;           /* keys to read */
    struct list_link cases;
    size_t ncases;
    bool scanning, complained;
    struct timer quiet, drop;
    struct history_duty_stats stats;
};

/* One document that is being looked into. */
struct doc_case {
    struct list_link link;
    struct history_duty *duty;
    bool reading;                /* else: writing */
    struct docname name;
    char key[DOC_KEY_MAX], meta[DOC_KEY_MAX], log[DOC_KEY_MAX];
    struct doc_seen seen;
    struct str bytes;            /* what stands there */
    char ver[32], state[32];     /* cfgmeta's, as they stand there */
    char said_by[DOCLOG_BY_MAX + 1], said_sha[DOCLOG_SHA + 1];
    /* what is written */
    enum doc_act act;
    struct held next;
};

static void read_soon(struct history_duty *h, int64_t in_ms);

static void case_free(struct doc_case *k)
{
    k->duty->ncases--;
    if (dict_count(&k->duty->dirty))
        read_soon(k->duty, 0);
    list_remove(&k->link);
    str_fini(&k->bytes);
    str_fini(&k->next.bytes);
    mem_free(k);
}

/* --- which ones --- */

static void read_dirty(struct history_duty *h);

static void read_soon(struct history_duty *h, int64_t in_ms)
{
    if (!timer_is_set(&h->quiet))
        timer_set(&h->quiet, in_ms);
}

static void mark(struct history_duty *h, struct slice key)
{
    struct docname name;

    if (!docname_from_key(key, &name)) {
        h->stats.junk++;
        return;
    }
    dict_put(&h->dirty, key.p, key.len, NULL);
}

/* Something is written of this document. If it went while nobody looked, nothing else says that it is missing. */
static void mark_known(struct history_duty *h, struct slice meta_key)
{
    struct slice text = {meta_key.p + strlen(META_PREFIX), meta_key.len - strlen(META_PREFIX)};
    struct docname name;
    char key[DOC_KEY_MAX];

    if (docname_parse(text, &name) && !remembered_get(&h->held, docname_key(&name, key)))
        dict_put(&h->dirty, key, strlen(key), NULL);
}

static bool begins(struct slice key, const char *prefix)
{
    return key.len > strlen(prefix) && memcmp(key.p, prefix, strlen(prefix)) == 0;
}

static void scan(struct history_duty *h, struct slice cursor);

static void on_scanned(void *arg, const struct redisReply *r)
{
    struct history_duty *h = arg;
    const struct redisReply *keys = reply_at(r, 1);
    struct slice cursor = reply_text(reply_at(r, 0));

    if (!r)
        return;
    for (size_t i = 0; i < reply_len(keys); i++) {
        struct slice key = reply_text(reply_at(keys, i));

        if (begins(key, META_PREFIX))
            mark_known(h, key);
        else if (begins(key, PREFIX))
            mark(h, key);
    }
    h->scanning = false;
    if (reply_is_error(r)) {
        if (!h->complained)
            log_warning("history: %.*s", (int)reply_text(r).len, reply_text(r).p);
        h->complained = true;
    } else if (!slice_is(cursor, "0")) {
        scan(h, cursor);
    }
    read_soon(h, QUIET_MS);
}

static void scan(struct history_duty *h, struct slice cursor)
{
    struct slice argv[6] = {slice_z("SCAN"), cursor, slice_z("MATCH"), slice_z(BOTH), slice_z("COUNT"), slice_z("1000")};

    h->scanning = watch_send(h->watch, on_scanned, h, 6, argv);
}

/* Those that are remembered, those that are there, and those of which something is written. */
static void mark_all(struct history_duty *h)
{
    struct dict_iter it;

    dict_iter_init(&it, &h->held.by_key);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        dict_put(&h->dirty, e->key, e->klen, NULL);
    dict_iter_fini(&it);
    if (!h->scanning)
        scan(h, slice_z("0"));
    read_soon(h, QUIET_MS);
}

static void on_ready(void *owner)
{
    mark_all(owner);
}

static void on_key(void *owner, struct slice key)
{
    mark(owner, key);
    read_soon(owner, QUIET_MS);
}

static void on_all(void *owner) { mark_all(owner); }

static void on_watch_end(void *owner)
{
    struct history_duty *h = owner;

    h->scanning = false;
}

/* --- writing --- */

static void tell(struct doc_case *k)
{
    struct history_duty *h = k->duty;
    char name[DOC_KEY_MAX];

    docname_text(&k->name, name);
    switch (k->act) {
    case DOC_LOG:
        h->stats.logged++;
        log_verbose("history: %s ver=%lld sha=%.8s", name, (long long)k->next.ver, k->next.sha);
        break;
    case DOC_RESTORE:
        h->stats.restored++;
        agent_event("+restored", "%s ver=%lld sha=%.8s", name, (long long)k->next.ver, k->next.sha);
        break;
    case DOC_REPUBLISH:
        h->stats.republished++;
        agent_event("+republished", "%s ver=%lld sha=%.8s lost_from=%lld", name, (long long)k->next.ver, k->next.sha,
                    (long long)k->seen.ver);
        break;
    case DOC_NOTE_VANISHED:
        h->stats.vanished++;
        agent_event("-document", "%s ver=%lld", name, (long long)k->seen.ver);
        break;
    default:
        break;
    }
}

static void on_written(void *arg, const char *why)
{
    struct doc_case *k = arg;
    struct history_duty *h = k->duty;
    struct slice now = k->act == DOC_LOG || k->act == DOC_NOTE_STATE ? (struct slice){k->bytes.p, k->bytes.len}
                                                                     : (struct slice){k->next.bytes.p, k->next.bytes.len};

    if (!why) {
        tell(k);
        if (k->act == DOC_NOTE_VANISHED)
            remembered_forget(&h->held, k->key);
        else
            remembered_put(&h->held, k->key, &k->next, now);
    } else if (why[0]) {
        h->stats.refused++;
        if (!h->complained)
            log_warning("history: %s: %s", k->key, why);
        h->complained = true;
    } else {
        dict_put(&h->dirty, k->key, strlen(k->key), NULL);
        read_soon(h, AGAIN_MS);
    }
    case_free(k);
}

static struct slice text_or_nothing(const char *z) { return z[0] ? slice_z(z) : (struct slice){NULL, 0}; }

/* next: what the document is from now on. log_it: its entry may be missing in cfglog. set_it: the key itself is written. */
static void write_next(struct doc_case *k, bool set_it, bool log_it, const char *state)
{
    const struct held *n = &k->next;
    struct slice bytes = set_it ? (struct slice){n->bytes.p, n->bytes.len} : (struct slice){k->bytes.p, k->bytes.len};
    struct doclog_entry entry = {.t_ms = n->t_ms, .bytes = bytes};
    char ver[NUM_I64_MAX], t[NUM_I64_MAX], old[NUM_I64_MAX];
    struct slice ver_s = {ver, num_put_i64(ver, n->ver)}, t_s = {t, num_put_i64(t, n->t_ms)};
    struct slice old_s = {old, num_put_i64(old, n->ver - DOCLOG_KEPT)};
    struct slice there = {str_c(&k->bytes), k->bytes.len};
    struct str line = {0};
    struct slice set[3] = {slice_z("SET"), slice_z(k->key), {bytes.p ? bytes.p : "", bytes.len}};
    struct slice meta[12] = {slice_z("HSET"), slice_z(k->meta), slice_z("ver"), ver_s, slice_z("sha"), slice_z(n->sha),
                             slice_z("t"), t_s, slice_z("by"), slice_z(n->by), slice_z("state"), slice_z(state)};
    struct slice log[4] = {slice_z("HSET"), slice_z(k->log), ver_s};
    struct slice cut[3] = {slice_z("HDEL"), slice_z(k->log), old_s};
    struct controller_command at[4];
    struct controller_expect still[3] = {
        {slice_z(k->key), {NULL, 0}, k->seen.is == DOC_BYTES ? there : (struct slice){NULL, 0}},
        {slice_z(k->meta), slice_z("ver"), text_or_nothing(k->ver)},
        {slice_z(k->meta), slice_z("state"), text_or_nothing(k->state)}};
    size_t c = 0;

    memcpy(entry.sha, n->sha, sizeof entry.sha);
    memcpy(entry.by, n->by, sizeof entry.by);
    doclog_put(&entry, &line);
    log[3] = (struct slice){line.p, line.len};
    if (set_it)
        at[c++] = (struct controller_command){3, set};
    at[c++] = (struct controller_command){12, meta};
    if (log_it)
        at[c++] = (struct controller_command){4, log};
    if (log_it && n->ver > DOCLOG_KEPT)
        at[c++] = (struct controller_command){3, cut};
    if (!controller_write_if(k->duty->controller, still, 3, at, c, on_written, k))
        case_free(k);
    str_fini(&line);
}

static void note_vanished(struct doc_case *k)
{
    struct slice argv[4] = {slice_z("HSET"), slice_z(k->meta), slice_z("state"), slice_z(doc_state_word(DOC_VANISHED))};
    struct controller_command one = {4, argv};
    struct controller_expect still[2] = {{slice_z(k->key), {NULL, 0}, {NULL, 0}},
                                         {slice_z(k->meta), slice_z("ver"), text_or_nothing(k->ver)}};

    k->act = DOC_NOTE_VANISHED;
    if (k->seen.ver == 0) {          /* nothing is kept of it any more, and its bytes were not at hand */
        tell(k);
        remembered_forget(&k->duty->held, k->key);
        case_free(k);
    } else if (!controller_write_if(k->duty->controller, still, 2, &one, 1, on_written, k)) {
        case_free(k);
    }
}

static void on_entry(void *arg, const struct redisReply *r)
{
    struct doc_case *k = arg;
    struct doclog_entry e;
    char sha[SHA_MAX] = "";

    k->reading = false;
    if (!r) {
        case_free(k);
        return;
    }
    if (doclog_parse(reply_text(r), &e))
        sha_bytes(e.bytes.p, e.bytes.len, sha);
    if (!sha[0] || strcmp(sha, k->seen.meta_sha) != 0) {
        note_vanished(k);
    } else {
        k->next.t_ms = e.t_ms;
        memcpy(k->next.by, e.by, sizeof k->next.by);
        memcpy(k->next.sha, sha, sizeof k->next.sha);
        str_set(&k->next.bytes, e.bytes.p, e.bytes.len);
        write_next(k, true, false, doc_state_word(DOC_LIVE));
    }
}

static void bring_back(struct doc_case *k)
{
    const struct held *m = remembered_get(&k->duty->held, k->key);
    char ver[NUM_I64_MAX];
    struct slice argv[3] = {slice_z("HGET"), slice_z(k->log), {ver, num_put_i64(ver, k->seen.ver)}};

    k->next.ver = doclog_back_version(&k->seen);
    k->next.live = true;
    if (m && m->live && m->has_bytes && m->ver == k->next.ver) {
        k->next.t_ms = m->t_ms;
        memcpy(k->next.sha, m->sha, sizeof k->next.sha);
        memcpy(k->next.by, m->by, sizeof k->next.by);
        str_set(&k->next.bytes, str_c(&m->bytes), m->bytes.len);
        write_next(k, true, k->seen.ver != k->next.ver, doc_state_word(DOC_LIVE));
        return;
    }
    k->reading = true;
    if (!watch_send(k->duty->watch, on_entry, k, 3, argv))
        case_free(k);
}

static void log_version(struct doc_case *k)
{
    bool said = k->said_by[0] && strcmp(k->said_sha, k->seen.sha) == 0;

    k->next.ver = k->act == DOC_LOG ? doclog_next_version(&k->seen) : k->seen.ver;
    k->next.t_ms = loop_wall_ms(k->duty->loop);
    k->next.live = k->seen.valid;
    memcpy(k->next.sha, k->seen.sha, sizeof k->next.sha);
    doclog_author(slice_z(said ? k->said_by : ""), k->next.by);
    write_next(k, false, k->act == DOC_LOG, doc_state_word(k->seen.valid ? DOC_LIVE : DOC_INVALID));
}

/* --- reading and deciding --- */

static void recall(struct doc_case *k)
{
    const struct held *m = remembered_get(&k->duty->held, k->key);

    if (!m)
        return;
    k->seen.held_ver = m->ver;
    k->seen.held_live = m->live;
    k->seen.held_bytes = m->has_bytes;
    memcpy(k->seen.held_sha, m->sha, sizeof k->seen.held_sha);
}

static void decide(struct doc_case *k)
{
    const char *because;
    struct held same = {.ver = k->seen.ver, .live = k->seen.valid};

    recall(k);
    k->act = doclog_decide(&k->seen, &because);
    log_debug("history: %s act=%d why=\"%s\"", k->key, (int)k->act, because);
    switch (k->act) {
    case DOC_KEEP:
        memcpy(same.sha, k->seen.sha, sizeof same.sha);
        memcpy(same.by, k->next.by, sizeof same.by);
        same.t_ms = k->next.t_ms;
        remembered_put(&k->duty->held, k->key, &same, (struct slice){k->bytes.p, k->bytes.len});
        case_free(k);
        return;
    case DOC_LOG:
    case DOC_NOTE_STATE:
        log_version(k);
        return;
    case DOC_RESTORE:
    case DOC_REPUBLISH:
        bring_back(k);
        return;
    case DOC_NOTE_VANISHED:
        note_vanished(k);
        return;
    case DOC_FORGET:
        remembered_forget(&k->duty->held, k->key);
        case_free(k);
        return;
    case DOC_LEAVE:
        k->duty->stats.junk++;
        case_free(k);
        return;
    }
}

static void take_bytes(struct doc_case *k, const struct redisReply *type, const struct redisReply *bytes)
{
    struct slice kind = reply_text(type), b = reply_text(bytes);
    cJSON *tree = NULL;

    k->seen.is = DOC_OTHER_TYPE;
    if (slice_is(kind, "none"))
        k->seen.is = DOC_MISSING;
    else if (slice_is(kind, "string") && b.len <= DOCUMENT_MAX_BYTES)
        k->seen.is = DOC_BYTES;
    if (k->seen.is != DOC_BYTES)
        return;
    str_set(&k->bytes, b.p, b.len);
    sha_bytes(b.p, b.len, k->seen.sha);
    k->seen.valid = document_parse(str_c(&k->bytes), b.len, &tree, NULL) == 0;
    cJSON_Delete(tree);
}

static void take_meta(struct doc_case *k, const struct redisReply *r)
{
    int64_t ver = 0;

    if (reply_i64_at(r, 0, &ver) && ver > 0)
        k->seen.ver = ver;
    slice_copy_z(reply_text(reply_at(r, 1)), k->seen.meta_sha, sizeof k->seen.meta_sha);
    /* What does not even fit is no number and no state of ours; an expectation of it would never hold. */
    if (!slice_copy_z(reply_text(reply_at(r, 0)), k->ver, sizeof k->ver) ||
        !slice_copy_z(reply_text(reply_at(r, 2)), k->state, sizeof k->state))
        k->seen.is = DOC_OTHER_TYPE;
    k->seen.state = doc_state_from_word(reply_text(reply_at(r, 2)));
    reply_i64_at(r, 3, &k->next.t_ms);
    doclog_author(reply_text(reply_at(r, 4)), k->next.by);
    slice_copy_z(reply_text(reply_at(r, 5)), k->said_by, sizeof k->said_by);
    slice_copy_z(reply_text(reply_at(r, 6)), k->said_sha, sizeof k->said_sha);
}

static void on_read(void *arg, const struct redisReply *r)
{
    struct doc_case *k = arg;
    struct history_duty *h = k->duty;

    k->reading = false;
    if (!r || reply_len(r) != 3) {
        if (r && !h->complained) {
            log_warning("history: %s: %.*s", k->key, (int)reply_text(r).len, reply_text(r).p);
            h->complained = true;
        }
        case_free(k);
        return;
    }
    take_bytes(k, reply_at(r, 0), reply_at(r, 1));
    take_meta(k, reply_at(r, 2));
    decide(k);
}

static void read_one(struct history_duty *h, const char *key, size_t n)
{
    struct doc_case *k = mem_zalloc(sizeof *k);
    char end[NUM_I64_MAX];
    struct slice range[4] = {slice_z("GETRANGE"), {NULL, 0}, slice_z("0"), {end, num_put_i64(end, DOCUMENT_MAX_BYTES)}};
    struct slice meta[9] = {slice_z("HMGET"), {NULL, 0}, slice_z("ver"), slice_z("sha"), slice_z("state"), slice_z("t"),
                            slice_z("by"), slice_z("said_by"), slice_z("said_sha")};

    k->duty = h;
    list_append(&h->cases, &k->link);
    h->ncases++;
    docname_from_key((struct slice){key, n}, &k->name);
    docname_key(&k->name, k->key);
    docname_meta_key(&k->name, k->meta);
    docname_log_key(&k->name, k->log);
    range[1] = slice_z(k->key);
    meta[1] = slice_z(k->meta);
    k->reading = true;
    watch_sendz(h->watch, NULL, NULL, "MULTI", NULL, NULL);
    watch_sendz(h->watch, NULL, NULL, "TYPE", k->key, NULL);
    watch_send(h->watch, NULL, NULL, 4, range);
    watch_send(h->watch, NULL, NULL, 9, meta);
    if (!watch_sendz(h->watch, on_read, k, "EXEC", NULL, NULL))
        case_free(k);
}

static void read_dirty(struct history_duty *h)
{
    struct dict_iter it;
    VEC(char *) keys = {0};

    if (!h->watch || !watch_is_ready(h->watch))
        return;
    dict_iter_init(&it, &h->dirty);
    for (struct dict_entry *e; h->ncases + keys.n < CASES_MAX && (e = dict_iter_next(&it));) {
        bool busy = false;

        list_each(struct doc_case, k, &h->cases, link)
            busy = busy || strcmp(k->key, e->key) == 0;
        if (!busy)
            vec_push(&keys, mem_strndup(e->key, e->klen));
    }
    dict_iter_fini(&it);
    for (size_t i = 0; i < keys.n; i++) {
        dict_del(&h->dirty, keys.at[i], strlen(keys.at[i]), NULL);
        read_one(h, keys.at[i], strlen(keys.at[i]));
        mem_free(keys.at[i]);
    }
    vec_fini(&keys);
    if (dict_count(&h->dirty) && h->ncases < CASES_MAX)
        read_soon(h, AGAIN_MS);      /* the others are under way */
}

static void on_quiet(struct timer *t, void *arg)
{
    (void)t;
    read_dirty(arg);
}

/* --- coming and going --- */

static void on_drop(struct timer *t, void *arg)
{
    (void)t;
    remembered_clear(&((struct history_duty *)arg)->held);
}

static void begin(void *arg)
{
    struct history_duty *h = arg;
    struct watch_opts o = {.loop = h->loop, .directory = h->directory, .prefixes = {PREFIX, NULL}, .owner = h,
                           .on_ready = on_ready, .on_key = on_key, .on_all = on_all, .on_end = on_watch_end};

    h->complained = false;
    timer_clear(&h->drop);
    if (!controller_is_unbroken(h->controller))
        remembered_clear(&h->held);
    h->watch = watch_new(&o);
}

static void turn(void *arg)
{
    struct history_duty *h = arg;

    if (watch_is_ready(h->watch))
        mark_all(h);
}

static void end(void *arg)
{
    struct history_duty *h = arg;

    if (!h->watch)
        return;
    watch_free(h->watch);
    h->watch = NULL;
    h->scanning = false;
    dict_clear(&h->dirty, NULL);
    /* Those that are written come back through their callbacks. */
    list_each_safe(struct doc_case, k, &h->cases, link)
        if (k->reading)
            case_free(k);
    timer_clear(&h->quiet);
    timer_set(&h->drop, CONTROLLER_GAP_MS);
}

struct history_duty *history_duty_new(struct loop *l, struct directory *d, struct controller *c)
{
    struct history_duty *h = mem_zalloc(sizeof *h);
    struct controller_duty duty = {.name = "history", .every_ms = RESCAN_MS, .begin = begin, .turn = turn, .end = end, .arg = h};

    h->loop = l;
    h->directory = d;
    h->controller = c;
    remembered_init(&h->held, HISTORY_KEYS_MAX, HISTORY_HELD_BYTES_MAX);
    dict_init(&h->dirty);
    list_init(&h->cases);
    timer_init(&h->quiet, l, on_quiet, h);
    timer_init(&h->drop, l, on_drop, h);
    controller_add(c, &duty);
    return h;
}

void history_duty_free(struct history_duty *h)
{
    if (!h)
        return;
    end(h);
    list_each_safe(struct doc_case, k, &h->cases, link)
        case_free(k);
    timer_clear(&h->quiet);
    timer_clear(&h->drop);
    remembered_fini(&h->held);
    dict_fini(&h->dirty, NULL);
    mem_free(h);
}

void history_duty_stats(struct history_duty *h, struct history_duty_stats *out)
{
    *out = h->stats;
    out->documents = dict_count(&h->held.by_key);
    out->held_bytes = h->held.held_bytes;
}

/* A state log with four kinds of records; of each the last one counts. */
#include "kvnode/disk/record.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/statelog.h"
#include "kvnode/disk/record_text.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define OUTGROWN (4u << 20)            /* a log that only grew while the loop went on: a snapshot is made all the same */

enum { REC_FACTS = 'F', REC_EPOCHS = 'E', REC_FAREWELL = 'B', REC_OVERLAY = 'O' };

struct record {
    struct statelog *log;              /* NULL: nothing is written yet */
    char *dir;
    struct member_facts f;
    struct record_epoch epochs[RECORD_EPOCHS_MAX];
    size_t n_epochs;
    struct str farewell, overlay;      /* "" = none */
    char *trouble;
    bool reborn;
};

uint64_t record_random(void)
{
    uint64_t v = 0;

    while (v == 0)
        CHECK(getrandom(&v, sizeof v, 0) == (ssize_t)sizeof v);
    return v;
}

static void random_id(char out[ID_MAX])
{
    for (int i = 0; i < ID_HEX; i += 8)
        snprintf(out + i, 9, "%08x", (unsigned)record_random());
}

/* ---- in ----------------------------------------------------------------------------------- */

static int get_epochs(struct record *r, struct slice b, struct err *e)
{
    size_t n = 0;

    while (b.len > 0) {
        const char *nl = memchr(b.p, '\n', b.len);
        const char *blank = nl ? memchr(b.p, ' ', (size_t)(nl - b.p)) : NULL;
        struct record_epoch x;

        if (!blank || n == RECORD_EPOCHS_MAX || !num_u64(b.p, (size_t)(blank - b.p), &x.epoch) ||
            !num_i64(blank + 1, (size_t)(nl - blank - 1), &x.first))
            return err_set(e, ERR_FORMAT, "the table of epochs is damaged");
        if (n > 0 && (x.epoch <= r->epochs[n - 1].epoch || x.first < r->epochs[n - 1].first))
            return err_set(e, ERR_FORMAT, "the table of epochs does not rise");
        r->epochs[n++] = x;
        b.len -= (size_t)(nl + 1 - b.p);
        b.p = nl + 1;
    }
    r->n_epochs = n;
    return 0;
}

static int one(void *arg, uint8_t type, struct slice b, struct err *e)
{
    struct record *r = arg;

    switch (type) {
    case REC_FACTS: return record_text_get(b, &r->f, e);
    case REC_EPOCHS: return get_epochs(r, b, e);
    case REC_FAREWELL: str_set(&r->farewell, b.p, b.len); return 0;
    case REC_OVERLAY: str_set(&r->overlay, b.p, b.len); return 0;
    default: return err_set(e, ERR_FORMAT, "a record of kind %u, which is not known here", type);
    }
}

/* ---- out ---------------------------------------------------------------------------------- */

static void put_epochs(const struct record *r, struct str *out)
{
    for (size_t i = 0; i < r->n_epochs; i++)
        str_printf(out, "%llu %lld\n", (unsigned long long)r->epochs[i].epoch, (long long)r->epochs[i].first);
}

static struct slice of(const struct str *s) { return (struct slice){str_c(s), s->len}; }

static int write_all(struct record *r, struct err *e)
{
    struct str facts = {0}, epochs = {0};
    int rc;

    record_text_put(&r->f, &facts);
    put_epochs(r, &epochs);
    statelog_snapshot_begin(r->log);
    statelog_snapshot_add(r->log, REC_FACTS, of(&facts));
    statelog_snapshot_add(r->log, REC_EPOCHS, of(&epochs));
    statelog_snapshot_add(r->log, REC_FAREWELL, of(&r->farewell));
    statelog_snapshot_add(r->log, REC_OVERLAY, of(&r->overlay));
    rc = statelog_snapshot_end(r->log, e);
    str_fini(&facts);
    str_fini(&epochs);
    return rc;
}

/* A log that stays long costs room and time, and nothing else. */
static void shorten(struct record *r)
{
    struct err e = {0};

    if (write_all(r, &e) != 0)
        log_warning("this node's record stays long: %s", e.text);
}

static int open_log(struct record *r, struct err *e)
{
    struct statelog_spec spec = {.dir = r->dir, .owner = "kvnode", .record = one, .arg = r};

    return statelog_open(&spec, &r->log, e);
}

static int ended(struct record *r, int rc, const struct err *why, struct err *e)
{
    mem_free(r->trouble);
    r->trouble = rc ? mem_strdup(why->text) : NULL;
    return rc ? err_set(e, rc, "%s", why->text) : 0;
}

/* r already has what is to be known; `type` says what is new in it. */
static int save(struct record *r, uint8_t type, struct slice bytes, struct err *e)
{
    struct err why = {0};
    int rc = 0;

    if (!r->log)
        rc = open_log(r, &why);
    if (rc == 0 && (statelog_trouble(r->log) || statelog_wants_snapshot(r->log)))
        rc = write_all(r, &why);
    else if (rc == 0) {
        rc = statelog_append(r->log, type, bytes, &why);
        if (rc == 0)
            rc = statelog_commit(r->log, &why);
    }
    return ended(r, rc, &why, e);
}

/* As save, but nobody waits for the disk: it says how it went in a later turn. Only what would need a snapshot (the log
 * is broken, or very long) is written at once. */
static int save_later(struct record *r, uint8_t type, struct slice bytes, struct loop *loop, record_done_fn *done, void *arg, struct err *e)
{
    struct statelog_stats st = {0};
    struct err why = {0};
    int rc = 0;

    if (!r->log)
        rc = open_log(r, &why);
    if (rc == 0)
        statelog_stats(r->log, &st);
    if (rc == 0 && (statelog_trouble(r->log) || st.log_bytes > OUTGROWN))
        rc = write_all(r, &why);
    else if (rc == 0)
        rc = statelog_append(r->log, type, bytes, &why);
    if (rc == 0)
        statelog_commit_later(r->log, loop, done, arg);
    return ended(r, rc, &why, e);
}

static int save_facts(struct record *r, struct err *e)
{
    struct str text = {0};
    int rc;

    record_text_put(&r->f, &text);
    rc = save(r, REC_FACTS, of(&text), e);
    str_fini(&text);
    return rc;
}

/* ---- the door ------------------------------------------------------------------------------- */

int record_load(const char *dir, bool always, struct record **out, struct err *e)
{
    struct record *r = mem_zalloc(sizeof *r);
    int rc = 0;

    r->dir = mem_strdup(dir);
    if (always || file_exists(dir))
        rc = open_log(r, e);
    if (rc != 0) {
        record_free(r);
        return err_wrap(e, "this node's record");
    }
    if (r->log && (statelog_born(r->log)->copied || statelog_born(r->log)->reborn)) {
        r->reborn = true;
        str_clear(&r->farewell);
        log_warning("this node's record %s: a new life begins", statelog_born(r->log)->copied ? statelog_born(r->log)->why : "was accepted as a copy");
    }
    if (rc == 0 && r->log && !statelog_trouble(r->log) && statelog_wants_snapshot(r->log))
        shorten(r);                        /* now, when nobody waits */
    if (rc == 0 && !r->f.id[0]) {
        random_id(r->f.id);
        r->f.life = record_random();
        if (r->log)
            rc = save_facts(r, e);
    }
    if (rc != 0) {
        record_free(r);
        return err_wrap(e, "this node's record");
    }
    *out = r;
    return 0;
}

void record_free(struct record *r)
{
    if (!r)
        return;
    statelog_close(r->log);
    str_fini(&r->farewell);
    str_fini(&r->overlay);
    mem_free(r->trouble);
    mem_free(r->dir);
    mem_free(r);
}

const struct member_facts *record_facts(const struct record *r) { return &r->f; }

const char *record_trouble(const struct record *r)
{
    return r->trouble || !r->log ? r->trouble : statelog_trouble(r->log);
}

int record_save(struct record *r, const struct member_facts *f, struct err *e)
{
    CHECK(f->id[0] && f->life != 0);
    r->f = *f;
    if (!r->log && f->gid == 0 && f->bound_ballot == 0)
        return 0;
    return save_facts(r, e);
}

bool record_prove(struct record *r, bool has, const char *id, int64_t offset, struct err *e)
{
    struct str here = {0};
    bool proved;
    int rc = 0;

    if (has)
        str_printf(&here, "%s %lld", id, (long long)offset);
    proved = has && r->farewell.len > 0 && slice_eq(of(&here), of(&r->farewell)) && !r->reborn;
    str_fini(&here);
    if (!r->log)
        return false;                      /* nothing was ever promised under this life */
    if (!proved)
        r->f.life = record_random();
    if (r->farewell.len > 0) {
        str_clear(&r->farewell);
        rc = save(r, REC_FAREWELL, of(&r->farewell), e);
    }
    if (rc == 0 && !proved)
        rc = save_facts(r, e);
    if (rc == 0 && e)
        e->code = 0;
    return proved && rc == 0;
}

int record_farewell(struct record *r, const char *id, int64_t offset, struct err *e)
{
    if (!r->log)
        return 0;
    str_clear(&r->farewell);
    str_printf(&r->farewell, "%s %lld", id, (long long)offset);
    return save(r, REC_FAREWELL, of(&r->farewell), e);
}

const struct record_epoch *record_epochs(const struct record *r, size_t *n)
{
    *n = r->n_epochs;
    return r->epochs;
}

static void epochs_kept(void *arg, int rc, const struct err *e)
{
    (void)arg;
    if (rc != 0)
        log_warning("The table of epochs cannot be written into this node's record: %s", e->text);
}

void record_set_epochs(struct record *r, const struct record_epoch *at, size_t n, struct loop *loop)
{
    struct str text = {0};
    struct err e = {0};
    int rc;

    if (n > RECORD_EPOCHS_MAX) {
        at += n - RECORD_EPOCHS_MAX;
        n = RECORD_EPOCHS_MAX;
    }
    memcpy(r->epochs, at, n * sizeof *at);
    r->n_epochs = n;
    if (!r->log && r->f.gid == 0)
        return;
    put_epochs(r, &text);
    rc = save_later(r, REC_EPOCHS, of(&text), loop, epochs_kept, r, &e);
    if (rc != 0)
        epochs_kept(r, rc, &e);
    str_fini(&text);
}

const char *record_overlay(const struct record *r) { return r->overlay.len ? str_c(&r->overlay) : NULL; }

int record_set_overlay(struct record *r, const char *text, struct loop *loop, record_done_fn *done, void *arg, struct err *e)
{
    str_set_z(&r->overlay, text);
    return save_later(r, REC_OVERLAY, of(&r->overlay), loop, done, arg, e);
}

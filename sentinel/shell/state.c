/* Blocks by name: what the log holds now, as text. A save makes the text of each group that
 * changed and appends it when it is another one. */
#include "sentinel/shell/state.h"

#include "common/base/mem.h"
#include "common/io/statelog.h"

#include <string.h>

enum { B_SELF = 'S', B_GROUP = 'G', B_FORMED = 'F', B_GONE = 'X' };

/* What a group's block was made from, to see cheaply that nothing changed. */
struct block {
    char *name;
    struct str text;               /* of 'G', as it stands in the log */
    struct str formed;             /* of 'F' */
    bool has_formed, in_log;
    struct saved_group seen;
    unsigned round;                /* of the last save that knew this group */
};

struct state {
    struct statelog *log;
    struct str self;
    char seen_id[ID_MAX];
    uint64_t seen_epoch;
    VEC(struct block *) blocks;
    struct dict by_name;
    unsigned round;
    bool whole;                    /* the log does not hold what is known: the next save is a snapshot */
};

static struct block *block_of(struct state *s, struct slice name)
{
    struct block *b = dict_get(&s->by_name, name.p, name.len);

    if (!b) {
        b = mem_zalloc(sizeof *b);
        b->name = mem_strndup(name.p, name.len);
        vec_push(&s->blocks, b);
        dict_put(&s->by_name, name.p, name.len, NULL)->v.p = b;
    }
    return b;
}

static void block_free(struct block *b)
{
    vec_fini(&b->seen.replicas);
    vec_fini(&b->seen.peers);
    str_fini(&b->text);
    str_fini(&b->formed);
    mem_free(b->name);
    mem_free(b);
}

static void block_drop(struct state *s, struct slice name)
{
    struct block *b = dict_get(&s->by_name, name.p, name.len);

    for (size_t i = 0; b && i < s->blocks.n; i++)
        if (s->blocks.at[i] == b) {
            dict_del(&s->by_name, name.p, name.len, NULL);
            vec_remove(&s->blocks, i);
            block_free(b);
            return;
        }
}

/* ---- in --------------------------------------------------------------------------------- */

static int one(void *arg, uint8_t type, struct slice bytes, struct err *e)
{
    struct state *s = arg;
    const char *nl = type == B_SELF ? NULL : memchr(bytes.p, '\n', bytes.len);
    struct slice name = {bytes.p, nl ? (size_t)(nl - bytes.p) : bytes.len};
    struct slice text = nl ? (struct slice){nl + 1, bytes.len - name.len - 1} : (struct slice){"", 0};
    struct block *b;

    if (type == B_SELF) {
        str_set(&s->self, bytes.p, bytes.len);
        return 0;
    }
    if (name.len == 0 || name.len >= GROUP_NAME_MAX || memchr(name.p, '\0', name.len))
        return err_set(e, ERR_FORMAT, "a block without a group's name");
    switch (type) {
    case B_GROUP:
        b = block_of(s, name);
        str_set(&b->text, text.p, text.len);
        b->in_log = true;
        return 0;
    case B_FORMED:
        b = block_of(s, name);
        str_set(&b->formed, text.p, text.len);
        b->has_formed = true;
        return 0;
    case B_GONE: block_drop(s, name); return 0;
    default: return err_set(e, ERR_FORMAT, "a block of kind %u, which is not known here", type);
    }
}

static int take_in(struct state *s, struct sentinel_conf *c, struct err *e)
{
    struct str all = {0};
    int rc;

    str_append(&all, str_c(&s->self), s->self.len);
    for (size_t i = 0; i < s->blocks.n; i++)
        str_append(&all, str_c(&s->blocks.at[i]->text), s->blocks.at[i]->text.len);
    rc = sentinel_conf_state(c, (struct slice){str_c(&all), all.len}, e);
    for (size_t i = 0; rc == 0 && i < s->blocks.n; i++)
        if (s->blocks.at[i]->has_formed)
            sentinel_conf_set_formed(c, s->blocks.at[i]->name, (struct slice){str_c(&s->blocks.at[i]->formed), s->blocks.at[i]->formed.len});
    str_fini(&all);
    return rc;
}

int state_open(const char *dir, struct sentinel_conf *c, struct state **out, struct err *e)
{
    struct state *s = mem_zalloc(sizeof *s);
    struct statelog_spec spec = {.dir = dir, .owner = "sentinel", .record = one, .arg = s};
    int rc;

    dict_init(&s->by_name);
    rc = statelog_open(&spec, &s->log, e);
    if (rc == 0 && !state_copied(s) && (rc = take_in(s, c, e)) != 0)
        err_wrap(e, "%s", dir);
    if (rc != 0) {
        state_close(s);
        return rc;
    }
    s->whole = statelog_trouble(s->log) != NULL;
    *out = s;
    return 0;
}

void state_close(struct state *s)
{
    if (!s)
        return;
    statelog_close(s->log);
    for (size_t i = 0; i < s->blocks.n; i++)
        block_free(s->blocks.at[i]);
    vec_fini(&s->blocks);
    dict_fini(&s->by_name, NULL);
    str_fini(&s->self);
    mem_free(s);
}

/* ---- out -------------------------------------------------------------------------------- */

#define SAME_VEC(a, b) ((a).n == (b).n && ((a).n == 0 || memcmp((a).at, (b).at, (a).n * sizeof *(a).at) == 0))

static bool same(const struct saved_group *a, const struct saved_group *b)
{
    return addr_equal(&a->primary, &b->primary) && a->config_epoch == b->config_epoch && a->leader_epoch == b->leader_epoch &&
           strcmp(a->leader, b->leader) == 0 && SAME_VEC(a->replicas, b->replicas) && SAME_VEC(a->peers, b->peers);
}

static void remember(struct saved_group *to, const struct saved_group *from)
{
    to->primary = from->primary;
    to->config_epoch = from->config_epoch;
    to->leader_epoch = from->leader_epoch;
    memcpy(to->leader, from->leader, sizeof to->leader);
    vec_clear(&to->replicas);
    vec_clear(&to->peers);
    for (size_t i = 0; i < from->replicas.n; i++)
        vec_push(&to->replicas, from->replicas.at[i]);
    for (size_t i = 0; i < from->peers.n; i++)
        vec_push(&to->peers, from->peers.at[i]);
}

static int append(struct state *s, uint8_t type, const char *name, struct slice text, struct err *e)
{
    struct str bytes = {0};
    int rc;

    if (name)
        str_printf(&bytes, "%s%s", name, type == B_GONE ? "" : "\n");
    str_append(&bytes, text.p, text.len);
    rc = s->whole ? 0 : statelog_append(s->log, type, (struct slice){str_c(&bytes), bytes.len}, e);
    str_fini(&bytes);
    return rc;
}

static struct slice all_of(const struct str *s) { return (struct slice){str_c(s), s->len}; }

/* The text of the block becomes the new one; appended when it is another. */
static int renew(struct state *s, uint8_t type, const char *name, struct str *kept, struct str *now, struct err *e)
{
    int rc = 0;

    if (!slice_eq(all_of(kept), all_of(now)) || kept->p == NULL) {
        rc = append(s, type, name, all_of(now), e);
        str_set(kept, str_c(now), now->len);
    }
    str_fini(now);
    return rc;
}

static int renew_group(struct state *s, struct sentinel_conf *c, const struct saved_group *g, bool all, struct err *e)
{
    struct block *b = block_of(s, slice_z(g->name));
    struct str now = {0};

    b->round = s->round;
    if (!all && b->in_log && same(&b->seen, g))
        return 0;
    remember(&b->seen, g);
    b->in_log = true;
    sentinel_conf_group_state(c, g, &now);
    return renew(s, B_GROUP, g->name, &b->text, &now, e);
}

static int renew_self(struct state *s, struct sentinel_conf *c, const struct saved *what, bool all, struct err *e)
{
    struct str now = {0};

    if (!all && s->seen_epoch == what->current_epoch && strcmp(s->seen_id, what->id) == 0)
        return 0;
    s->seen_epoch = what->current_epoch;
    memcpy(s->seen_id, what->id, sizeof s->seen_id);
    sentinel_conf_self_state(c, what, &now);
    return renew(s, B_SELF, NULL, &s->self, &now, e);
}

/* What a formed group promised outlives its line in the file; only SENTINEL REMOVE forgets it. */
static int drop_the_gone(struct state *s, struct sentinel_conf *c, struct err *e)
{
    int rc = 0;

    for (size_t i = s->blocks.n; rc == 0 && i-- > 0;) {
        struct block *b = s->blocks.at[i];

        bool keep = b->has_formed && sentinel_conf_formed(c, b->name);

        if (b->round == s->round || (keep && !b->in_log))
            continue;
        rc = append(s, B_GONE, b->name, (struct slice){"", 0}, e);
        if (rc == 0 && keep)
            rc = append(s, B_FORMED, b->name, all_of(&b->formed), e);
        b->in_log = false;
        str_clear(&b->text);
        if (!keep)
            block_drop(s, slice_z(b->name));
    }
    return rc;
}

int state_snapshot(struct state *s, struct err *e)
{
    struct str bytes = {0};
    int rc;

    statelog_snapshot_begin(s->log);
    statelog_snapshot_add(s->log, B_SELF, all_of(&s->self));
    for (size_t i = 0; i < s->blocks.n; i++) {
        const struct block *b = s->blocks.at[i];

        str_clear(&bytes);
        str_printf(&bytes, "%s\n%s", b->name, str_c(&b->text));
        if (b->in_log)
            statelog_snapshot_add(s->log, B_GROUP, all_of(&bytes));
        str_clear(&bytes);
        str_printf(&bytes, "%s\n%s", b->name, str_c(&b->formed));
        if (b->has_formed)
            statelog_snapshot_add(s->log, B_FORMED, all_of(&bytes));
    }
    str_fini(&bytes);
    rc = statelog_snapshot_end(s->log, e);
    s->whole = rc != 0 && statelog_trouble(s->log) != NULL;
    return rc;
}

/* After a failure nobody knows what the log holds, so the way back is to write all of it. */
static int finish(struct state *s, int rc, struct err *e)
{
    if (rc == 0 && !s->whole)
        rc = statelog_commit(s->log, e);
    else if (rc == 0)
        return state_snapshot(s, e);
    if (rc != 0)
        s->whole = true;
    return rc;
}

int state_save(struct state *s, struct sentinel_conf *c, const struct saved *what, bool all, struct err *e)
{
    int rc;

    s->round++;
    rc = renew_self(s, c, what, all, e);
    for (size_t i = 0; rc == 0 && i < what->groups.n; i++)
        rc = renew_group(s, c, &what->groups.at[i], all, e);
    if (rc == 0)
        rc = drop_the_gone(s, c, e);
    return finish(s, rc, e);
}

int state_save_formed(struct state *s, struct sentinel_conf *c, const char *group, struct slice lines, struct err *e)
{
    struct block *b = block_of(s, slice_z(group));
    struct str now = {0};

    sentinel_conf_set_formed(c, group, lines);
    b->has_formed = true;
    str_append(&now, lines.p, lines.len);
    return finish(s, renew(s, B_FORMED, group, &b->formed, &now, e), e);
}

bool state_wants_snapshot(const struct state *s) { return statelog_wants_snapshot(s->log); }

const char *state_copied(const struct state *s)
{
    return statelog_born(s->log)->copied ? statelog_born(s->log)->why : NULL;
}

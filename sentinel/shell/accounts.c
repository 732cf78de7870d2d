/* Stopwatch and book-keeping of failovers. */
#include "sentinel/shell/accounts.h"

#include "common/io/clock.h"
#include "common/io/log.h"
#include "sentinel/shell/events.h"
#include "sentinel/shell/foretold.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/shell.h"

#include <string.h>

#define GIVEN_UP_MAX 4

/* A failover that runs. Instants are of the monotonic clock, 0 = not yet. */
struct run {
    bool leads;
    int64_t alive_at_ms;               /* last sign of life of the old primary */
    int64_t at_ms[PARTS];              /* when each part ended */
    /* plain */
    int64_t old_offset, old_seen_at_ms, chosen_offset, longest;
    bool handed_over;                  /* by the old primary itself, once the other had all of it */
    /* formed */
    enum lead_state state;
    enum lead_purpose purpose;
    uint64_t ballot;
    struct ha_record base, next;
    VEC(struct lead_seal) seals;
    int64_t old_known_offset;
};

struct book {
    core_id group;
    struct account sum;
    struct run run;
    bool unsettled;                    /* plain: switched, the loss is said at the end of the failover */
    /* formed: as seen after the last step */
    bool watched;
    struct foretold told;
    unsigned given_up;                 /* tries since the last new primary */
    uint64_t told_epoch;               /* formed: which primary they were to replace */
    uint64_t promised;
    int64_t renewed_at_ms;
};

struct accounts {
    struct shell *sh;
    VEC(struct book *) books;
    bool saying;                       /* our own event: not to be looked at again */
};

const char *account_part_name(enum account_part p)
{
    static const char *const names[PARTS] = {"detection", "election", "seal", "store", "open"};

    return (unsigned)p < PARTS ? names[p] : "?";
}

struct accounts *accounts_new(struct shell *sh)
{
    struct accounts *a = mem_zalloc(sizeof *a);

    a->sh = sh;
    return a;
}

static void book_free(struct book *b)
{
    vec_fini(&b->run.seals);
    mem_free(b);
}

void accounts_free(struct accounts *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->books.n; i++)
        book_free(a->books.at[i]);
    vec_fini(&a->books);
    mem_free(a);
}

static struct book *find(const struct accounts *a, core_id group)
{
    for (size_t i = 0; i < a->books.n; i++)
        if (a->books.at[i]->group == group)
            return a->books.at[i];
    return NULL;
}

static struct book *open_book(struct accounts *a, core_id group)
{
    struct book *b = find(a, group);

    if (!b) {
        b = mem_zalloc(sizeof *b);
        b->group = group;
        outage_init(&b->sum.outage);
        vec_push(&a->books, b);
    }
    return b;
}

void accounts_gone(struct accounts *a, core_id group)
{
    for (size_t i = 0; i < a->books.n; i++)
        if (a->books.at[i]->group == group) {
            book_free(a->books.at[i]);
            vec_remove(&a->books, i);
            return;
        }
}

const struct account *accounts_of(const struct accounts *a, core_id group)
{
    static const struct account none = {.outage = {.last_ms = -1}};
    const struct book *b = find(a, group);

    return b ? &b->sum : &none;
}

/* --- the end of one ---------------------------------------------------------------------------- */

static void begin(struct book *b)
{
    struct run *r = &b->run;

    vec_fini(&r->seals);
    memset(r, 0, sizeof *r);
    r->old_offset = r->longest = r->chosen_offset = r->old_known_offset = -1;
}

/* Parts that were passed in one step, or that this path has not, took nothing. */
static void sum_up(struct book *b)
{
    int64_t from = b->run.alive_at_ms ? b->run.alive_at_ms : b->run.at_ms[PART_DETECTION];

    for (int p = 0; p < PARTS; p++) {
        int64_t to = b->run.at_ms[p] > from ? b->run.at_ms[p] : from;

        b->sum.part_ms[p] = from ? to - from : 0;
        b->sum.part_sum_ms[p] += b->sum.part_ms[p];
        from = to;
    }
    b->sum.led++;
}

static void settle(struct accounts *a, struct book *b, const struct group *g, const struct account_loss *l)
{
    struct str text = {0}, line = {0};

    b->sum.last = *l;
    b->sum.lossy += l->bytes != 0;
    b->sum.lost_bytes += l->bytes > 0 ? l->bytes : 0;
    account_loss_text(l, &text);
    for (int p = 0; p < PARTS; p++)
        str_printf(&line, "%s%s %lld ms", p ? ", " : "failover took: ", account_part_name((enum account_part)p),
                   (long long)b->sum.part_ms[p]);
    formed_groups_note(a->sh->formed, g->id, "%s", str_c(&line));
    formed_groups_note(a->sh->formed, g->id, "%s", str_c(&text));
    str_cut(&line, 0);
    if (l->bytes < 0)
        str_printf(&line, "%s unknown ? ? %s #%s", g->name, account_sure_name(l->sure), str_c(&text));
    else
        str_printf(&line, "%s %lld %lld %lld %s #%s", g->name, (long long)l->bytes, (long long)l->from, (long long)l->to,
                   account_sure_name(l->sure), str_c(&text));
    a->saying = true;
    publish_event(a->sh, "+failover-loss", str_c(&line), g->name);
    a->saying = false;
    str_fini(&line);
    str_fini(&text);
}

/* --- a plain group: by its events ---------------------------------------------------------------- */

/* done: a new primary; else the try came to nothing by itself, not because somebody was faster. */
static void end_of_try(struct accounts *a, struct book *b, const struct group *g, bool done)
{
    if (!foretold_end(&b->told, a->sh, g, done))
        b->sum.explained_wrong++;
}

static void plain_try(struct accounts *a, struct book *b, const struct group *g)
{
    const struct node *old = core_primary(a->sh->core, g);

    begin(b);
    foretold_begin(&b->told);
    foretold_look(&b->told, a->sh, g);
    b->run.alive_at_ms = old->sdown || g->odown ? old->w.good_at_ms : 0;
    b->run.at_ms[PART_DETECTION] = clock_mono_ms();
    if (old->info_at_ms) {
        b->run.old_offset = old->offset;
        b->run.old_seen_at_ms = old->info_at_ms;
    }
    outage_proof(&b->sum.outage, old->took_at_ms);
}

static void plain_elected(struct accounts *a, struct book *b, const struct group *g)
{
    b->run.leads = true;
    b->run.at_ms[PART_ELECTION] = clock_mono_ms();
    foretold_look(&b->told, a->sh, g);
}

static void plain_selected(struct accounts *a, struct book *b, const struct group *g)
{
    const struct node *n = core_node(a->sh->core, g->fo.promoted), *old = core_primary(a->sh->core, g);

    b->run.at_ms[PART_SEAL] = b->run.at_ms[PART_STORE] = clock_mono_ms();
    if (old->info_at_ms > b->run.old_seen_at_ms) {
        b->run.old_offset = old->offset;
        b->run.old_seen_at_ms = old->info_at_ms;
    }
    outage_proof(&b->sum.outage, old->took_at_ms);
    b->run.chosen_offset = n && n->info_at_ms ? n->offset : -1;
    for (size_t i = 0; i < g->nodes.n; i++) {
        const struct node *m = g->nodes.at[i];

        if (m->id != g->primary && m->info_at_ms && m->offset > b->run.longest)
            b->run.longest = m->offset;
    }
}

static void plain_promoted(struct accounts *a, struct book *b, const struct group *g)
{
    (void)a;
    (void)g;
    b->run.at_ms[PART_OPEN] = clock_mono_ms();
}

static void plain_switched(struct accounts *a, struct book *b, const struct group *g)
{
    const struct node *old = core_node(a->sh->core, g->fo.replaced);

    b->sum.seen++;
    if (!b->run.leads || formed_groups_is_formed(a->sh->formed, g->id))
        return;
    end_of_try(a, b, g, true);
    sum_up(b);
    outage_proof(&b->sum.outage, old ? old->took_at_ms : 0);
    outage_end(&b->sum.outage, a->sh, g, core_primary(a->sh->core, g)->took_at_ms);
    b->run.leads = false;              /* the next switch may be another's, before this one is settled */
    b->unsettled = true;
    b->run.handed_over = g->fo.way != WAY_TAKE;
}

/* A replica that fell silent when it was asked: nobody could have said so before. */
static void plain_nobody(struct accounts *a, struct book *b, const struct group *g)
{
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->refused == REFUSED_STALE_INFO || g->nodes.at[i]->refused == REFUSED_SILENT) {
            foretold_begin(&b->told);
            return;
        }
    foretold_look(&b->told, a->sh, g);
    end_of_try(a, b, g, false);
}

static void plain_ended(struct accounts *a, struct book *b, const struct group *g)
{
    struct account_loss l;

    if (!b->unsettled)
        return;
    b->unsettled = false;
    if (b->run.handed_over)
        l = (struct account_loss){.sure = SURE_PROVED, .from = b->run.chosen_offset, .to = b->run.chosen_offset};
    else
        l = account_plain_loss(b->run.old_offset, b->run.at_ms[PART_DETECTION] - b->run.old_seen_at_ms, b->run.longest,
                               b->run.chosen_offset);
    settle(a, b, g, &l);
}

static const struct {
    const char *event;
    void (*look)(struct accounts *a, struct book *b, const struct group *g);
} marks[] = {
    {"+try-failover", plain_try}, {"+elected-leader", plain_elected}, {"+selected-slave", plain_selected},
    {"-failover-abort-no-good-slave", plain_nobody}, {"+promoted-slave", plain_promoted}, {"+switch-master", plain_switched}, {"+failover-end", plain_ended},
    {"+failover-end-for-timeout", plain_ended},
};

/* Events that come with every hiccup of a link, that greet who is found (a group in which nothing ever happened keeps no
 * journal), or that say what a reader of the journal sees anyhow. */
static const char *const no_news[] = {"+monitor", "+slave", "+sentinel", "-cmd-link-reconnection", "-pubsub-link-reconnection", "+script-child", "-script-child",
                                      "+formed", "+failover-loss", "+failover-outage"};

void accounts_event(struct accounts *a, const char *name, const char *payload, const char *group)
{
    const struct op_event *row = op_event_find(sentinel_events, sentinel_events_n, name);
    const struct group *g = group && a->sh->core ? core_group_named(a->sh->core, group) : NULL;

    if (!g || a->saying || (row && row->level == LOG_LEVEL_DEBUG))
        return;
    for (size_t i = 0; i < sizeof no_news / sizeof no_news[0]; i++)
        if (strcmp(no_news[i], name) == 0)
            return;
    formed_groups_note(a->sh->formed, g->id, "%s %s", name, payload);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (strcmp(marks[i].event, name) == 0)
            marks[i].look(a, open_book(a, g->id), g);
}

/* --- a formed group: by a look at it ----------------------------------------------------------------- */

static bool promotes(enum lead_purpose p)
{
    return p == LEAD_PROMOTE || p == LEAD_HAND_OVER || p == LEAD_FORCE;
}

static const struct formed_node *node_of(const struct formed *f, const char *id)
{
    for (size_t i = 0; i < formed_node_count(f); i++)
        if (strcmp(formed_node_at(f, i)->id, id) == 0)
            return formed_node_at(f, i);
    return NULL;
}

/* The last time the primary of our record showed itself. */
static int64_t last_sign_ms(const struct formed *f)
{
    const struct ha_record *r = &formed_voter(f)->f.rec;
    const struct formed_node *n = r->gid ? node_of(f, r->primary) : NULL;

    return n ? ms_max(n->heard_at_ms, n->renewed_at_ms) : 0;
}

static void watch_renewals(struct book *b, const struct formed *f)
{
    const struct voter *v = formed_voter(f);
    const struct formed_node *n = v->f.rec.gid ? node_of(f, v->f.rec.primary) : NULL;

    if (n && n->renewed_at_ms > b->renewed_at_ms) {
        b->sum.renewals++;
        b->renewed_at_ms = n->renewed_at_ms;
        if (b->sum.outage.epoch == 0)
            outage_proof(&b->sum.outage, n->renewed_at_ms);
    }
    if (v->f.promised != b->promised) {
        b->sum.votes += b->watched && v->f.voted_for[0] != '\0';
        b->promised = v->f.promised;
    }
    b->watched = true;
}

/* Where a state's end belongs. */
static enum account_part part_of(enum lead_state s)
{
    switch (s) {
    case LD_VOTING: return PART_ELECTION;
    case LD_STOPPING:
    case LD_ENDING:
    case LD_SEALING:
    case LD_FETCHING: return PART_SEAL;
    case LD_STORING: return PART_STORE;
    case LD_OPENING: return PART_OPEN;
    default: return PARTS;
    }
}

/* A try of another ballot than the last one that was seen. Several for one epoch are part of the same outage. */
static void begin_try(struct book *b, const struct formed *f, int64_t now_ms)
{
    const struct lead *l = formed_lead(f);
    uint64_t epoch = formed_voter(f)->f.rec.epoch;
    struct run *r = &b->run;
    int64_t since_ms = r->alive_at_ms && r->base.epoch == epoch ? r->alive_at_ms : last_sign_ms(f);

    if (b->given_up % GIVEN_UP_MAX == 0 || b->told_epoch != epoch || l->want.purpose != LEAD_PROMOTE) {
        foretold_begin(&b->told);
        b->told_epoch = epoch;
        b->given_up = 0;
    }
    begin(b);
    r->ballot = l->ballot;
    r->alive_at_ms = l->want.purpose == LEAD_PROMOTE ? since_ms : 0;
    r->at_ms[PART_DETECTION] = now_ms;
}

/* What the new record rests on: who sealed where, and how far the old primary was known to be. */
static void note_grounds(struct run *r, const struct formed *f)
{
    const struct lead *l = formed_lead(f);
    const struct formed_node *old = node_of(f, l->base.primary);
    const struct ha_member *m = ha_member(&l->base, l->base.primary);

    r->base = l->base;
    r->next = l->next;
    vec_clear(&r->seals);
    for (size_t i = 0; i < l->seals.n; i++)
        vec_push(&r->seals, l->seals.at[i]);
    if (old && old->status.kind == HA_STATUS && old->status.pos.epoch == l->base.epoch)
        r->old_known_offset = old->status.pos.offset;
    else if (m && m->last.epoch == l->base.epoch)
        r->old_known_offset = m->last.offset;
}

void accounts_formed(struct accounts *a, core_id group, const struct formed *f)
{
    const struct lead *l = formed_lead(f);
    struct book *b = open_book(a, group);
    struct run *r = &b->run;
    const struct group *g = core_group(a->sh->core, group);
    int64_t now_ms = clock_mono_ms();
    enum account_part was = part_of(r->state), is = part_of(l->state);

    watch_renewals(b, f);
    if (g)
        outage_look(&b->sum.outage, a->sh, g, f, now_ms);
    if (l->state == LD_IDLE || !promotes(l->want.purpose)) {
        /* it had its majority and nobody was faster; a try may be too short for what it waits for, several are not */
        if (r->state > LD_VOTING && g && formed_voter(f)->f.promised == r->ballot && ++b->given_up % GIVEN_UP_MAX == 0)
            end_of_try(a, b, g, false);
        r->state = LD_IDLE;
        return;
    }
    if (l->ballot != r->ballot) {
        begin_try(b, f, now_ms);
        was = PART_ELECTION;
    }
    r->purpose = l->want.purpose;
    if (g && r->purpose == LEAD_PROMOTE)
        foretold_look(&b->told, a->sh, g);
    r->base.epoch = l->base.gid ? l->base.epoch : formed_voter(f)->f.rec.epoch;
    if (is < PARTS && was < PARTS)
        for (enum account_part p = was; p < is; p++)
            r->at_ms[p] = now_ms;
    if (l->state == LD_STOPPING && r->state != LD_STOPPING)
        outage_proof(&b->sum.outage, now_ms);
    r->state = l->state;
    if (l->state == LD_STORING || l->state == LD_OPENING)
        note_grounds(r, f);
}

void accounts_formed_primary(struct accounts *a, core_id group, uint64_t epoch)
{
    const struct group *g = core_group(a->sh->core, group);
    struct book *b = open_book(a, group);
    struct account_loss l;

    if (!g || b->run.next.gid == 0 || b->run.next.epoch != epoch)
        return;                        /* another sentinel led */
    b->run.at_ms[PART_OPEN] = clock_mono_ms();
    b->sum.outage.epoch = epoch;
    if (strcmp(b->run.base.primary, b->run.next.primary) == 0)
        foretold_begin(&b->told);      /* EXPLAIN tells of another to lead; the same one leads again, as after a cold start */
    else
        end_of_try(a, b, g, true);
    b->given_up = 0;
    b->run.state = LD_IDLE;
    sum_up(b);
    l = account_formed_loss(&b->run.base, &b->run.next, b->run.purpose, b->run.seals.at, b->run.seals.n, b->run.old_known_offset);
    settle(a, b, g, &l);
    begin(b);
}

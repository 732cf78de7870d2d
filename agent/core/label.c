/* The table, its guards and acts, and the judgement of what is wanted. */
#include "agent/core/label.h"

#include "common/base/check.h"

#include <string.h>

#define SLACK_MS 500           /* beyond the request's own limit */
#define CONFLICTS_MAX 3        /* tries one after the other; then a pause */

struct lb_row {
    enum label_state in;
    enum label_event_kind on;
    bool (*guard)(const struct label *l);
    void (*act)(struct label *l, struct label_steps *out);
    enum label_state then;
    const char *because;
};

static struct label_step *add(struct label_steps *out, enum label_step_kind kind)
{
    CHECK(out->n < LABEL_STEPS_MAX);
    memset(&out->at[out->n], 0, sizeof out->at[0]);
    out->at[out->n].kind = kind;
    return &out->at[out->n++];
}

/* --- what is wanted --- */

static bool wanted(const struct label *l)
{
    const struct label_facts *f = &l->facts;

    return !f->leaving && f->role == LABEL_ROLE_PRIMARY && (!l->terms.need_word || f->word == LABEL_WORD_US);
}

/* What is on stays on while nobody says otherwise. */
static bool tolerated(const struct label *l)
{
    const struct label_facts *f = &l->facts;

    return !f->leaving && (f->role == LABEL_ROLE_PRIMARY || f->role == LABEL_ROLE_UNKNOWN) &&
           (!l->terms.need_word || f->word != LABEL_WORD_OTHER);
}

/* What our pod shall say while it is not to say primary. A primary that waits for its confirmation says what it said. */
static enum label_shown instead(const struct label *l)
{
    const struct label_facts *f = &l->facts;

    if (f->leaving || f->role == LABEL_ROLE_OTHER)
        return LABEL_NONE;
    if (f->role == LABEL_ROLE_REPLICA)
        return LABEL_REPLICA;
    if (f->role == LABEL_ROLE_PRIMARY && l->terms.need_word && f->word == LABEL_WORD_OTHER)
        return LABEL_NONE;
    return l->shown == LABEL_PRIMARY ? LABEL_NONE : l->shown;
}

/* --- guards and acts --- */

static bool others_left(const struct label *l) { return l->next_other < l->terms.others; }
static bool may_at_once(const struct label *l) { return l->conflicts < CONFLICTS_MAX; }
static bool is_wanted(const struct label *l) { return wanted(l); }
static bool was_freeing(const struct label *l) { return l->held_in == LB_FREEING; }
static bool was_claiming(const struct label *l) { return l->held_in == LB_CLAIMING; }

static void nothing(struct label *l, struct label_steps *out)
{
    (void)l;
    (void)out;
}

static void read_own(struct label *l, struct label_steps *out)
{
    l->next_other = 0;
    add(out, LS_READ);
}

static void read_again(struct label *l, struct label_steps *out)
{
    l->conflicts++;
    read_own(l, out);
}

/* Each step that was taken is progress: the next pause is a short one again. */
static void free_next(struct label *l, struct label_steps *out)
{
    l->pause_ms = 0;
    add(out, LS_FREE)->other = l->next_other++;
}

static void free_again(struct label *l, struct label_steps *out)
{
    CHECK(l->next_other > 0);
    add(out, LS_FREE)->other = l->next_other - 1;
}

static void claim(struct label *l, struct label_steps *out)
{
    if (l->state != LB_HELD)
        l->pause_ms = 0;
    l->maybe = true;
    add(out, LS_CLAIM);
}

static void show(struct label *l, struct label_steps *out)
{
    enum label_shown s = instead(l);

    l->shown = s == LABEL_UNSAID ? LABEL_NONE : s;
    add(out, LS_CANCEL);
    add(out, LS_SHOW)->shown = l->shown;
}

static void show_again(struct label *l, struct label_steps *out)
{
    show(l, out);
    out->at[out->n - 1].again = !l->maybe;
}

static void taken(struct label *l, struct label_steps *out)
{
    (void)out;
    l->maybe = false;
    l->conflicts = 0;
    l->pause_ms = 0;
}

static void is_on(struct label *l, struct label_steps *out)
{
    (void)out;
    l->maybe = true;
    l->shown = LABEL_PRIMARY;
    l->conflicts = 0;
    l->pause_ms = 0;
}

static void pause_now(struct label *l, struct label_steps *out)
{
    add(out, LS_CANCEL);
    /* What was read and freed before stays so: the order of the steps is all that counts. After conflicts it is begun anew. */
    l->held_in = l->conflicts >= CONFLICTS_MAX ? LB_READING : l->state;
    l->conflicts = 0;
    l->pause_ms = l->pause_ms == 0 ? l->terms.pause_min_ms : ms_min(2 * l->pause_ms, l->terms.pause_max_ms);
}

static void lost(struct label *l, struct label_steps *out)
{
    add(out, LS_CANCEL);
    l->maybe = false;
    l->shown = LABEL_UNSAID;
}

static const struct lb_row lb_table[] = {
/*    in           on           if           do          then         because */
    { LB_OFF,      LE_WANTED,   NULL,        read_own,   LB_READING,  "the node is primary and confirmed" },
    { LB_OFF,      LE_CHANGED,  NULL,        show,       LB_SHOWING,  "the node's role is another" },
    { LB_OFF,      LE_EXPIRED,  NULL,        show_again, LB_SHOWING,  "said again, in case somebody changed it" },

    { LB_SHOWING,  LE_DONE,     NULL,        taken,      LB_OFF,      "the API took it" },
    { LB_SHOWING,  LE_CHANGED,  NULL,        show,       LB_SHOWING,  "the role changed meanwhile" },
    { LB_SHOWING,  LE_FAILED,   NULL,        pause_now,  LB_OWING,    "the API did not take it" },
    { LB_SHOWING,  LE_EXPIRED,  NULL,        pause_now,  LB_OWING,    "the API did not answer" },
    { LB_SHOWING,  LE_GONE,     NULL,        lost,       LB_GONE,     "the API knows no such pod" },
    { LB_OWING,    LE_EXPIRED,  is_wanted,   read_own,   LB_READING,  "the node is primary again" },
    { LB_OWING,    LE_EXPIRED,  NULL,        show,       LB_SHOWING,  "another try" },

    { LB_READING,  LE_CARRIES,  NULL,        is_on,      LB_ON,       "our pod says primary already" },
    { LB_READING,  LE_DONE,     others_left, free_next,  LB_FREEING,  "first nobody else may say it" },
    { LB_READING,  LE_DONE,     NULL,        claim,      LB_CLAIMING, "there is nobody else" },
    { LB_READING,  LE_FAILED,   NULL,        pause_now,  LB_HELD,     "our pod could not be read" },
    { LB_READING,  LE_EXPIRED,  NULL,        pause_now,  LB_HELD,     "the API did not answer" },
    { LB_READING,  LE_UNWANTED, NULL,        show,       LB_SHOWING,  "the node is primary no more" },
    { LB_READING,  LE_GONE,     NULL,        lost,       LB_GONE,     "the API knows no such pod" },

    { LB_FREEING,  LE_DONE,     others_left, free_next,  LB_FREEING,  "the next one" },
    { LB_FREEING,  LE_DONE,     NULL,        claim,      LB_CLAIMING, "nobody else says it" },
    { LB_FREEING,  LE_FAILED,   NULL,        pause_now,  LB_HELD,     "another pod could not be written" },
    { LB_FREEING,  LE_EXPIRED,  NULL,        pause_now,  LB_HELD,     "the API did not answer" },
    { LB_FREEING,  LE_UNWANTED, NULL,        show,       LB_SHOWING,  "the node is primary no more" },

    { LB_CLAIMING, LE_DONE,     NULL,        is_on,      LB_ON,       "the API took it" },
    { LB_CLAIMING, LE_CONFLICT, may_at_once, read_again, LB_READING,  "our pod was written meanwhile" },
    { LB_CLAIMING, LE_CONFLICT, NULL,        pause_now,  LB_HELD,     "our pod is written again and again" },
    { LB_CLAIMING, LE_FAILED,   NULL,        pause_now,  LB_HELD,     "the API did not take it" },
    { LB_CLAIMING, LE_EXPIRED,  NULL,        pause_now,  LB_HELD,     "the API did not answer" },
    { LB_CLAIMING, LE_UNWANTED, NULL,        show,       LB_SHOWING,  "the node is primary no more" },
    { LB_CLAIMING, LE_GONE,     NULL,        lost,       LB_GONE,     "the API knows no such pod" },

    { LB_ON,       LE_UNWANTED, NULL,        show,       LB_SHOWING,  "the node is primary no more" },
    { LB_ON,       LE_EXPIRED,  NULL,        read_own,   LB_READING,  "a look whether it still says so" },
    { LB_HELD,     LE_UNWANTED, NULL,        show,       LB_SHOWING,  "the node is primary no more" },
    { LB_HELD,     LE_EXPIRED,  was_freeing, free_again, LB_FREEING,  "the same pod once more" },
    { LB_HELD,     LE_EXPIRED,  was_claiming, claim,     LB_CLAIMING, "claimed once more, of the same version" },
    { LB_HELD,     LE_EXPIRED,  NULL,        read_own,   LB_READING,  "another try" },

    { LB_GONE,     LE_EXPIRED,  NULL,        nothing,    LB_OFF,      "is there one again?" },
};
#define ROWS (sizeof lb_table / sizeof lb_table[0])

static const char *const state_names[] = {"off", "showing", "owing", "reading", "freeing", "claiming", "on", "held", "gone"};
static const char *const event_names[] = {"wanted", "unwanted", "changed", "done", "carries", "conflict", "failed", "gone",
                                          "expired"};

const char *label_state_name(enum label_state s) { return state_names[s]; }
const char *label_event_name(enum label_event_kind k) { return event_names[k]; }

const char *label_shown_name(enum label_shown s)
{
    return s == LABEL_PRIMARY ? "primary" : s == LABEL_REPLICA ? "replica" : s == LABEL_NONE ? "none" : "unsaid";
}

void label_init(struct label *l, const struct label_terms *t, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    l->terms = *t;
    l->shown = LABEL_UNSAID;
    l->maybe = true;               /* what an earlier agent of this pod left */
    l->deadline_at_ms = NEVER_MS;
    rng_seed(&l->rng, seed);
}

bool label_waits(enum label_state s)
{
    return s == LB_SHOWING || s == LB_READING || s == LB_FREEING || s == LB_CLAIMING;
}

bool label_is_off(const struct label *l) { return l->state == LB_GONE || (l->state == LB_OFF && !l->maybe); }
int64_t label_deadline_ms(const struct label *l) { return l->deadline_at_ms; }

static int64_t time_in(struct label *l, enum label_state s)
{
    int64_t ms;

    if (label_waits(s))
        return l->terms.request_ms + SLACK_MS;
    if (s == LB_HELD || s == LB_OWING) {
        ms = rng_between(&l->rng, l->pause_ms / 2, l->pause_ms);
        return ms_max(ms, l->pause_least_ms);
    }
    if (s == LB_OFF && l->shown == LABEL_UNSAID)
        return NEVER_MS;           /* nobody knows yet what to say */
    return rng_between(&l->rng, l->terms.check_ms - l->terms.check_ms / 4, l->terms.check_ms + l->terms.check_ms / 4);
}

static bool move(struct label *l, enum label_event_kind k, int64_t now_ms, struct label_steps *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct lb_row *r = &lb_table[i];
        enum label_state from = l->state;
        struct label_step *t;

        if (r->in != l->state || r->on != k || (r->guard && !r->guard(l)))
            continue;
        t = add(out, LS_TRACE);
        t->from = from;
        t->to = r->then;
        t->because = r->because;
        r->act(l, out);
        l->state = r->then;
        l->deadline_at_ms = ms_add(now_ms, time_in(l, r->then));
        return true;
    }
    return false;
}

/* Our own judgement, until there is nothing to be said. Each of these leads into a state that waits for an answer, so
 * that one is enough. */
static void judge(struct label *l, int64_t now_ms, struct label_steps *out)
{
    switch (l->state) {
    case LB_OFF:
        if (wanted(l))
            move(l, LE_WANTED, now_ms, out);
        else if (instead(l) != l->shown || (l->maybe && !tolerated(l)))
            move(l, LE_CHANGED, now_ms, out);
        break;
    case LB_SHOWING:
        if (instead(l) != LABEL_UNSAID && instead(l) != l->shown)
            move(l, LE_CHANGED, now_ms, out);
        break;
    case LB_READING:
    case LB_FREEING:
    case LB_CLAIMING:
    case LB_ON:
    case LB_HELD:
        if (l->maybe ? !tolerated(l) : !wanted(l))
            move(l, LE_UNWANTED, now_ms, out);
        break;
    case LB_OWING:
    case LB_GONE:
    case LB_STATES:
        break;
    }
}

void label_look(struct label *l, const struct label_facts *f, int64_t now_ms, struct label_steps *out)
{
    out->n = 0;
    l->facts = *f;
    judge(l, now_ms, out);
}

void label_hear(struct label *l, enum label_event_kind k, int64_t least_ms, int64_t now_ms, struct label_steps *out)
{
    CHECK(k >= LE_DONE && k < LE_KINDS);
    out->n = 0;
    l->pause_least_ms = k == LE_FAILED ? least_ms : 0;
    if (l->state == LB_READING && k == LE_DONE)
        l->maybe = false;
    move(l, k, now_ms, out);
    judge(l, now_ms, out);
}

bool label_has_row(enum label_state in, enum label_event_kind on)
{
    for (size_t i = 0; i < ROWS; i++)
        if (lb_table[i].in == in && lb_table[i].on == on)
            return true;
    return false;
}

/* The table, the counting that makes its events, and the lease beside it. */
#include "agent/core/service.h"

#include "common/base/check.h"

#include <string.h>

static void announce(struct service *s, int64_t now_ms, struct service_steps *out);
static void drain(struct service *s, int64_t now_ms, struct service_steps *out);
static void withdraw(struct service *s, int64_t now_ms, struct service_steps *out);
static void count_anew(struct service *s, int64_t now_ms, struct service_steps *out);
static void move(struct service *s, int64_t now_ms, struct service_steps *out);
static void disown(struct service *s, int64_t now_ms, struct service_steps *out);

static const struct row {
    enum service_state in;
    enum service_event_kind on;
    void (*act)(struct service *s, int64_t now_ms, struct service_steps *out);
    enum service_state then;
    const char *because;
} table[] = {
    {SV_DOWN,     VE_GOOD,    NULL,       SV_RISING,   "a good check"},
    {SV_DOWN,     VE_RISEN,   announce,   SV_UP,       "enough good checks in a row"},
    {SV_DOWN,     VE_BAD,     disown,     SV_DOWN,     "a bad check"},
    {SV_DOWN,     VE_FALLEN,  disown,     SV_DOWN,     "bad checks"},
    {SV_DOWN,     VE_CHANGED, count_anew, SV_DOWN,     "the document changed"},
    {SV_DOWN,     VE_MOVED,   count_anew, SV_DOWN,     "another address or check"},
    {SV_DOWN,     VE_STOP,    disown,     SV_GONE,     "no longer wanted"},

    {SV_RISING,   VE_GOOD,    NULL,       SV_RISING,   "one more good check"},
    {SV_RISING,   VE_RISEN,   announce,   SV_UP,       "enough good checks in a row"},
    {SV_RISING,   VE_BAD,     disown,     SV_DOWN,     "a bad check begins the count again"},
    {SV_RISING,   VE_FALLEN,  disown,     SV_DOWN,     "a bad check begins the count again"},
    {SV_RISING,   VE_CHANGED, count_anew, SV_DOWN,     "the document changed"},
    {SV_RISING,   VE_MOVED,   count_anew, SV_DOWN,     "another address or check"},
    {SV_RISING,   VE_STOP,    disown,     SV_GONE,     "no longer wanted"},

    {SV_UP,       VE_GOOD,    NULL,       SV_UP,       "still well"},
    {SV_UP,       VE_RISEN,   NULL,       SV_UP,       "still well"},
    {SV_UP,       VE_BAD,     NULL,       SV_FALLING,  "a bad check"},
    {SV_UP,       VE_FALLEN,  drain,      SV_DRAINING, "enough bad checks in a row"},
    {SV_UP,       VE_CHANGED, announce,   SV_UP,       "the document changed"},
    {SV_UP,       VE_MOVED,   move,       SV_DOWN,     "another address or check"},
    {SV_UP,       VE_HOLD,    drain,      SV_HELD,     "asked to drain"},
    {SV_UP,       VE_STOP,    drain,      SV_LEAVING,  "no longer wanted"},

    {SV_FALLING,  VE_GOOD,    NULL,       SV_UP,       "well again"},
    {SV_FALLING,  VE_RISEN,   NULL,       SV_UP,       "well again"},
    {SV_FALLING,  VE_BAD,     NULL,       SV_FALLING,  "one more bad check"},
    {SV_FALLING,  VE_FALLEN,  drain,      SV_DRAINING, "enough bad checks in a row"},
    {SV_FALLING,  VE_CHANGED, announce,   SV_UP,       "the document changed"},
    {SV_FALLING,  VE_MOVED,   move,       SV_DOWN,     "another address or check"},
    {SV_FALLING,  VE_HOLD,    drain,      SV_HELD,     "asked to drain"},
    {SV_FALLING,  VE_STOP,    drain,      SV_LEAVING,  "no longer wanted"},

    {SV_HELD,     VE_GOOD,    NULL,       SV_HELD,     "well, and held"},
    {SV_HELD,     VE_BAD,     NULL,       SV_HELD,     "a bad check, and held"},
    {SV_HELD,     VE_FALLEN,  drain,      SV_DRAINING, "enough bad checks in a row"},
    {SV_HELD,     VE_EXPIRED, NULL,       SV_HELD,     "drained, and held"},
    {SV_HELD,     VE_CHANGED, announce,   SV_HELD,     "the document changed"},
    {SV_HELD,     VE_MOVED,   move,       SV_DOWN,     "another address or check"},
    {SV_HELD,     VE_RELEASE, announce,   SV_UP,       "not to be drained after all"},
    {SV_HELD,     VE_STOP,    drain,      SV_LEAVING,  "no longer wanted"},

    {SV_DRAINING, VE_GOOD,    NULL,       SV_DRAINING, "a good check"},
    {SV_DRAINING, VE_RISEN,   announce,   SV_UP,       "well again before it was withdrawn"},
    {SV_DRAINING, VE_BAD,     NULL,       SV_DRAINING, "one more bad check"},
    {SV_DRAINING, VE_FALLEN,  NULL,       SV_DRAINING, "one more bad check"},
    {SV_DRAINING, VE_EXPIRED, withdraw,   SV_DOWN,     "drained"},
    {SV_DRAINING, VE_CHANGED, announce,   SV_DRAINING, "the document changed"},
    {SV_DRAINING, VE_MOVED,   move,       SV_DOWN,     "another address or check"},
    {SV_DRAINING, VE_STOP,    NULL,       SV_LEAVING,  "no longer wanted"},

    {SV_LEAVING,  VE_GOOD,    NULL,       SV_LEAVING,  "leaving"},
    {SV_LEAVING,  VE_RISEN,   NULL,       SV_LEAVING,  "leaving"},
    {SV_LEAVING,  VE_BAD,     NULL,       SV_LEAVING,  "leaving"},
    {SV_LEAVING,  VE_FALLEN,  NULL,       SV_LEAVING,  "leaving"},
    {SV_LEAVING,  VE_EXPIRED, withdraw,   SV_GONE,     "drained"},
    {SV_LEAVING,  VE_CHANGED, count_anew, SV_DRAINING, "wanted again"},
    {SV_LEAVING,  VE_MOVED,   move,       SV_DOWN,     "wanted again, elsewhere"},

    {SV_GONE,     VE_CHANGED, count_anew, SV_DOWN,     "wanted again"},
    {SV_GONE,     VE_MOVED,   count_anew, SV_DOWN,     "wanted again"},
};

static const char *const state_names[SV_STATES] = {"down", "rising", "up", "falling", "held", "draining", "leaving", "gone"};
static const char *const event_names[VE_KINDS] = {"good", "bad", "risen", "fallen", "expired", "changed", "moved", "hold",
                                                  "release", "stop", "due", "lost", "back", "done"};
const char *service_state_name(enum service_state s) { return state_names[s]; }
const char *service_event_name(enum service_event_kind k) { return event_names[k]; }

static const struct row *row_of(enum service_state in, enum service_event_kind on)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].in == in && table[i].on == on)
            return &table[i];
    return NULL;
}

bool service_has_row(enum service_state in, enum service_event_kind on) { return row_of(in, on) != NULL; }

enum service_word service_says(const struct service *s)
{
    switch (s->state) {
    case SV_UP:
    case SV_FALLING:
        return SAYS_UP;
    case SV_HELD:
    case SV_DRAINING:
    case SV_LEAVING:
        return SAYS_DRAIN;
    default:
        return SAYS_NOTHING;
    }
}

static void add(struct service_steps *out, enum service_step step)
{
    CHECK(out->n < SERVICE_STEPS_MAX);
    out->at[out->n++] = step;
}

static int64_t renewal_ms(struct service *s)
{
    int64_t third = s->terms.ttl_ms / 3;

    return third - third / 10 + rng_between(&s->rng, 0, third / 5);
}

static int64_t drain_ms(const struct service *s) { return ms_min(s->terms.interval_ms, s->terms.ttl_ms); }

/* --- acts --- */

/* Not live: VE_BACK makes the renewal due, which compares and says. */
static void announce(struct service *s, int64_t now_ms, struct service_steps *out)
{
    s->owed = s->perhaps = false;
    s->renew_at_ms = now_ms;
    if (!s->live)
        return;
    add(out, STEP_SAY);
    add(out, STEP_RENEW);
    s->renew_at_ms = now_ms + renewal_ms(s);
}

static void drain(struct service *s, int64_t now_ms, struct service_steps *out)
{
    announce(s, now_ms, out);
    s->until_ms = now_ms + drain_ms(s);
}

static void withdraw(struct service *s, int64_t now_ms, struct service_steps *out)
{
    (void)now_ms;
    s->owed = true;
    s->perhaps = false;
    s->renew_at_ms = now_ms + renewal_ms(s);
    if (s->live)
        add(out, STEP_WITHDRAW);
}

/* What an agent before us left there stays while nothing speaks against it. */
static void disown(struct service *s, int64_t now_ms, struct service_steps *out)
{
    if (s->perhaps)
        withdraw(s, now_ms, out);
}

static void count_anew(struct service *s, int64_t now_ms, struct service_steps *out)
{
    (void)out;
    s->goods = s->bads = 0;
    s->checking = false;
    s->check_at_ms = now_ms;
    if (s->state == SV_LEAVING)
        s->until_ms = now_ms + drain_ms(s);
}

static void move(struct service *s, int64_t now_ms, struct service_steps *out)
{
    withdraw(s, now_ms, out);
    count_anew(s, now_ms, out);
}

/* --- the driver --- */

static void take(struct service *s, enum service_event_kind kind, int64_t now_ms, struct service_steps *out)
{
    const struct row *r = row_of(s->state, kind);
    enum service_state was = s->state;

    if (!r)
        return;
    if (r->act)
        r->act(s, now_ms, out);
    s->state = r->then;
    if (was != s->state) {
        s->changed_at_ms = now_ms;
        out->because = r->because;
    }
    if (s->state != SV_DRAINING && s->state != SV_LEAVING && s->state != SV_HELD)
        s->until_ms = NEVER_MS;
    if (s->until_ms == NEVER_MS && (s->state == SV_DRAINING || s->state == SV_LEAVING))
        s->until_ms = now_ms + drain_ms(s);
}

static enum service_event_kind counted(struct service *s, enum service_event_kind kind, int64_t now_ms)
{
    s->checking = false;
    s->check_at_ms = now_ms + s->terms.interval_ms - s->terms.interval_ms / 20 +
                     rng_between(&s->rng, 0, s->terms.interval_ms / 10);
    if (kind == VE_GOOD) {
        s->bads = 0;
        if (s->goods < s->terms.rise)
            s->goods++;
        return s->goods >= s->terms.rise && !s->held ? VE_RISEN : VE_GOOD;
    }
    s->goods = 0;
    if (s->bads < s->terms.fall)
        s->bads++;
    return s->bads >= s->terms.fall ? VE_FALLEN : VE_BAD;
}

static void due(struct service *s, int64_t now_ms, struct service_steps *out)
{
    if (s->until_ms <= now_ms) {
        s->until_ms = NEVER_MS;
        take(s, VE_EXPIRED, now_ms, out);
    }
    if (s->check_at_ms <= now_ms && s->state != SV_GONE && s->state != SV_LEAVING) {
        s->check_at_ms = NEVER_MS;
        if (!s->terms.checked) {
            s->goods = s->terms.rise;
            take(s, s->held ? VE_GOOD : VE_RISEN, now_ms, out);
        } else if (!s->checking) {
            s->checking = true;
            add(out, STEP_CHECK_RUN);
        }
    }
    if (s->live && s->renew_at_ms <= now_ms) {
        s->renew_at_ms = now_ms + renewal_ms(s);
        if (service_says(s) != SAYS_NOTHING)
            add(out, STEP_RENEW);
        else if (s->owed)
            add(out, STEP_WITHDRAW);
    }
}

void service_step(struct service *s, enum service_event_kind kind, int64_t now_ms, struct service_steps *out)
{
    memset(out, 0, sizeof *out);
    switch (kind) {
    case VE_DUE:
        due(s, now_ms, out);
        return;
    case VE_LOST:
        s->live = false;
        return;
    case VE_BACK:
        s->live = true;
        s->renew_at_ms = now_ms;
        due(s, now_ms, out);
        return;
    case VE_DONE:
        if (service_says(s) == SAYS_NOTHING)
            s->owed = false;
        return;
    case VE_GOOD:
    case VE_BAD:
        take(s, counted(s, kind, now_ms), now_ms, out);
        return;
    case VE_HOLD:
    case VE_RELEASE:
        if (s->held == (kind == VE_HOLD))
            return;
        s->held = kind == VE_HOLD;
        if (kind == VE_RELEASE && s->check_at_ms == NEVER_MS && !s->checking)
            s->check_at_ms = now_ms;
        take(s, kind, now_ms, out);
        return;
    default:
        if (kind == VE_STOP)
            s->checking = false;
        take(s, kind, now_ms, out);
        if (kind == VE_CHANGED || kind == VE_MOVED)
            due(s, now_ms, out);
        return;
    }
}

void service_init(struct service *s, const struct service_terms *t, bool live, uint64_t seed, int64_t now_ms)
{
    memset(s, 0, sizeof *s);
    s->terms = *t;
    s->live = live;
    rng_seed(&s->rng, seed);
    s->check_at_ms = s->renew_at_ms = s->changed_at_ms = now_ms;
    s->until_ms = NEVER_MS;
    s->perhaps = true;
}

int64_t service_deadline_ms(const struct service *s)
{
    bool renews = s->live && (service_says(s) != SAYS_NOTHING || s->owed);
    bool checks = s->state != SV_GONE && s->state != SV_LEAVING && !s->checking;
    int64_t at = s->until_ms;

    if (checks && s->check_at_ms < at)
        at = s->check_at_ms;
    if (renews && s->renew_at_ms < at)
        at = s->renew_at_ms;
    return at;
}

bool service_is_over(const struct service *s) { return s->state == SV_GONE && (!s->owed || !s->live); }

int64_t service_drain_left_ms(const struct service *s, int64_t now_ms)
{
    int64_t left = s->until_ms == NEVER_MS ? 0 : s->until_ms - now_ms;

    return service_says(s) != SAYS_DRAIN || left < 0 ? 0 : left;
}

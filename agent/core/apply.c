/* The apply table, its acts, and its driver. */
#include "agent/core/apply.h"

#include "common/base/check.h"
#include "common/base/str.h"

#include <string.h>

#define DISK_MS 60000       /* for steps that only touch files */
#define SLACK_MS 2000       /* beyond what a command's own limit allows */

typedef void ap_act(struct apply *a, struct apply_steps *out);
typedef bool ap_guard(const struct apply *a);

struct ap_row {
    enum apply_state in;
    enum apply_event_kind on;
    ap_guard *guard;
    ap_act *act;
    enum apply_state then;
    const char *because;
};

static struct apply_step *add(struct apply_steps *out, enum apply_step_kind kind)
{
    struct apply_step *s;

    CHECK(out->n < APPLY_STEPS_MAX);
    s = &out->at[out->n++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    return s;
}

static void end_with(struct apply_steps *out, enum apply_step_kind kind, enum ack_status status)
{
    add(out, kind)->status = status;
    add(out, STEP_ACK)->status = status;
}

static bool must_hold(const struct apply *a) { return a->terms.hold; }
static bool is_pending(const struct apply *a) { return a->terms.pending; }

static void stage(struct apply *a, struct apply_steps *out)
{
    a->why[0] = 0;
    add(out, STEP_STAGE);
}

static void check(struct apply *a, struct apply_steps *out) { (void)a; add(out, STEP_CHECK); }
static void swap(struct apply *a, struct apply_steps *out) { (void)a; add(out, STEP_SWAP); }
static void reload(struct apply *a, struct apply_steps *out) { (void)a; add(out, STEP_RELOAD); }
static void probe(struct apply *a, struct apply_steps *out) { (void)a; add(out, STEP_PROBE); }
static void restore(struct apply *a, struct apply_steps *out) { (void)a; add(out, STEP_RESTORE); }
static void forget(struct apply *a, struct apply_steps *out) { (void)a; add(out, STEP_DISCARD); }

static void commit(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_COMMIT, ACK_OK);
}

static void commit_pending(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_COMMIT, ACK_PENDING_RESTART);
}

static void refuse(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_DISCARD, ACK_INVALID);
}

static void wait_for_it(struct apply *a, struct apply_steps *out)
{
    (void)a;
    add(out, STEP_ACK)->status = ACK_HELD;
}

static void refuse_check(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_DISCARD, ACK_CHECK_FAILED);
}

static void refuse_swap(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_DISCARD, ACK_SWAP_FAILED);
}

static void hold_reload(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_COMMIT, ACK_RELOAD_FAILED);
}

static void hold_probe(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_COMMIT, ACK_PROBE_FAILED);
}

static void rolled_back(struct apply *a, struct apply_steps *out)
{
    (void)a;
    end_with(out, STEP_UNDONE, ACK_ROLLED_BACK);
}

static void give_up(struct apply *a, struct apply_steps *out)
{
    (void)a;
    add(out, STEP_ACK)->status = ACK_ROLLBACK_FAILED;
}

static const struct ap_row ap_table[] = {
/*    in              on                 if         do            then            because */
    { AP_IDLE,        AE_WANTED,         NULL,      stage,        AP_STAGING,     "what is wanted differs from what is there" },
    { AP_IDLE,        AE_LEFT_STAGED,    NULL,      forget,       AP_IDLE,        "the last run ended before anything was swapped" },
    { AP_IDLE,        AE_LEFT_WHOLE,     NULL,      check,        AP_RECHECKING,  "the last run ended in the swap and every new file is whole" },
    { AP_IDLE,        AE_LEFT_TORN,      NULL,      restore,      AP_RESTORING,   "the last run ended in the swap and a new file is not whole" },
    { AP_IDLE,        AE_LEFT_UNDOING,   NULL,      restore,      AP_RESTORING,   "the last run ended on the way back" },
    { AP_IDLE,        AE_LEFT_COMMITTED, NULL,      commit,       AP_IDLE,        "the last run ended after the commit" },

    { AP_STAGING,     AE_DONE,           NULL,      check,        AP_CHECKING,    "every new file is written beside its target" },
    { AP_STAGING,     AE_FAILED,         NULL,      refuse_swap,  AP_IDLE,        "a new file could not be written" },
    { AP_STAGING,     AE_EXPIRED,        NULL,      refuse_swap,  AP_IDLE,        "writing took too long" },

    { AP_CHECKING,    AE_DONE,           NULL,      swap,         AP_SWAPPING,    "every check agreed" },
    { AP_CHECKING,    AE_FAILED,         NULL,      refuse_check, AP_IDLE,        "a check refused" },
    { AP_CHECKING,    AE_EXPIRED,        NULL,      refuse_check, AP_IDLE,        "a check took too long" },
    { AP_RECHECKING,  AE_DONE,           NULL,      swap,         AP_SWAPPING,    "every check agreed again" },
    { AP_RECHECKING,  AE_FAILED,         NULL,      restore,      AP_RESTORING,   "a check refused what was half swapped" },
    { AP_RECHECKING,  AE_EXPIRED,        NULL,      restore,      AP_RESTORING,   "a check of what was half swapped took too long" },

    { AP_SWAPPING,    AE_DONE,           NULL,      reload,       AP_RELOADING,   "every new file is in place" },
    { AP_SWAPPING,    AE_FAILED,         NULL,      refuse_swap,  AP_IDLE,        "the disk did not take the new files, or the first rename failed" },
    { AP_SWAPPING,    AE_REFUSED,        NULL,      refuse,       AP_IDLE,        "what is wanted was refused" },
    { AP_SWAPPING,    AE_LOST,           NULL,      wait_for_it,  AP_IDLE,        "it answered no more while it was set" },
    { AP_SWAPPING,    AE_PARTLY,         NULL,      restore,      AP_RESTORING,   "a rename failed after others had been done" },
    { AP_SWAPPING,    AE_EXPIRED,        NULL,      restore,      AP_RESTORING,   "swapping took too long" },

    { AP_RELOADING,   AE_DONE,           NULL,      probe,        AP_PROBING,     "the reader was told" },
    { AP_RELOADING,   AE_FAILED,         must_hold, hold_reload,  AP_IDLE,        "the reload failed and the document says hold" },
    { AP_RELOADING,   AE_FAILED,         NULL,      restore,      AP_RESTORING,   "the reload failed" },
    { AP_RELOADING,   AE_EXPIRED,        must_hold, hold_reload,  AP_IDLE,        "the reload took too long and the document says hold" },
    { AP_RELOADING,   AE_EXPIRED,        NULL,      restore,      AP_RESTORING,   "the reload took too long" },

    { AP_RELOADING,   AE_LOST,           NULL,      wait_for_it,  AP_IDLE,        "it answered no more while it wrote that down" },

    { AP_PROBING,     AE_DONE,           is_pending, commit_pending, AP_IDLE,     "the probe is content, and the rest takes a restart" },
    { AP_PROBING,     AE_DONE,           NULL,      commit,       AP_IDLE,        "the probe is content" },
    { AP_PROBING,     AE_FAILED,         must_hold, hold_probe,   AP_IDLE,        "the probe failed and the document says hold" },
    { AP_PROBING,     AE_FAILED,         NULL,      restore,      AP_RESTORING,   "the probe failed" },
    { AP_PROBING,     AE_EXPIRED,        must_hold, hold_probe,   AP_IDLE,        "the probe took too long and the document says hold" },
    { AP_PROBING,     AE_EXPIRED,        NULL,      restore,      AP_RESTORING,   "the probe took too long" },
    { AP_PROBING,     AE_LOST,           NULL,      wait_for_it,  AP_IDLE,        "it answered no more while it was looked at" },

    { AP_RESTORING,   AE_DONE,           NULL,      reload,       AP_RERELOADING, "the last good files are back" },
    { AP_RESTORING,   AE_FAILED,         NULL,      give_up,      AP_STUCK,       "the last good files could not be brought back" },
    { AP_RESTORING,   AE_EXPIRED,        NULL,      give_up,      AP_STUCK,       "bringing the last good files back took too long" },
    { AP_RESTORING,   AE_LOST,           NULL,      wait_for_it,  AP_IDLE,        "it answered no more on the way back" },
    { AP_RERELOADING, AE_DONE,           NULL,      probe,        AP_REPROBING,   "the reader was told of the last good files" },
    { AP_RERELOADING, AE_FAILED,         NULL,      give_up,      AP_STUCK,       "the reload of the last good files failed" },
    { AP_RERELOADING, AE_EXPIRED,        NULL,      give_up,      AP_STUCK,       "the reload of the last good files took too long" },
    { AP_RERELOADING, AE_LOST,           NULL,      wait_for_it,  AP_IDLE,        "it answered no more while it wrote down what was before" },
    { AP_REPROBING,   AE_DONE,           NULL,      rolled_back,  AP_IDLE,        "it is well again with the last good files" },
    { AP_REPROBING,   AE_FAILED,         NULL,      give_up,      AP_STUCK,       "it is not well with the last good files either" },
    { AP_REPROBING,   AE_EXPIRED,        NULL,      give_up,      AP_STUCK,       "the probe of the last good files took too long" },

    { AP_REPROBING,   AE_LOST,           NULL,      wait_for_it,  AP_IDLE,        "it answered no more while what was before was looked at" },

    { AP_STUCK,       AE_WANTED,         NULL,      stage,        AP_STAGING,     "something new is wanted, or an operator asked again" },
};
#define ROWS (sizeof ap_table / sizeof ap_table[0])

static const char *const state_names[] = {"idle", "staging", "checking", "rechecking", "swapping", "reloading",
                                          "probing", "restoring", "rereloading", "reprobing", "stuck"};
static const char *const event_names[] = {"wanted", "done", "failed", "partly", "refused", "lost", "expired", "left-staged", "left-whole",
                                          "left-torn", "left-undoing", "left-committed"};
static const char *const step_names[] = {"stage", "check", "swap", "reload", "probe", "restore", "discard", "commit",
                                         "undone", "ack", "trace"};
static const char *const ack_words[] = {"ok", "invalid", "check_failed", "swap_failed", "reload_failed", "probe_failed",
                                        "rolled_back", "rollback_failed", "vanished", "override", "pending_restart", "held"};

const char *apply_state_name(enum apply_state s) { return state_names[s]; }
const char *apply_event_name(enum apply_event_kind k) { return event_names[k]; }
const char *apply_step_name(enum apply_step_kind k) { return step_names[k]; }
const char *ack_status_word(enum ack_status s) { return ack_words[s]; }

bool ack_status_from(const char *word, enum ack_status *out)
{
    for (int s = 0; s < ACK_STATUSES; s++)
        if (strcmp(ack_words[s], word) == 0) {
            *out = (enum ack_status)s;
            return true;
        }
    return false;
}

bool ack_in_force(enum ack_status s) { return s == ACK_OK || s == ACK_OVERRIDE || s == ACK_PENDING_RESTART; }

void apply_init(struct apply *a)
{
    memset(a, 0, sizeof *a);
    a->deadline_at_ms = NEVER_MS;
}

bool apply_waits(enum apply_state s) { return s != AP_IDLE && s != AP_STUCK; }
bool apply_is_busy(const struct apply *a) { return apply_waits(a->state); }
int64_t apply_deadline_ms(const struct apply *a) { return a->deadline_at_ms; }

static int64_t time_in(const struct apply *a, enum apply_state s)
{
    switch (s) {
    case AP_CHECKING:
    case AP_RECHECKING: return a->terms.check_ms + SLACK_MS;
    case AP_RELOADING:
    case AP_RERELOADING: return a->terms.reload_ms + SLACK_MS;
    case AP_PROBING:
    case AP_REPROBING: return a->terms.probe_ms + SLACK_MS;
    case AP_IDLE:
    case AP_STUCK:
    case AP_STATES: return NEVER_MS;
    default: return DISK_MS;
    }
}

static void remember_why(struct apply *a, const struct apply_event *ev, const char *because)
{
    const char *text = ev->text && ev->text[0] ? ev->text : because;

    if (ev->kind != AE_FAILED && ev->kind != AE_PARTLY && ev->kind != AE_EXPIRED && ev->kind != AE_LEFT_TORN &&
        ev->kind != AE_LEFT_UNDOING && ev->kind != AE_REFUSED && ev->kind != AE_LOST)
        return;
    if (a->why[0]) {      /* a second failure is told after the first */
        size_t n = strlen(a->why);

        if (n + 3 >= sizeof a->why)
            return;
        slice_copy_z((struct slice){"; ", 2}, a->why + n, sizeof a->why - n);
        slice_copy_z(slice_z(text), a->why + n + 2, sizeof a->why - n - 2);
        return;
    }
    slice_copy_z(slice_z(text), a->why, sizeof a->why);
}

void apply_step(struct apply *a, const struct apply_event *ev, struct apply_steps *out)
{
    out->n = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const struct ap_row *r = &ap_table[i];
        enum apply_state from = a->state;
        struct apply_step *t;

        if (r->in != a->state || r->on != ev->kind || (r->guard && !r->guard(a)))
            continue;
        remember_why(a, ev, r->because);
        t = add(out, STEP_TRACE);
        t->from = from;
        t->to = r->then;
        t->because = r->because;
        r->act(a, out);
        a->state = r->then;
        a->deadline_at_ms = ms_add(ev->now_ms, time_in(a, r->then));
        return;
    }
}

bool apply_has_row(enum apply_state in, enum apply_event_kind on)
{
    for (size_t i = 0; i < ROWS; i++)
        if (ap_table[i].in == in && ap_table[i].on == on)
            return true;
    return false;
}

enum apply_event_kind leftovers_event(const struct leftovers *l)
{
    if (!l->begun || l->undone)
        return AE_KINDS;
    if (l->committed)
        return AE_LEFT_COMMITTED;
    if (l->undoing)
        return AE_LEFT_UNDOING;
    if (!l->swapping)
        return AE_LEFT_STAGED;
    return l->all_new_whole ? AE_LEFT_WHOLE : AE_LEFT_TORN;
}

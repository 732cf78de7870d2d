/* How one document is applied: a table of states, told what happened, answering with
 * steps to carry out in the order given. It never opens, sends, waits or asks the time.
 *
 *            stage      check      swap      reload      probe
 *   idle -> staging -> checking -> swapping -> reloading -> probing -> idle (committed)
 *              |          |           |            |           |
 *              +- discard-+           +----------- restore ----+
 *                                                    |
 *                            restoring -> rereloading -> reprobing -> idle (rolled back)
 *                                 |            |             |
 *                                 +------------+-------------+-> stuck (somebody must look)
 *
 * What is set on a data node goes the same way: staged is what it had before, the swap is one
 * CONFIG SET. When it answers no more, all waits for its return, as after a crash.
 *
 * What a crash left behind comes in as the AE_LEFT_* events. The step before a state
 * that waits is the last of its list; the answer to it is the next event. */
#ifndef KV_AGENT_APPLY_H
#define KV_AGENT_APPLY_H

#include "common/base/err.h"
#include "common/base/timeval.h"

#include <stdbool.h>
#include <stdint.h>

enum apply_state {
    AP_IDLE,
    AP_STAGING,          /* new files are being written beside the old ones */
    AP_CHECKING,         /* the check commands look at them */
    AP_RECHECKING,       /* the same after a crash in the middle of the swap */
    AP_SWAPPING,         /* renames */
    AP_RELOADING,
    AP_PROBING,
    AP_RESTORING,        /* the last good files come back */
    AP_RERELOADING,
    AP_REPROBING,
    AP_STUCK,            /* the way back failed too: hands off until told anew */
    AP_STATES
};

enum apply_event_kind {
    AE_WANTED,           /* a plan whose files differ from what is there */
    AE_DONE,             /* the step under way succeeded */
    AE_FAILED,           /* it failed; text says how. Of a swap: nothing was renamed */
    AE_PARTLY,           /* a swap failed after the first rename */
    AE_REFUSED,          /* of a swap: who is to take it says that what is wanted is wrong; nothing was changed */
    AE_LOST,             /* who is to take it answers no more: taken up again, as after a crash, when it returns */
    AE_EXPIRED,          /* the deadline passed */
    AE_LEFT_STAGED,      /* found at start: staged, nothing renamed */
    AE_LEFT_WHOLE,       /* found at start: renames had begun, every new file is there, whole */
    AE_LEFT_TORN,        /* found at start: renames had begun, a new file is missing or damaged */
    AE_LEFT_UNDOING,     /* found at start: the way back had begun */
    AE_LEFT_COMMITTED,   /* found at start: all done but for the paperwork */
    AE_KINDS
};

struct apply_event {
    enum apply_event_kind kind;
    int64_t now_ms;
    const char *text;               /* AE_FAILED, AE_PARTLY, AE_REFUSED, AE_LOST: the sentence; borrowed */
};

/* How it ended, as the answer under cfgack: says it. */
enum ack_status {
    ACK_OK,
    ACK_INVALID,                    /* the document, or a value it reads, is wrong */
    ACK_CHECK_FAILED,
    ACK_SWAP_FAILED,                /* nothing was changed */
    ACK_RELOAD_FAILED,              /* on_fail "hold": left in place */
    ACK_PROBE_FAILED,               /* on_fail "hold": left in place */
    ACK_ROLLED_BACK,
    ACK_ROLLBACK_FAILED,
    ACK_VANISHED,                   /* the document or a source is gone: last good stays */
    ACK_OVERRIDE,                   /* applied, from the operator's file and not from the directory */
    ACK_PENDING_RESTART,            /* applied but for what takes effect with a restart; the text names it */
    ACK_HELD,                       /* waits for something; the text says for what */
    ACK_STATUSES
};

enum apply_step_kind {
    STEP_STAGE,          /* journal what is planned, write the new files beside the old ones; answer */
    STEP_CHECK,          /* run the check commands; answer */
    STEP_SWAP,           /* keep the old files, rename the new ones over them; answer */
    STEP_RELOAD,         /* answer */
    STEP_PROBE,          /* answer */
    STEP_RESTORE,        /* journal, bring the old files back; answer */
    STEP_DISCARD,        /* remove staged files and the journal */
    STEP_COMMIT,         /* journal, write down what is in force, remove the journal */
    STEP_UNDONE,         /* journal the end of the way back, remove the journal */
    STEP_ACK,            /* tell the directory: status, text */
    STEP_TRACE,          /* a state changed: from, to, because */
    STEP_KINDS
};

struct apply_step {
    enum apply_step_kind kind;
    enum ack_status status;                 /* STEP_ACK, STEP_COMMIT */
    enum apply_state from, to;              /* STEP_TRACE */
    const char *because;                    /* STEP_TRACE */
};

#define APPLY_STEPS_MAX 6
struct apply_steps {
    struct apply_step at[APPLY_STEPS_MAX];
    unsigned n;
};

/* What the plan says about time and failure. All milliseconds. */
struct apply_terms {
    int64_t check_ms;               /* all check commands together */
    int64_t reload_ms;
    int64_t probe_ms;
    bool hold;                      /* leave in place what failed after the swap */
    bool pending;                   /* known with the swap: some of it takes effect with a restart */
};

struct apply {
    enum apply_state state;
    int64_t deadline_at_ms;         /* NEVER_MS when nothing is under way */
    struct apply_terms terms;       /* set before AE_WANTED and AE_LEFT_* */
    char why[ERR_TEXT_MAX];         /* first failure of this application, "" = none */
};

void apply_init(struct apply *a);
/* Appends to out (emptied first). An event that means nothing in this state answers with no steps. */
void apply_step(struct apply *a, const struct apply_event *ev, struct apply_steps *out);
int64_t apply_deadline_ms(const struct apply *a);
bool apply_is_busy(const struct apply *a);              /* neither idle nor stuck */

/* Is there a row for this pair? (for the test that walks all pairs) */
bool apply_has_row(enum apply_state in, enum apply_event_kind on);
bool apply_waits(enum apply_state s);
const char *apply_state_name(enum apply_state s);
const char *apply_event_name(enum apply_event_kind k);
const char *apply_step_name(enum apply_step_kind k);
const char *ack_status_word(enum ack_status s);
bool ack_status_from(const char *word, enum ack_status *out);    /* false: not one of these words, *out is as it was */
bool ack_in_force(enum ack_status s);                   /* ok, override, pending_restart */

/* What the records of a journal and a look at the files amount to. */
struct leftovers {
    bool begun;            /* the plan was recorded whole */
    bool swapping;         /* at least one rename was announced */
    bool undoing;          /* the way back was announced */
    bool committed;        /* the end was recorded */
    bool undone;           /* the end of the way back was recorded */
    bool all_new_whole;    /* each new file is whole, staged or already in place */
};
/* AE_KINDS: nothing to do but to forget the journal. */
enum apply_event_kind leftovers_event(const struct leftovers *l);

#endif

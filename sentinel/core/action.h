/* Everything that can go out. core_step appends to a list, and the list is carried out
 * *in the order given*, all of it before the next event. Order is the contract: what
 * stands behind an ACT_SAVE relies on it.
 *
 * An action is said, not awaited: none of them may call back. What comes of it is a
 * later event. A link that is not up swallows what is sent on it without a word. */
#ifndef KV_SENTINEL_ACTION_H
#define KV_SENTINEL_ACTION_H

#include "sentinel/core/event.h"

enum action_kind {
    /* Make the disk hold what core_saved() says now: file and folder synced, then go
     * on. `must`: the rest of the list relies on it; if it fails drop of the rest what is
     * not action_stands_alone(), and hand in EV_SAVE_FAILED. Not `must`: go on, and hand in
     * EV_SAVE_FAILED after the list. */
    ACT_SAVE,

    /* --- links ---------------------------------------------------------------- */
    /* Keep a link to `to`: open it, or if there is one with another address, close and
     * open anew. Goes on until ACT_LINK_CLOSE. Doing it twice changes nothing. */
    ACT_LINK_OPEN,
    ACT_LINK_CLOSE,                /* for good; no event follows */
    ACT_LINK_DROP,                 /* looks stuck: close it and connect again (EV_LINK_DOWN HOW_BY_US) */

    /* --- to a node or a peer (link) -------------------------------------------- */
    ACT_PING,                      /* LINK_NODE_CMD, LINK_PEER -> EV_PONG */
    ACT_INFO,                      /* LINK_NODE_CMD -> EV_INFO. Never merged with one on its way */
    ACT_HELLO,                     /* LINK_NODE_CMD, LINK_PEER: PUBLISH hello `hello` */
    /* LINK_PEER: IS-MASTER-DOWN-BY-ADDR `to` `epoch` `id` ("" = `*`) -> EV_ANSWER with
     * `group` and asked_epoch = `epoch`. */
    ACT_ASK,
    /* LINK_NODE_CMD: one transaction: SLAVEOF NO ONE, CLIENT KILL of normal and pubsub clients
     * -> EV_ORDER_DONE. ACT_INFO follows on the same link, ACT_KEEP when that says that it leads. */
    ACT_PROMOTE,
    ACT_REPOINT,                   /* the same with SLAVEOF `to` and CONFIG REWRITE */
    /* LINK_NODE_CMD: SLAVEOF of an address where nobody is (`to`), and nothing else: no file is written, no client closed
     * -> EV_ORDER_DONE */
    ACT_SEAL,
    ACT_HAND_OVER,                 /* LINK_NODE_CMD: FAILOVER TO `to` TIMEOUT `ms` -> EV_ORDER_DONE */
    ACT_CALL_BACK,                 /* LINK_NODE_CMD: FAILOVER ABORT -> EV_ORDER_DONE */
    ACT_KEEP,                      /* LINK_NODE_CMD: CONFIG REWRITE: it shall be after a restart what it is now -> EV_ORDER_DONE */
    ACT_SCRIPT_KILL,               /* LINK_NODE_CMD: SCRIPT KILL, answer ignored */

    /* --- to those who wait ------------------------------------------------------ */
    ACT_ANSWER,                    /* `ticket` of EV_ASKED: `down`, leader `id` ("" = `*`), `epoch` */
    /* `ticket` of an operator's event: `ok`, else `text` is the whole error line
     * ("INPROG Failover already in progress"). */
    ACT_REPLY,

    /* --- to the world ------------------------------------------------------------ */
    /* Operator event: `news` (its name and level are one row of a table), `text` is the
     * payload. Log it, publish it, run the notification script if its level asks. */
    ACT_EVENT,
    /* Clients of `group` must move: `from` -> `to`; `leader` = we led the failover, else
     * observer. Runs the group's client-reconfig-script. */
    ACT_CLIENT_RECONFIG,
    /* We led a failover of `group`: the directory's document shall say host and port
     * `to`, unless it carries a higher epoch than `epoch`. Retried by the shell. */
    ACT_DIRECTORY,
    ACT_TRACE,                     /* `text`: a sentence on why; `group` 0 = about nobody in particular */

    ACT_KINDS
};

/* Operator events, named as users of redis-sentinel know them: news_name() in names.h. */
enum news {
    NEWS_MONITOR, NEWS_UNMONITOR, NEWS_RESET, NEWS_SLAVE, NEWS_SENTINEL, NEWS_ADDRESS_SWITCH, NEWS_ADDRESS_UPDATE,
    NEWS_INVALID_ADDR, NEWS_SDOWN, NEWS_SDOWN_OVER, NEWS_ODOWN, NEWS_ODOWN_OVER, NEWS_TILT, NEWS_TILT_OVER,
    NEWS_REBOOT, NEWS_ROLE_AS_KNOWN, NEWS_ROLE_WRONG, NEWS_NEW_EPOCH, NEWS_TRY_FAILOVER, NEWS_VOTE, NEWS_ELECTED,
    NEWS_NOT_ELECTED, NEWS_SELECTING, NEWS_NO_GOOD_SLAVE, NEWS_SELECTED, NEWS_SENDING_NO_ONE, NEWS_WAIT_PROMOTION,
    NEWS_SLAVE_TIMEOUT, NEWS_PROMOTED, NEWS_RECONF_SLAVES, NEWS_RECONF_SENT, NEWS_RECONF_IN_PROGRESS,
    NEWS_RECONF_DONE, NEWS_RECONF_TIMEOUT, NEWS_RECONF_BEST_EFFORT, NEWS_END, NEWS_END_TIMEOUT, NEWS_SWITCH_MASTER,
    NEWS_CONFIG_UPDATE, NEWS_CONVERT, NEWS_FIX_CONFIG, NEWS_CMD_LINK_DROP, NEWS_SUB_LINK_DROP,
    /* ours */
    NEWS_CRASH_EVIDENCE, NEWS_CRASH_EVIDENCE_OVER, NEWS_WITHDRAWN, NEWS_NOT_SAVED, NEWS_SENDING_FAILOVER,
    NEWS_NOT_HANDED_OVER, NEWS_SEALING, NEWS_ROLE_LOOSE, NEWS_ROLE_LOOSE_OVER,
    NEWS_KINDS
};

/* Only the fields named above for a kind mean anything; the others are zero. */
struct action {
    enum action_kind kind;
    struct link_ref link;
    core_id group;
    core_id node;                  /* ACT_EVENT: whom it is about, when that is a node */
    bool must;                     /* ACT_SAVE */
    bool ok;                       /* ACT_REPLY */
    bool down;                     /* ACT_ANSWER */
    bool leader;                   /* ACT_CLIENT_RECONFIG */
    enum news news;                /* ACT_EVENT */
    uint64_t ticket;
    uint64_t epoch;
    int64_t ms;                    /* ACT_HAND_OVER */
    char id[ID_MAX];
    struct addr from, to;
    const struct hello *hello;     /* ACT_HELLO; good until actions_clear */
    const char *text;              /* good until actions_clear; never NULL in the kinds that use it */
};

/* Promises nothing to anybody, and what the core knows of its links must stay true of them: done whatever became of
 * a save before it. */
static inline bool action_stands_alone(const struct action *a)
{
    return a->kind == ACT_LINK_OPEN || a->kind == ACT_LINK_CLOSE || a->kind == ACT_LINK_DROP || a->kind == ACT_PING ||
           a->kind == ACT_INFO;
}

/* The list. The caller owns it: init once, clear before each step, fini at the end. */
struct actions {
    VEC(struct action) list;       /* for (i = 0; i < a.list.n; i++) a.list.at[i] */
    VEC(void *) kept;              /* texts and hellos that actions point to */
};
void actions_init(struct actions *a);
void actions_fini(struct actions *a);
void actions_clear(struct actions *a);

#endif

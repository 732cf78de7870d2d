/* What this node is and what it may do: primary, replica or fenced.
 *
 * A quiet room: it is told what happened (an event and the time) and answers with a
 * list of orders, to be carried out in the order given, before the next event. It
 * holds no socket and no data. The server asks it, before each command: may a write
 * run now, and if not, what is the client told?
 *
 *     struct role r;
 *     struct role_orders out;
 *
 *     role_init(&r, &settings);                        // a primary, as redis-server starts
 *     role_step(&r, &(struct role_event){.kind = ROLE_EV_FOLLOW, .to = a}, now_ms, &out);
 *     for (int i = 0; i < out.n; i++) carry_out(&out.at[i]);
 *     if (out.from != out.to) log(role_state_name(out.from), role_state_name(out.to), out.because);
 *
 *     enum role_verdict v = role_may_write(&r);        // per write command of a client
 *     if (v != ROLE_OK) reply_error(c, role_error(v));
 *
 * Link events carry the number of the link they speak of (`link` of the ROLE_CONNECT
 * order that opened it): what a link that was given up still says changes nothing.
 * Call again with ROLE_EV_TICK when role_deadline_ms() has passed. */
#ifndef KV_ROLE_ROLE_H
#define KV_ROLE_ROLE_H

#include "common/base/addr.h"
#include "common/base/timeval.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role_state {
    ROLE_PRIMARY,          /* takes writes, feeds replicas */
    ROLE_WAITING,          /* replica, link down, next attempt at a set time */
    ROLE_CONNECTING,       /* replica, handshake under way */
    ROLE_SYNCING,          /* replica, a full copy is coming in; the old data is still in place */
    ROLE_FOLLOWING,        /* replica, link up */
    ROLE_STUCK,            /* replica, stream or copy held something we cannot apply; a new order helps */
    ROLE_FENCED,           /* was primary, refuses writes and still feeds its replicas */
    ROLE_SEALED,           /* of a formed group: a replica of nobody; refuses writes, feeds nobody, its log stands still */
    ROLE_STATES
};

enum role_event_kind {
    /* orders from outside: a sentinel, an operator, the start-up configuration */
    ROLE_EV_FOLLOW,        /* to, epoch: REPLICAOF host port */
    ROLE_EV_LEAD,          /* epoch: REPLICAOF NO ONE */
    ROLE_EV_FENCE,         /* no more writes: the process is leaving and lets its replicas catch up */
    ROLE_EV_RELEASE,       /* it stays after all */
    ROLE_EV_SEAL,          /* a formed group's word (kvnode/role/member.h): stand still until FOLLOW or LEAD */
    /* what the link to the primary does; link is set in all */
    ROLE_EV_LINK_LOST,     /* refused, closed, timed out, or the handshake failed */
    ROLE_EV_SYNC_STARTED,  /* the primary announced a full copy */
    ROLE_EV_SYNCED,        /* copy loaded, or our history goes on; new_history */
    ROLE_EV_UNAPPLICABLE,  /* a command in the stream, or a type in the copy, that we do not know */
    /* what the gates need to know */
    ROLE_EV_GOOD_REPLICAS, /* n: replicas that acknowledged within min-replicas-max-lag */
    ROLE_EV_SETTINGS,      /* settings */
    ROLE_EV_TICK,          /* role_deadline_ms() has passed (too early does nothing) */
    ROLE_EVENTS
};

enum role_order_kind {
    ROLE_DROP_LINK,            /* close the link to the primary; forget a half-received copy */
    ROLE_CONNECT,              /* to, link: connect, hand-shake, ask to continue from our own history */
    ROLE_SHIFT_HISTORY,        /* a new replication id; the old one stays good up to our offset */
    ROLE_DISCONNECT_REPLICAS,  /* close the links of our replicas: they come back and ask again */
    ROLE_RELEASE_WAITERS,      /* clients blocked in WAIT and the like: answer them, the role changed */
    ROLE_SERVE_WRITES,         /* start what only a primary does: expire actively, feed its own stream */
    ROLE_REFUSE_WRITES,        /* stop it */
    ROLE_ORDER_KINDS
};

enum role_verdict {
    ROLE_OK,
    ROLE_READONLY,         /* replica, replica-read-only */
    ROLE_NOREPLICAS,       /* fewer than min-replicas-to-write good replicas */
    ROLE_MASTERDOWN,       /* replica without its primary, replica-serve-stale-data no */
    ROLE_IS_FENCED,
    ROLE_VERDICTS
};

struct role_settings {
    bool replica_read_only;        /* default true */
    bool serve_stale_data;         /* default true */
    int min_replicas_to_write;     /* 0 = no gate */
    int64_t retry_max_ms;          /* between two attempts at the primary; 0 = ROLE_RETRY_MAX_MS */
};

struct role_event {
    enum role_event_kind kind;
    struct addr to;                /* FOLLOW */
    uint64_t epoch;                /* FOLLOW, LEAD: 0 = an order without one, as REPLICAOF gives */
    uint64_t link;                 /* link events */
    bool new_history;              /* SYNCED: the replication id changed, a full copy always does that */
    int n;                         /* GOOD_REPLICAS */
    struct role_settings settings; /* SETTINGS */
};

struct role_order {
    enum role_order_kind kind;
    struct addr to;                /* CONNECT */
    uint64_t link;                 /* CONNECT */
};

#define ROLE_ORDERS_MAX 6

/* What one step answered. `because` is the sentence of the row that was taken; NULL if the
 * event meant nothing in this state (a late word of an old link, an order already fulfilled).
 * `refused`: an order that was not taken; because then says why. */
struct role_orders {
    enum role_state from, to;
    const char *because;
    bool refused;
    int n;
    struct role_order at[ROLE_ORDERS_MAX];
};

/* Read it freely; only role_step writes. */
struct role {
    enum role_state state;
    struct addr primary;           /* whom we follow; not set on a primary, nor when sealed */
    uint64_t epoch;                /* highest epoch of an order that we took; 0 = none had one */
    uint64_t link;                 /* number of the present link */
    int64_t wake_at_ms;            /* NEVER_MS, or when WAITING ends */
    int64_t retry_ms;              /* the next wait after a failed attempt */
    int64_t link_down_at_ms;       /* since when the link is not up; NEVER_MS: it is up, or we lead */
    int good_replicas;
    struct role_settings settings;
};

#define ROLE_RETRY_MIN_MS 50
#define ROLE_RETRY_MAX_MS 1000

void role_init(struct role *r, const struct role_settings *s);   /* s may be NULL: the defaults */

/* One event. An order with an epoch below one that we took before is refused, out->because says so. */
void    role_step(struct role *r, const struct role_event *ev, int64_t now_ms, struct role_orders *out);
int64_t role_deadline_ms(const struct role *r);

/* May a client's command run? Writes that come down the primary's stream do not ask. */
enum role_verdict role_may_write(const struct role *r);
enum role_verdict role_may_read(const struct role *r);           /* commands marked "ok on stale data" need not ask */
/* May a node at this address replicate from us? NULL, or the error line. A replica without its
 * own primary may not feed others, and nobody feeds its own primary: such a ring would pass
 * its own bytes round for ever, and nobody in it is a primary. */
const char *role_may_feed(const struct role *r, const struct addr *who);
const char *role_error(enum role_verdict v);                     /* "READONLY You can't …"; NULL for ROLE_OK */

static inline bool role_is_replica(const struct role *r)
{
    return r->state != ROLE_PRIMARY && r->state != ROLE_FENCED;
}
static inline bool role_link_up(const struct role *r) { return r->state == ROLE_FOLLOWING; }

const char *role_state_name(enum role_state s);
const char *role_event_name(enum role_event_kind e);
const char *role_order_name(enum role_order_kind o);

/* The table itself, for tests, docs and diagrams. */
struct role_row {
    enum role_state in;
    const char *event;             /* the event's name; FOLLOW stands as follow-same and follow-other */
    enum role_event_kind kind;
    enum role_state then;
    const char *because;
};
bool role_row_at(size_t i, struct role_row *out);                /* false past the end */

#endif

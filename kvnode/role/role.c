/* The role table and its driver. Only the driver assigns the state, from the row; the
 * acts append orders. What is not a row means nothing in that state, and the unit
 * test lists those pairs so that none is forgotten by accident. */
#include "kvnode/role/role.h"

#include "common/base/check.h"

#include <string.h>

/* The events as the table knows them: FOLLOW is two, by whether it changes anything. */
enum role_cause {
    RC_FOLLOW_SAME,
    RC_FOLLOW_OTHER,
    RC_LEAD,
    RC_FENCE,
    RC_RELEASE,
    RC_SEAL,
    RC_LINK_LOST,
    RC_SYNC_STARTED,
    RC_CONTINUED,          /* synced, the replication id is the one we had */
    RC_RENEWED,            /* synced, another replication id */
    RC_UNAPPLICABLE,
    RC_TICK
};

struct role_turn {
    struct role *r;
    const struct role_event *ev;
    struct role_orders *out;
};

static struct role_order *order(struct role_turn *t, enum role_order_kind kind)
{
    CHECK(t->out->n < ROLE_ORDERS_MAX);
    struct role_order *o = &t->out->at[t->out->n++];
    memset(o, 0, sizeof *o);
    o->kind = kind;
    return o;
}

static void connect_now(struct role_turn *t)
{
    struct role_order *o = order(t, ROLE_CONNECT);

    t->r->link++;
    o->to = t->r->primary;
    o->link = t->r->link;
}

static void step_down(struct role_turn *t)
{
    order(t, ROLE_REFUSE_WRITES);
    order(t, ROLE_RELEASE_WAITERS);
    t->r->primary = t->ev->to;
    t->r->retry_ms = ROLE_RETRY_MIN_MS;
    connect_now(t);
}

static void step_down_fenced(struct role_turn *t)
{
    t->r->primary = t->ev->to;
    t->r->retry_ms = ROLE_RETRY_MIN_MS;
    connect_now(t);
}

static void turn_to_other(struct role_turn *t)
{
    order(t, ROLE_DROP_LINK);
    t->r->primary = t->ev->to;
    t->r->retry_ms = ROLE_RETRY_MIN_MS;
    connect_now(t);
}

static void try_again(struct role_turn *t)
{
    order(t, ROLE_DROP_LINK);
    t->r->retry_ms = ROLE_RETRY_MIN_MS;
    connect_now(t);
}

static void take_office(struct role_turn *t)
{
    order(t, ROLE_DROP_LINK);
    order(t, ROLE_SHIFT_HISTORY);
    order(t, ROLE_DISCONNECT_REPLICAS);
    order(t, ROLE_RELEASE_WAITERS);
    order(t, ROLE_SERVE_WRITES);
    memset(&t->r->primary, 0, sizeof t->r->primary);
    t->r->link++;          /* what the dropped link still says is old */
}

static void fence(struct role_turn *t)
{
    order(t, ROLE_REFUSE_WRITES);
    order(t, ROLE_RELEASE_WAITERS);
}

/* Nothing comes in, nothing goes out. */
static void seal(struct role_turn *t)
{
    order(t, ROLE_DROP_LINK);
    order(t, ROLE_DISCONNECT_REPLICAS);
    order(t, ROLE_REFUSE_WRITES);
    order(t, ROLE_RELEASE_WAITERS);
    memset(&t->r->primary, 0, sizeof t->r->primary);
    t->r->link++;          /* what the dropped link still says is old */
}

/* Whoever took a tail from us is sent away, and so is a tail that was coming in. */
static void turn_from_seal(struct role_turn *t)
{
    order(t, ROLE_DISCONNECT_REPLICAS);
    turn_to_other(t);
}

static void unfence(struct role_turn *t) { order(t, ROLE_SERVE_WRITES); }
static void drop(struct role_turn *t) { order(t, ROLE_DROP_LINK); }
static void nothing(struct role_turn *t) { (void)t; }
static void send_replicas_away(struct role_turn *t) { order(t, ROLE_DISCONNECT_REPLICAS); }

static const struct row {
    enum role_state in;
    enum role_cause on;
    void (*act)(struct role_turn *t);
    enum role_state then;
    const char *because;
} table[] = {
/*    in               on               do                  then             because */
    { ROLE_PRIMARY,    RC_FOLLOW_OTHER, step_down,          ROLE_CONNECTING, "told to follow another node" },
    { ROLE_PRIMARY,    RC_FENCE,        fence,              ROLE_FENCED,     "leaving: replicas may catch up" },
    { ROLE_PRIMARY,    RC_SEAL,         seal,               ROLE_SEALED,     "sealed: the log stands still" },

    { ROLE_FENCED,     RC_FOLLOW_OTHER, step_down_fenced,   ROLE_CONNECTING, "told to follow another node" },
    { ROLE_FENCED,     RC_RELEASE,      unfence,            ROLE_PRIMARY,    "staying after all" },
    { ROLE_FENCED,     RC_SEAL,         seal,               ROLE_SEALED,     "sealed: the log stands still" },

    { ROLE_WAITING,    RC_FOLLOW_OTHER, turn_to_other,      ROLE_CONNECTING, "told to follow another node" },
    { ROLE_WAITING,    RC_FOLLOW_SAME,  try_again,          ROLE_CONNECTING, "told again whom to follow: no need to wait" },
    { ROLE_WAITING,    RC_LEAD,         take_office,        ROLE_PRIMARY,    "told to be primary" },
    { ROLE_WAITING,    RC_SEAL,         seal,               ROLE_SEALED,     "sealed: the log stands still" },
    { ROLE_WAITING,    RC_TICK,         connect_now,        ROLE_CONNECTING, "time for the next attempt" },

    { ROLE_CONNECTING, RC_FOLLOW_OTHER, turn_to_other,      ROLE_CONNECTING, "told to follow another node" },
    { ROLE_CONNECTING, RC_LEAD,         take_office,        ROLE_PRIMARY,    "told to be primary" },
    { ROLE_CONNECTING, RC_SEAL,         seal,               ROLE_SEALED,     "sealed: the log stands still" },
    { ROLE_CONNECTING, RC_LINK_LOST,    drop,               ROLE_WAITING,    "the primary cannot be reached" },
    { ROLE_CONNECTING, RC_SYNC_STARTED, nothing,            ROLE_SYNCING,    "the primary sends a full copy" },
    { ROLE_CONNECTING, RC_CONTINUED,    nothing,            ROLE_FOLLOWING,  "our history goes on" },
    { ROLE_CONNECTING, RC_RENEWED,      send_replicas_away, ROLE_FOLLOWING,  "our history goes on under another id" },

    { ROLE_SYNCING,    RC_FOLLOW_OTHER, turn_to_other,      ROLE_CONNECTING, "told to follow another node" },
    { ROLE_SYNCING,    RC_LEAD,         take_office,        ROLE_PRIMARY,    "told to be primary: the old data stays" },
    { ROLE_SYNCING,    RC_SEAL,         seal,               ROLE_SEALED,     "sealed: the old data stays" },
    { ROLE_SYNCING,    RC_LINK_LOST,    drop,               ROLE_WAITING,    "the copy broke off: the old data stays" },
    { ROLE_SYNCING,    RC_CONTINUED,    send_replicas_away, ROLE_FOLLOWING,  "the copy is in place" },
    { ROLE_SYNCING,    RC_RENEWED,      send_replicas_away, ROLE_FOLLOWING,  "the copy is in place" },
    { ROLE_SYNCING,    RC_UNAPPLICABLE, drop,               ROLE_STUCK,      "the copy holds a type we do not know: the old data stays" },

    { ROLE_FOLLOWING,  RC_FOLLOW_OTHER, turn_to_other,      ROLE_CONNECTING, "told to follow another node" },
    { ROLE_FOLLOWING,  RC_LEAD,         take_office,        ROLE_PRIMARY,    "told to be primary" },
    { ROLE_FOLLOWING,  RC_SEAL,         seal,               ROLE_SEALED,     "sealed: the log stands still" },
    { ROLE_FOLLOWING,  RC_LINK_LOST,    drop,               ROLE_WAITING,    "the link to the primary is gone" },
    { ROLE_FOLLOWING,  RC_UNAPPLICABLE, drop,               ROLE_STUCK,      "the stream holds a command we do not know" },

    { ROLE_STUCK,      RC_FOLLOW_OTHER, turn_to_other,      ROLE_CONNECTING, "told to follow another node" },
    { ROLE_STUCK,      RC_FOLLOW_SAME,  try_again,          ROLE_CONNECTING, "told again whom to follow: one more try" },
    { ROLE_STUCK,      RC_LEAD,         take_office,        ROLE_PRIMARY,    "told to be primary" },
    { ROLE_STUCK,      RC_SEAL,         seal,               ROLE_SEALED,     "sealed: the log stands still" },

    { ROLE_SEALED,     RC_FOLLOW_OTHER, turn_from_seal,     ROLE_CONNECTING, "told whom to follow" },
    { ROLE_SEALED,     RC_LEAD,         take_office,        ROLE_PRIMARY,    "told to be primary" },
    { ROLE_SEALED,     RC_SEAL,         seal,               ROLE_SEALED,     "sealed anew" },
};

static const char *const cause_names[] = {
    [RC_FOLLOW_SAME] = "follow-same", [RC_FOLLOW_OTHER] = "follow-other", [RC_LEAD] = "lead",
    [RC_FENCE] = "fence", [RC_RELEASE] = "release", [RC_SEAL] = "seal", [RC_LINK_LOST] = "link-lost",
    [RC_SYNC_STARTED] = "sync-started", [RC_CONTINUED] = "synced-same-history",
    [RC_RENEWED] = "synced-new-history", [RC_UNAPPLICABLE] = "unapplicable", [RC_TICK] = "tick",
};

static const enum role_event_kind cause_kinds[] = {
    [RC_FOLLOW_SAME] = ROLE_EV_FOLLOW, [RC_FOLLOW_OTHER] = ROLE_EV_FOLLOW, [RC_LEAD] = ROLE_EV_LEAD,
    [RC_FENCE] = ROLE_EV_FENCE, [RC_RELEASE] = ROLE_EV_RELEASE, [RC_SEAL] = ROLE_EV_SEAL, [RC_LINK_LOST] = ROLE_EV_LINK_LOST,
    [RC_SYNC_STARTED] = ROLE_EV_SYNC_STARTED, [RC_CONTINUED] = ROLE_EV_SYNCED,
    [RC_RENEWED] = ROLE_EV_SYNCED, [RC_UNAPPLICABLE] = ROLE_EV_UNAPPLICABLE, [RC_TICK] = ROLE_EV_TICK,
};

void role_init(struct role *r, const struct role_settings *s)
{
    memset(r, 0, sizeof *r);
    r->wake_at_ms = NEVER_MS;
    r->link_down_at_ms = NEVER_MS;
    r->retry_ms = ROLE_RETRY_MIN_MS;
    r->settings = s ? *s : (struct role_settings){.replica_read_only = true, .serve_stale_data = true};
}

/* The one place where a state's deadline and the link's age are set. */
static void enter(struct role *r, enum role_state to, int64_t now_ms)
{
    bool was_up = r->link_down_at_ms == NEVER_MS;

    r->state = to;
    r->wake_at_ms = NEVER_MS;
    if (to == ROLE_WAITING) {
        r->wake_at_ms = ms_add(now_ms, r->retry_ms);
        r->retry_ms = ms_min(r->retry_ms * 2, r->settings.retry_max_ms ? r->settings.retry_max_ms : ROLE_RETRY_MAX_MS);
    }
    if (to == ROLE_FOLLOWING)
        r->retry_ms = ROLE_RETRY_MIN_MS;
    if (to == ROLE_FOLLOWING || !role_is_replica(r))
        r->link_down_at_ms = NEVER_MS;
    else if (was_up)
        r->link_down_at_ms = now_ms;
    CHECK((role_is_replica(r) && to != ROLE_SEALED) == addr_is_set(&r->primary));
    CHECK((r->state == ROLE_WAITING) == (r->wake_at_ms != NEVER_MS));
}

static bool is_link_event(enum role_event_kind k)
{
    return k == ROLE_EV_LINK_LOST || k == ROLE_EV_SYNC_STARTED || k == ROLE_EV_SYNCED || k == ROLE_EV_UNAPPLICABLE;
}

/* Gate inputs change no state; everything else becomes a cause for the table. */
static bool cause_of(struct role *r, const struct role_event *ev, int64_t now_ms, enum role_cause *out)
{
    if (is_link_event(ev->kind) && ev->link != r->link)
        return false;
    switch (ev->kind) {
    case ROLE_EV_FOLLOW:
        *out = addr_equal(&ev->to, &r->primary) ? RC_FOLLOW_SAME : RC_FOLLOW_OTHER;
        return true;
    case ROLE_EV_LEAD: *out = RC_LEAD; return true;
    case ROLE_EV_FENCE: *out = RC_FENCE; return true;
    case ROLE_EV_RELEASE: *out = RC_RELEASE; return true;
    case ROLE_EV_SEAL: *out = RC_SEAL; return true;
    case ROLE_EV_LINK_LOST: *out = RC_LINK_LOST; return true;
    case ROLE_EV_SYNC_STARTED: *out = RC_SYNC_STARTED; return true;
    case ROLE_EV_SYNCED: *out = ev->new_history ? RC_RENEWED : RC_CONTINUED; return true;
    case ROLE_EV_UNAPPLICABLE: *out = RC_UNAPPLICABLE; return true;
    case ROLE_EV_TICK: *out = RC_TICK; return now_ms >= r->wake_at_ms;
    case ROLE_EV_GOOD_REPLICAS: r->good_replicas = ev->n; return false;
    case ROLE_EV_SETTINGS: r->settings = ev->settings; return false;
    case ROLE_EVENTS: break;
    }
    CHECK(!"a known event");
    return false;
}

static const struct row *find_row(enum role_state in, enum role_cause on)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].in == in && table[i].on == on)
            return &table[i];
    return NULL;
}

void role_step(struct role *r, const struct role_event *ev, int64_t now_ms, struct role_orders *out)
{
    struct role_turn t = {r, ev, out};
    enum role_cause cause;
    const struct row *row;

    out->from = out->to = r->state;
    out->because = NULL;
    out->refused = false;
    out->n = 0;
    if (ev->kind == ROLE_EV_FOLLOW || ev->kind == ROLE_EV_LEAD) {
        CHECK(ev->kind == ROLE_EV_LEAD || addr_is_set(&ev->to));
        if (ev->epoch != 0 && ev->epoch < r->epoch) {
            out->refused = true;
            out->because = "the order is of an older epoch than one we took";
            return;
        }
        if (ev->epoch > r->epoch)
            r->epoch = ev->epoch;
    }
    if (!cause_of(r, ev, now_ms, &cause))
        return;
    row = find_row(r->state, cause);
    if (!row)
        return;
    row->act(&t);
    enter(r, row->then, now_ms);
    out->to = r->state;
    out->because = row->because;
}

int64_t role_deadline_ms(const struct role *r)
{
    return r->wake_at_ms;
}

enum role_verdict role_may_write(const struct role *r)
{
    if (r->state == ROLE_FENCED)
        return ROLE_IS_FENCED;
    if (r->state == ROLE_PRIMARY)
        return r->good_replicas < r->settings.min_replicas_to_write ? ROLE_NOREPLICAS : ROLE_OK;
    if (r->settings.replica_read_only)
        return ROLE_READONLY;
    return role_may_read(r);
}

enum role_verdict role_may_read(const struct role *r)
{
    if (role_is_replica(r) && r->state != ROLE_FOLLOWING && !r->settings.serve_stale_data)
        return ROLE_MASTERDOWN;
    return ROLE_OK;
}

const char *role_may_feed(const struct role *r, const struct addr *who)
{
    if (!role_is_replica(r))
        return NULL;
    if (!role_link_up(r))
        return "NOMASTERLINK Can't SYNC while not connected with my master";
    if (addr_equal(who, &r->primary))
        return "NOMASTERLINK Can't SYNC: you are my own master";
    return NULL;
}

/* Clients choose what to do by the first word, so these are the words they know; a fenced
 * node says READONLY because that makes them ask the sentinels again. */
const char *role_error(enum role_verdict v)
{
    switch (v) {
    case ROLE_READONLY: return "READONLY You can't write against a read only replica.";
    case ROLE_NOREPLICAS: return "NOREPLICAS Not enough good replicas to write.";
    case ROLE_MASTERDOWN:
        return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    case ROLE_IS_FENCED: return "READONLY This node is shutting down and takes no more writes.";
    case ROLE_OK:
    case ROLE_VERDICTS: break;
    }
    return NULL;
}

const char *role_state_name(enum role_state s)
{
    static const char *const names[ROLE_STATES] = {
        [ROLE_PRIMARY] = "primary", [ROLE_WAITING] = "waiting", [ROLE_CONNECTING] = "connecting",
        [ROLE_SYNCING] = "syncing", [ROLE_FOLLOWING] = "following", [ROLE_STUCK] = "stuck",
        [ROLE_FENCED] = "fenced", [ROLE_SEALED] = "sealed",
    };
    return (unsigned)s < ROLE_STATES ? names[s] : "?";
}

const char *role_event_name(enum role_event_kind e)
{
    static const char *const names[ROLE_EVENTS] = {
        [ROLE_EV_FOLLOW] = "follow", [ROLE_EV_LEAD] = "lead", [ROLE_EV_FENCE] = "fence",
        [ROLE_EV_RELEASE] = "release", [ROLE_EV_SEAL] = "seal", [ROLE_EV_LINK_LOST] = "link-lost",
        [ROLE_EV_SYNC_STARTED] = "sync-started", [ROLE_EV_SYNCED] = "synced",
        [ROLE_EV_UNAPPLICABLE] = "unapplicable", [ROLE_EV_GOOD_REPLICAS] = "good-replicas",
        [ROLE_EV_SETTINGS] = "settings", [ROLE_EV_TICK] = "tick",
    };
    return (unsigned)e < ROLE_EVENTS ? names[e] : "?";
}

const char *role_order_name(enum role_order_kind o)
{
    static const char *const names[ROLE_ORDER_KINDS] = {
        [ROLE_DROP_LINK] = "drop-link", [ROLE_CONNECT] = "connect", [ROLE_SHIFT_HISTORY] = "shift-history",
        [ROLE_DISCONNECT_REPLICAS] = "disconnect-replicas", [ROLE_RELEASE_WAITERS] = "release-waiters",
        [ROLE_SERVE_WRITES] = "serve-writes", [ROLE_REFUSE_WRITES] = "refuse-writes",
    };
    return (unsigned)o < ROLE_ORDER_KINDS ? names[o] : "?";
}

bool role_row_at(size_t i, struct role_row *out)
{
    if (i >= sizeof table / sizeof table[0])
        return false;
    *out = (struct role_row){.in = table[i].in, .event = cause_names[table[i].on],
                             .kind = cause_kinds[table[i].on], .then = table[i].then, .because = table[i].because};
    return true;
}

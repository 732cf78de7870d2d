/* What each failover took and what it cost: its parts in time, and how many bytes that the
 * old primary had are not in the new one, with how sure that is. Told of a plain group by
 * its operator events, of a formed one by a look at it after each step. Ends in one event
 * (+failover-loss), one line of the group's journal, and the metrics; the sentinel that led
 * accounts, the others count the switch only. How long clients were without is outage.h. */
#ifndef KV_SENTINEL_ACCOUNTS_H
#define KV_SENTINEL_ACCOUNTS_H

#include "sentinel/core/formed.h"
#include "sentinel/core/model.h"
#include "sentinel/shell/outage.h"

struct shell;
struct str;
struct accounts;

enum account_part {
    PART_DETECTION,                    /* last sign of life of the old primary -> the try begins */
    PART_ELECTION,                     /* -> a majority voted */
    PART_SEAL,                         /* -> enough members sealed, tail fetched (plain: every replica asked) */
    PART_STORE,                        /* -> the record is at a majority (plain: none) */
    PART_OPEN,                         /* -> the new primary said that it is one */
    PARTS
};
const char *account_part_name(enum account_part p);

/* How sure a figure of loss is. */
enum account_sure {
    SURE_PROVED,                       /* by counted seals, or by a hand-over: nothing confirmed is missing */
    SURE_BOUND,                        /* the old primary told its end: not more than this */
    SURE_SEEN,                         /* as far as was seen before; what the old one did after that is not counted */
    SURE_UNKNOWN,
    SURES
};
const char *account_sure_name(enum account_sure s);

struct account_loss {
    enum account_sure sure;
    int64_t bytes;                     /* at most so many; -1 = nobody can say */
    int64_t from, to;                  /* ... between these offsets; equal when none */
    int64_t seen_ago_ms;               /* SURE_SEEN: how old the old primary's offset was, -1 = never seen */
    int counted, needed, members;      /* formed: seals */
};
/* One sentence; for the journal and the event. */
void account_loss_text(const struct account_loss *l, struct str *out);
/* What a plain failover may have lost. Offsets -1 = not known. */
struct account_loss account_plain_loss(int64_t old_offset, int64_t seen_ago_ms, int64_t longest_other, int64_t chosen_offset);
/* ... and one of a formed group: base and next of the try, what it sealed; purpose says what the seals are worth. */
struct account_loss account_formed_loss(const struct ha_record *base, const struct ha_record *next, enum lead_purpose purpose,
                                        const struct lead_seal *seals, size_t n, int64_t old_known_offset);

struct account {
    uint64_t led, seen;                /* failovers led to the end here; switches of any leader */
    uint64_t explained_wrong;          /* tries that ended as EXPLAIN never said they would */
    uint64_t lossy;                    /* led ones whose loss was not 0 */
    int64_t lost_bytes;                /* upper bounds, added up */
    int64_t part_ms[PARTS], part_sum_ms[PARTS];    /* of the last; of all */
    struct account_loss last;
    struct outage outage;
    uint64_t renewals, votes;          /* formed: leases promised, votes given */
};

struct accounts *accounts_new(struct shell *sh);
void accounts_free(struct accounts *a);
/* An operator's event: each is told here, by publish.c; of a group it also goes into its journal. */
void accounts_event(struct accounts *a, const char *name, const char *payload, const char *group);
/* After each step of a formed group, its actions carried out. */
void accounts_formed(struct accounts *a, core_id group, const struct formed *f);
/* FA_PRIMARY, before it is announced. */
void accounts_formed_primary(struct accounts *a, core_id group, uint64_t epoch);
void accounts_gone(struct accounts *a, core_id group);
/* Zeroes if nothing happened yet. */
const struct account *accounts_of(const struct accounts *a, core_id group);

#endif

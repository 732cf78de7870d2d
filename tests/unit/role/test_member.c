/* The node's half, message by message: what is saved before what is said, who is refused and
 * why, the arithmetic of the lease, seals that wait, hand-over, joint changes, lives. */
#include "kvnode/role/member.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

#define GID 77
#define INC 500
static struct member m;
static struct member_orders out;
static struct member_facts disk;
static bool disk_fails;
static int64_t now;

/* n0 is the node under test in most scenes; its life is 10, n1's 11 ... voters s0.. have lives 20... */
static struct ha_record record(uint64_t ballot, uint32_t change, uint64_t epoch, int members, int k)
{
    struct ha_record r = {.gid = GID, .ballot = ballot, .change = change, .epoch = epoch, .born = 3, .incarnation = INC,
                          .mode = HA_STRICT, .k = k, .n_members = members, .n_voters = 3};

    for (int i = 0; i < members; i++) {
        snprintf(r.member[i].id, ID_MAX, "n%d", i);
        r.member[i].life = 10 + (uint64_t)i;
        addr_set(&r.member[i].addr, "10.0.0.1", 8, 6000 + i);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(r.voter[i].id, ID_MAX, "s%d", i);
        r.voter[i].life = 20 + (uint64_t)i;
    }
    snprintf(r.primary, ID_MAX, "n0");
    ck_assert(ha_timing_profile("lan", &r.timing));
    return r;
}

/* One event, its list told as words: "save send(sealed) ...". A save that fails drops the rest. */
static const char *step(struct member_event ev)
{
    static char text[2048];
    bool failed = false;

    text[0] = '\0';
    member_step(&m, &ev, now, &out);
    for (int i = 0; i < out.n && !failed; i++) {
        const struct member_order *o = &out.at[i];
        size_t n = strlen(text);
        if (o->kind == MO_SEND)
            snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", ha_kind_name(o->msg.kind));
        else
            snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "", o->kind == MO_SAVE ? "SAVE" : member_order_name(o->kind));
        if (o->kind == MO_SAVE && disk_fails)
            failed = true;
        else if (o->kind == MO_SAVE)
            disk = m.f;
    }
    if (failed) {
        struct member_orders more;
        member_step(&m, &(struct member_event){.kind = ME_SAVE_FAILED}, now, &more);
        strcat(text, "!");
    }
    return text;
}

static const struct ha_msg *said(enum ha_kind kind)
{
    for (int i = 0; i < out.n; i++)
        if (out.at[i].kind == MO_SEND && out.at[i].msg.kind == kind)
            return &out.at[i].msg;
    ck_abort_msg("it did not say %s", ha_kind_name(kind));
    return NULL;
}

static const char *hear_on(uint64_t link, struct ha_msg msg)
{
    if (msg.gid == 0 && msg.kind != HA_BIND)
        msg.gid = GID;
    return step((struct member_event){.kind = ME_MSG, .link = link, .msg = &msg});
}
#define HEAR(...) hear_on(1, (struct ha_msg){__VA_ARGS__})
#define EVENT(...) step((struct member_event){__VA_ARGS__})

static void start(const char *id, uint64_t life, bool used, uint64_t sealed)
{
    memset(&disk, 0, sizeof disk);
    snprintf(disk.id, sizeof disk.id, "%s", id);
    disk.life = life;
    disk.used = used;
    disk.gid = used ? GID : 0;
    disk.bound_ballot = used ? 3 : 0;
    disk.sealed = sealed;
    disk_fails = false;
    now = 10000;
    member_init(&m, &disk, INC, now);
    EVENT(.kind = ME_LOG);
}

static void links_up(void)
{
    for (int i = 0; i < 3; i++) {
        char id[ID_MAX];
        snprintf(id, sizeof id, "s%d", i);
        EVENT(.kind = ME_VOTER_UP, .link = 1 + (uint64_t)i, .id = id, .life = 20 + (uint64_t)i);
    }
    EVENT(.kind = ME_REPLICA_UP, .link = 11, .id = "n1");
    EVENT(.kind = ME_REPLICA_UP, .link = 12, .id = "n2");
}

static const char *grant(int voter, uint64_t nonce, uint64_t ballot, uint32_t change)
{
    struct ha_msg msg = {.kind = HA_LEASE, .life = 20 + (uint64_t)voter, .epoch = m.epoch ? m.epoch : m.f.bound_ballot,
                         .incarnation = INC, .nonce = nonce, .ok = true, .ballot = ballot, .change = change};
    snprintf(msg.from, ID_MAX, "s%d", voter);
    return hear_on(1 + (uint64_t)voter, msg);
}

static const char *member_grant(int n, uint64_t nonce, uint64_t life)
{
    struct ha_msg msg = {.kind = HA_LEASE, .life = life, .epoch = m.epoch, .incarnation = INC, .nonce = nonce, .ok = true,
                         .ms = 800};
    snprintf(msg.from, ID_MAX, "n%d", n);
    return hear_on(10 + (uint64_t)n, msg);
}

static const char *ack(int n, uint64_t life, int64_t offset)
{
    struct ha_msg msg = {.kind = HA_ACK, .life = life, .epoch = m.epoch, .pos = {m.epoch, offset}};
    snprintf(msg.from, ID_MAX, "n%d", n);
    return hear_on(10 + (uint64_t)n, msg);
}

#define LOG(e, o) EVENT(.kind = ME_LOG, .pos = {e, o}, .durable = (o))

/* n0 sealed in 5 and opened for it at a majority: marker at 101. */
static void opened(int members, int k)
{
    struct ha_record r = record(5, 0, 5, members, k);

    start("n0", 10, true, 5);
    LOG(4, 100);
    links_up();
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "lead stream stream opened renew renew renew renew renew");
    ck_assert(said(HA_OPENED)->ok);
    LOG(5, 101);
}

static void leased(int members, int k)
{
    opened(members, k);
    grant(0, m.nonce, 5, 0);
    grant(1, m.nonce, 5, 0);
    ck_assert(member_may_write(&m, now));
}

/* --- plain, bound -------------------------------------------------------------------------------- */

START_TEST(test_plain_is_let_be)
{
    start("n0", 10, false, 0);
    ck_assert(member_may_write(&m, now) && member_lease_valid(&m, now) && member_takes_plain_orders(&m));
    ck_assert(!member_holds_replies(&m) && member_deadline_ms(&m) == NEVER_MS && member_feeds(&m, 0));
    ck_assert_str_eq(LOG(0, 5), "");
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 99), "");
    ck_assert(!out.refused && m.f.life == 10);
    HEAR(.kind = HA_SEAL, .ballot = 9);
    ck_assert(!said(HA_SEALED)->ok && said(HA_SEALED)->why == HA_WHY_GROUP && m.f.sealed == 0);
    ck_assert_str_eq(HEAR(.kind = HA_LOOK), "status");
    ck_assert_int_eq(said(HA_STATUS)->state, HA_PLAIN);
    ck_assert(member_may_write(&m, now));
}
END_TEST

#define BIND(g, a, who, l) HEAR(.kind = HA_BIND, .gid = (g), .ballot = (a), .node = who, .node_life = (l))
START_TEST(test_bind)
{
    start("n0", 10, false, 0);
    BIND(GID, 7, "n0", 99);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_STRANGER);
    BIND(GID, 7, "n1", 11);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_NOT_FOLLOWING);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound");
}
END_TEST

START_TEST(test_bind_numbers)
{
    start("n1", 11, false, 0);
    EVENT(.kind = ME_ROLE, .id = "n0", .addr = {.host = "h", .port = 1});
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound");
    ck_assert(said(HA_BOUND)->ok && disk.gid == GID && disk.bound_ballot == 7);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "bound");      /* said again: nothing to save */
    ck_assert(said(HA_BOUND)->ok);
    ck_assert(!member_takes_plain_orders(&m) && member_may_write(&m, now) && m.state == HA_PLAIN);
    BIND(88, 7, "n0", 10);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OLD);
    BIND(88, 8, "n2", 12);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_BOUND);    /* another primary */
    ck_assert_str_eq(BIND(88, 8, "n0", 10), "SAVE bound");  /* a newer attempt of the same */
    HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 9);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_BOUND);
    ck_assert_str_eq(HEAR(.kind = HA_BIND, .old_gid = 88, .ballot = 9), "SAVE released bound");
    ck_assert(m.phase == MP_PLAIN && disk.gid == 0 && disk.bound_ballot == 9);
    BIND(GID, 9, "n0", 10);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OLD);      /* a node keeps its number */
}
END_TEST

START_TEST(test_bound_starts_fenced)
{
    start("n0", 10, false, 0);
    BIND(GID, 7, "n0", 10);
    member_init(&m, &disk, 501, now);
    ck_assert(m.state == HA_FENCED && !member_may_write(&m, now) && !member_feeds(&m, 0));
    start("n0", 10, true, 5);
    BIND(88, 9, "n0", 10);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OPENED);
    HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 9);
    ck_assert_int_eq(said(HA_BOUND)->why, HA_WHY_OPENED);   /* used: only the last record lets it go */
    struct ha_record r = record(9, 0, 5, 3, 1);
    r.dissolved = true;
    ck_assert_str_eq(HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &r), "SAVE released bound");
    ck_assert(member_takes_plain_orders(&m) && !disk.used);
}
END_TEST

START_TEST(test_waits_for_group)
{
    start("n1", 11, false, 0);
    disk.waits_for_group = true;
    member_init(&m, &disk, INC, now);
    ck_assert_int_eq(m.state, HA_FENCED);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound"); /* it follows nobody: any may bind it */
    ck_assert_str_eq(HEAR(.kind = HA_BIND, .old_gid = GID, .ballot = 8), "SAVE bound");
    ck_assert_int_eq(m.state, HA_FENCED);
}
END_TEST

START_TEST(test_formation_open)
{
    struct ha_record r = record(7, 0, 7, 3, 1);

    start("n0", 10, false, 0);
    links_up();
    LOG(0, 40);
    ck_assert_str_eq(BIND(GID, 7, "n0", 10), "SAVE bound renew renew renew");
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "renew renew renew");
    ck_assert(m.phase == MP_BOUND && member_may_write(&m, now));    /* goes on as it was until its first lease is there */
    grant(0, m.nonce, 7, 0);
    grant(2, m.nonce, 7, 0);
    HEAR(.kind = HA_OPEN, .rec = &r, .unproved = true);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_UNPROVED);
    r.epoch = r.ballot = 8;
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_BOUND);
    r.epoch = r.ballot = 7;
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert(said(HA_OPENED)->ok && out.at[0].kind == MO_SAVE && disk.sealed == 7 && disk.used);
    ck_assert(member_may_write(&m, now));                   /* without a gap: its promises were asked for before */
}
END_TEST

/* --- seal ------------------------------------------------------------------------------------------ */

START_TEST(test_seal)
{
    start("n1", 11, true, 5);
    LOG(5, 100);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE sealed");
    ck_assert(said(HA_SEALED)->ok && said(HA_SEALED)->pos.offset == 100 && said(HA_SEALED)->pos.epoch == 5);
    ck_assert_int_eq(said(HA_SEALED)->incarnation, INC);
    ck_assert_int_eq(disk.sealed, 9);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "sealed");
    HEAR(.kind = HA_SEAL, .ballot = 8, .epoch = 5);
    ck_assert(said(HA_SEALED)->why == HA_WHY_PROMISED && said(HA_SEALED)->sealed == 9);
    HEAR(.kind = HA_SEAL, .gid = 3, .ballot = 12);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_GROUP);
    LOG(9, 101);
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_EPOCH);
}
END_TEST

/* No ballot is no seal: a node that was never sealed stays as it was. */
START_TEST(test_seal_names_a_ballot)
{
    start("n1", 11, true, 0);
    disk.used = false;                                      /* bound, and neither opened nor sealed yet */
    member_init(&m, &disk, 502, now);
    LOG(0, 100);
    HEAR(.kind = HA_SEAL);
    ck_assert(!said(HA_SEALED)->ok && said(HA_SEALED)->why == HA_WHY_PROMISED);
    ck_assert(!m.f.used);
}
END_TEST

/* A process that does not know its log yet has no position to answer with. */
START_TEST(test_seal_waits_for_the_log)
{
    start("n1", 11, true, 4);
    member_init(&m, &disk, 502, now);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE");
    ck_assert_str_eq(LOG(4, 90), "sealed");
    ck_assert(said(HA_SEALED)->ok && said(HA_SEALED)->pos.offset == 90);
}
END_TEST

START_TEST(test_seal_stops_primary)
{
    leased(3, 1);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "fence give-up-waiters SAVE sealed");
    ck_assert(!member_may_write(&m, now) && !member_lease_valid(&m, now) && m.state == HA_FENCED);
    struct ha_record r = record(5, 0, 5, 3, 1);
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_OPENED);
}
END_TEST

#define RENEW(e, inc, n) HEAR(.kind = HA_RENEW, .epoch = (e), .incarnation = (inc), .nonce = (n), .ms = 800)
START_TEST(test_seal_waits_for_promise)
{
    start("n1", 11, true, 4);
    ck_assert_str_eq(RENEW(5, INC, 1), "SAVE lease");
    ck_assert(said(HA_LEASE)->ok && disk.sealed == 5 && disk.promise_max_ms == 800);
    now += 300;
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE sealed");
    ck_assert(!said(HA_SEALED)->ok && said(HA_SEALED)->why == HA_WHY_LEASED && said(HA_SEALED)->ms == 500);
    ck_assert_int_eq(disk.sealed, 9);                       /* persisted at once, answered later */
    RENEW(5, INC, 2);
    ck_assert(!said(HA_LEASE)->ok && said(HA_LEASE)->why == HA_WHY_PROMISED);
    ck_assert_int_eq(member_deadline_ms(&m), 10800);
    now = 10799;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "");
    now = 10800;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "sealed");
    ck_assert(said(HA_SEALED)->ok);
}
END_TEST

START_TEST(test_end_voids_promise)
{
    start("n1", 11, true, 4);
    RENEW(5, INC, 1);
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert_str_eq(HEAR(.kind = HA_END, .epoch = 4), ""); /* of another epoch: voids nothing */
    ck_assert_str_eq(HEAR(.kind = HA_END, .epoch = 5), "sealed");
    ck_assert(said(HA_SEALED)->ok);
    start("n1", 11, true, 4);
    RENEW(5, INC, 1);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5, .ended = true), "SAVE sealed");
    ck_assert(said(HA_SEALED)->ok);
}
END_TEST

START_TEST(test_silence_after_start)
{
    start("n1", 11, true, 5);
    RENEW(5, INC, 1);
    member_init(&m, &disk, 501, now);
    EVENT(.kind = ME_LOG);
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_LEASED);
    now += 800;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "sealed");
    member_init(&m, &disk, 502, now);
    EVENT(.kind = ME_LOG);
    HEAR(.kind = HA_SEAL, .ballot = 10, .epoch = 5, .ended = true);
    ck_assert(said(HA_SEALED)->ok);                         /* END of the base's epoch lifts it */
}
END_TEST

START_TEST(test_save_failure)
{
    start("n1", 11, true, 5);
    disk_fails = true;
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE!");
    ck_assert_int_eq(disk.sealed, 5);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "SAVE!");
    ck_assert_str_eq(RENEW(9, INC, 1), "SAVE!");
    disk_fails = false;
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5, .ended = true), "SAVE sealed");
    ck_assert_int_eq(disk.sealed, 9);
}
END_TEST

/* A list that ends at its save: nothing behind it happened, and it is not as if it had. */
START_TEST(test_save_failure_drops_what_is_behind_it)
{
    struct ha_record r = record(7, 0, 7, 3, 1), last = r;

    start("n0", 10, false, 0);
    links_up();
    LOG(0, 40);
    BIND(GID, 7, "n0", 10);
    grant(0, m.nonce, 7, 0);
    grant(1, m.nonce, 7, 0);
    disk_fails = true;
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "SAVE!");
    ck_assert(m.phase == MP_BOUND && !m.f.used && m.f.sealed == 0 && !disk.used);
    disk_fails = false;
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert(said(HA_OPENED)->ok && m.phase == MP_OPEN && disk.used);
    last.dissolved = true;
    last.ballot = 9;
    disk_fails = true;
    ck_assert_str_eq(hear_on(1, (struct ha_msg){.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &last}), "SAVE!");
    disk_fails = false;
    ck_assert_str_eq(hear_on(1, (struct ha_msg){.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &last}), "SAVE released bound");
    ck_assert(m.phase == MP_PLAIN && disk.gid == 0);
    ck_assert_str_eq(hear_on(1, (struct ha_msg){.kind = HA_BIND, .old_gid = GID, .ballot = 9, .rec = &last}), "bound");
}
END_TEST

START_TEST(test_fetch)
{
    start("n1", 11, true, 9);
    LOG(5, 100);
#define FETCH(b, o) HEAR(.kind = HA_FETCH, .ballot = (b), .node = "n2", .pos = {5, o}, .addr = {.host = "h", .port = 2})
    FETCH(8, 120);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_PROMISED);
    ck_assert_str_eq(FETCH(9, 120), "save-tail fetch");
    ck_assert_str_eq(FETCH(9, 120), "");
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 5), "");
    ck_assert(out.refused && m.f.life == 11);               /* never a full copy */
    LOG(5, 120);
    ck_assert_str_eq(EVENT(.kind = ME_FETCHED, .yes = true), "sealed");
    ck_assert(said(HA_SEALED)->ok && said(HA_SEALED)->pos.offset == 120);
    ck_assert_str_eq(FETCH(9, 120), "sealed");
    LOG(9, 121);
    FETCH(9, 140);
    ck_assert_int_eq(said(HA_SEALED)->why, HA_WHY_EPOCH);   /* a late one would roll back what it acknowledged */
    ck_assert(member_feeds(&m, 9) && !member_feeds(&m, 8) && !member_feeds(&m, 0));
}
END_TEST

/* --- open and lease ----------------------------------------------------------------------------------- */

START_TEST(test_open_refused)
{
    struct ha_record r = record(5, 0, 5, 3, 1);
    static const struct { uint64_t sealed, life, incarnation; enum ha_why why; } rows[] = {
        {6, 10, INC, HA_WHY_PROMISED}, {4, 10, INC, HA_WHY_EPOCH}, {5, 99, INC, HA_WHY_STRANGER}, {5, 10, 499, HA_WHY_INCARNATION},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start("n0", 10, true, rows[i].sealed);
        r.member[0].life = rows[i].life;
        r.incarnation = rows[i].incarnation;
        HEAR(.kind = HA_OPEN, .rec = &r);
        ck_assert_int_eq(said(HA_OPENED)->why, rows[i].why);
        ck_assert(!said(HA_OPENED)->ok && m.state == HA_FENCED);
    }
}
END_TEST

START_TEST(test_open_unproved)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    start("n0", 10, true, 5);
    links_up();
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r, .unproved = true), "opened renew renew renew");
    ck_assert(m.state == HA_PRIMARY && !member_marker_out(&m) && !member_feeds(&m, 0) && !member_may_write(&m, now));
    ck_assert_str_eq(grant(0, m.nonce, 5, 0), "");
    ck_assert_str_eq(grant(1, m.nonce, 6, 1), "");          /* the same epoch, another record: proves nothing */
    ck_assert(!member_marker_out(&m));
    ck_assert_str_eq(grant(2, m.nonce, 5, 0), "lead stream stream");
    ck_assert(member_may_write(&m, now));
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "opened");  /* said again */
    ck_assert(said(HA_OPENED)->ok);
}
END_TEST

START_TEST(test_lease_runs_from_sending)
{
    int64_t asked;
    uint64_t nonce;

    opened(3, 1);
    ck_assert(!member_may_write(&m, now) && !member_lease_valid(&m, now));
    asked = now;
    nonce = m.nonce;
    now += 90;
    grant(0, nonce, 5, 0);
    ck_assert(!member_may_write(&m, now));
    grant(0, nonce, 5, 0);                                  /* doubled */
    ck_assert(!member_may_write(&m, now));
    grant(1, nonce, 5, 0);
    ck_assert(member_may_write(&m, now));
    ck_assert_int_eq(member_lease_until_ms(&m), asked + 760);
    ck_assert(member_lease_valid(&m, asked + 759) && !member_lease_valid(&m, asked + 760));
    ck_assert(!member_may_write(&m, asked + 5000));         /* a gap of the loop */
    grant(2, nonce + 1, 5, 0);                              /* never asked */
    ck_assert_int_eq(member_lease_until_ms(&m), asked + 760);
}
END_TEST

START_TEST(test_lease_of_strangers)
{
    opened(3, 1);
    grant(0, m.nonce, 5, 0);
    struct ha_msg msg = {.kind = HA_LEASE, .from = "s1", .life = 99, .epoch = 5, .incarnation = INC, .nonce = m.nonce, .ok = true,
                         .ballot = 5};
    hear_on(2, msg);
    ck_assert(!member_lease_valid(&m, now));                /* another life */
    msg.life = 21;
    msg.incarnation = 499;
    hear_on(2, msg);
    ck_assert(!member_lease_valid(&m, now));
    msg.incarnation = INC;
    msg.ok = false;
    hear_on(2, msg);
    ck_assert(!member_lease_valid(&m, now));
    msg.ok = true;
    msg.ms = 101;                                           /* it promised less than our record says */
    hear_on(2, msg);
    ck_assert_int_eq(member_lease_until_ms(&m), now + 99);
}
END_TEST

START_TEST(test_lease_first_from_one_record)
{
    opened(3, 1);
    grant(0, m.nonce, 5, 0);
    grant(1, m.nonce, 6, 1);
    ck_assert(!member_lease_valid(&m, now));
    member_grant(1, m.nonce, 11);
    ck_assert(!member_lease_valid(&m, now));                /* members never give the first */
    grant(2, m.nonce, 5, 0);
    ck_assert(member_lease_valid(&m, now));
}
END_TEST

START_TEST(test_lease_from_members)
{
    uint64_t first;

    leased(3, 2);
    first = m.nonce;
    now += 100;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "renew renew renew renew renew");
    member_grant(1, m.nonce, 11);
    ck_assert_int_eq(member_lease_until_ms(&m), 10760);     /* k = 2: one member is not enough */
    member_grant(2, m.nonce, 99);
    ck_assert_int_eq(member_lease_until_ms(&m), 10760);
    member_grant(2, m.nonce, 12);
    ck_assert_int_eq(member_lease_until_ms(&m), 10860);
    ck_assert_int_eq(m.nonce, first + 1);
    EVENT(.kind = ME_HEALTH, .yes = false);
    now += 100;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "");           /* stuck: no renewals */
}
END_TEST

START_TEST(test_lease_async_all)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    r.mode = HA_ASYNC;
    start("n0", 10, true, 5);
    links_up();
    HEAR(.kind = HA_OPEN, .rec = &r);
    grant(0, m.nonce, 5, 0);
    grant(1, m.nonce, 5, 0);
    ck_assert(!member_holds_replies(&m));
    now += 100;
    EVENT(.kind = ME_TICK);
    member_grant(1, m.nonce, 11);
    ck_assert_int_eq(member_lease_until_ms(&m), 10760);     /* all n, whatever k says */
    member_grant(2, m.nonce, 12);
    ck_assert_int_eq(member_lease_until_ms(&m), 10860);
}
END_TEST

START_TEST(test_alone_needs_no_lease)
{
    struct ha_record r = record(5, 0, 5, 1, 0), two = record(6, 1, 5, 2, 1);

    start("n0", 10, true, 5);
    links_up();
    HEAR(.kind = HA_OPEN, .rec = &r);
    LOG(5, 1);
    ck_assert(member_lease_until_ms(&m) == NEVER_MS && member_may_write(&m, now));
    ck_assert_int_eq(m.commit.confirmed, 1);
    HEAR(.kind = HA_JOINT, .rec = &two);
    ck_assert(!member_may_write(&m, now));                  /* alone, but not in every configuration */
}
END_TEST

/* --- commit, joint, hand-over ------------------------------------------------------------------------- */

START_TEST(test_confirmed)
{
    leased(3, 1);
    ck_assert(member_holds_replies(&m));
    ck_assert_str_eq(ack(1, 11, 100), "");
    ck_assert_str_eq(ack(1, 11, 101), "confirmed");
    LOG(5, 110);
    ck_assert_str_eq(ack(2, 99, 110), "");                  /* an old life */
    HEAR(.kind = HA_ACK, .from = "n2", .life = 12, .epoch = 4, .pos = {4, 110});
    ck_assert_int_eq(m.commit.confirmed, 101);              /* an ack of another epoch */
    HEAR(.kind = HA_LOOK);
    ck_assert(said(HA_STATUS)->flags & HA_F_MARKER);
    ck_assert(said(HA_STATUS)->flags & HA_F_NEW_LIFE);
    ck_assert_str_eq(said(HA_STATUS)->node, "n2");
    ck_assert_int_eq(said(HA_STATUS)->node_life, 99);
    ck_assert_str_eq(ack(2, 12, 110), "confirmed");
    ck_assert_int_eq(out.at[0].pos.offset, 110);
    HEAR(.kind = HA_LOOK);
    ck_assert(!(said(HA_STATUS)->flags & HA_F_NEW_LIFE));
}
END_TEST

START_TEST(test_joint)
{
    struct ha_record new = record(6, 1, 5, 3, 2), newer = record(8, 1, 5, 3, 1);

    leased(3, 1);
    ack(1, 11, 101);
    ck_assert_str_eq(HEAR(.kind = HA_JOINT, .rec = &new), "renew renew renew renew renew");
    LOG(5, 120);
    ck_assert_str_eq(ack(1, 11, 120), "");
    ck_assert_int_eq(m.commit.confirmed, 101);              /* both must be satisfied */
    ck_assert_str_eq(ack(2, 12, 101), "ready");             /* all up to where it arrived */
    ck_assert(said(HA_READY)->ok && said(HA_READY)->ballot == 6 && m.n_joints == 1);
    ck_assert_str_eq(HEAR(.kind = HA_JOINT, .rec = &new), "ready");
    ck_assert_str_eq(HEAR(.kind = HA_JOINT, .rec = &newer), "ready renew renew renew renew renew");
    ck_assert_int_eq(m.n_joints, 2);
    struct ha_record old = record(7, 1, 5, 3, 1);
    HEAR(.kind = HA_JOINT, .rec = &old);
    ck_assert(!said(HA_READY)->ok && said(HA_READY)->why == HA_WHY_OLD);
    HEAR(.kind = HA_LOOK);
    ck_assert(said(HA_STATUS)->flags & HA_F_JOINT);
    HEAR(.kind = HA_COMMITTED, .rec = &new);
    ck_assert(m.n_joints == 1 && m.rec.ballot == 6);        /* its own, and those of newer ones */
    ck_assert_int_eq(m.commit.confirmed, 101);
    struct ha_record anew = record(9, 1, 5, 3, 1);          /* the base stored anew ends all older ones */
    HEAR(.kind = HA_COMMITTED, .rec = &anew);
    ck_assert(m.n_joints == 0 && m.commit.confirmed == 120);
    HEAR(.kind = HA_COMMITTED, .rec = &new);
    ck_assert_int_eq(m.rec.ballot, 9);
    new.epoch = 6;
    HEAR(.kind = HA_JOINT, .rec = &new);
    ck_assert_int_eq(said(HA_READY)->why, HA_WHY_EPOCH);
}
END_TEST

/* A replica may be quicker than our own log is told of, and so may a leader. */
START_TEST(test_before_the_marker_is_told_of)
{
    struct ha_record r = record(5, 0, 5, 3, 1), next = record(6, 1, 5, 3, 2);

    start("n0", 10, true, 5);
    LOG(4, 100);
    links_up();
    HEAR(.kind = HA_OPEN, .rec = &r);
    ack(1, 11, 104);
    HEAR(.kind = HA_JOINT, .rec = &next, .ballot = 6, .change = 1);
    ck_assert(m.n_joints == 1 && m.commit.confirmed < 0);
    LOG(5, 104);                                            /* the marker and a write behind it */
    ck_assert(m.commit.confirmed < 0);                      /* the JOINT asks for two */
    ack(2, 12, 104);
    ck_assert_int_eq(m.commit.confirmed, 104);
    ck_assert(said(HA_READY)->ok);
}
END_TEST

START_TEST(test_joint_of_voters)
{
    struct ha_record new = record(6, 2, 5, 3, 1);

    leased(3, 1);
    snprintf(new.voter[0].id, ID_MAX, "s8");
    snprintf(new.voter[1].id, ID_MAX, "s9");
    HEAR(.kind = HA_JOINT, .rec = &new);
    ck_assert(!member_lease_valid(&m, now));                /* a majority of each V not dropped */
    member_grant(1, m.nonce, 11);
    ck_assert(member_lease_valid(&m, now));                 /* its members still may promise */
}
END_TEST

START_TEST(test_hand_over)
{
    leased(3, 1);
    ack(1, 11, 101);
    LOG(5, 110);
#define HO(k, b) HEAR(.kind = (k), .ballot = (b), .node = "n2")
    HEAR(.kind = HA_STOP, .ballot = 6, .node = "n7");
    ck_assert_int_eq(said(HA_STOPPED)->why, HA_WHY_STRANGER);
    ck_assert_str_eq(HO(HA_STOP, 6), "");
    ck_assert(!member_may_write(&m, now) && member_lease_valid(&m, now));
    ck_assert_str_eq(HO(HA_RESUME, 6), "");
    ck_assert(member_may_write(&m, now));
    HO(HA_STOP, 7);
    ck_assert_str_eq(HO(HA_FINISH, 7), "stopped");          /* the target is behind */
    ck_assert(!said(HA_STOPPED)->ok);
    ck_assert_str_eq(ack(1, 11, 110), "confirmed");
    ck_assert_str_eq(ack(2, 12, 110), "stopped");
    ck_assert(said(HA_STOPPED)->ok && said(HA_STOPPED)->pos.offset == 110);
    ck_assert_str_eq(HO(HA_FINISH, 6), "");
    ck_assert_str_eq(HO(HA_FINISH, 7), "fence give-up-waiters end end end end end");
    ck_assert(said(HA_END)->epoch == 5 && m.state == HA_FENCED && m.ended);
    ck_assert_str_eq(HO(HA_RESUME, 7), "");                 /* irrevocable */
    ck_assert_str_eq(HO(HA_FINISH, 7), "end");
    struct ha_record r = record(5, 0, 5, 3, 1);
    HEAR(.kind = HA_OPEN, .rec = &r);
    ck_assert_int_eq(said(HA_OPENED)->why, HA_WHY_OPENED);
}
END_TEST

START_TEST(test_hand_over_expires)
{
    leased(3, 1);
    HEAR(.kind = HA_STOP, .ballot = 6, .node = "n2", .ms = 50);
    ck_assert_int_eq(member_deadline_ms(&m), now + 50);
    now += 50;
    ck_assert_str_eq(EVENT(.kind = ME_TICK), "stopped");
    ck_assert(!said(HA_STOPPED)->ok && member_may_write(&m, now));
    EVENT(.kind = ME_LEAVE);
    ck_assert(said(HA_STATUS)->flags & HA_F_WANTS_OUT);
    HEAR(.kind = HA_END, .epoch = 5, .incarnation = INC);
    ck_assert(m.state == HA_FENCED);                        /* somebody vouched for it: made true */
}
END_TEST

/* --- follower ------------------------------------------------------------------------------------------- */

#define STREAM(l, e) EVENT(.kind = ME_STREAM, .link = (l), .msg = &(struct ha_msg){.kind = HA_STREAM, .gid = GID, .epoch = (e)})
START_TEST(test_follow_stream_ack)
{
    struct ha_record r = record(5, 0, 5, 3, 1), old = record(4, 0, 4, 3, 1);

    start("n1", 11, true, 4);
    LOG(4, 90);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "save-tail follow");
    ck_assert_int_eq(disk.sealed, 4);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &old), "");
    STREAM(40, 3);
    ck_assert(out.refused);
    ck_assert_str_eq(STREAM(40, 5), "SAVE");
    ck_assert(!out.refused && disk.sealed == 5);            /* before the first byte */
    ck_assert_str_eq(LOG(4, 80), "");                       /* rolling back: not yet the primary's history */
    ck_assert_str_eq(EVENT(.kind = ME_FOLLOWS, .yes = true), "ack");
    EVENT(.kind = ME_LOG, .pos = {5, 101}, .durable = 95);
    now += 300;
    HEAR(.kind = HA_LOOK);
    ck_assert_int_eq(said(HA_STATUS)->ms, 300);             /* so long ago its primary was heard */
    EVENT(.kind = ME_LOG, .pos = {5, 101}, .durable = 95);
    ck_assert(said(HA_ACK)->epoch == 5 && said(HA_ACK)->pos.offset == 95 && said(HA_ACK)->life == 11);
    ck_assert_str_eq(HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5), "fence SAVE sealed");
    ck_assert_str_eq(LOG(5, 102), "");
    STREAM(41, 5);
    ck_assert(out.refused);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "");   /* below its seal */
}
END_TEST

START_TEST(test_full_copy_is_another_life)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    start("n1", 11, true, 4);
    EVENT(.kind = ME_FULL_COPY, .fresh_life = 99);
    ck_assert(out.refused);                                 /* fenced */
    LOG(4, 90);
    HEAR(.kind = HA_FOLLOW, .rec = &r);
    EVENT(.kind = ME_FULL_COPY, .fresh_life = 99);
    ck_assert(out.refused);                                 /* no stream was let in */
    STREAM(40, 5);
    disk_fails = true;
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 99), "SAVE!");
    ck_assert_int_eq(disk.life, 11);
    ck_assert_str_eq(STREAM(41, 5), "SAVE!");
    ck_assert(out.refused);
    disk_fails = false;
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 97), "SAVE");
    ck_assert(out.refused);                                 /* it is not known yet that the disk is well again */
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 98), "SAVE");
    ck_assert(!out.refused && disk.life == 98);
    LOG(5, 101);
    EVENT(.kind = ME_FOLLOWS, .yes = true);
    ck_assert_int_eq(said(HA_ACK)->life, 98);
    start("n1", 11, true, 4);                               /* an empty log has nothing to lose */
    HEAR(.kind = HA_FOLLOW, .rec = &r);
    STREAM(40, 5);
    ck_assert_str_eq(EVENT(.kind = ME_FULL_COPY, .fresh_life = 99), "");
    ck_assert(!out.refused && m.f.life == 11);
}
END_TEST

START_TEST(test_follow_again_disturbs_nothing)
{
    struct ha_record r = record(5, 0, 5, 3, 1), moved = record(6, 1, 5, 3, 1);

    start("n1", 11, true, 4);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "follow");
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "");               /* it dials */
    EVENT(.kind = ME_LINK_GONE, .link = 40);
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &moved), "");
    ck_assert_uint_eq(m.rec.ballot, 6);
    addr_set(&moved.member[0].addr, "10.0.0.9", 8, 6000);
    moved.ballot = 7;
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &moved), "follow");     /* its primary has moved */
}
END_TEST

/* A wiped process at the primary's address has no epoch to say: not a byte of it is taken. */
START_TEST(test_bytes_of_a_stream_let_in)
{
    struct ha_record r = record(5, 0, 5, 3, 1);

    start("n1", 11, false, 0);
    ck_assert(member_may_take(&m, 40));
    EVENT(.kind = ME_ROLE, .id = "n0", .addr = {.host = "h", .port = 1});
    BIND(GID, 5, "n0", 10);
    ck_assert(member_may_take(&m, 40));                     /* bound: goes on as it was */
    STREAM(40, 5);
    ck_assert(member_may_take(&m, 40) && !member_may_take(&m, 41));
    EVENT(.kind = ME_LINK_GONE, .link = 40);
    ck_assert(!member_may_take(&m, 40) && !member_may_take(&m, 41) && !member_may_take(&m, 0));
    HEAR(.kind = HA_FOLLOW, .rec = &r);
    ck_assert(!member_may_take(&m, 41));
    STREAM(41, 5);
    ck_assert(member_may_take(&m, 41));
    HEAR(.kind = HA_SEAL, .ballot = 9, .epoch = 5);
    ck_assert(!member_may_take(&m, 41));
}
END_TEST

START_TEST(test_bound_follower_joins_by_stream)
{
    start("n1", 11, false, 0);
    EVENT(.kind = ME_ROLE, .id = "n0", .addr = {.host = "h", .port = 1});
    EVENT(.kind = ME_FOLLOWS, .yes = true);
    BIND(GID, 7, "n0", 10);
    STREAM(40, 7);
    ck_assert(!out.refused && m.state == HA_FOLLOWER && disk.sealed == 7 && disk.used);
    LOG(7, 41);
    ck_assert_int_eq(said(HA_ACK)->epoch, 7);
    ck_assert_str_eq(RENEW(7, INC, 1), "SAVE lease");
    ck_assert(said(HA_LEASE)->ok);
}
END_TEST

START_TEST(test_deposed_by_follow)
{
    struct ha_record r = record(9, 0, 9, 3, 1);

    leased(3, 1);
    snprintf(r.primary, ID_MAX, "n1");
    ck_assert_str_eq(HEAR(.kind = HA_FOLLOW, .rec = &r), "fence give-up-waiters save-tail follow");
    ck_assert(m.state == HA_FOLLOWER && !member_may_write(&m, now));
}
END_TEST

START_TEST(test_lost_member_is_told)
{
    leased(3, 1);
    EVENT(.kind = ME_LINK_GONE, .link = 12);
    now += 999;
    HEAR(.kind = HA_LOOK);
    ck_assert(!(said(HA_STATUS)->flags & HA_F_LOST_MEMBER));
    now += 1;
    HEAR(.kind = HA_LOOK);
    ck_assert(said(HA_STATUS)->flags & HA_F_LOST_MEMBER);
    ck_assert_str_eq(said(HA_STATUS)->node, "n2");
    EVENT(.kind = ME_REPLICA_UP, .link = 13, .id = "n2");
    HEAR(.kind = HA_LOOK);
    ck_assert(!(said(HA_STATUS)->flags & HA_F_LOST_MEMBER));
}
END_TEST

/* Each row of the table once per (phase, cause), each phase can be left, and sealing leaves no phase as it was. */
START_TEST(test_table)
{
    struct member_row a, b;
    bool sealed_from[MP_PHASES] = {false}, left[MP_PHASES] = {false};

    for (size_t i = 0; member_row_at(i, &a); i++) {
        ck_assert(a.because != NULL);
        for (size_t j = 0; j < i && member_row_at(j, &b); j++)
            ck_assert_msg(a.in != b.in || strcmp(a.on, b.on) != 0, "%s %s twice", member_phase_name(a.in), a.on);
        left[a.in] = left[a.in] || a.then != a.in;
        if (strcmp(a.on, "sealed") == 0) {
            sealed_from[a.in] = true;
            ck_assert_int_eq(a.then, MP_FENCED);
        }
    }
    for (int p = 0; p < MP_PHASES; p++) {
        ck_assert_msg(left[p], "%s is never left", member_phase_name((enum member_phase)p));
        ck_assert_int_eq(sealed_from[p], p != MP_PLAIN);
    }
}
END_TEST

SUITE(member, test_plain_is_let_be, test_bind, test_bind_numbers, test_bound_starts_fenced, test_waits_for_group,
      test_formation_open, test_seal, test_seal_names_a_ballot, test_seal_waits_for_the_log, test_seal_stops_primary, test_seal_waits_for_promise,
      test_end_voids_promise, test_silence_after_start, test_save_failure, test_save_failure_drops_what_is_behind_it, test_fetch,
      test_open_refused, test_open_unproved, test_lease_runs_from_sending, test_lease_of_strangers,
      test_lease_first_from_one_record, test_lease_from_members, test_lease_async_all, test_alone_needs_no_lease,
      test_confirmed, test_joint, test_before_the_marker_is_told_of, test_joint_of_voters, test_hand_over,
      test_hand_over_expires, test_follow_stream_ack, test_follow_again_disturbs_nothing, test_bytes_of_a_stream_let_in,
      test_full_copy_is_another_life, test_bound_follower_joins_by_stream, test_deposed_by_follow, test_lost_member_is_told,
      test_table)

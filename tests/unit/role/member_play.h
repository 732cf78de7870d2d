/* One member, played by hand: what it is told, what it orders, what is on its disk. Each test file has one of its own. */
#ifndef KV_TESTS_MEMBER_PLAY_H
#define KV_TESTS_MEMBER_PLAY_H

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
static inline struct ha_record record(uint64_t ballot, uint32_t change, uint64_t epoch, int members, int k)
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
static inline const char *step(struct member_event ev)
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

static inline const struct ha_msg *said(enum ha_kind kind)
{
    for (int i = 0; i < out.n; i++)
        if (out.at[i].kind == MO_SEND && out.at[i].msg.kind == kind)
            return &out.at[i].msg;
    ck_abort_msg("it did not say %s", ha_kind_name(kind));
    return NULL;
}

static inline const char *hear_on(uint64_t link, struct ha_msg msg)
{
    if (msg.gid == 0 && msg.kind != HA_BIND)
        msg.gid = GID;
    return step((struct member_event){.kind = ME_MSG, .link = link, .msg = &msg});
}
#define HEAR(...) hear_on(1, (struct ha_msg){__VA_ARGS__})
#define EVENT(...) step((struct member_event){__VA_ARGS__})

static inline void start(const char *id, uint64_t life, bool used, uint64_t sealed)
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

static inline void links_up(void)
{
    for (int i = 0; i < 3; i++) {
        char id[ID_MAX];
        snprintf(id, sizeof id, "s%d", i);
        EVENT(.kind = ME_VOTER_UP, .link = 1 + (uint64_t)i, .id = id, .life = 20 + (uint64_t)i);
    }
    EVENT(.kind = ME_REPLICA_UP, .link = 11, .id = "n1");
    EVENT(.kind = ME_REPLICA_UP, .link = 12, .id = "n2");
}

static inline const char *grant(int voter, uint64_t nonce, uint64_t ballot, uint32_t change)
{
    struct ha_msg msg = {.kind = HA_LEASE, .life = 20 + (uint64_t)voter, .epoch = m.epoch ? m.epoch : m.f.bound_ballot,
                         .incarnation = INC, .nonce = nonce, .ok = true, .ballot = ballot, .change = change};
    snprintf(msg.from, ID_MAX, "s%d", voter);
    return hear_on(1 + (uint64_t)voter, msg);
}

static inline const char *member_grant(int n, uint64_t nonce, uint64_t life)
{
    struct ha_msg msg = {.kind = HA_LEASE, .life = life, .epoch = m.epoch, .incarnation = INC, .nonce = nonce, .ok = true,
                         .ms = 800};
    snprintf(msg.from, ID_MAX, "n%d", n);
    return hear_on(10 + (uint64_t)n, msg);
}

static inline const char *ack(int n, uint64_t life, int64_t offset)
{
    struct ha_msg msg = {.kind = HA_ACK, .life = life, .epoch = m.epoch, .pos = {m.epoch, offset}};
    snprintf(msg.from, ID_MAX, "n%d", n);
    return hear_on(10 + (uint64_t)n, msg);
}

#define LOG(e, o) EVENT(.kind = ME_LOG, .pos = {e, o}, .durable = (o))

/* n0 sealed in 5 and opened for it at a majority: marker at 101. */
static inline void opened(int members, int k)
{
    struct ha_record r = record(5, 0, 5, members, k);

    start("n0", 10, true, 5);
    LOG(4, 100);
    links_up();
    ck_assert_str_eq(HEAR(.kind = HA_OPEN, .rec = &r), "lead stream stream opened renew renew renew renew renew");
    ck_assert(said(HA_OPENED)->ok);
    LOG(5, 101);
}

static inline void leased(int members, int k)
{
    opened(members, k);
    grant(0, m.nonce, 5, 0);
    grant(1, m.nonce, 5, 0);
    ck_assert(member_may_write(&m, now));
}

/* Words of voters and of the primary, as events. */
#define BIND(g, a, who, l) HEAR(.kind = HA_BIND, .gid = (g), .ballot = (a), .node = who, .node_life = (l))
#define STREAM(l, e) EVENT(.kind = ME_STREAM, .link = (l), .msg = &(struct ha_msg){.kind = HA_STREAM, .gid = GID, .epoch = (e)})
#define HO(k, b) HEAR(.kind = (k), .ballot = (b), .node = "n2")
#define RENEW(e, inc, n) HEAR(.kind = HA_RENEW, .epoch = (e), .incarnation = (inc), .nonce = (n), .ms = 800)
#define FETCH(b, o) HEAR(.kind = HA_FETCH, .ballot = (b), .node = "n2", .pos = {5, o}, .addr = {.host = "h", .port = 2})

#endif

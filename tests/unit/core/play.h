/* One sentinel of three and three members, played by hand: what the tests of a formed group share. */
#ifndef KV_TESTS_FORMED_SCENE_H
#define KV_TESTS_FORMED_SCENE_H

#include "sentinel/core/formed_inside.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static inline const char *id(int n)
{
    static char text[8][ID_MAX];

    snprintf(text[n], sizeof text[n], "%040d", n);
    return text[n];
}
enum { S1 = 1, S2, S3, N1, N2, N3 };

struct play {
    struct formed *f;
    struct formed_out out;
    int64_t now_ms;
};

static inline struct ha_record record(void)
{
    struct ha_record r = {.gid = 7, .ballot = 4, .born = 1, .epoch = 4, .incarnation = 41, .mode = HA_STRICT, .k = 1,
                          .n_members = 3, .n_voters = 3};

    for (int i = 0; i < 3; i++) {
        memcpy(r.member[i].id, id(N1 + i), ID_MAX);
        r.member[i].life = (uint64_t)(100 + i);
        r.member[i].priority = 100;
        addr_set(&r.member[i].addr, "10.0.0.1", 8, 6379 + i);
        memcpy(r.voter[i].id, id(S1 + i), ID_MAX);
        r.voter[i].life = (uint64_t)(200 + i);
    }
    memcpy(r.primary, id(N1), ID_MAX);
    ck_assert(ha_timing_profile("lan", &r.timing));
    return r;
}

static inline void step(struct play *s, const struct formed_event *ev)
{
    formed_out_clear(&s->out);
    formed_step(s->f, ev, s->now_ms, &s->out);
}

/* The primary lives: nothing is to be done by itself. */
static inline void renew(struct play *s)
{
    struct ha_msg m = {.kind = HA_RENEW, .life = 100, .gid = 7, .epoch = 4, .incarnation = 41, .nonce = 1};

    memcpy(m.from, id(N1), ID_MAX);
    step(s, &(struct formed_event){.kind = FV_MSG, .msg = &m});
}

static inline void play_setup_with(struct play *s, const struct voter_facts *facts)
{
    struct formed_self self = {0};

    memset(s, 0, sizeof *s);
    s->now_ms = 100000;
    memcpy(self.id, id(S1), ID_MAX);
    formed_out_init(&s->out);
    s->f = formed_new(&self, facts, 200, 1, s->now_ms);
    s->now_ms += 900;                  /* the silence after the start is over */
    for (int i = S2; i <= S3; i++)
        step(s, &(struct formed_event){.kind = FV_PEER, .id = id(i), .yes = true});
    for (int i = N1; i <= N3; i++)
        step(s, &(struct formed_event){.kind = FV_NODE, .id = id(i), .yes = true});
}

/* A formed group whose primary lives. */
static inline void play_setup(struct play *s)
{
    struct voter_facts facts = {.life = 200, .promised = 4, .promise_max_ms = 800, .rec = record()};

    play_setup_with(s, &facts);
    renew(s);
}

static inline void play_fini(struct play *s)
{
    formed_free(s->f);
    formed_out_fini(&s->out);
}

static inline const struct ha_msg *said(const struct play *s, const char *to, enum ha_kind kind)
{
    for (size_t i = s->out.list.n; i-- > 0;) {
        const struct formed_action *a = &s->out.list.at[i];
        if ((a->kind == FA_TO_PEER || a->kind == FA_TO_NODE) && strcmp(a->id, to) == 0 && a->msg->kind == kind)
            return a->msg;
    }
    return NULL;
}

/* What the operator who holds this ticket is told in this step. */
static inline const struct formed_action *reply_to(const struct play *s, uint64_t ticket)
{
    for (size_t i = 0; i < s->out.list.n; i++)
        if (s->out.list.at[i].kind == FA_REPLY && s->out.list.at[i].ticket == ticket)
            return &s->out.list.at[i];
    return NULL;
}

static inline void hear(struct play *s, int from, uint64_t life, struct ha_msg m)
{
    memcpy(m.from, id(from), ID_MAX);
    m.life = life;
    m.gid = 7;
    m.ballot = m.ballot ? m.ballot : formed_lead(s->f)->ballot;
    step(s, &(struct formed_event){.kind = FV_MSG, .msg = &m});
}

static inline void later(struct play *s, int64_t ms)
{
    s->now_ms += ms;
    step(s, &(struct formed_event){.kind = FV_TICK});
}

/* The reason is given, and our turn comes. */
static inline void begin(struct play *s, enum lead_purpose p)
{
    if (p == LEAD_HAND_OVER)
        step(s, &(struct formed_event){.kind = FV_HAND_OVER, .id = "", .ticket = 1});
    else
        step(s, &(struct formed_event){.kind = FV_ODOWN, .yes = true});
    for (int i = 0; i < 200 && formed_lead(s->f)->state == LD_IDLE; i++)
        later(s, 5);
    ck_assert_str_eq(lead_purpose_name(formed_lead(s->f)->want.purpose), lead_purpose_name(p));
}

static inline void vote(struct play *s, int from, const struct ha_record *rec)
{
    hear(s, from, (uint64_t)(200 + from - S1), (struct ha_msg){.kind = HA_VOTED, .ok = true, .rec = rec});
}

static inline void seal(struct play *s, int from, uint64_t life, uint64_t epoch, int64_t offset)
{
    hear(s, from, life, (struct ha_msg){.kind = HA_SEALED, .ok = true, .incarnation = (uint64_t)(40 + from),
                                        .pos = {epoch, offset}, .sealed = formed_lead(s->f)->ballot});
}

#endif

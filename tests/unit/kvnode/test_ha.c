/* The node's half on a whole server in one process, without sentinels: its voter is this test. What the
 * control thread may do in the main thread's place, orders it leaves behind, a disk that does not take it, the end. */
#include "kvnode/ha/ha_inside.h"

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/fault.h"
#include "kvnode/disk/record.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/server.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define GID 77
#define VOTER "1111111111111111111111111111111111111111"
#define GHOST "2222222222222222222222222222222222222222"

static struct server srv;
static uint64_t voter_link;
static char folder[FOLDER_MAX];

static void up(void)
{
    struct err e = {0};

    folder_enter(folder);
    memset(&srv, 0, sizeof srv);
    ck_assert_int_eq(option_defaults(&kv_option_table, &srv.opt, &e), 0);
    srv.opt.port = 0;
    srv.opt.unixsocket = mem_strdup("sock");
    srv.opt.state_dir = mem_strdup("state");
    ck_assert_msg(server_init(&srv, &e) == 0, "%s", e.text);
    for (int i = 0; i < 1000 && !srv.ready; i++)
        loop_run_once(srv.loop, false);
    ck_assert(srv.ready && srv.ha->started);
    voter_link = ha_new_link(&srv);
    ha_tell(&srv, &(struct member_event){.kind = ME_VOTER_UP, .link = voter_link, .id = VOTER, .life = 5});
}

static void down(void)
{
    server_fini(&srv);
    kv_options_free(&srv.opt);
    folder_leave(folder);
}

static struct ha_msg from_voter(enum ha_kind kind)
{
    struct ha_msg m = {.kind = kind, .life = 5, .gid = GID, .ballot = 1, .epoch = 1};

    memcpy(m.from, VOTER, sizeof m.from);
    return m;
}

static void tell(const struct ha_msg *m)
{
    ha_tell(&srv, &(struct member_event){.kind = ME_MSG, .link = voter_link, .id = m->from, .life = m->life, .msg = m});
}

static struct ha_msg lease(void)
{
    struct ha_msg m = from_voter(HA_LEASE);

    m.incarnation = srv.ha->m.incarnation;
    m.nonce = srv.ha->m.nonce;
    m.ok = true;
    m.ms = 800;
    return m;
}

/* This node and a member that is nowhere, async: the lease is the voter's alone. */
static void form(void)
{
    const struct member *m = &srv.ha->m;
    struct ha_record r = {.gid = GID, .ballot = 1, .epoch = 1, .born = 1, .incarnation = m->incarnation, .mode = HA_ASYNC, .k = 1,
                          .n_members = 2, .n_voters = 1};
    struct ha_msg bind = from_voter(HA_BIND), open = from_voter(HA_OPEN), granted;

    ha_timing_profile("lan", &r.timing);
    memcpy(r.primary, m->f.id, ID_MAX);
    memcpy(r.member[0].id, m->f.id, ID_MAX);
    r.member[0].life = m->f.life;
    memcpy(r.member[1].id, GHOST, ID_MAX);
    r.member[1].life = 9;
    memcpy(r.voter[0].id, VOTER, ID_MAX);
    r.voter[0].life = 5;
    memcpy(bind.node, m->f.id, ID_MAX);
    bind.node_life = m->f.life;
    tell(&bind);
    ck_assert_int_eq(m->phase, MP_BOUND);
    ck_assert(srv.ha_bound);
    ck_assert_ptr_null(ha_refusal(&srv, true));
    open.rec = &r;
    tell(&open);
    ck_assert_int_eq(m->phase, MP_BOUND);              /* no gap: it asks for its lease first */
    ck_assert_ptr_null(ha_refusal(&srv, true));
    granted = lease();
    tell(&granted);
    tell(&open);
    ck_assert_int_eq(m->phase, MP_OPEN);
    ck_assert_ptr_null(ha_refusal(&srv, true));
    ck_assert_ptr_null(ha_refusal(&srv, false));
}

static void seal(uint64_t ballot)
{
    struct ha_msg m = from_voter(HA_SEAL);

    m.ballot = ballot;
    tell(&m);
}

static void wait_due(void)
{
    int64_t until_ms = clock_mono_ms() + 5000;

    while (clock_mono_ms() < atomic_load(&srv.ha->deadline_ms))
        ck_assert(usleep(1000) == 0 && clock_mono_ms() < until_ms);
}

START_TEST(test_steps_aside)
{
    uint64_t asked;
    int64_t until_ms;
    struct ha_msg m;

    up();
    ck_assert(!ha_step_aside(&srv, 0, NULL));          /* a plain node has nothing to renew */
    form();
    asked = srv.ha->m.nonce;
    until_ms = atomic_load(&srv.ha->lease_until_ms);
    wait_due();
    ck_assert(ha_step_aside(&srv, 0, NULL));
    ck_assert(srv.ha->m.nonce > asked);
    ck_assert(!ha_step_aside(&srv, 0, NULL));          /* not due yet */
    m = lease();
    ck_assert(ha_step_aside(&srv, voter_link, &m));
    ck_assert(atomic_load(&srv.ha->lease_until_ms) > until_ms);
    ck_assert(!srv.ha->owes);
    m.kind = HA_SEAL;
    ck_assert(!ha_step_aside(&srv, voter_link, &m));   /* the main thread's business */
    srv.ha->busy = true;                               /* ... and so is everything while it carries a list out */
    m = lease();
    ck_assert(!ha_step_aside(&srv, voter_link, &m));
    srv.ha->busy = false;
    seal(3);
    ck_assert_int_eq(srv.ha->m.phase, MP_FENCED);
    ck_assert(!ha_step_aside(&srv, 0, NULL));
    down();
}
END_TEST

START_TEST(test_lapses)
{
    up();
    form();
    while (ha_lease_valid(&srv))
        ck_assert(usleep(5000) == 0);
    ck_assert_ptr_nonnull(strstr(ha_refusal(&srv, true), "NOREPLICAS"));
    ck_assert_ptr_nonnull(strstr(ha_refusal(&srv, false), "MASTERDOWN"));
    srv.opt.ha_read = HA_READ_DIRTY;
    ck_assert_ptr_null(ha_refusal(&srv, false));
    down();
}
END_TEST

START_TEST(test_owed_comes_first)
{
    struct member_order o = {.kind = MO_FENCE};

    up();
    form();
    vec_push(&srv.ha->owed, o);
    atomic_store(&srv.ha->owes, true);
    ck_assert(!server_is_replica(&srv));
    ha_refusal(&srv, true);                            /* before the next command runs */
    ck_assert(server_is_replica(&srv) && !srv.ha->owes && srv.ha->owed.n == 0);
    down();
}
END_TEST

START_TEST(test_sealed_on_disk_first)
{
#ifdef KV_FAULTS
    up();
    form();
    fault_plan("1+:ENOSPC");
    seal(4);
    ck_assert_int_eq(srv.ha->m.phase, MP_FENCED);      /* it stopped, and says nothing that rests on the disk */
    ck_assert_ptr_nonnull(record_trouble(srv.record));
    ck_assert(srv.ha->m.save_due);
    ck_assert(ha_tell(&srv, &(struct member_event){.kind = ME_FULL_COPY, .fresh_life = 3}));
    fault_plan(NULL);
    seal(4);
    ck_assert(!srv.ha->m.save_due);
    ck_assert_ptr_null(record_trouble(srv.record));
    ck_assert_uint_eq(record_facts(srv.record)->sealed, 4);
    down();
#endif
}
END_TEST

START_TEST(test_over)
{
    up();
    form();
    ha_over(&srv);
    ck_assert_ptr_nonnull(ha_refusal(&srv, true));
    ck_assert_ptr_nonnull(ha_refusal(&srv, false));
    ck_assert(!ha_may_append(&srv));
    down();
}
END_TEST

START_TEST(test_plain)
{
    up();
    ck_assert(!ha_bound(&srv) && ha_takes_plain_orders(&srv) && ha_feeds(&srv, 0) && !ha_feeds(&srv, 4));
    down();
}
END_TEST

SUITE(ha, test_steps_aside, test_lapses, test_owed_comes_first, test_sealed_on_disk_first, test_over, test_plain)

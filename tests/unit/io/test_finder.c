/* Three small sentinels in the same loop; the finder must believe the newest epoch. */
#include "common/io/finder.h"
#include "common/io/pubsub.h"
#include "common/io/session.h"

#include "tests/support/suite.h"
#include "tests/support/turns.h"

#include <string.h>

struct sentinel {
    struct resp_server srv;
    struct pubsub ps;
    int64_t port, epoch;       /* of the primary it tells */
    int asked;
};

static struct loop *l;
static struct command_table table;
static struct sentinel s[3];
static struct addr told;
static int changes;

static void pair(struct reply *r, const char *name, int64_t v)
{
    reply_bulk_z(r, name);
    reply_bulk_i64(r, v);
}

static void cmd_master(struct call *c)
{
    struct sentinel *me = c->session->srv->owner;

    me->asked++;
    if (!slice_is(c->argv[2], "demo")) {
        reply_error(c->reply, "ERR No such master with that name");
        return;
    }
    reply_array(c->reply, 6);
    reply_bulk_z(c->reply, "ip");
    reply_bulk_z(c->reply, "10.0.0.1");
    pair(c->reply, "port", me->port);
    pair(c->reply, "config-epoch", me->epoch);
}

/* The first one knows all the others. */
static void cmd_sentinels(struct call *c)
{
    struct sentinel *me = c->session->srv->owner;
    size_t n = me == &s[0] ? 2 : 0;

    reply_array(c->reply, n);
    for (size_t i = 1; i <= n; i++) {
        reply_array(c->reply, 4);
        reply_bulk_z(c->reply, "ip");
        reply_bulk_z(c->reply, "127.0.0.1");
        pair(c->reply, "port", resp_server_port(&s[i].srv));
    }
}

static const struct command subs[] = {
    {"master", 3, 0, cmd_master, 0, 0, 0, "sentinel", "", ""},
    {"sentinels", 3, 0, cmd_sentinels, 0, 0, 0, "sentinel", "", ""},
};
static const struct command own[] = {
    {"sentinel", -2, CMD_CONTAINER, NULL, 0, 0, 0, "sentinel", "", "", .subs = subs, .nsubs = 2},
};

static void begin(void)
{
    struct err e;

    l = loop_new();
    command_table_init(&table);
    command_table_add(&table, session_commands, session_commands_n);
    command_table_add(&table, pubsub_commands, pubsub_commands_n);
    command_table_add(&table, own, 1);
    for (int i = 0; i < 3; i++) {
        memset(&s[i], 0, sizeof s[i]);
        pubsub_init(&s[i].ps);
        resp_server_init(&s[i].srv, l, &table, NULL, &s[i]);
        s[i].srv.pubsub = &s[i].ps;
        s[i].port = 1000;
        s[i].epoch = 1;
        ck_assert_int_eq(resp_server_listen(&s[i].srv, "127.0.0.1", 0, 16, &e), 0);
    }
    memset(&told, 0, sizeof told);
    changes = 0;
}

static void finish(void)
{
    for (int i = 0; i < 3; i++) {
        resp_server_fini(&s[i].srv);
        pubsub_fini(&s[i].ps);
    }
    command_table_fini(&table);
    loop_free(l);
}

static void on_primary(void *owner, const struct addr *primary)
{
    (void)owner;
    told = *primary;
    changes++;
}

static struct finder *find(void)
{
    struct addr first;
    struct finder_opts o = {.sentinels = &first, .nsentinels = 1, .group = "demo", .on_primary = on_primary,
                            .client_name = "finder"};

    addr_set(&first, "127.0.0.1", 9, resp_server_port(&s[0].srv));
    return finder_new(l, &o);
}

START_TEST(learns_sentinels_and_follows)
{
    const struct addr *all;
    struct finder *f;
    struct slice msg = slice_z("demo 10.0.0.1 1000 10.0.0.1 2000");

    begin();
    f = find();
    ck_assert_ptr_null(finder_primary(f));
    turn_until(l, changes == 1 && finder_links_up(f) == 3);
    ck_assert_int_eq(told.port, 1000);
    ck_assert_uint_eq(finder_sentinels(f, &all), 3);
    turn_until(l, s[2].asked > 0 && s[1].srv.nsessions == 2 && dict_count(&s[1].ps.channels) == 1);
    /* one of them has moved on; its message makes all be asked, the newest epoch wins */
    s[1].port = 2000;
    s[1].epoch = 2;
    pubsub_publish(&s[1].ps, slice_z("+switch-master"), msg);
    turn_until(l, changes == 2);
    ck_assert_int_eq(told.port, 2000);
    ck_assert_int_eq(finder_primary(f)->port, 2000);
    /* the others, still behind, change nothing */
    finder_ask_now(f);
    s[0].asked = 0;
    turn_until(l, s[0].asked > 0);
    for (int i = 0; i < 20; i++) {
        loop_again(l);
        loop_run_once(l, true);
    }
    ck_assert_int_eq(changes, 2);
    finder_free(f);
    finish();
}
END_TEST

START_TEST(equal_epochs_go_by_number)
{
    struct finder *f;

    begin();
    s[0].port = 3000;        /* alone in its opinion */
    f = find();
    turn_until(l, told.port == 1000);
    finder_free(f);
    finish();
}
END_TEST

SUITE(finder, learns_sentinels_and_follows, equal_epochs_go_by_number)

#include "kvnode/commands.h"
#include "kvnode/server.h"
#include "tests/support/suite.h"

#include <string.h>

static void check_row(const struct command *c, bool is_sub)
{
    ck_assert_ptr_nonnull(c->name);
    ck_assert_msg(c->arity != 0, "%s", c->name);
    ck_assert_msg(c->group && c->syntax && c->summary, "%s", c->name);
    ck_assert_msg(c->run || c->nsubs > 0, "%s does nothing", c->name);
    ck_assert_msg(!(c->flags & CMD_WRITE) || !(c->flags & CMD_READ), "%s reads and writes", c->name);
    if (is_sub)
        ck_assert_msg(c->arity <= -2 || c->arity >= 2, "%s: arity counts the container", c->name);
    for (size_t i = 0; i < c->nsubs; i++)
        check_row(&c->subs[i], true);
}

START_TEST(test_every_row_is_whole)
{
    struct command_table t;
    struct dict_iter it;
    struct dict_entry *e;
    size_t n = 0;

    kv_commands(&t);
    dict_iter_init(&it, &t.by_name);
    while ((e = dict_iter_next(&it))) {
        check_row(e->v.p, false);
        n++;
    }
    dict_iter_fini(&it);
    ck_assert_uint_gt(n, 90);
    ck_assert_uint_lt(n * 4, COMMAND_STATS);
    command_table_fini(&t);
}
END_TEST

START_TEST(test_keys_are_found)
{
    static const struct { const char *words[6]; int n; int first; } rows[] = {
        {{"get", "k"}, 1, 1}, {{"mset", "a", "1", "b", "2"}, 2, 1}, {{"object", "encoding", "k"}, 1, 2},
        {{"rename", "a", "b"}, 2, 1}, {{"ping"}, 0, 0}, {{"del", "a", "b", "c"}, 3, 1}, {{"memory", "usage", "k"}, 1, 2}};
    struct command_table t;

    kv_commands(&t);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice argv[6];
        int argc = 0, keys[6], n;
        const struct command *c;

        for (; argc < 6 && rows[i].words[argc]; argc++)
            argv[argc] = slice_z(rows[i].words[argc]);
        c = command_find(&t, argc, argv);
        ck_assert_msg(c != NULL, "%s", rows[i].words[0]);
        n = command_keys(c, argc, argv, keys, 6);
        ck_assert_int_eq(n < 0 ? 0 : n, rows[i].n);
        if (rows[i].n)
            ck_assert_int_eq(keys[0], rows[i].first);
    }
    command_table_fini(&t);
}
END_TEST

SUITE(commands, test_every_row_is_whole, test_keys_are_found)

/* A saved tail: its first line, its requests, where requests begin in bytes that were cut, and how people read it. */
#include "common/text/tail_text.h"
#include "tests/support/suite.h"

#include <string.h>

#define SET "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nx y\r\n"
#define PING "*1\r\n$4\r\nPING\r\n"

START_TEST(test_head_there_and_back)
{
    struct tail_head h = {.gid = 9, .epoch = 3, .fork = 99, .first = 100, .end = 150, .commands = 2, .made_ms = 5}, g;
    struct str s = {0};
    struct err e = {0};
    size_t used = 0;

    tail_text_put_head(&s, &h);
    ck_assert_str_eq(str_c(&s), "kvorum-tail group 9 epoch 3 fork 99 first 100 end 150 commands 2 made 5\n");
    ck_assert_int_eq(tail_text_head(str_c(&s), s.len, &g, &used, &e), 0);
    ck_assert_uint_eq(used, s.len);
    ck_assert(g.gid == 9 && g.epoch == 3 && g.fork == 99 && g.first == 100 && g.end == 150 && g.commands == 2 && g.made_ms == 5);
    for (size_t n = 0; n < s.len; n++)
        ck_assert_int_ne(tail_text_head(str_c(&s), n, &g, &used, &e), 0);
    str_fini(&s);
}
END_TEST

START_TEST(test_other_lines_are_refused)
{
    static const char *const bad[] = {
        "", "\n", "kvorum-tail\n", "tail group 9 epoch 3 fork 99 first 100 end 150 commands 2 made 5\n",
        "kvorum-tail group 9 epoch 3 fork 99 first 100 end 98 commands 2 made 5\n",
        "kvorum-tail group 9 epoch 3 fork -2 first 100 end 150 commands 2 made 5\n",
        "kvorum-tail group 9 epoch 3 fork 99 first -1 end 150 commands 2 made 5\n",
        "kvorum-tail group 9 epoch x fork 99 first 100 end 150 commands 2 made 5\n",
        "kvorum-tail group 9 fork 99 epoch 3 first 100 end 150 commands 2 made 5\n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tail_head h;
        struct err e = {0};
        size_t used;
        ck_assert_msg(tail_text_head(bad[i], strlen(bad[i]), &h, &used, &e) == ERR_FORMAT, "%s", bad[i]);
    }
}
END_TEST

START_TEST(test_walk)
{
    static const struct { const char *text; uint64_t commands; size_t bytes; bool ok; } cases[] = {
        {"", 0, 0, true},
        {SET PING SET, 2, sizeof SET PING SET - 1, true},
        {"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$5\r\nmulti\r\n" SET "*1\r\n$4\r\nEXEC\r\n", 1, 38 + sizeof SET - 1 + 14, true},
        {SET "*3\r\n$3\r\nSE", 1, sizeof SET - 1, true},
        {SET "get a\r\n", 1, sizeof SET - 1, false},
        {SET "*x\r\n", 1, sizeof SET - 1, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tail_counts c;
        struct err e = {0};
        int rc = tail_text_walk(cases[i].text, strlen(cases[i].text), NULL, NULL, &c, &e);
        ck_assert_msg((rc == 0) == cases[i].ok && c.commands == cases[i].commands && (i == 2 || c.bytes == cases[i].bytes),
                      "%zu: %d %llu %zu", i, rc, (unsigned long long)c.commands, c.bytes);
    }
}
END_TEST

/* Wherever the first request was cut, the next one is found; a value that looks like a request is not taken for one. */
START_TEST(test_begin)
{
    static const char trap[] = "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$24\r\n..\r\n*1\r\n$4\r\nPING\r\n....\r\n";
    static const char all[] = SET SET PING;
    size_t one = sizeof SET - 1;

    for (size_t cut = 1; cut < one; cut++)
        ck_assert_uint_eq(tail_text_begin(all + cut, sizeof all - 1 - cut), one - cut);
    ck_assert_uint_eq(tail_text_begin(all, sizeof all - 1), 0);
    ck_assert_uint_eq(tail_text_begin("zzz", 3), 3);
    ck_assert_uint_eq(tail_text_begin(trap + 1, sizeof trap - 2), sizeof trap - 2);
}
END_TEST

START_TEST(test_print)
{
    struct str in = {0}, out = {0};
    struct tail_head h = {.gid = 9, .epoch = 3, .fork = 99, .first = 100, .end = 150, .commands = 1};
    struct err e = {0};

    tail_text_put_head(&in, &h);
    str_append_z(&in, SET PING "*1\r\n$4\r\nPI");
    ck_assert_int_eq(tail_text_print(str_c(&in), in.len, &out, &e), 0);
    ck_assert_ptr_nonnull(strstr(str_c(&out), "\n100 SET a \"x y\"\n129 PING\n# the last 10 bytes are no whole command\n"));
    ck_assert_ptr_nonnull(strstr(str_c(&out), "# the histories parted after offset 99; offsets 100 to 150 are here\n"));
    ck_assert_int_eq(tail_text_print("x", 1, &out, &e), ERR_FORMAT);
    str_fini(&in);
    str_fini(&out);
}
END_TEST

SUITE(tail_text, test_head_there_and_back, test_other_lines_are_refused, test_walk, test_begin, test_print)

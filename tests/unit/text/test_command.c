/* The command table, and what COMMAND says about it. */
#include "common/text/command.h"
#include "tests/support/suite.h"

#include <hiredis/hiredis.h>
#include <string.h>

static void run(struct call *c)
{
    (void)c;
}

static int odd_keys(int argc, const struct slice *argv, int *out, int cap)
{
    int n = 0;

    (void)argv;
    for (int i = 1; i < argc && n < cap; i += 2)
        out[n++] = i;
    return argc % 2 ? n : -1;
}

static const struct command config_subs[] = {
    {"get", -3, CMD_ADMIN, run, 0, 0, 0, "server", "pattern [pattern ...]", "Show.", "2.0.0"},
    {"help", 2, CMD_LOADING, run, 0, 0, 0, "server", "", "Help.", "5.0.0"},
};
static const struct command rows[] = {
    {"get", 2, CMD_READ | CMD_FAST, run, 1, 1, 1, "string", "key", "Read a value.", "1.0.0"},
    {"mset", -3, CMD_WRITE | CMD_DENYOOM, run, 1, -1, 2, "string", "key value [key value ...]", "Set many.", "1.0.1"},
    {"del", -2, CMD_WRITE, run, 1, -1, 1, "generic", "key [key ...]", "Drop keys."},
    {"odd", -1, CMD_WRITE, run, .group = "generic", .syntax = "", .summary = "Odd ones.", .get_keys = odd_keys},
    {"ping", -1, CMD_FAST | CMD_LOADING, run, 0, 0, 0, "connection", "[message]", "Answer."},
    {"config", -2, CMD_CONTAINER, NULL, 0, 0, 0, "server", "", "Settings.", "2.0.0", config_subs, 2},
    {"flushall", -1, CMD_WRITE | CMD_DANGEROUS, run, 0, 0, 0, "server", "[ASYNC|SYNC]", "Drop all.",
     .categories = "@keyspace"},
};

static struct command_table t;
static struct buf out;

static void setup(void)
{
    command_table_init(&t);
    command_table_add(&t, rows, sizeof rows / sizeof rows[0]);
}

static void teardown(void)
{
    command_table_fini(&t);
    buf_fini(&out);
}

static int words(const char *z, struct slice argv[16])
{
    int n = 0;

    while (*z) {
        size_t len = strcspn(z, " ");

        argv[n++] = (struct slice){z, len};
        z += len + (z[len] == ' ');
    }
    return n;
}

START_TEST(test_finding)
{
    static const struct {
        const char *request, *full;       /* full NULL: unknown */
        const char *error;
        bool arity_ok;
    } cases[] = {
        {"GET a", "get", .arity_ok = true},
        {"get", "get", "ERR wrong number of arguments for 'get' command"},
        {"get a b", "get", "ERR wrong number of arguments for 'get' command"},
        {"Config GET a", "config|get", .arity_ok = true},
        {"config get", "config|get", "ERR wrong number of arguments for 'config|get' command"},
        {"config", "config", "ERR wrong number of arguments for 'config' command"},
        {"config foo", NULL, "ERR unknown subcommand 'foo'. Try CONFIG HELP."},
        {"foo", NULL, "ERR unknown command 'foo', with args beginning with: "},
        {"foo a b", NULL, "ERR unknown command 'foo', with args beginning with: 'a' 'b' "},
    };

    setup();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice argv[16];
        int argc = words(cases[i].request, argv);
        const struct command *cmd = command_find(&t, argc, argv);
        struct str text = {0};
        char full[64];

        ck_assert_msg((cmd != NULL) == (cases[i].full != NULL), "%s", cases[i].request);
        if (cmd) {
            ck_assert_str_eq(command_full_name(cmd, &t, full), cases[i].full);
            ck_assert_ptr_eq(command_find_name(&t, slice_z(full)), cmd);
            ck_assert(command_arity_ok(cmd, argc) == cases[i].arity_ok);
            command_arity_text(cmd, &t, &text);
        } else {
            command_unknown_text(argc, argv, &t, &text);
        }
        if (cases[i].error)
            ck_assert_str_eq(str_c(&text), cases[i].error);
        str_fini(&text);
    }
    ck_assert_ptr_null(command_find(&t, 0, NULL));
    teardown();
}
END_TEST

START_TEST(test_long_words_of_strangers)
{
    struct slice argv[3];
    struct str text = {0};
    char big[1000];

    setup();
    memset(big, 'x', sizeof big);
    argv[0] = argv[1] = argv[2] = (struct slice){big, sizeof big};
    ck_assert_ptr_null(command_find(&t, 3, argv));
    ck_assert_ptr_null(command_find_name(&t, argv[0]));
    command_unknown_text(3, argv, &t, &text);
    ck_assert_uint_lt(text.len, 400);
    str_clear(&text);
    argv[0] = (struct slice){"a\0b", 3};
    command_unknown_text(1, argv, &t, &text);
    ck_assert_str_eq(str_c(&text), "ERR unknown command 'a', with args beginning with: ");
    str_fini(&text);
    teardown();
}
END_TEST

START_TEST(test_renaming)
{
    struct slice argv[16];
    char full[64];

    setup();
    ck_assert(command_table_rename(&t, "GET", "Fetch"));
    ck_assert_ptr_null(command_find(&t, words("get a", argv), argv));
    ck_assert_str_eq(command_full_name(command_find(&t, words("fetch a", argv), argv), &t, full), "get");
    ck_assert(!command_table_rename(&t, "get", "x") && !command_table_rename(&t, "del", "ping"));
    ck_assert(command_table_remove(&t, "DEL") && !command_table_remove(&t, "del"));
    ck_assert_ptr_null(command_find(&t, words("del a", argv), argv));
    static const struct command other = {"ping", 1, 0, run};
    command_table_add(&t, &other, 1);
    ck_assert_ptr_eq(command_find(&t, words("ping", argv), argv), &other);
    teardown();
}
END_TEST

START_TEST(test_keys)
{
    static const struct {
        const char *request;
        int n, at[4];
    } cases[] = {
        {"get a", 1, {1}}, {"mset a 1 b 2", 2, {1, 3}}, {"mset a 1 b", 2, {1, 3}}, {"del a b c", 3, {1, 2, 3}},
        {"ping x", 0, {0}}, {"odd a b", 1, {1}}, {"odd a", -1, {1}}, {"flushall", 0, {0}},
    };

    setup();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice argv[16];
        int argc = words(cases[i].request, argv), at[4] = {0};
        const struct command *cmd = command_find(&t, argc, argv);

        ck_assert_int_eq(command_keys(cmd, argc, argv, at, 4), cases[i].n);
        ck_assert_int_eq(memcmp(at, cases[i].at, sizeof at), 0);
    }
    struct slice argv[16];
    int at[1], argc = words("del a b", argv);
    ck_assert_int_eq(command_keys(command_find(&t, argc, argv), argc, argv, at, 1), -1);
    teardown();
}
END_TEST

/* A reply as one line of text, read by hiredis. */
static void tell(const redisReply *r, struct str *s)
{
    switch (r->type) {
    case REDIS_REPLY_ARRAY:
        str_append_c(s, '[');
        for (size_t i = 0; i < r->elements; i++) {
            if (i)
                str_append_c(s, ' ');
            tell(r->element[i], s);
        }
        str_append_c(s, ']');
        break;
    case REDIS_REPLY_INTEGER: str_printf(s, "%lld", r->integer); break;
    case REDIS_REPLY_NIL: str_append_z(s, "nil"); break;
    default: str_append(s, r->str, r->len);
    }
}

static const char *ask(const char *request)
{
    static struct str s;
    redisReader *reader = redisReaderCreate();
    struct slice argv[16];
    int argc = words(request, argv);
    struct reply r;
    void *got = NULL;

    reply_init(&r, &out, 2);
    command_reply(&r, &t, argc, argv);
    str_clear(&s);
    redisReaderFeed(reader, buf_data(&out), buf_len(&out));
    buf_clear(&out);
    ck_assert_int_eq(redisReaderGetReply(reader, &got), REDIS_OK);
    ck_assert_ptr_nonnull(got);
    tell(got, &s);
    freeReplyObject(got);
    got = NULL;
    ck_assert_int_eq(redisReaderGetReply(reader, &got), REDIS_OK);
    ck_assert_ptr_null(got);
    redisReaderFree(reader);
    return str_c(&s);
}

START_TEST(test_command_replies)
{
    static const struct {
        const char *request, *reply;
    } cases[] = {
        {"command count", "7"},
        {"command info get", "[[get 2 [readonly fast] 1 1 1 [@read @string @fast] [] [[flags [RO access] begin_search "
                             "[type index spec [index 1]] find_keys [type range spec [lastkey 0 keystep 1 limit 0]]]] []]]"},
        {"command info nothing config|get", "[nil [config|get -3 [admin] 0 0 0 [@admin @slow @dangerous] [] [] []]]"},
        {"command info flushall", "[[flushall -1 [write] 0 0 0 [@keyspace @write @slow @dangerous] [] [] []]]"},
        {"command info ping", "[[ping -1 [loading fast] 0 0 0 [@fast @connection] [] [] []]]"},
        {"command info odd", "[[odd -1 [write movablekeys] 0 0 0 [@keyspace @write @slow] [] [] []]]"},
        {"command info mset", "[[mset -3 [write denyoom] 1 -1 2 [@write @string @slow] [] [[flags [RW update] begin_search "
                              "[type index spec [index 1]] find_keys [type range spec [lastkey -1 keystep 2 limit 0]]]] []]]"},
        {"command docs get nothing", "[get [summary Read a value. since 1.0.0 group string arguments [[name key type key]]]]"},
        {"command docs config", "[config [summary Settings. since 2.0.0 group server subcommands [config|get [summary Show. "
                                "since 2.0.0 group server arguments [[name pattern type pattern flags [multiple]]]] "
                                "config|help [summary Help. since 5.0.0 group server]]]]"},
        {"command getkeys mset a 1 b 2", "[a b]"},
        {"command getkeysandflags get k", "[[k [RO access]]]"},
        {"command getkeys get", "ERR wrong number of arguments for 'command|getkeys' command"},
        {"command getkeys get a b c", "ERR Invalid number of arguments specified for command"},
        {"command getkeys nothing a", "ERR Invalid command specified"},
        {"command getkeys ping a", "ERR The command has no key arguments"},
        {"command getkeys odd a", "ERR Invalid arguments specified for command"},
        {"command getkeys odd a b", "[a]"},
        {"command list filterby pattern conf*", "[config config|get config|help]"},
        {"command list filterby module x", "[]"},
        {"command list filterby foo x", "ERR syntax error"},
        {"command list x", "ERR syntax error"},
        {"command foo", "ERR unknown subcommand 'foo'. Try COMMAND HELP."},
        {"command count x", "ERR wrong number of arguments for 'command|count' command"},
    };

    setup();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = ask(cases[i].request);

        ck_assert_msg(strcmp(got, cases[i].reply) == 0, "%s:\n%s\n%s", cases[i].request, got, cases[i].reply);
    }
    ck_assert_ptr_nonnull(strstr(ask("command"), "[get 2 "));
    ck_assert_ptr_nonnull(strstr(ask("command docs"), "config|help [summary"));
    ck_assert_ptr_nonnull(strstr(ask("command list filterby aclcat dangerous"), "config|get"));
    ck_assert_ptr_nonnull(strstr(ask("command help"), "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are: COUNT"));
    teardown();
}
END_TEST

START_TEST(test_resp3_shapes)
{
    struct slice argv[16];
    struct reply r;

    setup();
    reply_init(&r, &out, 3);
    command_reply(&r, &t, words("command info ping", argv), argv);
    buf_append(&out, "", 1);
    ck_assert_str_eq(buf_data(&out), "*1\r\n*10\r\n$4\r\nping\r\n:-1\r\n~2\r\n+loading\r\n+fast\r\n:0\r\n:0\r\n:0\r\n~2\r\n"
                                     "+@fast\r\n+@connection\r\n*0\r\n~0\r\n*0\r\n");
    buf_clear(&out);
    command_reply(&r, &t, words("command docs ping", argv), argv);
    buf_append(&out, "", 1);
    ck_assert_str_eq(buf_data(&out), "%1\r\n$4\r\nping\r\n%3\r\n$7\r\nsummary\r\n$7\r\nAnswer.\r\n$5\r\ngroup\r\n$10\r\nconnection\r\n"
                                     "$9\r\narguments\r\n*1\r\n%3\r\n$4\r\nname\r\n$7\r\nmessage\r\n$4\r\ntype\r\n$6\r\nstring\r\n"
                                     "$5\r\nflags\r\n~1\r\n+optional\r\n");
    teardown();
}
END_TEST

START_TEST(test_syntax)
{
    static const struct {
        const char *syntax, *args;
    } cases[] = {
        {"key value", "[[name key type key] [name value type string]]"},
        {"key [key ...]", "[[name key type key flags [multiple]]]"},
        {"key field value [field value ...]", "[[name key type key] [name field type block flags [multiple] arguments "
                                              "[[name field type string] [name value type string]]]]"},
        {"key seconds [NX|XX]", "[[name key type key] [name seconds type integer] [name nx type oneof flags [optional] "
                                "arguments [[name nx type pure-token token NX] [name xx type pure-token token XX]]]]"},
        {"[EX seconds|KEEPTTL]", "[[name seconds type oneof flags [optional] arguments [[name seconds type integer token EX] "
                                 "[name keepttl type pure-token token KEEPTTL]]]]"},
        {"[LIMIT offset count]", "[[name limit type block token LIMIT flags [optional] arguments [[name offset type integer] "
                                 "[name count type integer]]]]"},
        {"[MATCH pattern]", "[[name pattern type pattern token MATCH flags [optional]]]"},
        {"ON|OFF", "[[name on type oneof arguments [[name on type pure-token token ON] [name off type pure-token token OFF]]]]"},
        {"[message ...]", "[[name message type string flags [optional multiple]]]"},
        {"", "[]"}, {"[", "[[name  type block flags [optional]]]"}, {"]", "[]"}, {"|", "[]"}, {"...", "[]"},
        {"[[[[[[[[[[[[a]]]", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command row = {"x", -1, 0, run, .group = "g", .syntax = cases[i].syntax, .summary = "s"};
        struct str want = {0};
        const char *got;

        command_table_init(&t);
        command_table_add(&t, &row, 1);
        got = ask("command docs x");
        str_printf(&want, "[x [summary s group g%s%s]]", cases[i].syntax[0] ? " arguments " : "",
                   cases[i].syntax[0] && cases[i].args ? cases[i].args : "");
        if (cases[i].args)
            ck_assert_msg(strcmp(got, str_c(&want)) == 0, "%s:\n%s\n%s", cases[i].syntax, got, str_c(&want));
        str_fini(&want);
        teardown();
    }
}
END_TEST

START_TEST(test_reference_page)
{
    struct str md = {0};

    setup();
    command_markdown(&t, &md);
    ck_assert_ptr_nonnull(strstr(md.p, "### connection\n\n| command | what it does |\n|---|---|\n| `PING [message]` | Answer. |\n"));
    ck_assert_ptr_nonnull(strstr(md.p, "| `CONFIG GET pattern [pattern ...]` | Show. |\n"));
    ck_assert_ptr_nonnull(strstr(md.p, "| `FLUSHALL [ASYNC\\|SYNC]` |"));
    ck_assert(strstr(md.p, "`DEL key") < strstr(md.p, "`ODD`"));
    str_fini(&md);
    teardown();
}
END_TEST

SUITE(command, test_finding, test_long_words_of_strangers, test_renaming, test_keys, test_command_replies, test_resp3_shapes,
      test_syntax, test_reference_page)

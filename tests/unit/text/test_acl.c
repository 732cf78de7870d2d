/* Users and rights: rules in, rules out, verdicts; what is refused changes nothing. The cases
 * are small; many generated ones are compared with redis-server by an integration test. */
#include "common/text/acl.h"

#include "common/base/mem.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct command config_subs[] = {
    {"get", -3, CMD_ADMIN, NULL, .group = "server"},
    {"set", -4, CMD_ADMIN, NULL, .group = "server"},
};
static const struct command rows[] = {
    {"get", 2, CMD_READ | CMD_FAST, NULL, 1, 1, 1, "string"},
    {"set", -3, CMD_WRITE, NULL, 1, 1, 1, "string", .access = "W"},
    {"copy", 3, CMD_WRITE, NULL, 1, 2, 1, "generic", .access = "R W"},
    {"exists", -2, CMD_READ | CMD_FAST, NULL, 1, -1, 1, "generic", .access = "-"},
    {"auth", -2, CMD_NO_AUTH | CMD_FAST, NULL, .group = "connection"},
    {"select", 2, CMD_FAST, NULL, .group = "connection"},
    {"publish", 3, CMD_PUBSUB | CMD_FAST, NULL, .group = "pubsub", .channels = CHANNELS_PUBLISH},
    {"subscribe", -2, CMD_PUBSUB, NULL, .group = "pubsub", .channels = CHANNELS_SUBSCRIBE},
    {"psubscribe", -2, CMD_PUBSUB, NULL, .group = "pubsub", .channels = CHANNELS_PATTERNS},
    {"config", -2, CMD_CONTAINER, NULL, .group = "server", .subs = config_subs, .nsubs = 2},
};

static struct command_table table;
static struct acl *acl;

static void begin(void)
{
    command_table_init(&table);
    command_table_add(&table, rows, sizeof rows / sizeof rows[0]);
    acl = acl_new(&table);
}

static void end(void)
{
    acl_free(acl);
    command_table_fini(&table);
}

/* Words of a text, split at '|'-free blanks; selectors come in pieces, which is allowed. */
static int words(const char *text, struct slice *out)
{
    int n = 0;

    while (*text) {
        size_t len = strcspn(text, " ");

        if (len > 0)
            out[n++] = (struct slice){text, len};
        text += len + (text[len] == ' ');
    }
    return n;
}

static int set(const char *name, const char *rules, struct err *e)
{
    struct slice argv[32];

    return acl_set_user(acl, slice_z(name), words(rules, argv), argv, NULL, e);
}

static const char *shown(const char *name)
{
    static struct str text;

    str_clear(&text);
    acl_describe(acl_find(acl, slice_z(name)), &text);
    return str_c(&text);
}

static enum acl_verdict ask(const char *name, const char *request, int *at)
{
    struct slice argv[32];
    int argc = words(request, argv);

    return acl_check(acl_find(acl, slice_z(name)), command_find(&table, argc, argv), argc, argv, at);
}

START_TEST(test_shown)
{
    static const struct {
        const char *rules, *shown;
    } cases[] = {
        {"", "off resetchannels -@all"},
        {"on nopass ~* &* +@all", "on nopass ~* &* +@all"},
        {"+get +set -get", "off resetchannels -@all +set"},
        {"~a ~a %R~a %R~b %W~c %RW~d", "off ~a %R~b %W~c ~d resetchannels -@all"},
        {"%R~x %W~x", "off ~x resetchannels -@all"},
        {"%RW~* %R~y", "off %RW~* %R~y resetchannels -@all"},
        {"&a &b &a", "off resetchannels &a &b -@all"},
        {"+@all -config +config|get", "off resetchannels +@all -config +config|get"},
        {"+@all -config|get", "off resetchannels +@all -config|get"},
        {"+select|0", "off resetchannels -@all +select|0"},
        {"+select|0 +select", "off resetchannels -@all +select"},
        {"(+get ~a) (~b -@all)", "off resetchannels -@all (~a resetchannels -@all +get) (~b resetchannels -@all)"},
        {"(+get) clearselectors", "off resetchannels -@all"},
        {"+@string", "off resetchannels -@all +@string"},
        {"skip-sanitize-payload", "off skip-sanitize-payload resetchannels -@all"},
        {"+GET +@PUBSUB", "off resetchannels -@all +@pubsub +get"},
    };

    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err e = {0};
        struct acl_user *u = acl_find(acl, slice_z("x"));

        if (u)
            acl_drop(acl, u);
        ck_assert_msg(set("x", cases[i].rules, &e) == 0, "%s: %s", cases[i].rules, e.text);
        ck_assert_str_eq(shown("x"), cases[i].shown);
    }
    end();
}
END_TEST

START_TEST(test_refused_rules_change_nothing)
{
    static const struct {
        const char *rules, *why;
    } cases[] = {
        {"+get +nosuch", "Error in ACL SETUSER modifier '+nosuch': Unknown command"},
        {"+@nosuch", "Unknown command or category"},
        {"+config|nosuch", "Unknown command"},
        {"+config|get|x", "Allowing first-arg of a subcommand"},
        {"+get|a|b", "Unknown command"},
        {"+select|", "Syntax error"},
        {"%X~a", "Syntax error"},
        {"%RR~a", "Syntax error"},
        {"allkeys ~a", "start with an empty list of patterns"},
        {"allchannels &a", "start with an empty list of channels"},
        {"#abc", "64 characters"},
        {"<secret", "does not exist"},
        {"(+get", "Unmatched parenthesis in acl selector starting at '(+get'"},
        {"(bogus)", "modifier '(bogus)': Syntax error"},
        {")", "Syntax error"},
        {"foo", "Syntax error"},
    };

    begin();
    ck_assert_int_eq(set("x", "on >pw ~k +get", NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *before = mem_strdup(shown("x"));
        struct err e = {0};

        ck_assert_msg(set("x", cases[i].rules, &e) < 0, "taken: %s", cases[i].rules);
        ck_assert_msg(strstr(e.text, cases[i].why), "%s: %s", cases[i].rules, e.text);
        ck_assert_str_eq(shown("x"), before);
        ck_assert_msg(set("fresh", cases[i].rules, &e) < 0 && !acl_find(acl, slice_z("fresh")), "made: %s", cases[i].rules);
        mem_free(before);
    }
    ck_assert_int_lt(acl_set_user(acl, slice_z("a b"), 0, NULL, NULL, NULL), 0);
    end();
}
END_TEST

START_TEST(test_verdicts)
{
    static const struct {
        const char *rules, *request;
        enum acl_verdict verdict;
        int at;
    } cases[] = {
        {"+get ~a*", "get ab", ACL_OK, 0},
        {"+get ~a*", "get b", ACL_NO_KEY, 1},
        {"+get ~a*", "set ab 1", ACL_NO_COMMAND, 0},
        {"+@all %R~a", "get a", ACL_OK, 0},
        {"+@all %R~a", "set a 1", ACL_NO_KEY, 1},
        {"+@all %W~a", "set a 1", ACL_OK, 0},
        {"+@all %W~a", "get a", ACL_NO_KEY, 1},
        {"+@all %R~a %W~b", "copy a b", ACL_OK, 0},
        {"+@all %R~a %W~b", "copy b a", ACL_NO_KEY, 1},
        {"+@all %R~a %W~b", "copy a a", ACL_NO_KEY, 2},
        {"+@all %W~a %R~b", "exists a b", ACL_OK, 0},
        {"+@all %W~a %R~b", "exists a c", ACL_NO_KEY, 2},
        {"-@all (+@all %R~a) (+@all %W~b)", "copy a b", ACL_NO_KEY, 2},
        {"-@all (+get ~a) (+set ~b)", "set b 1", ACL_OK, 0},
        {"-@all (+get ~a) (+set ~b)", "set a 1", ACL_NO_KEY, 1},
        {"-@all", "auth x", ACL_OK, 0},
        {"+select|0", "select 0", ACL_OK, 0},
        {"+select|0", "select 1", ACL_NO_COMMAND, 0},
        {"+config -config|set", "config get x", ACL_OK, 0},
        {"+config -config|set", "config set x y", ACL_NO_COMMAND, 0},
        {"+@pubsub &news*", "publish news1 m", ACL_OK, 0},
        {"+@pubsub &news*", "publish old m", ACL_NO_CHANNEL, 1},
        {"+@pubsub &news*", "subscribe news old", ACL_NO_CHANNEL, 2},
        {"+@pubsub &news*", "psubscribe news*", ACL_OK, 0},
        {"+@pubsub &news*", "psubscribe news1", ACL_NO_CHANNEL, 1},
    };

    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int at = 0;

        ck_assert_int_eq(set("x", "reset", NULL), 0);
        ck_assert_int_eq(set("x", cases[i].rules, NULL), 0);
        ck_assert_msg(ask("x", cases[i].request, &at) == cases[i].verdict && at == cases[i].at, "%s / %s: at %d", cases[i].rules,
                      cases[i].request, at);
    }
    end();
}
END_TEST

START_TEST(test_passwords)
{
    const struct acl_user *u;

    begin();
    ck_assert_int_eq(set("x", "on >one >two", NULL), 0);
    u = acl_find(acl, slice_z("x"));
    ck_assert(acl_password_ok(u, slice_z("one")) && acl_password_ok(u, slice_z("two")));
    ck_assert(!acl_password_ok(u, slice_z("three")) && !acl_password_ok(u, slice_z("")));
    ck_assert(strstr(shown("x"), "#7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed") != NULL);
    ck_assert_int_eq(set("x", "<one", NULL), 0);
    ck_assert(!acl_password_ok(u, slice_z("one")));
    ck_assert_int_eq(set("x", "off", NULL), 0);
    ck_assert(!acl_password_ok(u, slice_z("two")));
    acl_default_password(acl, "secret");
    ck_assert(acl_password_ok(acl_default_user(acl), slice_z("secret")) && !acl_password_ok(acl_default_user(acl), slice_z("x")));
    acl_default_password(acl, NULL);
    ck_assert(acl_password_ok(acl_default_user(acl), slice_z("x")));
    end();
}
END_TEST

START_TEST(test_files_are_taken_whole)
{
    static const char good[] = "# people\n\nuser alice on nopass ~* +@all\nuser default on nopass ~* &* +@all -set\n";
    static const char bad[] = "user alice on\nuser alice off\nnobody\nuser bob +nosuch\n";
    struct acl *fresh;
    struct acl_user *dflt;
    struct err e = {0};

    begin();
    dflt = acl_default_user(acl);
    ck_assert_int_eq(set("old", "on", NULL), 0);
    fresh = acl_new_like(acl);
    ck_assert_msg(acl_read_file(fresh, "users", slice_z(good), &e) == 0, "%s", e.text);
    acl_take_over(acl, fresh);
    acl_free(fresh);
    ck_assert(!acl_find(acl, slice_z("old")) && acl_find(acl, slice_z("alice")));
    ck_assert(acl_default_user(acl) == dflt);
    ck_assert_str_eq(shown("default"), "on nopass ~* &* +@all -set");
    ck_assert_int_eq(ask("default", "set a 1", NULL), ACL_NO_COMMAND);

    fresh = acl_new_like(acl);
    ck_assert_int_lt(acl_read_file(fresh, "users", slice_z(bad), &e), 0);
    ck_assert(strstr(e.text, "users:2: Duplicate user 'alice' found") && strstr(e.text, "users:3:") && strstr(e.text, "users:4:"));
    acl_free(fresh);
    end();
}
END_TEST

SUITE(acl, test_shown, test_refused_rules_change_nothing, test_verdicts, test_passwords, test_files_are_taken_whole)

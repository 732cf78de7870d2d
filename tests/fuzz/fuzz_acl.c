/* An ACL file from anywhere; and what a user is shown as must make the same user again. */
#include "common/base/check.h"
#include "common/text/acl.h"
#include "common/text/conf_lex.h"

#include <stdint.h>
#include <string.h>

static const struct command subs[] = {{"get", -3, CMD_ADMIN, NULL, .group = "server"}, {"set", -4, CMD_ADMIN, NULL, .group = "server"}};
static const struct command rows[] = {
    {"get", 2, CMD_READ | CMD_FAST, NULL, 1, 1, 1, "string"}, {"set", -3, CMD_WRITE, NULL, 1, 1, 1, "string", .access = "W"},
    {"publish", 3, CMD_PUBSUB, NULL, .group = "pubsub", .channels = CHANNELS_PUBLISH},
    {"select", 2, CMD_FAST, NULL, .group = "connection"},
    {"config", -2, CMD_CONTAINER, NULL, .group = "server", .subs = subs, .nsubs = 2},
};

static void again(struct acl *a, const struct acl_user *u)
{
    struct acl *other = acl_new_like(a);
    struct str text = {0}, twice = {0};
    struct conf_words w;
    struct acl_user *made;

    acl_describe(u, &text);
    conf_words_init(&w);
    /* a quote in a pattern is read otherwise on a line than as an argument */
    if (!memchr(text.p, '"', text.len) && !memchr(text.p, '\'', text.len) && !memchr(text.p, '\\', text.len) &&
        !memchr(text.p, '(', text.len) && !memchr(text.p, ')', text.len)) {
        CHECK(conf_lex(text.p, text.len, &w, NULL) == 0);
        CHECK(acl_set_user(other, slice_z("again"), w.argc, w.argv, &made, NULL) == 0);
        acl_describe(made, &twice);
        CHECK(strcmp(str_c(&text), str_c(&twice)) == 0);
    }
    conf_words_fini(&w);
    str_fini(&text);
    str_fini(&twice);
    acl_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice request[] = {{"set", 3}, {"k", 1}, {"v", 1}};
    struct command_table t;
    struct acl *a, *fresh;
    int at;

    command_table_init(&t);
    command_table_add(&t, rows, sizeof rows / sizeof rows[0]);
    a = acl_new(&t);
    fresh = acl_new_like(a);
    if (acl_read_file(fresh, "f", (struct slice){(const char *)data, size}, NULL) == 0)
        acl_take_over(a, fresh);
    for (size_t i = 0; i < acl_count(a); i++) {
        (void)acl_check(acl_at(a, i), &rows[1], 3, request, &at);
        again(a, acl_at(a, i));
    }
    acl_free(fresh);
    acl_free(a);
    command_table_fini(&t);
    return 0;
}

/* The cache: there and back, and any damage is noticed. */
#include "agent/source/cache.h"
#include "common/io/file.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct docname doc = {"files", "web"};

static void save(struct scene *s, struct inputs *in)
{
    struct sources of;
    struct err e = {0};

    inputs_init(in);
    inputs_put_string(in, "config:files:web", "bytes\r\n\0$5", 10);
    inputs_put_missing(in, "config:redis:x");
    input_add_field(inputs_put(in, slice_z("hash:h")), "f\n", 2, "", 0);
    sources_init(&of);
    sources_add(&of, "config:files:web");
    sources_add(&of, "config:redis:x");
    sources_add(&of, "hash:h");
    ck_assert_msg(cache_save(s->state, &doc, in, &of, 77, &e) == 0, "%s", e.text);
    /* The same again does not touch the file. */
    ck_assert_int_eq(cache_save(s->state, &doc, in, &of, 99, &e), 0);
    sources_fini(&of);
}

START_TEST(test_there_and_back)
{
    struct scene s;
    struct inputs in, out;
    struct err e = {0};
    int64_t at = 0;

    scene_init(&s);
    inputs_init(&out);
    ck_assert_int_eq(cache_load(s.state, &doc, &out, &at, &e), ERR_SYS);
    ck_assert_int_eq(e.sys_errno, ENOENT);
    save(&s, &in);
    ck_assert_msg(cache_load(s.state, &doc, &out, &at, &e) == 0, "%s", e.text);
    ck_assert_int_eq(at, 77);
    ck_assert_uint_eq(inputs_get(&out, "config:files:web")->bytes.len, 10);
    ck_assert_int_eq(memcmp(inputs_get(&out, "config:files:web")->bytes.p, "bytes\r\n\0$5", 10), 0);
    ck_assert_int_eq(inputs_get(&out, "config:redis:x")->kind, INPUT_MISSING);
    ck_assert_str_eq(inputs_get(&out, "hash:h")->fields.at[0].name.p, "f\n");
    cache_forget(s.state, &doc);
    ck_assert_int_eq(cache_load(s.state, &doc, &out, &at, &e), ERR_SYS);
    inputs_fini(&in);
    inputs_fini(&out);
    scene_fini(&s);
}
END_TEST

START_TEST(test_damage)
{
    struct scene s;
    struct inputs in;
    struct str whole = {0};
    struct err e = {0};
    char path[256];

    scene_init(&s);
    save(&s, &in);
    snprintf(path, sizeof path, "%s/cache/files/web", s.state);
    ck_assert_int_eq(file_slurp(path, 0, &whole, &e), 0);
    for (size_t n = 0; n < whole.len; n++) {
        struct inputs out;
        int64_t at = 0;
        bool time_of_day = memmem(whole.p + n, 4, " 77\n", 4) || whole.p[n] == '7';

        inputs_init(&out);
        ck_assert_int_eq(file_replace(path, whole.p, n, 0600, &e), 0);
        ck_assert_int_ne(cache_load(s.state, &doc, &out, &at, &e), 0);
        whole.p[n] ^= 1;
        ck_assert_int_eq(file_replace(path, whole.p, whole.len, 0600, &e), 0);
        if (!time_of_day)
            ck_assert_msg(cache_load(s.state, &doc, &out, &at, &e) != 0, "byte %zu", n);
        whole.p[n] ^= 1;
        ck_assert(time_of_day || dict_count(&out.by_source) == 0);
        inputs_fini(&out);
    }
    str_fini(&whole);
    inputs_fini(&in);
    scene_fini(&s);
}
END_TEST

START_TEST(test_overrides)
{
    struct scene s;
    struct str text = {0};
    struct err e = {0};

    scene_init(&s);
    ck_assert(!override_load(s.state, &doc, &text, &e));
    ck_assert_str_eq(e.text, "");
    scene_write(&s, "state/override/files/web", "{}");
    ck_assert(override_load(s.state, &doc, &text, &e));
    ck_assert_str_eq(str_c(&text), "{}");
    str_fini(&text);
    scene_fini(&s);
}
END_TEST

SUITE(cache, test_there_and_back, test_damage, test_overrides)

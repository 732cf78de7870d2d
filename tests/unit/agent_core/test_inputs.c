/* Snapshots and lists of sources. */
#include "agent/core/inputs.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_asked_missing_and_never_asked)
{
    struct inputs in, copy;

    inputs_init(&in);
    inputs_init(&copy);
    ck_assert_ptr_null(inputs_get(&in, "config:a:b"));
    inputs_put_missing(&in, "config:a:b");
    ck_assert_int_eq(inputs_get(&in, "config:a:b")->kind, INPUT_MISSING);
    inputs_put_string(&in, "config:a:b", "x\0y", 3);
    ck_assert_uint_eq(inputs_get(&in, "config:a:b")->bytes.len, 3);
    input_add_field(inputs_put(&in, slice_z("hash:h")), "f", 1, "v", 1);
    inputs_copy_one(&copy, &in, "hash:h");
    inputs_copy_one(&copy, &in, "config:never:asked");
    ck_assert_uint_eq(inputs_get(&copy, "hash:h")->fields.n, 1);
    ck_assert_str_eq(inputs_get(&copy, "hash:h")->fields.at[0].value.p, "v");
    ck_assert_ptr_null(inputs_get(&copy, "config:never:asked"));
    inputs_put(&in, slice_z("hash:h"));
    ck_assert_uint_eq(inputs_get(&in, "hash:h")->fields.n, 0);
    inputs_swap(&in, &copy);
    ck_assert_uint_eq(inputs_get(&in, "hash:h")->fields.n, 1);
    inputs_clear(&in);
    ck_assert_ptr_null(inputs_get(&in, "hash:h"));
    inputs_fini(&in);
    inputs_fini(&copy);
}
END_TEST

START_TEST(test_names_of_sources)
{
    ck_assert(source_valid(slice_z("config:redis:web")));
    ck_assert(source_valid(slice_z("hash:app config")));
    ck_assert(!source_valid(slice_z("hash:")));
    ck_assert(!source_valid(slice_z("services")));
    ck_assert(source_valid(slice_z("svcs:web")) && source_valid(slice_z("cfgschema:redis")));
    ck_assert(!source_valid(slice_z("lease:web:n1")) && !source_valid(slice_z("hash:lease:web:n1")));
    ck_assert(!source_valid(slice_z("hash:node:n1")));
    ck_assert(source_is_hash(slice_z("svcs:web")) && !source_is_hash(slice_z("cfgschema:redis")));
    ck_assert(slice_is(source_key(slice_z("svcs:web")), "svcs:web"));
    ck_assert(!source_valid(slice_z("config:a\nb")));
    ck_assert(source_is_hash(slice_z("hash:x")));
    ck_assert(slice_is(source_key(slice_z("hash:x:y")), "x:y"));
    ck_assert(slice_is(source_key(slice_z("config:x:y")), "config:x:y"));
}
END_TEST

START_TEST(test_lists_without_repeats)
{
    struct sources s;
    struct inputs in;

    sources_init(&s);
    inputs_init(&in);
    ck_assert(sources_add(&s, "config:a:a"));
    ck_assert(!sources_add(&s, "config:a:a"));
    ck_assert(sources_add(&s, "hash:b"));
    ck_assert_uint_eq(s.at.n, 2);
    ck_assert(!sources_all_in(&s, &in));
    inputs_put_missing(&in, "config:a:a");
    inputs_put_missing(&in, "hash:b");
    ck_assert(sources_all_in(&s, &in));
    sources_fini(&s);
    inputs_fini(&in);
}
END_TEST

SUITE(inputs, test_asked_missing_and_never_asked, test_names_of_sources, test_lists_without_repeats)

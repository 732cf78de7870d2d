/* What differs, and by how many lines. */
#include "agent/core/diff.h"
#include "tests/support/suite.h"

static const struct { const char *was, *will; size_t added, removed; } texts[] = {
    {"", "", 0, 0},           {"", "a\n", 1, 0},          {"a\n", "", 0, 1},
    {"a\nb\n", "b\na\n", 0, 0}, {"a\na\nb\n", "a\nb\nc\n", 1, 1}, {"a", "a\n", 0, 0},
};

START_TEST(test_lines)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t added, removed;

        diff_lines(slice_z(texts[i].was), slice_z(texts[i].will), &added, &removed);
        ck_assert_uint_eq(added, texts[i].added);
        ck_assert_uint_eq(removed, texts[i].removed);
    }
}
END_TEST

START_TEST(test_files)
{
    struct file_wish want = {slice_z("x\n"), 0644, -1, -1};
    struct file_fact is = {true, slice_z("x\n"), 0644, 5, 6};
    struct file_diff d;

    ck_assert(!diff_file(&want, &is, &d));
    is.mode = 0600;
    ck_assert(diff_file(&want, &is, &d) && d.mode && !d.bytes && !d.create && !d.owner);
    is.mode = 0644;
    want.uid = 5;
    ck_assert(!diff_file(&want, &is, &d));
    want.gid = 7;
    ck_assert(diff_file(&want, &is, &d) && d.owner && !d.bytes);
    is.exists = false;
    ck_assert(diff_file(&want, &is, &d) && d.create && d.lines_added == 1);
}
END_TEST

SUITE(diff, test_lines, test_files)

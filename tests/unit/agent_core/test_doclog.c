/* Entries of the log, and what follows from what is seen of a document. */
#include "agent/core/doclog.h"
#include "tests/support/suite.h"

#include <string.h>

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

START_TEST(test_entries)
{
    struct doclog_entry e = {.sha = SHA_A, .by = "alice", .t_ms = 1767225600123, .bytes = {"{\n}\0x", 5}}, back;
    struct str text = {0};

    doclog_put(&e, &text);
    ck_assert(doclog_parse((struct slice){text.p, text.len}, &back));
    ck_assert_str_eq(back.sha, SHA_A);
    ck_assert_str_eq(back.by, "alice");
    ck_assert_int_eq(back.t_ms, 1767225600123);
    ck_assert(slice_eq(back.bytes, e.bytes));
    for (size_t n = 0; n < text.len - 5; n++)
        ck_assert(!doclog_parse((struct slice){text.p, n}, &back));
    str_fini(&text);
}
END_TEST

START_TEST(test_entries_that_are_none)
{
    static const char *const bad[] = {"", "\n", SHA_A "\n", SHA_A " 1\n", SHA_A " x a\n", SHA_A "  1 a\n", "short 1 a\n",
                                      SHA_A " 1 a b\n", SHA_A " 1 \n", SHA_A " 99999999999999999999 a\n"};
    struct doclog_entry e;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!doclog_parse(slice_z(bad[i]), &e), "%s", bad[i]);
}
END_TEST

START_TEST(test_authors)
{
    char by[DOCLOG_BY_MAX + 1];
    char long_name[200];

    doclog_author(slice_z(""), by);
    ck_assert_str_eq(by, "?");
    doclog_author(slice_z("a b\nc"), by);
    ck_assert_str_eq(by, "a_b_c");
    memset(long_name, 'x', sizeof long_name);
    doclog_author((struct slice){long_name, sizeof long_name}, by);
    ck_assert_uint_eq(strlen(by), DOCLOG_BY_MAX);
}
END_TEST

static const struct { const char *what; struct doc_seen seen; enum doc_act act; int64_t next, back; } cases[] = {
    {"nobody knows it", {.is = DOC_MISSING}, DOC_FORGET, 1, 0},
    {"first", {.is = DOC_BYTES, .valid = true, .sha = SHA_A}, DOC_LOG, 1, 0},
    {"as it was", {.is = DOC_BYTES, .valid = true, .sha = SHA_A, .ver = 3, .meta_sha = SHA_A, .state = DOC_LIVE}, DOC_KEEP, 4, 3},
    {"another", {.is = DOC_BYTES, .valid = true, .sha = SHA_B, .ver = 3, .meta_sha = SHA_A, .state = DOC_LIVE}, DOC_LOG, 4, 3},
    {"no document", {.is = DOC_BYTES, .sha = SHA_B, .ver = 3, .meta_sha = SHA_B, .state = DOC_INVALID}, DOC_KEEP, 4, 3},
    {"back by itself", {.is = DOC_BYTES, .valid = true, .sha = SHA_A, .ver = 3, .meta_sha = SHA_A, .state = DOC_RETIRED}, DOC_NOTE_STATE, 4, 3},
    {"deleted", {.is = DOC_MISSING, .ver = 3, .meta_sha = SHA_A, .state = DOC_LIVE}, DOC_RESTORE, 4, 3},
    {"retired", {.is = DOC_MISSING, .ver = 3, .meta_sha = SHA_A, .state = DOC_RETIRED}, DOC_FORGET, 4, 3},
    {"retired, remembered", {.is = DOC_MISSING, .ver = 3, .state = DOC_RETIRED, .held_ver = 3, .held_live = true, .held_bytes = true},
     DOC_FORGET, 4, 3},
    {"flushed", {.is = DOC_MISSING, .held_ver = 3, .held_live = true, .held_bytes = true}, DOC_RESTORE, 4, 3},
    {"deleted, and another controller logged since", {.is = DOC_MISSING, .ver = 5, .meta_sha = SHA_A, .state = DOC_LIVE, .held_ver = 3,
                                                      .held_live = true, .held_bytes = true}, DOC_RESTORE, 6, 5},
    {"flushed, too big to remember", {.is = DOC_MISSING, .held_ver = 3, .held_live = true}, DOC_NOTE_VANISHED, 4, 0},
    {"no document, deleted", {.is = DOC_MISSING, .ver = 3, .meta_sha = SHA_A, .state = DOC_INVALID}, DOC_NOTE_VANISHED, 4, 3},
    {"gone, and noted", {.is = DOC_MISSING, .ver = 3, .meta_sha = SHA_A, .state = DOC_VANISHED}, DOC_FORGET, 4, 3},
    {"another type", {.is = DOC_OTHER_TYPE, .ver = 3, .meta_sha = SHA_A, .state = DOC_LIVE}, DOC_LEAVE, 4, 3},
    {"lost by a failover", {.is = DOC_BYTES, .valid = true, .sha = SHA_A, .ver = 2, .meta_sha = SHA_A, .state = DOC_LIVE, .held_ver = 3,
                            .held_sha = SHA_B, .held_live = true, .held_bytes = true}, DOC_REPUBLISH, 4, 3},
    {"lost, and written since", {.is = DOC_BYTES, .valid = true, .sha = "c", .ver = 2, .meta_sha = SHA_A, .state = DOC_LIVE, .held_ver = 3,
                                 .held_sha = SHA_B, .held_live = true, .held_bytes = true}, DOC_LOG, 4, 3},
    {"cfgmeta deleted", {.is = DOC_BYTES, .valid = true, .sha = SHA_B, .held_ver = 3, .held_sha = SHA_B, .held_live = true,
                         .held_bytes = true}, DOC_LOG, 4, 3},
};

START_TEST(test_decisions)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *because = NULL;

        ck_assert_msg(doclog_decide(&cases[i].seen, &because) == cases[i].act, "%s: %s", cases[i].what, because);
        ck_assert_int_eq(doclog_next_version(&cases[i].seen), cases[i].next);
        ck_assert_int_eq(doclog_back_version(&cases[i].seen), cases[i].back);
        ck_assert(because[0]);
    }
}
END_TEST

/* Whatever is seen: what was retired and is gone is never brought back, bytes that nobody logged are never written over. */
START_TEST(test_never)
{
    for (unsigned n = 0; n < 3 * 5 * 2 * 2 * 2 * 2 * 3 * 3; n++) {
        unsigned x = n;
        struct doc_seen s = {.sha = SHA_A};
        const char *because;
        enum doc_act act;

        s.is = x % 3, x /= 3;
        s.state = (enum doc_state)(x % 5), x /= 5;
        s.valid = x % 2, x /= 2;
        s.held_live = x % 2, x /= 2;
        s.held_bytes = x % 2, x /= 2;
        memcpy(s.meta_sha, x % 2 ? SHA_A : SHA_B, sizeof s.meta_sha), x /= 2;
        s.ver = x % 3, x /= 3;
        s.held_ver = x % 3;
        act = doclog_decide(&s, &because);
        if (s.is == DOC_MISSING && s.state == DOC_RETIRED)
            ck_assert_int_eq(act, DOC_FORGET);
        if (s.is == DOC_BYTES && strcmp(s.sha, s.meta_sha) != 0)
            ck_assert_int_eq(act, DOC_LOG);
        if (s.is != DOC_MISSING)
            ck_assert(act != DOC_RESTORE && act != DOC_NOTE_VANISHED);
        if (act == DOC_RESTORE)
            ck_assert_int_gt(doclog_back_version(&s), 0);
    }
}
END_TEST

SUITE(doclog, test_entries, test_entries_that_are_none, test_authors, test_decisions, test_never)

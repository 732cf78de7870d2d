/* Batches: whole or not at all, a torn end told from a damaged middle. */
#include "common/text/log_frame.h"

#include "tests/support/suite.h"

#include <string.h>

static const uint8_t key[16] = "a key of a test";

static struct log_header header(enum log_kind kind)
{
    struct log_header h = {.kind = kind, .owner = "test", .generation = 7, .bytes = 0};

    memcpy(h.key, key, sizeof h.key);
    return h;
}

static void batch(struct str *out, uint64_t seq, const char *a, const char *b)
{
    struct str body = {0};

    log_record_put(&body, 1, slice_z(a));
    if (b)
        log_record_put(&body, 2, slice_z(b));
    log_batch_put(key, seq, (struct slice){body.p, body.len}, out);
    str_fini(&body);
}

static int note(void *arg, uint64_t seq, uint8_t type, struct slice bytes, struct err *e)
{
    (void)e;
    str_printf(arg, "%llu:%u:%.*s ", (unsigned long long)seq, type, (int)bytes.len, bytes.p);
    return 0;
}

static int walk(const struct str *file, size_t len, bool strict, struct str *told, struct log_walk *w, struct err *e)
{
    struct log_header h;

    str_clear(told);
    *w = (struct log_walk){.record = note, .arg = told};
    ck_assert_int_eq(log_header_get((struct slice){file->p, len}, &h, e), 0);
    return log_walk((struct slice){file->p, len}, &h, 1, strict, w, e);
}

static void three(struct str *file, size_t end[4])
{
    struct log_header h = header(LOG_KIND_LOG);

    log_header_put(&h, file);
    end[0] = file->len;
    batch(file, 1, "one", "two");
    end[1] = file->len;
    batch(file, 3, "three", NULL);
    end[2] = file->len;
    batch(file, 4, "four", "five");
    end[3] = file->len;
}

START_TEST(reads_what_was_written)
{
    struct str file = {0}, told = {0};
    struct log_header h;
    struct log_walk w;
    struct err e;
    size_t end[4];

    three(&file, end);
    ck_assert_uint_eq(end[0], LOG_HEADER_BYTES);
    ck_assert_int_eq(walk(&file, file.len, true, &told, &w, &e), 0);
    ck_assert_str_eq(str_c(&told), "1:1:one 2:2:two 3:1:three 4:1:four 5:2:five ");
    ck_assert_uint_eq(w.next_seq, 6);
    ck_assert_uint_eq(w.good, file.len);
    ck_assert_int_eq(log_header_get((struct slice){file.p, file.len}, &h, &e), 0);
    ck_assert_uint_eq(h.generation, 7);
    ck_assert_str_eq(h.owner, "test");
    str_fini(&file);
    str_fini(&told);
}
END_TEST

START_TEST(every_cut_is_a_torn_end)
{
    struct str file = {0}, told = {0};
    struct log_walk w;
    struct err e;
    size_t end[4];

    three(&file, end);
    for (size_t n = end[0]; n <= end[3]; n++) {
        int whole = (n >= end[1]) + (n >= end[2]) + (n >= end[3]);

        ck_assert_msg(walk(&file, n, false, &told, &w, &e) == 0, "%zu: %s", n, e.text);
        ck_assert_uint_eq(w.good, end[whole]);
        ck_assert_int_eq(walk(&file, n, true, &told, &w, &e), n == end[whole] ? 0 : ERR_VERIFY);
    }
    str_fini(&file);
    str_fini(&told);
}
END_TEST

START_TEST(every_changed_byte_is_seen)
{
    struct str file = {0}, told = {0};
    struct log_header h;
    struct log_walk w;
    struct err e;
    size_t end[4];

    three(&file, end);
    for (size_t i = 0; i < file.len; i++) {
        int rc;

        file.p[i] ^= 0x20;
        if (i < LOG_HEADER_BYTES)
            ck_assert_int_lt(log_header_get((struct slice){file.p, file.len}, &h, &e), 0);
        else {
            rc = walk(&file, file.len, false, &told, &w, &e);
            if (i < end[2]) {            /* a good batch follows: what is bad had been synced */
                ck_assert_int_eq(rc, ERR_VERIFY);
                ck_assert_ptr_nonnull(strstr(e.text, i < end[1] ? "byte 64" : "byte "));
            } else {
                ck_assert_int_eq(rc, 0);
                ck_assert_uint_eq(w.good, end[2]);
            }
        }
        file.p[i] ^= 0x20;
    }
    str_fini(&file);
    str_fini(&told);
}
END_TEST

START_TEST(a_batch_of_another_place_is_refused)
{
    struct str file = {0}, told = {0};
    struct log_header h = header(LOG_KIND_LOG);
    struct log_walk w;
    struct err e;

    log_header_put(&h, &file);
    batch(&file, 1, "one", NULL);
    batch(&file, 1, "one", NULL);        /* the same again */
    ck_assert_int_eq(walk(&file, file.len, false, &told, &w, &e), ERR_VERIFY);
    ck_assert_ptr_nonnull(strstr(e.text, "record 1 follows where 2 is wanted"));
    str_fini(&file);
    str_fini(&told);
}
END_TEST

SUITE(log_frame, reads_what_was_written, every_cut_is_a_torn_end, every_changed_byte_is_seen,
      a_batch_of_another_place_is_refused)

/* Answers wait on disk while there is no directory, and are found again. */
#include "agent/shell/acks.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <cjson/cJSON.h>
#include <string.h>

static const struct docname doc = {"files", "web"};

static int64_t seq_on_disk(struct scene *s)
{
    cJSON *t = cJSON_Parse(scene_read(s, "state/ackq/files/web"));
    int64_t seq;

    ck_assert_ptr_nonnull(t);
    seq = (int64_t)cJSON_GetObjectItemCaseSensitive(t, "seq")->valuedouble;
    cJSON_Delete(t);
    return seq;
}

START_TEST(test_kept_until_delivered)
{
    struct scene s;
    struct acks *a;
    struct ack k = {.sha = "aa", .status = ACK_CHECK_FAILED, .why = "it said \"no\" \xff\xfe", .took_ms = 5, .wall_ms = 9,
                    .lines_added = 2, .lines_removed = 1};
    int64_t first;
    cJSON *t;

    scene_init(&s);
    a = acks_new(s.state, "n1");
    ck_assert_uint_eq(acks_waiting(a), 0);
    acks_put(a, &doc, &k, NULL);
    ck_assert_uint_eq(acks_waiting(a), 1);
    t = cJSON_Parse(scene_read(&s, "state/ackq/files/web"));
    ck_assert_str_eq(cJSON_GetObjectItemCaseSensitive(t, "st")->valuestring, "check_failed");
    ck_assert_str_eq(cJSON_GetObjectItemCaseSensitive(t, "err")->valuestring, "it said \"no\" ??");
    ck_assert_int_eq(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(t, "diff"), "+")->valueint, 2);
    cJSON_Delete(t);
    first = seq_on_disk(&s);
    acks_put(a, &doc, &k, NULL);
    ck_assert_int_eq(seq_on_disk(&s), first);          /* the same answer */
    k.status = ACK_OK;
    k.why = "";
    acks_put(a, &doc, &k, NULL);
    ck_assert_int_gt(seq_on_disk(&s), first);
    first = seq_on_disk(&s);
    acks_free(a);
    a = acks_new(s.state, "n1");
    ck_assert_uint_eq(acks_waiting(a), 1);
    acks_put(a, &doc, &k, NULL);
    ck_assert_int_gt(seq_on_disk(&s), first);          /* numbers never go down, not even over a restart */
    acks_forget(a, &doc);
    ck_assert_uint_eq(acks_waiting(a), 0);
    ck_assert(!scene_has(&s, "state/ackq/files/web"));
    acks_free(a);
    scene_fini(&s);
}
END_TEST

START_TEST(test_torn_files_are_dropped)
{
    struct scene s;
    struct acks *a;

    scene_init(&s);
    scene_write(&s, "state/ackq/files/web", "{\"sha\":");
    a = acks_new(s.state, "n1");
    ck_assert_uint_eq(acks_waiting(a), 0);
    ck_assert(!scene_has(&s, "state/ackq/files/web"));
    acks_free(a);
    scene_fini(&s);
}
END_TEST

SUITE(acks, test_kept_until_delivered, test_torn_files_are_dropped)

/* Metrics as Prometheus reads them; events looked up and listed. */
#include "common/text/event.h"
#include "common/text/metric.h"
#include "tests/support/suite.h"

#include <math.h>
#include <string.h>

static void read_one(const void *from, struct str *out, const struct metric *m)
{
    metric_sample(out, m, NULL, *(const double *)from);
}

static void read_labels(const void *from, struct str *out, const struct metric *m)
{
    const char *const a[] = {"group", "o\"r\\d\n", "role", "primary", NULL};
    const char *const none[] = {NULL};

    (void)from;
    metric_sample(out, m, a, 1e15);
    metric_sample(out, m, none, INFINITY);
}

static void read_nothing(const void *from, struct str *out, const struct metric *m)
{
    (void)from, (void)out, (void)m;
}

static const struct metric rows[] = {
    {"x_total", METRIC_COUNTER, "How\nmany \\.", read_one},
    {"y", METRIC_GAUGE, "Which.", read_labels},
    {"z", METRIC_GAUGE, "Not there now.", read_nothing},
};

START_TEST(test_rendering)
{
    struct str out = {0};
    double v = 0.25;

    metric_render(rows, 3, &v, &out);
    ck_assert_str_eq(str_c(&out), "# HELP x_total How\\nmany \\\\.\n# TYPE x_total counter\nx_total 0.25\n"
                                  "# HELP y Which.\n# TYPE y gauge\n"
                                  "y{group=\"o\\\"r\\\\d\\n\",role=\"primary\"} 1000000000000000\ny +Inf\n");
    str_clear(&out);
    metric_markdown(rows + 2, 1, &out);
    ck_assert_ptr_nonnull(strstr(out.p, "| `z` | gauge | Not there now. |\n"));
    str_fini(&out);
}
END_TEST

START_TEST(test_events)
{
    static const struct op_event events[] = {{"+sdown", 3, "<who>", "Silent for too long."}, {"-sdown", 2, NULL, "Back."}};
    struct str out = {0};

    ck_assert_ptr_eq(op_event_find(events, 2, "-sdown"), &events[1]);
    ck_assert_ptr_null(op_event_find(events, 2, "sdown"));
    op_event_markdown(events, 2, &out);
    ck_assert_ptr_nonnull(strstr(out.p, "| `+sdown` | warning | `<who>` | Silent for too long. |\n"));
    ck_assert_ptr_nonnull(strstr(out.p, "| `-sdown` | notice | `` | Back. |\n"));
    str_fini(&out);
}
END_TEST

SUITE(metric_event, test_rendering, test_events)

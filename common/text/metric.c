/* Prometheus text. A metric without samples at this moment leaves no header behind. */
#include "common/text/metric.h"

#include "common/base/num.h"

#include <math.h>

static void put_escaped(struct str *out, const char *z, bool in_label)
{
    for (; *z; z++) {
        if (*z == '\\')
            str_append_z(out, "\\\\");
        else if (*z == '\n')
            str_append_z(out, "\\n");
        else if (*z == '"' && in_label)
            str_append_z(out, "\\\"");
        else
            str_append_c(out, *z);
    }
}

void metric_sample(struct str *out, const struct metric *m, const char *const *labels, double value)
{
    char digits[NUM_F64_MAX];

    str_append_z(out, m->name);
    if (labels && labels[0]) {
        for (size_t i = 0; labels[i]; i += 2) {
            str_append_c(out, i ? ',' : '{');
            str_append_z(out, labels[i]);
            str_append_z(out, "=\"");
            put_escaped(out, labels[i + 1], true);
            str_append_c(out, '"');
        }
        str_append_c(out, '}');
    }
    if (isinf(value))
        str_append_z(out, value > 0 ? " +Inf" : " -Inf");
    else if (isnan(value))
        str_append_z(out, " NaN");
    else {
        num_put_f64(digits, value);
        str_append_c(out, ' ');
        str_append_z(out, digits);
    }
    str_append_c(out, '\n');
}

void metric_render(const struct metric *rows, size_t n, const void *from, struct str *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t start = out->len, body;

        str_printf(out, "# HELP %s ", rows[i].name);
        put_escaped(out, rows[i].help, false);
        str_printf(out, "\n# TYPE %s %s\n", rows[i].name, rows[i].type == METRIC_COUNTER ? "counter" : "gauge");
        body = out->len;
        rows[i].read(from, out, &rows[i]);
        if (out->len == body)
            str_cut(out, start);
    }
}

void metric_markdown(const struct metric *rows, size_t n, struct str *out)
{
    str_append_z(out, "| metric | type | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        str_printf(out, "| `%s` | %s | %s |\n", rows[i].name, rows[i].type == METRIC_COUNTER ? "counter" : "gauge",
                   rows[i].help);
}

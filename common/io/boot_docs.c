/* The reference page: directives, commands, metrics, events, each out of its table. */
#include "common/io/boot_docs.h"

#include <stdio.h>

void boot_print_docs(const struct boot_spec *spec)
{
    struct str out = {0};

    str_printf(&out, "# %s\n\n%s\n", spec->program, spec->summary ? spec->summary : "");
    str_append_z(&out, "\n## Directives\n\n");
    option_markdown(spec->options, &out);
    for (int i = 0; i < 4 && spec->more[i].title; i++) {
        str_printf(&out, "\n## %s\n\n", spec->more[i].title);
        option_markdown(spec->more[i].options, &out);
    }
    if (spec->commands) {
        struct command_table t;
        command_table_init(&t);
        spec->commands(&t);
        str_append_z(&out, "\n## Commands\n\n");
        command_markdown(&t, &out);
        command_table_fini(&t);
    }
    if (spec->nmetrics) {
        str_append_z(&out, "\n## Metrics\n\n");
        metric_markdown(spec->metrics, spec->nmetrics, &out);
    }
    if (spec->nevents) {
        str_append_z(&out, "\n## Events\n\n");
        op_event_markdown(spec->events, spec->nevents, &out);
    }
    fwrite(out.p, 1, out.len, stdout);
    str_fini(&out);
}

void boot_print_sample(const struct boot_spec *spec)
{
    struct str out = {0};

    option_sample(spec->options, &out);
    fwrite(str_c(&out), 1, out.len, stdout);
    str_fini(&out);
}

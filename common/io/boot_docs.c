/* The reference page: directives, commands, metrics, events, each out of its table. */
#include "common/io/boot_docs.h"

#include "common/base/words.h"
#include "common/text/man_page.h"

#include <stdio.h>

static void reference(const struct boot_spec *spec, struct str *into)
{
    struct str out = {0};

    str_append_z(&out, "\n## Directives\n\n");
    option_markdown(spec->options, &out);
    for (int i = 0; i < 4 && spec->more[i].title; i++) {
        str_printf(&out, "\n## %s\n\n", spec->more[i].title);
        option_markdown(spec->more[i].options, &out);
    }
    if (spec->more_docs)
        spec->more_docs(&out);
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
    str_append(into, out.p, out.len);
    str_fini(&out);
}

void boot_print_docs(const struct boot_spec *spec)
{
    struct str out = {0};

    str_printf(&out, "# %s\n\n%s\n", spec->program, spec->summary ? spec->summary : "");
    reference(spec, &out);
    fwrite(out.p, 1, out.len, stdout);
    str_fini(&out);
}

void boot_print_man(const struct boot_spec *spec)
{
    struct man_page p = {spec->program, "8", KVORUM_VERSION, spec->summary ? spec->summary : ""};
    struct str md = {0}, out = {0};

    str_append_z(&md, "## Synopsis\n\n");
    boot_usage(spec, &md);
    str_append_z(&md, "\n## Options\n\n| option | what it does |\n|---|---|\n");
    boot_questions(&md);
    str_append_z(&md, "\nDirectives are those of the configuration file; the command line has the last word.\n");
    reference(spec, &md);
    str_append_z(&md, "\n## Signals\n\n`SIGTERM` and `SIGINT` stop it. A primary of a formed group hands over first, kvorum-agent lets its services\n"
                      "drain; a second signal does not wait. `SIGHUP` opens `logfile` again after a rotation; kvorum-agent also reads all\n"
                      "documents again. None of them reads the configuration again.\n");
    str_append_z(&md, "\n## Exit status\n\n0: asked to stop, or asked a question and answered. 1: it could not start; one line on standard error\n"
                      "(and in the log) says why.\n\n## See also\n\n**kvnode**(8), **kvorum-sentinel**(8), **kvorum-agent**(8), **kvorumctl**(1)\n");
    man_page(&p, (struct slice){str_c(&md), md.len}, &out);
    fwrite(out.p, 1, out.len, stdout);
    str_fini(&md);
    str_fini(&out);
}

void boot_print_sample(const struct boot_spec *spec)
{
    struct str out = {0};

    option_sample(spec->options, &out);
    fwrite(str_c(&out), 1, out.len, stdout);
    str_fini(&out);
}

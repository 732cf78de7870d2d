/* The tables of verbs and options, read aloud. */
#include "sentinel/ctl/manual.h"

#include "common/base/str.h"
#include "common/base/words.h"
#include "common/text/man_page.h"
#include "sentinel/ctl/flags.h"

#include <string.h>

static const char exit_codes[] = "0 done, 1 failed, 2 wrong usage, 3 no sentinel could be reached, 4 refused,\n"
                                 "5 not seen to happen in time, 6 (status, explain, peers, config status) something is not well.";

void manual_usage(FILE *f, const struct verb *only)
{
    if (only)
        fprintf(f, "kvorumctl %s %s\n\n%s\n%s\n", only->name, only->syntax, only->summary, only->help);
    else {
        fprintf(f, "kvorumctl [options] <verb> ...\n\nThe operator's view of Kvorum, from one sentinel's address.\n\n");
        for (size_t i = 0; i < verbs_n; i++)
            fprintf(f, "  %-10s %s\n             %s\n", verbs[i].name, verbs[i].syntax, verbs[i].summary);
        fprintf(f, "\n`kvorumctl <verb> --help` says more.\n");
    }
    fprintf(f, "\nOptions (or the variable of the environment):\n");
    for (size_t i = 0; i < ctl_flags_n; i++) {
        char left[80];

        snprintf(left, sizeof left, "%s%s%s%s%s", ctl_flags[i].name, ctl_flags[i].alias ? ", " : "",
                 ctl_flags[i].alias ? ctl_flags[i].alias : "", !ctl_flags[i].arg || *ctl_flags[i].arg == '=' ? "" : " ",
                 ctl_flags[i].arg ? ctl_flags[i].arg : "");
        fprintf(f, "  %-32s %s%s%s%s\n", left, ctl_flags[i].summary, ctl_flags[i].env ? " [" : "",
                ctl_flags[i].env ? ctl_flags[i].env : "", ctl_flags[i].env ? "]" : "");
    }
    fprintf(f, "  %-32s %s\n  %-32s %s\n  %-32s %s\n\n", "-h, --help", "this, or more about one verb", "--version", "the version",
            "--print-man, --print-completion", "the manual page; completion for bash, to be sourced");
    fprintf(f, "Exit codes: %s\n", exit_codes);
}

static void put_flag_row(struct str *md, const struct flag *f)
{
    const char *arg = f->arg ? f->arg : "";

    str_append_z(md, "| ");
    for (const char *name = f->name; name; name = name == f->name ? f->alias : NULL) {
        str_printf(md, "%s`%s%s", name == f->name ? "" : ", ", name, !*arg || *arg == '=' ? "" : " ");
        for (const char *c = arg; *c; c++) {
            if (*c == '|')
                str_append_c(md, '\\');
            str_append_c(md, *c);
        }
        str_append_c(md, '`');
    }
    str_printf(md, " | %s%s%s%s |\n", f->summary, f->env ? " (environment: `" : "", f->env ? f->env : "", f->env ? "`)" : "");
}

static void print_man(void)
{
    static const struct man_page page = {"kvorumctl", "1", KVORUM_VERSION, "the operator's view of Kvorum, from one sentinel's address"};
    struct str md = {0}, out = {0};

    str_append_z(&md, "## Synopsis\n\n    kvorumctl [options] <verb> ...\n\n## Verbs\n\n");
    for (size_t i = 0; i < verbs_n; i++)
        str_printf(&md, "### %s %s\n\n%s\n%s\n\n", verbs[i].name, verbs[i].syntax, verbs[i].summary, verbs[i].help);
    str_append_z(&md, "## Options\n\nThey may stand anywhere.\n\n| option | what it does |\n|---|---|\n");
    for (size_t i = 0; i < ctl_flags_n; i++)
        put_flag_row(&md, &ctl_flags[i]);
    str_append_z(&md, "| `-h`, `--help` | this in short, or more about one verb |\n| `--version` | the version |\n"
                      "| `--print-man` | this page |\n| `--print-completion` | completion for bash, to be sourced |\n");
    str_printf(&md, "\n## Exit status\n\n%s\n\n## See also\n\n**kvnode**(8), **kvorum-sentinel**(8), **kvorum-agent**(8)\n", exit_codes);
    man_page(&page, (struct slice){str_c(&md), md.len}, &out);
    fwrite(str_c(&out), 1, out.len, stdout);
    str_fini(&md);
    str_fini(&out);
}

/* Verbs as the first word that is no option, options anywhere. */
static void print_completion(void)
{
    printf("# bash completion for kvorumctl, printed by kvorumctl --print-completion\n"
           "_kvorumctl()\n{\n    local word=${COMP_WORDS[COMP_CWORD]} verb= i\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case ${COMP_WORDS[i]} in\n        ");
    bool some = false;
    for (size_t i = 0; i < ctl_flags_n; i++)
        if (ctl_flags[i].arg && *ctl_flags[i].arg != '=') {
            printf("%s%s", some ? "|" : "", ctl_flags[i].name);
            if (ctl_flags[i].alias)
                printf("|%s", ctl_flags[i].alias);
            some = true;
        }
    printf(") ((i++));;\n        -*) ;;\n        *) verb=${COMP_WORDS[i]}; break;;\n        esac\n    done\n"
           "    if [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < ctl_flags_n; i++)
        printf("%s%s%s%s", i ? " " : "", ctl_flags[i].name, ctl_flags[i].alias ? " " : "", ctl_flags[i].alias ? ctl_flags[i].alias : "");
    printf(" --help --version' -- \"$word\"))\n    elif [[ -z $verb ]]; then\n        COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < verbs_n; i++)
        printf("%s%s", i ? " " : "", verbs[i].name);
    printf("' -- \"$word\"))\n    else\n        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}\n"
           "complete -F _kvorumctl kvorumctl\n");
}

bool manual_asked(const char *word)
{
    bool man = strcmp(word, "--print-man") == 0, completion = strcmp(word, "--print-completion") == 0;

    if (man)
        print_man();
    if (completion)
        print_completion();
    return man || completion;
}

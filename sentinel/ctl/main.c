/* kvorumctl: the operator's program. It knows one sentinel's address and finds the
 * rest from there. Options are read first (flags.c), then a verb of the table (verbs.c) runs. */
#include "common/base/mem.h"
#include "common/base/words.h"
#include "common/io/signals.h"
#include "sentinel/ctl/flags.h"
#include "sentinel/ctl/manual.h"

#include <stdio.h>
#include <string.h>

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < verbs_n; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct ctl c = {.timeout_ms = 2000};
    const struct verb *v = NULL;
    char **words = mem_zalloc((size_t)(argc + 1) * sizeof *words);
    bool help = false;
    int n, rc = EXIT_USAGE;

    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("kvorumctl %s\n", KVORUM_VERSION);
        mem_free(words);
        return EXIT_OK_;
    }
    if (argc == 2 && manual_asked(argv[1])) {
        mem_free(words);
        return EXIT_OK_;
    }
    if (flags_from_env(&c) != 0 || (n = flags_read(&c, argc, argv, words, &help)) < 0)
        goto out;
    v = n > 0 ? find_verb(words[0]) : NULL;
    if (help) {
        manual_usage(stdout, v);
        rc = EXIT_OK_;
        goto out;
    }
    if (!v) {
        if (n > 0)
            ctl_say("no verb is called '%s'; see kvorumctl --help", words[0]);
        else
            manual_usage(stderr, NULL);
        goto out;
    }
    if (!v->tables && (c.output == OUT_JSONL || c.output == OUT_TSV)) {
        ctl_say("%s prints text or json, not lines for programs", v->name);
        goto out;
    }
    if (n - 1 < v->min_args || n - 1 > v->max_args) {
        ctl_say("usage: kvorumctl %s %s", v->name, v->syntax);
        goto out;
    }
    if (c.nsentinels == 0)
        c.nsentinels = addr_set(&c.sentinels[0], "127.0.0.1", 9, 26379);
    signals_ignore_pipe();
    c.loop = loop_new();
    c.resolver = resolver_new(c.loop);
    rc = v->run(&c, n - 1, words + 1);
    conn_close(c.sentinel);
    resolver_free(c.resolver);
    loop_run_once(c.loop, false);
    loop_free(c.loop);
out:
    mem_free(words);
    return rc;
}

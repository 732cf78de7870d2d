/* kvorumctl: the operator's program. It knows one sentinel's address and finds the
 * rest from there. Words in front of, behind and between the verb's words are the
 * same options everywhere; each also has a variable of the environment. */
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/words.h"
#include "common/io/signals.h"
#include "sentinel/ctl/ctl.h"
#include "sentinel/ctl/manual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static char asked_password[256];

static int take_sentinel(struct ctl *c, const char *v)
{
    while (*v) {
        size_t n = strcspn(v, ", ");
        struct addr a;

        if (n > 0) {
            if (c->nsentinels == CTL_SENTINELS_MAX)
                return -1;
            if (!addr_parse(v, n, &a) && !addr_set(&a, v, n, 26379))
                return -1;
            c->sentinels[c->nsentinels++] = a;
        }
        v += n + (v[n] != '\0');
    }
    return 0;
}

static int take_user(struct ctl *c, const char *v) { c->user = v; return 0; }
static int take_password(struct ctl *c, const char *v) { c->password = v; return 0; }
static int take_node_user(struct ctl *c, const char *v) { c->node_user = v; return 0; }
static int take_node_password(struct ctl *c, const char *v) { c->node_password = v; return 0; }
static int take_directory(struct ctl *c, const char *v) { c->directory = v; return 0; }
static int take_no_wait(struct ctl *c, const char *v) { (void)v; c->no_wait = true; return 0; }

static int take_output(struct ctl *c, const char *v)
{
    static const char *const words[] = {[OUT_TEXT] = "text", [OUT_JSON] = "json", [OUT_JSONL] = "jsonl", [OUT_TSV] = "tsv"};
    int n = strcmp(v, "table") == 0 ? OUT_TEXT : 0;

    while (strcmp(v, "table") != 0 && n <= OUT_TSV && strcmp(v, words[n]) != 0)
        n++;
    c->output = (enum ctl_output)n;
    c->json = c->output == OUT_JSON;
    return n <= OUT_TSV ? 0 : -1;
}

static int take_if_sha(struct ctl *c, const char *v)
{
    c->if_sha = v;
    return strcmp(v, "absent") == 0 || (strlen(v) >= 8 && strlen(v) <= 64 && strspn(v, "0123456789abcdef") == strlen(v)) ? 0 : -1;
}

static int take_by(struct ctl *c, const char *v) { c->by = v; return *v ? 0 : -1; }
static int take_yes(struct ctl *c, const char *v) { (void)v; c->yes = true; return 0; }

static int take_wait(struct ctl *c, const char *v)
{
    c->wait = true;
    c->wait_ms = 30000;
    return !*v || (num_duration(v, strlen(v), 1000, &c->wait_ms) && c->wait_ms >= 0) ? 0 : -1;
}

static int take_timeout(struct ctl *c, const char *v)
{
    return num_duration(v, strlen(v), 1000, &c->timeout_ms) && c->timeout_ms >= 10 ? 0 : -1;
}

static int take_watch(struct ctl *c, const char *v)
{
    c->watch_ms = 2000;
    return !*v || (num_duration(v, strlen(v), 1000, &c->watch_ms) && c->watch_ms >= 100) ? 0 : -1;
}

static int take_askpass(struct ctl *c, const char *v)
{
    struct termios was, quiet;
    bool tty = tcgetattr(0, &was) == 0;

    (void)v;
    if (tty) {
        quiet = was;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(0, TCSAFLUSH, &quiet);
        fputs("Password: ", stderr);
    }
    bool got = fgets(asked_password, sizeof asked_password, stdin);
    if (tty) {
        tcsetattr(0, TCSAFLUSH, &was);
        fputc('\n', stderr);
    }
    if (!got)
        return -1;
    asked_password[strcspn(asked_password, "\r\n")] = '\0';
    c->password = asked_password;
    return 0;
}

const struct flag ctl_flags[] = {
    {"-s", "--sentinel", "host:port[,...]", "KVORUM_SENTINEL", "sentinels to ask, the first that answers is taken (127.0.0.1:26379)", take_sentinel},
    {"-a", "--pass", "password", "KVORUM_PASSWORD", "password of the sentinel", take_password},
    {"--askpass", NULL, NULL, NULL, "read that password from the terminal", take_askpass},
    {"--user", NULL, "name", "KVORUM_USER", "user at the sentinel", take_user},
    {"-A", "--node-pass", "password", "KVORUM_NODE_PASSWORD", "password of the data nodes", take_node_password},
    {"--node-user", NULL, "name", "KVORUM_NODE_USER", "user at the data nodes", take_node_user},
    {"-d", "--directory", "group|host:port", "KVORUM_DIRECTORY", "the group that holds config:<type>:<component>, or host:port of its primary", take_directory},
    {"-o", "--output", "text|json|jsonl|tsv", "KVORUM_OUTPUT", "for people (text), or stable JSON for programs; lists also as JSON lines or tab-separated", take_output},
    {"-t", "--timeout", "time", "KVORUM_TIMEOUT", "limit for a connection and for each answer (2s)", take_timeout},
    {"--watch", NULL, "=seconds", NULL, "status, config watch: again and again (status each 2 s)", take_watch},
    {"--no-wait", NULL, NULL, NULL, "failover: do not wait for the new primary", take_no_wait},
    {"--wait", NULL, "=time", NULL, "config set, rollback: wait for the agents' answers (30s)", take_wait},
    {"--if-sha", NULL, "sha|absent", NULL, "config set, rollback: only while the document is this version", take_if_sha},
    {"--by", NULL, "who", "KVORUM_BY", "config set: who is written down as the author (the user who runs this)", take_by},
    {"--yes", NULL, NULL, NULL, "form, config retire: do it without asking again", take_yes},
};
const size_t ctl_flags_n = sizeof ctl_flags / sizeof ctl_flags[0];

/* One word that may be an option; *i moves over its value. 0: taken, 1: no option, -1: wrong. */
static int take_flag(struct ctl *c, int argc, char **argv, int *i)
{
    const char *word = argv[*i];

    for (size_t k = 0; k < ctl_flags_n; k++) {
        const struct flag *f = &ctl_flags[k];
        size_t n = f->alias && strncmp(word, f->alias, strlen(f->alias)) == 0 ? strlen(f->alias) : strlen(f->name);
        const char *value = NULL;

        if (strncmp(word, f->name, strlen(f->name)) != 0 && n == strlen(f->name))
            continue;
        if (word[n] == '=' && f->arg)
            value = word + n + 1;
        else if (word[n] != '\0')
            continue;
        else if (f->arg && *f->arg != '=') {
            if (*i + 1 >= argc) {
                ctl_say("%s needs a value: %s", word, f->arg);
                return -1;
            }
            value = argv[++*i];
        }
        if (f->take(c, value ? value : "") != 0) {
            ctl_say("'%s' is no value for %s (%s)", value ? value : "", word, f->arg ? f->arg : "none");
            return -1;
        }
        return 0;
    }
    return 1;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < verbs_n; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int from_env(struct ctl *c)
{
    for (size_t k = 0; k < ctl_flags_n; k++) {
        const char *v = ctl_flags[k].env ? getenv(ctl_flags[k].env) : NULL;

        if (v && *v && ctl_flags[k].take(c, v) != 0) {
            ctl_say("%s='%s' is no %s", ctl_flags[k].env, v, ctl_flags[k].arg);
            return -1;
        }
    }
    return 0;
}

/* Options may stand anywhere; what is left is the verb and its words. */
static int read_words(struct ctl *c, int argc, char **argv, char **words, bool *help)
{
    size_t from_environment = c->nsentinels;
    int n = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0 || (i == 1 && strcmp(argv[i], "help") == 0)) {
            *help = true;
            continue;
        }
        int rc = argv[i][0] == '-' && argv[i][1] ? take_flag(c, argc, argv, &i) : 1;
        if (rc < 0)
            return -1;
        if (rc == 0)
            continue;
        if (argv[i][0] == '-' && argv[i][1]) {
            ctl_say("no option is called %s; see kvorumctl --help", argv[i]);
            return -1;
        }
        words[n++] = argv[i];
    }
    if (c->nsentinels > from_environment) {      /* the command line replaces the environment */
        c->nsentinels -= from_environment;
        memmove(c->sentinels, c->sentinels + from_environment, c->nsentinels * sizeof c->sentinels[0]);
    }
    return n;
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
    if (from_env(&c) != 0 || (n = read_words(&c, argc, argv, words, &help)) < 0)
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
        (void)take_sentinel(&c, "127.0.0.1:26379");
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

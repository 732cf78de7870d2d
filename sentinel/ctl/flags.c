/* The options, and the words of the command line among them. */
#include "sentinel/ctl/flags.h"

#include "common/base/num.h"
#include "common/io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

static char asked_password[256], pass_file[256], node_pass_file[256];

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

/* The first line of a file: a mounted secret, a credential of systemd. */
static int first_line(const char *path, char *into, size_t cap)
{
    struct str text = {0};
    struct err e = {0};
    size_t n = 0;

    if (file_slurp(path, 65536, &text, &e) != 0)
        ctl_say("%s", e.text);
    else if ((n = strcspn(str_c(&text), "\r\n")) == 0 || n >= cap)
        ctl_say("%s: the first line is %s", path, n ? "too long" : "empty");
    if (n > 0 && n < cap) {
        memcpy(into, str_c(&text), n);
        into[n] = '\0';
    }
    str_fini(&text);
    return n > 0 && n < cap ? 0 : -1;
}

static int take_pass_file(struct ctl *c, const char *v)
{
    c->password = pass_file;
    return first_line(v, pass_file, sizeof pass_file);
}

static int take_node_pass_file(struct ctl *c, const char *v)
{
    c->node_password = node_pass_file;
    return first_line(v, node_pass_file, sizeof node_pass_file);
}

static int take_directory(struct ctl *c, const char *v) { c->directory = v; return 0; }
static int take_no_wait(struct ctl *c, const char *v) { (void)v; c->no_wait = true; return 0; }

static int take_output(struct ctl *c, const char *v)
{
    static const struct { const char *word; enum ctl_output how; } forms[] = {
        {"text", OUT_TEXT}, {"table", OUT_TEXT}, {"json", OUT_JSON}, {"jsonl", OUT_JSONL}, {"tsv", OUT_TSV},
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(v, forms[i].word) == 0) {
            c->output = forms[i].how;
            c->json = c->output == OUT_JSON;
            return 0;
        }
    return -1;
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
    {"--pass-file", NULL, "file", "KVORUM_PASSWORD_FILE", "that password is the first line of this file", take_pass_file},
    {"--askpass", NULL, NULL, NULL, "read that password from the terminal", take_askpass},
    {"--user", NULL, "name", "KVORUM_USER", "user at the sentinel", take_user},
    {"-A", "--node-pass", "password", "KVORUM_NODE_PASSWORD", "password of the data nodes", take_node_password},
    {"--node-pass-file", NULL, "file", "KVORUM_NODE_PASSWORD_FILE", "that password is the first line of this file", take_node_pass_file},
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

/* The length of the spelling of this option with which the word begins; 0: it is another one. */
static size_t called(const struct flag *f, const char *word)
{
    const char *const spellings[] = {f->name, f->alias};

    for (size_t i = 0; i < 2; i++) {
        size_t n = spellings[i] ? strlen(spellings[i]) : 0;

        if (n > 0 && strncmp(word, spellings[i], n) == 0 && (word[n] == '\0' || (word[n] == '=' && f->arg)))
            return n;
    }
    return 0;
}

static int take(struct ctl *c, const struct flag *f, const char *word, const char *value)
{
    if (f->take(c, value) == 0)
        return 0;
    ctl_say("'%s' is no value for %s (%s)", value, word, f->arg ? f->arg : "none");
    return -1;
}

/* One word that may be an option; *i moves over its value. 0: taken, 1: no option, -1: wrong. */
static int take_flag(struct ctl *c, int argc, char **argv, int *i)
{
    const char *word = argv[*i];

    for (size_t k = 0; k < ctl_flags_n; k++) {
        const struct flag *f = &ctl_flags[k];
        size_t n = called(f, word);

        if (n == 0)
            continue;
        if (word[n] == '=')
            return take(c, f, word, word + n + 1);
        if (!f->arg || *f->arg == '=')
            return take(c, f, word, "");
        if (*i + 1 >= argc) {
            ctl_say("%s needs a value: %s", word, f->arg);
            return -1;
        }
        return take(c, f, word, argv[++*i]);
    }
    return 1;
}

int flags_from_env(struct ctl *c)
{
    for (size_t k = 0; k < ctl_flags_n; k++) {
        const char *v = ctl_flags[k].env ? getenv(ctl_flags[k].env) : NULL;

        if (ctl_flags[k].take == take_pass_file || ctl_flags[k].take == take_node_pass_file)
            continue;              /* read only where no password is said: password_files() */
        if (v && *v && ctl_flags[k].take(c, v) != 0) {
            ctl_say("%s='%s' is no %s", ctl_flags[k].env, v, ctl_flags[k].arg);
            return -1;
        }
    }
    return 0;
}

/* The files that the environment names, for passwords that nobody has said otherwise. */
static int password_files(struct ctl *c)
{
    for (size_t k = 0; k < ctl_flags_n; k++) {
        const struct flag *f = &ctl_flags[k];
        const char *v = f->env ? getenv(f->env) : NULL;

        if (!v || !*v || !((f->take == take_pass_file && !c->password) || (f->take == take_node_pass_file && !c->node_password)))
            continue;
        if (f->take(c, v) != 0) {
            ctl_say("%s='%s' is no %s", f->env, v, f->arg);
            return -1;
        }
    }
    return 0;
}

int flags_read(struct ctl *c, int argc, char **argv, char **words, bool *help)
{
    size_t from_environment = c->nsentinels;
    bool only_words = false;       /* behind "--" */
    int n = 0, rc;

    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words) {
            words[n++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0 || (i == 1 && strcmp(argv[i], "help") == 0)) {
            *help = true;
            continue;
        }
        if (argv[i][0] != '-' || !argv[i][1]) {
            words[n++] = argv[i];
            continue;
        }
        rc = take_flag(c, argc, argv, &i);
        if (rc > 0)
            ctl_say("no option is called %s; see kvorumctl --help", argv[i]);
        if (rc != 0)
            return -1;
    }
    if (c->nsentinels > from_environment) {      /* the command line replaces the environment */
        c->nsentinels -= from_environment;
        memmove(c->sentinels, c->sentinels + from_environment, c->nsentinels * sizeof c->sentinels[0]);
    }
    if (!*help && password_files(c) != 0)
        return -1;
    return n;
}

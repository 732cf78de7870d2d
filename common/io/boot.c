/* From the command line to a process that is ready to build its server: what was asked
 * (answer and leave, or run), configuration in the order file, standard input, command
 * line, then the surroundings: background, folder, log, pidfile, limits.
 *
 * Errors go to standard error as one line with the program's name, exit code 1. */
#include "common/io/boot.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/vec.h"
#include "common/base/words.h"
#include "common/io/boot_docs.h"
#include "common/io/conf_file.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/signals.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#define FILES_WANTED (1u << 20)

static char pidfile_path[PATH_MAX];

/* What the words of the command line amount to. */
struct ask {
    const char *file;                /* NULL: none */
    bool use_stdin;
    bool check_only, docs, man, sample, help, version;
    VEC(char *) words;               /* --directive value ... */
};

/* A warning about an ignored directive, kept until the log is open. */
struct late {
    VEC(char *) lines;
};

static int fail(const struct boot_spec *spec, const struct err *e, int *exit_code)
{
    fprintf(stderr, "%s: %s\n", spec->program, e->text);
    *exit_code = 1;
    return -1;
}

/* --- the command line --- */

static const struct question { const char *word, *alias, *what; size_t where; } questions[] = {
    {"--check-config", NULL, "read the configuration, say what is wrong with it, and leave", offsetof(struct ask, check_only)},
    {"--print-docs", NULL, "the reference of directives, commands, metrics and events, as Markdown", offsetof(struct ask, docs)},
    {"--print-man", NULL, "the same as a manual page", offsetof(struct ask, man)},
    {"--print-sample", NULL, "a sample configuration file with comments", offsetof(struct ask, sample)},
    {"--version", "-v", "the version", offsetof(struct ask, version)},
    {"--help", "-h", "this text", offsetof(struct ask, help)},
};
#define NQUESTIONS (sizeof questions / sizeof questions[0])

static bool take_question(struct ask *a, const char *word)
{
    for (size_t i = 0; i < NQUESTIONS; i++)
        if (!strcmp(word, questions[i].word) || (questions[i].alias && !strcmp(word, questions[i].alias))) {
            *(bool *)((char *)a + questions[i].where) = true;
            return true;
        }
    return false;
}

/* FILE may stand first, or behind the questions; "-" stands first or last. An empty FILE is none. */
static void read_words(const struct boot_spec *spec, int argc, char **argv, struct ask *a)
{
    bool file_seen = false;

    for (int i = 1; i < argc; i++) {
        char *w = argv[i];
        if (spec->words_before && !strcmp(w, spec->words_before))
            continue;
        if (take_question(a, w))
            continue;
        if (!strcmp(w, "-") && (i == argc - 1 || (!file_seen && a->words.n == 0))) {
            a->use_stdin = true;
            file_seen = true;
        } else if (!file_seen && a->words.n == 0 && w[0] != '-') {
            a->file = w[0] ? w : NULL;
            file_seen = true;
        } else {
            vec_push(&a->words, w);
        }
    }
}

/* --- configuration --- */

static void ignored(void *arg, const char *name, const char *where)
{
    struct late *late = arg;
    struct str line = {0};

    str_printf(&line, "%s: '%s' is accepted and has no effect here", where, name);
    vec_push(&late->lines, str_take(&line));
}

static int load(const struct boot_spec *spec, const struct ask *a, struct late *late, struct err *e)
{
    struct conf_source s;
    int rc;

    rc = option_defaults(spec->options, spec->base, e);
    if (rc != 0)
        return rc;
    conf_source_init(&s, spec->options, spec->base);
    s.ignored = ignored;
    s.arg = late;
    if (a->file)
        rc = conf_file_load(a->file, &s, e);
    if (rc == 0 && a->use_stdin)
        rc = conf_file_load("-", &s, e);
    if (rc == 0 && a->words.n > 0) {
        /* the command line has the last word: a repeated directive begins anew */
        conf_source_fini(&s);
        conf_source_init(&s, spec->options, spec->base);
        s.ignored = ignored;
        s.arg = late;
        rc = conf_apply_args(&s, (int)a->words.n, a->words.at, e);
    }
    conf_source_fini(&s);
    if (rc == 0 && spec->check)
        rc = spec->check(spec->base, e);
    return rc;
}

/* --- surroundings --- */

static const char *text_at(const struct boot_spec *spec, size_t where)
{
    const char *p = where == SIZE_MAX ? NULL : *(char **)((char *)spec->base + where);

    return p && p[0] ? p : NULL;
}

static bool bool_at(const struct boot_spec *spec, size_t where)
{
    return where != SIZE_MAX && *(bool *)((char *)spec->base + where);
}

static void raise_file_limit(void)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        return;
    if (lim.rlim_cur < lim.rlim_max && lim.rlim_cur < FILES_WANTED) {
        lim.rlim_cur = lim.rlim_max < FILES_WANTED ? lim.rlim_max : FILES_WANTED;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
}

static int go_to_background(struct err *e)
{
    int null;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return err_sys(e, "'daemonize': fork");
    if (pid > 0)
        _exit(0);
    setsid();
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
    }
    return 0;
}

static int write_pidfile(const char *path, struct err *e)
{
    char line[32];
    int n = snprintf(line, sizeof line, "%d\n", (int)getpid());
    int fd, rc = file_absolute(path, pidfile_path, sizeof pidfile_path, e);

    if (rc != 0)
        return rc;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        pidfile_path[0] = '\0';
        return err_sys(e, "'pidfile': cannot write %s", path);
    }
    rc = file_write_all(fd, line, (size_t)n, e);
    close(fd);
    return rc;
}

/* Errors up to here reach the terminal; the log is tried before the terminal is left. */
static int surroundings(const struct boot_spec *spec, struct err *e)
{
    const char *dir = text_at(spec, spec->dir), *logfile = text_at(spec, spec->logfile);
    const char *pidfile = text_at(spec, spec->pidfile);
    const char *ident = text_at(spec, spec->syslog_ident);
    int rc;

    log_set_role(spec->log_role);
    if (spec->loglevel != SIZE_MAX)
        log_set_level((enum log_level)*(int *)((char *)spec->base + spec->loglevel));
    if (dir && chdir(dir) != 0)
        return err_sys(e, "'dir': cannot enter %s", dir);
    if (logfile && (rc = log_open_file(logfile, e)) != 0)
        return err_wrap(e, "'logfile'"), rc;
    if (bool_at(spec, spec->daemonize) && (rc = go_to_background(e)) != 0)
        return rc;
    if (bool_at(spec, spec->syslog_enabled))
        log_open_syslog(ident ? ident : spec->program, LOG_LOCAL0);
    if (pidfile) {
        struct err why;
        if (write_pidfile(pidfile, &why) != 0)      /* as with redis-server, not a reason to stay down */
            log_warning("%s", why.text);
    }
    raise_file_limit();
    signals_ignore_pipe();
    return 0;
}

static void seed_hash(void)
{
    uint8_t seed[16];

    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        for (size_t i = 0; i < sizeof seed; i++)
            seed[i] = (uint8_t)((getpid() >> (i % 4 * 8)) ^ i);
    }
    hash_seed(seed);
}

/* --- the whole --- */

void boot_usage(const struct boot_spec *spec, struct str *out)
{
    str_printf(out, "    %s %s [--directive value ...]\n    %s - [--directive value ...]      configuration from standard input\n",
               spec->program, spec->needs_file ? "FILE" : "[FILE]", spec->program);
}

void boot_questions(struct str *out)
{
    for (size_t i = 0; i < NQUESTIONS; i++)
        str_printf(out, "| `%s%s%s` | %s |\n", questions[i].alias ? questions[i].alias : "",
                   questions[i].alias ? "`, `" : "", questions[i].word, questions[i].what);
}

static void print_help(const struct boot_spec *spec)
{
    struct str use = {0};

    boot_usage(spec, &use);
    printf("%s %s - %s\n\nUsage:\n%s\n", spec->program, KVORUM_VERSION, spec->summary ? spec->summary : "", str_c(&use));
    for (size_t i = 0; i < NQUESTIONS; i++)
        printf("  %s%s%-*s %s\n", questions[i].alias ? questions[i].alias : "", questions[i].alias ? ", " : "",
               questions[i].alias ? 12 : 16, questions[i].word, questions[i].what);
    printf("\nDirectives are those of the configuration file. The command line has the last word.\n");
    str_fini(&use);
}

static bool answered(const struct boot_spec *spec, const struct ask *a)
{
    if (a->help)
        print_help(spec);
    else if (a->version)
        printf("%s v=%s compatible=%s bits=%d\n", spec->program, KVORUM_VERSION, COMPAT_VERSION,
               (int)(8 * sizeof(void *)));
    else if (a->docs)
        boot_print_docs(spec);
    else if (a->man)
        boot_print_man(spec);
    else if (a->sample)
        boot_print_sample(spec);
    else
        return false;
    return true;
}

static int prepare(const struct boot_spec *spec, const struct ask *a, struct late *late, struct boot *out,
                   struct err *e)
{
    char path[PATH_MAX];
    int rc;

    if (spec->needs_file && !a->file && !a->use_stdin)
        return err_set(e, ERR_MISSING, "needs a configuration file: %s FILE [--directive value ...]", spec->program);
    if (a->file) {
        rc = file_absolute(a->file, path, sizeof path, e);     /* before `dir` is entered */
        if (rc != 0)
            return rc;
        out->config_path = mem_strdup(path);
    }
    rc = load(spec, a, late, e);
    if (rc != 0 || a->check_only)
        return rc;
    return surroundings(spec, e);
}

bool boot(const struct boot_spec *spec, int argc, char **argv, struct boot *out, int *exit_code)
{
    struct ask a = {0};
    struct late late = {0};
    struct err e = {0};
    bool go_on = false;

    memset(out, 0, sizeof *out);
    out->argc = argc;
    out->argv = argv;
    *exit_code = 0;
    seed_hash();
    read_words(spec, argc, argv, &a);
    if (answered(spec, &a))
        goto out;
    if (prepare(spec, &a, &late, out, &e) != 0) {
        fail(spec, &e, exit_code);
        goto out;
    }
    if (a.check_only) {
        for (size_t i = 0; i < late.lines.n; i++)
            printf("%s: %s\n", spec->program, late.lines.at[i]);
        printf("%s: configuration is fine\n", spec->program);
        goto out;
    }
    for (size_t i = 0; i < late.lines.n; i++)
        log_warning("%s", late.lines.at[i]);
    go_on = true;
out:
    fflush(stdout);
    for (size_t i = 0; i < late.lines.n; i++)
        mem_free(late.lines.at[i]);
    vec_fini(&late.lines);
    vec_fini(&a.words);
    if (!go_on) {
        option_free(spec->options, spec->base);
        mem_free(out->config_path);
        out->config_path = NULL;
    }
    return go_on;
}

void boot_fini(struct boot *b)
{
    if (pidfile_path[0])
        unlink(pidfile_path);
    pidfile_path[0] = '\0';
    mem_free(b->config_path);
    b->config_path = NULL;
}

void boot_failed(const struct boot_spec *spec, const struct err *e)
{
    log_error("%s", e->text);
    if (isatty(STDERR_FILENO) && spec->logfile != SIZE_MAX) {
        const char *path = *(char *const *)((const char *)spec->base + spec->logfile);

        if (path && *path)
            fprintf(stderr, "%s: %s\n", spec->program, e->text);
    }
}

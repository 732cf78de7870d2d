/* The verb `config`: its words, and the documents of the directory as they are. What a document
 * was is kept by the agents' controller: cfgmeta:<document> says what is in force,
 * cfglog:<document> holds the versions (version.h). */
#include "sentinel/ctl/config.h"

#include "sentinel/ctl/table.h"

#include <stdio.h>
#include <string.h>

/* --- reading --- */

int config_bytes(struct conn *k, const char *name, struct val **out)
{
    char key[DOC_KEY_ROOM];
    int rc = dir_callz(k, out, "GET", doc_key(key, "config", name), NULL);

    if (rc == EXIT_OK_ && (*out)->kind == VAL_NIL) {
        ctl_say("%s does not exist; `kvorumctl config list` shows what does", key);
        val_free(*out);
        *out = NULL;
        rc = EXIT_FAILED;
    }
    return rc;
}

static int do_get(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    struct val *v = NULL;
    int rc = config_bytes(k, name, &v);

    (void)c, (void)argc, (void)argv;
    if (rc == EXIT_OK_) {
        fwrite(val_z(v, ""), 1, v->len, stdout);
        if (v->len == 0 || v->text[v->len - 1] != '\n')
            putchar('\n');
    }
    val_free(v);
    return rc;
}

static const struct column list_columns[] = {
    {"document", "DOCUMENT", false}, {"bytes", "BYTES", true}, {"sha", NULL, false},   {"sha8", "SHA", false},
    {"version", "VER", true},        {"state", "STATE", false}, {"changed", NULL, false}, {"age", "AGE", false},
    {"by", "BY", false},             {"acknowledged", "OK", false},
};

static int list_one(struct conn *k, const char *name, struct table *t)
{
    char key[DOC_KEY_ROOM], meta[DOC_KEY_ROOM], sha[SHA_TEXT] = "", text[32], counts[32];
    struct val *v = NULL, *m = NULL;
    bool known;
    int rc = dir_callz(k, &v, "GET", doc_key(key, "config", name), NULL);

    if (rc == EXIT_OK_)
        rc = dir_callz(k, &m, "HGETALL", doc_key(meta, "cfgmeta", name), NULL);
    if (rc != EXIT_OK_ || v->kind == VAL_NIL)
        goto out;                                /* gone while we looked */
    doc_sha(v->text, v->len, sha);
    known = strcmp(val_field_z(m, "sha", ""), sha) == 0;
    rc = config_ack_counts(k, name, sha, counts);
    if (rc != EXIT_OK_)
        goto out;
    table_put(t, name);
    table_put_i64(t, (int64_t)v->len);
    table_put(t, sha);
    snprintf(text, sizeof text, "%.8s", sha);
    table_put(t, text);
    table_put(t, known ? val_field_z(m, "ver", "") : "");
    table_put(t, known ? val_field_z(m, "state", "") : "");
    table_put(t, known ? dir_time(val_field_i64(m, "t", 0), text) : "");
    table_put(t, known ? dir_age(val_field_i64(m, "t", 0), text) : "");
    table_put(t, known ? val_field_z(m, "by", "") : "");
    table_put(t, counts);
out:
    val_free(v);
    val_free(m);
    return rc;
}

static int do_list(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    struct table t;
    struct names keys = {0};
    struct err e = {0};
    char pattern[256];
    int rc;

    (void)name;
    if (argc > 0 && strspn(argv[0], "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(argv[0])) {
        ctl_say("'%s' is no type of documents", argv[0]);
        return EXIT_USAGE;
    }
    table_init(&t, "Documents", list_columns, sizeof list_columns / sizeof list_columns[0]);
    snprintf(pattern, sizeof pattern, "config:%.32s:*", argc > 0 ? argv[0] : "*");
    rc = dir_scan(k, pattern, &keys);
    for (size_t i = 0; rc == EXIT_OK_ && i < keys.at.n; i++) {
        char doc[DOC_NAME_MAX];

        if (doc_name(keys.at.at[i] + strlen("config:"), NULL, doc, &e) == 0)
            rc = list_one(k, doc, &t);
    }
    if (rc == EXIT_OK_)
        table_print(&t, c->output, false);
    table_fini(&t);
    names_fini(&keys);
    return rc;
}

/* --- the table --- */

static const struct {
    const char *name;
    bool document;               /* the first word names one */
    int min, max;                /* words behind that */
    int (*run)(struct ctl *c, struct conn *k, const char *name, int argc, char **argv);
    const char *syntax;
} subs[] = {
    {"get", true, 0, 0, do_get, "get <type:component>"},
    {"set", true, 0, 1, config_set, "set <type:component> [json|-] [--if-sha SHA|absent] [--wait[=time]] [--by who]"},
    {"list", false, 0, 1, do_list, "list [type]"},
    {"watch", false, 0, 1, NULL, "watch [type:component]"},
    {"history", true, 0, 0, config_history, "history <type:component>"},
    {"diff", true, 0, 2, config_diff, "diff <type:component> [version [version]]"},
    {"status", true, 0, 0, config_status, "status <type:component>"},
    {"rollback", true, 1, 1, config_rollback, "rollback <type:component> <version> [--if-sha SHA] [--wait[=time]]"},
    {"retire", true, 0, 0, config_retire, "retire <type:component> [--yes]"},
};

static int run_watch(struct ctl *c, int argc, char **argv)
{
    char name[DOC_NAME_MAX];
    struct err e = {0};

    if (argc > 0 && doc_name(argv[0], NULL, name, &e) != 0) {
        ctl_say("%s", e.text);
        return EXIT_USAGE;
    }
    return run_config_watch(c, argc > 0 ? name : NULL);
}

int run_config(struct ctl *c, int argc, char **argv)
{
    struct conn *k = NULL;
    struct err e = {0};
    char name[DOC_NAME_MAX] = "";
    size_t i;
    int rc, used = 1;

    for (i = 0; i < sizeof subs / sizeof subs[0] && strcmp(subs[i].name, argv[0]) != 0; i++)
        ;
    if (i == sizeof subs / sizeof subs[0]) {
        ctl_say("config cannot '%s'; it can:", argv[0]);
        for (i = 0; i < sizeof subs / sizeof subs[0]; i++)
            fprintf(stderr, "  kvorumctl config %s\n", subs[i].syntax);
        return EXIT_USAGE;
    }
    if (subs[i].document && argc > 1) {
        /* "files:web", or the two words "files" "web" */
        bool two = !strchr(argv[1], ':') && argc > 2;

        if (doc_name(argv[1], two ? argv[2] : NULL, name, &e) != 0) {
            ctl_say("%s", e.text);
            return EXIT_USAGE;
        }
        used = two ? 3 : 2;
    }
    if ((subs[i].document && used == 1) || argc - used < subs[i].min || argc - used > subs[i].max) {
        ctl_say("usage: kvorumctl config %s", subs[i].syntax);
        return EXIT_USAGE;
    }
    if (!subs[i].run)
        return run_watch(c, argc - used, argv + used);
    rc = dir_open(c, &k);
    if (rc == EXIT_OK_)
        rc = subs[i].run(c, k, name, argc - used, argv + used);
    conn_close(k);
    return rc;
}

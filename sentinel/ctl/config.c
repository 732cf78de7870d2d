/* Documents of the directory: read, push, compare, bring back, retire. What a document was is
 * kept by the agents' controller: cfgmeta:<document> says what is in force, cfglog:<document>
 * holds the versions, "<sha> <ms> <by>\n<bytes>" under their numbers. */
#include "sentinel/ctl/config.h"

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/file.h"
#include "sentinel/ctl/table.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- reading --- */

static int get_bytes(struct conn *k, const char *name, struct val **out)
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
    int rc = get_bytes(k, name, &v);

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

/* --- writing --- */

static int read_document(const char *word, struct str *doc)
{
    struct err e = {0};

    if (word && strcmp(word, "-") != 0) {
        str_set_z(doc, word);
        return EXIT_OK_;
    }
    if (file_slurp("/dev/stdin", DOCUMENT_MAX + 1024, doc, &e) != 0) {
        if (e.code == ERR_LIMIT)
            ctl_say("the document on standard input has more than %d bytes; nothing was sent", DOCUMENT_MAX);
        else
            ctl_say("standard input: %s", e.text);
        return EXIT_FAILED;
    }
    while (doc->len > 0 && strchr("\r\n", doc->p[doc->len - 1]))
        str_cut(doc, doc->len - 1);
    return EXIT_OK_;
}

/* One word for the history: --by, else the user who runs us. */
static void author(const struct ctl *c, char out[64])
{
    const char *who = c->by ? c->by : getenv("SUDO_USER");
    size_t n = 0;

    if (!who || !*who)
        who = getenv("USER");
    for (const char *p = who ? who : ""; *p && n < 63; p++)
        out[n++] = (unsigned char)*p <= ' ' || *p == 0x7f ? '_' : *p;
    out[n] = 0;
    if (n == 0)
        snprintf(out, 64, "uid-%u", (unsigned)getuid());
}

/* Does the document have the bytes that the operator thinks it has? It is watched from here on. */
static int expect(struct conn *k, const char *key, const char *if_sha)
{
    char is[SHA_TEXT] = "";
    struct val *v = NULL;
    bool same, absent;
    int rc = dir_callz(k, &v, "WATCH", key, NULL);

    val_free(v);
    v = NULL;
    if (rc == EXIT_OK_)
        rc = dir_callz(k, &v, "GET", key, NULL);
    if (rc != EXIT_OK_)
        return rc;
    absent = v->kind == VAL_NIL;
    if (!absent)
        doc_sha(val_z(v, ""), v->len, is);
    same = strcmp(if_sha, "absent") == 0 ? absent : !absent && strlen(if_sha) >= 8 && strncmp(is, if_sha, strlen(if_sha)) == 0;
    val_free(v);
    if (same)
        return EXIT_OK_;
    if (absent)
        ctl_say("%s does not exist; nothing was written (--if-sha absent creates it)", key);
    else
        ctl_say("%s is %.8s and not %.8s; nothing was written. Look at it (config get, config diff), then say --if-sha %.8s", key,
                is, if_sha, is);
    return EXIT_REFUSED;
}

/* MULTI, these, EXEC. *forbidden: one of them may not be said by this user; nothing was done, nothing printed. */
static int transaction(struct conn *k, const struct slice *const *argv, const int *argc, size_t n, bool *forbidden)
{
    struct val *v = NULL;
    int rc = dir_callz(k, &v, "MULTI", NULL);

    val_free(v);
    for (size_t i = 0; rc == EXIT_OK_ && i < n; i++) {
        struct err e = {0};

        v = NULL;
        if (conn_call(k, argc[i], argv[i], &v, &e) != 0) {
            ctl_say("%s", e.text);
            return e.code == ERR_TIMEOUT ? EXIT_TIMEOUT : EXIT_FAILED;
        }
        if (val_is_error(v)) {
            if (forbidden && val_error_is(v, "NOPERM"))
                *forbidden = true;
            else
                ctl_say("%.*s: %s", (int)argv[i][0].len, argv[i][0].p, val_z(v, ""));
            rc = EXIT_REFUSED;
        }
        val_free(v);
    }
    v = NULL;
    if (rc != EXIT_OK_) {
        (void)dir_callz(k, &v, "DISCARD", NULL);
        val_free(v);
        return rc;
    }
    rc = dir_callz(k, &v, "EXEC", NULL);
    if (rc == EXIT_OK_ && v->kind == VAL_NIL) {
        ctl_say("it was changed by somebody else in this moment; nothing was written");
        rc = EXIT_REFUSED;
    }
    for (size_t i = 0; rc == EXIT_OK_ && i < v->n; i++)
        if (val_is_error(v->at[i])) {
            ctl_say("%.*s: %s", (int)argv[i][0].len, argv[i][0].p, val_z(v->at[i], ""));
            rc = EXIT_REFUSED;
        }
    val_free(v);
    return rc;
}

/* SET, with the author beside it, only while the bytes are those of if_sha ("absent": only while there are none;
 * NULL: whatever there is). Who may write the document but not what is known of it leaves no name. */
static int commit(struct ctl *c, struct conn *k, const char *name, const struct str *doc, const char *if_sha)
{
    char key[DOC_KEY_ROOM], meta[DOC_KEY_ROOM], by[64], sha[SHA_TEXT];
    const int argc[] = {3, 6};
    bool forbidden = false;
    int rc;

    doc_key(key, "config", name);
    doc_key(meta, "cfgmeta", name);
    author(c, by);
    doc_sha(str_c(doc), doc->len, sha);
    const struct slice set[] = {slice_z("SET"), slice_z(key), {str_c(doc), doc->len}};
    const struct slice said[] = {slice_z("HSET"), slice_z(meta), slice_z("said_by"), slice_z(by), slice_z("said_sha"), slice_z(sha)};
    const struct slice *const argv[] = {set, said};

    rc = if_sha ? expect(k, key, if_sha) : EXIT_OK_;
    if (rc != EXIT_OK_)
        return rc;
    rc = transaction(k, argv, argc, 2, &forbidden);
    if (!forbidden)
        return rc;
    rc = if_sha ? expect(k, key, if_sha) : EXIT_OK_;
    return rc != EXIT_OK_ ? rc : transaction(k, argv, argc, 1, NULL);
}

static int push(struct ctl *c, struct conn *k, const char *name, const struct str *doc, const char *if_sha)
{
    char sha[SHA_TEXT], key[DOC_KEY_ROOM];
    int rc = commit(c, k, name, doc, if_sha);

    if (rc != EXIT_OK_)
        return rc;
    doc_sha(str_c(doc), doc->len, sha);
    doc_key(key, "config", name);
    if (c->output == OUT_TEXT)
        printf("%s: %zu bytes set, sha %.8s\n", key, doc->len, sha);
    else if (!c->wait)
        printf(c->output == OUT_TSV ? "%s\t%zu\t%s\n" : "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Set\",\"key\":\"%s\",\"bytes\":%zu,\"sha\":\"%s\"}\n",
               key, doc->len, sha);
    fflush(stdout);
    return c->wait ? config_wait(c, k, name, sha) : EXIT_OK_;
}

static int do_set(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    struct str doc = {0};
    struct err e = {0};
    int rc = read_document(argc > 0 ? argv[0] : NULL, &doc);

    if (rc == EXIT_OK_ && doc_check(&doc, &e) != 0) {
        ctl_say("%s: %s; nothing was sent", name, e.text);
        rc = EXIT_FAILED;
    }
    if (rc == EXIT_OK_)
        rc = push(c, k, name, &doc, c->if_sha);
    str_fini(&doc);
    return rc;
}

/* --- versions --- */

struct version {
    int64_t number, at_ms;
    char sha[SHA_TEXT], by[64];
    struct slice bytes;          /* in the value */
};

static bool version_read(const char *number, const struct val *v, struct version *out)
{
    const char *text = val_z(v, NULL), *end = text ? memchr(text, '\n', v->len) : NULL, *a, *b;

    if (!end || !num_i64_in(number, strlen(number), 1, INT64_MAX, &out->number))
        return false;
    a = memchr(text, ' ', (size_t)(end - text));
    b = a ? memchr(a + 1, ' ', (size_t)(end - a - 1)) : NULL;
    if (!b || !slice_copy_z((struct slice){text, (size_t)(a - text)}, out->sha, sizeof out->sha) ||
        !num_i64(a + 1, (size_t)(b - a - 1), &out->at_ms))
        return false;
    slice_copy_z((struct slice){b + 1, (size_t)(end - b - 1)}, out->by, sizeof out->by);
    out->bytes = (struct slice){end + 1, v->len - (size_t)(end + 1 - text)};
    return true;
}

/* *log is the caller's, the version points into it. word NULL: the version in force. */
static int get_version(struct conn *k, const char *name, const char *word, struct version *out, struct val **log)
{
    char key[DOC_KEY_ROOM];
    int rc;

    if (!word) {
        rc = get_bytes(k, name, log);
        if (rc == EXIT_OK_) {
            *out = (struct version){.bytes = {val_z(*log, ""), (*log)->len}};
            doc_sha(out->bytes.p, out->bytes.len, out->sha);
        }
        return rc;
    }
    rc = dir_callz(k, log, "HGET", doc_key(key, "cfglog", name), word, NULL);
    if (rc == EXIT_OK_ && !version_read(word, *log, out)) {
        ctl_say("%s has no version %s; `kvorumctl config history %s` shows what there is", name, word, name);
        rc = EXIT_FAILED;
    }
    if (rc != EXIT_OK_) {
        val_free(*log);
        *log = NULL;
    }
    return rc;
}

static const struct column history_columns[] = {
    {"version", "VER", true}, {"time", "TIME", false}, {"bytes", "BYTES", true}, {"sha", NULL, false},
    {"sha8", "SHA", false},   {"by", "BY", false},     {"current", "", false},
};

static int by_version(const void *a, const void *b)
{
    int64_t x = ((const struct version *)a)->number, y = ((const struct version *)b)->number;

    return x < y ? -1 : x > y;
}

static int do_history(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    VEC(struct version) at = {0};
    struct table t;
    struct val *log = NULL, *meta = NULL;
    char key[DOC_KEY_ROOM], text[32];
    int64_t current;
    int rc = dir_callz(k, &log, "HGETALL", doc_key(key, "cfglog", name), NULL);

    (void)argc, (void)argv;
    if (rc == EXIT_OK_)
        rc = dir_callz(k, &meta, "HGETALL", doc_key(key, "cfgmeta", name), NULL);
    for (size_t i = 0; rc == EXIT_OK_ && i + 1 < log->n; i += 2) {
        struct version v;

        if (version_read(val_z(log->at[i], ""), log->at[i + 1], &v))
            vec_push(&at, v);
    }
    if (rc == EXIT_OK_ && at.n == 0) {
        ctl_say("nobody wrote a history of %s: there is no such document, or no agent is the controller (`kvorumctl nodes`)", name);
        rc = EXIT_FAILED;
    }
    if (rc != EXIT_OK_)
        goto out;
    qsort(at.at, at.n, sizeof *at.at, by_version);
    current = val_field_i64(meta, "ver", -1);
    table_init(&t, "History", history_columns, sizeof history_columns / sizeof history_columns[0]);
    for (size_t i = 0; i < at.n; i++) {
        table_put_i64(&t, at.at[i].number);
        table_put(&t, dir_time(at.at[i].at_ms, text));
        table_put_i64(&t, (int64_t)at.at[i].bytes.len);
        table_put(&t, at.at[i].sha);
        snprintf(text, sizeof text, "%.8s", at.at[i].sha);
        table_put(&t, text);
        table_put(&t, at.at[i].by);
        table_put(&t, at.at[i].number == current ? val_field_z(meta, "state", "live") : "");
    }
    table_print(&t, c->output, false);
    table_fini(&t);
out:
    vec_fini(&at);
    val_free(log);
    val_free(meta);
    return rc;
}

/* The version before the one in force. */
static int previous(struct conn *k, const char *name, char out[NUM_I64_MAX])
{
    struct val *meta = NULL;
    char key[DOC_KEY_ROOM];
    int64_t ver;
    int rc = dir_callz(k, &meta, "HGETALL", doc_key(key, "cfgmeta", name), NULL);

    ver = rc == EXIT_OK_ ? val_field_i64(meta, "ver", 0) : 0;
    val_free(meta);
    if (rc == EXIT_OK_ && ver < 2) {
        ctl_say("%s has no earlier version in its history", name);
        rc = EXIT_FAILED;
    }
    num_put_i64(out, ver - 1);
    return rc;
}

static int do_diff(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    struct version a, b;
    struct val *va = NULL, *vb = NULL;
    struct str out = {0}, was = {0}, is = {0};
    char before[NUM_I64_MAX];
    int rc = argc > 0 ? EXIT_OK_ : previous(k, name, before);

    if (rc == EXIT_OK_)
        rc = get_version(k, name, argc > 0 ? argv[0] : before, &a, &va);
    if (rc == EXIT_OK_)
        rc = get_version(k, name, argc > 1 ? argv[1] : NULL, &b, &vb);
    if (rc != EXIT_OK_)
        goto out;
    str_set(&was, a.bytes.p, a.bytes.len);
    str_set(&is, b.bytes.p, b.bytes.len);
    size_t lines = doc_diff(str_c(&was), str_c(&is), &out);
    if (c->output == OUT_JSON || c->output == OUT_JSONL) {
        cJSON *o = cJSON_CreateObject(), *list;

        cJSON_AddStringToObject(o, "apiVersion", "kvorum/v1");
        cJSON_AddStringToObject(o, "kind", "Diff");
        cJSON_AddStringToObject(o, "document", name);
        cJSON_AddStringToObject(o, "from", a.sha);
        cJSON_AddStringToObject(o, "to", b.sha);
        list = cJSON_AddArrayToObject(o, "lines");
        for (char *save = NULL, *line = strtok_r(out.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
            cJSON_AddItemToArray(list, cJSON_CreateString(line));
        char *text = c->output == OUT_JSON ? cJSON_Print(o) : cJSON_PrintUnformatted(o);
        puts(text);
        free(text);
        cJSON_Delete(o);
    } else if (lines > 0) {
        fputs(str_c(&out), stdout);
    } else if (strcmp(a.sha, b.sha) != 0) {
        ctl_say("%s: other bytes (%.8s, %.8s), the same values", name, a.sha, b.sha);
    }
out:
    str_fini(&out);
    str_fini(&was);
    str_fini(&is);
    val_free(va);
    val_free(vb);
    return rc;
}

static int do_rollback(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    struct version v;
    struct val *log = NULL, *is = NULL;
    struct str doc = {0};
    struct err e = {0};
    char key[DOC_KEY_ROOM], sha[SHA_TEXT];
    int rc = get_version(k, name, argv[0], &v, &log);

    (void)argc;
    if (rc == EXIT_OK_)
        rc = dir_callz(k, &is, "GET", doc_key(key, "config", name), NULL);
    if (rc != EXIT_OK_)
        goto out;
    str_set(&doc, v.bytes.p, v.bytes.len);
    doc_sha(val_z(is, ""), is->len, sha);
    if (doc_check(&doc, &e) != 0) {
        ctl_say("version %s of %s is no document: %s; nothing was written", argv[0], name, e.text);
        rc = EXIT_REFUSED;
    } else if (is->kind != VAL_NIL && strcmp(sha, v.sha) == 0) {
        ctl_say("%s is version %s already", name, argv[0]);
    } else {
        rc = push(c, k, name, &doc, c->if_sha ? c->if_sha : is->kind == VAL_NIL ? "absent" : sha);
    }
out:
    str_fini(&doc);
    val_free(log);
    val_free(is);
    return rc;
}

static int do_retire(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    char key[DOC_KEY_ROOM], meta[DOC_KEY_ROOM], by[64];
    struct val *v = NULL;
    int rc;

    (void)argc, (void)argv;
    if (strncmp(name, "redis:", 6) == 0 && !c->yes) {
        ctl_say("clients that find no config:%s connect to localhost:6379; say --yes if none reads it any more", name);
        return EXIT_REFUSED;
    }
    rc = get_bytes(k, name, &v);
    val_free(v);
    doc_key(key, "config", name);
    doc_key(meta, "cfgmeta", name);
    author(c, by);
    const struct slice said[] = {slice_z("HSET"), slice_z(meta), slice_z("state"), slice_z("retired"), slice_z("said_by"), slice_z(by)};
    const struct slice del[] = {slice_z("DEL"), slice_z(key)};
    const struct slice *const argvs[] = {said, del};
    const int argcs[] = {6, 2};

    if (rc == EXIT_OK_)
        rc = transaction(k, argvs, argcs, 2, NULL);
    if (rc == EXIT_OK_)
        printf(c->output == OUT_TEXT ? "%s: retired; what agents have in force stays, its history too\n"
               : c->output == OUT_TSV ? "%s\tretired\n"
               : "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Retired\",\"key\":\"%s\"}\n", key);
    return rc;
}

static int do_status(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    (void)argc, (void)argv;
    return run_config_status(c, k, name);
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
    {"set", true, 0, 1, do_set, "set <type:component> [json|-] [--if-sha SHA|absent] [--wait[=time]] [--by who]"},
    {"list", false, 0, 1, do_list, "list [type]"},
    {"watch", false, 0, 1, NULL, "watch [type:component]"},
    {"history", true, 0, 0, do_history, "history <type:component>"},
    {"diff", true, 0, 2, do_diff, "diff <type:component> [version [version]]"},
    {"status", true, 0, 0, do_status, "status <type:component>"},
    {"rollback", true, 1, 1, do_rollback, "rollback <type:component> <version> [--if-sha SHA] [--wait[=time]]"},
    {"retire", true, 0, 0, do_retire, "retire <type:component> [--yes]"},
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

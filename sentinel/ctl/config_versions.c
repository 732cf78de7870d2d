/* What a document was: its history, what changed between two versions, an earlier one again. */
#include "sentinel/ctl/config.h"

#include "common/base/num.h"
#include "common/base/vec.h"
#include "sentinel/ctl/json.h"
#include "sentinel/ctl/table.h"
#include "sentinel/ctl/version.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* *log is the caller's, the version points into it. word NULL: the version in force. */
static int get_version(struct conn *k, const char *name, const char *word, struct version *out, struct val **log)
{
    char key[DOC_KEY_ROOM];
    int rc;

    if (!word) {
        rc = config_bytes(k, name, log);
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

int config_history(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
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
    qsort(at.at, at.n, sizeof *at.at, version_order);
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

static cJSON *diff_json(const char *name, const struct version *from, const struct version *to, struct str *lines)
{
    cJSON *o = json_object("Diff"), *list;

    cJSON_AddStringToObject(o, "document", name);
    cJSON_AddStringToObject(o, "from", from->sha);
    cJSON_AddStringToObject(o, "to", to->sha);
    list = cJSON_AddArrayToObject(o, "lines");
    for (char *p = lines->p, *end; p && (end = strchr(p, '\n')) != NULL; p = end + 1) {
        *end = '\0';
        cJSON_AddItemToArray(list, cJSON_CreateString(p));
    }
    return o;
}

int config_diff(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
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
        json_print(diff_json(name, &a, &b, &out), c->output == OUT_JSONL);
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

int config_rollback(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
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
        rc = config_push(c, k, name, &doc, c->if_sha ? c->if_sha : is->kind == VAL_NIL ? "absent" : sha);
    }
out:
    str_fini(&doc);
    val_free(log);
    val_free(is);
    return rc;
}

/* What is written to the directory: a document with its author beside it, in one transaction, or
 * that it is retired. */
#include "sentinel/ctl/config.h"

#include "common/io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

int config_push(struct ctl *c, struct conn *k, const char *name, const struct str *doc, const char *if_sha)
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

int config_set(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    struct str doc = {0};
    struct err e = {0};
    int rc = read_document(argc > 0 ? argv[0] : NULL, &doc);

    if (rc == EXIT_OK_ && doc_check(&doc, &e) != 0) {
        ctl_say("%s: %s; nothing was sent", name, e.text);
        rc = EXIT_FAILED;
    }
    if (rc == EXIT_OK_)
        rc = config_push(c, k, name, &doc, c->if_sha);
    str_fini(&doc);
    return rc;
}

int config_retire(struct ctl *c, struct conn *k, const char *name, int argc, char **argv)
{
    char key[DOC_KEY_ROOM], meta[DOC_KEY_ROOM], by[64];
    struct val *v = NULL;
    int rc;

    (void)argc, (void)argv;
    if (strncmp(name, "redis:", 6) == 0 && !c->yes) {
        ctl_say("clients that find no config:%s connect to localhost:6379; say --yes if none reads it any more", name);
        return EXIT_REFUSED;
    }
    rc = config_bytes(k, name, &v);
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

/* Changes of documents, as they come: every so often all that is asked for is read and
 * compared. What stood there only between two readings is in the history, not here. */
#include "sentinel/ctl/config.h"

#include "common/base/dict.h"
#include "common/base/mem.h"
#include "common/io/clock.h"
#include "sentinel/ctl/table.h"

#include <stdio.h>
#include <string.h>

#define WATCH_MS 500

static const struct column watch_columns[] = {
    {"time", "TIME", false}, {"document", "DOCUMENT", false}, {"event", "EVENT", false},
    {"bytes", "BYTES", true}, {"sha", NULL, false},           {"sha8", "SHA", false},
};

struct watch {
    struct ctl *c;
    struct dict shas;            /* document -> char[SHA_TEXT], owned; of what was there last */
    bool begun, first;
};

static void tell(struct watch *w, const char *name, const char *event, size_t bytes, const char *sha)
{
    struct table t;
    char text[32];

    table_init(&t, "Change", watch_columns, sizeof watch_columns / sizeof watch_columns[0]);
    table_put(&t, dir_time(clock_wall_ms(), text));
    table_put(&t, name);
    table_put(&t, event);
    if (*sha)
        table_put_i64(&t, (int64_t)bytes);
    else
        table_put(&t, "");
    table_put(&t, sha);
    snprintf(text, sizeof text, "%.8s", sha);
    table_put(&t, text);
    if (w->c->output == OUT_TEXT)      /* lines of a stream: no columns to align with */
        printf("%s %s %s %s %s\n", table_cell(&t, 0, 0), name, event, table_cell(&t, 0, 5), table_cell(&t, 0, 3));
    else
        table_print(&t, w->c->output == OUT_JSON ? OUT_JSONL : w->c->output, w->begun);
    fflush(stdout);
    w->begun = true;
    table_fini(&t);
}

static int look_at(struct watch *w, struct conn *k, const char *name)
{
    struct val *v = NULL;
    char key[DOC_KEY_ROOM], sha[SHA_TEXT] = "", *was = dict_get(&w->shas, name, strlen(name));
    int rc = dir_callz(k, &v, "GET", doc_key(key, "config", name), NULL);

    if (rc == EXIT_OK_) {
        if (v->kind == VAL_TEXT)
            doc_sha(v->text, v->len, sha);
        if (!was && *sha)
            tell(w, name, w->first ? "is" : "new", v->len, sha);
        else if (was && strcmp(was, sha) != 0)
            tell(w, name, *sha ? "changed" : "gone", v->len, sha);
        if (!was || strcmp(was, sha) != 0) {
            mem_free(was);
            dict_put(&w->shas, name, strlen(name), NULL)->v.p = mem_strdup(sha);
        }
    }
    val_free(v);
    return rc;
}

/* What was there and is not found any more. */
static void add_gone(struct watch *w, struct names *keys)
{
    struct dict now;
    struct dict_iter it;
    struct dict_entry *d;

    dict_init(&now);
    for (size_t i = 0; i < keys->at.n; i++)
        dict_put(&now, keys->at.at[i], strlen(keys->at.at[i]), NULL);
    dict_iter_init(&it, &w->shas);
    while ((d = dict_iter_next(&it)) != NULL) {
        char key[DOC_KEY_ROOM];

        doc_key(key, "config", d->key);
        if (*(char *)d->v.p && !dict_find(&now, key, strlen(key)))
            vec_push(&keys->at, mem_strdup(key));
    }
    dict_iter_fini(&it);
    dict_fini(&now, NULL);
}

static int look(struct watch *w, struct conn *k, const char *only)
{
    struct names keys = {0};
    struct err e;
    int rc = only ? look_at(w, k, only) : dir_scan(k, "config:*:*", &keys);

    if (rc == EXIT_OK_ && !only)
        add_gone(w, &keys);
    for (size_t i = 0; rc == EXIT_OK_ && i < keys.at.n; i++) {
        char name[DOC_NAME_MAX];

        if (doc_name(keys.at.at[i] + strlen("config:"), NULL, name, &e) == 0)
            rc = look_at(w, k, name);
    }
    names_fini(&keys);
    return rc;
}

int run_config_watch(struct ctl *c, const char *name)
{
    struct watch w = {.c = c, .first = true};
    struct conn *k = NULL;
    int rc = dir_open(c, &k);

    dict_init(&w.shas);
    while (rc == EXIT_OK_ && !ferror(stdout)) {
        if (!k && dir_open(c, &k) != EXIT_OK_) {
            conn_sleep(c->loop, 1000);
            continue;
        }
        if (look(&w, k, name) != EXIT_OK_) {             /* a failover: find the primary again */
            conn_close(k);
            k = NULL;
        } else {
            w.first = false;
        }
        conn_sleep(c->loop, c->watch_ms > 0 ? c->watch_ms : WATCH_MS);
    }
    conn_close(k);
    dict_fini(&w.shas, mem_free);
    return rc == EXIT_OK_ ? EXIT_FAILED : rc;
}

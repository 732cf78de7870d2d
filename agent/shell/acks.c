/* The last answer about each document, and its way to the directory. */
#include "agent/shell/acks.h"

#include "agent/source/docfile.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/utf8.h"
#include "common/base/vec.h"
#include "common/io/file.h"
#include "common/io/log.h"

#include <cjson/cJSON.h>
#include <string.h>

#define KIND "ackq"
#define SEQ_BLOCK 1000           /* numbers reserved on disk at a time */
#define ERR_MAX 1024             /* of a reason, as sent */

struct entry {
    struct acks *acks;
    struct docname doc;
    char *json;
    char *same;                  /* sha, status, why: what makes two answers the same */
    bool delivered, on_disk, on_way, changed_on_way, complained;
};

struct acks {
    const char *state, *node;
    VEC(struct entry *) at;
    int64_t seq, seq_reserved;
    uint64_t delivered;
    struct directory *directory;     /* the one last given; NULL before */
};

static int64_t next_seq(struct acks *a)
{
    struct str path = {0};
    char text[NUM_I64_MAX];
    struct err e;

    if (a->seq >= a->seq_reserved) {
        a->seq_reserved = a->seq + SEQ_BLOCK;
        str_printf(&path, "%s/ackseq", a->state);
        if (file_replace(str_c(&path), text, num_put_i64(text, a->seq_reserved), 0600, &e) != 0)
            log_warning("acks: %s", e.text);
        str_fini(&path);
    }
    return ++a->seq;
}

static struct entry *entry_of(struct acks *a, const struct docname *doc)
{
    struct entry *n;

    for (size_t i = 0; i < a->at.n; i++)
        if (docname_equal(&a->at.at[i]->doc, doc))
            return a->at.at[i];
    n = mem_zalloc(sizeof *n);
    n->acks = a;
    n->doc = *doc;
    vec_push(&a->at, n);
    return n;
}

static void load_one(void *arg, const struct docname *doc)
{
    struct acks *a = arg;
    struct str text = {0}, path = {0};
    cJSON *tree = NULL;

    docfile_path(a->state, KIND, doc, &path);
    if (file_slurp(str_c(&path), 65536, &text, NULL) == 0 && (tree = cJSON_ParseWithLength(str_c(&text), text.len)) != NULL) {
        struct entry *n = entry_of(a, doc);

        mem_free(n->json);
        n->json = str_take(&text);
        n->on_disk = true;
    } else if (doc->component[0] != '.') {
        docfile_forget(a->state, KIND, doc);
    }
    cJSON_Delete(tree);
    str_fini(&text);
    str_fini(&path);
}

struct acks *acks_new(const char *state, const char *node)
{
    struct acks *a = mem_zalloc(sizeof *a);
    struct str path = {0}, text = {0};

    a->state = state;
    a->node = node;
    str_printf(&path, "%s/ackseq", state);
    if (file_slurp(str_c(&path), 64, &text, NULL) == 0 && num_i64_in(str_c(&text), text.len, 0, INT64_MAX / 2, &a->seq))
        a->seq_reserved = a->seq;
    docfile_each(state, KIND, NULL, load_one, a);
    str_fini(&path);
    str_fini(&text);
    return a;
}

static void entry_free(struct entry *n)
{
    mem_free(n->json);
    mem_free(n->same);
    mem_free(n);
}

void acks_free(struct acks *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->at.n; i++)
        entry_free(a->at.at[i]);
    vec_fini(&a->at);
    mem_free(a);
}

static char *print(struct acks *a, const struct ack *k)
{
    cJSON *o = cJSON_CreateObject(), *diff;
    char why[ERR_MAX], *text, *mine;
    size_t n = strlen(k->why), bad;

    if (n >= sizeof why)
        n = sizeof why - 1;
    memcpy(why, k->why, n);
    why[n] = 0;
    while (!utf8_is_valid(why, strlen(why), &bad))     /* what a command printed may be anything */
        why[bad] = '?';
    cJSON_AddStringToObject(o, "sha", k->sha);
    cJSON_AddStringToObject(o, "st", ack_status_word(k->status));
    cJSON_AddNumberToObject(o, "t", (double)k->wall_ms);
    cJSON_AddNumberToObject(o, "ms", (double)k->took_ms);
    cJSON_AddNumberToObject(o, "seq", (double)next_seq(a));
    cJSON_AddStringToObject(o, "err", why);
    diff = cJSON_AddObjectToObject(o, "diff");
    cJSON_AddNumberToObject(diff, "+", (double)k->lines_added);
    cJSON_AddNumberToObject(diff, "-", (double)k->lines_removed);
    text = cJSON_PrintUnformatted(o);
    mine = mem_strdup(text);
    cJSON_free(text);
    cJSON_Delete(o);
    return mine;
}

static void keep(struct acks *a, struct entry *n)
{
    struct docname folder = n->doc;
    struct str path = {0}, dir = {0};
    struct err e;

    folder.component[0] = 0;
    docfile_path(a->state, KIND, &folder, &dir);
    docfile_path(a->state, KIND, &n->doc, &path);
    if (file_make_dirs(str_c(&dir), 0700, &e) != 0 || file_replace_soon(str_c(&path), n->json, strlen(n->json), 0600, true, &e) != 0)
        log_warning("acks: %s", e.text);
    else
        n->on_disk = true;
    str_fini(&path);
    str_fini(&dir);
}

static void drop_file(struct acks *a, struct entry *n)
{
    if (n->on_disk)
        docfile_forget(a->state, KIND, &n->doc);
    n->on_disk = false;
}

static void send_one(struct acks *a, struct entry *n, struct directory *d);

static void on_taken(void *arg, const char *why)
{
    struct entry *n = arg;
    struct acks *a = n->acks;
    char text[DOC_KEY_MAX];

    n->on_way = false;
    if (!why && !n->changed_on_way) {
        n->delivered = true;
        n->complained = false;
        a->delivered++;
        drop_file(a, n);
    } else if (why && why[0] && !n->complained) {
        n->complained = true;
        log_warning("acks: the directory does not take the answer about %s: %s", docname_text(&n->doc, text), why);
    }
    if (why)
        keep(a, n);
    if (!why && n->changed_on_way)
        send_one(a, n, a->directory);
    n->changed_on_way = false;
}

static void send_one(struct acks *a, struct entry *n, struct directory *d)
{
    char key[DOC_KEY_MAX];

    if (n->on_way || !n->json || !d)
        return;
    n->on_way = directory_hset(d, docname_ack_key(&n->doc, key), a->node, n->json, on_taken, n);
}

void acks_put(struct acks *a, const struct docname *doc, const struct ack *k, struct directory *d)
{
    struct entry *n = entry_of(a, doc);
    struct str same = {0};

    str_printf(&same, "%s %d %s", k->sha, (int)k->status, k->why);
    if (n->same && strcmp(n->same, str_c(&same)) == 0) {
        str_fini(&same);
        return;
    }
    mem_free(n->same);
    mem_free(n->json);
    n->same = str_take(&same);
    n->json = print(a, k);
    n->delivered = false;
    n->changed_on_way = n->on_way;
    a->directory = d;
    send_one(a, n, d);
    if (!n->on_way)
        keep(a, n);         /* nobody takes it now; what is on its way is kept if it comes back */
}

void acks_deliver(struct acks *a, struct directory *d, bool all_again)
{
    a->directory = d;
    for (size_t i = 0; i < a->at.n; i++)
        if (all_again || !a->at.at[i]->delivered)
            send_one(a, a->at.at[i], d);
}

void acks_forget(struct acks *a, const struct docname *doc)
{
    struct entry *n = entry_of(a, doc);

    drop_file(a, n);
    mem_free(n->json);
    mem_free(n->same);
    n->json = n->same = NULL;
    n->delivered = true;
}

size_t acks_waiting(const struct acks *a)
{
    size_t n = 0;

    for (size_t i = 0; i < a->at.n; i++)
        n += !a->at.at[i]->delivered;
    return n;
}

uint64_t acks_delivered(const struct acks *a) { return a->delivered; }

/* Records as lines of JSON; from "swapping" on each is synced before the deed it announces. */
#include "agent/shell/journal.h"

#include "agent/core/schema.h"
#include "agent/source/docfile.h"
#include "common/base/mem.h"
#include "common/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_MAX ((size_t)4 * 1024 * 1024)
#define SUM_HEX 16

static const char *const record_words[] = {"swapping", "undoing", "committed", "undone"};

static void put_line(cJSON *record, struct str *out)
{
    char *text = cJSON_PrintUnformatted(record), sum[SHA_MAX];

    sha_bytes(text, strlen(text), sum);
    str_append(out, sum, SUM_HEX);
    str_printf(out, " %s\n", text);
    cJSON_free(text);
    cJSON_Delete(record);
}

static void put_file(cJSON *list, const struct plan_file *f, const struct stage_file *s)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "root", f->root);
    cJSON_AddStringToObject(o, "path", f->path);
    cJSON_AddBoolToObject(o, "differs", s->differs);
    cJSON_AddStringToObject(o, "tmp", s->tmp);
    cJSON_AddStringToObject(o, "new", s->sha_new);
    cJSON_AddBoolToObject(o, "had", s->had);
    cJSON_AddStringToObject(o, "old", s->sha_old);
    cJSON_AddNumberToObject(o, "added", (double)s->diff.lines_added);
    cJSON_AddNumberToObject(o, "removed", (double)s->diff.lines_removed);
    cJSON_AddItemToArray(list, o);
}

static void put_values(cJSON *record, const struct node_values *v)
{
    cJSON *list = cJSON_AddArrayToObject(record, "set");

    for (size_t i = 0; i < v->at.n; i++) {
        cJSON *o;

        if (!v->at.at[i].differs)
            continue;
        o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", v->at.at[i].name);
        cJSON_AddStringToObject(o, "old", v->at.at[i].old);
        cJSON_AddStringToObject(o, "new", v->at.at[i].want);
        cJSON_AddItemToArray(list, o);
    }
}

int journal_start(const char *state, const struct docname *doc, const struct journal_begin *b, const struct plan *p,
                  const struct stage *s, struct err *e)
{
    cJSON *r = cJSON_CreateObject(), *files;
    struct str path = {0}, text = {0};
    char *bytes = mem_strndup(b->bytes.p, b->bytes.len);
    int fd, rc;

    cJSON_AddStringToObject(r, "r", "begin");
    cJSON_AddStringToObject(r, "sha", b->sha);
    cJSON_AddStringToObject(r, "fingerprint", b->fingerprint);
    cJSON_AddStringToObject(r, "bytes", bytes);
    cJSON_AddStringToObject(r, "keep", s->keep_dir ? s->keep_dir : "");
    files = cJSON_AddArrayToObject(r, "files");
    for (size_t i = 0; i < s->files.n; i++)
        put_file(files, &p->files.at[i], &s->files.at[i]);
    if (b->values)
        put_values(r, b->values);
    if (b->node)
        cJSON_AddStringToObject(r, "node", b->node);
    put_line(r, &text);
    docfile_path(state, "journal", doc, &path);
    fd = open(str_c(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        rc = err_sys(e, "create %s", str_c(&path));
    else
        rc = file_write_all(fd, text.p, text.len, e);
    if (fd >= 0)
        close(fd);
    mem_free(bytes);
    str_fini(&path);
    str_fini(&text);
    return rc == 0 ? 0 : err_wrap(e, "journal");
}

int journal_note(const char *state, const struct docname *doc, enum journal_record what, enum ack_status status,
                 struct err *e)
{
    cJSON *r = cJSON_CreateObject();
    struct str path = {0}, text = {0};
    int fd, rc = 0;

    cJSON_AddStringToObject(r, "r", record_words[what]);
    if (what == JOURNAL_COMMITTED)
        cJSON_AddStringToObject(r, "status", ack_status_word(status));
    put_line(r, &text);
    docfile_path(state, "journal", doc, &path);
    fd = open(str_c(&path), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        rc = err_sys(e, "journal %s", str_c(&path));
    else if ((rc = file_write_all(fd, text.p, text.len, e)) == 0 && fdatasync(fd) != 0)
        rc = err_sys(e, "sync journal %s", str_c(&path));
    if (fd >= 0)
        close(fd);
    if (rc == 0 && what == JOURNAL_SWAPPING)       /* the first that must be there: its name too */
        rc = file_sync_dir(str_c(&path), e);
    str_fini(&path);
    str_fini(&text);
    return rc;
}

int journal_forget(const char *state, const struct docname *doc, struct err *e)
{
    struct str path = {0};
    int rc = 0;

    docfile_path(state, "journal", doc, &path);
    if (unlink(str_c(&path)) != 0 && errno != ENOENT)
        rc = err_sys(e, "remove journal %s", str_c(&path));
    str_fini(&path);
    return rc;
}

void journal_init(struct journal *j) { memset(j, 0, sizeof *j); }

void journal_fini(struct journal *j)
{
    str_fini(&j->bytes);
    stage_fini(&j->stage);
    node_values_fini(&j->values);
}

static bool take_begin(struct journal *j, const cJSON *r)
{
    const char *bytes = tree_text(r, "bytes", NULL), *keep = tree_text(r, "keep", NULL);
    const cJSON *f;

    if (!bytes || !keep || !slice_copy_z(slice_z(tree_text(r, "sha", "")), j->sha, sizeof j->sha) ||
        !slice_copy_z(slice_z(tree_text(r, "fingerprint", "")), j->fingerprint, sizeof j->fingerprint))
        return false;
    str_set_z(&j->bytes, bytes);
    slice_copy_z(slice_z(tree_text(r, "node", "")), j->node, sizeof j->node);
    j->stage.keep_dir = mem_strdup(keep);
    cJSON_ArrayForEach(f, tree_at(r, "files"))
    {
        struct stage_file *s = vec_add(&j->stage.files);

        s->tmp = mem_strdup(tree_text(f, "tmp", ""));
        s->differs = cJSON_IsTrue(tree_at(f, "differs"));
        s->had = cJSON_IsTrue(tree_at(f, "had"));
        slice_copy_z(slice_z(tree_text(f, "new", "")), s->sha_new, sizeof s->sha_new);
        slice_copy_z(slice_z(tree_text(f, "old", "")), s->sha_old, sizeof s->sha_old);
        s->uid = s->gid = -1;
        j->stage.lines_added += (size_t)tree_int(f, "added", 0);
        j->stage.lines_removed += (size_t)tree_int(f, "removed", 0);
        j->stage.changes += s->differs;
        if (!s->tmp[0] || strchr(s->tmp, '/'))
            return false;
    }
    cJSON_ArrayForEach(f, tree_at(r, "set"))
    {
        const char *old = tree_text(f, "old", NULL);
        struct node_value *v = node_values_add(&j->values, tree_text(f, "name", ""), tree_text(f, "new", ""));

        v->differs = true;
        v->old = mem_strdup(old);
        if (!old || !v->name[0])
            return false;
    }
    return true;
}

static void take_record(struct journal *j, const cJSON *r)
{
    const char *word = tree_text(r, "r", "");

    if (strcmp(word, "begin") == 0 && !j->seen.begun)
        j->seen.begun = take_begin(j, r);
    else if (strcmp(word, record_words[JOURNAL_SWAPPING]) == 0)
        j->seen.swapping = true;
    else if (strcmp(word, record_words[JOURNAL_UNDOING]) == 0)
        j->seen.undoing = true;
    else if (strcmp(word, record_words[JOURNAL_UNDONE]) == 0)
        j->seen.undone = true;
    else if (strcmp(word, record_words[JOURNAL_COMMITTED]) == 0) {
        j->seen.committed = true;
        ack_status_from(tree_text(r, "status", ""), &j->status);
    }
}

int journal_load(const char *state, const struct docname *doc, struct journal *j, struct err *e)
{
    struct str path = {0}, text = {0};
    const char *p;
    int rc;

    docfile_path(state, "journal", doc, &path);
    rc = file_slurp(str_c(&path), JOURNAL_MAX, &text, e);
    p = str_c(&text);
    while (rc == 0 && *p) {
        const char *nl = strchr(p, '\n');
        char sum[SHA_MAX];
        size_t n;
        cJSON *r;

        if (!nl || nl - p < SUM_HEX + 2)
            break;
        n = (size_t)(nl - p) - SUM_HEX - 1;
        sha_bytes(p + SUM_HEX + 1, n, sum);
        if (memcmp(sum, p, SUM_HEX) != 0)
            break;
        r = cJSON_ParseWithLength(p + SUM_HEX + 1, n);
        if (!r)
            break;
        take_record(j, r);
        cJSON_Delete(r);
        p = nl + 1;
    }
    str_fini(&path);
    str_fini(&text);
    return rc;
}

void journal_each(const char *state, void (*fn)(void *arg, const struct docname *doc), void *arg)
{
    docfile_each(state, "journal", NULL, fn, arg);
}

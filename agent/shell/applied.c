/* Records of what is in force, and the folders of last good files. */
#include "agent/shell/applied.h"

#include "agent/core/schema.h"
#include "agent/source/docfile.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void applied_init(struct applied *a) { memset(a, 0, sizeof *a); }

void applied_fini(struct applied *a)
{
    for (size_t i = 0; i < a->files.n; i++) {
        mem_free(a->files.at[i].root);
        mem_free(a->files.at[i].path);
    }
    vec_fini(&a->files);
    for (size_t i = 0; i < a->settings.n; i++)
        mem_free(a->settings.at[i].name);
    vec_fini(&a->settings);
    memset(a, 0, sizeof *a);
}

static void add_file(struct applied *a, const char *root, const char *path, const char *sha)
{
    struct applied_file *f = vec_add(&a->files);

    f->root = mem_strdup(root);
    f->path = mem_strdup(path);
    slice_copy_z(slice_z(sha), f->sha, sizeof f->sha);
}

void applied_set(struct applied *a, const char *sha, const char *fingerprint, int64_t wall_ms, enum ack_status status,
                 const struct plan *p, const struct stage *s)
{
    applied_fini(a);
    a->known = true;
    slice_copy_z(slice_z(sha), a->sha, sizeof a->sha);
    slice_copy_z(slice_z(fingerprint), a->fingerprint, sizeof a->fingerprint);
    a->at_wall_ms = wall_ms;
    a->status = status;
    for (size_t i = 0; i < p->files.n; i++)
        add_file(a, p->files.at[i].root, p->files.at[i].path, s->files.at[i].sha_new);
}

static struct applied_setting *add_setting(struct applied *a, const char *name)
{
    struct applied_setting *s = vec_add(&a->settings);

    s->name = mem_strdup(name);
    return s;
}

void applied_add_setting(struct applied *a, const char *name, const char *want, const char *is, bool pending)
{
    struct applied_setting *s = add_setting(a, name);

    sha_bytes(want, strlen(want), s->want);
    sha_bytes(is, strlen(is), s->is);
    s->pending = pending;
}

const struct applied_setting *applied_setting(const struct applied *a, const char *name)
{
    for (size_t i = 0; i < a->settings.n; i++)
        if (strcmp(a->settings.at[i].name, name) == 0)
            return &a->settings.at[i];
    return NULL;
}

static void put_settings(const struct applied *a, cJSON *o)
{
    cJSON *list = cJSON_AddArrayToObject(o, "settings");

    cJSON_AddStringToObject(o, "run_id", a->run_id);
    for (size_t i = 0; i < a->settings.n; i++) {
        const struct applied_setting *s = &a->settings.at[i];
        cJSON *c = cJSON_CreateObject();

        cJSON_AddStringToObject(c, "name", s->name);
        cJSON_AddStringToObject(c, "want", s->want);
        cJSON_AddStringToObject(c, "is", s->is);
        cJSON_AddBoolToObject(c, "pending", s->pending);
        cJSON_AddItemToArray(list, c);
    }
}

static void take_settings(struct applied *a, const cJSON *o)
{
    const cJSON *c;

    slice_copy_z(slice_z(tree_text(o, "run_id", "")), a->run_id, sizeof a->run_id);
    cJSON_ArrayForEach(c, tree_at(o, "settings"))
    {
        struct applied_setting *s = add_setting(a, tree_text(c, "name", ""));

        slice_copy_z(slice_z(tree_text(c, "want", "")), s->want, sizeof s->want);
        slice_copy_z(slice_z(tree_text(c, "is", "")), s->is, sizeof s->is);
        s->pending = cJSON_IsTrue(tree_at(c, "pending"));
    }
}

int applied_save(const char *state, const struct docname *doc, const struct applied *a, struct err *e)
{
    cJSON *o = cJSON_CreateObject(), *files;
    struct str path = {0};
    char *text;
    int rc;

    cJSON_AddStringToObject(o, "sha", a->sha);
    cJSON_AddStringToObject(o, "fingerprint", a->fingerprint);
    cJSON_AddNumberToObject(o, "t", (double)a->at_wall_ms);
    cJSON_AddStringToObject(o, "st", ack_status_word(a->status));
    files = cJSON_AddArrayToObject(o, "files");
    for (size_t i = 0; i < a->files.n; i++) {
        cJSON *f = cJSON_CreateObject();

        cJSON_AddStringToObject(f, "root", a->files.at[i].root);
        cJSON_AddStringToObject(f, "path", a->files.at[i].path);
        cJSON_AddStringToObject(f, "sha", a->files.at[i].sha);
        cJSON_AddItemToArray(files, f);
    }
    if (a->settings.n)
        put_settings(a, o);
    text = cJSON_Print(o);
    docfile_path(state, "applied", doc, &path);
    rc = file_replace_soon(str_c(&path), text, strlen(text), 0600, true, e);     /* the journal's commit is on disk */
    cJSON_free(text);
    cJSON_Delete(o);
    str_fini(&path);
    return rc;
}

int applied_load(const char *state, const struct docname *doc, struct applied *a, struct err *e)
{
    struct str path = {0}, text = {0};
    cJSON *o = NULL;
    const cJSON *f;
    int rc;

    applied_init(a);
    docfile_path(state, "applied", doc, &path);
    rc = file_slurp(str_c(&path), (size_t)16 << 20, &text, e);
    if (rc != 0)
        goto out;
    o = cJSON_ParseWithLength(str_c(&text), text.len);
    if (!o || strlen(tree_text(o, "sha", "")) != SHA_HEX || strlen(tree_text(o, "fingerprint", "")) != SHA_HEX) {
        rc = err_set(e, ERR_FORMAT, "%s is damaged", str_c(&path));
        goto out;
    }
    a->known = true;
    slice_copy_z(slice_z(tree_text(o, "sha", "")), a->sha, sizeof a->sha);
    slice_copy_z(slice_z(tree_text(o, "fingerprint", "")), a->fingerprint, sizeof a->fingerprint);
    a->at_wall_ms = tree_int(o, "t", 0);
    ack_status_from(tree_text(o, "st", ""), &a->status);
    cJSON_ArrayForEach(f, tree_at(o, "files"))
        add_file(a, tree_text(f, "root", ""), tree_text(f, "path", ""), tree_text(f, "sha", ""));
    take_settings(a, o);
out:
    cJSON_Delete(o);
    str_fini(&path);
    str_fini(&text);
    return rc;
}

void applied_forget(const char *state, const struct docname *doc) { docfile_forget(state, "applied", doc); }

void applied_each(const char *state, const char *type, void (*fn)(void *arg, const struct docname *doc), void *arg)
{
    docfile_each(state, "applied", type, fn, arg);
}

bool applied_owns(const struct applied *a, const char *root, const char *path)
{
    for (size_t i = 0; i < a->files.n; i++)
        if (strcmp(a->files.at[i].root, root) == 0 && strcmp(a->files.at[i].path, path) == 0)
            return true;
    return false;
}

static void remove_folder(int up, const char *name)
{
    int fd = openat(up, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *d;

    while (dir && (d = readdir(dir)) != NULL)
        if (d->d_name[0] != '.')
            unlinkat(dirfd(dir), d->d_name, 0);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    unlinkat(up, name, AT_REMOVEDIR);
}

int kept_folder(const char *state, const struct docname *doc, unsigned keep, char **out, struct err *e)
{
    VEC(int64_t) numbers = {0};
    struct str path = {0};
    struct dirent *d;
    int64_t newest = 0;
    DIR *dir;
    int rc;

    docfile_path(state, "lkg", doc, &path);
    rc = file_make_dirs(str_c(&path), 0700, e);
    dir = rc == 0 ? opendir(str_c(&path)) : NULL;
    if (rc == 0 && !dir)
        rc = err_sys(e, "open %s", str_c(&path));
    while (dir && (d = readdir(dir)) != NULL) {
        int64_t v;

        if (!num_i64_in(d->d_name, strlen(d->d_name), 1, INT64_MAX - 1, &v))
            continue;
        vec_push(&numbers, v);
        if (v > newest)
            newest = v;
    }
    for (size_t i = 0; rc == 0 && i < numbers.n; i++) {
        char name[NUM_I64_MAX];
        unsigned newer = 0;

        for (size_t k = 0; k < numbers.n; k++)
            newer += numbers.at[k] > numbers.at[i];
        num_put_i64(name, numbers.at[i]);
        if (newer + 1 >= keep)
            remove_folder(dirfd(dir), name);
    }
    if (dir)
        closedir(dir);
    vec_fini(&numbers);
    if (rc == 0) {
        str_printf(&path, "/%lld", (long long)newest + 1);
        *out = str_take(&path);
    }
    str_fini(&path);
    return rc;
}

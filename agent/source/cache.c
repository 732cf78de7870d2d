/* Snapshots as files. The checksum covers the records, so a torn or damaged file is
 * recognised and dropped alone. */
#include "agent/source/cache.h"

#include "agent/core/document.h"
#include "agent/source/digest.h"
#include "agent/source/docfile.h"
#include "common/base/buf.h"
#include "common/io/file.h"
#include "common/text/resp_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "kvorum-cache 1 "
#define CACHE_MAX ((size_t)96 * 1024 * 1024)

static void put_record(struct buf *out, const char *source, const struct input *i)
{
    VEC(struct slice) words = {0};

    vec_push(&words, slice_z(i->kind == INPUT_STRING ? "string" : i->kind == INPUT_HASH ? "hash" : "missing"));
    vec_push(&words, slice_z(source));
    if (i->kind == INPUT_STRING) {
        struct slice bytes = {str_c(&i->bytes), i->bytes.len};

        vec_push(&words, bytes);
    }
    for (size_t k = 0; i->kind == INPUT_HASH && k < i->fields.n; k++) {
        struct slice name = {str_c(&i->fields.at[k].name), i->fields.at[k].name.len};
        struct slice value = {str_c(&i->fields.at[k].value), i->fields.at[k].value.len};

        vec_push(&words, name);
        vec_push(&words, value);
    }
    resp_put_request(out, (int)words.n, words.at);
    vec_fini(&words);
}

int cache_save(const char *state, const struct docname *doc, const struct inputs *in, const struct sources *of,
               int64_t wall_ms, struct err *e)
{
    struct buf body = {0};
    struct str path = {0}, old = {0}, text = {0};
    char sha[SHA_MAX];
    int rc = 0;

    for (size_t k = 0; k < of->at.n; k++) {
        const struct input *i = inputs_get(in, of->at.at[k]);

        if (i && i->kind != INPUT_WRONG)
            put_record(&body, of->at.at[k], i);
    }
    docfile_path(state, "cache", doc, &path);
    sha_bytes(buf_data(&body), buf_len(&body), sha);
    str_printf(&text, MAGIC "%s ", sha);
    if (file_slurp(str_c(&path), CACHE_MAX, &old, NULL) == 0 && old.len >= text.len &&
        memcmp(old.p, text.p, text.len) == 0)
        goto out;
    str_printf(&text, "%zu %lld\n", buf_len(&body), (long long)wall_ms);
    str_append(&text, buf_data(&body), buf_len(&body));
    rc = file_replace_soon(str_c(&path), text.p, text.len, 0600, false, e);
out:
    str_fini(&path);
    str_fini(&old);
    str_fini(&text);
    buf_fini(&body);
    return rc;
}

void cache_forget(const char *state, const struct docname *doc) { docfile_forget(state, "cache", doc); }

static int add_record(int argc, const struct slice *argv, struct inputs *in, struct err *e)
{
    struct input *i;

    if (argc < 2 || !source_valid(argv[1]))
        return err_set(e, ERR_FORMAT, "a record that names no source");
    i = inputs_put(in, argv[1]);
    if (slice_is(argv[0], "string") && argc == 3) {
        i->kind = INPUT_STRING;
        str_set(&i->bytes, argv[2].p, argv[2].len);
    } else if (slice_is(argv[0], "hash") && argc % 2 == 0) {
        i->kind = INPUT_HASH;
        for (int k = 2; k < argc; k += 2)
            input_add_field(i, argv[k].p, argv[k].len, argv[k + 1].p, argv[k + 1].len);
    } else if (!slice_is(argv[0], "missing") || argc != 2) {
        return err_set(e, ERR_FORMAT, "a record of no known kind");
    }
    return 0;
}

static int read_records(const char *p, size_t n, struct inputs *in, struct err *e)
{
    struct resp_parser parser;
    int rc = 0;

    resp_parser_init(&parser);
    while (n > 0 && rc == 0) {
        const struct slice *argv;
        size_t used = 0;
        int argc = 0;

        if (resp_parse(&parser, &resp_limits_default, p, n, &argv, &argc, &used, e) != RESP_READY) {
            rc = err_set(e, ERR_FORMAT, "records that do not end");
            break;
        }
        rc = add_record(argc, argv, in, e);
        p += used;
        n -= used;
    }
    resp_parser_fini(&parser);
    return rc;
}

int cache_load(const char *state, const struct docname *doc, struct inputs *in, int64_t *saved_wall_ms, struct err *e)
{
    struct str path = {0}, text = {0};
    struct inputs fresh;
    char sha[SHA_MAX], said[SHA_MAX];
    unsigned long long len;
    long long at_ms;
    const char *nl;
    struct dict_iter it;
    struct dict_entry *entry;
    int rc;

    inputs_init(&fresh);
    docfile_path(state, "cache", doc, &path);
    rc = file_slurp(str_c(&path), CACHE_MAX, &text, e);
    if (rc != 0)
        goto out;
    nl = text.len ? memchr(text.p, '\n', text.len) : NULL;
    if (!nl || sscanf(text.p, MAGIC "%64[0-9a-f] %llu %lld\n", said, &len, &at_ms) != 3 ||
        len != text.len - (size_t)(nl + 1 - text.p)) {
        rc = err_set(e, ERR_VERIFY, "%s is damaged (its first line does not fit)", str_c(&path));
        goto out;
    }
    sha_bytes(nl + 1, (size_t)len, sha);
    if (strcmp(sha, said) != 0) {
        rc = err_set(e, ERR_VERIFY, "%s is damaged (its checksum does not match)", str_c(&path));
        goto out;
    }
    rc = read_records(nl + 1, (size_t)len, &fresh, e);
    if (rc != 0) {
        err_wrap(e, "%s", str_c(&path));
        goto out;
    }
    dict_iter_init(&it, &fresh.by_source);
    while ((entry = dict_iter_next(&it)) != NULL)
        inputs_copy_one(in, &fresh, entry->key);
    dict_iter_fini(&it);
    *saved_wall_ms = at_ms;
out:
    inputs_fini(&fresh);
    str_fini(&path);
    str_fini(&text);
    return rc;
}

bool override_load(const char *state, const struct docname *doc, struct str *out, struct err *e)
{
    struct str path = {0};
    struct err why = {0};
    int rc;

    docfile_path(state, "override", doc, &path);
    rc = file_slurp(str_c(&path), DOCUMENT_MAX_BYTES + 1, out, &why);
    str_fini(&path);
    if (rc != 0 && !(rc == ERR_SYS && why.sys_errno == ENOENT) && e)
        *e = why;
    return rc == 0;
}

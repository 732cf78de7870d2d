/* Names, checks, differences. */
#include "sentinel/ctl/document.h"

#include "common/base/dict.h"
#include "common/base/json_scan.h"
#include "common/base/mem.h"
#include "common/base/vec.h"

#include <cjson/cJSON.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool word_ok(const char *z, size_t n, size_t max, bool is_type)
{
    const char *allowed = is_type ? "abcdefghijklmnopqrstuvwxyz0123456789_-"
                                  : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    return n > 0 && n <= max && strspn(z, allowed) >= n;
}

int doc_name(const char *word, const char *component, char out[DOC_NAME_MAX], struct err *e)
{
    const char *colon = component ? NULL : strchr(word, ':');
    size_t n = colon ? (size_t)(colon - word) : strlen(word);

    if (!component)
        component = colon ? colon + 1 : "";
    if (!word_ok(word, n, 32, true) || !word_ok(component, strlen(component), 128, false) ||
        strcmp(component, ".") == 0 || strcmp(component, "..") == 0)
        return err_set(e, ERR_RANGE, "'%s%s%s' names no document: <type>:<component>, a type is [a-z0-9_-]{1,32} and a component [A-Za-z0-9_.-]{1,128}",
                       word, colon || !*component ? "" : " ", colon ? "" : component);
    snprintf(out, DOC_NAME_MAX, "%.*s:%s", (int)n, word, component);
    return 0;
}

const char *doc_key(char out[DOC_KEY_ROOM], const char *prefix, const char *name)
{
    snprintf(out, DOC_KEY_ROOM, "%s:%s", prefix, name);
    return out;
}

void doc_sha(const void *p, size_t n, char out[SHA_TEXT])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(p, n, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* --- check --- */

static int no_name_twice(const cJSON *o, struct err *e)
{
    struct dict names;
    bool is_new = true;
    int rc = 0;

    dict_init(&names);
    for (const cJSON *c = o->child; rc == 0 && c; c = c->next) {
        if (c->string)
            dict_put(&names, c->string, strlen(c->string), &is_new);
        if (!is_new)
            rc = err_set(e, ERR_FORMAT, "the name \"%.200s\" is there twice", c->string);
        else if (c->child)
            rc = no_name_twice(c, e);
    }
    dict_fini(&names, NULL);
    return rc;
}

int doc_check(const struct str *doc, struct err *e)
{
    cJSON *o;
    int rc;

    if (doc->len > DOCUMENT_MAX)
        return err_set(e, ERR_LIMIT, "the document has %zu bytes; at most %d are allowed", doc->len, DOCUMENT_MAX);
    rc = json_scan_object(str_c(doc), doc->len, DOCUMENT_DEPTH_MAX, e);
    if (rc != 0)
        return rc == ERR_FORMAT ? err_wrap(e, "that is not valid JSON") : rc;
    o = cJSON_ParseWithLength(str_c(doc), doc->len);
    rc = o ? no_name_twice(o, e) : err_set(e, ERR_FORMAT, "the JSON library refused the document");
    cJSON_Delete(o);
    return rc;
}

/* --- differences --- */

struct leaves {
    VEC(char *) paths;
    VEC(char *) values;
    struct dict at;              /* path -> position + 1 */
};

static void add_leaf(struct leaves *l, const char *path, char *value)
{
    vec_push(&l->paths, mem_strdup(*path ? path : "."));
    vec_push(&l->values, mem_strdup(value));
    dict_put(&l->at, vec_last(&l->paths), strlen(vec_last(&l->paths)), NULL)->v.u = l->paths.n;
    free(value);
}

static void flatten(const cJSON *o, struct str *path, struct leaves *l)
{
    size_t len = path->len;
    int i = 0;

    if (!o->child) {
        add_leaf(l, str_c(path), cJSON_PrintUnformatted(o));
        return;
    }
    for (const cJSON *c = o->child; c; c = c->next) {
        if (c->string)
            str_printf(path, "%s%s", len ? "." : "", c->string);
        else
            str_printf(path, "[%d]", i++);
        flatten(c, path, l);
        str_cut(path, len);
    }
}

static void read_leaves(const char *text, struct leaves *l)
{
    cJSON *o = cJSON_Parse(text);
    struct str path = {0};

    dict_init(&l->at);
    if (o)
        flatten(o, &path, l);
    else
        add_leaf(l, "", strdup(text));
    str_fini(&path);
    cJSON_Delete(o);
}

static const char *leaf(const struct leaves *l, const char *path)
{
    struct dict_entry *d = dict_find(&l->at, path, strlen(path));

    return d ? l->values.at[d->v.u - 1] : NULL;
}

static void leaves_fini(struct leaves *l)
{
    for (size_t i = 0; i < l->paths.n; i++) {
        mem_free(l->paths.at[i]);
        mem_free(l->values.at[i]);
    }
    vec_fini(&l->paths);
    vec_fini(&l->values);
    dict_fini(&l->at, NULL);
}

/* What is secret is not printed: that it changed is. */
static const char *shown(const char *path, const char *value)
{
    static const char *const secret[] = {"password", "passwd", "secret", "token", "auth_pass", "auth-pass", "aclfile"};
    const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : path;

    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++)
        if (strncmp(name, secret[i], strlen(secret[i])) == 0)
            return "\"***\"";
    return value;
}

size_t doc_diff(const char *was, const char *is, struct str *out)
{
    struct leaves a = {0}, b = {0};
    size_t lines = 0;

    read_leaves(was, &a);
    read_leaves(is, &b);
    for (size_t i = 0; i < a.paths.n; i++) {
        const char *now = leaf(&b, a.paths.at[i]);

        if (now && strcmp(now, a.values.at[i]) == 0)
            continue;
        str_printf(out, "- %s = %s\n", a.paths.at[i], shown(a.paths.at[i], a.values.at[i]));
        if (now)
            str_printf(out, "+ %s = %s\n", a.paths.at[i], shown(a.paths.at[i], now));
        lines += now ? 2 : 1;
    }
    for (size_t i = 0; i < b.paths.n; i++)
        if (!leaf(&a, b.paths.at[i])) {
            str_printf(out, "+ %s = %s\n", b.paths.at[i], shown(b.paths.at[i], b.values.at[i]));
            lines++;
        }
    leaves_fini(&a);
    leaves_fini(&b);
    return lines;
}

/* Documents of every type: the first byte chooses one, the rest is the document, then (behind a zero byte) fields of a
 * hash as name, zero, value, zero. A plan or a sentence comes of it; a file of variables is read back. */
#include "agent/core/desired.h"
#include "agent/core/type_node.h"
#include "common/base/check.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rest up to a zero byte; moves on behind it. */
static struct slice next(const char **p, const char *end)
{
    const char *zero = *p < end ? memchr(*p, 0, (size_t)(end - *p)) : NULL, *stop = zero ? zero : end;
    struct slice s = {*p, (size_t)(stop - *p)};

    *p = zero ? zero + 1 : end;
    return s;
}

/* Each line is a name, '=', and double quotes in which a backslash stands before the four special ones only. */
static void read_back(const struct str *file)
{
    const char *p = str_c(file), *end = p + file->len;

    while (p < end) {
        CHECK((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_');
        while (*p != '=') {
            CHECK(p < end && *p != '\n');
            p++;
        }
        CHECK(p[1] == '"');
        for (p += 2; *p != '"'; p++) {
            CHECK(p < end && (unsigned char)*p != 0x7f && ((unsigned char)*p >= 0x20 || *p == '\t') && *p != '`' && *p != '$');
            if (*p == '\\') {
                p++;
                CHECK(p < end && *p && strchr("\"\\`$", *p));
            }
        }
        CHECK(p[1] == '\n');
        p += 2;
    }
    CHECK(p == end);
}

static void judge(const struct doctype *type, const struct plan *p)
{
    for (size_t i = 0; i < p->files.n; i++)
        CHECK(p->files.at[i].root && doctype_path_ok(p->files.at[i].path));
    if (strcmp(type->name, "env") == 0)
        read_back(&p->files.at[0].bytes);
    if (p->carrier == CARRY_NODE) {
        CHECK(p->node.set.n >= 1 && p->node.set.n <= NODE_SETTINGS_MAX && p->files.n == 0);
        for (size_t i = 0; i < p->node.set.n; i++)
            CHECK(strcmp(p->node.set.at[i].name, "dir") != 0 && !strpbrk(p->node.set.at[i].name, "*?[ \r\n"));
    }
    CHECK(p->carrier != CARRY_NOTHING || (p->files.n == 0 && p->node.set.n == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct whoami who = {"n1", "g"};
    const char *p = (const char *)data + 1, *end = (const char *)data + size;
    struct docname name = {{0}, "x"};
    const struct doctype *type;
    struct inputs in;
    struct input *hash;
    struct slice doc;
    struct plan *plan = NULL;
    struct err e = {0};
    char key[DOC_KEY_MAX];
    bool absent;
    int rc;

    if (size == 0)
        return 0;
    type = &doctypes[data[0] % doctypes_n];
    slice_copy_z(slice_z(type->name), name.type, sizeof name.type);
    inputs_init(&in);
    doc = next(&p, end);
    inputs_put_string(&in, docname_key(&name, key), doc.p, doc.len);
    hash = inputs_put(&in, slice_z("hash:h"));
    hash->kind = INPUT_HASH;
    while (p < end) {
        struct slice field = next(&p, end), value = next(&p, end);

        input_add_field(hash, field.p, field.len, value.p, value.len);
    }
    rc = desired_plan(&name, &in, &who, NULL, &plan, &absent, &e);
    CHECK((rc == 0) == (plan != NULL));
    if (plan)
        judge(type, plan);
    else
        CHECK(e.text[0]);
    plan_free(plan);
    inputs_fini(&in);
    return 0;
}

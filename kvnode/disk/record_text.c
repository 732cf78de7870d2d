/* A table of the lines; the order is that of writing, and of no matter when read. */
#include "kvnode/disk/record_text.h"

#include "common/base/num.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { ID, HEX, NUMBER, MS, YES };

#define F(field) offsetof(struct member_facts, field)
static const struct {
    const char *name;
    enum kind kind;
    size_t at;
} lines[] = {
    {"id", ID, F(id)},
    {"life", HEX, F(life)},
    {"group", HEX, F(gid)},
    {"bound", NUMBER, F(bound_ballot)},
    {"primary", ID, F(bound_primary)},
    {"primary-life", HEX, F(bound_primary_life)},
    {"used", YES, F(used)},
    {"sealed", NUMBER, F(sealed)},
    {"promise-max-ms", MS, F(promise_max_ms)},
};
#define NLINES (sizeof lines / sizeof lines[0])

void record_text_put(const struct member_facts *f, struct str *out)
{
    for (size_t i = 0; i < NLINES; i++) {
        const char *at = (const char *)f + lines[i].at;

        str_printf(out, "%s ", lines[i].name);
        switch (lines[i].kind) {
        case ID: str_append_z(out, *at ? at : "-"); break;
        case HEX: str_printf(out, "%016llx", (unsigned long long)*(const uint64_t *)(const void *)at); break;
        case NUMBER: str_printf(out, "%llu", (unsigned long long)*(const uint64_t *)(const void *)at); break;
        case MS: str_printf(out, "%lld", (long long)*(const int64_t *)(const void *)at); break;
        case YES: str_append_z(out, *(const bool *)at ? "yes" : "no"); break;
        }
        str_append_c(out, '\n');
    }
}

static bool hex(struct slice v, size_t digits)
{
    if (v.len != digits)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (!memchr("0123456789abcdef", v.p[i], 16))
            return false;
    return true;
}

static bool value(enum kind kind, struct slice v, char *at)
{
    char text[17];

    switch (kind) {
    case ID:
        memset(at, 0, ID_MAX);
        if (slice_is(v, "-"))
            return true;
        if (hex(v, ID_HEX))
            memcpy(at, v.p, v.len);
        return hex(v, ID_HEX);
    case HEX:
        if (!hex(v, 16))
            return false;
        (void)slice_copy_z(v, text, sizeof text);
        *(uint64_t *)(void *)at = strtoull(text, NULL, 16);
        return true;
    case NUMBER: return num_u64(v.p, v.len, (uint64_t *)(void *)at);
    case MS: return num_i64_in(v.p, v.len, 0, INT64_MAX, (int64_t *)(void *)at);
    case YES:
        *(bool *)at = slice_is(v, "yes");
        return slice_is(v, "yes") || slice_is(v, "no");
    }
    return false;
}

static int one_line(struct slice line, struct member_facts *f, unsigned *seen, struct err *e)
{
    const char *blank = memchr(line.p, ' ', line.len);
    struct slice name = {line.p, blank ? (size_t)(blank - line.p) : line.len};

    for (size_t i = 0; i < NLINES; i++) {
        if (!slice_is(name, lines[i].name))
            continue;
        if (*seen & 1u << i)
            return err_set(e, ERR_FORMAT, "'%s' stands there twice", lines[i].name);
        *seen |= 1u << i;
        if (!blank || !value(lines[i].kind, (struct slice){blank + 1, line.len - name.len - 1}, (char *)f + lines[i].at))
            return err_set(e, ERR_FORMAT, "'%.*s' is no line of a node's record", (int)(line.len < 80 ? line.len : 80), line.p);
        return 0;
    }
    return err_set(e, ERR_FORMAT, "'%.*s' is no line of a node's record", (int)(line.len < 80 ? line.len : 80), line.p);
}

int record_text_get(struct slice text, struct member_facts *f, struct err *e)
{
    struct member_facts got;
    unsigned seen = 0;
    int rc = 0;

    memset(&got, 0, sizeof got);
    while (rc == 0 && text.len > 0) {
        const char *nl = memchr(text.p, '\n', text.len);
        size_t n = nl ? (size_t)(nl - text.p) : text.len;

        rc = one_line((struct slice){text.p, n}, &got, &seen, e);
        n += nl != NULL;
        text.p += n;
        text.len -= n;
    }
    if (rc == 0 && seen != (1u << NLINES) - 1)
        rc = err_set(e, ERR_FORMAT, "lines of the node's record are missing");
    if (rc == 0 && (got.life == 0 || !got.id[0]))
        rc = err_set(e, ERR_FORMAT, "the node's record has no id or no life");
    if (rc == 0)
        *f = got;
    return rc;
}

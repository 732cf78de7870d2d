/* Names of documents: taken apart, checked, put together. */
#include "agent/core/docname.h"

#include <string.h>

static bool type_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool component_char(char c)
{
    return type_char(c) || (c >= 'A' && c <= 'Z') || c == '.';
}

bool docname_make(struct docname *out, struct slice type, struct slice component)
{
    if (type.len < 1 || type.len > DOC_TYPE_MAX || component.len < 1 || component.len > DOC_COMPONENT_MAX)
        return false;
    for (size_t i = 0; i < type.len; i++)
        if (!type_char(type.p[i]))
            return false;
    for (size_t i = 0; i < component.len; i++)
        if (!component_char(component.p[i]))
            return false;
    if (slice_is(component, ".") || slice_is(component, ".."))
        return false;
    memset(out, 0, sizeof *out);
    memcpy(out->type, type.p, type.len);
    memcpy(out->component, component.p, component.len);
    return true;
}

bool docname_parse(struct slice text, struct docname *out)
{
    const char *colon = text.len ? memchr(text.p, ':', text.len) : NULL;
    struct slice type, component;

    if (!colon)
        return false;
    type.p = text.p;
    type.len = (size_t)(colon - text.p);
    component.p = colon + 1;
    component.len = text.len - type.len - 1;
    return docname_make(out, type, component);
}

bool docname_from_key(struct slice key, struct docname *out)
{
    static const char prefix[] = "config:";
    const size_t n = sizeof prefix - 1;

    if (key.len <= n || memcmp(key.p, prefix, n) != 0)
        return false;
    return docname_parse((struct slice){key.p + n, key.len - n}, out);
}

bool docname_equal(const struct docname *a, const struct docname *b)
{
    return strcmp(a->type, b->type) == 0 && strcmp(a->component, b->component) == 0;
}

static const char *join(const char *prefix, const struct docname *d, char out[DOC_KEY_MAX])
{
    size_t p = strlen(prefix), t = strlen(d->type), c = strlen(d->component);

    memcpy(out, prefix, p);
    memcpy(out + p, d->type, t);
    out[p + t] = ':';
    memcpy(out + p + t + 1, d->component, c + 1);
    return out;
}

const char *docname_key(const struct docname *d, char out[DOC_KEY_MAX]) { return join("config:", d, out); }
const char *docname_ack_key(const struct docname *d, char out[DOC_KEY_MAX]) { return join("cfgack:", d, out); }
const char *docname_text(const struct docname *d, char out[DOC_KEY_MAX]) { return join("", d, out); }

/* Reading and writing of one instance's line. */
#include "agent/core/service_entry.h"

#include "common/base/num.h"

#include <string.h>

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-' || c == '@';
}

bool service_name_ok(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!name_char(name.p[i]))
            return false;
    return name.len >= 1 && name.len <= SERVICE_NAME_MAX;
}

bool service_id_ok(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!name_char(id.p[i]) && id.p[i] != ':')
            return false;
    return id.len >= 1 && id.len <= INSTANCE_ID_MAX;
}

/* The next part before a ';' (or the end); false when nothing is left. */
static bool next_part(struct slice *rest, struct slice *part)
{
    const char *semi;

    if (!rest->p)
        return false;
    semi = memchr(rest->p, ';', rest->len);
    part->p = rest->p;
    part->len = semi ? (size_t)(semi - rest->p) : rest->len;
    if (semi) {
        rest->len -= part->len + 1;
        rest->p = semi + 1;
    } else {
        *rest = (struct slice){NULL, 0};
    }
    return true;
}

static bool read_part(struct slice name, struct slice value, struct service_entry *s)
{
    int64_t v;

    if (slice_is(name, "zone")) {
        s->zone = value;
    } else if (slice_is(name, "tags")) {
        s->tags = value;
    } else if (slice_is(name, "w")) {
        if (!num_i64_in(value.p, value.len, 0, 65535, &v))
            return false;
        s->weight = (int)v;
    } else if (slice_is(name, "ttl")) {
        if (!num_i64_in(value.p, value.len, SERVICE_TTL_LEAST_MS, SERVICE_TTL_MOST_MS, &v))
            return false;
        s->ttl_ms = v;
    } else if (slice_is(name, "state")) {
        s->drain = slice_is(value, "drain");
        return s->drain || slice_is(value, "up");
    }
    return true;
}

static bool host_ok(const char *host)
{
    for (; *host; host++)
        if (!name_char(*host) && *host != ':' && *host != '%')
            return false;
    return true;
}

bool service_entry_parse(struct slice text, struct service_entry *out)
{
    struct service_entry s = {.weight = 100};
    struct slice rest = text, part;

    if (!text.len || text.len > SERVICE_ENTRY_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    if (!next_part(&rest, &part) || !addr_parse(part.p, part.len, &s.at) || s.at.port == 0 || !host_ok(s.at.host))
        return false;
    while (next_part(&rest, &part)) {
        const char *eq = part.len ? memchr(part.p, '=', part.len) : NULL;
        size_t n = eq ? (size_t)(eq - part.p) : 0;

        if (eq && !read_part((struct slice){part.p, n}, (struct slice){eq + 1, part.len - n - 1}, &s))
            return false;
    }
    *out = s;
    return true;
}

void service_entry_put(const struct service_entry *s, struct str *out)
{
    char at[ADDR_TEXT_MAX];

    str_append_z(out, addr_text(&s->at, at));
    if (s->zone.len)
        str_printf(out, ";zone=%.*s", (int)s->zone.len, s->zone.p);
    str_printf(out, ";w=%d;state=%s", s->weight, s->drain ? "drain" : "up");
    if (s->ttl_ms)
        str_printf(out, ";ttl=%lld", (long long)s->ttl_ms);
    if (s->tags.len)
        str_printf(out, ";tags=%.*s", (int)s->tags.len, s->tags.p);
}

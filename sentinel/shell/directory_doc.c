/* cJSON says whether it is a document at all; a small scanner finds the two values. */
#include "sentinel/shell/directory_doc.h"

#include "common/base/mem.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

struct span { size_t at, len; };

static size_t skip_blank(const char *p, size_t at)
{
    while (p[at] && strchr(" \t\r\n", p[at]))
        at++;
    return at;
}

static size_t skip_string(const char *p, size_t at)
{
    for (at++; p[at] && p[at] != '"'; at++)
        if (p[at] == '\\' && p[at + 1])
            at++;
    return p[at] ? at + 1 : at;
}

/* The end of the value that begins at `at`. The text is known to be valid. */
static size_t skip_value(const char *p, size_t at)
{
    int depth = 0;

    if (p[at] == '"')
        return skip_string(p, at);
    if (p[at] != '{' && p[at] != '[')
        return at + strcspn(p + at, ",}] \t\r\n");
    do {
        if (p[at] == '"') {
            at = skip_string(p, at);
            continue;
        }
        depth += p[at] == '{' || p[at] == '[' ? 1 : p[at] == '}' || p[at] == ']' ? -1 : 0;
        at++;
    } while (p[at] && depth > 0);
    return at;
}

struct members {
    struct span host, port;      /* len 0 = not there */
    size_t close;                /* where the last '}' stands */
    bool empty;
};

static void find_members(const char *p, struct members *m)
{
    size_t at = skip_blank(p, 0) + 1;

    memset(m, 0, sizeof *m);
    at = skip_blank(p, at);
    m->empty = p[at] == '}';
    while (p[at] == '"') {
        size_t name = at + 1, end = skip_string(p, at), from;

        from = skip_blank(p, skip_blank(p, end) + 1);
        at = skip_value(p, from);
        struct span value = {from, at - from};
        if (end - name == 5 && strncmp(p + name, "host\"", 5) == 0)
            m->host = value;
        else if (end - name == 5 && strncmp(p + name, "port\"", 5) == 0)
            m->port = value;
        at = skip_blank(p, at);
        if (p[at] == ',')
            at = skip_blank(p, at + 1);
    }
    m->close = at;
}

static int check(const char *text, struct err *e)
{
    const char *end = NULL;
    cJSON *o = cJSON_ParseWithOpts(text, &end, 1);
    int hosts = 0, ports = 0;

    if (!o)
        return err_set(e, ERR_FORMAT, "the document is not valid JSON (near byte %ld)", end ? (long)(end - text) : 0L);
    if (!cJSON_IsObject(o)) {
        cJSON_Delete(o);
        return err_set(e, ERR_FORMAT, "the document is not a JSON object");
    }
    for (const cJSON *it = o->child; it; it = it->next) {
        hosts += strcmp(it->string, "host") == 0;
        ports += strcmp(it->string, "port") == 0;
    }
    cJSON_Delete(o);
    return hosts > 1 || ports > 1 ? err_set(e, ERR_FORMAT, "the document has host or port twice") : 0;
}

static void put_text(struct str *out, const char *z)
{
    cJSON *s = cJSON_CreateString(z);
    char *quoted = cJSON_PrintUnformatted(s);

    str_append_z(out, quoted);
    free(quoted);
    cJSON_Delete(s);
}

static void put_host(struct str *out, const struct addr *to) { put_text(out, to->host); }
static void put_port(struct str *out, const struct addr *to) { str_printf(out, "%u", to->port); }

int directory_doc_edit(struct slice old, const struct addr *to, struct str *out, struct err *e)
{
    char *text;
    struct members m;
    size_t from = 0;
    bool host_first;
    int rc = 0;

    if (old.len == 0) {
        str_append_z(out, "{\"host\": ");
        put_host(out, to);
        str_printf(out, ", \"port\": %u}", to->port);
        return 0;
    }
    if (memchr(old.p, '\0', old.len))
        return err_set(e, ERR_FORMAT, "the document is not valid JSON (it holds a zero byte)");
    text = mem_strndup(old.p, old.len);
    rc = check(text, e);
    if (rc != 0)
        goto out;
    find_members(text, &m);
    host_first = m.host.at < m.port.at;
    for (int i = 0; i < 2; i++) {
        bool host = (i == 0) == host_first;
        struct span s = host ? m.host : m.port;

        if (s.len == 0)
            continue;
        str_append(out, text + from, s.at - from);
        (host ? put_host : put_port)(out, to);
        from = s.at + s.len;
    }
    str_append(out, text + from, m.close - from);
    if (m.host.len == 0) {
        str_append_z(out, m.empty ? "\"host\": " : ", \"host\": ");
        put_host(out, to);
    }
    if (m.port.len == 0) {
        str_append_z(out, m.empty && m.host.len > 0 ? "\"port\": " : ", \"port\": ");
        put_port(out, to);
    }
    str_append_z(out, text + m.close);
out:
    mem_free(text);
    return rc;
}

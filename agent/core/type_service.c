/* The type "service": shape and plan. */
#include "agent/core/type_service.h"

#include "agent/core/service_entry.h"
#include "common/base/mem.h"

#include <string.h>

static const struct shape_field tag_field[] = {{"", SHAPE_TEXT, false, 1, 64}};
static const struct shape tag_shape = SHAPE(tag_field);

static const struct shape_field service_fields[] = {
    DOCTYPE_VERSION_FIELD,
    {"name", SHAPE_TEXT, true, 1, SERVICE_NAME_MAX, NULL, NULL, "of the service: its instances stand in svcs:<name>"},
    {"port", SHAPE_INT, true, 1, 65535, NULL, NULL, "where this instance listens"},
    {"host", SHAPE_TEXT, false, 1, 253, NULL, NULL, "where others reach it; default: the address that the agent announces"},
    {"zone", SHAPE_TEXT, false, 1, 64, NULL, NULL, "where it stands, for readers that prefer near ones"},
    {"weight", SHAPE_INT, false, 0, 65535, NULL, NULL, "default 100"},
    {"ttl", SHAPE_MS, false, SERVICE_TTL_LEAST_MS, SERVICE_TTL_MOST_MS, NULL, NULL, "its lease: gone so long after the agent died, default 15s"},
    {"check", SHAPE_OBJECT, false, 0, 0, NULL, &doctype_probe_shape, "is it well? without: as long as the agent lives"},
    {"interval", SHAPE_MS, false, 100, 600000, NULL, NULL, "between checks, and how long it drains, default 5s"},
    {"rise", SHAPE_INT, false, 1, 100, NULL, NULL, "good checks in a row until it is up, default 2"},
    {"fall", SHAPE_INT, false, 1, 100, NULL, NULL, "bad checks in a row until it drains, default 3"},
    {"tags", SHAPE_LIST, false, 0, 16, NULL, &tag_shape, "words for readers"},
};
const struct shape service_shape = SHAPE(service_fields);

static bool words_only(const char *z, const char *more)
{
    for (; *z; z++)
        if (!(*z >= 'a' && *z <= 'z') && !(*z >= 'A' && *z <= 'Z') && !(*z >= '0' && *z <= '9') && !strchr(more, *z))
            return false;
    return true;
}

static char *dup_or_null(const char *z) { return z ? mem_strdup(z) : NULL; }

int service_read(const cJSON *doc, struct plan *p, struct err *e)
{
    const char *name = tree_text(doc, "name", ""), *host = tree_text(doc, "host", NULL);
    const char *zone = tree_text(doc, "zone", NULL);
    struct plan_service *s = mem_zalloc(sizeof *s);
    const cJSON *tag;
    int rc = 0;

    p->carrier = CARRY_KEEP;
    p->service = s;
    s->name = mem_strdup(name);
    s->host = dup_or_null(host);
    s->zone = dup_or_null(zone);
    s->port = (int)tree_int(doc, "port", 0);
    s->weight = (int)tree_int(doc, "weight", 100);
    s->ttl_ms = tree_ms(doc, "ttl", SERVICE_TTL_MS);
    s->interval_ms = tree_ms(doc, "interval", 5000);
    s->rise = (int)tree_int(doc, "rise", 2);
    s->fall = (int)tree_int(doc, "fall", 3);
    if (!service_name_ok(slice_z(name)))
        return err_set(e, ERR_RANGE, "name: '%.100s' must be of letters, digits, '_', '.', '-' and '@'", name);
    if (host && !words_only(host, "._-:%"))
        return err_set(e, ERR_RANGE, "host: '%.100s' is no host", host);
    if (zone && !words_only(zone, "._-"))
        return err_set(e, ERR_RANGE, "zone: '%.64s' must be of letters, digits, '_', '.' and '-'", zone);
    cJSON_ArrayForEach(tag, tree_at(doc, "tags"))
    {
        char *copy;

        if (!words_only(tag->valuestring, "._-=:/@"))
            return err_set(e, ERR_RANGE, "tags[%zu]: '%.64s' must be of letters, digits and _.-=:/@", s->tags.n,
                           tag->valuestring);
        copy = mem_strdup(tag->valuestring);
        vec_push(&s->tags, copy);
    }
    if (!tree_at(doc, "check"))
        return 0;
    rc = doctype_read_probe(tree_at(doc, "check"), &s->check, e);
    return rc == 0 ? 0 : err_wrap(e, "check");
}

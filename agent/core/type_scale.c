/* The type "scale": shape, plan, and who runs how many. */
#include "agent/core/type_scale.h"

#include "common/base/mem.h"

#include <string.h>

static const struct shape_field share_field[] = {{"", SHAPE_INT, false, 0, SCALE_INSTANCES_MAX}};
static const struct shape share_shape = SHAPE(share_field);

static const struct shape_field scale_fields[] = {
    {"unit", SHAPE_TEXT, false, 1, 200, NULL, NULL, "template of a systemd unit: web@.service"},
    {"statefulset", SHAPE_TEXT, false, 1, 200, NULL, NULL, "<namespace>/<name>"},
    {"v", SHAPE_INT, false, 1, 1, NULL, NULL, "version of this shape"},
    {"instances", SHAPE_INT, true, 0, SCALE_INSTANCES_MAX, NULL, NULL, "how many there shall be, within min and max"},
    {"min", SHAPE_INT, false, 0, SCALE_INSTANCES_MAX, NULL, NULL, "fewest that a scale event may ask for, default 0"},
    {"max", SHAPE_INT, false, 0, SCALE_INSTANCES_MAX, NULL, NULL, "most that a scale event may ask for, default 100"},
    {"assign", SHAPE_MAP, false, 1, SCALE_NODES_MAX, NULL, &share_shape, "node id -> its share; without it: all of them on each node"},
    {"cooldown", SHAPE_MS, false, 0, 86400000, NULL, NULL, "between two changes by scale events, default 1s"},
};
const struct shape scale_shape = SHAPE_CHOICE(scale_fields, 2);

/* Is this a template that instances can be made of: letters, digits and :-_.\ , then "@.service"? */
static bool unit_ok(const char *unit)
{
    static const char end[] = "@.service";
    size_t n = strlen(unit), name = n > sizeof end - 1 ? n - (sizeof end - 1) : 0;

    return name > 0 && unit[0] != '-' && unit[0] != '.' && strcmp(unit + name, end) == 0 &&
           strspn(unit, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\") == name;
}

/* A DNS label, as names of Kubernetes objects are. */
static bool label_ok(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool word = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9');

        if (!word && (p[i] != '-' || i == 0 || i == n - 1))
            return false;
    }
    return n >= 1 && n <= 63;
}

static int read_assign(const cJSON *assign, struct plan_scale *s, struct err *e)
{
    const cJSON *c;
    int64_t all = 0;

    cJSON_ArrayForEach(c, assign)
    {
        struct plan_share share;

        if (!c->string[0] || strlen(c->string) > 128)
            return err_set(e, ERR_RANGE, "assign: '%.100s' is no node id", c->string);
        share = (struct plan_share){mem_strdup(c->string), c->valueint};
        all += share.instances;
        vec_push(&s->assign, share);
    }
    if (assign && all == 0)
        return err_set(e, ERR_RANGE, "assign: gives no node a share");
    return 0;
}

int scale_read(const cJSON *doc, struct plan *p, struct err *e)
{
    struct plan_scale *s = mem_zalloc(sizeof *s);
    const char *unit = tree_text(doc, "unit", NULL), *set = tree_text(doc, "statefulset", NULL);
    const char *slash = set ? strchr(set, '/') : NULL;

    p->carrier = CARRY_KEEP;
    p->scale = s;
    s->instances = (int)tree_int(doc, "instances", 0);
    s->min = (int)tree_int(doc, "min", 0);
    s->max = (int)tree_int(doc, "max", s->min > 100 ? s->min : 100);
    s->unit = unit ? mem_strdup(unit) : NULL;
    s->statefulset = set ? mem_strdup(set) : NULL;
    if (s->min > s->max)
        return err_set(e, ERR_RANGE, "min: %d is above max (%d)", s->min, s->max);
    if (s->instances < s->min || s->instances > s->max)
        return err_set(e, ERR_RANGE, "instances: %d is not within min (%d) and max (%d)", s->instances, s->min, s->max);
    if (unit && !unit_ok(unit))
        return err_set(e, ERR_RANGE, "unit: '%.200s' must be a template such as web@.service", unit);
    if (set && (!slash || !label_ok(set, (size_t)(slash - set)) || !label_ok(slash + 1, strlen(slash + 1))))
        return err_set(e, ERR_RANGE, "statefulset: '%.200s' must be <namespace>/<name>", set);
    return read_assign(tree_at(doc, "assign"), s, e);
}

/* The next instance goes to the node with the largest share / (given + 1); of equals to the first by name. */
static size_t furthest_behind(const struct plan_scale *s, const int *given)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < s->assign.n; i++) {
        const struct plan_share *a = &s->assign.at[i], *b = best < s->assign.n ? &s->assign.at[best] : NULL;
        int64_t mine, its;

        if (a->instances == 0)
            continue;
        mine = b ? (int64_t)a->instances * (given[best] + 1) : 1;
        its = b ? (int64_t)b->instances * (given[i] + 1) : 0;
        if (mine > its || (mine == its && strcmp(a->node, b->node) < 0))
            best = i;
    }
    return best;
}

int scale_share(const struct plan_scale *s, const char *node)
{
    int *given, mine = 0;

    if (s->assign.n == 0)
        return s->instances;
    given = mem_zalloc(s->assign.n * sizeof *given);
    for (int k = 0; k < s->instances; k++) {
        size_t to = furthest_behind(s, given);

        if (to < s->assign.n)
            given[to]++;
    }
    for (size_t i = 0; i < s->assign.n; i++)
        if (strcmp(s->assign.at[i].node, node) == 0)
            mine = given[i];
    mem_free(given);
    return mine;
}

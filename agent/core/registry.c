/* Reading, judging, choosing. */
#include "agent/core/registry.h"

#include "common/base/mem.h"

#include <string.h>

static void clear_lines(struct reg_service *s)
{
    for (size_t i = 0; i < s->at.n; i++)
        mem_free(s->at.at[i].id);
    vec_clear(&s->at);
    s->junk = 0;
}

static void service_free(void *v)
{
    struct reg_service *s = v;

    clear_lines(s);
    vec_fini(&s->at);
    mem_free(s->name);
    mem_free(s->mirror);
    mem_free(s->owner);
    mem_free(s->told);
    mem_free(s);
}

void registry_init(struct registry *r, int64_t now_ms)
{
    memset(r, 0, sizeof *r);
    dict_init(&r->services);
    r->judge_from_ms = now_ms;
}

void registry_fini(struct registry *r)
{
    dict_fini(&r->services, service_free);
    vec_fini(&r->recent);
}

void registry_outage(struct registry *r, int64_t now_ms) { r->judge_from_ms = ms_max(r->judge_from_ms, now_ms); }

void registry_complete(struct registry *r) { r->complete = true; }

/* --- what stands there --- */

struct reg_service *registry_service(struct registry *r, struct slice name)
{
    struct reg_service *s = dict_get(&r->services, name.p, name.len);

    if (s || !service_name_ok(name) || dict_count(&r->services) >= REGISTRY_SERVICES_MAX)
        return s;
    s = mem_zalloc(sizeof *s);
    s->name = mem_strndup(name.p, name.len);
    dict_put(&r->services, name.p, name.len, NULL)->v.p = s;
    return s;
}

/* Where this id stands, or would. */
static size_t place_of(const struct reg_service *s, struct slice id, bool *found)
{
    size_t lo = 0, hi = s->at.n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2, n = strlen(s->at.at[mid].id);
        int c = memcmp(s->at.at[mid].id, id.p, n < id.len ? n : id.len);

        if (c == 0)
            c = n < id.len ? -1 : n > id.len;
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = false;
    return lo;
}

/* Lines that are not said again go; what is known of the leases of the others stays. */
void registry_lines_begin(struct reg_service *s)
{
    s->junk = 0;
    for (size_t i = 0; i < s->at.n; i++)
        s->at.at[i].at.port = 0;
}

void registry_line(struct reg_service *s, struct slice id, struct slice value)
{
    struct service_entry e;
    struct reg_instance fresh = {.left_ms = -1}, *i;
    bool found;
    size_t at;

    if (!service_id_ok(id) || !service_entry_parse(value, &e)) {
        s->junk++;
        return;
    }
    at = place_of(s, id, &found);
    if (!found) {
        if (s->at.n >= REGISTRY_INSTANCES_MAX) {
            s->junk++;
            return;
        }
        fresh.id = mem_strndup(id.p, id.len);
        vec_push(&s->at, fresh);
        memmove(&s->at.at[at + 1], &s->at.at[at], (s->at.n - 1 - at) * sizeof s->at.at[0]);
        s->at.at[at] = fresh;
    }
    i = &s->at.at[at];
    i->at = e.at;
    i->weight = e.weight;
    i->drain = e.drain;
    i->ttl_ms = e.ttl_ms;
}

void registry_lines_end(struct reg_service *s)
{
    for (size_t i = s->at.n; i-- > 0;)
        if (!s->at.at[i].at.port) {
            mem_free(s->at.at[i].id);
            vec_remove(&s->at, i);
        }
}

void registry_mirrors_begin(struct registry *r)
{
    struct dict_iter it;

    dict_iter_init(&it, &r->services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));) {
        struct reg_service *s = e->v.p;

        mem_free(s->mirror);
        mem_free(s->owner);
        s->mirror = s->owner = NULL;
    }
    dict_iter_fini(&it);
}

void registry_mirror(struct registry *r, struct slice name, const struct slice *mirror, const struct slice *owner)
{
    /* Old clients may keep many names; only those that have lines, or had some, matter. */
    struct reg_service *s = owner ? registry_service(r, name) : dict_get(&r->services, name.p, name.len);

    if (s && mirror) {
        mem_free(s->mirror);
        s->mirror = mem_strndup(mirror->p, mirror->len);
    }
    if (s && owner) {
        mem_free(s->owner);
        s->owner = mem_strndup(owner->p, owner->len);
    }
}

/* --- leases --- */

void registry_leases(struct registry *r, struct registry_leases *out)
{
    struct dict_iter it;

    dict_iter_init(&it, &r->services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));) {
        struct reg_service *s = e->v.p;

        for (size_t i = 0; i < s->at.n; i++)
            if (s->at.at[i].ttl_ms) {
                struct registry_lease l = {s, &s->at.at[i]};

                vec_push(&out->at, l);
            }
    }
    dict_iter_fini(&it);
}

bool registry_find(struct registry *r, struct slice service, struct slice id, struct registry_lease *out)
{
    struct reg_service *s = dict_get(&r->services, service.p, service.len);
    bool found = false;
    size_t at = s ? place_of(s, id, &found) : 0;

    if (found)
        *out = (struct registry_lease){s, &s->at.at[at]};
    return found;
}

void registry_lease_is(struct registry_lease *l, bool present)
{
    l->instance->looked = true;
    l->instance->present = present;
    l->instance->left_ms = -1;
}

void registry_lease_left(struct registry_lease *l, int64_t left_ms)
{
    l->instance->present = left_ms >= 0;
    l->instance->left_ms = left_ms;
}

static bool has_lapsed(const struct reg_instance *i) { return i->ttl_ms && i->looked && !i->present; }

/* There, but the renewal that was due is not: a third of ttl, a tenth of that for the jitter, and some for the road. */
static bool is_late(const struct reg_instance *i)
{
    int64_t slack = ms_min(300, i->ttl_ms / 12);

    return i->ttl_ms && i->looked && i->present && i->left_ms >= 0 &&
           i->ttl_ms - i->left_ms > i->ttl_ms * 37 / 100 + slack;
}

static bool may_judge(const struct registry *r, const struct reg_instance *i, int64_t now_ms)
{
    return r->complete && now_ms - r->judge_from_ms >= i->ttl_ms;
}

bool registry_needs_ages(const struct registry *r, int64_t now_ms)
{
    struct dict_iter it;
    bool needs = r->preserving;

    dict_iter_init(&it, (struct dict *)&r->services);
    for (struct dict_entry *e; !needs && (e = dict_iter_next(&it));) {
        const struct reg_service *s = e->v.p;

        for (size_t i = 0; i < s->at.n && !needs; i++)
            needs = has_lapsed(&s->at.at[i]) && !s->at.at[i].going && may_judge(r, &s->at.at[i], now_ms);
    }
    dict_iter_fini(&it);
    return needs;
}

/* --- judging --- */

struct tally { size_t leased, lapsed, late, recent; int64_t ttl_ms; };

static void tally(struct registry *r, int64_t now_ms, struct tally *t)
{
    struct dict_iter it;

    memset(t, 0, sizeof *t);
    dict_iter_init(&it, &r->services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));) {
        const struct reg_service *s = e->v.p;

        for (size_t i = 0; i < s->at.n; i++) {
            const struct reg_instance *x = &s->at.at[i];

            if (!x->ttl_ms || x->going)
                continue;
            t->leased++;
            t->lapsed += has_lapsed(x);
            t->late += is_late(x);
            t->ttl_ms = ms_max(t->ttl_ms, x->ttl_ms);
        }
    }
    dict_iter_fini(&it);
    for (size_t i = r->recent.n; i-- > 0;)
        if (now_ms - r->recent.at[i].at_ms >= r->recent.at[i].ttl_ms)
            vec_remove_fast(&r->recent, i);
    t->recent = r->recent.n;
}

static bool too_many(size_t down, size_t of) { return down >= REGISTRY_LAPSED_LEAST && down * 100 > of * REGISTRY_SHARE_PERCENT; }

static struct registry_act *add(struct registry_acts *out, enum registry_act_kind kind, const struct reg_service *s)
{
    struct registry_act *a = vec_add(&out->at);

    a->kind = kind;
    a->service = s ? s->name : "";
    a->id = "";
    return a;
}

static void preserve(struct registry *r, const struct tally *t, int64_t now_ms, struct registry_acts *out)
{
    size_t down = t->lapsed + t->late + t->recent, of = t->leased + t->recent;
    bool many = too_many(down, of);
    struct registry_act *a;

    if (many == r->preserving || (many && !t->lapsed))
        return;
    r->preserving = many;
    /* Those who come back last get their ttl, too. */
    if (!many)
        registry_outage(r, now_ms);
    a = add(out, REG_PRESERVING, NULL);
    a->on = many;
    a->lapsed = down;
    a->of = of;
}

static void reap(struct registry *r, struct reg_service *s, int64_t now_ms, struct registry_acts *out)
{
    for (size_t i = 0; i < s->at.n; i++) {
        struct reg_instance *x = &s->at.at[i];

        if (!has_lapsed(x) || x->going || !may_judge(r, x, now_ms) || r->preserving)
            continue;
        vec_push(&r->recent, ((struct reg_recent){now_ms, x->ttl_ms}));
        x->going = true;
        add(out, REG_REAP, s)->id = x->id;
    }
}

/* --- the mirror --- */

static bool is_healthy(const struct reg_instance *i)
{
    return !i->drain && !i->going && (!i->ttl_ms || !i->looked || i->present);
}

static bool says(const struct reg_instance *i, const char *text)
{
    char at[ADDR_TEXT_MAX];

    return text && strcmp(addr_text(&i->at, at), text) == 0;
}

/* What is mirrored already, as long as it is well; else the first one that wants traffic; else the first. */
static const struct reg_instance *choose(const struct reg_service *s)
{
    const struct reg_instance *first = NULL, *owned = NULL;

    for (size_t i = 0; i < s->at.n; i++) {
        const struct reg_instance *x = &s->at.at[i];

        if (!is_healthy(x))
            continue;
        if (says(x, s->mirror))
            return x;
        if (says(x, s->owner) && !owned)
            owned = x;
        if (!first || (first->weight == 0 && x->weight > 0))
            first = x;
    }
    return owned ? owned : first;
}

static void mirror(struct registry *r, struct reg_service *s, int64_t longest_ttl_ms, int64_t now_ms,
                   struct registry_acts *out)
{
    const struct reg_instance *choice;
    struct registry_act *a;
    char at[ADDR_TEXT_MAX];

    if (s->busy || !r->complete || (s->mirror && !s->owner))
        return;
    if (s->mirror && s->owner && strcmp(s->mirror, s->owner) != 0 && (!s->told || strcmp(s->told, s->mirror) != 0)) {
        a = add(out, REG_OVERWRITTEN, s);
        slice_copy_z(slice_z(s->mirror), a->value, sizeof a->value);
        a->mirror_was = s->owner;
        mem_free(s->told);
        s->told = mem_strdup(s->mirror);
        r->overwritten++;
    }
    choice = choose(s);
    if (choice) {
        addr_text(&choice->at, at);
        if (s->mirror && s->owner && strcmp(s->mirror, at) == 0 && strcmp(s->owner, at) == 0)
            return;
        a = add(out, REG_MIRROR, s);
        slice_copy_z(slice_z(at), a->value, sizeof a->value);
    } else if (s->at.n == 0 && s->owner && now_ms - r->judge_from_ms >= ms_max(longest_ttl_ms, SERVICE_TTL_MS)) {
        a = add(out, REG_UNMIRROR, s);
    } else {
        return;
    }
    a->mirror_was = s->mirror;
    a->owner_was = s->owner;
    s->busy = true;
}

static void drop_empty(struct registry *r)
{
    struct dict_iter it;

    dict_iter_init(&it, &r->services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));) {
        struct reg_service *s = e->v.p;
        void *old;

        if (s->at.n || s->junk || s->mirror || s->owner || s->busy)
            continue;
        dict_del(&r->services, e->key, e->klen, &old);
        service_free(old);
    }
    dict_iter_fini(&it);
}

void registry_decide(struct registry *r, int64_t now_ms, struct registry_acts *out)
{
    struct dict_iter it;
    struct tally t;

    vec_clear(&out->at);
    drop_empty(r);
    tally(r, now_ms, &t);
    if (r->complete)
        preserve(r, &t, now_ms, out);
    dict_iter_init(&it, &r->services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        reap(r, e->v.p, now_ms, out);
    dict_iter_fini(&it);
    dict_iter_init(&it, &r->services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));)
        mirror(r, e->v.p, t.ttl_ms, now_ms, out);
    dict_iter_fini(&it);
}

void registry_act_ended(struct registry *r, struct slice service, struct slice id, bool taken)
{
    struct reg_service *s = dict_get(&r->services, service.p, service.len);
    bool found;
    size_t at;

    if (!s)
        return;
    if (!id.len) {
        s->busy = false;
        r->mirrored += taken;
        return;
    }
    at = place_of(s, id, &found);
    if (!found)
        return;
    s->at.at[at].going = false;
    if (!taken) {
        s->at.at[at].looked = false;     /* judged anew when its lease was looked at again */
        return;
    }
    r->reaped++;
    mem_free(s->at.at[at].id);
    vec_remove(&s->at, at);
}

void registry_count(const struct registry *r, struct registry_counts *out)
{
    struct dict_iter it;

    memset(out, 0, sizeof *out);
    dict_iter_init(&it, (struct dict *)&r->services);
    for (struct dict_entry *e; (e = dict_iter_next(&it));) {
        const struct reg_service *s = e->v.p;

        out->services += s->at.n > 0;
        out->junk += s->junk;
        out->mirrored += s->mirror && s->owner;
        out->foreign += s->mirror && !s->owner && s->at.n;
        for (size_t i = 0; i < s->at.n; i++) {
            const struct reg_instance *x = &s->at.at[i];

            out->instances++;
            out->draining += x->drain;
            out->unleased += !x->ttl_ms;
            out->lapsed += has_lapsed(x);
            out->up += is_healthy(x);
        }
    }
    dict_iter_fini(&it);
}

/* A table of fields, each with its reader. */
#include "sentinel/wire/node_info.h"

#include "common/base/num.h"

#include <string.h>

static void read_id(struct slice v, char out[ID_MAX])
{
    if (v.len > 0 && v.len < ID_MAX) {
        memcpy(out, v.p, v.len);
        out[v.len] = '\0';
    }
}

static void run_id(struct node_info *i, struct slice v) { read_id(v, i->run_id); }
static void replid(struct node_info *i, struct slice v) { read_id(v, i->replid); }
static void replid2(struct node_info *i, struct slice v) { read_id(v, i->replid2); }

static void role(struct node_info *i, struct slice v)
{
    i->role = slice_is(v, WORD_MASTER) ? ROLE_PRIMARY : slice_is(v, WORD_SLAVE) ? ROLE_REPLICA : ROLE_UNKNOWN;
}

static void host(struct node_info *i, struct slice v)
{
    uint16_t port = i->primary.port;

    if (!memchr(v.p, '\0', v.len) && !addr_set(&i->primary, v.p, v.len, port))
        memset(i->primary.host, 0, sizeof i->primary.host);
}

static void port(struct node_info *i, struct slice v)
{
    int64_t n;

    if (num_i64_in(v.p, v.len, 0, 65535, &n))
        i->primary.port = (uint16_t)n;
}

static void link_status(struct node_info *i, struct slice v) { i->link_up = slice_is(v, "up"); }

static void link_down(struct node_info *i, struct slice v)
{
    int64_t s;

    if (num_i64(v.p, v.len, &s))         /* -1: it never was up */
        i->link_down_ms = s < 0 ? NEVER_MS : s > NEVER_MS / 1000 ? NEVER_MS : s * 1000;
}

static void number(struct slice v, int64_t *out)
{
    int64_t n;

    if (num_i64(v.p, v.len, &n))
        *out = n;
}

static void priority(struct node_info *i, struct slice v) { number(v, &i->priority); }

/* -1: none. What is below was never a place in a log. */
static void offset_in_log(struct slice v, int64_t *out)
{
    int64_t n;

    if (num_i64_in(v.p, v.len, -1, INT64_MAX, &n))
        *out = n;
}

/* A replica's offset is what it has; a primary writes master_repl_offset. A replica
 * writes both, so its own word wins whatever the order. */
static void replica_offset(struct node_info *i, struct slice v)
{
    if (i->role != ROLE_PRIMARY)
        offset_in_log(v, &i->offset);
}

static void primary_offset(struct node_info *i, struct slice v)
{
    if (i->role == ROLE_PRIMARY)
        offset_in_log(v, &i->offset);
}

static void second_offset(struct node_info *i, struct slice v) { offset_in_log(v, &i->second_offset); }
static void announced(struct node_info *i, struct slice v) { i->announced = !slice_is(v, "0"); }
static void ha_port(struct node_info *i, struct slice v)
{
    int64_t n;

    if (num_i64_in(v.p, v.len, 0, 65535, &n))
        i->ha_port = (uint16_t)n;
}

static void ha_state(struct node_info *i, struct slice v) { i->bound = !slice_is(v, WORD_HA_PLAIN); }
static void loading(struct node_info *i, struct slice v) { i->loading = slice_is(v, "1"); }

static void hands(struct node_info *i, struct slice v) { i->hands = slice_is(v, "no-failover") ? HANDS_IDLE : HANDS_OVER; }
static void kvnode(struct node_info *i, struct slice v) { i->kvnode = v.len > 0; }

static const struct {
    const char *name;
    void (*read)(struct node_info *i, struct slice v);
} fields[] = {
    {INFO_RUN_ID, run_id},
    {INFO_ROLE, role},
    {INFO_MASTER_HOST, host},
    {INFO_MASTER_PORT, port},
    {INFO_MASTER_LINK_STATUS, link_status},
    {INFO_MASTER_LINK_DOWN_SINCE, link_down},
    {INFO_SLAVE_PRIORITY, priority},
    {INFO_SLAVE_REPL_OFFSET, replica_offset},
    {INFO_MASTER_REPL_OFFSET, primary_offset},
    {INFO_REPLICA_ANNOUNCED, announced},
    {INFO_LOADING, loading},
    {INFO_MASTER_REPLID, replid},
    {INFO_MASTER_REPLID2, replid2},
    {INFO_SECOND_REPL_OFFSET, second_offset},
    {INFO_FAILOVER_STATE, hands},
    {INFO_KVORUM_VERSION, kvnode},
    {INFO_HA_PORT, ha_port},
    {INFO_HA_STATE, ha_state},
};

/* "ip=10.0.0.7,port=6379,state=online,offset=1,lag=0", or the old "10.0.0.7,6379,online". */
static void replica_line(struct node_info_text *t, struct slice v)
{
    struct slice ip = {"", 0}, p = {"", 0}, offset = {"0", 1};
    struct info_replica r;
    const char *end = v.p + v.len;
    int64_t n;
    int at = 0;

    for (const char *q = v.p; q <= end; at++) {
        const char *comma = memchr(q, ',', (size_t)(end - q));
        struct slice f = {q, (size_t)((comma ? comma : end) - q)};

        if (f.len > 3 && memcmp(f.p, "ip=", 3) == 0)
            ip = (struct slice){f.p + 3, f.len - 3};
        else if (f.len > 5 && memcmp(f.p, "port=", 5) == 0)
            p = (struct slice){f.p + 5, f.len - 5};
        else if (f.len > 7 && memcmp(f.p, "offset=", 7) == 0)
            offset = (struct slice){f.p + 7, f.len - 7};
        else if (!memchr(f.p, '=', f.len) && at == 0)
            ip = f;
        else if (!memchr(f.p, '=', f.len) && at == 1)
            p = f;
        if (!comma)
            break;
        q = comma + 1;
    }
    memset(&r, 0, sizeof r);
    if (!num_i64_in(p.p, p.len, 1, 65535, &n) || memchr(ip.p, '\0', ip.len) || !addr_set(&r.addr, ip.p, ip.len, n))
        return;
    offset_in_log(offset, &r.offset);
    if (t->replicas.n < GROUP_NODES_MAX)
        vec_push(&t->replicas, r);
}

static bool is_db_line(struct slice name) { return name.len > 2 && memcmp(name.p, "db", 2) == 0 && name.p[2] >= '0' && name.p[2] <= '9'; }

static bool is_replica_line(struct slice name)
{
    if (name.len < 6 || memcmp(name.p, "slave", 5) != 0)
        return false;
    for (size_t i = 5; i < name.len; i++)
        if (name.p[i] < '0' || name.p[i] > '9')
            return false;
    return true;
}

static void one_line(struct node_info_text *t, struct slice line)
{
    const char *colon = memchr(line.p, ':', line.len);
    struct slice name, value;

    if (!colon || line.p[0] == '#')
        return;
    name = (struct slice){line.p, (size_t)(colon - line.p)};
    value = (struct slice){colon + 1, line.len - name.len - 1};
    if (is_db_line(name)) {
        t->info.has_data = true;
        return;
    }
    if (is_replica_line(name)) {
        replica_line(t, value);
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (slice_is(name, fields[i].name)) {
            fields[i].read(&t->info, value);
            return;
        }
}

void node_info_init(struct node_info_text *t)
{
    memset(t, 0, sizeof *t);
}

void node_info_fini(struct node_info_text *t)
{
    vec_fini(&t->replicas);
    memset(t, 0, sizeof *t);
}

void node_info_read(struct slice text, struct node_info_text *t)
{
    const char *p = text.p, *end = text.p + text.len;

    memset(&t->info, 0, sizeof t->info);
    vec_clear(&t->replicas);
    t->info.priority = 100;
    t->info.announced = true;
    t->info.second_offset = -1;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((nl ? nl : end) - p);

        if (n > 0 && p[n - 1] == '\r')
            one_line(t, (struct slice){p, n - 1});
        else if (n > 0)
            one_line(t, (struct slice){p, n});
        p = nl ? nl + 1 : end;
    }
    if (t->info.primary.port == 0 || t->info.primary.host[0] == '\0')
        memset(&t->info.primary, 0, sizeof t->info.primary);
    t->info.replicas = t->replicas.at;
    t->info.n_replicas = t->replicas.n;
}

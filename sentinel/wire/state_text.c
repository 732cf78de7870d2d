/* A table of the lines that are state. */
#include "sentinel/wire/state_text.h"

#include "common/base/num.h"
#include "common/text/conf_lex.h"

#include <string.h>

struct saved_group *saved_find(struct saved *s, const char *name)
{
    for (size_t i = 0; i < s->groups.n; i++)
        if (strcmp(s->groups.at[i].name, name) == 0)
            return &s->groups.at[i];
    return NULL;
}

struct saved_group *saved_find_or_add(struct saved *s, const char *name)
{
    struct saved_group *g = saved_find(s, name);

    if (!g) {
        g = vec_add(&s->groups);
        (void)slice_copy_z(slice_z(name), g->name, sizeof g->name);
    }
    return g;
}

void saved_drop(struct saved *s, const char *name)
{
    for (size_t i = 0; i < s->groups.n; i++)
        if (strcmp(s->groups.at[i].name, name) == 0) {
            vec_fini(&s->groups.at[i].replicas);
            vec_fini(&s->groups.at[i].peers);
            vec_remove(&s->groups, i);
            return;
        }
}

static int bad(struct err *e, const char *what, struct slice v)
{
    return err_set(e, ERR_RANGE, "'%.*s' is no %s", (int)(v.len < 80 ? v.len : 80), v.p, what);
}

static int read_id(struct slice v, char out[ID_MAX], struct err *e)
{
    if (v.len != ID_HEX)
        return bad(e, "id (40 hex digits)", v);
    for (size_t i = 0; i < v.len; i++)
        if (!memchr("0123456789abcdefABCDEF", v.p[i], 22))
            return bad(e, "id (40 hex digits)", v);
    memcpy(out, v.p, ID_HEX);
    out[ID_HEX] = '\0';
    return 0;
}

static int read_epoch(struct slice v, uint64_t *out, struct err *e)
{
    return num_u64(v.p, v.len, out) ? 0 : bad(e, "epoch (a number)", v);
}

static int read_addr(struct slice host, struct slice port, int64_t least, struct addr *out, struct err *e)
{
    int64_t n;

    if (!num_i64_in(port.p, port.len, least, 65535, &n))
        return bad(e, "port", port);
    return addr_set(out, host.p, host.len, n) ? 0 : bad(e, "host", host);
}

/* argv[0] is the first word after the group's name. */
static int monitor(struct saved_group *g, const struct slice *argv, int64_t *quorum, struct err *e)
{
    int64_t n;

    if (!num_i64_in(argv[2].p, argv[2].len, 1, 1000, &n))
        return err_set(e, ERR_RANGE, "Quorum must be 1 or greater.");
    if (read_addr(argv[0], argv[1], 1, &g->primary, e) != 0)
        return ERR_RANGE;
    *quorum = n;
    return 0;
}

static int config_epoch(struct saved_group *g, const struct slice *argv, int64_t *quorum, struct err *e)
{
    (void)quorum;
    return read_epoch(argv[0], &g->config_epoch, e);
}

static int leader_epoch(struct saved_group *g, const struct slice *argv, int64_t *quorum, struct err *e)
{
    (void)quorum;
    return read_epoch(argv[0], &g->leader_epoch, e);
}

static int voted_leader(struct saved_group *g, const struct slice *argv, int64_t *quorum, struct err *e)
{
    (void)quorum;
    return read_id(argv[0], g->leader, e);
}

static int known_replica(struct saved_group *g, const struct slice *argv, int64_t *quorum, struct err *e)
{
    struct addr a;
    int rc = read_addr(argv[0], argv[1], 1, &a, e);

    (void)quorum;
    for (size_t i = 0; rc == 0 && i < g->replicas.n; i++)
        if (addr_equal(&g->replicas.at[i], &a))
            return 0;
    if (rc == 0 && g->replicas.n < GROUP_NODES_MAX)
        vec_push(&g->replicas, a);
    return rc;
}

static int known_sentinel(struct saved_group *g, const struct slice *argv, int64_t *quorum, struct err *e)
{
    struct saved_peer p;
    int rc;

    (void)quorum;
    memset(&p, 0, sizeof p);
    rc = read_addr(argv[0], argv[1], 0, &p.addr, e);
    if (rc == 0)
        rc = read_id(argv[2], p.run_id, e);
    for (size_t i = 0; rc == 0 && i < g->peers.n; i++)
        if (strcmp(g->peers.at[i].run_id, p.run_id) == 0) {
            g->peers.at[i] = p;
            return 0;
        }
    if (rc == 0 && g->peers.n < GROUP_PEERS_MAX)
        vec_push(&g->peers, p);
    return rc;
}

static const struct {
    const char *name;
    int words;                   /* after the group's name */
    int (*read)(struct saved_group *g, const struct slice *argv, int64_t *quorum, struct err *e);
    const char *form;
} of_groups[] = {
    {"monitor", 3, monitor, "<group> <host> <port> <quorum>"},
    {"config-epoch", 1, config_epoch, "<group> <epoch>"},
    {"leader-epoch", 1, leader_epoch, "<group> <epoch>"},
    {"voted-leader", 1, voted_leader, "<group> <id>"},
    {"known-replica", 2, known_replica, "<group> <host> <port>"},
    {"known-slave", 2, known_replica, "<group> <host> <port>"},
    {"known-sentinel", 3, known_sentinel, "<group> <host> <port> <id>"},
};

int state_line_read(struct saved *s, int argc, const struct slice *argv, bool *mine, int64_t *quorum, struct err *e)
{
    char name[GROUP_NAME_MAX];

    *mine = true;
    if (argc == 2 && slice_is_nocase(argv[0], "myid"))
        return read_id(argv[1], s->id, e);
    if (argc == 2 && slice_is_nocase(argv[0], "current-epoch"))
        return read_epoch(argv[1], &s->current_epoch, e);
    for (size_t i = 0; i < sizeof of_groups / sizeof of_groups[0]; i++) {
        if (!slice_is_nocase(argv[0], of_groups[i].name))
            continue;
        if (argc != of_groups[i].words + 2)
            return err_set(e, ERR_FORMAT, "sentinel %s takes %s", of_groups[i].name, of_groups[i].form);
        if (argv[1].len == 0 || memchr(argv[1].p, '\0', argv[1].len) || !slice_copy_z(argv[1], name, sizeof name))
            return bad(e, "name of a group (1 to 255 characters)", argv[1]);
        return of_groups[i].read(saved_find_or_add(s, name), argv + 2, quorum, e);
    }
    *mine = false;
    return 0;
}

static void put(const struct state_writer *w, const char *key, const char *group, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void put(const struct state_writer *w, const char *key, const char *group, const char *fmt, ...)
{
    struct str k = {0}, text = {0};
    va_list ap;

    str_printf(&k, "sentinel %s%s%s", key, group ? " " : "", group ? group : "");
    str_printf(&text, "sentinel %s ", key);
    if (group) {
        conf_put_word(&text, slice_z(group));
        str_append_c(&text, ' ');
    }
    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    w->line(w->arg, str_c(&k), str_c(&text));
    str_fini(&k);
    str_fini(&text);
}

void state_group_lines(const struct saved_group *g, const struct state_writer *w)
{
    put(w, "monitor", g->name, "%s %u %lld", g->primary.host, g->primary.port, (long long)w->quorum(w->arg, g->name));
    put(w, "config-epoch", g->name, "%llu", (unsigned long long)g->config_epoch);
    put(w, "leader-epoch", g->name, "%llu", (unsigned long long)g->leader_epoch);
    if (w->own_file && g->leader[0])
        put(w, "voted-leader", g->name, "%s", g->leader);
    for (size_t i = 0; i < g->replicas.n; i++)
        put(w, "known-replica", g->name, "%s %u", g->replicas.at[i].host, g->replicas.at[i].port);
    for (size_t i = 0; i < g->peers.n; i++)
        put(w, "known-sentinel", g->name, "%s %u %s", g->peers.at[i].addr.host, g->peers.at[i].addr.port,
            g->peers.at[i].run_id);
}

void state_self_lines(const struct saved *s, const struct state_writer *w)
{
    put(w, "myid", NULL, "%s", s->id);
    put(w, "current-epoch", NULL, "%llu", (unsigned long long)s->current_epoch);
}

void state_lines(const struct saved *s, const struct state_writer *w)
{
    put(w, "myid", NULL, "%s", s->id);
    for (size_t i = 0; i < s->groups.n; i++)
        state_group_lines(&s->groups.at[i], w);
    put(w, "current-epoch", NULL, "%llu", (unsigned long long)s->current_epoch);
}

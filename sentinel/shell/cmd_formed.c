/* SENTINEL commands about what makes a group fail over well: EXPLAIN and JOURNAL of any
 * group; FORM of a plain one; FAILOVER as a hand-over, DISSOLVE, PEERS, DROP of a formed one. What takes time is
 * answered when it is decided (formed_groups_order holds the client). */
#include "common/base/num.h"
#include "common/io/session.h"
#include "sentinel/shell/commands.h"
#include "sentinel/shell/explain.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/ha_links.h"
#include "sentinel/shell/save.h"
#include "sentinel/shell/shell.h"

#include <string.h>

static void field(struct reply *r, const char *name, const char *value)
{
    reply_bulk_z(r, name);
    reply_bulk_z(r, value);
}

static void number(struct reply *r, const char *name, int64_t value)
{
    reply_bulk_z(r, name);
    reply_bulk_i64(r, value);
}

static void hex(struct reply *r, const char *name, uint64_t value)
{
    reply_bulk_z(r, name);
    reply_bulkf(r, "%016llx", (unsigned long long)value);
}

static void address(struct call *c, const char *name, const struct addr *a)
{
    struct addr shown = shell_shown(shell_of(c), a);
    char at[ADDR_TEXT_MAX];

    field(c->reply, name, addr_is_set(a) ? addr_text(&shown, at) : "");
}

static const char *yes(bool b)
{
    return b ? "yes" : "no";
}

static bool is_formed(struct call *c, const struct group *g)
{
    if (formed_groups_is_formed(shell_of(c)->formed, g->id))
        return true;
    reply_error(c->reply, "NOTFORMED This group is plain: SENTINEL SET <group> mode async|prefer|strict forms it");
    return false;
}

/* The member at this address, by its id; NULL and an error if there is none. */
static const char *member_at(struct call *c, const struct group *g, int at)
{
    struct shell *sh = shell_of(c);
    struct addr a;
    int64_t port;

    memset(&a, 0, sizeof a);
    if (num_i64_in(c->argv[at + 1].p, c->argv[at + 1].len, 1, 65535, &port) && !memchr(c->argv[at].p, '\0', c->argv[at].len) &&
        addr_set(&a, c->argv[at].p, c->argv[at].len, port) && shell_same_addr(sh, &a))
        for (size_t i = 0; i < g->nodes.n; i++)
            if (addr_equal(&g->nodes.at[i]->addr, &a) && ha_links_member_id(sh->ha_links, g->nodes.at[i]->id)[0])
                return ha_links_member_id(sh->ha_links, g->nodes.at[i]->id);
    reply_errorf(c->reply, "ERR No node of this group that said its id is at %.*s:%.*s", (int)(c->argv[at].len < 255 ? c->argv[at].len : 255),
                 c->argv[at].p, (int)(c->argv[at + 1].len < 8 ? c->argv[at + 1].len : 8), c->argv[at + 1].p);
    return NULL;
}

/* --- FAILOVER ------------------------------------------------------------------------------------- */

static void plain_failover(struct call *c, const struct group *g, bool coordinated)
{
    struct event ev = {.kind = EV_FAILOVER, .group = g->id, .u.coordinated = coordinated};
    struct shell_answer a;

    shell_ask(shell_of(c), &ev, &a);
    if (a.answered && a.ok)
        reply_ok(c->reply);
    else
        reply_error(c->reply, a.text[0] ? a.text : "ERR the failover was not started");
}

/* group [COORDINATED] [TO host port] [FORCE seals]: on a formed group a hand-over, coordinated in any case. */
void cmd_failover(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct formed_event ev = {.kind = FV_HAND_OVER, .id = ""};
    bool coordinated = false, wrong = false;

    if (!g)
        return;
    for (int at = 3; !wrong && at < c->argc; at++) {
        int64_t seals;

        if (slice_is_nocase(c->argv[at], "coordinated"))
            coordinated = true;
        else if (slice_is_nocase(c->argv[at], "to") && at + 2 < c->argc) {
            if (!is_formed(c, g) || (ev.id = member_at(c, g, at + 1)) == NULL)
                return;
            at += 2;
        } else if (slice_is_nocase(c->argv[at], "force") && at + 1 < c->argc &&
                   num_i64_in(c->argv[at + 1].p, c->argv[at + 1].len, 0, HA_MEMBERS_MAX, &seals)) {
            if (!is_formed(c, g))
                return;
            ev.kind = FV_FORCE;
            ev.seals = (int)seals;
            at++;
        } else
            wrong = true;
    }
    if (!wrong && ev.kind == FV_FORCE && ev.seals == 0 && !*ev.id) {
        reply_error(c->reply, "ERR FORCE 0 counts no memory as whole: name the node that is to lead with what it has (TO host port)");
        return;
    }
    if (wrong || (coordinated && ev.kind == FV_FORCE))
        reply_error(c->reply, "ERR Unknown failover option specified: <group> [COORDINATED] [TO host port] | FORCE <seals> [TO host port]");
    else if (formed_groups_is_formed(shell_of(c)->formed, g->id))
        formed_groups_order(shell_of(c)->formed, g->id, &ev, c->session);
    else
        plain_failover(c, g, coordinated);
}

/* --- FORM, DISSOLVE, DROP ------------------------------------------------------------------------------------ */

/* group [mode] PRIMARY host port [setting value ...]: SET, and this node leads whatever data the others have. */
void cmd_form(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct slice argv[32] = {slice_z("SENTINEL"), slice_z("SET")};
    struct call as_set = *c;
    const char *found;
    char primary[ID_MAX];
    int at = 3, n = 3;

    if (!g)
        return;
    if (at < c->argc && !slice_is_nocase(c->argv[at], "primary")) {
        argv[n++] = slice_z("mode");
        argv[n++] = c->argv[at++];
    }
    if (at + 2 >= c->argc || !slice_is_nocase(c->argv[at], "primary") || c->argc - at - 3 > 24) {
        reply_error(c->reply, "ERR SENTINEL FORM <group> [mode] PRIMARY <host> <port> [setting value ...]");
        return;
    }
    found = member_at(c, g, at + 1);
    if (!found)
        return;
    memcpy(primary, found, sizeof primary);
    if (formed_groups_is_formed(shell_of(c)->formed, g->id)) {
        reply_error(c->reply, "ERR This group is formed and has a primary: SENTINEL FAILOVER <group> TO <host> <port> gives it another one");
        return;
    }
    for (at += 3; at < c->argc; at++)
        argv[n++] = c->argv[at];
    argv[2] = c->argv[2];
    as_set.argv = argv;
    as_set.argc = n;
    set_and_form(&as_set, primary);
}

/* Its nodes may be bound to an id whose record this sentinel does not hold (any more). */
static bool may_be_bound(struct call *c, const struct group *g)
{
    for (size_t i = 0; i < g->nodes.n; i++)
        if (g->nodes.at[i]->bound)
            return true;
    return formed_groups_find(shell_of(c)->formed, g->id) != NULL;
}

/* group [FORCE]: FORCE also of what is dissolved already, for those who were left out, and where no record is held any more. */
void cmd_dissolve(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct formed_event ev = {.kind = FV_DISSOLVE};

    if (!g)
        return;
    ev.yes = c->argc == 4 && slice_is_nocase(c->argv[3], "force");
    if (c->argc > 3 && !ev.yes)
        reply_error(c->reply, "ERR SENTINEL DISSOLVE <group> [FORCE]");
    else if ((ev.yes && may_be_bound(c, g)) || is_formed(c, g))
        formed_groups_order(shell_of(c)->formed, g->id, &ev, c->session);
}

void cmd_drop_member(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct formed_event ev = {.kind = FV_DROP_MEMBER};

    if (g && is_formed(c, g) && (ev.id = member_at(c, g, 3)) != NULL)
        formed_groups_order(shell_of(c)->formed, g->id, &ev, c->session);
}

/* --- PEERS ------------------------------------------------------------------------------------------------ */

static void peer_fields(struct call *c, const char *id, const struct addr *at, bool voter, bool up, bool me, const char *observer)
{
    reply_map(c->reply, 9);
    field(c->reply, "id", id);
    field(c->reply, "ip", at->host);
    number(c->reply, "port", at->port);
    field(c->reply, "voter", yes(voter));
    field(c->reply, "up", yes(up));
    field(c->reply, "me", yes(me));
    field(c->reply, "observer", observer);
}

/* What this sentinel is told by in its hellos; nobody tells itself. */
static struct addr my_addr(struct shell *sh)
{
    const struct sentinel_conf *o = &sh->opt->sentinel;
    struct addr a;

    memset(&a, 0, sizeof a);
    if (o->announce_ip)
        (void)addr_set(&a, o->announce_ip, strlen(o->announce_ip), o->announce_port ? o->announce_port : sh->opt->port);
    a.port = (uint16_t)(o->announce_port ? o->announce_port : sh->opt->port);
    return a;
}

struct life {
    uint64_t recorded, now;            /* 0 = none, not known */
};

/* Why it does not vote, "" if it does as far as known. */
static const char *observes(struct shell *sh, bool me, bool formed, bool voter, struct life l)
{
    if (me && save_trouble(sh->save))
        return save_trouble(sh->save);
    if (formed && !voter)
        return "not one of the voters";
    if (formed && l.now && l.now != l.recorded)
        return "it lost its memory: SENTINEL PEERS <group> REPLACE <id> <id>";
    return "";
}

static void one_peer(struct call *c, const struct formed *f, bool formed, const char *id, bool up, const struct addr *at)
{
    struct shell *sh = shell_of(c);
    const struct voter *v = f ? formed_voter(f) : NULL;
    const struct ha_voter *seat = formed ? ha_voter(&v->f.rec, id) : NULL;
    bool me = strcmp(id, core_my_id(sh->core)) == 0;
    struct life l = {seat ? seat->life : 0, 0};

    if (me && v)
        l.now = v->f.life;
    for (size_t i = 0; f && i < formed_peer_count(f); i++)
        if (strcmp(formed_peer_at(f, i)->id, id) == 0 && formed_peer_at(f, i)->alive.kind == HA_ALIVE)
            l.now = formed_peer_at(f, i)->alive.life;
    peer_fields(c, id, at, formed ? seat != NULL : true, up, me, observes(sh, me, formed, seat != NULL, l));
    hex(c->reply, "life", l.recorded);
    hex(c->reply, "life-now", l.now);
}

static void list_peers(struct call *c, const struct group *g)
{
    struct shell *sh = shell_of(c);
    const struct formed *f = formed_groups_find(sh->formed, g->id);
    bool formed = formed_groups_is_formed(sh->formed, g->id);
    const struct ha_record *r = formed ? &formed_voter(f)->f.rec : NULL;
    const struct ha_voter *mine = r ? ha_voter(r, core_my_id(sh->core)) : NULL;
    struct addr me = mine ? mine->addr : my_addr(sh);
    struct reply_hole h = reply_hole(c->reply);
    size_t n = 1;

    one_peer(c, f, formed, core_my_id(sh->core), true, &me);
    for (size_t i = 0; i < g->seats.n; i++) {
        const struct peer *p = core_peer(sh->core, g->seats.at[i].peer);

        one_peer(c, f, formed, p->run_id, p->w.up && !g->seats.at[i].sdown, &p->addr);
        n++;
    }
    for (int i = 0; r && i < r->n_voters; i++) {       /* voters that are not even known any more */
        bool known = strcmp(r->voter[i].id, core_my_id(sh->core)) == 0;

        for (size_t k = 0; k < g->seats.n; k++)
            known = known || strcmp(core_peer(sh->core, g->seats.at[k].peer)->run_id, r->voter[i].id) == 0;
        if (known)
            continue;
        one_peer(c, f, formed, r->voter[i].id, false, &r->voter[i].addr);
        n++;
    }
    reply_fill_array(c->reply, h, n);
}

void cmd_peers(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct formed_event ev = {.kind = FV_REPLACE_VOTER};
    char from[ID_MAX], to[ID_MAX];

    if (!g)
        return;
    if (c->argc == 3)
        list_peers(c, g);
    else if (c->argc == 4 && slice_is_nocase(c->argv[3], "cancel")) {
        ev.id = ev.id2 = "";
        if (is_formed(c, g))
            formed_groups_order(shell_of(c)->formed, g->id, &ev, c->session);
    } else if (c->argc != 6 || !slice_is_nocase(c->argv[3], "replace"))
        reply_error(c->reply, "ERR SENTINEL PEERS <group> [REPLACE <old-id> <new-id> | CANCEL]");
    else if (!slice_copy_z(c->argv[4], from, sizeof from) || !slice_copy_z(c->argv[5], to, sizeof to))
        reply_error(c->reply, "ERR An id of a sentinel has 40 hex digits (SENTINEL MYID)");
    else if (is_formed(c, g)) {
        ev.id = from;
        ev.id2 = to;
        formed_groups_order(shell_of(c)->formed, g->id, &ev, c->session);
    }
}

/* --- EXPLAIN, JOURNAL ---------------------------------------------------------------------------------------- */

static const char *mode_of(struct shell *sh, const struct group *g)
{
    const struct formed *f = formed_groups_find(sh->formed, g->id);

    return formed_groups_is_formed(sh->formed, g->id) ? ha_mode_name(formed_voter(f)->f.rec.mode) : "plain";
}

void cmd_explain(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct explanation x;

    if (!g)
        return;
    explain_group(shell_of(c), g, &x);
    reply_map(c->reply, 14);
    field(c->reply, "group", g->name);
    field(c->reply, "mode", mode_of(shell_of(c), g));
    field(c->reply, "can-failover", yes(x.can));
    field(c->reply, "to", x.to);
    address(c, "to-address", &x.to_addr);
    field(c->reply, "seen-by", core_my_id(shell_of(c)->core));
    number(c->reply, "voters", x.voters);
    number(c->reply, "voters-usable", x.voters_usable);
    number(c->reply, "voters-needed", x.voters_needed);
    number(c->reply, "members", x.members);
    number(c->reply, "members-usable", x.members_usable);
    number(c->reply, "seals-needed", x.seals_needed);
    reply_bulk_z(c->reply, "lacks");
    reply_array(c->reply, x.lacks.n);
    for (size_t i = 0; i < x.lacks.n; i++) {
        const struct lack *l = &x.lacks.at[i];

        reply_map(c->reply, 6);
        field(c->reply, "what", l->what);
        field(c->reply, "who", l->who);
        address(c, "address", &l->addr);
        field(c->reply, "why", l->why);
        field(c->reply, "blocks", yes(l->blocks));
        field(c->reply, "text", l->text);
    }
    field(c->reply, "promises", x.promises);
    explain_fini(&x);
}

#define JOURNAL_SHOWN 100

/* Oldest first: [wall clock in ms, line] each. */
void cmd_journal(struct call *c)
{
    const struct group *g = group_arg(c, 2);
    struct shell *sh = shell_of(c);
    int64_t want = JOURNAL_SHOWN, wall_ms;
    size_t n = 0, skip;
    const char *line;

    if (!g)
        return;
    if (c->argc > 4 || (c->argc == 4 && !num_i64_in(c->argv[3].p, c->argv[3].len, 1, JOURNAL_LINES, &want))) {
        reply_errorf(c->reply, "ERR SENTINEL JOURNAL <group> [1..%d]", JOURNAL_LINES);
        return;
    }
    n = formed_groups_journal(sh->formed, g->id, 0, &wall_ms, &line);
    skip = n > (size_t)want ? n - (size_t)want : 0;
    reply_array(c->reply, n - skip);
    for (size_t i = skip; i < n; i++) {
        (void)formed_groups_journal(sh->formed, g->id, i, &wall_ms, &line);
        reply_array(c->reply, 2);
        reply_int(c->reply, wall_ms);
        reply_bulk_z(c->reply, line);
    }
}

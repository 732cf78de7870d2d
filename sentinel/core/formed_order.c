/* What an operator asks of a formed group, turned into a try; and what she is told about it.
 * A refusal says what to do instead. Wishes that take more than one try (a voter replaced)
 * are kept and carried on by detection. */
#include "sentinel/core/formed_inside.h"

#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static const char *const not_formed = "NOTFORMED This group has no record: set a mode first (SENTINEL SET <group> mode <mode>)";

static bool busy(struct formed *f, uint64_t ticket)
{
    if (f->save_broken)
        formed_reply(f, ticket, "NOTSAVED This sentinel cannot save its state and leads nothing: ask another");
    else if (lead_running(f))
        formed_reply(f, ticket, "INPROG A failover or change of this group is under way");
    else
        return false;
    return true;
}

/* A try that nobody asked for and that waits (for seals that may never come) is no reason to refuse an operator her way
 * out of just that. */
static void give_way(struct formed *f)
{
    if (lead_running(f) && f->lead.want.ticket == 0)
        lead_cancel(f, 0);
}

static const struct ha_record *record(struct formed *f, uint64_t ticket)
{
    const struct ha_record *own = formed_newest(f);

    if (own == NULL || own->dissolved) {
        formed_reply(f, ticket, not_formed);
        return NULL;
    }
    return own;
}

static void start(struct formed *f, struct lead_want *want, uint64_t ticket)
{
    want->ticket = ticket;
    f->tries = 0;
    lead_start(f, want);
}

/* --- forming and settings -------------------------------------------------------------------- */

static void form(struct formed *f, const struct formed_event *ev)
{
    const struct ha_record *own = formed_newest(f);
    struct lead_want want = {.purpose = LEAD_FORM};

    if (own != NULL && !own->dissolved) {
        f->want.no_crash_evidence = ev->want->no_crash_evidence;
        f->want.k = ev->want->k;               /* for members that enter: what each sentinel read from the record */
        formed_reply(f, ev->ticket, "ERR This group is formed: SENTINEL SET changes it");
        return;
    }
    f->want = *ev->want;
    f->want_set = true;
    f->has_want = true;
    if (ev->id != NULL && ev->id[0] != '\0') {
        slice_copy_z(slice_z(ev->id), want.node, sizeof want.node);
        give_way(f);
    }
    if (ev->ticket != 0 && !busy(f, ev->ticket))
        start(f, &want, ev->ticket);
}

static void set(struct formed *f, const struct formed_event *ev)
{
    const struct ha_record *own = record(f, ev->ticket);
    struct lead_want want, due;

    if (own == NULL || busy(f, ev->ticket))
        return;
    if (ev->want->voters > own->n_voters && (size_t)ev->want->voters > f->peers.n + 1) {
        formed_reply(f, ev->ticket, "ERR Fewer sentinels are known than shall vote: let more of them monitor this group first");
        return;
    }
    f->want = *ev->want;
    f->want_set = true;
    formed_reply(f, f->set_ticket, "SUPERSEDED Other settings were asked for meanwhile");
    f->set_ticket = 0;
    if (!change_settings_due(f, &want)) {
        f->want_set = f->want.voters != own->n_voters;
        if (f->want_set)
            f->set_ticket = ev->ticket;    /* one voter after the other, by detection */
        else
            formed_reply(f, ev->ticket, NULL);     /* as it is; what a newer record says is not ours to take back */
    } else if (change_due(f, &due) && due.purpose == want.purpose)
        start(f, &want, ev->ticket);
    else
        f->set_ticket = ev->ticket;        /* something else comes first; whoever asked hears when the record says so */
}

static void dissolve(struct formed *f, const struct formed_event *ev)
{
    struct lead_want want = {.purpose = LEAD_DISSOLVE, .force = ev->yes};
    const struct ha_record *own = formed_newest(f);
    const char *lacks = NULL;

    f->has_want = false;
    if (ev->yes && own == NULL) {
        want.purpose = LEAD_RELEASE;
        if (!dissolve_nobody_holds(f, &want.target, &lacks)) {
            formed_reply(f, ev->ticket, lacks);
            return;
        }
    } else if (!(ev->yes && own->dissolved)) {         /* FORCE again: whoever was left out is let go */
        if ((own = record(f, ev->ticket)) == NULL)
            return;
    }
    if (own != NULL && (lacks = dissolve_lacks(f, own, ev->yes)) != NULL) {
        formed_reply(f, ev->ticket, lacks);
        return;
    }
    give_way(f);
    if (busy(f, ev->ticket))
        return;
    if (ev->yes)
        formed_journal(f, "an operator dissolves the group by force");
    start(f, &want, ev->ticket);
}

/* --- primaries --------------------------------------------------------------------------------- */

static bool may_lead(struct formed *f, const struct ha_record *own, const char *id, uint64_t ticket)
{
    const struct ha_member *m = id != NULL && id[0] != '\0' ? ha_member(own, id) : NULL;

    if (id == NULL || id[0] == '\0')
        return true;
    if (m == NULL)
        formed_reply(f, ticket, "ERR That node is not a member of this group: it would lose what it does not have");
    else if (m->priority == 0)
        formed_reply(f, ticket, "ERR That node has priority 0: it is never to lead");
    else
        return true;
    return false;
}

static void hand_over(struct formed *f, const struct formed_event *ev)
{
    const struct ha_record *own = record(f, ev->ticket);
    struct lead_want want = {.purpose = LEAD_HAND_OVER};

    if (own == NULL || busy(f, ev->ticket) || !may_lead(f, own, ev->id, ev->ticket))
        return;
    if (own->n_members < 2) {
        formed_reply(f, ev->ticket, "NOGOODSLAVE The primary is alone in this group");
        return;
    }
    if (ev->id != NULL && strcmp(ev->id, own->primary) == 0) {
        formed_reply(f, ev->ticket, "ERR That node is the primary already");
        return;
    }
    if (ev->id != NULL)
        slice_copy_z(slice_z(ev->id), want.node, sizeof want.node);
    start(f, &want, ev->ticket);
}

/* The loss is the operator's decision; here it is only made sure that it is one. */
static void force(struct formed *f, const struct formed_event *ev)
{
    const struct ha_record *own = record(f, ev->ticket);
    struct lead_want want = {.purpose = LEAD_FORCE, .seals_at_least = ev->seals};

    if (own == NULL || !may_lead(f, own, ev->id, ev->ticket))
        return;
    if (!form_may_seal(f, own)) {
        formed_reply(f, ev->ticket, "ERR This group was never opened, there is nothing to lead: SENTINEL DISSOLVE it and form it anew");
        return;
    }
    if (ev->seals < 0 || (ev->seals == 0 && (ev->id == NULL || ev->id[0] == '\0'))) {
        formed_reply(f, ev->ticket, "ERR Without a counted seal the node must be named: its memory, of whichever life, is what is left");
        return;
    }
    give_way(f);
    if (busy(f, ev->ticket))
        return;
    if (ev->id != NULL)
        slice_copy_z(slice_z(ev->id), want.node, sizeof want.node);
    formed_journal(f, "an operator forces a promotion with %d of %d seals: confirmed writes may be lost", ev->seals,
                   ha_seals_needed(own));
    start(f, &want, ev->ticket);
}

/* --- members and voters -------------------------------------------------------------------------- */

static void drop_member(struct formed *f, const struct formed_event *ev)
{
    const struct ha_record *own = record(f, ev->ticket);
    struct lead_want want = {.purpose = LEAD_CHANGE};
    const struct ha_member *m;
    struct ha_record *t = &want.target;
    int i;

    if (own == NULL || busy(f, ev->ticket))
        return;
    m = ha_member(own, ev->id);
    if (m == NULL || strcmp(own->primary, ev->id) == 0) {
        formed_reply(f, ev->ticket, m == NULL ? "ERR That node is not a member of this group"
                                              : "ERR That node is the primary: hand over first (SENTINEL FAILOVER)");
        return;
    }
    if (own->mode == HA_STRICT && own->n_members - 1 < own->k + 1) {
        formed_reply(f, ev->ticket, "ERR Too few members would be left for sync-acks: lower that first");
        return;
    }
    *t = *own;
    i = (int)(m - own->member);
    memmove(&t->member[i], &t->member[i + 1], (size_t)(t->n_members - i - 1) * sizeof t->member[0]);
    t->n_members--;
    if (t->k > t->n_members - 1)
        t->k = t->n_members - 1;
    start(f, &want, ev->ticket);
}

static void keep_voters(struct formed *f, uint64_t ticket)
{
    struct voter_facts *v = &f->voter.f;

    if (v->replace_in[0] != '\0')
        formed_journal(f, "voter %.8s is not to be replaced any more", v->replace_out);
    v->replace_in[0] = v->replace_out[0] = '\0';
    v->replace_life = 0;
    formed_save(f);
    formed_reply(f, f->voter_ticket, "SUPERSEDED No voter is to be replaced any more");
    f->voter_ticket = 0;
    formed_reply(f, ticket, NULL);
}

static const char *cannot_replace(struct formed *f, const struct ha_record *own, const char *out, const char *in)
{
    const struct ha_voter *old = ha_voter(own, out);
    const struct formed_peer *p = formed_peer(f, in);
    bool self = strcmp(in, f->self.id) == 0;

    if (old == NULL)
        return "ERR The sentinel to be replaced does not vote in this group";
    if (!self && p == NULL)
        return "ERR The new sentinel is not known: let it monitor this group first";
    if (!self && (!p->up || p->alive.kind != HA_ALIVE))
        return "ERR The new sentinel is not at hand: nothing was begun";
    if (strcmp(out, in) != 0 && ha_voter(own, in) != NULL)
        return "ERR The new sentinel votes already";
    if (strcmp(out, in) == 0 && old->life == (self ? f->voter.f.life : p->alive.life))
        return "ERR That sentinel votes with the memory it has: there is nothing to replace";
    return strlen(out) < ID_MAX && strlen(in) < ID_MAX ? NULL : "ERR Not the id of a sentinel";
}

/* The wish is on disk before anything follows from it: once said it is carried on, over a restart too. */
static void replace_voter(struct formed *f, const struct formed_event *ev)
{
    const struct ha_record *own = record(f, ev->ticket);
    struct voter_facts *v = &f->voter.f;
    const char *error;

    if (own == NULL)
        return;
    if (ev->id[0] == '\0') {
        keep_voters(f, ev->ticket);
        return;
    }
    error = cannot_replace(f, own, ev->id, ev->id2);
    if (error != NULL) {
        formed_reply(f, ev->ticket, error);
        return;
    }
    formed_reply(f, f->voter_ticket, "SUPERSEDED Another voter is to be replaced now");
    (void)slice_copy_z(slice_z(ev->id), v->replace_out, sizeof v->replace_out);
    (void)slice_copy_z(slice_z(ev->id2), v->replace_in, sizeof v->replace_in);
    v->replace_life = ha_voter(own, ev->id)->life;
    formed_save(f);
    f->voter_ticket = ev->ticket;          /* answered when both changes are done */
    formed_journal(f, "voter %.8s is to be replaced by %.8s", ev->id, ev->id2);
}

/* Whoever does not wait any more; or the try under way, if it can still be called off. */
static void cancel(struct formed *f, uint64_t ticket)
{
    if (ticket != 0 && ticket == f->voter_ticket)
        f->voter_ticket = 0;
    else if (ticket != 0 && ticket == f->set_ticket)
        f->set_ticket = 0;
    else
        lead_cancel(f, ticket);
}

void formed_order(struct formed *f, const struct formed_event *ev)
{
    switch (ev->kind) {
    case FV_FORM: form(f, ev); break;
    case FV_SET: set(f, ev); break;
    case FV_HAND_OVER: hand_over(f, ev); break;
    case FV_FORCE: force(f, ev); break;
    case FV_DISSOLVE: dissolve(f, ev); break;
    case FV_REPLACE_VOTER: replace_voter(f, ev); break;
    case FV_DROP_MEMBER: drop_member(f, ev); break;
    case FV_CANCEL: cancel(f, ev->ticket); break;
    default: break;
    }
}

/* --- EXPLAIN --------------------------------------------------------------------------------------- */

void formed_explain(const struct formed *f, int64_t now_ms, bool *can, char chosen[ID_MAX],
                    void (*say)(void *ctx, const char *what, const char *who, const char *why), void *ctx)
{
    char text[128];
    const struct ha_record *own = formed_newest(f);
    int64_t held_ms = voter_held_ms(&f->voter, now_ms);

    lead_explain(f, now_ms, can, chosen, say, ctx);
    if (own != NULL && ha_record_is_formation(own) && f->renewed_epoch != own->epoch && !form_may_seal(f, own)) {
        say(ctx, "record", "-", "forming: no node has shown the first epoch's marker yet");
        *can = false;
    }
    if (own != NULL && own->dissolved) {
        say(ctx, "record", "-", "dissolved: the group is plain");
        *can = false;
    }
    if (lead_running(f)) {
        snprintf(text, sizeof text, "trying: ballot %llu: %s, %s", (unsigned long long)f->lead.ballot,
                 lead_purpose_name(f->lead.want.purpose), lead_state_name(f->lead.state));
        say(ctx, "try", f->self.id, text);
    } else if (f->reason != FR_NONE) {
        snprintf(text, sizeof text, "waiting: %s: to be tried in %lld ms", formed_reason_text(f->reason),
                 (long long)(f->try_at_ms > now_ms ? f->try_at_ms - now_ms : 0));
        say(ctx, "try", f->self.id, text);
    }
    if (held_ms > 0) {
        snprintf(text, sizeof text, "promised: a lease or the silence after a start still runs for %lld ms", (long long)held_ms);
        say(ctx, "promise", f->self.id, text);
    }
    if (f->voter.f.replace_in[0] != '\0') {
        snprintf(text, sizeof text, "replacing: is to take the place of %.8s", f->voter.f.replace_out);
        say(ctx, "voter", f->voter.f.replace_in, text);
    }
}

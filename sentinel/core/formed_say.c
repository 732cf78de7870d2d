/* What goes out of a step, in order, and the message that does not go out because it is to
 * ourselves. Whatever our voter says stands behind the save of what it rests on: nobody
 * else needs to think of it. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "sentinel/core/formed_inside.h"

#include <stdarg.h>
#include <string.h>

void formed_out_init(struct formed_out *o) { memset(o, 0, sizeof *o); }

void formed_out_clear(struct formed_out *o)
{
    for (size_t i = 0; i < o->kept.n; i++)
        mem_free(o->kept.at[i]);
    vec_clear(&o->kept);
    vec_clear(&o->list);
}

void formed_out_fini(struct formed_out *o)
{
    formed_out_clear(o);
    vec_fini(&o->kept);
    vec_fini(&o->list);
}

static struct formed_action *add(struct formed *f, enum formed_action_kind k)
{
    struct formed_action *a;

    CHECK(f->out != NULL);
    a = vec_add(&f->out->list);
    a->kind = k;
    return a;
}

static void *keep(struct formed *f, void *p)
{
    vec_push(&f->out->kept, p);
    return p;
}

/* A copy that lives as long as the list. */
static struct ha_msg *keep_msg(struct formed *f, const struct ha_msg *m)
{
    struct ha_msg *copy = keep(f, mem_dup(m, sizeof *m));

    if (m->rec != NULL)
        copy->rec = keep(f, mem_dup(m->rec, sizeof *m->rec));
    return copy;
}

void formed_save(struct formed *f)
{
    f->saving = true;
    if (f->save_said)
        return;
    f->save_said = true;
    add(f, FA_SAVE);
}

/* --- messages --------------------------------------------------------------------------------- */

static void sign(const struct formed *f, struct ha_msg *m)
{
    const struct ha_record *own = formed_newest(f);

    memcpy(m->from, f->self.id, sizeof m->from);
    m->life = f->voter.f.life;
    if (m->gid == 0 && m->kind != HA_BIND)
        m->gid = m->rec != NULL ? m->rec->gid : own != NULL ? own->gid : 0;
}

/* Words that rest on what our voter holds: while the disk is in doubt they wait for it. */
static bool rests_on_facts(enum ha_kind k)
{
    return k == HA_VOTE || k == HA_VOTED || k == HA_STORED || k == HA_BOUND || k == HA_ALIVE || k == HA_LEASE;
}

static void send(struct formed *f, enum formed_action_kind to, const char *id, const struct ha_msg *m)
{
    struct formed_action *a;
    struct ha_msg *copy = keep_msg(f, m);

    sign(f, copy);
    if (f->save_broken && rests_on_facts(m->kind))
        formed_save(f);
    a = add(f, to);
    a->msg = copy;
    CHECK(slice_copy_z(slice_z(id), a->id, sizeof a->id));
}

/* Our own vote comes first, on disk, or a crash could make us ask for the same ballot twice. */
static void vote_first(struct formed *f, uint64_t ballot)
{
    enum ha_why why;
    bool save;

    voter_vote(&f->voter, ballot, f->self.id, f->voter.f.life, &save, &why);
    if (save)
        formed_save(f);
}

void formed_to_voter(struct formed *f, const char *id, const struct ha_msg *m)
{
    if (m->kind == HA_VOTE)
        vote_first(f, m->ballot);
    if (strcmp(id, f->self.id) == 0) {
        struct ha_msg *copy = keep_msg(f, m);
        sign(f, copy);
        formed_voter_hears(f, copy);
        return;
    }
    send(f, FA_TO_PEER, id, m);
}

/* What our voter says to ourselves: heard by our lead when it has finished what it does. */
static void to_own_lead(struct formed *f, const struct ha_msg *m)
{
    struct ha_msg *copy = keep_msg(f, m);

    sign(f, copy);
    vec_push(&f->own, *copy);
}

void formed_answer_voter(struct formed *f, const char *id, const struct ha_msg *m)
{
    if (strcmp(id, f->self.id) == 0)
        to_own_lead(f, m);
    else
        send(f, FA_TO_PEER, id, m);
}

void formed_to_node(struct formed *f, const char *id, const struct ha_msg *m)
{
    send(f, FA_TO_NODE, id, m);
}

/* --- words -------------------------------------------------------------------------------------- */

static const char *keep_text(struct formed *f, const char *fmt, va_list ap)
{
    struct str s = {0};

    str_append_z(&s, "");
    str_vprintf(&s, fmt, ap);
    return keep(f, s.p != NULL ? str_take(&s) : mem_strdup(""));
}

#define SAY(f, what, fmt)                                   \
    do {                                                    \
        va_list ap_;                                        \
        const char *text_;                                  \
        va_start(ap_, fmt);                                 \
        text_ = keep_text(f, fmt, ap_);                     \
        va_end(ap_);                                        \
        add(f, what)->text = text_;                         \
    } while (0)

void formed_news(struct formed *f, const char *fmt, ...) { SAY(f, FA_NEWS, fmt); }
void formed_journal(struct formed *f, const char *fmt, ...) { SAY(f, FA_JOURNAL, fmt); }
void formed_trace(struct formed *f, const char *fmt, ...) { SAY(f, FA_TRACE, fmt); }

void formed_reply(struct formed *f, uint64_t ticket, const char *error)
{
    struct formed_action *a;
    char *text;

    if (ticket == 0)
        return;
    text = keep(f, mem_strdup(error != NULL ? error : ""));
    a = add(f, FA_REPLY);
    a->ticket = ticket;
    a->ok = error == NULL;
    a->text = text;
}

void formed_primary(struct formed *f, const struct ha_record *r)
{
    const struct ha_member *m = ha_member(r, r->primary);
    const struct formed_node *n = formed_node(f, r->primary);
    const struct addr *at = n != NULL && addr_is_set(&n->addr) ? &n->addr : m != NULL ? &m->addr : NULL;
    struct formed_action *a;

    if (formed_newest(f) != NULL && ha_record_same_place(formed_newest(f), r))
        f->opened_said = true;
    if (at == NULL || r->epoch < f->said_epoch || (r->epoch == f->said_epoch && addr_equal(at, &f->said_addr)))
        return;
    f->said_epoch = r->epoch;
    f->said_addr = *at;
    a = add(f, FA_PRIMARY);
    memcpy(a->id, r->primary, sizeof a->id);
    a->addr = *at;
    a->epoch = r->epoch;
}

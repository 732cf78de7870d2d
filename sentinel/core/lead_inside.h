/* What the files of a leader's try share: the driver (lead.c) calls acts by row, the acts of a
 * promotion stand in promote.c, those of forming in form.c, those of changes in change.c. An
 * act sends and remembers; it never assigns the state. */
#ifndef KV_SENTINEL_LEAD_INSIDE_H
#define KV_SENTINEL_LEAD_INSIDE_H

#include "sentinel/core/formed_inside.h"

#define FOR(purpose) (1u << LEAD_##purpose)

typedef void lead_act(struct formed *f);

/* --- lead.c ------------------------------------------------------------------------------------ */
struct lead_vote *lead_vote_of(struct formed *f, const char *id);        /* made if there is none */
struct lead_seal *lead_seal_of(struct formed *f, const char *id);        /* NULL: not a member of the base */
int  lead_stored_in(const struct formed *f, const struct ha_record *r);  /* voters of r's V that stored `next` */
void lead_store(struct formed *f);                                       /* `next` to every voter it concerns that has not stored it */
void lead_say_failed(struct formed *f, const char *why);                 /* to the operator who waits, and to the trace */
void lead_say_done(struct formed *f);
struct ha_msg lead_msg(const struct formed *f, enum ha_kind kind);       /* with ballot and change of the try */

/* --- promote.c ------------------------------------------------------------------------------------ */
lead_act promote_stop, promote_call_off, promote_finish, promote_seal, promote_fetch, promote_store, promote_longest,
         promote_open, promote_opened;
void promote_again(struct formed *f);                  /* what this state waits for, asked again */
enum lead_event promote_look(struct formed *f);        /* what the facts of this state amount to; LEAD_EVENTS = nothing yet */
bool promote_answer(struct formed *f, const struct ha_msg *m);           /* true = it was one of ours */
const struct lead_seal *promote_longest_seal(const struct formed *f);

/* --- form.c ------------------------------------------------------------------------------------------ */
lead_act form_bind_primary, form_bind_rest, form_store, form_release_primary, form_release_rest, form_forget;
void form_again(struct formed *f);
enum lead_event form_look(struct formed *f);
bool form_answer(struct formed *f, const struct ha_msg *m);

/* --- dissolve.c ---------------------------------------------------------------------------------------- */
lead_act dissolve_store;
/* FORCE, and V has no majority: NULL = it may be all the same; else what lacks (static text). */
const char *dissolve_without_majority(const struct formed *f, const struct ha_record *top);

/* --- change.c ------------------------------------------------------------------------------------------ */
lead_act change_restore, change_bind, change_joint, change_store, change_commit, change_done;
void change_again(struct formed *f);
enum lead_event change_look(struct formed *f);
bool change_answer(struct formed *f, const struct ha_msg *m);

#endif

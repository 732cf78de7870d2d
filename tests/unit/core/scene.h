/* A sentinel's core with a group of three nodes and two peers, driven by hand: one line
 * per event, and what it answered as a line of text.
 *
 *   nodes  n1 (primary), n2, n3 ...   10.0.0.<i>:6379
 *   peers  s2, s3 ...                 10.0.1.<i>:26379, id = forty times the digit i
 *   we     s1                         id = forty times the digit 1 */
#ifndef KV_TESTS_CORE_SCENE_H
#define KV_TESTS_CORE_SCENE_H

#include "common/base/str.h"
#include "sentinel/core/core.h"
#include "sentinel/core/failover.h"
#include "sentinel/core/names.h"

struct asked {                     /* PINGs and INFOs that scene_pass will answer */
    struct action *at;
    size_t n, cap;
};

struct scene {
    struct core *c;
    struct actions out;
    int64_t now;
    core_id group;
    struct str told;               /* of the last step, without PING, INFO, hello and traces */
    struct asked asked;
    struct str all;                /* of all steps since scene_forget */
};

/* A group "g" that is fully known and well: every link up, every PING answered, roles and
 * offsets told, peers met. Jitter is 0, nobody is sealed (scene_seals). down-after 5000, quorum 2. */
void scene_init(struct scene *s, int nodes, int peers);
void scene_fini(struct scene *s);
void scene_forget(struct scene *s);

struct addr scene_addr(int i);
struct addr scene_peer_addr(int i);
const char *scene_id(int i);                        /* run id of sentinel i */
const struct group *scene_group(const struct scene *s);
struct link_ref scene_cmd(const struct scene *s, int node);
struct link_ref scene_sub(const struct scene *s, int node);
struct link_ref scene_peer(const struct scene *s, int peer);
const struct node *scene_node(const struct scene *s, int node);
const struct seat *scene_seat(const struct scene *s, int peer);

/* Each makes one step at s->now and returns what was told. */
const char *scene_step(struct scene *s, struct event ev);
const char *scene_up(struct scene *s, struct link_ref l);
const char *scene_down(struct scene *s, struct link_ref l, enum link_how how);
const char *scene_pong(struct scene *s, struct link_ref l, enum pong what);
const char *scene_info(struct scene *s, int node, enum node_role role, int follows, bool link_up, int64_t offset);
const char *scene_info_is(struct scene *s, int node, const struct node_info *i);
const char *scene_order_done(struct scene *s, int node, enum order what, bool ok, bool kept, const char *why);
void scene_seals(struct scene *s, int64_t sealing_ms);
const char *scene_answer(struct scene *s, int peer, bool down, const char *leader, uint64_t epoch);
const char *scene_asked(struct scene *s, uint64_t epoch, const char *candidate);
const char *scene_hello(struct scene *s, int peer, uint64_t epoch, int primary, uint64_t config_epoch);
const char *scene_tick(struct scene *s);

/* Time passes: every deadline up to then gets its tick, and everything that is up answers
 * its PINGs, and its INFOs with what it said last. What was told meanwhile is in `all`. */
void scene_pass(struct scene *s, int64_t ms);
void scene_hands(struct scene *s, int node, bool kvnode, enum node_hands h);      /* from its next INFO on */
void scene_mute(struct scene *s, int node);         /* node: answers nothing any more in scene_pass */

/* Node i is killed: both links close, the reconnects are refused. */
void scene_kill(struct scene *s, int node);
/* Of three sentinels: s2 sees n1 down too, s3 votes for us. Returns what the vote was answered with. */
const char *scene_elect(struct scene *s);
/* Of three nodes: n1 is killed, we are elected, n2 leads and n3 follows it; the failover is over. */
void scene_fail_over(struct scene *s);

#endif

/* What the files behind control.h share.
 *
 *   control.c         the two queues, the thread, the main thread's side
 *   control_link.c    links of sentinels and replicas, and ours to our primary: requests, answers
 *   control_aside.c   what the thread does in the main thread's place while that is stuck
 *
 * Lock order: ha.c's before the queues'. */
#ifndef KV_HA_CONTROL_INSIDE_H
#define KV_HA_CONTROL_INSIDE_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "common/io/loop.h"
#include "common/io/resolve.h"
#include "common/io/resp_link.h"
#include "common/text/resp_request.h"
#include "kvnode/ha/control.h"

#include <pthread.h>

#define GRACE_MS 15                    /* the main thread may be so late with what is due before we step aside of it */
#define STALL_MAX_MS 2000              /* stall-max -1, and no group's down-after is known */
#define LOOK_MS 50                     /* how often a stuck main thread is looked at again */

enum say_kind { SAY_ADOPT, SAY_SEND, SAY_CLOSE, SAY_DIAL, SAY_STOP };

struct say {
    enum say_kind kind;
    uint64_t link, gid, life;
    int fd;
    bool voter;
    char id[ID_MAX];
    struct str bytes;                  /* ADOPT: what had arrived; SEND: a line */
    struct addr to;
    char *user, *password, *source;
};

struct heard {
    uint64_t link;
    bool gone;
    int64_t at_ms;
    struct ha_msg msg;
    struct ha_record rec;
};

struct control {
    struct server *srv;
    pthread_t thread;
    pthread_mutex_t lock;
    VEC(struct say *) to_thread;
    VEC(struct heard *) to_main;
    int wake_thread, wake_main;
    struct fd_watch main_watch;
    _Atomic bool well;
    _Atomic size_t n_links;
    /* the thread's own */
    struct loop *loop;
    struct fd_watch watch;
    struct timer due, late;            /* the member's deadline; answers to a renewal that nobody took */
    struct timer look;                 /* held answers: may they leave? */
    struct list_link links;
    struct resolver *resolver;
    struct resp_link *primary;
    uint64_t primary_link;
    uint64_t gid, life;                /* how we attach there */
    char id[ID_MAX];
    struct ha_msg msg;                 /* being read */
    struct ha_record rec;
};

struct link {
    struct list_link link;
    struct control *c;
    struct stream *stream;
    uint64_t number;
    bool voter, ended;
    char id[ID_MAX];
    struct resp_parser parser;
    struct buf held;                   /* answers behind a PONG that may not be said yet */
};


/* --- control.c: to the main thread --------------------------------------------------------------- */
void control_tell_main(struct control *c, struct heard *x);        /* x is the main thread's then */
void control_tell_gone(struct control *c, uint64_t link);

/* --- control_link.c ------------------------------------------------------------------------------- */
void control_link_adopt(struct control *c, struct say *s);
struct link *control_link_of(struct control *c, uint64_t number);
void control_link_say(struct control *c, uint64_t number, struct slice line);
void control_link_close(struct link *l, bool linger);
void control_link_dial(struct control *c, const struct say *s);
void control_link_on_look(struct timer *t, void *c);       /* held answers: may they leave? */

/* --- control_aside.c ------------------------------------------------------------------------------- */
bool control_main_is_well(const struct control *c);
void control_set_due(struct control *c, int64_t not_before_ms);
void control_on_due(struct timer *t, void *c);
void control_on_late(struct timer *t, void *c);

#endif

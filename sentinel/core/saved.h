/* What a sentinel must not forget, as a value: what ACT_SAVE puts on disk and EV_RESTORE
 * brings back. Votes and epochs are the part that safety rests on; addresses, replicas
 * and peers spare us from starting as a stranger.
 *
 * The settings of groups are not in here: they are configuration (the shell's). */
#ifndef KV_SENTINEL_SAVED_H
#define KV_SENTINEL_SAVED_H

#include "sentinel/core/model.h"

struct saved_peer {
    char run_id[ID_MAX];
    struct addr addr;
};

struct saved_group {
    char name[GROUP_NAME_MAX];
    struct addr primary;           /* the failed-over address, which overrides the configured one */
    uint64_t config_epoch;
    uint64_t leader_epoch;         /* the last epoch we voted in */
    char leader[ID_MAX];           /* whom for; "" = not known any more, which is safe */
    VEC(struct addr) replicas;
    VEC(struct saved_peer) peers;
};

struct saved {
    char id[ID_MAX];               /* our own run id; core_init needs it first */
    uint64_t current_epoch;
    VEC(struct saved_group) groups;
};

void saved_init(struct saved *s);
void saved_fini(struct saved *s);

#endif

/* The bytes of a state log: a file header, then batches, each written and synced as one
 * piece. No file here: bytes in, records out, so that any disk's rubbish can be tried.
 *
 *   header  "KVSTATE1"  kind  0 0 0  owner[12]  generation u64  bytes u64  key[16]  check u64     (64 bytes)
 *   batch   "kvB1"  body bytes u32  sequence of its first record u64  check u64  body             (24 + body)
 *   body    records: (bytes << 8 | type) u32, bytes                                               little endian
 *
 * A check is SipHash under the file's own random key, over the header of the batch and its
 * body: what an older file left on the same blocks never looks like a batch, and nor do
 * bytes that a stranger chose.
 *
 * A batch counts whole or not at all. The last one may be torn: it was being written when
 * the power went, and nobody was told yet that it is there. A batch that is bad although a
 * later good one follows was damaged afterwards: what it held had been promised. */
#ifndef KV_TEXT_LOG_FRAME_H
#define KV_TEXT_LOG_FRAME_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_HEADER_BYTES 64
#define LOG_BATCH_HEAD_BYTES 24
#define LOG_RECORD_MAX (1u << 20)          /* bytes of one record */
#define LOG_BATCH_MAX (8u << 20)           /* bytes of one body */
#define LOG_OWNER_MAX 12                   /* with its '\0' */

enum log_kind { LOG_KIND_SNAPSHOT = 'S', LOG_KIND_LOG = 'L' };

struct log_header {
    enum log_kind kind;
    char owner[LOG_OWNER_MAX];             /* whose state: "sentinel", "kvnode" */
    uint64_t generation;                   /* a log continues the snapshot of its generation */
    uint64_t bytes;                        /* snapshot: all that follows the header; log: 0 */
    uint8_t key[16];
};

void log_header_put(const struct log_header *h, struct str *out);
/* ERR_FORMAT: not such a file at all; ERR_VERIFY: it was one, and is damaged. */
int  log_header_get(struct slice file, struct log_header *h, struct err *e);

/* One record appended to the body of a batch; bytes <= LOG_RECORD_MAX (checked before). */
void log_record_put(struct str *body, uint8_t type, struct slice bytes);
/* The batch around it. body.len in 1..LOG_BATCH_MAX. */
void log_batch_put(const uint8_t key[16], uint64_t seq, struct slice body, struct str *out);

/* Every record of the batches after the header, in order. `seq` is the number the first one must have.
 * record returns 0 to go on; what else it returns ends the walk and is handed up. */
struct log_walk {
    int (*record)(void *arg, uint64_t seq, uint8_t type, struct slice bytes, struct err *e);
    void *arg;
    /* out */
    size_t good;                           /* bytes from the start of the file that are whole batches */
    uint64_t next_seq;                     /* of the next record */
    uint64_t records;
};
/* 0: all of it, or up to a torn last batch (then good < file.len). ERR_VERIFY: damaged in the middle, e names the
 * offset. strict: a torn end is damage too (snapshots). */
int  log_walk(struct slice file, const struct log_header *h, uint64_t seq, bool strict, struct log_walk *w, struct err *e);

#endif

/* What a daemon must not forget, in a folder of its own: an append-only log of small
 * records behind a snapshot. One append and one fdatasync make a fact durable; the whole
 * is written only when the log has grown.
 *
 *   <dir>/lock            who uses the folder; never removed
 *   <dir>/born            this folder's own name, see struct statelog_born
 *   <dir>/snapshot        everything at the beginning of generation g
 *   <dir>/log.<g>         what was appended since (common/text/log_frame.h has the bytes),
 *                         in front of zeros that are on disk already: 128 kB of them at first
 *
 * A record is a type byte and bytes; what they mean is the owner's business, also that a later
 * record takes the place of an earlier one.
 *
 * At the start every record is handed back in order. A batch (all that one commit wrote) at
 * the end of the log that is not whole was never acknowledged: it is cut off, and the log says so.
 * Damage anywhere else is an error that names file and byte, and nothing is written then. (A whole
 * last batch that rots on the disk looks like a torn one; only what stands before it is proved.)
 *
 * After any failed write or sync the log is *broken*: what reached the disk is not known, and a sync
 * that is tried again may lie. It works again after a snapshot that succeeds (a new generation,
 * new files). All calls block, but for statelog_commit_later; one thread. */
#ifndef KV_IO_STATELOG_H
#define KV_IO_STATELOG_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/io/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define STATELOG_RECORD_MAX ((1u << 20) - 1)   /* bytes of a record */
#define STATELOG_BATCH_MAX (8u << 20)          /* ... of all records of one commit */
#define STATELOG_SNAPSHOT_MAX (64u << 20)      /* ... of a snapshot */
#define STATELOG_LOG_MAX (256u << 20)          /* ... of a log: then a snapshot is needed first */
#define STATELOG_ID_MAX 33                     /* 32 hex digits and '\0' */

/* The folder's name and where it was made. The file `born` says which inode it is and when that was made;
 * a copy of the folder is another inode, or another moment, and so is one that came back from a backup.
 * It cannot tell a disk, a snapshot of a disk or a virtual machine that was copied as a whole (same inode,
 * same moment); moving the folder within its file system, a reboot and another device number change nothing.
 * Accepting a copy: remove `born` and start again: it gets a new name, and `reborn` says once that what
 * is in the log was another's (the owner then makes a new life). */
struct statelog_born {
    char id[STATELOG_ID_MAX];
    bool copied;                               /* nothing is written into it; why says what to do */
    bool fresh;                                /* this start made the folder's first state */
    bool reborn;                               /* there were records, and no `born` */
    char why[384];
};

struct statelog;

struct statelog_spec {
    const char *dir;                           /* made (0750) when missing; borrowed for the call */
    const char *owner;                         /* "sentinel": 1 to 11 letters; a folder of another owner is refused */
    /* Each record that is there, oldest first. Not 0 = it makes no sense: the open fails with it. */
    int (*record)(void *arg, uint8_t type, struct slice bytes, struct err *e);
    void *arg;
};

/* 0: read; *out is yours (statelog_close). It may be broken from the start when the folder can be read but
 * not written, or is a copy (statelog_trouble, statelog_born): then it served to read.
 * ERR_BUSY: another process has it, named by its pid. ERR_VERIFY, ERR_FORMAT: damaged. ERR_REFUSED: another
 * owner's. ERR_SYS: it cannot even be read. */
int  statelog_open(const struct statelog_spec *spec, struct statelog **out, struct err *e);
void statelog_close(struct statelog *l);       /* what was not committed is gone; waits for a worker */

/* Into memory, until a commit. ERR_LIMIT. */
int  statelog_append(struct statelog *l, uint8_t type, struct slice bytes, struct err *e);
/* Everything appended so far is on disk: one write, one fdatasync. With nothing appended 0 at once.
 * A failure breaks the log and drops what was appended (a later start may find it all the same: whole). */
int  statelog_commit(struct statelog *l, struct err *e);
/* The same on a thread of the log's own: for what nobody's answer rests on. done is called in a later turn
 * of the loop (always the same one), rc as statelog_commit would have returned it; never after statelog_close.
 * Records that are appended meanwhile belong to the next commit. */
void statelog_commit_later(struct statelog *l, struct loop *loop,
                           void (*done)(void *arg, int rc, const struct err *e), void *arg);

/* A whole new beginning: begin, add every record that is to be known, end. It is durable when end returns 0,
 * and the log is empty and not broken. A failure leaves the old pair of files in force (or breaks the log when
 * only the folder's sync failed). What was appended and not committed is dropped by a success: the snapshot
 * says it already. */
void statelog_snapshot_begin(struct statelog *l);
void statelog_snapshot_add(struct statelog *l, uint8_t type, struct slice bytes);
int  statelog_snapshot_end(struct statelog *l, struct err *e);
/* The log has outgrown its snapshot: 64 kB, or four times the snapshot if that is more. */
bool statelog_wants_snapshot(const struct statelog *l);

/* NULL: fine. Otherwise the sentence of what failed; only a snapshot helps. */
const char *statelog_trouble(const struct statelog *l);
const struct statelog_born *statelog_born(const struct statelog *l);

struct statelog_stats {
    uint64_t generation, records;              /* records since the beginning of the snapshot */
    size_t log_bytes, snapshot_bytes;
    size_t torn_bytes;                         /* cut off at the start */
    uint64_t commits, snapshots;
    int64_t last_us;                           /* what the last commit or snapshot took */
};
void statelog_stats(const struct statelog *l, struct statelog_stats *out);

#endif

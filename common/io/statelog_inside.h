/* What the files of statelog share; nobody else's business. */
#ifndef KV_IO_STATELOG_INSIDE_H
#define KV_IO_STATELOG_INSIDE_H

#include "common/io/statelog.h"
#include "common/text/log_frame.h"

#include <limits.h>
#include <unistd.h>

/* A new log has so many bytes already, zeros, on disk: an append among them changes nothing but their contents, so that
 * its sync need not wait for the file system's journal and what others have in it. */
#define STATELOG_ROOM (128u << 10)

struct statelog_later;

struct statelog {
    struct statelog_spec spec;
    char *dir;
    int fd;                            /* of log.<generation>; -1 while broken from the start */
    int lock_fd;
    struct log_header header;          /* of that log */
    uint64_t generation;
    uint64_t next_seq;                 /* of the next record appended */
    uint64_t durable_seq;              /* ... of the first that is not on disk yet */
    size_t log_bytes, snapshot_bytes, torn_bytes;
    struct str pending;                /* records of the next batch */
    struct str snap, snap_body;        /* a snapshot being put together */
    uint64_t snap_seq;
    bool snap_too_big;
    char *trouble;
    int trouble_code;
    bool fresh, stale;
    uint64_t read_inode, read_bytes, read_at_ns;       /* what was read, while there is no lock */
    struct statelog_born born;
    uint64_t commits, snapshots;
    int64_t last_us;
    struct statelog_later *later;      /* NULL until it is used */
};

void statelog_path(const struct statelog *l, const char *name, char out[PATH_MAX]);
void statelog_log_path(const struct statelog *l, uint64_t generation, char out[PATH_MAX]);
int  statelog_break(struct statelog *l, int rc, struct err *e);
int  statelog_lock(struct statelog *l, struct err *e);
bool statelog_changed_since_read(struct statelog *l);
/* The folder is there, locked, and not a copy. */
int  statelog_become_writer(struct statelog *l, struct err *e);
void statelog_sweep(struct statelog *l);
/* Behind the first `at` bytes. */
int  statelog_write_batch(int fd, const char *path, const struct log_header *h, uint64_t seq, struct slice body, size_t at, size_t *bytes,
                          struct err *e);

void statelog_later_wait(struct statelog *l);          /* until no write is under way; takes its result in */
void statelog_later_settle(struct statelog *l, int rc, const struct err *e);   /* those who wait for what is pending */
void statelog_later_stop(struct statelog *l);

#endif

/* The files of one application: how they are, how they shall be, and the steps between.
 *
 *   look     read what is there, compare
 *   write    new bytes into .<name>.agent-<id> beside each target
 *   keep     the old files into a folder of the last good ones (hard links, or copies)
 *   sync     wait until the disk has both (one wait for all: that is most of what a change costs)
 *   swap     rename each new file over its target, sync the folders
 *   restore  the kept files back over the targets, in reverse order
 *   discard  remove what write left
 *
 * All of it can be repeated: what is done already is recognised by its digest, so that a
 * crash between any two calls can be finished or undone. Files that do not differ are
 * never touched. */
#ifndef KV_AGENT_STAGE_H
#define KV_AGENT_STAGE_H

#include "agent/core/diff.h"
#include "agent/core/plan.h"
#include "agent/shell/roots.h"
#include "agent/source/digest.h"

struct stage_file {
    bool differs;
    char *tmp;                         /* name of the new file, in the folder of its target */
    char sha_new[SHA_MAX];
    bool had;                          /* a file was there */
    char sha_old[SHA_MAX];
    int mode;
    long uid, gid;                     /* wished; -1 = no wish */
    struct file_diff diff;
};

struct stage {
    VEC(struct stage_file) files;      /* parallel to the plan's */
    char *keep_dir;                    /* folder of the old files */
    size_t changes;                    /* files that differ */
    size_t lines_added, lines_removed;
};

void stage_init(struct stage *s);
void stage_fini(struct stage *s);
/* id: 8 characters that make the names of the new files new. */
int  stage_look(struct stage *s, const struct plan *p, const struct roots *r, const char *id, struct err *e);
int  stage_write(struct stage *s, const struct plan *p, const struct roots *r, struct err *e);
int  stage_keep(struct stage *s, const struct plan *p, const struct roots *r, struct err *e);
int  stage_sync(const struct stage *s, const struct plan *p, const struct roots *r, struct err *e);
/* *renamed: how many are in place when it fails. */
int  stage_swap(struct stage *s, const struct plan *p, const struct roots *r, size_t *renamed, struct err *e);
int  stage_restore(struct stage *s, const struct plan *p, const struct roots *r, struct err *e);
/* Remove what an application left that ended with the machine's power before its journal was on disk. Only while nothing
 * is under way for these files. */
void stage_sweep(const struct plan *p, const struct roots *r);
void stage_discard(struct stage *s, const struct plan *p, const struct roots *r);
/* Is each new file whole, staged or in place? */
bool stage_whole(const struct stage *s, const struct plan *p, const struct roots *r);
/* The absolute path a check command shall look at: the new file, or the target when it is in place or does not
 * differ. ERR_MISSING: no file of the plan has this path. */
int  stage_path(const struct stage *s, const struct plan *p, const struct roots *r, struct slice path, struct str *out,
                struct err *e);

#endif

/* What is being done to the files of one document, on disk before it is done. One file per
 * document, one line per record: 16 hex digits of the record's digest, a blank, JSON. A
 * line that does not fit its digest ends the journal: it is the one a crash tore.
 *
 *   begin      (not synced yet: nothing rests on it but names to be removed) the document's bytes, and for each file: names, digests, wishes; for each setting of the data
 *              node: its name, what it was and what it shall be
 *   swapping   the new files are written, the old ones are kept, renames begin (once all of it is synced); or settings begin to be set
 *   undoing    what was before is coming back
 *   committed  with how it ended
 *   undone
 *
 * The journal is gone when nothing is under way. That is not synced: one that a loss of power brings back says
 * committed or undone, and is dropped again. */
#ifndef KV_AGENT_JOURNAL_H
#define KV_AGENT_JOURNAL_H

#include "agent/core/apply.h"
#include "agent/core/docname.h"
#include "agent/shell/node_set.h"
#include "agent/shell/stage.h"

enum journal_record { JOURNAL_SWAPPING, JOURNAL_UNDOING, JOURNAL_COMMITTED, JOURNAL_UNDONE };

struct journal_begin {
    struct slice bytes;                      /* of the document */
    const char *sha, *fingerprint;           /* of the document, of all it was made of */
    const struct node_values *values;        /* settings; NULL: none */
    const char *node;                        /* host:port of the data node they are of; NULL: none */
};

int  journal_start(const char *state, const struct docname *doc, const struct journal_begin *b, const struct plan *p,
                   const struct stage *s, struct err *e);
int  journal_note(const char *state, const struct docname *doc, enum journal_record what, enum ack_status status,
                  struct err *e);
int  journal_forget(const char *state, const struct docname *doc, struct err *e);

/* A journal found at start. */
struct journal {
    struct str bytes;
    char sha[SHA_MAX], fingerprint[SHA_MAX];
    struct stage stage;                      /* of the files it names */
    struct node_values values;               /* those it was going to set ... */
    char node[ADDR_TEXT_MAX];                /* ... and where */
    struct leftovers seen;                   /* all but all_new_whole */
    enum ack_status status;                  /* when committed */
};
void journal_init(struct journal *j);
void journal_fini(struct journal *j);
/* ERR_SYS with ENOENT: nothing is under way. A journal whose first record is torn has seen.begun false. */
int  journal_load(const char *state, const struct docname *doc, struct journal *j, struct err *e);
/* Calls fn for each document that has a journal. */
void journal_each(const char *state, void (*fn)(void *arg, const struct docname *doc), void *arg);

#endif

/* What the controller keeps of a document beside the document: cfgmeta:<type>:<component> (a hash: ver,
 * sha, t, by, state) and cfglog:<type>:<component> (a hash: version -> one line and the exact bytes), and
 * what follows when the document, or what is kept of it, is not as it was last.
 *
 * cfglog is a hash because every directory has hashes; its fields are the decimal versions, of which the
 * newest DOCLOG_KEPT are kept:
 *
 *     "17"  ->  <sha256 in hex> <t in ms> <by>\n<bytes>
 */
#ifndef KV_AGENT_DOCLOG_H
#define KV_AGENT_DOCLOG_H

#include "agent/core/docname.h"

#include <stdint.h>

#define DOCLOG_KEPT 200
#define DOCLOG_BY_MAX 64
#define DOCLOG_SHA 64            /* hex digits */

const char *docname_meta_key(const struct docname *d, char out[DOC_KEY_MAX]);
const char *docname_log_key(const struct docname *d, char out[DOC_KEY_MAX]);

struct doclog_entry {
    char sha[DOCLOG_SHA + 1], by[DOCLOG_BY_MAX + 1];
    int64_t t_ms;
    struct slice bytes;          /* of the text that was parsed */
};
void doclog_put(const struct doclog_entry *e, struct str *out);
bool doclog_parse(struct slice text, struct doclog_entry *out);
/* One word without blanks and control characters; "?" when there is none. */
void doclog_author(struct slice said, char out[DOCLOG_BY_MAX + 1]);

/* cfgmeta's state. */
enum doc_state {
    DOC_UNKNOWN,                 /* no cfgmeta, or a state nobody knows */
    DOC_LIVE,
    DOC_INVALID,                 /* the bytes are no document; left alone */
    DOC_VANISHED,                /* gone, and could not be brought back */
    DOC_RETIRED,                 /* taken away by an operator: never brought back */
    DOC_STATES
};
const char *doc_state_word(enum doc_state s);      /* "" for unknown */
enum doc_state doc_state_from_word(struct slice word);

/* What is known, read in one go. */
struct doc_seen {
    enum { DOC_MISSING, DOC_BYTES, DOC_OTHER_TYPE } is;
    bool valid;                  /* DOC_BYTES: it is a document */
    char sha[DOCLOG_SHA + 1];    /* DOC_BYTES */
    enum doc_state state;        /* cfgmeta */
    int64_t ver;                 /* cfgmeta, 0 = none */
    char meta_sha[DOCLOG_SHA + 1];
    /* what the controller remembers of this key since it took the role; held_ver 0: nothing */
    int64_t held_ver;
    char held_sha[DOCLOG_SHA + 1];
    bool held_live, held_bytes;  /* its state was live; the bytes are still at hand */
};

enum doc_act {
    DOC_KEEP,                    /* as it should be: remember it */
    DOC_LOG,                     /* a new version: write cfgmeta and cfglog */
    DOC_RESTORE,                 /* bring it back, from memory or from cfglog's ver */
    DOC_REPUBLISH,               /* the directory lost a version that we had logged: bring that back */
    DOC_NOTE_VANISHED,           /* write state=vanished */
    DOC_NOTE_STATE,              /* the bytes are logged, only the state is wrong */
    DOC_FORGET,                  /* retired, or never there */
    DOC_LEAVE                    /* another type of key: tell, and leave it alone */
};
enum doc_act doclog_decide(const struct doc_seen *s, const char **because);
/* The version that a DOC_LOG writes. */
int64_t doclog_next_version(const struct doc_seen *s);
/* A restore or republish brings back this version. */
int64_t doclog_back_version(const struct doc_seen *s);

#endif

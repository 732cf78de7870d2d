/* How a value is written into a text of some language, so that a value cannot become
 * syntax. One mode per document: what is right for a shell file is wrong for JSON. */
#ifndef KV_AGENT_ESCAPE_H
#define KV_AGENT_ESCAPE_H

#include "common/base/err.h"
#include "common/base/str.h"

enum escape_mode {
    ESCAPE_NONE,        /* as it is */
    ESCAPE_SHELL,       /* one shell word in single quotes */
    ESCAPE_SYSTEMD,     /* inside a value of a unit file: \ " % doubled or escaped, line breaks as \n */
    ESCAPE_JSON,        /* inside a JSON string, without the quotes around it */
    ESCAPE_HAPROXY,     /* one word of haproxy.cfg: blank # \ " ' escaped, line breaks as \n */
    ESCAPE_HTML         /* & < > " ' */
};

extern const char *const escape_words[];                        /* by enum escape_mode, ends with NULL */
enum escape_mode escape_from_word(const char *word);            /* CHECKs: the word is one of escape_words */
/* Appends the value. ERR_FORMAT when this language has no way to write it. */
int escape_append(enum escape_mode mode, const char *p, size_t n, struct str *out, struct err *e);

#endif

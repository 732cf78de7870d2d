/* One line of a `key value` file into words: blanks separate, "..." with \n \r \t
 * \b \a \" \\ \xHH, '...' with \', a '#' as first character makes a comment. */
#ifndef KV_TEXT_CONF_LEX_H
#define KV_TEXT_CONF_LEX_H

#include "common/base/err.h"
#include "common/base/str.h"

struct conf_words {
    int argc;
    struct slice *argv;     /* point into text */
    struct str text;
    int cap;
};

void conf_words_init(struct conf_words *w);
void conf_words_fini(struct conf_words *w);
/* Line without its '\n'. argc = 0 for blank lines and comments. ERR_FORMAT: unbalanced quotes. */
int  conf_lex(const char *line, size_t n, struct conf_words *w, struct err *e);
/* A value as it must be written to be read back: quoted when it needs it (or is empty). */
void conf_put_word(struct str *out, struct slice word);

#endif

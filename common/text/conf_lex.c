/* Words of a configuration line, and how a word is written so that it reads back. */
#include "common/text/conf_lex.h"

#include "common/base/mem.h"
#include "common/text/split.h"

void conf_words_init(struct conf_words *w)
{
    *w = (struct conf_words){0};
}

void conf_words_fini(struct conf_words *w)
{
    mem_free(w->argv);
    str_fini(&w->text);
    *w = (struct conf_words){0};
}

int conf_lex(const char *line, size_t n, struct conf_words *w, struct err *e)
{
    size_t i = 0;

    w->argc = 0;
    while (i < n && (line[i] == ' ' || (line[i] >= '\t' && line[i] <= '\r')))
        i++;
    if (i == n || line[i] == '#')
        return 0;
    if (!split_words(line + i, n - i, &w->argv, &w->cap, &w->argc, &w->text)) {
        w->argc = 0;
        return err_set(e, ERR_FORMAT, "unbalanced quotes: a \" or ' has no end, or no blank follows its end");
    }
    return 0;
}

void conf_put_word(struct str *out, struct slice word)
{
    bool quote = word.len == 0 || word.p[0] == '#';

    for (size_t i = 0; i < word.len && !quote; i++) {
        unsigned char c = (unsigned char)word.p[i];

        quote = c <= ' ' || c == 0x7f || c == '"' || c == '\'';
    }
    if (quote)
        str_append_quoted(out, word.p, word.len);
    else
        str_append(out, word.p, word.len);
}

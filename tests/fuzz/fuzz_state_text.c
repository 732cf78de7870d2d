/* The lines of a state block: whatever is read is written, and read again to the same. */
#include "common/text/conf_lex.h"
#include "sentinel/wire/state_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int64_t quorum(void *arg, const char *group)
{
    (void)arg;
    (void)group;
    return 2;
}

static void line(void *arg, const char *key, const char *text)
{
    (void)key;
    str_printf(arg, "%s\n", text);
}

/* false: a line was refused */
static bool read_all(struct slice text, struct saved *s)
{
    struct conf_words w;
    struct err e;
    bool fine = true;

    conf_words_init(&w);
    while (text.len > 0) {
        const char *nl = memchr(text.p, '\n', text.len);
        size_t n = nl ? (size_t)(nl - text.p) : text.len;
        int64_t q;
        bool mine;

        if (conf_lex(text.p, n, &w, &e) != 0 ||
            (w.argc > 1 && state_line_read(s, w.argc - 1, w.argv + 1, &mine, &q, &e) != 0))
            fine = false;
        n += nl != NULL;
        text.p += n;
        text.len -= n;
    }
    conf_words_fini(&w);
    return fine;
}

static void write_all(const struct saved *s, struct str *out)
{
    struct state_writer w = {quorum, line, out, true};

    state_self_lines(s, &w);
    for (size_t i = 0; i < s->groups.n; i++)
        if (addr_is_set(&s->groups.at[i].primary))
            state_group_lines(&s->groups.at[i], &w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct saved first, second;
    struct str one = {0}, two = {0};

    saved_init(&first);
    saved_init(&second);
    (void)read_all((struct slice){(const char *)data, size}, &first);
    if (!first.id[0])
        memset(first.id, 'a', ID_HEX);
    write_all(&first, &one);
    if (!read_all((struct slice){str_c(&one), one.len}, &second))
        abort();
    write_all(&second, &two);
    if (one.len != two.len || memcmp(str_c(&one), str_c(&two), one.len) != 0)
        abort();
    saved_fini(&first);
    saved_fini(&second);
    str_fini(&one);
    str_fini(&two);
    return 0;
}

/* Lines of a journal file: whatever is read as a line is written, and read again to the same. */
#include "sentinel/wire/journal_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size};
    struct journal_entry e = {0}, again = {0};
    uint64_t bad = 0;

    while (journal_text_next(&rest, &e, &bad)) {
        struct str text = {0};
        struct slice one;

        journal_text_put(&text, e.wall_ms, str_c(&e.group), str_c(&e.text));
        one = (struct slice){str_c(&text), text.len};
        bad = 0;
        if (!journal_text_next(&one, &again, &bad) || bad != 0 || one.len != 0 || again.wall_ms != e.wall_ms ||
            strcmp(str_c(&again.group), str_c(&e.group)) != 0 || again.text.len != e.text.len)
            abort();
        str_fini(&text);
    }
    if (size > 2) {                        /* and what is written of anything is a line */
        char *z = malloc(size + 1), *text;
        struct str line = {0};
        struct slice one;

        memcpy(z, data, size);
        z[size] = '\0';
        text = z + (size_t)data[0] % strlen(data[0] ? z : "x");
        journal_text_put(&line, 5, data[1] ? z + 1 : "g", text);
        one = (struct slice){str_c(&line), line.len};
        bad = 0;
        if (data[0] && data[1] && (!journal_text_next(&one, &again, &bad) || strcmp(str_c(&again.group), z + 1) != 0))
            abort();
        str_fini(&line);
        free(z);
    }
    str_fini(&e.group);
    str_fini(&e.text);
    str_fini(&again.group);
    str_fini(&again.text);
    return 0;
}

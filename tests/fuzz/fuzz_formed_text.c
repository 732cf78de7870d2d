/* The facts of a voter: whatever is read is written, and read again to the same. */
#include "sentinel/wire/formed_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct voter_facts f, again;
    struct str text = {0}, twice = {0};
    struct err e;

    if (formed_text_read((struct slice){(const char *)data, size}, &f, &e) != 0)
        return 0;
    formed_text_put(&text, &f);
    if (formed_text_read((struct slice){str_c(&text), text.len}, &again, &e) != 0)
        abort();
    formed_text_put(&twice, &again);
    if (strcmp(str_c(&text), str_c(&twice)) != 0)
        abort();
    str_fini(&text);
    str_fini(&twice);
    return 0;
}

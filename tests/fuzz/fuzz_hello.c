/* Any bytes as a hello; what is taken must survive being written and read again. */
#include "sentinel/wire/hello.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hello h, again;
    struct str line = {0};
    struct err e;

    if (hello_read((struct slice){(const char *)data, size}, &h, &e) == 0) {
        hello_write(&h, &line);
        if (hello_read((struct slice){line.p, line.len}, &again, &e) != 0 || memcmp(&h, &again, sizeof h) != 0)
            abort();
        str_fini(&line);
    }
    return 0;
}

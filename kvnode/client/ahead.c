/* Sixteen requests at a time: first their buckets, then the objects in those. More than that gains
 * nothing, fewer leave latency bare. */
#include "kvnode/client/ahead.h"

#include "kvnode/server.h"

#include <string.h>

#define AHEAD 16
#define ARGS_MAX 1024

/* "<mark><digits>\r\n" at p; the number, or -1. *next: behind it. */
static int64_t number(const char *p, const char *end, char mark, const char **next)
{
    int64_t n = 0;
    int digits = 0;

    if (p >= end || *p != mark)
        return -1;
    for (p++; p < end && *p >= '0' && *p <= '9' && digits < 9; p++, digits++)
        n = n * 10 + (*p - '0');
    if (digits == 0 || end - p < 2 || p[0] != '\r')
        return -1;
    *next = p + 2;
    return n;
}

/* One request at p: its second argument (the key of most commands), and where the next begins. */
static bool second_argument(const char *p, const char *end, struct slice *key, const char **next)
{
    int64_t args = number(p, end, '*', &p);

    *key = (struct slice){NULL, 0};
    if (args < 1 || args > ARGS_MAX)
        return false;
    for (int64_t i = 0; i < args; i++) {
        int64_t len = number(p, end, '$', &p);

        if (len < 0 || end - p < len)
            return false;
        if (i == 1)
            *key = (struct slice){p, (size_t)len};
        p += len + 2;
        if (i >= 1 && p >= end)
            break;
    }
    *next = p;
    return key->p != NULL;
}

void ahead_look(struct client *c, const struct buf *in, int argc, const struct slice *argv)
{
    const char *begin = buf_data(in), *end = begin + buf_len(in), *p;
    struct db *d = keyspace_db(c->srv->ks, c->db);
    uint32_t hash[AHEAD];
    int n = 0;

    if (c->ahead > 0) {
        c->ahead--;
        return;
    }
    if (argc < 2)
        return;
    p = argv[argc - 1].p + argv[argc - 1].len + 2;
    if (p <= begin || p >= end)        /* inline words lie elsewhere; or nothing follows */
        return;
    hash[n++] = db_near(d, argv[1]);
    while (n < AHEAD && p < end) {
        struct slice key;

        if (!second_argument(p, end, &key, &p))
            break;
        hash[n++] = db_near(d, key);
    }
    for (int i = 0; i < n; i++)
        db_nearer(d, hash[i]);
    c->ahead = n - 1;
}

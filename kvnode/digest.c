/* Two operations: `blend` adds something whatever the order (exclusive or of hashes), `chain` adds
 * something that has its place (hash of what was so far). Unordered things are blended, ordered ones chained. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "kvnode/digest.h"

#include "kvnode/store/t_hash.h"
#include "kvnode/store/t_string.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <string.h>

static void blend(unsigned char d[DIGEST_BYTES], const void *p, size_t n)
{
    unsigned char h[DIGEST_BYTES];

    SHA1(p, n, h);
    for (int i = 0; i < DIGEST_BYTES; i++)
        d[i] ^= h[i];
}

static void chain(unsigned char d[DIGEST_BYTES], const void *p, size_t n)
{
    unsigned char was[DIGEST_BYTES];

    blend(d, p, n);
    memcpy(was, d, sizeof was);
    SHA1(was, sizeof was, d);
}

static void hash_into(unsigned char d[DIGEST_BYTES], const struct object *o)
{
    struct hash_iter it;
    struct hash_item item;

    hash_iter_init(&it, o);
    while (hash_iter_next(&it, &item)) {
        unsigned char one[DIGEST_BYTES] = {0};

        chain(one, item.field.p, item.field.len);
        chain(one, item.value.p, item.value.len);
        blend(d, one, sizeof one);
    }
}

static void value_into(unsigned char d[DIGEST_BYTES], const struct object *o)
{
    uint32_t type = htonl(o->type);
    char num[NUM_I64_MAX];
    struct slice s;

    chain(d, &type, sizeof type);
    if (o->type == OBJ_STRING) {
        s = string_view(o, num);
        chain(d, s.p, s.len);
    } else if (o->type == OBJ_HASH) {
        hash_into(d, o);
    }
    if (object_deadline(o) != NEVER_MS)
        blend(d, "!!expire!!", 10);
}

void digest_value(const struct object *o, unsigned char out[DIGEST_BYTES])
{
    memset(out, 0, DIGEST_BYTES);
    value_into(out, o);
}

void digest_keyspace(struct keyspace *ks, unsigned char out[DIGEST_BYTES])
{
    memset(out, 0, DIGEST_BYTES);
    for (int i = 0; i < ks->ndbs; i++) {
        struct db *d = keyspace_db(ks, i);
        uint32_t number = htonl((uint32_t)i);
        struct db_iter it;
        struct object *o;

        if (db_count(d) == 0)
            continue;
        chain(out, &number, sizeof number);
        db_iter_init(&it, d);
        while ((o = db_iter_next(&it))) {
            unsigned char one[DIGEST_BYTES] = {0};
            struct slice key = object_key(o);

            chain(one, key.p, key.len);
            value_into(one, o);
            blend(out, one, sizeof one);
        }
        db_iter_fini(&it);
    }
}

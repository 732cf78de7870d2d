/* The hash against its published vectors. */
#include "common/base/hash.h"
#include "tests/support/suite.h"

START_TEST(test_vectors)
{
    /* SipHash-1-3, key 00 01 .. 0f, input 00 01 .. (n-1) */
    static const uint64_t want[] = {0xabac0158050fc4dcu, 0xc9f49bf37d57ca93u, 0x82cb9b024dc7d44du, 0x8bf80ab8e7ddf7fbu,
                                    0xcf75576088d38328u, 0xdef9d52f49533b67u, 0xc50d2b50c59f22a7u, 0xd3927d989bb11140u,
                                    0x369095118d299a8eu, 0x25a48eb36c063de4u};
    uint8_t seed[16], in[16];

    for (int i = 0; i < 16; i++)
        seed[i] = in[i] = (uint8_t)i;
    for (size_t n = 0; n < sizeof want / sizeof want[0]; n++)
        ck_assert_uint_eq(hash_with(seed, in, n), want[n]);
    hash_seed(seed);
    ck_assert_uint_eq(hash_bytes(in, 3), want[3]);
}
END_TEST

SUITE(hash, test_vectors)

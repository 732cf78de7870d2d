#include "kvnode/format/crc64.h"

#include "tests/support/suite.h"

START_TEST(known_value)
{
    ck_assert_uint_eq(crc64(0, "123456789", 9), 0xe9c6d914c4b8d9caULL);
    ck_assert_uint_eq(crc64(0, "", 0), 0);
}
END_TEST

START_TEST(pieces_give_the_whole)
{
    unsigned char b[301];

    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (unsigned char)(i * 7 + 3);
    uint64_t whole = crc64(0, b, sizeof b);
    for (size_t cut = 0; cut <= sizeof b; cut++)
        ck_assert_uint_eq(crc64(crc64(0, b, cut), b + cut, sizeof b - cut), whole);
}
END_TEST

SUITE(crc64, known_value, pieces_give_the_whole)

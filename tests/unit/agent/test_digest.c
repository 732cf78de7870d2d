/* Known digests, and pieces that must not run into one another. */
#include "agent/source/digest.h"
#include "tests/support/suite.h"

START_TEST(test_known)
{
    char sha[SHA_MAX];

    sha_bytes("", 0, sha);
    ck_assert_str_eq(sha, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha_bytes("abc", 3, sha);
    ck_assert_str_eq(sha, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(test_pieces)
{
    struct sha_pieces s;
    char a[SHA_MAX], b[SHA_MAX];

    sha_begin(&s);
    sha_piece(&s, "ab", 2);
    sha_piece(&s, "c", 1);
    sha_end(&s, a);
    sha_begin(&s);
    sha_piece(&s, "a", 1);
    sha_piece(&s, "bc", 2);
    sha_end(&s, b);
    ck_assert_str_ne(a, b);
}
END_TEST

SUITE(digest, test_known, test_pieces)

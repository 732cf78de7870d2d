/* OpenSSL's SHA-256 in the forms this flat needs. Its older calls on purpose: EVP looks for providers and reads
 * openssl.cnf first, which costs a process that hashes and does nothing else with OpenSSL 2 MiB. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "agent/source/digest.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <unistd.h>

static void hex(const unsigned char md[32], char out[SHA_MAX])
{
    static const char digit[] = "0123456789abcdef";

    for (int i = 0; i < 32; i++) {
        out[2 * i] = digit[md[i] >> 4];
        out[2 * i + 1] = digit[md[i] & 15];
    }
    out[SHA_HEX] = 0;
}

void sha_begin(struct sha_pieces *s)
{
    s->ctx = mem_alloc(sizeof(SHA256_CTX));
    CHECK(SHA256_Init(s->ctx) == 1);
}

static void update(struct sha_pieces *s, const void *p, size_t n)
{
    CHECK(n == 0 || SHA256_Update(s->ctx, p, n) == 1);
}

void sha_piece(struct sha_pieces *s, const void *p, size_t n)
{
    uint64_t len = n;

    update(s, &len, sizeof len);
    update(s, p, n);
}

void sha_end(struct sha_pieces *s, char out[SHA_MAX])
{
    unsigned char md[SHA256_DIGEST_LENGTH];

    CHECK(SHA256_Final(md, s->ctx) == 1);
    mem_free(s->ctx);
    s->ctx = NULL;
    hex(md, out);
}

void sha_bytes(const void *p, size_t n, char out[SHA_MAX])
{
    struct sha_pieces s;

    sha_begin(&s);
    update(&s, p, n);
    sha_end(&s, out);
}

int sha_fd(int fd, char out[SHA_MAX], struct err *e)
{
    struct sha_pieces s;
    char block[65536];
    off_t at = 0;
    ssize_t n;

    sha_begin(&s);
    while ((n = pread(fd, block, sizeof block, at)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            mem_free(s.ctx);
            return err_sys(e, "read");
        }
        update(&s, block, (size_t)n);
        at += n;
    }
    sha_end(&s, out);
    return 0;
}

/* SHA-256 as text: the identity of documents, inputs and files. */
#ifndef KV_AGENT_DIGEST_H
#define KV_AGENT_DIGEST_H

#include "common/base/err.h"

#include <stddef.h>

#define SHA_HEX 64
#define SHA_MAX (SHA_HEX + 1)

void sha_bytes(const void *p, size_t n, char out[SHA_MAX]);
/* Of what stands in the file from its beginning to its end. */
int  sha_fd(int fd, char out[SHA_MAX], struct err *e);

/* Several pieces, each with its length in front, so that no two lists of pieces look alike. */
struct sha_pieces { void *ctx; };
void sha_begin(struct sha_pieces *s);
void sha_piece(struct sha_pieces *s, const void *p, size_t n);
void sha_end(struct sha_pieces *s, char out[SHA_MAX]);

#endif

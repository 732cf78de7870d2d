/* Host and port as a value. A host is an IPv4 or IPv6 address or a name; nothing
 * here resolves. IPv6 is kept without brackets and compared as text. */
#ifndef KV_BASE_ADDR_H
#define KV_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_HOST_MAX 254                        /* 253 characters of a DNS name + '\0' */
#define ADDR_TEXT_MAX (ADDR_HOST_MAX + 8)        /* [host]:port */

struct addr {
    char host[ADDR_HOST_MAX];                    /* empty = no address */
    uint16_t port;
};

bool addr_set(struct addr *a, const char *host, size_t hlen, int64_t port);  /* false: too long, empty, or port not 0..65535 */
bool addr_parse(const char *p, size_t n, struct addr *out);   /* "host:port", "[v6]:port", "v6:port" (last colon) */
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_set(const struct addr *a);
bool addr_is_ip(const char *host);                            /* a literal v4 or v6 address */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX]);   /* host:port; v6 in brackets */

#endif

/* Addresses as text. Literals are recognised by hand: this floor knows no sockets. */
#include "common/base/addr.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

bool addr_set(struct addr *a, const char *host, size_t hlen, int64_t port)
{
    if (hlen == 0 || hlen >= ADDR_HOST_MAX || port < 0 || port > 65535)
        return false;
    for (size_t i = 0; i < hlen; i++)
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f)
            return false;
    memmove(a->host, host, hlen);
    a->host[hlen] = '\0';
    a->port = (uint16_t)port;
    return true;
}

bool addr_parse(const char *p, size_t n, struct addr *out)
{
    const char *colon = n ? memrchr(p, ':', n) : NULL;
    size_t hlen;
    int64_t port;

    if (!colon)
        return false;
    hlen = (size_t)(colon - p);
    if (!num_i64_in(colon + 1, n - hlen - 1, 0, 65535, &port))
        return false;
    if (hlen >= 2 && p[0] == '[' && p[hlen - 1] == ']') {
        p++;
        hlen -= 2;
    }
    if (memchr(p, '[', hlen) || memchr(p, ']', hlen))
        return false;
    return addr_set(out, p, hlen, port);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool addr_is_set(const struct addr *a)
{
    return a->host[0] != '\0';
}

/* Four decimal numbers of at most three digits; nothing may follow. */
static bool is_v4(const char *z)
{
    for (int part = 0; part < 4; part++) {
        int v = 0, digits = 0;

        while (*z >= '0' && *z <= '9' && digits < 3) {
            v = v * 10 + (*z++ - '0');
            digits++;
        }
        if (digits == 0 || v > 255 || (digits > 1 && z[-digits] == '0'))
            return false;
        if (part < 3 && *z++ != '.')
            return false;
    }
    return *z == '\0';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Eight groups of up to four hex digits, "::" once for missing ones, a v4 address for the last two,
 * and possibly a %zone. */
static bool is_v6(const char *text)
{
    char z[64];
    const char *p = z, *zone = strchr(text, '%');
    size_t len = zone ? (size_t)(zone - text) : strlen(text);
    int groups = 0;
    bool gap = false;

    if (len >= sizeof z || (zone && zone[1] == '\0'))
        return false;
    memcpy(z, text, len);
    z[len] = '\0';
    if (p[0] == ':' && p[1] != ':')
        return false;
    while (*p) {
        int digits = 0;

        if (p[0] == ':' && p[1] == ':') {
            if (gap)
                return false;
            gap = true;
            p += 2;
            if (*p == ':')
                return false;
            continue;
        }
        if (p[0] == ':' && groups > 0)
            p++;
        if (is_v4(p)) {
            groups += 2;
            break;
        }
        while (is_hex(p[digits]))
            digits++;
        if (digits == 0 || digits > 4)
            return false;
        p += digits;
        groups++;
        if (*p && *p != ':')
            return false;
    }
    return gap ? groups < 8 : groups == 8;
}

bool addr_is_ip(const char *host)
{
    return strchr(host, ':') ? is_v6(host) : is_v4(host);
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    snprintf(out, ADDR_TEXT_MAX, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, (unsigned)a->port);
    return out;
}

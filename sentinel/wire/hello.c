/* Reading is strict: a line from a stranger that is almost a hello is no hello. */
#include "sentinel/wire/hello.h"

#include "common/base/num.h"

#include <string.h>

enum { IP, PORT, ID, EPOCH, GROUP, PRIMARY_IP, PRIMARY_PORT, CONFIG_EPOCH, FIELDS };

static int split(struct slice line, struct slice f[FIELDS])
{
    const char *end = line.p + line.len;
    int n = 0;

    for (const char *p = line.p; n < FIELDS; n++) {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        f[n] = (struct slice){p, (size_t)((comma ? comma : end) - p)};
        if (!comma)
            return n + 1;
        p = comma + 1;
    }
    return FIELDS + 1;
}

static bool read_addr(struct slice host, struct slice port, int64_t least, struct addr *out)
{
    int64_t n;

    return num_i64_in(port.p, port.len, least, 65535, &n) && !memchr(host.p, '\0', host.len) &&
           addr_set(out, host.p, host.len, n);
}

static bool is_id(struct slice s)
{
    if (s.len != ID_HEX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdefABCDEF", s.p[i]) || s.p[i] == '\0')
            return false;
    return true;
}

int hello_read(struct slice line, struct hello *out, struct err *e)
{
    struct slice f[FIELDS];
    struct hello h;

    memset(&h, 0, sizeof h);
    if (line.len == 0 || split(line, f) != FIELDS)
        return err_set(e, ERR_FORMAT, "a hello has eight fields");
    if (!read_addr(f[IP], f[PORT], 0, &h.from))
        return err_set(e, ERR_FORMAT, "hello: the sentinel's address is wrong");
    if (!is_id(f[ID]))
        return err_set(e, ERR_FORMAT, "hello: the sentinel's id is not 40 hex digits");
    memcpy(h.id, f[ID].p, ID_HEX);
    if (!num_u64(f[EPOCH].p, f[EPOCH].len, &h.current_epoch) ||
        !num_u64(f[CONFIG_EPOCH].p, f[CONFIG_EPOCH].len, &h.config_epoch))
        return err_set(e, ERR_FORMAT, "hello: an epoch is not a number");
    if (f[GROUP].len == 0 || memchr(f[GROUP].p, '\0', f[GROUP].len) || !slice_copy_z(f[GROUP], h.group, sizeof h.group))
        return err_set(e, ERR_FORMAT, "hello: the group's name is empty or too long");
    if (!read_addr(f[PRIMARY_IP], f[PRIMARY_PORT], 1, &h.primary))
        return err_set(e, ERR_FORMAT, "hello: the primary's address is wrong");
    *out = h;
    return 0;
}

void hello_write(const struct hello *h, struct str *out)
{
    str_printf(out, "%s,%u,%s,%llu,%s,%s,%u,%llu", h->from.host, h->from.port, h->id,
               (unsigned long long)h->current_epoch, h->group, h->primary.host, h->primary.port,
               (unsigned long long)h->config_epoch);
}

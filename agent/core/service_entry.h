/* One field of svcs:<service>: where an instance is and how it stands, as text that anybody can
 * read and write:
 *
 *     <instance id>  ->  host:port;zone=a;w=100;state=up;ttl=15000;tags=blue,eu
 *
 * Only host:port must be there; parts with other names are skipped. ttl, in milliseconds, says that
 * lease:<service>:<instance> is renewed at each third of it, and that the instance is gone when it lapses.
 * Without ttl there is no lease: who wrote the line takes it away. */
#ifndef KV_AGENT_SERVICE_ENTRY_H
#define KV_AGENT_SERVICE_ENTRY_H

#include "common/base/addr.h"
#include "common/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVICE_NAME_MAX 128
#define INSTANCE_ID_MAX 200
#define SERVICE_ENTRY_MAX 2048
#define SERVICE_TTL_MS 15000
#define SERVICE_TTL_LEAST_MS 500
#define SERVICE_TTL_MOST_MS 3600000

struct service_entry {
    struct addr at;
    struct slice zone, tags;         /* of the text that was parsed; len 0 = none */
    int weight;                      /* 0..65535 */
    bool drain;
    int64_t ttl_ms;                  /* 0: no lease */
};

/* Names of services and ids of instances: letters, digits, '_', '.', '-', '@' and, in ids, ':' too. */
bool service_name_ok(struct slice name);
bool service_id_ok(struct slice id);
/* false: junk (no host:port, a number out of range, a state that is neither up nor drain, control characters, too long). */
bool service_entry_parse(struct slice text, struct service_entry *out);
void service_entry_put(const struct service_entry *s, struct str *out);      /* appends */

#endif

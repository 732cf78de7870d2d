/* ACL LOG: who was refused what, newest first. What repeats within a minute is one entry
 * with a count. */
#ifndef KV_IO_ACL_LOG_H
#define KV_IO_ACL_LOG_H

#include "common/base/str.h"

#include <stdint.h>

struct acl_log;
struct call;
struct session;

enum acl_log_reason { ACL_LOG_COMMAND, ACL_LOG_KEY, ACL_LOG_CHANNEL, ACL_LOG_AUTH };

struct acl_log *acl_log_new(void);
void acl_log_free(struct acl_log *l);
void acl_log_set_max(struct acl_log *l, int64_t max);          /* acllog-max-len, default 128 */
/* object: the command's full name, the key, the channel; user: who it was, or said to be. */
void acl_log_note(struct acl_log *l, const struct session *s, enum acl_log_reason why, struct slice object, struct slice user);
/* ACL LOG [count | RESET] */
void acl_log_command(struct call *c);

#endif

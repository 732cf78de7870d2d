/* Access control lists, as Redis 7.0 has them: users made of rules, and the question "may
 * this user run this command with these keys and channels?". Text in, text out; nobody is
 * logged in here and nothing is logged (common/io/session_acl.c does that).
 *
 * A user has passwords (kept as SHA-256 in hex) and permissions: the root ones, and those
 * of any number of selectors in parentheses. A command may run if the root or one of the
 * selectors allows it whole. Rules are applied to what was there before:
 *
 *     on off nopass >password <password #hash !hash resetpass reset clearselectors
 *     sanitize-payload skip-sanitize-payload
 *     +command -command +container|sub +command|first-argument +@category -@category
 *     allcommands nocommands ~pattern %R~pattern %W~pattern allkeys resetkeys
 *     &channel allchannels resetchannels ( ... )
 *
 * The user "default" always exists: new connections have it. */
#ifndef KV_TEXT_ACL_H
#define KV_TEXT_ACL_H

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/text/command.h"

#include <stdbool.h>
#include <stddef.h>

struct acl;
struct acl_user;

/* Knows the commands of t as they are now, by their rows' own names. The default user may do everything. */
struct acl *acl_new(const struct command_table *t);
/* Another one with the same commands. */
struct acl *acl_new_like(const struct acl *a);
void acl_free(struct acl *a);
/* What "reset" leaves of channels in a user, and what a fresh one has: acl-pubsub-default. None at first. */
void acl_set_channels_default(struct acl *a, bool all);

struct acl_user *acl_default_user(const struct acl *a);
struct acl_user *acl_find(const struct acl *a, struct slice name);
size_t           acl_count(const struct acl *a);
struct acl_user *acl_at(const struct acl *a, size_t i);           /* in the order of their names */

/* Apply rules to a user, made if it is not there; all of them or none. The words of a selector may come
 * as one or in pieces. e is the sentence behind "ERR ". */
int  acl_set_user(struct acl *a, struct slice name, int argc, const struct slice *argv, struct acl_user **out, struct err *e);
/* A `user NAME rules...` line of a file, without the first word: begins from nothing. ERR_BUSY: there was such a line
 * already since acl_begin_lines. */
int  acl_line(struct acl *a, int argc, const struct slice *argv, struct err *e);
void acl_begin_lines(struct acl *a);
/* A whole ACL file into a (which has only a default user yet). e names every line that is wrong, as far as it fits. */
int  acl_read_file(struct acl *a, const char *path, struct slice text, struct err *e);
/* The user is freed: nobody may hold it any more. The default user cannot go: false. */
bool acl_drop(struct acl *a, struct acl_user *u);
/* The users of b become those of a: the default user keeps its place in memory, the others of a are freed. b is
 * left with its default user. Both know the same commands (acl_new_like). */
void acl_take_over(struct acl *a, struct acl *b);
/* requirepass: NULL or "" = nopass. */
void acl_default_password(struct acl *a, const char *password);

const char *acl_user_name(const struct acl_user *u);
bool acl_user_is_on(const struct acl_user *u);
bool acl_user_needs_password(const struct acl_user *u);
/* May somebody log in with it? Compares hashes in constant time. */
bool acl_password_ok(const struct acl_user *u, struct slice password);

enum acl_verdict { ACL_OK, ACL_NO_COMMAND, ACL_NO_KEY, ACL_NO_CHANNEL };
/* May it? *at (may be NULL): index of the argument that is refused (with ACL_NO_KEY and ACL_NO_CHANNEL). */
enum acl_verdict acl_check(const struct acl_user *u, const struct command *cmd, int argc, const struct slice *argv, int *at);
/* After a change of a user: may it still listen here? pattern: the channel is a pattern. */
bool acl_may_listen(const struct acl_user *u, struct slice channel, bool pattern);

/* "on nopass ~* &* +@all": what makes the same user again. */
void acl_describe(const struct acl_user *u, struct str *out);
/* ACL GETUSER. */
void acl_reply_user(const struct acl_user *u, struct reply *r);

#endif

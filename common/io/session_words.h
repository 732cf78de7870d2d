/* Shared by the two files of session commands. */
#ifndef KV_IO_SESSION_WORDS_H
#define KV_IO_SESSION_WORDS_H

#include "common/io/session.h"

#define SESSION_BAD_NAME "ERR Client names cannot contain spaces, newlines or special characters."
enum { SESSION_CLIENT_SUBS = 14, SESSION_ACL_SUBS = 13 };       /* rows of session_client_subs, session_acl_subs */

bool session_name_ok(struct slice name);                           /* printable, no blanks; may be empty */
void session_set_name(struct session *s, struct slice name);       /* empty = none */
void session_help(struct call *c);                                 /* HELP of the container in argv[0] */

#endif

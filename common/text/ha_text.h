/* Messages and records of a formed group as words, for the wire and for the disk:
 *
 *     vote from <id> life 7 gid 12 ballot 9
 *     stored from <id> life 7 gid 12 ballot 9 change 1 why leased ms 300
 *     record from <id> life 7 gid 12 rec gid 12 ballot 9 ... member <id> <life> <host> <port> ... voter ...
 *
 * A message is its kind and then `field value` pairs, each field at most once, in any order; what is not there is
 * zero. `rec` comes last: all words behind it are a record's. A word holds no blank, quote or control character.
 * Nothing here is trusted: unknown kinds and fields, numbers out of range, ids that are not 40 lower-case hex digits,
 * more members or voters than fit, and records that ha_record_check objects to are refused. */
#ifndef KV_TEXT_HA_TEXT_H
#define KV_TEXT_HA_TEXT_H

#include "common/base/ha.h"
#include "common/base/str.h"

#define HA_TEXT_WORDS_MAX 256          /* of one message; the longest one with a full record has fewer */
#define HA_TEXT_BALLOT_MAX (UINT64_MAX / 4)    /* ballots, epochs, sealed: nobody counts so far */

/* One line each, no newline; appended. Words that could not be read back (a zone with a blank) are left out. */
void ha_text_put_msg(struct str *out, const struct ha_msg *m);
void ha_text_put_record(struct str *out, const struct ha_record *r);

/* From words. true: *m is filled, m->rec is `rec` (the caller's) or NULL. false: *error says what is wrong (static
 * text), *m and *rec are undefined. */
bool ha_text_msg(int argc, const struct slice *argv, struct ha_msg *m, struct ha_record *rec, const char **error);
bool ha_text_record(int argc, const struct slice *argv, struct ha_record *rec, const char **error);

/* The same from a line. */
bool ha_text_msg_line(const char *p, size_t n, struct ha_msg *m, struct ha_record *rec, const char **error);
bool ha_text_record_line(const char *p, size_t n, struct ha_record *rec, const char **error);

#endif

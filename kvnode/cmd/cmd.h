/* The rows that each family of commands brings; commands.c puts them together. A later row
 * replaces an earlier one of the same name (PUBLISH, CLIENT of common/io). */
#ifndef KV_CMD_CMD_H
#define KV_CMD_CMD_H

#include "kvnode/call.h"
#include "kvnode/server.h"

#define FAMILY(name)                            \
    extern const struct command name##_commands[]; \
    extern const size_t name##_commands_n

FAMILY(conn);        /* SELECT, CLIENT TRACKING ..., MONITOR */
FAMILY(string);
FAMILY(key);
FAMILY(expire);
FAMILY(hash);
FAMILY(txn);
FAMILY(kv_pubsub);
FAMILY(server);
FAMILY(config);
FAMILY(debug);
FAMILY(persist);     /* SAVE, BGSAVE, LASTSAVE */
FAMILY(ha);          /* HA */
FAMILY(repl);        /* REPLICAOF, ROLE, PSYNC, SYNC, REPLCONF, WAIT */

#define ROWS(name) const size_t name##_commands_n = sizeof name##_commands / sizeof name##_commands[0]

/* --- small helps, used by all families (cmd_help.c) --- */

/* The key's object, if it is of this type. false: it is of another, and the error has been answered. *o NULL: not there. */
bool want_type(struct call *c, struct object *o, enum obj_type t);
/* An integer argument. false: not one, the error has been answered. */
bool arg_i64(struct call *c, int i, int64_t *out);
bool arg_f80(struct call *c, int i, long double *out);
/* A long double as INCRBYFLOAT writes it: 17 decimals, trailing zeros cut, never with an exponent. Returns the length. */
#define F80_TEXT_MAX 5120
size_t put_f80(char out[F80_TEXT_MAX], long double v);
bool arg_is(const struct call *c, int i, const char *word);
/* SCAN & co.: the cursor argument, and MATCH/COUNT(/TYPE) from argument `at` on. */
struct scan_opts {
    uint64_t cursor;
    int64_t count;
    bool match, by_type;
    struct slice pattern, type;
};
bool arg_cursor(struct call *c, int i, uint64_t *out);
bool arg_scan(struct call *c, int at, bool may_type, struct scan_opts *o);
/* The answer of SCAN & co.: [cursor, [elements]]. The cursor stands before the elements and is known after them,
 * so what was written since scan_begin is taken out and put behind it. */
struct scan_reply {
    size_t at;
};
void scan_begin(struct reply *r, struct scan_reply *s);
void scan_end(struct reply *r, struct scan_reply *s, uint64_t cursor, size_t n);

#endif

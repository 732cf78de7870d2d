/* What a document wants done on this node, whatever its type: files with these bytes,
 * commands that must agree first, a reload, a probe; or settings of the local data node; or
 * something that is kept true from now on (a service, instances of a unit). The machine is
 * not asked here; whether a root or a command is allowed is a question for who carries it out. */
#ifndef KV_AGENT_PLAN_H
#define KV_AGENT_PLAN_H

#include "common/base/addr.h"
#include "common/base/str.h"
#include "common/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct plan_file {
    char *root, *path;           /* a named root and a path beneath it */
    int mode;                    /* permission bits */
    char *owner, *group;         /* NULL: as the agent makes it */
    struct str bytes;            /* filled by rendering */
};

struct plan_argv {
    char **at;                   /* n words, then NULL */
    size_t n;
};

enum reload_kind { RELOAD_NONE, RELOAD_SIGNAL, RELOAD_EXEC, RELOAD_UNIT };

struct plan_reload {
    enum reload_kind kind;
    char *signal;                /* "HUP" */
    char *pidfile;               /* absolute, beneath a named root */
    struct plan_argv exec;
    char *unit, *how;            /* "haproxy.service", "reload" */
};

enum probe_kind { PROBE_NONE, PROBE_TCP, PROBE_HTTP, PROBE_RESP, PROBE_UNIT };

struct plan_probe {
    enum probe_kind kind;
    struct addr to;              /* tcp, resp */
    char *url;                   /* http */
    int status;                  /* http: the wanted one */
    char *send, *want;           /* resp: words of a command, beginning of the wanted reply */
    char *unit;
    int64_t for_ms, interval_ms;
    int ok;                      /* good ones in a row */
};

/* Who carries the plan out. */
enum plan_carrier {
    CARRY_FILES,                 /* staged, checked, swapped, reloaded, probed (core/apply.h) */
    CARRY_NODE,                  /* set on the local data node and read back: the same states, no files */
    CARRY_KEEP,                  /* handed to a keeper, which makes it true and keeps it so (applier_means.keep) */
    CARRY_NOTHING                /* only looked at */
};

struct plan_setting {
    char *name, *value;          /* one CONFIG SET parameter; the name in lower case */
};

struct plan_node {
    VEC(struct plan_setting) set;
    bool rewrite;                /* CONFIG REWRITE once it holds */
};

struct plan_service {
    char *name;                  /* of the service: key svcs:<name> */
    char *host;                  /* NULL: the address that the agent announces */
    int port;                    /* 1..65535 */
    char *zone;                  /* NULL: none */
    int weight;                  /* 0..65535, 100 when not said */
    int64_t ttl_ms, interval_ms;
    int rise, fall;              /* good ones in a row until it is up, bad ones until it is down */
    struct plan_probe check;     /* PROBE_NONE: up as long as the agent lives */
    VEC(char *) tags;
};

struct plan_share {
    char *node;
    int instances;
};

struct plan_scale {
    int instances, min, max;     /* instances is within min..max already */
    char *unit;                  /* "web@.service"; NULL: statefulset instead */
    char *statefulset;           /* "<namespace>/<name>" */
    VEC(struct plan_share) assign;   /* empty: all of them here if this is the only node (see type_scale) */
};

struct plan {
    enum plan_carrier carrier;
    struct plan_node node;           /* CARRY_NODE */
    struct plan_service *service;    /* CARRY_KEEP of "service"; owned, may be NULL */
    struct plan_scale *scale;        /* CARRY_KEEP of "scale"; owned, may be NULL */
    VEC(struct plan_file) files;
    VEC(struct plan_argv) checks;
    int64_t check_timeout_ms, reload_timeout_ms;
    struct plan_reload reload;
    struct plan_probe probe;
    bool hold;                   /* on_fail "hold": leave what failed in place */
};

void plan_init(struct plan *p);
void plan_fini(struct plan *p);
struct plan *plan_free(struct plan *p);       /* for plans from mem_zalloc; returns NULL */

/* "{{staged:<path>}}" in a word of a check: calls back for nothing, it only finds. Returns the
 * position of the first hole at or after `from` and the path in it, or -1. */
int plan_staged_hole(const char *word, size_t from, struct slice *path, size_t *end);

#endif

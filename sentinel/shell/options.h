/* The sentinel's own options, as a configuration file gives them. Lines that begin with
 * `sentinel` are a dialect of their own and live in sentinel_conf. */
#ifndef KV_SENTINEL_OPTIONS_H
#define KV_SENTINEL_OPTIONS_H

#include "common/base/vec.h"
#include "common/text/acl_lines.h"
#include "common/text/option.h"
#include "sentinel/shell/sentinel_conf.h"

struct sentinel_options {
    int64_t port;
    VEC(char *) bind;                  /* empty = all addresses */
    bool bind_is_default;
    int64_t tcp_backlog, tcp_keepalive_s, timeout_ms, max_clients;
    char *unix_path;
    int unix_mode;
    bool protected_mode;
    char *password;                    /* requirepass */
    struct acl_lines users;            /* the `user` lines */
    char *aclfile;                     /* or NULL */
    int acl_pubsub_default;            /* 1: fresh users may use all channels */
    int64_t acllog_max_len;
    bool replay_switch_master;
    char *dir, *logfile, *pidfile, *syslog_ident;
    int loglevel;
    bool daemonize, syslog_enabled;
    char *state_dir;                   /* NULL: what is learned goes into the configuration file */
    int64_t http_port;
    char *http_bind;
    int enable_debug_command, enable_protected_configs;
    struct sentinel_conf sentinel;
};

extern const struct option_table sentinel_option_table;

int  sentinel_options_check(void *base, struct err *e);
void sentinel_options_fini(struct sentinel_options *o);

#endif

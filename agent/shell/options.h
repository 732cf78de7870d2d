/* The agent's settings: the option table and the struct its rows fill. */
#ifndef KV_AGENT_OPTIONS_H
#define KV_AGENT_OPTIONS_H

#include "agent/shell/allow.h"
#include "agent/shell/roots.h"
#include "common/base/addr.h"
#include "common/base/vec.h"
#include "common/text/option.h"

enum kube_said { KUBE_SAID_AUTO, KUBE_SAID_ON, KUBE_SAID_OFF };

struct addr_list { struct addr *at; size_t n, cap; };      /* a VEC(struct addr) that can be handed on */

struct agent_options {
    char *node_id, *group;
    char *state_dir;
    bool controller;
    char *announce_host;
    struct addr_list sentinels;
    char *directory_group;
    struct addr directory;               /* fixed address, instead of sentinels */
    struct addr node;                    /* the data node beside it; unset: none */
    char *node_user, *node_password, *node_password_file;
    char *user, *password, *password_file;
    char *sentinel_user, *sentinel_password, *sentinel_password_file;
    struct roots roots;
    struct allow allow;
    char *systemctl;
    int64_t quiesce_ms, quiesce_max_ms, resync_ms, ping_ms, ping_timeout_ms, poll_ms;
    char *unixsocket;
    int unixsocketperm;
    char *http_bind;
    int64_t http_port;
    int64_t ready_lag_ms;
    int kube, kube_confirm;              /* enum kube_said */
    char *kube_api, *kube_folder, *kube_namespace, *kube_pod, *kube_group;
    char *kube_label, *kube_annotation, *kube_primary, *kube_replica, *kube_other;
    VEC(char *) kube_pods;               /* all of the set, ours too */
    struct addr_list known_as;           /* addresses by which sentinels know the local node */
    int64_t kube_timeout_ms, kube_check_ms;
    char *dir, *logfile, *pidfile, *syslog_ident;
    int loglevel;
    bool daemonize, syslog_enabled;
};

extern const struct option_table agent_option_table;
/* What rows cannot say alone: is there a way to the directory, a node id, ... Reads the files of passwords. */
int  agent_options_check(void *base, struct err *e);
void agent_options_free(struct agent_options *o);

#endif

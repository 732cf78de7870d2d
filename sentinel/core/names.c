/* One word for each enum value, one table for each enum. */
#include "sentinel/core/names.h"
#include "sentinel/core/failover.h"

#define NAME_OF(table, i) ((unsigned)(i) < sizeof(table) / sizeof(table)[0] && (table)[i] ? (table)[i] : "?")

static const char *const event_kinds[EV_KINDS] = {
    [EV_TICK] = "tick",
    [EV_SELF] = "self",
    [EV_GROUP_ADD] = "group-add",
    [EV_GROUP_REMOVE] = "group-remove",
    [EV_GROUP_SET] = "group-set",
    [EV_RESTORE] = "restore",
    [EV_TIMING] = "timing",
    [EV_LINK_UP] = "link-up",
    [EV_LINK_DOWN] = "link-down",
    [EV_PONG] = "pong",
    [EV_INFO] = "info",
    [EV_ANSWER] = "answer",
    [EV_ORDER_DONE] = "order-done",
    [EV_HELLO] = "hello",
    [EV_ASKED] = "asked",
    [EV_SAVE_FAILED] = "save-failed",
    [EV_SAVED] = "saved",
    [EV_FAILOVER] = "failover",
    [EV_GROUP_RESET] = "group-reset",
    [EV_GROUP_FORMED] = "group-formed",
    [EV_SWITCH] = "switch",
};

static const char *const action_kinds[ACT_KINDS] = {
    [ACT_SAVE] = "save",
    [ACT_LINK_OPEN] = "link-open",
    [ACT_LINK_CLOSE] = "link-close",
    [ACT_LINK_DROP] = "link-drop",
    [ACT_PING] = "ping",
    [ACT_INFO] = "info",
    [ACT_HELLO] = "hello",
    [ACT_ASK] = "ask",
    [ACT_PROMOTE] = "promote",
    [ACT_REPOINT] = "repoint",
    [ACT_SEAL] = "seal",
    [ACT_HAND_OVER] = "hand-over",
    [ACT_CALL_BACK] = "call-back",
    [ACT_KEEP] = "keep",
    [ACT_SCRIPT_KILL] = "script-kill",
    [ACT_ANSWER] = "answer",
    [ACT_REPLY] = "reply",
    [ACT_EVENT] = "event",
    [ACT_CLIENT_RECONFIG] = "client-reconfig",
    [ACT_DIRECTORY] = "directory",
    [ACT_TRACE] = "trace",
};

static const char *const news_kinds[NEWS_KINDS] = {
    [NEWS_MONITOR] = "+monitor",
    [NEWS_UNMONITOR] = "-monitor",
    [NEWS_RESET] = "+reset-master",
    [NEWS_SLAVE] = "+slave",
    [NEWS_SENTINEL] = "+sentinel",
    [NEWS_ADDRESS_SWITCH] = "+sentinel-address-switch",
    [NEWS_ADDRESS_UPDATE] = "+sentinel-address-update",
    [NEWS_INVALID_ADDR] = "+sentinel-invalid-addr",
    [NEWS_SDOWN] = "+sdown",
    [NEWS_SDOWN_OVER] = "-sdown",
    [NEWS_ODOWN] = "+odown",
    [NEWS_ODOWN_OVER] = "-odown",
    [NEWS_TILT] = "+tilt",
    [NEWS_TILT_OVER] = "-tilt",
    [NEWS_REBOOT] = "+reboot",
    [NEWS_ROLE_AS_KNOWN] = "+role-change",
    [NEWS_ROLE_WRONG] = "-role-change",
    [NEWS_NEW_EPOCH] = "+new-epoch",
    [NEWS_TRY_FAILOVER] = "+try-failover",
    [NEWS_VOTE] = "+vote-for-leader",
    [NEWS_ELECTED] = "+elected-leader",
    [NEWS_NOT_ELECTED] = "-failover-abort-not-elected",
    [NEWS_SELECTING] = "+failover-state-select-slave",
    [NEWS_NO_GOOD_SLAVE] = "-failover-abort-no-good-slave",
    [NEWS_SELECTED] = "+selected-slave",
    [NEWS_SENDING_NO_ONE] = "+failover-state-send-slaveof-noone",
    [NEWS_WAIT_PROMOTION] = "+failover-state-wait-promotion",
    [NEWS_SLAVE_TIMEOUT] = "-failover-abort-slave-timeout",
    [NEWS_PROMOTED] = "+promoted-slave",
    [NEWS_RECONF_SLAVES] = "+failover-state-reconf-slaves",
    [NEWS_RECONF_SENT] = "+slave-reconf-sent",
    [NEWS_RECONF_IN_PROGRESS] = "+slave-reconf-inprog",
    [NEWS_RECONF_DONE] = "+slave-reconf-done",
    [NEWS_RECONF_TIMEOUT] = "-slave-reconf-sent-timeout",
    [NEWS_RECONF_BEST_EFFORT] = "+slave-reconf-sent-be",
    [NEWS_END] = "+failover-end",
    [NEWS_END_TIMEOUT] = "+failover-end-for-timeout",
    [NEWS_SWITCH_MASTER] = "+switch-master",
    [NEWS_CONFIG_UPDATE] = "+config-update-from",
    [NEWS_CONVERT] = "+convert-to-slave",
    [NEWS_FIX_CONFIG] = "+fix-slave-config",
    [NEWS_CMD_LINK_DROP] = "-cmd-link-reconnection",
    [NEWS_SUB_LINK_DROP] = "-pubsub-link-reconnection",
    [NEWS_CRASH_EVIDENCE] = "+crash-evidence",
    [NEWS_CRASH_EVIDENCE_OVER] = "-crash-evidence",
    [NEWS_WITHDRAWN] = "-failover-withdrawn",
    [NEWS_NOT_SAVED] = "-state-not-saved",
    [NEWS_SENDING_FAILOVER] = "+failover-state-send-failover",
    [NEWS_NOT_HANDED_OVER] = "-failover-not-handed-over",
    [NEWS_SEALING] = "+failover-state-seal-slaves",
    [NEWS_ROLE_LOOSE] = "+role-not-kept",
    [NEWS_ROLE_LOOSE_OVER] = "-role-not-kept",
};

static const char *const fo_states[FO_STATES] = {
    [FO_IDLE] = "idle",
    [FO_WAITING] = "waiting",
    [FO_BIDDING] = "bidding",
    [FO_ASKING] = "asking",
    [FO_CHOOSING] = "choosing",
    [FO_PROMOTING] = "promoting",
    [FO_REPOINTING] = "repointing",
    [FO_HANDING] = "handing-over",
    [FO_CALLING_BACK] = "calling-back",
    [FO_SEALING] = "sealing",
};

static const char *const fo_states_on_wire[FO_STATES] = {
    [FO_BIDDING] = "wait_start",
    [FO_ASKING] = "select_slave",
    [FO_CHOOSING] = "select_slave",
    [FO_PROMOTING] = "wait_promotion",
    [FO_REPOINTING] = "reconf_slaves",
    [FO_HANDING] = "wait_promotion",
    [FO_CALLING_BACK] = "wait_promotion",
    [FO_SEALING] = "select_slave",
};

static const char *const fo_events[FO_EVENTS] = {
    [FE_ODOWN] = "odown",
    [FE_RECOVERED] = "recovered",
    [FE_MANUAL] = "manual",
    [FE_EXPIRED] = "expired",
    [FE_ELECTED] = "elected",
    [FE_LOST] = "lost",
    [FE_SUPPORTS] = "supports",
    [FE_LEADER_GONE] = "leader-gone",
    [FE_ANSWERED] = "answered",
    [FE_CHOSEN] = "chosen",
    [FE_NONE_GOOD] = "none-good",
    [FE_VETOED] = "vetoed",
    [FE_PROMOTED] = "promoted",
    [FE_REFUSED] = "refused",
    [FE_UNDONE] = "undone",
    [FE_ALL_REPOINTED] = "all-repointed",
    [FE_SETTLED_ELSEWHERE] = "settled-elsewhere",
    [FE_SAVE_FAILED] = "save-failed",
};

static const char *const link_kinds[] = {"cmd", "pubsub", "peer"};
static const char *const link_hows[] = {"closed", "refused", "unreachable", "timeout", "garbage", "denied", "by-us"};
static const char *const pongs[] = {"ok", "loading", "masterdown", "busy", "error"};
static const char *const roles[] = {"unknown", "primary", "replica"};
static const char *const roles_on_wire[] = {"unknown", WORD_MASTER, WORD_SLAVE};
static const char *const reconfs[] = {"none", "sent", "in-progress", "done"};
static const char *const refusals[] = {"eligible",       "not-asked",  "primary",     "down",        "disconnected",
                                       "priority-zero",  "silent",     "stale-info",  "out-of-sync", "not-a-replica",
                                       "refused-the-order", "another-history"};
static const char *const group_opts[GOPT_COUNT] = {
    [GOPT_QUORUM] = "quorum",
    [GOPT_DOWN_AFTER_MS] = "down-after-milliseconds",
    [GOPT_FAILOVER_TIMEOUT_MS] = "failover-timeout",
    [GOPT_PARALLEL_SYNCS] = "parallel-syncs",
    [GOPT_REBOOT_DOWN_AFTER_MS] = "master-reboot-down-after-period",
    [GOPT_CRASH_EVIDENCE] = "crash-evidence",
    [GOPT_SEAL] = "seal-replicas",
};
static const char *const orders[] = {"promote", "repoint", "hand-over", "call-back", "seal", "keep"};

const char *event_kind_name(enum event_kind k) { return NAME_OF(event_kinds, k); }
const char *action_kind_name(enum action_kind k) { return NAME_OF(action_kinds, k); }
const char *news_name(enum news n) { return NAME_OF(news_kinds, n); }
const char *fo_state_name(enum fo_state s) { return NAME_OF(fo_states, s); }
const char *fo_state_wire_name(enum fo_state s) { return (unsigned)s < FO_STATES ? fo_states_on_wire[s] : NULL; }
const char *fo_event_name(enum fo_event e) { return NAME_OF(fo_events, e); }
const char *link_kind_name(enum link_kind k) { return NAME_OF(link_kinds, k); }
const char *link_how_name(enum link_how h) { return NAME_OF(link_hows, h); }
const char *pong_name(enum pong p) { return NAME_OF(pongs, p); }
const char *node_role_name(enum node_role r) { return NAME_OF(roles, r); }
const char *node_role_wire_name(enum node_role r) { return NAME_OF(roles_on_wire, r); }
const char *reconf_name(enum reconf r) { return NAME_OF(reconfs, r); }
const char *refusal_name(enum refusal r) { return NAME_OF(refusals, r); }
const char *group_opt_name(enum group_opt o) { return NAME_OF(group_opts, o); }
const char *order_name(enum order o) { return NAME_OF(orders, o); }

/* The fourth table. Order is that of a group's life. "<instance>" stands for
 * "<type> <name> <ip> <port>" and, unless it is the primary itself, " @ <group> <ip> <port>". */
#include "sentinel/shell/events.h"

#include "common/io/log.h"

#define W LOG_LEVEL_WARNING
#define N LOG_LEVEL_NOTICE
#define D LOG_LEVEL_DEBUG

const struct op_event sentinel_events[] = {
    /* the watch list */
    {"+monitor", W, "<instance> quorum <n>", "A group is watched from now on."},
    {"-monitor", W, "<instance>", "A group is not watched any more."},
    {"+reset-master", W, "<instance>", "What was learned about a group was forgotten."},
    {"+set", W, "<instance> <option> <value>", "A setting of a group was changed."},
    {"+slave", N, "<instance>", "A replica was found."},
    {"+sentinel", N, "<instance>", "Another sentinel of this group was found."},
    {"+sentinel-address-switch", N, "<instance> ip <ip> port <port> for <id>", "A known sentinel announces another address."},
    {"+sentinel-address-update", N, "<instance> <reason>", "The address of a known sentinel was changed in other groups too."},
    {"+sentinel-invalid-addr", N, "<instance>", "Another sentinel took this address; the entry waits for a new one."},
    /* state */
    {"+sdown", W, "<instance>", "This sentinel sees it down."},
    {"-sdown", W, "<instance>", "This sentinel does not see it down any more."},
    {"+odown", W, "<instance> #quorum <n>/<needed>", "A quorum sees the primary down."},
    {"-odown", W, "<instance>", "A quorum does not see the primary down any more."},
    {"+crash-evidence", W, "<instance> <how>", "Its established link closed and a reconnect was refused."},
    {"-crash-evidence", W, "<instance> <how>", "The evidence was taken back: it answers, or a replica is still linked to it."},
    {"+tilt", W, "#tilt mode entered", "The clock jumped: own observations count for nothing for a while."},
    {"-tilt", W, "#tilt mode exited", "Observations count again."},
    {"+reboot", N, "<instance>", "A new run id on the same address."},
    {"+role-change", N, "<instance> new reported role is <role>", "It says another role than it had."},
    {"-role-change", N, "<instance> new reported role is <role>", "It says again the role it should have."},
    /* election */
    {"+new-epoch", W, "<epoch>", "A higher epoch was seen."},
    {"+try-failover", W, "<instance>", "This sentinel asks for the votes of the others."},
    {"+vote-for-leader", W, "<id> <epoch>", "This sentinel voted; the vote is on disk."},
    {"+elected-leader", W, "<instance>", "This sentinel leads the failover."},
    {"-failover-abort-not-elected", W, "<instance>", "No majority in time."},
    /* failover */
    {"+failover-state-select-slave", W, "<instance>", "Choosing the replica to promote."},
    {"-failover-abort-no-good-slave", W, "<instance>", "No replica is fit."},
    {"-failover-withdrawn", W, "<instance> <reason>", "The attempt was given up: the primary lives, or a replica is still linked to it."},
    {"+failover-state-seal-slaves", N, "<instance>", "The replicas are drawn off the primary that is down; then they are asked again."},
    {"+selected-slave", W, "<instance>", "This replica is to become the primary."},
    {"+failover-state-send-slaveof-noone", N, "<instance>", "Telling it so."},
    {"+failover-state-send-failover", N, "<instance>", "Telling the primary to hand over to it."},
    {"-failover-not-handed-over", W, "<instance> <what then>", "The primary did not hand over in time, or refused; it was called back."},
    {"+failover-state-wait-promotion", N, "<instance>", "Waiting until it says that it is the primary."},
    {"-failover-abort-slave-timeout", W, "<instance>", "It never said so."},
    {"+promoted-slave", W, "<instance>", "It is the primary."},
    {"+failover-state-reconf-slaves", W, "<instance>", "The other replicas are told to follow it."},
    {"+slave-reconf-sent", N, "<instance>", "This replica was told."},
    {"+slave-reconf-inprog", N, "<instance>", "It names the new primary."},
    {"+slave-reconf-done", N, "<instance>", "Its link to the new primary is up."},
    {"-slave-reconf-sent-timeout", W, "<instance>", "It does not follow; somebody looks after it later."},
    {"+slave-reconf-sent-be", N, "<instance>", "Told once more, at the end of a failover out of time."},
    {"+failover-end", W, "<instance>", "All reachable replicas follow."},
    {"+failover-end-for-timeout", W, "<instance>", "Some replicas do not follow yet."},
    /* result */
    {"+switch-master", W, "<name> <old-ip> <old-port> <new-ip> <new-port>", "The group has another primary."},
    {"+config-update-from", W, "<instance>", "A sentinel with a newer configuration told us."},
    {"+convert-to-slave", N, "<instance>", "It said primary and was told to follow."},
    {"+fix-slave-config", N, "<instance>", "It followed the wrong node and was told the right one."},
    {"+failover-loss", N, "<group> <bytes>|unknown <from> <to> proved|bound|seen|unknown #<sentence>", "What a failover that this sentinel led may have lost, and how sure that is."},
    {"+role-not-kept", W, "<instance> #<reason>", "It did what it was told, and could not write that into its configuration: its restart would undo it."},
    {"-role-not-kept", W, "<instance>", "What it is now would survive its restart."},
    {"+failover-outage", N, "<group> <ms>|unknown #<sentence>", "For how long nobody took writes in a failover that this sentinel led, by the proofs it had."},
    {"+formed", N, "<group> <what>", "News of a formed group: members, mode, who votes."},
    /* links, scripts, files */
    {"+misconfigured", W, "<instance> #<error>", "It lives, and refuses this sentinel: a wrong password, or a right (#rights: ...) that a failover would need. No reason for a failover."},
    {"-misconfigured", W, "<instance>", "It lets this sentinel in again."},
    {"-cmd-link-reconnection", N, "<instance> #<reason>", "The command link failed to come up."},
    {"-pubsub-link-reconnection", N, "<instance> #<reason>", "The pub/sub link failed to come up."},
    {"+script-child", D, "<pid>", "A script was started."},
    {"-script-child", D, "<pid> <exit code> <signal>", "A script ended."},
    {"-script-error", W, "<path> <exit code> <signal>", "A script failed for good."},
    {"-script-timeout", W, "<path> <pid>", "A script took too long and was ended."},
    {"+directory", N, "<group> <key> <ip> <port> epoch <n>", "The directory names the new primary."},
    {"-state-not-saved", W, "<reason>", "The state could not be saved: this sentinel does not vote until it can."},
    {"+state-saved", W, "#saved again", "The state can be saved again; this sentinel votes."},
    {"-directory", W, "<group> <key> #<reason>", "The directory could not be written; it is tried again."},
};
const size_t sentinel_events_n = sizeof sentinel_events / sizeof sentinel_events[0];

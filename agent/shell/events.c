/* The events and their one way out. */
#include "agent/shell/events.h"

#include "common/base/check.h"
#include "common/io/log.h"

#include <stdarg.h>

const struct op_event agent_events[] = {
    {"+directory-live", LOG_LEVEL_NOTICE, "<host>:<port> rung=<rung>", "The directory was read, and changes will be heard of."},
    {"-directory-live", LOG_LEVEL_WARNING, "why=<text>", "The directory is out of reach; what is in force stays."},
    {"+agent-document", LOG_LEVEL_NOTICE, "<name> documents=<n>", "Another agent document is in force."},
    {"-agent-document", LOG_LEVEL_WARNING, "why=<text>", "The agent document is missing or wrong; the last good one stays."},
    {"+applied", LOG_LEVEL_NOTICE, "<document> sha=<sha> status=<status> ms=<ms>", "A document's files are in force."},
    {"-applied", LOG_LEVEL_WARNING, "<document> sha=<sha> status=<status> why=<text>", "A document was refused or rolled back; what was in force stays."},
    {"+stuck", LOG_LEVEL_ERROR, "<document> why=<text>", "The way back failed too: look at the node, then AGENT RESYNC."},
    {"+released", LOG_LEVEL_NOTICE, "<document>", "The agent document names it no more; its files stay where they are."},
    {"+node", LOG_LEVEL_NOTICE, "role=<role> was=<role>", "The data node beside this agent plays another part, or answers no more."},
    {"+label", LOG_LEVEL_NOTICE, "pod=<name> role=<role> was=<role>", "Our pod says another role in Kubernetes: primary, replica or none."},
    {"-label", LOG_LEVEL_WARNING, "pod=<name> why=<text>", "The Kubernetes API did not take it; it is tried again, and nothing else waits for it."},
    {"+lost-push", LOG_LEVEL_WARNING, "changes found by a resync", "A change was found that nobody had told of."},
    {"+service", LOG_LEVEL_NOTICE, "<service> instance=<id> state=<state> line=<text> why=<text>", "An instance beside this agent is up, and the directory is told."},
    {"-service", LOG_LEVEL_NOTICE, "<service> instance=<id> state=<state> line=<text> why=<text>", "It drains, or is withdrawn."},
    {"+controller", LOG_LEVEL_NOTICE, "node=<id>", "This agent holds the controller's role now."},
    {"-controller", LOG_LEVEL_NOTICE, "node=<id> why=<text>", "It holds it no more."},
    {"+reaped", LOG_LEVEL_NOTICE, "<service> instance=<id>", "Controller: its lease lapsed, its line is gone."},
    {"+self-preservation", LOG_LEVEL_WARNING, "lapsed=<n> of=<n>", "Controller: too many instances lapsed at one time; no line is taken away."},
    {"-self-preservation", LOG_LEVEL_NOTICE, "lapsed=<n> of=<n>", "Controller: heartbeats are back; lapsed ones are taken away after one more ttl."},
    {"+overwritten", LOG_LEVEL_WARNING, "services <name> is=<host:port> was=<host:port>", "Controller: an old client wrote over a name that the mirror keeps; it is put right, unless that is a healthy instance."},
    {"+restored", LOG_LEVEL_WARNING, "<document> ver=<n> sha=<sha>", "Controller: a document was deleted, flushed or expired, and is back. To take one away: kvorumctl config retire."},
    {"+republished", LOG_LEVEL_WARNING, "<document> ver=<n> sha=<sha> lost_from=<n>", "Controller: the directory lost a document's last version in a failover; it is back."},
    {"-document", LOG_LEVEL_ERROR, "<document> ver=<n>", "Controller: a document was deleted, flushed or expired, and cannot be brought back."},
};
const size_t agent_events_n = sizeof agent_events / sizeof agent_events[0];

void agent_event(const char *name, const char *fmt, ...)
{
    const struct op_event *row = op_event_find(agent_events, agent_events_n, name);
    struct str s = {0};
    va_list ap;

    CHECK(row);
    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    log_line((enum log_level)row->level, "%s %s", name, str_c(&s));
    str_fini(&s);
}

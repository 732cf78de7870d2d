/* The table of verbs, and the first of them: status. */
#include "sentinel/ctl/ctl.h"
#include "sentinel/ctl/json.h"
#include "sentinel/ctl/print.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int status_once(struct ctl *c, bool clear)
{
    cJSON *o = NULL;
    bool healthy = false, tty = isatty(1) && !getenv("NO_COLOR");
    struct str text = {0};
    int rc = c->sentinel ? EXIT_OK_ : ctl_find_sentinel(c);

    if (rc == EXIT_OK_)
        rc = status_gather(c, &o, &healthy);
    if (rc != EXIT_OK_) {
        conn_close(c->sentinel);
        c->sentinel = NULL;
        return rc;
    }
    if (c->json) {
        json_print(o, clear);
    } else {
        if (clear && isatty(1))
            str_append_z(&text, "\033[H\033[2J");
        status_print_tree(o, &text, tty);
        if (clear && !isatty(1))
            str_append_c(&text, '\n');
        fputs(str_c(&text), stdout);
        cJSON_Delete(o);
    }
    fflush(stdout);
    str_fini(&text);
    return healthy ? EXIT_OK_ : EXIT_UNHEALTHY;
}

static int run_status(struct ctl *c, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    while (c->watch_ms > 0) {
        (void)status_once(c, true);
        if (ferror(stdout))
            return EXIT_FAILED;
        conn_sleep(c->loop, c->watch_ms);
    }
    return status_once(c, false);
}

const struct verb verbs[] = {
    {"status", "[-o json] [--watch[=SECONDS]]", "The tree of groups: primary, replicas with lag and health, sentinels with quorum.",
     "Everything is found from one sentinel. How far a replica lags is asked of the primary itself; when\n"
     "the primary needs a password, give it with -A. With -o json the object is\n"
     "{apiVersion, kind, sentinel, groups: [{name, configEpoch, failover, downAfterMs, directory, quorum:\n"
     "{needed, ok, message}, primary: {address, health, flags, runId, offset}, replicas: [{address, health,\n"
     "flags, link, priority, offset, lagBytes, lagSeconds}], sentinels: [{address, id, health, asked}],\n"
     "healthy, mode}], healthy}; with --watch one such object per line.\n"
     "Exit code 6: at least one group is not well (a node or sentinel down, no quorum).",
     0, 0, run_status},
    {"failover", "<group> [--no-wait]", "Give the group another primary, now.",
     "A formed group, and a kvnode primary that is well, hands over; else the best replica is promoted. Waits until the\n"
     "sentinel names another primary, 60 s at most.\n"
     "Exit code 4: the sentinel refused (one is running, or no replica is fit); 5: not seen to happen in time.",
     1, 1, run_failover},
    {"switchover", "<group> [host:port]", "Let the primary hand over to another node: nothing that was acknowledged is lost.",
     "The primary stops taking writes, the other one fetches all it has, then it leads. With host:port: to that node\n"
     "(a formed group only). If it cannot be done in good time the primary keeps its office.\n"
     "Exit code 4: refused (no replica is fit, the primary cannot hand over); 5: not decided in time.",
     1, 2, run_switchover},
    {"explain", "<group>", "Could the group fail over now, to whom, and if not, what lacks?",
     "The answer of the sentinel that was asked, of this moment. One line per thing that lacks: what it is, who, a word\n"
     "for programs, a sentence. Lines with ! forbid a failover by themselves. With -o json the object is {apiVersion,\n"
     "kind, group, mode, canFailover, to, toAddress, seenBy, voters, votersUsable, votersNeeded, members, membersUsable,\n"
     "sealsNeeded, promises, lacks: [{what, who, address, why, blocks, text}]}.\n"
     "Exit code 0: it could; 6: it could not.",
     1, 1, run_explain},
    {"journal", "<group> [count] [all]", "What happened in the group: who saw what when, votes, seals, refusals, losses.",
     "The last lines (100) of the sentinel's journal, oldest first; with a state folder it outlives a restart. With `all` every\n"
     "sentinel of the group is asked and their lines are put in the order of their clocks, each behind the sentinel's address.",
     1, 3, run_journal},
    {"peers", "<group> [replace <old-id> <new-id> | cancel]", "Who votes in the group; put another sentinel in a voter's place.",
     "A voter that lost its memory (its state-dir) is replaced by its own new memory: if it has another id now, name both;\n"
     "if it kept its id, name that twice. The answer comes when both steps of the change are done; the sentinel that was told\n"
     "goes on with it, over a restart too, until they are, or `cancel` says that nobody is to be replaced.\n"
     "Exit code 4: refused; 5: not decided in time; 6: a voter does not vote now.",
     1, 4, run_peers},
    {"form", "<group> async|prefer|strict [primary <host:port>] [setting value ...] [yes] | <group> plain [force] [yes]",
     "Form a group so that it loses nothing, or make it plain again.",
     "Settings: sync-acks, profile, voters, member-drop-after (see kvorum-sentinel --print-docs). All nodes (kvnode) and\n"
     "all voters must be at hand. On a formed group it changes mode and settings; plain dissolves it.\n"
     "When nodes that wait for their group (ha-group) all have data, `primary` says which of them leads: a copy of it replaces\n"
     "what the others have. `plain force` dissolves a group without the nodes that are not heard: they stay fenced, and what\n"
     "only they have is not in the plain group. Both say what is given up and ask for the group's name, or take `yes`.\n"
     "Exit code 4: refused, with the reason; 5: not decided in time (it goes on being tried).",
     2, 14, run_form},
    {"sentinel", "<command> [word ...]", "Any SENTINEL command, for what has no verb of its own.",
     "`kvorumctl sentinel drop orders 10.0.0.7 6379`, `kvorumctl sentinel failover orders to 10.0.0.7 6379 force 0`,\n"
     "`kvorumctl sentinel set orders down-after-milliseconds 3000`: the answer comes as it is, one value a line, or with -o json as\n"
     "{apiVersion, kind, reply}. Nothing is asked again before it is done. kvorum-sentinel --print-docs has all commands.\n"
     "Exit code 4: refused; 5: no answer in time.",
     1, CTL_WORDS_MAX - 2, run_any},
    {"tail", "<file>", "Print what a demoted node saved of its discarded writes.",
     "The file is tail-<epoch>-<first>-<end>.resp in the folder of the node that was demoted. No sentinel is asked.\n"
     "Exit code 1: the file cannot be read, or is no tail.",
     1, 1, run_tail},
    {"config", "get|set|list|watch|history|diff|status|rollback|retire [<type:component>] ...", "Read, push, compare and follow the documents of the directory.",
     "The documents config:<type>:<component> of the directory group's primary. The directory group is the one a sentinel\n"
     "names (`sentinel directory`), else the only one it watches, else -d says it; with -d host:port no sentinel is asked.\n"
     "  get <doc>                  its bytes (a document may also be named by two words: files web)\n"
     "  set <doc> [json|-]         push it: checked first (an object, no name twice, at most 256 KiB, 32 levels), then stored byte\n"
     "                             for byte. --if-sha SHA: only while it is that version (absent: only if there is none);\n"
     "                             --wait: until the agents that apply it have answered, and say who did and how; --by: author\n"
     "  list [type]                all of them: bytes, version, author, how many agents have it in force\n"
     "  watch [doc]                print changes as they come (each 0.5 s, or --watch=SECONDS)\n"
     "  history <doc>              the versions that the agents' controller wrote down, at most 200\n"
     "  diff <doc> [ver [ver]]     value by value: the version before and what is in force; ver and what is in force; two versions\n"
     "  status <doc>               which agent has it in force, which refused it and why\n"
     "  rollback <doc> <ver>       push the bytes of an earlier version again\n"
     "  retire <doc>               remove it for good, so that nobody brings it back; what is in force on nodes stays\n"
     "Exit code 1: there is no such document or version, it is not a valid one, or (--wait) an agent refused it; 4: the\n"
     "primary refused, or it is another version than --if-sha says; 5 (--wait): an agent did not answer in time;\n"
     "6 (status): an agent has not got it in force.",
     1, 4, run_config, true},
    {"nodes", "[retire <node id>]", "The nodes whose agents live: role of the data node, documents, what is in force.",
     "Each agent writes node:<id> every 5 s; one that is silent for 15 s is not listed. `retire` forgets the acknowledgements\n"
     "of a node that is gone for good. Two nodes with the same documents in the same versions have the same IN FORCE.\n"
     "Exit code 4: the node to be retired still beats.",
     0, 2, run_nodes, true},
    {"services", "", "The services, how many instances of each take work, and what the hash `services` says.",
     "Instances are registered by agents (svcs:<name>). KEPT BY says who wrote the name in the hash `services` that older\n"
     "clients read: the agents' controller, or a client.",
     0, 0, run_services, true},
    {"resolve", "<service>", "The addresses of a service's instances that take work, one a line.",
     "With -o json, jsonl or tsv all instances, with state, zone, weight and tags. A service that no agent registered is\n"
     "looked up in the hash `services`.\n"
     "Exit code 1: there is none.",
     1, 1, run_resolve, true},
};
const size_t verbs_n = sizeof verbs / sizeof verbs[0];

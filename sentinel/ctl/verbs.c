/* The verbs. Each asks a sentinel first; config then goes to the directory's primary. */
#include "common/base/mem.h"
#include "common/io/file.h"
#include "sentinel/ctl/ctl.h"
#include "sentinel/ctl/print.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOCUMENT_MAX (256 * 1024)
#define FAILOVER_WAIT_MS 60000

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
        char *z = clear ? cJSON_PrintUnformatted(o) : cJSON_Print(o);
        str_append_z(&text, z);
        str_append_c(&text, '\n');
        free(z);
    } else {
        if (clear && isatty(1))
            str_append_z(&text, "\033[H\033[2J");
        status_print_tree(o, &text, tty);
        if (clear && !isatty(1))
            str_append_c(&text, '\n');
    }
    fputs(str_c(&text), stdout);
    fflush(stdout);
    str_fini(&text);
    cJSON_Delete(o);
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

static int run_failover(struct ctl *c, int argc, char **argv)
{
    struct addr before, now;
    struct val *v = NULL;
    char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
    int rc = ctl_find_sentinel(c);

    (void)argc;
    if (rc != EXIT_OK_)
        return rc;
    if (!ctl_primary_addr(c, argv[0], &before)) {
        ctl_say("the sentinel knows no group '%s'", argv[0]);
        return EXIT_REFUSED;
    }
    rc = ctl_ask(c, "failover", argv[0], &v);
    val_free(v);
    if (rc != EXIT_OK_)
        return rc;
    addr_text(&before, from);
    if (c->no_wait) {
        printf(c->json ? "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Failover\",\"group\":\"%s\",\"from\":\"%s\",\"to\":null}\n"
                       : "%s: failover from %s asked for\n", argv[0], from);
        return EXIT_OK_;
    }
    for (int64_t waited = 0; waited < FAILOVER_WAIT_MS; waited += 20) {
        if (ctl_primary_addr(c, argv[0], &now) && !addr_equal(&now, &before)) {
            addr_text(&now, to);
            printf(c->json ? "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Failover\",\"group\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"}\n"
                           : "%s: %s -> %s\n", argv[0], from, to);
            return EXIT_OK_;
        }
        conn_sleep(c->loop, 20);
    }
    ctl_say("%s: no other primary after %d s; the sentinels' logs say why", argv[0], FAILOVER_WAIT_MS / 1000);
    return EXIT_TIMEOUT;
}

static bool name_ok(const char *z, size_t max, bool is_type)
{
    size_t n = strlen(z);
    const char *allowed = is_type ? "abcdefghijklmnopqrstuvwxyz0123456789_-"
                                  : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

    return n > 0 && n <= max && strspn(z, allowed) == n;
}

static bool no_duplicates(const cJSON *o, const char **name)
{
    for (const cJSON *a = o->child; a; a = a->next) {
        for (const cJSON *b = a->next; b && a->string; b = b->next)
            if (strcmp(a->string, b->string) == 0) {
                *name = a->string;
                return false;
            }
        if (!no_duplicates(a, name))
            return false;
    }
    return true;
}

/* What agents and clients would refuse is refused here, before it is pushed to them. */
static int check_document(const struct str *doc)
{
    const char *end = NULL, *twice = NULL;
    cJSON *o;
    int rc = EXIT_OK_;

    if (doc->len > DOCUMENT_MAX) {
        ctl_say("the document has %zu bytes; at most %d are allowed", doc->len, DOCUMENT_MAX);
        return EXIT_FAILED;
    }
    o = strlen(str_c(doc)) == doc->len ? cJSON_ParseWithOpts(str_c(doc), &end, 1) : NULL;
    if (!o)
        ctl_say("that is not valid JSON, near byte %zu", end ? (size_t)(end - str_c(doc)) : strlen(str_c(doc)));
    else if (!cJSON_IsObject(o))
        ctl_say("a document is a JSON object: {...}");
    else if (!no_duplicates(o, &twice))
        ctl_say("the name \"%s\" is there twice", twice);
    else
        goto out;
    rc = EXIT_FAILED;
out:
    cJSON_Delete(o);
    return rc;
}

static int read_document(const char *word, struct str *doc)
{
    struct err e = {0};

    if (word && strcmp(word, "-") != 0) {
        str_set_z(doc, word);
        return EXIT_OK_;
    }
    if (file_slurp("/dev/stdin", DOCUMENT_MAX + 1024, doc, &e) != 0) {
        ctl_say("standard input: %s", e.text);
        return EXIT_FAILED;
    }
    while (doc->len > 0 && strchr("\r\n", doc->p[doc->len - 1]))
        str_cut(doc, doc->len - 1);
    return EXIT_OK_;
}

static int config_call(struct ctl *c, const char *key, const struct str *doc, struct val **out)
{
    struct slice get[] = {slice_z("GET"), slice_z(key)};
    struct slice set[] = {slice_z("SET"), slice_z(key), doc ? (struct slice){doc->p, doc->len} : slice_z("")};
    struct conn *k = NULL;
    struct addr at;
    struct err e = {0};
    char group[256];
    int rc = ctl_find_sentinel(c);

    if (rc == EXIT_OK_)
        rc = ctl_directory_group(c, group);
    if (rc == EXIT_OK_)
        rc = ctl_open_primary(c, group, &k, &at);
    if (rc != EXIT_OK_)
        return rc;
    if (conn_call(k, doc ? 3 : 2, doc ? set : get, out, &e) != 0) {
        ctl_say("%s", e.text);
        rc = EXIT_FAILED;
    } else if (val_is_error(*out)) {
        ctl_say("%s %s: %s", doc ? "SET" : "GET", key, val_z(*out, ""));
        rc = EXIT_REFUSED;
    }
    conn_close(k);
    return rc;
}

static int run_config(struct ctl *c, int argc, char **argv)
{
    struct str doc = {0};
    struct val *v = NULL;
    char key[256];
    bool set = strcmp(argv[0], "set") == 0;
    int rc = EXIT_OK_;

    if ((!set && strcmp(argv[0], "get") != 0) || argc < 3 || (!set && argc > 3)) {
        ctl_say("config get <type> <component>, or config set <type> <component> [json|-]");
        return EXIT_USAGE;
    }
    if (!name_ok(argv[1], 32, true) || !name_ok(argv[2], 128, false)) {
        ctl_say("a type is [a-z0-9_-]{1,32} and a component [A-Za-z0-9_.-]{1,128}");
        return EXIT_USAGE;
    }
    snprintf(key, sizeof key, "config:%s:%s", argv[1], argv[2]);
    if (set) {
        rc = read_document(argc > 3 ? argv[3] : NULL, &doc);
        if (rc == EXIT_OK_)
            rc = check_document(&doc);
    }
    if (rc == EXIT_OK_)
        rc = config_call(c, key, set ? &doc : NULL, &v);
    if (rc == EXIT_OK_ && set) {
        printf(c->json ? "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Set\",\"key\":\"%s\",\"bytes\":%zu}\n"
                       : "%s: %zu bytes set\n", key, doc.len);
    } else if (rc == EXIT_OK_ && v->kind == VAL_NIL) {
        ctl_say("%s does not exist", key);
        rc = EXIT_FAILED;
    } else if (rc == EXIT_OK_) {
        fwrite(val_z(v, ""), 1, v->len, stdout);
        if (v->len == 0 || v->text[v->len - 1] != '\n')
            putchar('\n');
    }
    val_free(v);
    str_fini(&doc);
    return rc;
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
     "A formed group, and a kvnode primary that is well, hands over; else the best replica is promoted. Asks the sentinel to fail over and waits until it names another primary, 60 s at most.\n"
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
     "sealsNeeded, lacks: [{what, who, address, why, blocks, text}]}.\n"
     "Exit code 0: it could; 6: it could not.",
     1, 1, run_explain},
    {"journal", "<group> [count] [all]", "What happened in the group: who saw what when, votes, seals, refusals, losses.",
     "The last lines (100) that the sentinel remembers since its start, oldest first. With `all` every sentinel of the group\n"
     "is asked and their lines are put in the order of their clocks, each behind the sentinel's address.",
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
    {"tail", "<file>", "Print what a demoted node saved of its discarded writes.",
     "The file is tail-<epoch>-<first>-<end>.resp in the folder of the node that was demoted. No sentinel is asked.\n"
     "Exit code 1: the file cannot be read, or is no tail.",
     1, 1, run_tail},
    {"config", "get <type> <component> | set <type> <component> [json|-]", "Read or push a document of the directory.",
     "The document config:<type>:<component> of the directory group's primary. `set` takes the JSON object as\n"
     "the last word, or from standard input; it is checked (an object, no name twice, at most 256 KiB) and\n"
     "stored byte for byte. The directory group is the one a sentinel names (`sentinel directory`), else the\n"
     "only one it watches, else -d says it.\n"
     "Exit code 1: there is no such document, or it is not a valid one; 4: the primary refused.",
     3, 4, run_config},
};
const size_t verbs_n = sizeof verbs / sizeof verbs[0];

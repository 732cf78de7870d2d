/* The verbs around a failover: could it be done, what happened, who votes, what was lost
 * (doing it is switching.c). Only `tail` reads a file, and asks nobody. */
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/io/file.h"
#include "common/text/tail_text.h"
#include "sentinel/ctl/ctl.h"
#include "sentinel/ctl/json.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAIL_MAX (1ull << 30)

static bool is_yes(const struct val *v, const char *field)
{
    return strcmp(val_field_z(v, field, "no"), "yes") == 0;
}

/* --- explain ------------------------------------------------------------------------------------------- */

static const struct {
    const char *field, *json;
    bool number;
} explained[] = {
    {"group", "group", false},        {"mode", "mode", false},
    {"can-failover", "canFailover", false}, {"to", "to", false},
    {"to-address", "toAddress", false}, {"seen-by", "seenBy", false},
    {"voters", "voters", true},       {"voters-usable", "votersUsable", true},
    {"voters-needed", "votersNeeded", true}, {"members", "members", true},
    {"members-usable", "membersUsable", true}, {"seals-needed", "sealsNeeded", true},
    {"promises", "promises", false},
};

static cJSON *explain_json(const struct val *v)
{
    static const char *const names[] = {"what", "who", "address", "why"};
    const struct val *lacks = val_field(v, "lacks");
    cJSON *o = json_object("Explanation"), *list;

    for (size_t i = 0; i < sizeof explained / sizeof explained[0]; i++)
        if (explained[i].number)
            cJSON_AddNumberToObject(o, explained[i].json, (double)val_field_i64(v, explained[i].field, 0));
        else if (strcmp(explained[i].json, "canFailover") == 0)
            cJSON_AddBoolToObject(o, explained[i].json, is_yes(v, explained[i].field));
        else
            cJSON_AddStringToObject(o, explained[i].json, val_field_z(v, explained[i].field, ""));
    list = cJSON_AddArrayToObject(o, "lacks");
    for (size_t i = 0; lacks && i < lacks->n; i++) {
        cJSON *l = cJSON_CreateObject();

        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            cJSON_AddStringToObject(l, names[k], val_field_z(lacks->at[i], names[k], ""));
        cJSON_AddBoolToObject(l, "blocks", is_yes(lacks->at[i], "blocks"));
        cJSON_AddStringToObject(l, "text", val_field_z(lacks->at[i], "text", ""));
        cJSON_AddItemToArray(list, l);
    }
    return o;
}

static void explain_text(const struct val *v)
{
    const struct val *lacks = val_field(v, "lacks");
    const char *to = val_field_z(v, "to-address", "");
    bool can = is_yes(v, "can-failover");

    printf("%s (%s): a failover could %sbe completed now%s%s\n", val_field_z(v, "group", ""), val_field_z(v, "mode", ""),
           can ? "" : "not ", *to ? can ? ", to " : "; it would go to " : "", to);
    printf("  voters %lld of %lld at hand, %lld needed", (long long)val_field_i64(v, "voters-usable", 0),
           (long long)val_field_i64(v, "voters", 0), (long long)val_field_i64(v, "voters-needed", 0));
    if (val_field_i64(v, "members", 0) > 0)
        printf("; members besides the primary %lld of %lld, %lld needed", (long long)val_field_i64(v, "members-usable", 0),
               (long long)val_field_i64(v, "members", 0) - 1, (long long)val_field_i64(v, "seals-needed", 0));
    putchar('\n');
    if (*val_field_z(v, "promises", ""))
        printf("  %s\n", val_field_z(v, "promises", ""));
    for (size_t i = 0; lacks && i < lacks->n; i++) {
        const struct val *l = lacks->at[i];
        const char *at = val_field_z(l, "address", ""), *who = val_field_z(l, "who", "-");

        printf("%c %-9s %-22s %-18s %s\n", is_yes(l, "blocks") ? '!' : ' ', val_field_z(l, "what", ""), *at ? at : who,
               val_field_z(l, "why", ""), val_field_z(l, "text", ""));
    }
}

int run_explain(struct ctl *c, int argc, char **argv)
{
    struct val *v = NULL;
    bool can;
    int rc = ctl_find_sentinel(c);

    (void)argc;
    if (rc == EXIT_OK_)
        rc = ctl_ask(c, "explain", argv[0], &v);
    if (rc != EXIT_OK_)
        return rc;
    can = is_yes(v, "can-failover");
    if (c->json)
        json_print(explain_json(v), false);
    else
        explain_text(v);
    val_free(v);
    return can ? EXIT_OK_ : EXIT_UNHEALTHY;
}

/* --- journal --------------------------------------------------------------------------------------------- */

struct line {
    int64_t wall_ms;
    size_t at;                         /* as it was told: the order of one sentinel's lines stays */
    char from[ADDR_TEXT_MAX];
    char *text;
};

struct lines {
    struct line *at;
    size_t n;
};

static int by_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;

    if (x->wall_ms != y->wall_ms)
        return x->wall_ms < y->wall_ms ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int collect(struct ctl *c, const char *group, const char *count, struct lines *out)
{
    struct val *v = NULL;
    int rc = ctl_words(c, 3, (const char *const[]){"journal", group, count}, &v);

    if (rc != EXIT_OK_)
        return rc;
    out->at = mem_realloc(out->at, (out->n + v->n + 1) * sizeof *out->at);
    for (size_t i = 0; i < v->n; i++) {
        struct line *l = &out->at[out->n];

        l->wall_ms = val_i64(val_at(v->at[i], 0), 0);
        l->at = out->n++;
        l->text = mem_strdup(val_z(val_at(v->at[i], 1), ""));
        addr_text(&c->sentinel_addr, l->from);
    }
    val_free(v);
    return EXIT_OK_;
}

static void when(int64_t wall_ms, char out[40])
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    size_t n;

    localtime_r(&s, &tm);
    n = strftime(out, 40, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(out + n, 40 - n, ".%03d", (int)(wall_ms % 1000));
}

static void print_lines(struct ctl *c, const char *group, const struct lines *l, bool all)
{
    cJSON *o = c->json ? json_object("Journal") : NULL, *list = NULL;

    if (o) {
        cJSON_AddStringToObject(o, "group", group);
        list = cJSON_AddArrayToObject(o, "lines");
    }
    for (size_t i = 0; i < l->n; i++) {
        char time[40];

        when(l->at[i].wall_ms, time);
        if (o) {
            cJSON *one = cJSON_CreateObject();

            cJSON_AddNumberToObject(one, "timeMs", (double)l->at[i].wall_ms);
            cJSON_AddStringToObject(one, "sentinel", l->at[i].from);
            cJSON_AddStringToObject(one, "text", l->at[i].text);
            cJSON_AddItemToArray(list, one);
        } else if (all)
            printf("%s %-21s %s\n", time, l->at[i].from, l->at[i].text);
        else
            printf("%s %s\n", time, l->at[i].text);
    }
    if (o)
        json_print(o, false);
}

/* The others, one after the other; one that does not answer is left out, and said. */
static void collect_others(struct ctl *c, const char *group, const char *count, struct lines *out)
{
    struct addr others[CTL_ADDRS_MAX];
    size_t n = ctl_other_sentinels(c, group, others, CTL_ADDRS_MAX);

    for (size_t i = 0; i < n; i++)
        if (ctl_turn_to(c, &others[i]))
            (void)collect(c, group, count, out);
}

int run_journal(struct ctl *c, int argc, char **argv)
{
    const char *count = "100";
    struct lines l = {0};
    bool all = false;
    int64_t n;
    int rc;

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "all") == 0)
            all = true;
        else if (num_i64_in(argv[i], strlen(argv[i]), 1, 512, &n))
            count = argv[i];
        else {
            ctl_say("journal <group> [1..512] [all]");
            return EXIT_USAGE;
        }
    rc = ctl_find_sentinel(c);
    if (rc == EXIT_OK_)
        rc = collect(c, argv[0], count, &l);
    if (rc == EXIT_OK_ && all)
        collect_others(c, argv[0], count, &l);
    if (rc == EXIT_OK_) {
        if (l.n > 1)
            qsort(l.at, l.n, sizeof *l.at, by_time);
        print_lines(c, argv[0], &l, all);
    }
    for (size_t i = 0; i < l.n; i++)
        mem_free(l.at[i].text);
    mem_free(l.at);
    return rc;
}

/* --- peers ----------------------------------------------------------------------------------------------------- */

static int list_peers(struct ctl *c, const char *group)
{
    struct val *v = NULL;
    cJSON *o, *list;
    bool well = true;
    int rc = ctl_ask(c, "peers", group, &v);

    if (rc != EXIT_OK_)
        return rc;
    o = json_object("Peers");
    cJSON_AddStringToObject(o, "group", group);
    list = cJSON_AddArrayToObject(o, "peers");
    for (size_t i = 0; i < v->n; i++) {
        const struct val *p = v->at[i];
        const char *ip = val_field_z(p, "ip", ""), *observer = val_field_z(p, "observer", "");
        char at[ADDR_TEXT_MAX + 16];
        cJSON *one = cJSON_CreateObject();

        snprintf(at, sizeof at, strchr(ip, ':') ? "[%s]:%lld" : "%s:%lld", ip, (long long)val_field_i64(p, "port", 0));
        well = well && (!is_yes(p, "voter") || (is_yes(p, "up") && !*observer));
        cJSON_AddStringToObject(one, "id", val_field_z(p, "id", ""));
        cJSON_AddStringToObject(one, "address", at);
        cJSON_AddBoolToObject(one, "voter", is_yes(p, "voter"));
        cJSON_AddBoolToObject(one, "up", is_yes(p, "up"));
        cJSON_AddBoolToObject(one, "asked", is_yes(p, "me"));
        cJSON_AddStringToObject(one, "observer", observer);
        cJSON_AddStringToObject(one, "life", val_field_z(p, "life", ""));
        cJSON_AddStringToObject(one, "lifeNow", val_field_z(p, "life-now", ""));
        cJSON_AddItemToArray(list, one);
        if (!c->json)
            printf("%s %-22s %-9s %-5s%s%s%s\n", val_field_z(p, "id", ""), at, is_yes(p, "voter") ? "voter" : "no voter",
                   is_yes(p, "up") ? "up" : "down", is_yes(p, "me") ? " (asked)" : "", *observer ? " " : "", observer);
    }
    val_free(v);
    if (c->json)
        json_print(o, false);
    else
        cJSON_Delete(o);
    return well ? EXIT_OK_ : EXIT_UNHEALTHY;
}

int run_peers(struct ctl *c, int argc, char **argv)
{
    struct val *v = NULL;
    int rc;

    if (argc != 1 && (argc != 4 || strcmp(argv[1], "replace") != 0) && (argc != 2 || strcmp(argv[1], "cancel") != 0)) {
        ctl_say("peers <group> [replace <old-id> <new-id> | cancel]");
        return EXIT_USAGE;
    }
    rc = ctl_find_sentinel(c);
    if (rc != EXIT_OK_)
        return rc;
    if (argc == 1)
        return list_peers(c, argv[0]);
    if (argc == 2) {
        rc = ctl_words(c, 3, (const char *const[]){"peers", argv[0], "cancel"}, &v);
        if (rc == EXIT_OK_)
            printf(c->json ? "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Kept\",\"group\":\"%s\"}\n" : "%s: no voter is to be replaced\n", argv[0]);
        val_free(v);
        return rc;
    }
    conn_be_patient(c->sentinel, CTL_PATIENCE_MS);
    rc = ctl_words(c, 5, (const char *const[]){"peers", argv[0], "replace", argv[2], argv[3]}, &v);
    if (rc == EXIT_OK_)
        printf(c->json ? "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Replaced\",\"group\":\"%s\",\"old\":\"%s\",\"new\":\"%s\"}\n"
                       : "%s: %.8s -> %.8s\n", argv[0], argv[2], argv[3]);
    val_free(v);
    return rc;
}

/* --- tail -------------------------------------------------------------------------------------------------------- */

int run_tail(struct ctl *c, int argc, char **argv)
{
    struct str file = {0}, text = {0};
    struct err e = {0};
    int rc = EXIT_OK_;

    (void)c;
    (void)argc;
    if (file_slurp(argv[0], TAIL_MAX, &file, &e) != 0 || tail_text_print(str_c(&file), file.len, &text, &e) != 0) {
        ctl_say("%s: %s", argv[0], e.text);
        rc = EXIT_FAILED;
    } else
        fwrite(str_c(&text), 1, text.len, stdout);
    str_fini(&file);
    str_fini(&text);
    return rc;
}

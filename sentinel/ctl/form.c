/* The verb `form`: a group is given a mode, or made plain again. Two of its forms give something
 * up for good: a primary that is named among nodes with data, and a group dissolved without
 * the nodes that are not heard. Whoever asks for that is shown what it is and types the group's name. */
#include "common/base/str.h"
#include "sentinel/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#define ORDERS_MAX 5

static const char usage[] = "form <group> async|prefer|strict [primary <host:port>] [setting value ...] [yes], or form <group> plain [force] [yes]";

struct asked {
    struct slice words[CTL_WORDS_MAX];       /* SENTINEL ... */
    int n;
    bool sure, gives_up, plain;
    struct addr primary;
    char port[8];
};

static void add(struct asked *a, const char *word)
{
    if (a->n < CTL_WORDS_MAX)
        a->words[a->n++] = slice_z(word);
}

static bool read_plain(int argc, char **argv, struct asked *a)
{
    int at = 2;

    a->plain = true;
    add(a, "dissolve");
    add(a, argv[0]);
    if (at < argc && strcmp(argv[at], "force") == 0) {
        a->gives_up = true;
        add(a, "force");
        at++;
    }
    return at == argc;
}

static bool read_mode(int argc, char **argv, struct asked *a)
{
    for (int i = 2; i + 1 < argc; i += 2)
        if (strcmp(argv[i], "primary") == 0) {
            if (a->gives_up || !addr_parse(argv[i + 1], strlen(argv[i + 1]), &a->primary))
                return false;
            a->gives_up = true;
            snprintf(a->port, sizeof a->port, "%u", a->primary.port);
        }
    if (argc % 2 != 0)
        return false;
    add(a, a->gives_up ? "form" : "set");
    add(a, argv[0]);
    if (!a->gives_up)
        add(a, "mode");
    add(a, argv[1]);
    if (a->gives_up) {
        add(a, "primary");
        add(a, a->primary.host);
        add(a, a->port);
    }
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i & ~1], "primary") != 0)
            add(a, argv[i]);
    return true;
}

/* What EXPLAIN says of these, one line each; how many. */
static int show(struct ctl *c, const char *group, const char *why, const char *but, const char *then)
{
    struct val *v = NULL;
    const struct val *lacks;
    int n = 0;

    if (ctl_ask(c, "explain", group, &v) != EXIT_OK_)
        return 0;
    lacks = val_field(v, "lacks");
    for (size_t i = 0; lacks && i < lacks->n; i++) {
        const char *at = val_field_z(lacks->at[i], "address", "");

        if (strcmp(val_field_z(lacks->at[i], "why", ""), why) != 0 || strcmp(val_field_z(lacks->at[i], "what", ""), "voter") == 0 || strcmp(at, but) == 0)
            continue;
        fprintf(stderr, "  %-22s %s\n", at, then ? then : val_field_z(lacks->at[i], "text", ""));
        n++;
    }
    val_free(v);
    return n;
}

static bool is_meant(struct ctl *c, const char *group, const struct asked *a)
{
    char line[256] = "", at[ADDR_TEXT_MAX];

    if (!a->gives_up || a->sure)
        return true;
    if (a->port[0]) {
        fprintf(stderr, "%s is to lead %s. What these have is replaced by a copy of it:\n", addr_text(&a->primary, at), group);
        show(c, group, "has-data", at, NULL);
    } else {
        fprintf(stderr, "%s is to be made plain. These are not heard:\n", group);
        if (show(c, group, "not-at-hand", "", "stays fenced; what only it has is not in the plain group") == 0)
            fputs("  none of them\n", stderr);
    }
    fprintf(stderr, "Type the group's name to do it: ");
    if (fgets(line, sizeof line, stdin))
        line[strcspn(line, "\r\n")] = '\0';
    return strcmp(line, group) == 0;
}

/* An order that a sentinel leads among the others: what was overtaken or found no majority in time is said again. */
static int order(struct ctl *c, const struct asked *a, struct val **out)
{
    struct err e = {0};

    conn_be_patient(c->sentinel, CTL_PATIENCE_MS);
    for (int i = 1;; i++) {
        struct val *v = NULL;
        int rc;

        if (conn_call(c->sentinel, a->n, a->words, &v, &e) != 0) {
            ctl_say("%s", e.text);
            return e.code == ERR_TIMEOUT ? EXIT_TIMEOUT : EXIT_NO_SENTINEL;
        }
        /* NOTFORMED: plain is what was asked for, the last time it was done and could not be told */
        if (!val_is_error(v) || (a->plain && val_error_is(v, "NOTFORMED"))) {
            *out = v;
            return EXIT_OK_;
        }
        if (i < ORDERS_MAX && (val_error_is(v, "ABORTED") || val_error_is(v, "INPROG"))) {
            val_free(v);
            conn_sleep(c->loop, 400);
            continue;
        }
        ctl_say("%s", val_z(v, ""));
        rc = val_error_is(v, "TIMEOUT") || (!a->plain && val_error_is(v, "ABORTED")) ? EXIT_TIMEOUT : EXIT_REFUSED;
        val_free(v);
        return rc;
    }
}

int run_form(struct ctl *c, int argc, char **argv)
{
    struct asked a = {0};
    bool said = argc > 2 && strcmp(argv[argc - 1], "yes") == 0;
    struct val *v = NULL;
    int rc;

    argc -= said;
    a.sure = said || c->yes;
    add(&a, "SENTINEL");
    if (!(strcmp(argv[1], "plain") == 0 ? read_plain(argc, argv, &a) : read_mode(argc, argv, &a))) {
        ctl_say("%s", usage);
        return EXIT_USAGE;
    }
    rc = ctl_find_sentinel(c);
    if (rc != EXIT_OK_)
        return rc;
    if (!is_meant(c, argv[0], &a)) {
        ctl_say("that is not the group's name: nothing was done");
        return EXIT_REFUSED;
    }
    rc = order(c, &a, &v);
    if (rc == EXIT_OK_)
        printf(c->json ? "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Form\",\"group\":\"%s\",\"mode\":\"%s\"}\n" : "%s: %s\n", argv[0],
               argv[1]);
    val_free(v);
    return rc;
}

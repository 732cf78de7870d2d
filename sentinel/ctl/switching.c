/* The verbs that give a group another primary: failover and switchover. Both ask a sentinel and
 * then look until it names another one; what the sentinels decide is theirs. */
#include "common/io/clock.h"
#include "sentinel/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 20

/* The sentinel, and whom it names now. */
static int find_group(struct ctl *c, const char *group, struct addr *primary)
{
    int rc = ctl_find_sentinel(c);

    if (rc == EXIT_OK_ && !ctl_primary_addr(c, group, primary)) {
        ctl_say("the sentinel knows no group '%s'", group);
        rc = EXIT_REFUSED;
    }
    return rc;
}

/* Until the sentinel names another primary than `before`; said as an object of that kind, or as a line. */
static int see_it_move(struct ctl *c, const char *group, const struct addr *before, const char *kind)
{
    char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
    struct addr now;

    int64_t until_ms = clock_mono_ms() + CTL_PATIENCE_MS;

    conn_set_timeout(c->sentinel, c->timeout_ms);            /* a look is answered at once, or not at all */
    while (clock_mono_ms() < until_ms) {
        if (ctl_primary_addr(c, group, &now) && !addr_equal(&now, before)) {
            addr_text(before, from);
            addr_text(&now, to);
            if (c->json)
                printf("{\"apiVersion\":\"kvorum/v1\",\"kind\":\"%s\",\"group\":\"%s\",\"from\":\"%s\",\"to\":\"%s\"}\n", kind, group,
                       from, to);
            else
                printf("%s: %s -> %s\n", group, from, to);
            return EXIT_OK_;
        }
        conn_sleep(c->loop, LOOK_MS);
    }
    return EXIT_TIMEOUT;
}

int run_failover(struct ctl *c, int argc, char **argv)
{
    struct addr before;
    struct val *v = NULL;
    char from[ADDR_TEXT_MAX];
    int rc = find_group(c, argv[0], &before);

    (void)argc;
    if (rc == EXIT_OK_) {
        conn_be_patient(c->sentinel, CTL_PATIENCE_MS);       /* a formed group's is answered when it is decided */
        rc = ctl_ask(c, "failover", argv[0], &v);
    }
    val_free(v);
    if (rc != EXIT_OK_)
        return rc;
    if (c->no_wait) {
        addr_text(&before, from);
        printf(c->json ? "{\"apiVersion\":\"kvorum/v1\",\"kind\":\"Failover\",\"group\":\"%s\",\"from\":\"%s\",\"to\":null}\n"
                       : "%s: failover from %s asked for\n", argv[0], from);
        return EXIT_OK_;
    }
    rc = see_it_move(c, argv[0], &before, "Failover");
    if (rc == EXIT_TIMEOUT)
        ctl_say("%s: no other primary after %d s; the sentinels' logs say why", argv[0], CTL_PATIENCE_MS / 1000);
    return rc;
}

int run_switchover(struct ctl *c, int argc, char **argv)
{
    const char *words[] = {"failover", argv[0], "coordinated", "to", NULL, NULL};
    struct addr to, before;
    struct val *v = NULL;
    char port[8];
    int rc;

    if (argc > 1) {
        if (!addr_parse(argv[1], strlen(argv[1]), &to)) {
            ctl_say("'%s' is no host:port", argv[1]);
            return EXIT_USAGE;
        }
        snprintf(port, sizeof port, "%u", to.port);
        words[4] = to.host;
        words[5] = port;
    }
    rc = find_group(c, argv[0], &before);
    if (rc != EXIT_OK_)
        return rc;
    conn_be_patient(c->sentinel, CTL_PATIENCE_MS);
    rc = ctl_words(c, argc > 1 ? 6 : 3, words, &v);
    val_free(v);
    if (rc != EXIT_OK_)
        return rc;
    rc = see_it_move(c, argv[0], &before, "Switchover");
    if (rc == EXIT_TIMEOUT)
        ctl_say("%s: no other primary after %d s; `kvorumctl journal %s` says why", argv[0], CTL_PATIENCE_MS / 1000, argv[0]);
    return rc;
}

/* Opening and asking. */
#include "sentinel/ctl/directory.h"

#include "common/base/mem.h"
#include "common/io/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int open_at(struct ctl *c, const struct addr *at, struct conn **out)
{
    struct val *role = NULL;
    struct err e = {0};
    int rc = EXIT_OK_;

    if (ctl_open_node(c, at, c->timeout_ms, out, &e) != 0 || conn_callz(*out, &role, &e, "ROLE", NULL) != 0) {
        ctl_say("%s", e.text);
        rc = e.code == ERR_REFUSED ? EXIT_REFUSED : EXIT_FAILED;
    } else if (val_is_error(role)) {
        ctl_say("%s: %s%s", c->directory, val_z(role, ""),
                val_error_is(role, "NOAUTH") ? " (give its password with -A or KVORUM_NODE_PASSWORD)" : "");
        rc = EXIT_REFUSED;
    } else if (strcmp(val_z(val_at(role, 0), ""), "master") != 0) {
        ctl_say("%s is a %s, not the primary; name the directory's group with -d and a sentinel with -s, and it is found", c->directory,
                strcmp(val_z(val_at(role, 0), ""), "slave") == 0 ? "replica" : val_z(val_at(role, 0), "?"));
        rc = EXIT_REFUSED;
    }
    val_free(role);
    if (rc != EXIT_OK_) {
        conn_close(*out);
        *out = NULL;
    }
    return rc;
}

int dir_open(struct ctl *c, struct conn **out)
{
    struct addr at;
    char group[256];
    int rc;

    *out = NULL;
    if (c->directory && strchr(c->directory, ':') && addr_parse(c->directory, strlen(c->directory), &at) && at.port)
        return open_at(c, &at, out);
    rc = ctl_find_sentinel(c);
    if (rc == EXIT_OK_)
        rc = ctl_directory_group(c, group);
    return rc == EXIT_OK_ ? ctl_open_primary(c, group, out, &at) : rc;
}

static int call(struct conn *k, struct val **out, int argc, const struct slice *argv)
{
    struct err e = {0};

    *out = NULL;
    if (conn_call(k, argc, argv, out, &e) != 0) {
        ctl_say("%s", e.text);
        return e.code == ERR_TIMEOUT ? EXIT_TIMEOUT : EXIT_FAILED;
    }
    if (!val_is_error(*out))
        return EXIT_OK_;
    ctl_say("%.*s%s%.*s: %s", (int)argv[0].len, argv[0].p, argc > 1 ? " " : "", argc > 1 ? (int)argv[1].len : 0,
            argc > 1 ? argv[1].p : "", val_z(*out, ""));
    val_free(*out);
    *out = NULL;
    return EXIT_REFUSED;
}

int dir_callz(struct conn *k, struct val **out, const char *first, ...)
{
    struct slice argv[CALL_WORDS_MAX];
    va_list ap;
    int argc;

    va_start(ap, first);
    argc = call_words(argv, first, ap);
    va_end(ap);
    return call(k, out, argc, argv);
}

/* --- lists of keys --- */

void names_fini(struct names *n)
{
    for (size_t i = 0; i < n->at.n; i++)
        mem_free(n->at.at[i]);
    vec_fini(&n->at);
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sort_once(struct names *n)
{
    size_t kept = 0;

    if (n->at.n > 1)
        qsort(n->at.at, n->at.n, sizeof *n->at.at, by_bytes);
    for (size_t i = 0; i < n->at.n; i++) {        /* a scan may tell a key twice */
        if (kept > 0 && strcmp(n->at.at[kept - 1], n->at.at[i]) == 0)
            mem_free(n->at.at[i]);
        else
            n->at.at[kept++] = n->at.at[i];
    }
    n->at.n = kept;
}

int dir_scan(struct conn *k, const char *pattern, struct names *out)
{
    char cursor[32] = "0";
    struct val *v = NULL;
    int rc;

    do {
        const struct val *keys;

        rc = dir_callz(k, &v, "SCAN", cursor, "MATCH", pattern, "COUNT", "1000", NULL);
        if (rc != EXIT_OK_)
            return rc;
        snprintf(cursor, sizeof cursor, "%s", val_z(val_at(v, 0), "0"));
        keys = val_at(v, 1);
        for (size_t i = 0; keys && i < keys->n && out->at.n < DIR_KEYS_MAX; i++)
            if (strlen(val_z(keys->at[i], "")) == keys->at[i]->len)
                vec_push(&out->at, mem_strdup(val_z(keys->at[i], "")));
        val_free(v);
    } while (strcmp(cursor, "0") != 0 && out->at.n < DIR_KEYS_MAX);
    if (out->at.n >= DIR_KEYS_MAX)
        ctl_say("more than %d keys match %s; the rest is left out", DIR_KEYS_MAX, pattern);
    sort_once(out);
    return EXIT_OK_;
}

/* --- times --- */

const char *dir_age(int64_t at_ms, char out[24])
{
    int64_t s = (clock_wall_ms() - at_ms) / 1000;

    if (s < 0)
        s = 0;
    if (at_ms <= 0)
        out[0] = 0;
    else if (s < 120)
        snprintf(out, 24, "%llds", (long long)s);
    else if (s < 7200)
        snprintf(out, 24, "%lldm", (long long)(s / 60));
    else if (s < 172800)
        snprintf(out, 24, "%lldh", (long long)(s / 3600));
    else
        snprintf(out, 24, "%lldd", (long long)(s / 86400));
    return out;
}

const char *dir_time(int64_t at_ms, char out[32])
{
    time_t s = (time_t)(at_ms / 1000);
    struct tm tm;

    out[0] = 0;
    if (at_ms > 0 && gmtime_r(&s, &tm))
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return out;
}

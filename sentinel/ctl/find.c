/* From one sentinel address to everything else: a sentinel that answers, the primary
 * of a group, the group that is the directory. */
#include "common/base/check.h"
#include "sentinel/ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ctl_say(const char *fmt, ...)
{
    va_list ap;

    fputs("kvorumctl: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static int try_sentinel(struct ctl *c, const struct addr *a, struct err *e)
{
    struct conn_opts o = {.loop = c->loop, .resolver = c->resolver, .to = *a, .user = c->user,
                          .password = c->password, .timeout_ms = c->timeout_ms};
    struct val *v = NULL;
    char at[ADDR_TEXT_MAX];
    int rc = conn_open(&o, &c->sentinel, e);

    if (rc == 0)
        rc = conn_callz(c->sentinel, &v, e, "SENTINEL", "MYID", NULL);
    if (rc == 0 && val_is_error(v)) {
        addr_text(a, at);
        rc = err_set(e, ERR_REFUSED, "%s: %s%s", at, val_z(v, ""),
                     strstr(val_z(v, ""), "unknown command") ? " (that is no sentinel: -s takes a sentinel's address)"
                     : strstr(val_z(v, ""), "NOAUTH") ? " (give the password with -a, --pass-file, --askpass or KVORUM_PASSWORD)" : "");
    }
    val_free(v);
    if (rc != 0) {
        conn_close(c->sentinel);
        c->sentinel = NULL;
    }
    return rc;
}

int ctl_find_sentinel(struct ctl *c)
{
    struct err e = {0};
    bool refused = false;

    conn_close(c->sentinel);
    c->sentinel = NULL;
    for (size_t i = 0; i < c->nsentinels; i++) {
        int rc = try_sentinel(c, &c->sentinels[i], &e);

        if (rc == 0) {
            c->sentinel_addr = c->sentinels[i];
            return EXIT_OK_;
        }
        refused = refused || rc == ERR_REFUSED;
        ctl_say("%s", e.text);
    }
    if (refused)
        return EXIT_REFUSED;
    ctl_say("no sentinel answered; name one with -s host:port or KVORUM_SENTINEL");
    return EXIT_NO_SENTINEL;
}

bool ctl_turn_to(struct ctl *c, const struct addr *a)
{
    struct err e = {0};

    conn_close(c->sentinel);
    c->sentinel = NULL;
    if (try_sentinel(c, a, &e) == 0) {
        c->sentinel_addr = *a;
        return true;
    }
    ctl_say("%s: it is left out", e.text);
    return false;
}

int ctl_tell(struct ctl *c, int argc, const struct slice *argv, struct val **out)
{
    struct err e = {0};
    struct val *v = NULL;

    if (conn_call(c->sentinel, argc, argv, &v, &e) != 0) {
        ctl_say("%s", e.text);
        return e.code == ERR_TIMEOUT ? EXIT_TIMEOUT : EXIT_NO_SENTINEL;
    }
    if (val_is_error(v)) {
        ctl_say("%s", val_z(v, ""));
        int rc = val_error_is(v, "TIMEOUT") ? EXIT_TIMEOUT : EXIT_REFUSED;
        val_free(v);
        return rc;
    }
    *out = v;
    return EXIT_OK_;
}

int ctl_words(struct ctl *c, int n, const char *const *words, struct val **out)
{
    struct slice argv[CTL_WORDS_MAX];

    CHECK(n < CTL_WORDS_MAX);
    argv[0] = slice_z("SENTINEL");
    for (int i = 0; i < n; i++)
        argv[i + 1] = slice_z(words[i]);
    return ctl_tell(c, n + 1, argv, out);
}

size_t ctl_other_sentinels(struct ctl *c, const char *group, struct addr *out, size_t cap)
{
    struct val *v = NULL;
    size_t n = 0;

    if (ctl_ask(c, "sentinels", group, &v) != EXIT_OK_)
        return 0;
    for (size_t i = 0; i < v->n && n < cap; i++) {
        const char *ip = val_field_z(v->at[i], "ip", "");

        if (addr_set(&out[n], ip, strlen(ip), val_field_i64(v->at[i], "port", -1)))
            n++;
    }
    val_free(v);
    return n;
}

bool ctl_primary_addr(struct ctl *c, const char *group, struct addr *out)
{
    struct val *v = NULL;
    struct err e = {0};
    bool ok = conn_callz(c->sentinel, &v, &e, "SENTINEL", "get-master-addr-by-name", group, NULL) == 0 && v->n == 2 &&
              addr_set(out, val_z(v->at[0], ""), strlen(val_z(v->at[0], "")), val_i64(v->at[1], -1));

    val_free(v);
    return ok;
}

int ctl_ask(struct ctl *c, const char *sub, const char *arg, struct val **out)
{
    struct err e = {0};
    struct val *v = NULL;
    int rc;

    if (conn_callz(c->sentinel, &v, &e, "SENTINEL", sub, arg, NULL) != 0) {
        ctl_say("%s", e.text);
        return e.code == ERR_TIMEOUT ? EXIT_TIMEOUT : EXIT_NO_SENTINEL;
    }
    if (val_is_error(v)) {
        ctl_say("SENTINEL %s%s%s: %s", sub, arg ? " " : "", arg ? arg : "", val_z(v, ""));
        rc = val_error_is(v, "TIMEOUT") ? EXIT_TIMEOUT : EXIT_REFUSED;
        val_free(v);
        return rc;
    }
    *out = v;
    return EXIT_OK_;
}

int ctl_open_node(struct ctl *c, const struct addr *at, int64_t timeout_ms, struct conn **out, struct err *e)
{
    struct conn_opts o = {.loop = c->loop, .resolver = c->resolver, .to = *at, .user = c->node_user,
                          .password = c->node_password, .timeout_ms = timeout_ms};

    return conn_open(&o, out, e);
}

static int primary_once(struct ctl *c, const char *group, struct conn **out, struct addr *at, char *why, size_t cap)
{
    struct val *v = NULL, *role = NULL;
    struct err e = {0};
    int rc = ctl_ask(c, "get-master-addr-by-name", group, &v);

    if (rc != EXIT_OK_)
        return rc;
    if (v->n != 2 || !addr_set(at, val_z(val_at(v, 0), ""), strlen(val_z(val_at(v, 0), "")), val_i64(val_at(v, 1), -1))) {
        val_free(v);
        ctl_say("the sentinel knows no group '%s'", group);
        return EXIT_REFUSED;
    }
    val_free(v);
    if (ctl_open_node(c, at, c->timeout_ms, out, &e) != 0) {
        snprintf(why, cap, "%s", e.text);
        return EXIT_FAILED;
    }
    if (conn_callz(*out, &role, &e, "ROLE", NULL) != 0)
        snprintf(why, cap, "%s", e.text);
    else if (strcmp(val_z(val_at(role, 0), ""), "master") == 0)
        rc = -1;
    else if (val_is_error(role))
        snprintf(why, cap, "%s: %s", at->host, val_z(role, ""));
    else
        snprintf(why, cap, "%s:%u is not (yet) the primary", at->host, at->port);
    val_free(role);
    if (rc == -1)
        return EXIT_OK_;
    conn_close(*out);
    *out = NULL;
    return EXIT_FAILED;
}

int ctl_open_primary(struct ctl *c, const char *group, struct conn **out, struct addr *at)
{
    char why[ERR_TEXT_MAX] = "";
    int rc = EXIT_FAILED;

    for (int i = 0; i < 10 && rc == EXIT_FAILED; i++) {
        if (i > 0)
            conn_sleep(c->loop, 200);
        rc = primary_once(c, group, out, at, why, sizeof why);
        if (rc == EXIT_FAILED && (strstr(why, "NOAUTH") || strstr(why, "refused us")))
            break;
    }
    if (rc == EXIT_FAILED)
        ctl_say("the primary of '%s' cannot be used: %s%s", group, why,
                strstr(why, "NOAUTH") ? " (give its password with -A or KVORUM_NODE_PASSWORD)" : "");
    return rc;
}

/* The group that a sentinel of ours names as directory; else the only group there is. */
int ctl_directory_group(struct ctl *c, char out[256])
{
    struct val *v = NULL;
    const char *found = c->directory;
    int rc = EXIT_OK_;

    if (!found) {
        rc = ctl_ask(c, "masters", NULL, &v);
        if (rc != EXIT_OK_)
            return rc;
        for (size_t i = 0; !found && i < v->n; i++) {
            found = val_field_z(v->at[i], "directory", NULL);
            if (found && !*found)
                found = NULL;
        }
        if (!found && v->n == 1)
            found = val_field_z(v->at[0], "name", NULL);
    }
    if (found && strlen(found) < 256)
        strcpy(out, found);
    else
        rc = EXIT_REFUSED;
    if (rc != EXIT_OK_)
        ctl_say("no group is named as the directory; name it with -d group or KVORUM_DIRECTORY");
    val_free(v);
    return rc;
}

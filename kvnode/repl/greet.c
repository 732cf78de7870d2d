/* The rows of the greeting, and the walk along those that were said. */
#include "kvnode/repl/greet.h"

#include "common/base/num.h"
#include "common/io/log.h"
#include "common/text/resp_request.h"
#include "kvnode/ha/ha_repl.h"
#include "kvnode/server.h"

#include <string.h>

static bool say_auth(struct server *srv, struct buf *out)
{
    const struct kv_options *o = &srv->opt;

    if (o->masterauth == NULL || o->masterauth[0] == '\0')
        return false;
    if (o->masteruser && o->masteruser[0])
        resp_put_request_z(out, "AUTH", o->masteruser, o->masterauth, NULL);
    else
        resp_put_request_z(out, "AUTH", o->masterauth, NULL);
    return true;
}

static bool say_ping(struct server *srv, struct buf *out)
{
    (void)srv;
    resp_put_request_z(out, "PING", NULL);
    return true;
}

static bool say_port(struct server *srv, struct buf *out)
{
    char port[NUM_I64_MAX];

    num_put_i64(port, srv->opt.replica_announce_port ? srv->opt.replica_announce_port : resp_server_port(&srv->resp));
    resp_put_request_z(out, "REPLCONF", "listening-port", port, NULL);
    return true;
}

static bool say_ip(struct server *srv, struct buf *out)
{
    const char *ip = srv->opt.replica_announce_ip;

    if (ip == NULL || ip[0] == '\0')
        return false;
    resp_put_request_z(out, "REPLCONF", "ip-address", ip, NULL);
    return true;
}

static bool say_capa(struct server *srv, struct buf *out)
{
    (void)srv;
    resp_put_request_z(out, "REPLCONF", "capa", "eof", "capa", "psync2", NULL);
    return true;
}

static bool say_member(struct server *srv, struct buf *out)
{
    ha_repl_greet(srv, out);
    return true;
}

static const struct step {
    bool (*say)(struct server *srv, struct buf *out);    /* false: not needed */
    enum { ERRORS_END, ERRORS_OF_AUTH_PASS, ERRORS_PASS } errors;
    const char *sentence;
    int (*hear)(struct server *srv, struct slice line, struct err *e);     /* the answer means something; NULL: no */
} steps[] = {
    {say_auth, ERRORS_END,          "Unable to AUTH to MASTER"},
    {say_ping, ERRORS_OF_AUTH_PASS, "Error reply to PING from master"},
    {say_port, ERRORS_PASS,         "the master does not understand REPLCONF listening-port"},
    {say_ip,   ERRORS_PASS,         "the master does not understand REPLCONF ip-address"},
    {say_capa, ERRORS_PASS,         "the master does not understand REPLCONF capa"},
    {say_member, ERRORS_PASS,       "the primary cannot be followed", ha_repl_answered},
};
#define NSTEPS ((int)(sizeof steps / sizeof steps[0]))

static bool begins(struct slice line, const char *z)
{
    size_t n = strlen(z);

    return line.len >= n && memcmp(line.p, z, n) == 0;
}

/* PING may be refused before a password is accepted; AUTH's own answer has said what is wrong. */
static bool is_auth_error(struct slice line)
{
    return begins(line, "-NOAUTH") || begins(line, "-NOPERM") || begins(line, "-ERR operation not permitted");
}

static int next_said(const struct greeting *g, int i)
{
    while (i < NSTEPS && !(g->said >> i & 1))
        i++;
    return i;
}

void greet_say(struct greeting *g, struct server *srv, struct buf *out)
{
    g->srv = srv;
    g->said = 0;
    for (int i = 0; i < NSTEPS; i++)
        g->said |= (unsigned)steps[i].say(srv, out) << i;
    g->next = next_said(g, 0);
}

bool greet_done(const struct greeting *g) { return g->next == NSTEPS; }

int greet_answer(struct greeting *g, struct slice line, struct err *e)
{
    const struct step *st = &steps[g->next];
    int n = (int)(line.len < 300 ? line.len : 300);

    g->next = next_said(g, g->next + 1);
    if (st->hear)
        return st->hear(g->srv, line, e) ? err_wrap(e, "%s", st->sentence) : 0;
    if (begins(line, "-")) {
        if (st->errors == ERRORS_END || (st->errors == ERRORS_OF_AUTH_PASS && !is_auth_error(line)))
            return err_set(e, ERR_REFUSED, "%s: %.*s", st->sentence, n, line.p);
        log_notice("(Non critical) %s: %.*s", st->sentence, n, line.p);
    }
    return 0;
}

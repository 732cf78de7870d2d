/* Streams that remember, and a node with canned answers. */
#include "tests/unit/ctl/ctl_support.h"

#include "tests/support/serving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct { FILE *real, *kept; char *text; size_t n; } outs, errs;

static FILE *keep(FILE *real, FILE **kept, char **text, size_t *n)
{
    if (*kept)
        fclose(*kept);
    free(*text);
    *text = NULL;
    *kept = open_memstream(text, n);
    ck_assert_ptr_nonnull(*kept);
    (void)real;
    return *kept;
}

void listen_to(void)
{
    if (!outs.real) {
        outs.real = stdout;
        errs.real = stderr;
    }
    stdout = keep(outs.real, &outs.kept, &outs.text, &outs.n);
    stderr = keep(errs.real, &errs.kept, &errs.text, &errs.n);
}

const char *heard(void)
{
    fflush(outs.kept);
    fflush(errs.kept);
    stdout = outs.real;
    stderr = errs.real;
    return outs.text;
}

const char *said(void)
{
    (void)heard();
    return errs.text;
}

static void cmd_canned(struct call *c)
{
    struct scene *s = c->session->srv->owner;
    struct str line = {0};

    for (int i = 0; i < c->argc; i++)
        str_printf(&line, "%s%.*s", i ? " " : "", (int)c->argv[i].len, c->argv[i].p);
    for (const struct canned *a = s->answers; a->asked; a++)
        if (strcmp(a->asked, str_c(&line)) == 0) {
            str_printf(&s->asked, "%s\n", a->asked);
            reply_raw(c->reply, a->answer, strlen(a->answer));
            str_fini(&line);
            return;
        }
    str_fini(&line);
    reply_error(c->reply, "ERR nothing is known of that");
}

#define CANNED(name) {name, -1, 0, cmd_canned, 0, 0, 0, "generic", "", "Answers as it is told to."}
static const struct command own[] = {
    CANNED("get"),   CANNED("set"),   CANNED("del"),   CANNED("exists"), CANNED("scan"),    CANNED("hget"), CANNED("hgetall"),
    CANNED("hset"),  CANNED("watch"), CANNED("multi"), CANNED("exec"),   CANNED("discard"), CANNED("role"), CANNED("sentinel"),
};

void scene_init(struct scene *s, const struct canned *answers)
{
    struct conn_opts o = {.timeout_ms = 5000};
    struct err e = {0};

    memset(s, 0, sizeof *s);
    s->answers = answers;
    s->c.loop = o.loop = loop_new();
    s->c.resolver = o.resolver = resolver_new(s->c.loop);
    s->c.timeout_ms = o.timeout_ms;
    serving_open(&s->srv, &s->table, s->c.loop, own, sizeof own / sizeof own[0], NULL, s);
    addr_set(&o.to, "127.0.0.1", 9, resp_server_port(&s->srv));
    s->c.sentinels[s->c.nsentinels++] = o.to;
    ck_assert_msg(conn_open(&o, &s->k, &e) == 0, "%s", e.text);
}

void scene_fini(struct scene *s)
{
    conn_close(s->k);
    conn_close(s->c.sentinel);
    serving_close(&s->srv, &s->table);
    resolver_free(s->c.resolver);
    loop_run_once(s->c.loop, false);
    loop_free(s->c.loop);
    str_fini(&s->asked);
}

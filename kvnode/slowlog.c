/* An array, newest last; the oldest leaves when it is full. */
#include "kvnode/slowlog.h"

#include "common/base/mem.h"
#include "kvnode/server.h"

#include <string.h>

#define ARGS_MAX 32
#define ARG_BYTES 128

static void drop(struct slow_entry *e)
{
    for (int i = 0; i < e->argc; i++)
        mem_free(e->argv[i]);
    mem_free(e->argv);
    mem_free(e->peer);
    mem_free(e->name);
}

void slowlog_reset(struct slowlog *l)
{
    for (size_t i = 0; i < l->n; i++)
        drop(&l->at[i]);
    mem_free(l->at);
    l->at = NULL;
    l->n = 0;
}

struct slice call_shown_arg(const struct command *cmd, int argc, const struct slice *argv, int i)
{
    bool secret = false;

    if (strcmp(cmd->name, "auth") == 0) {
        secret = i >= 1;
    } else if (strcmp(cmd->name, "hello") == 0) {
        secret = (i >= 3 && slice_is_nocase(argv[i - 1], "auth")) || (i >= 4 && slice_is_nocase(argv[i - 2], "auth"));
    } else if (argc > 1 && slice_is_nocase(argv[0], "acl") && slice_is_nocase(argv[1], "setuser")) {
        secret = i >= 3;
    } else if (argc > 1 && slice_is_nocase(argv[0], "config") && slice_is_nocase(argv[1], "set") && i >= 3 && i % 2 == 1) {
        const struct option *o = option_find(&kv_option_table, argv[i - 1]);

        secret = o && (o->flags & OPT_SECRET);
    }
    return secret ? slice_z("(redacted)") : argv[i];
}

static char *cut(struct slice a)
{
    struct str s = {0};

    if (a.len <= ARG_BYTES)
        return mem_strndup(a.p, a.len);
    str_append(&s, a.p, ARG_BYTES);
    str_printf(&s, "... (%zu more bytes)", a.len - ARG_BYTES);
    return str_take(&s);
}

void slowlog_note(struct server *srv, struct client *cl, const struct command *cmd, int argc, const struct slice *argv,
                  int64_t us)
{
    struct slowlog *l = &srv->slowlog;
    int64_t limit = srv->opt.slowlog_log_slower_than_us;
    size_t max = (size_t)srv->opt.slowlog_max_len;
    struct slow_entry e = {0};

    if (limit < 0 || us < limit || max == 0 || (cmd->flags & CMD_NO_MONITOR))
        return;
    while (l->n >= max) {
        drop(&l->at[0]);
        memmove(l->at, l->at + 1, --l->n * sizeof *l->at);
    }
    e.id = l->next_id++;
    e.at_s = loop_wall_ms(srv->loop) / 1000;
    e.us = us;
    e.argc = argc < ARGS_MAX ? argc : ARGS_MAX;
    e.argv = mem_alloc((size_t)e.argc * sizeof *e.argv);
    for (int i = 0; i < e.argc; i++) {
        if (i == ARGS_MAX - 1 && argc > ARGS_MAX) {
            struct str s = {0};

            str_printf(&s, "... (%d more arguments)", argc - ARGS_MAX + 1);
            e.argv[i] = str_take(&s);
        } else {
            e.argv[i] = cut(call_shown_arg(cmd, argc, argv, i));
        }
    }
    if (cl->session) {
        char text[ADDR_TEXT_MAX];
        struct addr peer = stream_peer(cl->session->stream);

        e.peer = mem_strdup(addr_text(&peer, text));
        e.name = mem_strdup(cl->session->name ? cl->session->name : "");
    } else {
        e.peer = mem_strdup("");
        e.name = mem_strdup("");
    }
    l->at = mem_realloc(l->at, (l->n + 1) * sizeof *l->at);
    l->at[l->n++] = e;
}

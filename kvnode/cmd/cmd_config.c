/* CONFIG: all that is asked for is set, or nothing is. */
#include "kvnode/cmd/cmd.h"

#include "common/base/glob.h"
#include "common/base/mem.h"
#include "kvnode/rewrite.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What CONFIG GET shows: the option's own text, but for the folder we are really in. */
static void shown(const struct server *srv, const struct option *o, struct str *out)
{
    if (strcmp(o->name, "dir") == 0) {
        char cwd[PATH_MAX];

        str_append_z(out, getcwd(cwd, sizeof cwd) ? cwd : "");
        return;
    }
    option_get(o, &srv->opt, out);
}

static void put_option(struct call *c, const char *name, const struct option *o)
{
    struct str value = {0};

    shown(call_server(c), o, &value);
    reply_bulk_z(c->reply, name);
    reply_bulk(c->reply, value.p ? value.p : "", value.len);
    str_fini(&value);
}

static bool asked_for(struct call *c, const char *name)
{
    for (int i = 2; i < c->argc; i++)
        if (glob_match(c->argv[i].p, c->argv[i].len, name, strlen(name), true))
            return true;
    return false;
}

static void config_get(struct call *c)
{
    struct reply_hole h = reply_hole(c->reply);
    size_t n = 0;

    for (size_t i = 0; i < kv_option_table.n; i++) {
        const struct option *o = &kv_option_table.rows[i];

        /* what may stand on many lines and is no value of its own is not shown, as in Redis */
        if (strcmp(o->name, "rename-command") == 0 || strcmp(o->name, "user") == 0 || strcmp(o->name, "loadmodule") == 0)
            continue;
        if (asked_for(c, o->name)) {
            put_option(c, o->name, o);
            n++;
        }
        if (o->alias && asked_for(c, o->alias)) {
            put_option(c, o->alias, o);
            n++;
        }
    }
    reply_fill_map(c->reply, h, n);
}

/* --- SET --- */

#define SET_MAX 64

struct setting {
    const struct option *o;
    struct slice name, value;
    char *old;                         /* text before, to go back to */
};

static void set_failed(struct call *c, struct slice name, const char *why)
{
    reply_errorf(c->reply, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s", (int)name.len, name.p, why);
}

static bool is_local(const struct call *c)
{
    struct addr a = stream_peer(c->session->stream);

    return stream_is_unix(c->session->stream) || strncmp(a.host, "127.", 4) == 0 || strcmp(a.host, "::1") == 0;
}

static bool protected_ok(const struct call *c)
{
    int sw = call_server(c)->opt.enable_protected_configs;

    return sw == SW_YES || (sw == SW_LOCAL && is_local(c));
}

static bool read_settings(struct call *c, struct setting *s, int *n)
{
    if (c->argc % 2 != 0 || (c->argc - 2) / 2 > SET_MAX) {
        reply_error(c->reply, "ERR wrong number of arguments for 'config|set' command");
        return false;
    }
    for (int i = 2; i < c->argc; i += 2) {
        const struct option *o = option_find(&kv_option_table, c->argv[i]);

        if (!o) {
            reply_errorf(c->reply, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'", (int)c->argv[i].len, c->argv[i].p);
            return false;
        }
        if (o->flags & OPT_FIXED) {
            set_failed(c, c->argv[i], "can't set immutable config");
            return false;
        }
        if ((o->flags & OPT_PROTECTED) && !protected_ok(c)) {
            set_failed(c, c->argv[i], "can't set protected config");
            return false;
        }
        for (int k = 0; k < *n; k++)
            if (s[k].o == o) {
                set_failed(c, c->argv[i], "duplicate parameter");
                return false;
            }
        s[(*n)++] = (struct setting){.o = o, .name = c->argv[i], .value = c->argv[i + 1]};
    }
    return true;
}

static int set_one(struct server *srv, const struct option *o, struct slice value, struct err *e)
{
    if (strcmp(o->name, "dir") == 0) {
        char path[PATH_MAX];

        if (!slice_copy_z(value, path, sizeof path))
            return err_set(e, ERR_RANGE, "path too long");
        if (chdir(path) != 0)
            return err_set(e, ERR_SYS, "Changing directory: %s", strerror(errno));
    }
    if (strcmp(o->name, "dbfilename") == 0 && memchr(value.p, '/', value.len))
        return err_set(e, ERR_RANGE, "dbfilename can't be a path, just a filename");
    return option_set(o, &srv->opt, 1, &value, NULL, e);
}

static void go_back(struct server *srv, struct setting *s, int n)
{
    while (n-- > 0)
        if (s[n].old)
            set_one(srv, s[n].o, slice_z(s[n].old), NULL);
}

static void config_set(struct call *c)
{
    struct server *srv = call_server(c);
    struct setting s[SET_MAX];
    struct err e = {0};
    int n = 0, done = 0;

    if (!read_settings(c, s, &n))
        return;
    for (; done < n; done++) {
        struct str old = {0};

        shown(srv, s[done].o, &old);
        s[done].old = str_take(&old);
        if (!s[done].old)
            s[done].old = mem_strdup("");
        if (set_one(srv, s[done].o, s[done].value, &e) != 0)
            break;
    }
    if (done == n && server_apply_options(srv, &e) == 0) {
        for (int i = 0; i < n; i++)
            if (strcmp(s[i].o->name, "requirepass") == 0)      /* whatever ACL SETUSER has made of it since */
                resp_server_set_password(&srv->resp, srv->opt.requirepass);
        reply_ok(c->reply);
    } else {
        set_failed(c, s[done < n ? done : 0].name, e.text);
        go_back(srv, s, done);
        server_apply_options(srv, NULL);
    }
    for (int i = 0; i < n && i <= done; i++)
        mem_free(i < n ? s[i].old : NULL);
}

/* --- RESETSTAT --- */

static void config_resetstat(struct call *c)
{
    struct server *srv = call_server(c);

    server_reset_stats(srv);
    reply_ok(c->reply);
}

static void config_help(struct call *c)
{
    command_reply_help(c->reply, command_find_name(&call_server(c)->commands, slice_z("config")));
}

#define ADMIN CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE

static const struct command config_subs[] = {
    {"get", -3, ADMIN, config_get, 0, 0, 0, "server", "pattern [pattern ...]", "Show options.", "2.0.0"},
    {"set", -4, ADMIN, config_set, 0, 0, 0, "server", "name value [name value ...]", "Set options, all or none.", "2.0.0"},
    {"rewrite", 2, ADMIN, rewrite_command, 0, 0, 0, "server", "", "Write the options to the configuration file.", "2.8.0"},
    {"resetstat", 2, ADMIN, config_resetstat, 0, 0, 0, "server", "", "Start counting anew.", "2.0.0"},
    {"help", 2, CMD_LOADING | CMD_STALE, config_help, 0, 0, 0, "server", "", "What there is.", "5.0.0"},
};

const struct command config_commands[] = {
    {"config", -2, CMD_CONTAINER, NULL, 0, 0, 0, "server", "", "Shows and sets options.", "2.0.0",
     config_subs, sizeof config_subs / sizeof config_subs[0]},
};
ROWS(config);

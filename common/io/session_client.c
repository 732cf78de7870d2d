/* CLIENT: what a connection may ask about itself and about the others. */
#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/base/timeval.h"
#include "common/io/session.h"
#include "common/io/session_inner.h"
#include "common/io/session_words.h"

#include <string.h>

#define SYNTAX_ERROR "ERR syntax error"

/* --- about itself --- */

static void client_id(struct call *c)
{
    reply_int(c->reply, (int64_t)c->session->id);
}

static void client_info(struct call *c)
{
    struct str line = {0};

    session_line(c->session, &line);
    str_append_c(&line, '\n');
    reply_verbatim(c->reply, "txt", line.p, line.len);
    str_fini(&line);
}

static void client_setname(struct call *c)
{
    if (!session_name_ok(c->argv[2])) {
        reply_error(c->reply, SESSION_BAD_NAME);
        return;
    }
    session_set_name(c->session, c->argv[2]);
    reply_ok(c->reply);
}

static void client_getname(struct call *c)
{
    if (c->session->name)
        reply_bulk_z(c->reply, c->session->name);
    else
        reply_null(c->reply);
}

static void client_setinfo(struct call *c)
{
    struct session *s = c->session;
    char **where = slice_is_nocase(c->argv[2], "lib-name") ? &s->lib_name
                 : slice_is_nocase(c->argv[2], "lib-ver")  ? &s->lib_ver
                                                           : NULL;

    if (!where) {
        reply_errorf(c->reply, "ERR Unrecognized option '%.*s'", (int)c->argv[2].len, c->argv[2].p);
    } else if (!session_name_ok(c->argv[3])) {
        reply_errorf(c->reply, "ERR %.*s cannot contain spaces, newlines or special characters.", (int)c->argv[2].len,
                     c->argv[2].p);
    } else {
        mem_free(*where);
        *where = c->argv[3].len ? mem_strndup(c->argv[3].p, c->argv[3].len) : NULL;
        reply_ok(c->reply);
    }
}

static void client_reply(struct call *c)
{
    struct session *s = c->session;

    if (slice_is_nocase(c->argv[2], "on")) {
        s->reply_mode = REPLY_ON;
        reply_ok(c->reply);
    } else if (slice_is_nocase(c->argv[2], "off")) {
        s->reply_mode = REPLY_OFF;
    } else if (slice_is_nocase(c->argv[2], "skip")) {
        if (s->reply_mode != REPLY_OFF)
            s->reply_mode = REPLY_SKIP_NEXT;
    } else {
        reply_error(c->reply, SYNTAX_ERROR);
    }
}

static void set_flag(struct call *c, bool *flag)
{
    if (slice_is_nocase(c->argv[2], "on"))
        *flag = true;
    else if (slice_is_nocase(c->argv[2], "off"))
        *flag = false;
    else {
        reply_error(c->reply, SYNTAX_ERROR);
        return;
    }
    reply_ok(c->reply);
}

static void client_no_evict(struct call *c)
{
    set_flag(c, &c->session->no_evict);
}

static void client_no_touch(struct call *c)
{
    set_flag(c, &c->session->no_touch);
}

static void client_getredir(struct call *c)
{
    struct session_facts f = {.redir = -1};

    if (session_facts_hook)
        session_facts_hook(c->session, &f);
    reply_int(c->reply, f.redir);
}

/* --- about all of them --- */

static const char *const type_names[] = {"normal", "replica", "pubsub"};    /* enum session_class */

#define TYPE_LINK 100       /* "master": a link that the daemon has opened, none of our clients */

static int type_of(struct slice name)
{
    if (slice_is_nocase(name, "slave"))
        return SESSION_REPLICA;
    if (slice_is_nocase(name, "master"))
        return TYPE_LINK;
    for (int i = 0; i < 3; i++)
        if (slice_is_nocase(name, type_names[i]))
            return i;
    return -1;
}

static void unknown_type(struct call *c, struct slice name)
{
    reply_errorf(c->reply, "ERR Unknown client type '%.*s'", (int)name.len, name.p);
}

static void put_line(const struct session *s, struct str *out)
{
    session_line(s, out);
    str_append_c(out, '\n');
}

static void client_list(struct call *c)
{
    struct resp_server *srv = c->session->srv;
    struct str text = {0};
    int type = -1;

    if (c->argc == 4 && slice_is_nocase(c->argv[2], "type")) {
        type = type_of(c->argv[3]);
        if (type < 0) {
            unknown_type(c, c->argv[3]);
            return;
        }
    } else if (c->argc > 3 && slice_is_nocase(c->argv[2], "id")) {
        for (int i = 3; i < c->argc; i++) {
            struct session *s;
            int64_t id;
            if (!num_i64(c->argv[i].p, c->argv[i].len, &id)) {
                reply_error(c->reply, "ERR Invalid client ID");
                str_fini(&text);
                return;
            }
            s = id > 0 ? session_by_id(srv, (uint64_t)id) : NULL;
            if (s)
                put_line(s, &text);
        }
        reply_verbatim(c->reply, "txt", str_c(&text), text.len);
        str_fini(&text);
        return;
    } else if (c->argc != 2) {
        reply_error(c->reply, SYNTAX_ERROR);
        return;
    }
    list_each(struct session, s, &srv->sessions, link)
        if (type < 0 || (int)s->class == type)
            put_line(s, &text);
    reply_verbatim(c->reply, "txt", str_c(&text), text.len);
    str_fini(&text);
}

/* What CLIENT KILL's filters ask for; all that are given must hold. */
struct kill_filter {
    int type;                        /* -1: any */
    int64_t id;                      /* 0: any */
    struct slice addr, laddr, user, name;    /* p NULL: any */
    bool skip_me;
};

static bool addr_text_is(const struct session *s, struct addr a, struct slice want)
{
    char text[ADDR_TEXT_MAX];

    if (stream_is_unix(s->stream)) {
        size_t n = strlen(a.host);
        return want.len == n + 2 && !memcmp(want.p, a.host, n) && !memcmp(want.p + n, ":0", 2);
    }
    return slice_is(want, addr_text(&a, text));
}

static bool filter_holds(const struct kill_filter *f, const struct session *s, const struct session *me)
{
    return !s->gone && (f->type < 0 || (int)s->class == f->type) && (f->id == 0 || s->id == (uint64_t)f->id) &&
           (!f->addr.p || addr_text_is(s, stream_peer(s->stream), f->addr)) &&
           (!f->laddr.p || addr_text_is(s, stream_local(s->stream), f->laddr)) &&
           (!f->user.p || slice_is(f->user, acl_user_name(s->acl_user))) && (!f->name.p || (s->name && slice_is(f->name, s->name))) &&
           !(f->skip_me && s == me);
}

/* false: answered with an error. */
static bool read_filter(struct call *c, struct kill_filter *f)
{
    for (int i = 2; i < c->argc; i += 2) {
        struct slice what = c->argv[i], v = i + 1 < c->argc ? c->argv[i + 1] : slice_z("");

        if (i + 1 >= c->argc) {
            reply_error(c->reply, SYNTAX_ERROR);
            return false;
        }
        if (slice_is_nocase(what, "id")) {
            if (!num_i64_in(v.p, v.len, 1, INT64_MAX, &f->id)) {
                reply_error(c->reply, "ERR client-id should be greater than 0");
                return false;
            }
        } else if (slice_is_nocase(what, "type")) {
            f->type = type_of(v);
            if (f->type < 0) {
                unknown_type(c, v);
                return false;
            }
        } else if (slice_is_nocase(what, "addr")) {
            f->addr = v;
        } else if (slice_is_nocase(what, "laddr")) {
            f->laddr = v;
        } else if (slice_is_nocase(what, "name")) {
            f->name = v;
        } else if (slice_is_nocase(what, "user")) {
            if (!acl_find(c->session->srv->acl, v)) {
                reply_errorf(c->reply, "ERR No such user '%.*s'", (int)v.len, v.p);
                return false;
            }
            f->user = v;
        } else if (slice_is_nocase(what, "skipme") && (slice_is_nocase(v, "yes") || slice_is_nocase(v, "no"))) {
            f->skip_me = slice_is_nocase(v, "yes");
        } else {
            reply_error(c->reply, SYNTAX_ERROR);
            return false;
        }
    }
    return true;
}

static void client_kill(struct call *c)
{
    struct resp_server *srv = c->session->srv;
    struct kill_filter f = {.type = -1, .skip_me = true};
    bool old_form = c->argc == 3;
    int64_t killed = 0;
    bool me = false;

    if (old_form) {
        f.addr = c->argv[2];
        f.skip_me = false;
    } else if (!read_filter(c, &f)) {
        return;
    }
    list_each_safe(struct session, s, &srv->sessions, link) {
        if (!filter_holds(&f, s, c->session))
            continue;
        killed++;
        if (s == c->session)
            me = true;      /* after the answer */
        else
            session_close(s);
    }
    if (srv->hooks.kill_link && (f.type == TYPE_LINK || (f.type < 0 && f.addr.p)) && f.id == 0 && !f.laddr.p && !f.user.p && !f.name.p)
        killed += srv->hooks.kill_link(srv, f.addr);
    if (!old_form)
        reply_int(c->reply, killed);
    else if (killed)
        reply_ok(c->reply);
    else
        reply_error(c->reply, "ERR No such client");
    if (me)
        session_close_when_sent(c->session);
}

static void client_pause(struct call *c)
{
    struct resp_server *srv = c->session->srv;
    bool writes_only = false;
    int64_t ms;

    if (c->argc == 4 && slice_is_nocase(c->argv[3], "write")) {
        writes_only = true;
    } else if (c->argc > 4 || (c->argc == 4 && !slice_is_nocase(c->argv[3], "all"))) {
        reply_error(c->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
        return;
    }
    if (!num_i64(c->argv[2].p, c->argv[2].len, &ms)) {
        reply_error(c->reply, "ERR timeout is not an integer or out of range");
    } else if (ms < 0) {
        reply_error(c->reply, "ERR timeout is negative");
    } else {
        resp_server_pause(srv, ms_add(loop_now_ms(srv->loop), ms), writes_only);
        reply_ok(c->reply);
    }
}

static void client_unpause(struct call *c)
{
    resp_server_unpause(c->session->srv);
    reply_ok(c->reply);
}

#define CONN  (CMD_NOSCRIPT | CMD_LOADING | CMD_STALE)
#define ADMIN (CONN | CMD_ADMIN)

const struct command session_client_subs[] = {
/*    name        arity flags  run              keys     group         syntax, summary, since */
    { "id",        2, CONN,  client_id,       0, 0, 0, "connection", "", "The number of this connection.", "5.0.0" },
    { "info",      2, CONN,  client_info,     0, 0, 0, "connection", "", "What is known about this connection.", "6.2.0" },
    { "list",     -2, ADMIN, client_list,     0, 0, 0, "connection",
      "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]", "All connections, one per line.", "2.4.0" },
    { "kill",     -3, ADMIN, client_kill,     0, 0, 0, "connection",
      "<ip:port | <[ID client-id] [TYPE type] [USER username] [ADDR ip:port] [LADDR ip:port] [NAME name] [SKIPME <YES | NO>] ...>>",
      "Close connections.", "2.4.0" },
    { "setname",   3, CONN,  client_setname,  0, 0, 0, "connection", "connection-name", "Name this connection.", "2.6.9" },
    { "getname",   2, CONN,  client_getname,  0, 0, 0, "connection", "", "The name of this connection.", "2.6.9" },
    { "setinfo",   4, CONN,  client_setinfo,  0, 0, 0, "connection", "<LIB-NAME libname | LIB-VER libver>",
      "Which client library this is.", "7.2.0" },
    { "reply",     3, CONN,  client_reply,    0, 0, 0, "connection", "<ON | OFF | SKIP>", "Whether replies are sent.", "3.2.0" },
    { "pause",    -3, ADMIN, client_pause,    0, 0, 0, "connection", "timeout [WRITE | ALL]", "Let requests wait.", "3.0.0" },
    { "unpause",   2, ADMIN, client_unpause,  0, 0, 0, "connection", "", "Let requests run again.", "6.2.0" },
    { "no-evict",  3, ADMIN, client_no_evict, 0, 0, 0, "connection", "<ON | OFF>",
      "Never close this connection to save memory.", "7.0.0" },
    { "no-touch",  3, CONN,  client_no_touch, 0, 0, 0, "connection", "<ON | OFF>",
      "Reading through this connection does not count as use of a key.", "7.2.0" },
    { "getredir",  2, CONN,  client_getredir, 0, 0, 0, "connection", "",
      "Which connection gets this one's invalidations.", "6.0.0" },
    { "help",      2, CMD_LOADING | CMD_STALE, session_help, 0, 0, 0, "connection", "", "What can be asked.", "5.0.0" },
};
const size_t session_client_subs_n = sizeof session_client_subs / sizeof session_client_subs[0];
_Static_assert(sizeof session_client_subs / sizeof session_client_subs[0] == SESSION_CLIENT_SUBS,
               "SESSION_CLIENT_SUBS in session_words.h counts these rows");

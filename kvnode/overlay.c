/* A block for each setting: "#was <setting> <check of what file and command line said>", then its
 * lines as a configuration file would have them (none: it is to be empty). */
#include "kvnode/overlay.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/session.h"
#include "common/text/conf_lex.h"
#include "kvnode/server.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct overlay {
    char **was;                        /* one per row: its lines after file and command line */
};

static uint64_t check_of(const char *text)
{
    static const uint8_t key[16] = "kvnode-overlay-1";

    return hash_with(key, text, strlen(text));
}

/* ---- a row as lines ------------------------------------------------------------------------ */

struct lines_of {
    const char *name;
    struct str *out;
};

static void one_line(void *arg, const char *text)
{
    struct lines_of *l = arg;

    str_printf(l->out, "%s %s\n", l->name, text);
}

static void users_then(const struct server *srv, struct str *out)
{
    for (size_t i = 0; i < srv->opt.users.n; i++) {
        str_append_z(out, "user");
        for (int k = 0; k < srv->opt.users.at[i].argc; k++) {
            str_append_c(out, ' ');
            conf_put_word(out, slice_z(srv->opt.users.at[i].argv[k]));
        }
        str_append_c(out, '\n');
    }
}

static void whole_line(void *arg, const char *text) { str_printf(arg, "%s\n", text); }

static bool is_row(const struct option *o, const char *name) { return strcmp(o->name, name) == 0; }

static bool is_kept(const struct option *o)
{
    return o->type != OPT_IGNORED && o->type != OPT_REFUSED && (is_row(o, "user") || !(o->flags & OPT_NO_REWRITE));
}

static char *row_lines(const struct server *srv, const struct option *o)
{
    struct str out = {0}, value = {0};
    struct lines_of l = {o->name, &out};

    if (o->lines)
        o->lines(&srv->opt, one_line, &l);
    else {
        option_get_line(o, &srv->opt, &value);
        if (value.len > 0 || o->type == OPT_STR)
            one_line(&l, value.len ? str_c(&value) : "\"\"");
        str_fini(&value);
    }
    str_append_z(&out, "");
    return out.p ? str_take(&out) : mem_strdup("");
}

static char *row_was(const struct server *srv, const struct option *o)
{
    struct str out = {0};

    if (!is_row(o, "user"))
        return row_lines(srv, o);
    users_then(srv, &out);
    return out.p ? str_take(&out) : mem_strdup("");
}

/* ---- in ------------------------------------------------------------------------------------ */

static int apply_line(struct server *srv, const struct option *o, const char *line, size_t n, bool fresh, struct err *e)
{
    struct conf_words w;
    int rc;

    conf_words_init(&w);
    rc = conf_lex(line, n, &w, e);
    if (rc == 0 && w.argc > 0)
        rc = option_set_line(o, &srv->opt, w.argc - 1, w.argv + 1, fresh, NULL, e);
    conf_words_fini(&w);
    return rc;
}

static void apply_empty(struct server *srv, const struct option *o)
{
    if (is_row(o, "user"))
        acl_lines_clear(&srv->opt.users);
    else
        (void)option_set_line(o, &srv->opt, 0, NULL, true, NULL, NULL);
}

/* "#was <setting> <check>": NULL when the block is not to be used. */
static const struct option *block_row(struct server *srv, const char *line, size_t n, struct err *e)
{
    char name[80], check[20];
    char head[160];
    const struct option *o;

    if (!slice_copy_z((struct slice){line, n}, head, sizeof head) || sscanf(head, "#was %79s %19s", name, check) != 2 ||
        (o = option_find(&kv_option_table, slice_z(name))) == NULL || !is_kept(o)) {
        err_set(e, ERR_FORMAT, "'%.*s' in the overlay is not known here", (int)(n < 80 ? n : 80), line);
        return NULL;
    }
    if (strtoull(check, NULL, 16) == check_of(srv->overlay->was[o - kv_option_table.rows]))
        return o;
    log_notice("'%s' was changed at run time, and its line in the configuration was edited since: the configuration counts", o->name);
    return NULL;
}

static int apply(struct server *srv, const char *text, struct err *e)
{
    const struct option *o = NULL;
    bool fresh = false;
    int rc = 0;

    while (rc == 0 && *text) {
        const char *nl = strchr(text, '\n');
        size_t n = nl ? (size_t)(nl - text) : strlen(text);

        if (strncmp(text, "#was ", 5) == 0) {
            if (o && fresh)
                apply_empty(srv, o);
            e->code = 0;
            o = block_row(srv, text, n, e);
            fresh = true;
            rc = o ? 0 : e->code;
        } else if (o) {
            rc = apply_line(srv, o, text, n, fresh, e);
            fresh = false;
        }
        text += n + (nl != NULL);
    }
    if (rc == 0 && o && fresh)
        apply_empty(srv, o);
    return rc;
}

static int record_dir(struct server *srv, char out[PATH_MAX], struct err *e)
{
    const char *file = srv->opt.dbfilename ? srv->opt.dbfilename : "dump.rdb";
    char cwd[PATH_MAX];
    int n;

    if (srv->opt.state_dir && srv->opt.state_dir[0] == '/')
        n = snprintf(out, PATH_MAX, "%s", srv->opt.state_dir);
    else if (!getcwd(cwd, sizeof cwd))
        return err_sys(e, "read the present folder");
    else if (srv->opt.state_dir)
        n = snprintf(out, PATH_MAX, "%s/%s", cwd, srv->opt.state_dir);
    else
        n = snprintf(out, PATH_MAX, "%s/%s.record", cwd, file);
    return n < PATH_MAX ? 0 : err_set(e, ERR_RANGE, "the path of the node's record is too long");
}

int overlay_start(struct server *srv, struct err *e)
{
    char dir[PATH_MAX];
    int rc = record_dir(srv, dir, e);

    srv->overlay = mem_zalloc(sizeof *srv->overlay);
    srv->overlay->was = mem_zalloc(kv_option_table.n * sizeof *srv->overlay->was);
    for (size_t i = 0; i < kv_option_table.n; i++)
        if (is_kept(&kv_option_table.rows[i]))
            srv->overlay->was[i] = row_was(srv, &kv_option_table.rows[i]);
    if (rc == 0)
        rc = record_load(dir, srv->opt.state_dir != NULL, &srv->record, e);
    if (rc == 0 && srv->opt.state_dir && record_overlay(srv->record))
        rc = apply(srv, record_overlay(srv->record), e);
    if (rc == 0 && srv->opt.dir && chdir(srv->opt.dir) != 0 && strcmp(srv->opt.dir, "./") != 0 && srv->opt.dir[0] == '/')
        rc = err_sys(e, "'dir' %s", srv->opt.dir);
    return rc == 0 ? 0 : err_wrap(e, "%s", srv->opt.state_dir ? "'state-dir'" : dir);
}

/* ---- out ----------------------------------------------------------------------------------- */

static void put_block(struct server *srv, size_t i, const char *now, struct str *out)
{
    const char *was = srv->overlay->was[i];

    if (strcmp(was, now) == 0)
        return;
    str_printf(out, "#was %s %016llx\n%s", kv_option_table.rows[i].name, (unsigned long long)check_of(was), now);
}

static char *users_now(struct server *srv)
{
    struct str out = {0};

    if (!srv->opt.aclfile && !session_users_are_plain(&srv->resp))
        session_users_lines(&srv->resp, whole_line, &out);
    return out.p ? str_take(&out) : mem_strdup("");
}

int overlay_write(struct server *srv, record_done_fn *done, void *arg, struct err *e)
{
    struct str text = {0};
    char *dir = srv->opt.dir;
    char cwd[PATH_MAX];
    int rc;

    for (size_t i = 0; i < kv_option_table.n; i++) {
        const struct option *o = &kv_option_table.rows[i];
        char *now;

        if (!is_kept(o))
            continue;
        if (is_row(o, "user"))
            now = users_now(srv);
        else {
            now = row_lines(srv, o);
            if (is_row(o, "dir") && strcmp(now, srv->overlay->was[i]) != 0 && getcwd(cwd, sizeof cwd)) {
                mem_free(now);
                srv->opt.dir = cwd;    /* a relative folder would mean another one from where we are now */
                now = row_lines(srv, o);
                srv->opt.dir = dir;
            }
        }
        put_block(srv, i, now, &text);
        mem_free(now);
    }
    rc = record_set_overlay(srv->record, str_c(&text), srv->loop, done, arg, e);
    str_fini(&text);
    return rc;
}

void overlay_fini(struct server *srv)
{
    record_free(srv->record);
    srv->record = NULL;
    for (size_t i = 0; srv->overlay && i < kv_option_table.n; i++)
        mem_free(srv->overlay->was[i]);
    if (srv->overlay)
        mem_free(srv->overlay->was);
    mem_free(srv->overlay);
    srv->overlay = NULL;
}

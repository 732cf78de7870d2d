/* The file is written for each change that a vote or an address depends on. While that
 * fails this sentinel watches and answers, but does not vote. */
#include "sentinel/shell/save.h"

#include "common/io/clock.h"
#include "common/io/conf_file.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/session.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/shell.h"
#include "sentinel/wire/state_text.h"

#include <stdio.h>
#include <string.h>

#define STATE_FILE "sentinel.state"
#define SOON_MS 10
#define RETRY_MS 1000
#define STATE_BYTES_MAX (64u << 20)

struct save {
    struct shell *sh;
    char *path;                  /* of the state file, NULL = sentinel.conf is rewritten */
    char *corrupt;               /* why the state file must not be touched */
    char *trouble;
    int lock_fd;
    int64_t last_us;
    struct timer soon;
};

static void soon(struct timer *t, void *arg);

struct save *save_new(struct shell *sh)
{
    struct save *s = mem_zalloc(sizeof *s);

    s->sh = sh;
    timer_init(&s->soon, sh->loop, soon, s);
    s->lock_fd = -1;
    return s;
}

void save_free(struct save *s)
{
    if (!s)
        return;
    timer_clear(&s->soon);
    mem_free(s->path);
    mem_free(s->corrupt);
    mem_free(s->trouble);
    mem_free(s);
}

static int read_state(struct save *s, struct err *e)
{
    struct str text = {0};
    struct slice body;
    int rc = file_slurp(s->path, STATE_BYTES_MAX, &text, e);

    if (rc == 0)
        rc = state_unseal((struct slice){text.p, text.len}, &body, e);
    if (rc == 0)
        rc = sentinel_conf_state(&s->sh->opt->sentinel, body, e);
    str_fini(&text);
    return rc;
}

int save_load(struct save *s, bool *usable, struct err *e)
{
    const char *dir = s->sh->opt->state_dir;
    struct str path = {0};
    char whole[4096];
    int rc;

    *usable = true;
    if (!dir) {
        if (!s->sh->config_path)
            return err_set(e, ERR_MISSING, "there is nowhere to keep votes: give a configuration file (it is rewritten) or 'state-dir'");
        return 0;
    }
    rc = file_absolute(dir, whole, sizeof whole, e);
    if (rc == 0)
        rc = file_make_dirs(whole, 0750, e);
    if (rc != 0)
        return err_wrap(e, "'state-dir'");
    str_printf(&path, "%s/%s", whole, STATE_FILE);
    s->path = str_take(&path);
    str_printf(&path, "%s.lock", s->path);
    rc = file_lock(str_c(&path), &s->lock_fd, e);
    str_fini(&path);
    if (rc != 0)
        return err_wrap(e, "'state-dir' %s", dir);
    if (!file_exists(s->path))
        return 0;
    if (read_state(s, e) != 0) {
        struct str why = {0};

        str_printf(&why, "state file %s is not usable: %s. It is left in place; this sentinel does not vote. "
                   "Move the file away (votes of this sentinel are then forgotten) and start again.", s->path, e->text);
        s->corrupt = str_take(&why);
        log_warning("%s", s->corrupt);
        *usable = false;
    }
    return 0;
}

static int write_state(struct save *s, const struct saved *what, struct err *e)
{
    struct str body = {0}, file = {0};
    int rc;

    sentinel_conf_to_state(&s->sh->opt->sentinel, what, &body);
    state_seal((struct slice){str_c(&body), body.len}, &file);
    rc = file_replace(s->path, file.p, file.len, 0640, e);
    str_fini(&body);
    str_fini(&file);
    return rc;
}

static void put_user(void *arg, const char *text)
{
    conf_lines_add(arg, "user", text);
}

/* With an ACL file users have no business here. */
static void put_users(const struct shell *sh, struct conf_lines *lines)
{
    if (sh->opt->aclfile || (sh->opt->password && session_users_are_plain(&sh->server)))
        conf_lines_forget(lines, "user");
    else
        session_users_lines(&sh->server, put_user, lines);
}

static int rewrite_config(struct save *s, const struct saved *what, struct err *e)
{
    struct conf_lines *lines = conf_lines_new();
    int rc;

    conf_lines_from_options(lines, &sentinel_option_table, s->sh->opt);
    put_users(s->sh, lines);
    sentinel_conf_to_file(&s->sh->opt->sentinel, what, lines);
    rc = conf_file_rewrite(s->sh->config_path, lines, sentinel_conf_key, e);
    conf_lines_free(lines);
    return rc;
}

int save_now(struct save *s)
{
    struct saved what;
    struct err e = {0};
    int64_t began_us = clock_mono_us();
    int rc;

    if (!s->sh->core)
        return 0;
    timer_clear(&s->soon);
    saved_init(&what);
    core_saved(s->sh->core, &what);
    rc = s->corrupt ? err_set(&e, ERR_VERIFY, "%s", s->corrupt)
       : s->path ? write_state(s, &what, &e) : rewrite_config(s, &what, &e);
    saved_fini(&what);
    s->last_us = clock_mono_us() - began_us;
    if (rc != 0 && (!s->trouble || strcmp(s->trouble, e.text) != 0)) {
        mem_free(s->trouble);
        s->trouble = mem_strdup(e.text);
        log_warning("the state cannot be saved: %s", e.text);
    } else if (rc == 0 && s->trouble) {
        mem_free(s->trouble);
        s->trouble = NULL;
        publish_event(s->sh, "+state-saved", "#saved again", NULL);
    }
    if (rc != 0 && !s->corrupt)
        timer_set(&s->soon, RETRY_MS);
    return rc;
}

void save_soon(struct save *s)
{
    if (!timer_is_set(&s->soon))
        timer_set(&s->soon, SOON_MS);
}

int save_owed(struct save *s)
{
    struct event ev = {.kind = EV_SAVE_FAILED};

    if (!timer_is_set(&s->soon) || save_now(s) == 0)
        return 0;
    shell_step(s->sh, &ev);
    return ERR_SYS;
}

static void soon(struct timer *t, void *arg)
{
    struct save *s = arg;
    struct event ev = {.kind = EV_SAVE_FAILED};

    (void)t;
    if (save_now(s) != 0)
        shell_step(s->sh, &ev);
}

const char *save_trouble(const struct save *s)
{
    return s->trouble ? s->trouble : s->corrupt;
}

int64_t save_last_us(const struct save *s)
{
    return s->last_us;
}

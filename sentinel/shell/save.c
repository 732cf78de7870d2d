/* Saving, told as one thing whatever its home is: when it begins to fail, when it works
 * again, and the tries in between. */
#include "sentinel/shell/save.h"

#include "common/base/hash.h"
#include "common/io/clock.h"
#include "common/io/conf_file.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "common/io/notify.h"
#include "common/io/session.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/publish.h"
#include "sentinel/shell/shell.h"
#include "sentinel/shell/state.h"
#include "sentinel/wire/state_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOON_MS 10
#define RETRY_MS 1000

struct save {
    struct shell *sh;
    char *dir;                   /* state-dir, absolute; NULL = sentinel.conf is rewritten */
    struct state *state;         /* NULL although there is a dir: it could not be read */
    bool unreadable;             /* ... now; it is tried again */
    char *corrupt;               /* why nothing is saved over what is there */
    char *trouble;
    int64_t last_us;
    struct timer soon;
    struct timer grown;           /* the log wants a snapshot; not put off by the votes that go on meanwhile */
};

static void soon(struct timer *t, void *arg);
static void grown(struct timer *t, void *arg);

struct save *save_new(struct shell *sh)
{
    struct save *s = mem_zalloc(sizeof *s);

    s->sh = sh;
    timer_init(&s->soon, sh->loop, soon, s);
    timer_init(&s->grown, sh->loop, grown, s);
    return s;
}

void save_free(struct save *s)
{
    if (!s)
        return;
    timer_clear(&s->soon);
    timer_clear(&s->grown);
    /* A snapshot has no end that could be torn: after a clean stop every changed byte is found. */
    if (s->state && !s->corrupt && !s->trouble)
        (void)state_snapshot(s->state, NULL);
    state_close(s->state);
    mem_free(s->dir);
    mem_free(s->corrupt);
    mem_free(s->trouble);
    mem_free(s);
}

/* ---- at the start ------------------------------------------------------------------------ */

/* A copy must not appear under the id of the one it was copied from, and not under a new one at each start. */
static void id_of_a_copy(const char *why, char out[ID_MAX])
{
    char host[64] = "", text[640];
    uint8_t key[16] = "kvorum-copied";

    (void)gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "%s %s", host, why);
    for (int i = 0; i < ID_HEX; i += 8, key[15]++)
        snprintf(out + i, 9, "%08x", (unsigned)hash_with(key, text, strlen(text)));
}

static void cannot_use(struct save *s, const char *why)
{
    struct str text = {0};

    if (s->corrupt && strstr(s->corrupt, why))
        return;
    str_printf(&text, "the state is not usable: %s. It is left as it is; this sentinel does not vote.%s", why,
               s->unreadable ? " It is tried again."
                             : " Mend it, or move the folder away (votes of this sentinel are then forgotten), and start again.");
    mem_free(s->corrupt);
    s->corrupt = str_take(&text);
    log_warning("%s", s->corrupt);
}

int save_load(struct save *s, bool *usable, struct err *e)
{
    const char *dir = s->sh->opt->state_dir;
    char whole[4096];
    int rc;

    *usable = true;
    if (!dir) {
        if (!s->sh->config_path)
            return err_set(e, ERR_MISSING, "there is nowhere to keep votes: give a configuration file (it is rewritten) or 'state-dir'");
        return 0;
    }
    rc = file_absolute(dir, whole, sizeof whole, e);
    if (rc != 0)
        return err_wrap(e, "'state-dir'");
    s->dir = mem_strdup(whole);
    rc = state_open(s->dir, &s->sh->opt->sentinel, &s->state, e);
    if (rc == ERR_BUSY)
        return err_wrap(e, "'state-dir' %s", dir);
    if (rc != 0) {
        s->unreadable = rc == ERR_SYS;
        cannot_use(s, e->text);
    } else if (state_copied(s->state)) {
        id_of_a_copy(state_copied(s->state), s->sh->opt->sentinel.saved.id);
        cannot_use(s, state_copied(s->state));
    }
    *usable = s->corrupt == NULL;
    return 0;
}

/* What could not be read at the start can be read now. If there is nothing in it, it is ours; if there is, it is what
 * this process should have begun with. */
static void read_again(struct save *s)
{
    struct sentinel_conf found = {0};
    struct err e = {0};

    if (state_open(s->dir, &found, &s->state, &e) != 0) {
        cannot_use(s, e.text);
    } else if (found.saved.id[0] || state_copied(s->state)) {
        state_close(s->state);
        s->state = NULL;
        s->unreadable = false;
        cannot_use(s, "it could not be read at the start and can be now: start this sentinel again");
    } else {
        s->unreadable = false;
        mem_free(s->corrupt);
        s->corrupt = NULL;
    }
    sentinel_conf_fini(&found);
}

/* ---- the other home: sentinel.conf ---------------------------------------------------------- */

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
    if (rc != 0)
        err_wrap(e, "the configuration file (rewritten, because there is no 'state-dir')");
    conf_lines_free(lines);
    return rc;
}

/* ---- a save ---------------------------------------------------------------------------------- */

static int save_to_state(struct save *s, const struct saved *what, struct err *e)
{
    /* What comes out of a step of the quiet room changes no settings. */
    return state_save(s->state, &s->sh->opt->sentinel, what, !s->sh->busy, e);
}

static void told(struct save *s, int rc, const struct err *e)
{
    if (rc != 0 && (!s->trouble || strcmp(s->trouble, e->text) != 0)) {
        bool began = !s->trouble;

        mem_free(s->trouble);
        s->trouble = mem_strdup(e->text);
        log_warning("the state cannot be saved: %s", e->text);
        notify_status("observes, does not vote: %s", e->text);
        if (began && !s->sh->busy)
            log_warning("this sentinel is an observer until a save works again; it is tried once a second");
    } else if (rc == 0 && s->trouble) {
        mem_free(s->trouble);
        s->trouble = NULL;
        notify_status("watching %zu groups", core_group_count(s->sh->core));
        publish_event(s->sh, "+state-saved", "#saved again", NULL);
    }
}

static int ended(struct save *s, int rc, const struct err *e, int64_t began_us)
{
    s->last_us = clock_mono_us() - began_us;
    told(s, rc, e);
    if (rc != 0 && (!s->corrupt || s->unreadable))
        timer_set(&s->soon, RETRY_MS);
    else if (rc == 0 && s->state && state_wants_snapshot(s->state) && !timer_is_set(&s->grown))
        timer_set(&s->grown, SOON_MS);
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
    if (s->unreadable)
        read_again(s);
    saved_init(&what);
    core_saved(s->sh->core, &what);
    rc = s->corrupt ? err_set(&e, ERR_VERIFY, "%s", s->corrupt)
       : s->dir ? save_to_state(s, &what, &e) : rewrite_config(s, &what, &e);
    saved_fini(&what);
    return ended(s, rc, &e, began_us);
}

int save_formed(struct save *s, const char *group, struct slice lines)
{
    struct err e = {0};
    int64_t began_us = clock_mono_us();
    int rc;

    if (s->corrupt)
        rc = err_set(&e, ERR_VERIFY, "%s", s->corrupt);
    else if (s->dir)
        rc = state_save_formed(s->state, &s->sh->opt->sentinel, group, lines, &e);
    else {
        sentinel_conf_set_formed(&s->sh->opt->sentinel, group, lines);
        return save_now(s);
    }
    return ended(s, rc, &e, began_us);
}

const char *save_formed_text(struct save *s, const char *group)
{
    return sentinel_conf_formed(&s->sh->opt->sentinel, group);
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
    bool was_broken = core_save_broken(s->sh->core);
    struct event ev = {.kind = EV_SAVE_FAILED};

    (void)t;
    if (save_now(s) != 0) {
        shell_step(s->sh, &ev);
        return;
    }
    if (was_broken) {
        ev.kind = EV_SAVED;
        shell_step(s->sh, &ev);
        formed_groups_saves_again(s->sh->formed);
    }
}

static void grown(struct timer *t, void *arg)
{
    struct save *s = arg;
    struct event ev = {.kind = EV_SAVE_FAILED};
    struct err e = {0};

    (void)t;
    if (!s->state || !state_wants_snapshot(s->state) || state_snapshot(s->state, &e) == 0)
        return;
    (void)ended(s, ERR_SYS, &e, clock_mono_us());
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

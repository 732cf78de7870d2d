/* The shell with a real loop and a real folder: state on disk, a vote only when it can be
 * saved, scripts with their retries. No network: it listens on a unix socket, its group's
 * address is one where nobody is. */
#include "common/io/fault.h"
#include "common/io/file.h"
#include "sentinel/shell/events.h"
#include "sentinel/shell/hooks.h"
#include "sentinel/shell/save.h"
#include "tests/support/suite.h"
#include "tests/unit/sentinel/shell_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANDIDATE "0123456789abcdef0123456789abcdef01234567"

static const char *in_state(const char *name)
{
    static char path[192];

    snprintf(path, sizeof path, "%s/state/%s", dir, name);
    return path;
}

static void read_file(const char *name, struct str *out)
{
    struct err err;

    str_clear(out);
    ck_assert_msg(file_slurp(in_state(name), 0, out, &err) == 0, "%s", err.text);
}

static bool holds(const struct str *file, const char *what)
{
    return memmem(file->p, file->len, what, strlen(what)) != NULL;
}

/* Somebody asks for our vote in this epoch. */
static struct shell_answer ask_vote(uint64_t epoch)
{
    struct event ev = {.kind = EV_ASKED};
    struct shell_answer a;

    ck_assert(addr_set(&ev.u.asked.primary, "127.0.0.1", 9, 1));
    ev.u.asked.epoch = epoch;
    ev.u.asked.candidate = CANDIDATE;
    shell_ask(sh, &ev, &a);
    ck_assert(a.answered);
    return a;
}

START_TEST(test_vote_is_on_disk)
{
    struct str text = {0};
    struct shell_answer a;
    char id[ID_MAX];

    folder_make(dir);
    start("");
    strcpy(id, core_my_id(sh->core));
    a = ask_vote(5);
    ck_assert_str_eq(a.leader, CANDIDATE);
    ck_assert_uint_eq(a.leader_epoch, 5);
    read_file("log.1", &text);           /* no turn of the loop in between */
    ck_assert(holds(&text, "sentinel leader-epoch m 5\n"));
    ck_assert(holds(&text, "sentinel voted-leader m " CANDIDATE "\n"));
    ck_assert(holds(&text, "sentinel current-epoch 5\n"));
    stop();
    start("");                           /* a restart forgets none of it */
    ck_assert_str_eq(core_my_id(sh->core), id);
    ck_assert_uint_eq(core_current_epoch(sh->core), 5);
    a = ask_vote(4);
    ck_assert_str_ne(a.leader_epoch == 4 ? a.leader : "", CANDIDATE);
    stop();
    str_fini(&text);
    folder_remove(dir);
}
END_TEST

START_TEST(test_no_vote_without_disk)
{
    struct shell_answer a;
    char moved[128], folder[128];

    folder_make(dir);
    start("");
    snprintf(folder, sizeof folder, "%s/state", dir);
    snprintf(moved, sizeof moved, "%s/moved", dir);
    ck_assert_int_eq(rename(folder, moved), 0);
    a = ask_vote(5);
    ck_assert_str_eq(a.leader, "");
    ck_assert(core_save_broken(sh->core));
    ck_assert_ptr_nonnull(save_trouble(sh->save));
    ck_assert_int_eq(rename(moved, folder), 0);
    a = ask_vote(6);                     /* it can again */
    ck_assert_str_eq(a.leader, CANDIDATE);
    ck_assert_uint_eq(a.leader_epoch, 6);
    ck_assert_ptr_null(save_trouble(sh->save));
    stop();
    folder_remove(dir);
}
END_TEST

START_TEST(test_broken_state_stays)
{
    struct str text = {0}, after = {0};
    struct shell_answer a;
    struct err err;

    folder_make(dir);
    start("");
    a = ask_vote(5);
    stop();
    read_file("snapshot", &text);
    text.p[100] ^= 1;
    ck_assert_int_eq(file_replace(in_state("snapshot"), text.p, text.len, 0600, &err), 0);
    start("");
    ck_assert(core_save_broken(sh->core));
    ck_assert_ptr_nonnull(strstr(save_trouble(sh->save), "left as it is"));
    ck_assert_ptr_nonnull(strstr(save_trouble(sh->save), "/state/snapshot: it is damaged at byte 64"));
    a = ask_vote(6);
    ck_assert_str_eq(a.leader, "");
    ck_assert_int_ne(save_now(sh->save), 0);
    stop();
    read_file("snapshot", &after);
    ck_assert_uint_eq(after.len, text.len);
    ck_assert_int_eq(memcmp(after.p, text.p, text.len), 0);
    str_fini(&text);
    str_fini(&after);
    folder_remove(dir);
}
END_TEST

/* Two sentinels with one identity could vote twice in one epoch. */
START_TEST(test_a_copied_folder_observes)
{
    struct shell_answer a;
    char cmd[512], id[ID_MAX], copy_id[ID_MAX];

    folder_make(dir);
    start("");
    strcpy(id, core_my_id(sh->core));
    (void)ask_vote(5);
    stop();
    snprintf(cmd, sizeof cmd, "cp -a %s/state %s/copy && rm -r %s/state && mv %s/copy %s/state", dir, dir, dir, dir, dir);
    ck_assert_int_eq(system(cmd), 0);
    start("");
    ck_assert_ptr_nonnull(strstr(save_trouble(sh->save), "is a copy"));
    strcpy(copy_id, core_my_id(sh->core));
    ck_assert_str_ne(copy_id, id);
    a = ask_vote(6);
    ck_assert_str_eq(a.leader, "");
    stop();
    start("");                           /* the same stranger each time */
    ck_assert_str_eq(core_my_id(sh->core), copy_id);
    stop();
    ck_assert_int_eq(unlink(in_state("born")), 0);       /* accepted */
    start("");
    ck_assert_str_eq(core_my_id(sh->core), id);
    a = ask_vote(5);
    ck_assert_uint_eq(a.leader_epoch, 5);
    a = ask_vote(6);
    ck_assert_uint_eq(a.leader_epoch, 6);
    stop();
    folder_remove(dir);
}
END_TEST

/* One vote is one small append; the whole is written when the log has grown. */
START_TEST(test_votes_are_small)
{
    struct str text = {0};
    struct shell_answer a;
    size_t before;
    int64_t epoch = 5;

    folder_make(dir);
    start("");
    (void)ask_vote(4);
    read_file("log.1", &text);
    before = text.len;
    (void)ask_vote(5);
    read_file("log.1", &text);
    ck_assert_uint_lt(text.len - before, 700);
    ck_assert_int_eq(save_formed(sh->save, "m", slice_z("promised 9\n")), 0);
    while (file_exists(in_state("log.1"))) {
        (void)ask_vote((uint64_t)++epoch);
        loop_run_once(loop, false);
        ck_assert_int_lt(epoch, 10000);
    }
    ck_assert(file_exists(in_state("log.2")));
    stop();
    start("");
    ck_assert_str_eq(save_formed_text(sh->save, "m"), "promised 9\n");
    a = ask_vote((uint64_t)epoch - 1);
    ck_assert_uint_eq(a.leader_epoch, (uint64_t)epoch);
    stop();
    str_fini(&text);
    folder_remove(dir);
}
END_TEST

#ifdef KV_FAULTS
/* A disk that says no for a while: an observer meanwhile, and by itself a voter again. */
START_TEST(test_recovers_by_itself)
{
    struct shell_answer a;

    folder_make(dir);
    start("");
    fault_plan("1+:ENOSPC");
    a = ask_vote(5);
    ck_assert_str_eq(a.leader, "");
    ck_assert_ptr_nonnull(strstr(save_trouble(sh->save), "No space left"));
    fault_plan(NULL);
    while (core_save_broken(sh->core))   /* nobody asks: the timer does */
        loop_run_once(loop, true);
    ck_assert_ptr_null(save_trouble(sh->save));
    stop();
    start("");
    ck_assert_uint_eq(core_current_epoch(sh->core), 5);
    stop();
    folder_remove(dir);
}
END_TEST
#endif

/* Two processes on one folder would be two sentinels that overwrite each other's votes. */
START_TEST(test_one_at_a_time)
{
    int status = 0;
    pid_t child;

    folder_make(dir);
    start("");
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct sentinel_options mine = {0};
        struct err err = {0};
        int rc;

        rc = option_defaults(&sentinel_option_table, &mine, &err);
        mine.port = 0;
        mine.state_dir = mem_strdup(o.state_dir);
        rc = rc ? rc : sentinel_conf_check(&mine.sentinel, &err);
        rc = rc ? 0 : shell_start(shell_new(loop_new(), &mine, NULL), &err);
        _exit(rc != 0 && strstr(err.text, "state-dir") ? 7 : 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    stop();
    folder_remove(dir);
}
END_TEST

static uint64_t count(const char *event)
{
    const struct op_event *row = op_event_find(sentinel_events, sentinel_events_n, event);

    ck_assert_ptr_nonnull(row);
    return sh->event_counts[row - sentinel_events];
}

static const char *script(const char *name, const char *body)
{
    static char path[128];
    struct str text = {0};
    struct err err;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    str_printf(&text, "#!/bin/sh\necho \"$@\" >> '%s/%s.out'\n%s\n", dir, name, body);
    ck_assert_int_eq(file_replace(path, text.p, text.len, 0755, &err), 0);
    str_fini(&text);
    return path;
}

static void until_idle(void)
{
    for (int i = 0; i < 2000 && hooks_queued(sh->hooks) > 0; i++)
        loop_run_once(loop, true);
    ck_assert_uint_eq(hooks_queued(sh->hooks), 0);
}

START_TEST(test_scripts)
{
    struct str out = {0};
    char path[128];
    struct err err;

    folder_make(dir);
    start("");
    hooks_retry_delay_ms = 5;
    hooks_notify(sh->hooks, script("good", "exit 0"), "+odown", "master m 127.0.0.1 1");
    until_idle();
    snprintf(path, sizeof path, "%s/good.out", dir);
    ck_assert_int_eq(file_slurp(path, 0, &out, &err), 0);
    ck_assert_str_eq(str_c(&out), "+odown master m 127.0.0.1 1\n");
    hooks_notify(sh->hooks, script("never", "exit 2"), "+a", "b");
    until_idle();
    ck_assert_uint_eq(count("-script-error"), 1);
    /* exit code 1: later again, and it works the third time */
    hooks_notify(sh->hooks, script("later", "[ $(wc -l < \"$0.out\") -ge 3 ] && exit 0; exit 1"), "+a", "b");
    until_idle();
    ck_assert_uint_eq(count("-script-error"), 1);
    ck_assert_uint_eq(count("+script-child"), 1 + 1 + 3);
    hooks_max_runtime_ms = 500;        /* starting a shell takes its time where everybody else works too */
    hooks_notify(sh->hooks, script("slow", "[ $(wc -l < \"$0.out\") -ge 2 ] && exit 0; exec sleep 10"), "+a", "b");
    until_idle();
    ck_assert_uint_eq(count("-script-timeout"), 1);
    hooks_max_runtime_ms = 60000;
    hooks_retry_delay_ms = 30000;
    stop();
    str_fini(&out);
    folder_remove(dir);
}
END_TEST

START_TEST(test_script_queue_is_bounded)
{
    folder_make(dir);
    start("");
    const char *path = script("sleeper", "sleep 1");
    for (int i = 0; i < 300; i++)
        hooks_notify(sh->hooks, path, "+a", "b");
    ck_assert_uint_le(hooks_queued(sh->hooks), 256);
    ck_assert_uint_le(hooks_running(sh->hooks), 16);
    ck_assert_uint_eq(hooks_dropped(sh->hooks), 300 - 256);
    stop();
    folder_remove(dir);
}
END_TEST

#ifdef KV_FAULTS
#define WITH_FAULTS test_recovers_by_itself,
#else
#define WITH_FAULTS
#endif
SUITE(shell, WITH_FAULTS test_a_copied_folder_observes, test_votes_are_small, test_vote_is_on_disk, test_no_vote_without_disk, test_broken_state_stays, test_one_at_a_time, test_scripts,
      test_script_queue_is_bounded)

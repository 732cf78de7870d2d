/* A real folder, and a disk that fails, or takes the machine with it, at every call it can. */
#include "common/io/statelog.h"

#include "common/base/mem.h"
#include "common/io/fault.h"
#include "common/io/file.h"
#include "common/text/log_frame.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[FOLDER_MAX];
static struct statelog *l;
static struct str told;

static int note(void *arg, uint8_t type, struct slice bytes, struct err *e)
{
    (void)arg;
    (void)e;
    str_printf(&told, "%c%.*s ", type, (int)bytes.len, bytes.p);
    return 0;
}

static int try_open(struct err *e)
{
    struct statelog_spec spec = {.dir = dir, .owner = "test", .record = note};

    str_clear(&told);
    statelog_close(l);
    l = NULL;
    return statelog_open(&spec, &l, e);
}

static void reopen(void)
{
    struct err e = {0};

    ck_assert_msg(try_open(&e) == 0, "%s", e.text);
}

/* Thousands of commits, each with its syncs: what they wait for is not what is tested here. */
static void no_disk(void)
{
#ifdef KV_FAULTS
    fault_sync_is_free();
#endif
}

static void enter(void)
{
    no_disk();
    folder_make(dir);
    reopen();
}

static void leave(void)
{
    statelog_close(l);
    l = NULL;
    str_fini(&told);
    folder_remove(dir);
}

static int put(const char *a, const char *b)
{
    struct err e = {0};

    ck_assert_int_eq(statelog_append(l, 'r', slice_z(a), &e), 0);
    if (b)
        ck_assert_int_eq(statelog_append(l, 'r', slice_z(b), &e), 0);
    return statelog_commit(l, &e);
}

static int begin_anew(const char *what)
{
    struct err e = {0};

    statelog_snapshot_begin(l);
    statelog_snapshot_add(l, 'S', slice_z(what));
    return statelog_snapshot_end(l, &e);
}

static void in_dir(const char *name, char out[128]) { snprintf(out, 128, "%s/%s", dir, name); }

START_TEST(remembers)
{
    struct statelog_stats st;
    char path[128];
    struct err e;

    enter();
    ck_assert(statelog_born(l)->fresh && strlen(statelog_born(l)->id) == 32);
    ck_assert_ptr_null(statelog_trouble(l));
    ck_assert_int_eq(put("1", "2"), 0);
    ck_assert_int_eq(put("3", NULL), 0);
    ck_assert_int_eq(statelog_append(l, 'r', slice_z("never committed"), &e), 0);
    reopen();
    ck_assert_str_eq(str_c(&told), "r1 r2 r3 ");
    ck_assert(!statelog_born(l)->fresh && !statelog_born(l)->reborn && !statelog_born(l)->copied);
    ck_assert_int_eq(begin_anew("all"), 0);
    ck_assert_int_eq(put("5", ""), 0);
    statelog_stats(l, &st);
    ck_assert_uint_eq(st.generation, 2);
    ck_assert_uint_eq(st.records, 3);
    reopen();
    ck_assert_str_eq(str_c(&told), "Sall r5 r ");
    in_dir("log.1", path);
    ck_assert(!file_exists(path));
    leave();
}
END_TEST

START_TEST(a_torn_end_is_cut_off)
{
    struct statelog_stats st;
    char path[128];

    enter();
    ck_assert_int_eq(put("1", NULL), 0);
    in_dir("log.1", path);
    statelog_stats(l, &st);
    ck_assert_int_eq(put("2", NULL), 0);
    ck_assert_int_eq(truncate(path, (off_t)st.log_bytes + 9), 0);
    reopen();
    ck_assert_str_eq(str_c(&told), "r1 ");
    statelog_stats(l, &st);
    ck_assert_uint_eq(st.torn_bytes, 9);
    ck_assert_int_eq(put("3", NULL), 0);
    reopen();
    ck_assert_str_eq(str_c(&told), "r1 r3 ");
    leave();
}
END_TEST

static void flip(const char *name, long at)
{
    char path[128], c;
    int fd;

    in_dir(name, path);
    fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)pread(fd, &c, 1, at), 1);
    c ^= 1;
    ck_assert_int_eq((int)pwrite(fd, &c, 1, at), 1);
    close(fd);
}

START_TEST(damage_is_an_error_that_says_where)
{
    char path[128], back[128];
    struct err e = {0};

    enter();
    ck_assert_int_eq(begin_anew("0"), 0);
    ck_assert_int_eq(put("1", NULL), 0);
    ck_assert_int_eq(put("2", NULL), 0);
    flip("log.2", LOG_HEADER_BYTES + 26);
    ck_assert_int_eq(try_open(&e), ERR_VERIFY);
    ck_assert_ptr_nonnull(strstr(e.text, "/log.2"));
    ck_assert_ptr_nonnull(strstr(e.text, "byte 64"));
    flip("log.2", LOG_HEADER_BYTES + 26);
    flip("snapshot", LOG_HEADER_BYTES + 2);
    ck_assert_int_eq(try_open(&e), ERR_VERIFY);
    ck_assert_ptr_nonnull(strstr(e.text, "/snapshot"));
    flip("snapshot", LOG_HEADER_BYTES + 2);
    in_dir("log.2", path);
    in_dir("away", back);
    ck_assert_int_eq(rename(path, back), 0);
    ck_assert_int_eq(try_open(&e), ERR_VERIFY);          /* half of the state is gone: no fresh folder */
    ck_assert_int_eq(rename(back, path), 0);
    in_dir("snapshot", path);
    ck_assert_int_eq(rename(path, back), 0);
    ck_assert_int_eq(try_open(&e), ERR_VERIFY);
    ck_assert_int_eq(rename(back, path), 0);
    reopen();
    ck_assert_str_eq(str_c(&told), "S0 r1 r2 ");
    leave();
}
END_TEST

START_TEST(the_second_is_told_who_was_first)
{
    char pid[32];
    int status;

    enter();
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    if (fork() == 0) {
        struct statelog_spec spec = {.dir = dir, .owner = "test", .record = note};
        struct statelog *mine = NULL;
        struct err e = {0};

        _exit(statelog_open(&spec, &mine, &e) == ERR_BUSY && strstr(e.text, pid) ? 0 : 1);
    }
    ck_assert_int_gt(wait(&status), 0);
    ck_assert_int_eq(status, 0);
    leave();
}
END_TEST

START_TEST(another_owner_is_refused)
{
    struct statelog_spec spec = {.dir = dir, .owner = "other", .record = note};
    struct statelog *mine = NULL;
    struct err e = {0};

    enter();
    statelog_close(l);
    l = NULL;
    ck_assert_int_eq(statelog_open(&spec, &mine, &e), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "of a test, not of a other"));
    leave();
}
END_TEST

START_TEST(a_copy_is_told_from_the_folder_itself)
{
    char first[STATELOG_ID_MAX], cmd[512], path[128], there[32];
    struct err e = {0};

    enter();
    ck_assert_int_eq(put("1", NULL), 0);
    strcpy(first, statelog_born(l)->id);
    statelog_close(l);
    l = NULL;
    snprintf(cmd, sizeof cmd, "mv %s %s-moved && cp -a %s-moved %s-copy", dir, dir, dir, dir);
    ck_assert_int_eq(system(cmd), 0);
    snprintf(there, sizeof there, "%.31s", dir);
    strcat(dir, "-moved");
    reopen();                                            /* moved: still itself */
    ck_assert(!statelog_born(l)->copied);
    ck_assert_str_eq(statelog_born(l)->id, first);
    ck_assert_int_eq(put("2", NULL), 0);
    leave();
    snprintf(dir, sizeof dir, "%s-copy", there);
    reopen();
    ck_assert(statelog_born(l)->copied);
    ck_assert_str_eq(str_c(&told), "r1 ");               /* to read it does */
    ck_assert_ptr_nonnull(statelog_trouble(l));
    ck_assert_int_eq(put("2", NULL), ERR_REFUSED);
    statelog_snapshot_begin(l);
    ck_assert_int_eq(statelog_snapshot_end(l, &e), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "is a copy"));
    in_dir("born", path);
    ck_assert_int_eq(unlink(path), 0);                   /* accepted: another name from now on */
    reopen();
    ck_assert(statelog_born(l)->reborn && !statelog_born(l)->copied);
    ck_assert_str_ne(statelog_born(l)->id, first);
    ck_assert_int_eq(put("2", NULL), 0);
    reopen();
    ck_assert(!statelog_born(l)->reborn);
    ck_assert_str_eq(str_c(&told), "r1 r2 ");
    leave();
}
END_TEST

START_TEST(a_removed_log_is_noticed)
{
    char path[128];

    enter();
    in_dir("log.1", path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_ne(put("3", NULL), 0);
    ck_assert_int_eq(begin_anew("again"), 0);
    reopen();
    ck_assert_str_eq(str_c(&told), "Sagain ");
    snprintf(path, sizeof path, "%s-away", dir);         /* and so is a folder that is not where it was */
    ck_assert_int_eq(rename(dir, path), 0);
    ck_assert_int_ne(put("4", NULL), 0);
    ck_assert_int_ne(begin_anew("more"), 0);
    ck_assert(!file_exists(dir));
    ck_assert_int_eq(rename(path, dir), 0);
    ck_assert_int_eq(begin_anew("more"), 0);
    leave();
}
END_TEST

START_TEST(limits_are_kept)
{
    struct err e = {0};
    size_t n = 0;
    char *big;

    enter();
    big = mem_zalloc(STATELOG_RECORD_MAX + 1);
    ck_assert_int_eq(statelog_append(l, 'r', (struct slice){big, STATELOG_RECORD_MAX + 1}, &e), ERR_LIMIT);
    while (statelog_append(l, 'r', (struct slice){big, STATELOG_RECORD_MAX}, &e) == 0)
        ck_assert_uint_lt(++n, 100);
    ck_assert_uint_eq(n, 7);
    ck_assert_int_eq(statelog_commit(l, &e), 0);
    ck_assert(statelog_wants_snapshot(l));
    statelog_snapshot_begin(l);
    for (n = 0; n < 20; n++)
        statelog_snapshot_add(l, 'S', (struct slice){big, STATELOG_RECORD_MAX});
    ck_assert_int_eq(statelog_snapshot_end(l, &e), 0);
    ck_assert(!statelog_wants_snapshot(l));
    ck_assert_int_eq(put("1", NULL), 0);
    reopen();
    mem_free(big);
    leave();
}
END_TEST

#ifdef KV_FAULTS
/* ---- commits that nobody waits for -------------------------------------------------------- */

static int done_n, done_rc;

static void done(void *arg, int rc, const struct err *e)
{
    (void)e;
    ck_assert_int_eq((int)(intptr_t)arg, done_n);        /* in order */
    done_n++;
    done_rc = rc;
}

START_TEST(later_means_off_the_loop)
{
    struct loop *loop = loop_new();
    struct err e = {0};

    enter();
    done_n = 0;
    for (intptr_t i = 0; i < 20; i++) {
        ck_assert_int_eq(statelog_append(l, 'r', slice_z("x"), &e), 0);
        statelog_commit_later(l, loop, done, (void *)i);
        if (i == 10)
            ck_assert_int_eq(put("now", NULL), 0);       /* overtakes nobody */
        if (i == 15)
            ck_assert_int_eq(begin_anew("all"), 0);
    }
    while (done_n < 20)
        loop_run_once(loop, true);
    ck_assert_int_eq(done_rc, 0);
    reopen();
    ck_assert_str_eq(str_c(&told), "Sall rx rx rx rx ");
    fault_plan("1:EIO");
    done_n = 0;
    ck_assert_int_eq(statelog_append(l, 'r', slice_z("y"), &e), 0);
    statelog_commit_later(l, loop, done, NULL);
    while (done_n < 1)
        loop_run_once(loop, true);
    ck_assert_int_eq(done_rc, ERR_SYS);
    ck_assert_ptr_nonnull(statelog_trouble(l));
    fault_plan(NULL);
    ck_assert_int_eq(begin_anew("b"), 0);
    leave();
    loop_free(loop);
}
END_TEST

/* ---- every call fails, or is the last ------------------------------------------------------- */

/* The state is a number that only grows. The caller hears through `sure` what was answered. */
static void play(volatile long *state, volatile long *sure)
{
    for (int round = 0; round < 12; round++) {
        char text[32];

        snprintf(text, sizeof text, "%ld", ++*state);
        if (statelog_trouble(l) || round % 5 == 4) {
            if (begin_anew(text) == 0)
                *sure = *state;
        } else if (put(text, round % 3 ? NULL : text) == 0)
            *sure = *state;
    }
}

static long last_told(void)
{
    const char *at = strrchr(str_c(&told), ' ');

    if (!at)
        return 0;
    while (at > str_c(&told) && at[-1] != ' ')
        at--;
    return strtol(at + 1, NULL, 10);
}

START_TEST(no_error_loses_what_was_answered)
{
    static const char *const kinds[] = {"EIO", "ENOSPC"};

    for (size_t k = 0; k < 4; k++)
        for (int at = 1;; at++) {
            volatile long state = 0, sure = 0;
            unsigned calls;
            char plan[32];

            enter();
            snprintf(plan, sizeof plan, "%d%s:%s", at, k / 2 ? "+" : "", kinds[k % 2]);
            fault_plan(plan);
            play(&state, &sure);
            calls = fault_count();
            fault_plan(NULL);
            reopen();
            ck_assert_msg(last_told() >= sure && last_told() <= state, "%s: %ld of %ld in '%s'", plan, last_told(), sure, str_c(&told));
            ck_assert_msg(k / 2 || sure >= state - 1 || (int)calls < at + 12, "%s: it did not recover", plan);
            ck_assert_int_eq(put("77", NULL), 0);
            leave();
            if ((int)calls < at)
                break;
        }
}
END_TEST

static void die_at_every_call(const char *kind)
{
    for (int at = 1;; at++) {
        int pipes[2], status;
        long seen = 0, sure = 0;
        pid_t pid;

        folder_make(dir);
        ck_assert_int_eq(pipe(pipes), 0);
        no_disk();
        pid = fork();
        if (pid == 0) {
            volatile long state = 0, said = 0, before = 0;
            char plan[32];

            snprintf(plan, sizeof plan, "%d:%s", at, kind);
            fault_plan(plan);
            reopen();
            for (int i = 0; i < 4; i++) {
                play(&state, &said);
                if (said != before && write(pipes[1], &(long){before = said}, sizeof(long)) < 0)
                    _exit(3);
            }
            _exit(0);
        }
        close(pipes[1]);
        while (read(pipes[0], &seen, sizeof seen) == (ssize_t)sizeof seen)
            sure = seen;
        close(pipes[0]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        reopen();
        ck_assert_msg(last_told() >= sure, "%d:%s: %ld of %ld in '%s'", at, kind, last_told(), sure, str_c(&told));
        ck_assert_int_eq(put("77", NULL), 0);
        reopen();
        ck_assert_int_eq((int)last_told(), 77);
        leave();
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            break;
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
}

START_TEST(no_kill_loses_what_was_answered) { die_at_every_call("kill"); }
END_TEST
START_TEST(no_torn_write_loses_what_was_answered) { die_at_every_call("short"); }
END_TEST
START_TEST(no_power_cut_loses_what_was_answered) { die_at_every_call("lose"); }
END_TEST

SUITE(statelog, remembers, a_torn_end_is_cut_off, damage_is_an_error_that_says_where, the_second_is_told_who_was_first,
      another_owner_is_refused, a_copy_is_told_from_the_folder_itself, a_removed_log_is_noticed, limits_are_kept,
      later_means_off_the_loop, no_error_loses_what_was_answered, no_kill_loses_what_was_answered,
      no_torn_write_loses_what_was_answered, no_power_cut_loses_what_was_answered)
#else
SUITE(statelog, remembers, a_torn_end_is_cut_off, damage_is_an_error_that_says_where, the_second_is_told_who_was_first,
      another_owner_is_refused, a_copy_is_told_from_the_folder_itself, a_removed_log_is_noticed, limits_are_kept)
#endif

/* A node's own facts: what survives, when a life ends, and a disk that takes the machine with it. */
#include "kvnode/disk/record.h"

#include "common/base/mem.h"
#include "common/io/fault.h"
#include "common/io/file.h"
#include "kvnode/disk/record_text.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char top[FOLDER_MAX], dir[FOLDER_MAX + 16];

static void enter(void)
{
#ifdef KV_FAULTS
    fault_sync_is_free();                                /* hundreds of deaths: what the disk takes for each is not what is tested */
#endif
    folder_make(top);
    snprintf(dir, sizeof dir, "%s/record", top);
}

static void leave(void) { folder_remove(top); }

static struct record *load(bool always)
{
    struct record *r = NULL;
    struct err e = {0};

    ck_assert_msg(record_load(dir, always, &r, &e) == 0, "%s", e.text);
    return r;
}

START_TEST(a_plain_node_writes_nothing)
{
    struct record *r;
    struct member_facts f;
    struct err e = {0};
    uint64_t life;

    enter();
    r = load(false);
    life = record_facts(r)->life;
    ck_assert(life != 0 && strlen(record_facts(r)->id) == 40);
    f = *record_facts(r);
    f.sealed = 3;
    ck_assert_int_eq(record_save(r, &f, &e), 0);
    ck_assert(!file_exists(dir));
    f.gid = 77;                                          /* bound: from now on it is kept */
    f.bound_ballot = 9;
    ck_assert_int_eq(record_save(r, &f, &e), 0);
    ck_assert(file_exists(dir));
    record_free(r);
    r = load(false);
    ck_assert_mem_eq(record_facts(r), &f, sizeof f);
    record_free(r);
    leave();
}
END_TEST

START_TEST(a_life_ends_without_proof)
{
    struct record *r;
    struct err e = {0};
    uint64_t life;

    enter();
    r = load(true);
    life = record_facts(r)->life;
    ck_assert(!record_prove(r, false, NULL, 0, &e) && e.code == 0);
    ck_assert(record_facts(r)->life != life);            /* no farewell: this memory is another */
    life = record_facts(r)->life;
    ck_assert_int_eq(record_farewell(r, "abc", 42, &e), 0);
    record_free(r);
    r = load(true);
    ck_assert(record_facts(r)->life == life);
    ck_assert(record_prove(r, true, "abc", 42, &e));
    ck_assert(record_facts(r)->life == life);
    record_free(r);
    r = load(true);                                      /* the farewell was good once */
    ck_assert(!record_prove(r, true, "abc", 42, &e));
    ck_assert(record_facts(r)->life != life);
    life = record_facts(r)->life;
    ck_assert_int_eq(record_farewell(r, "abc", 50, &e), 0);
    record_free(r);
    r = load(true);                                      /* an older data file */
    ck_assert(!record_prove(r, true, "abc", 42, &e));
    ck_assert(record_facts(r)->life != life);
    life = record_facts(r)->life;
    record_free(r);
    r = load(true);
    ck_assert(record_facts(r)->life == life);
    record_free(r);
    leave();
}
END_TEST

static void kept(void *arg, int rc, const struct err *e)
{
    (void)e;
    *(int *)arg = rc;
}

START_TEST(epochs_and_overlay_come_back)
{
    struct loop *loop = loop_new();
    int durable = -1;
    struct record_epoch at[3] = {{1, 0}, {4, 100}, {9, 100}};
    const struct record_epoch *got;
    struct record *r;
    struct err e = {0};
    size_t n;

    enter();
    r = load(true);
    ck_assert_ptr_null(record_overlay(r));
    record_set_epochs(r, at, 3, loop);
    ck_assert_int_eq(record_set_overlay(r, "replicaof 10.0.0.1 6379\n", loop, kept, &durable, &e), 0);
    ck_assert_int_eq(durable, -1);                       /* not before a later turn */
    while (durable == -1)
        loop_run_once(loop, true);
    ck_assert_int_eq(durable, 0);
    record_free(r);
    r = load(true);
    got = record_epochs(r, &n);
    ck_assert_uint_eq(n, 3);
    ck_assert_mem_eq(got, at, sizeof at);
    ck_assert_str_eq(record_overlay(r), "replicaof 10.0.0.1 6379\n");
    record_free(r);
    loop_free(loop);
    leave();
}
END_TEST

START_TEST(a_copied_folder_is_another_life)
{
    struct record *r;
    struct err e = {0};
    char cmd[512];

    enter();
    r = load(true);
    ck_assert_int_eq(record_farewell(r, "abc", 42, &e), 0);
    record_free(r);
    snprintf(cmd, sizeof cmd, "cp -a %s %s.copy && rm -r %s && mv %s.copy %s", dir, dir, dir, dir, dir);
    ck_assert_int_eq(system(cmd), 0);
    r = load(true);
    ck_assert(!record_prove(r, true, "abc", 42, &e));
    ck_assert_int_ne(e.code, 0);                         /* and it may not be written to: this node answers nobody */
    ck_assert_ptr_nonnull(strstr(e.text, "is a copy"));
    record_free(r);
    leave();
}
END_TEST

START_TEST(rubbish_is_refused)
{
    struct member_facts f = {.life = 5, .gid = 6, .sealed = 7}, g;
    struct str text = {0}, bad = {0};
    struct err e = {0};

    memset(f.id, 'a', 40);
    record_text_put(&f, &text);
    ck_assert_int_eq(record_text_get((struct slice){text.p, text.len}, &g, &e), 0);
    ck_assert_mem_eq(&f, &g, sizeof f);
    for (size_t n = 0; n + 1 < text.len; n++)
        ck_assert_int_lt(record_text_get((struct slice){text.p, n}, &g, &e), 0);
    str_printf(&bad, "%ssealed 9\n", str_c(&text));
    ck_assert_int_lt(record_text_get((struct slice){bad.p, bad.len}, &g, &e), 0);
    ck_assert_ptr_nonnull(strstr(e.text, "twice"));
    str_fini(&text);
    str_fini(&bad);
}
END_TEST

#ifdef KV_FAULTS
/* `sealed` rises; what was answered is never taken back, whatever call was the last. */
START_TEST(no_death_takes_a_seal_back)
{
    static const char *const kinds[] = {"kill", "short", "lose", "EIO"};

    for (size_t k = 0; k < 4; k++)
        for (int at = 1;; at++) {
            uint64_t sure[2] = {0, 0}, seen[2];
            int pipes[2], status;
            struct record *r;
            pid_t pid;

            enter();
            ck_assert_int_eq(pipe(pipes), 0);
            pid = fork();
            if (pid == 0) {
                struct member_facts f;
                struct err e = {0};
                char plan[32];

                snprintf(plan, sizeof plan, "%d:%s", at, kinds[k]);
                fault_plan(plan);
                if (record_load(dir, true, &r, &e) != 0)
                    _exit(4);
                if (!record_prove(r, false, NULL, 0, &e) && e.code != 0)
                    _exit(5);
                for (int i = 0; i < 30; i++) {
                    f = *record_facts(r);
                    f.sealed++;
                    f.gid = 3;
                    if (record_save(r, &f, &e) != 0)
                        continue;
                    seen[0] = f.sealed;
                    seen[1] = f.life;
                    if (write(pipes[1], seen, sizeof seen) < 0)
                        _exit(3);
                }
                _exit(0);
            }
            close(pipes[1]);
            while (read(pipes[0], seen, sizeof seen) == (ssize_t)sizeof seen)
                memcpy(sure, seen, sizeof sure);
            close(pipes[0]);
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
            r = load(true);
            ck_assert_msg(record_facts(r)->sealed >= sure[0], "%d:%s", at, kinds[k]);
            ck_assert_msg(record_facts(r)->sealed <= sure[0] + 1, "%d:%s", at, kinds[k]);
            ck_assert_msg(sure[0] == 0 || record_facts(r)->life == sure[1], "%d:%s", at, kinds[k]);
            record_free(r);
            leave();
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && (k < 3 || at > 90))
                break;
            ck_assert(k == 3 || (WIFSIGNALED(status) && WTERMSIG(status) == 9));
        }
}
END_TEST
SUITE(record, a_plain_node_writes_nothing, a_life_ends_without_proof, epochs_and_overlay_come_back, a_copied_folder_is_another_life,
      rubbish_is_refused, no_death_takes_a_seal_back)
#else
SUITE(record, a_plain_node_writes_nothing, a_life_ends_without_proof, epochs_and_overlay_come_back, a_copied_folder_is_another_life,
      rubbish_is_refused)
#endif

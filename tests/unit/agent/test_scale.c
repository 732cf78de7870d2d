/* The keeper of instances: its table, pair by pair, and each row with a systemctl that only pretends: files say which
 * units are there and which verb fails, and it waits for as long as a file "hold-<verb>" is there. */
#include "agent/shell/scale.h"
#include "common/base/mem.h"
#include "tests/support/suite.h"
#include "tests/unit/agent/agent_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char systemctl[] =
    "#!/bin/sh\n"
    "cd %s || exit 9\n"
    "for w; do case $w in show|start|stop) verb=$w ;; esac; done\n"
    "while [ \"$1\" != -- ]; do shift; done; shift\n"
    "echo \"$verb\" \"$@\" >> calls\n"
    "while [ -e hold-$verb ]; do sleep 0.01; done\n"
    "[ -e fail-$verb ] && { cat fail-$verb; exit 4; }\n"
    "case $verb in\n"
    "show) for f in root/*; do [ -e \"$f\" ] && printf 'Id=%%s\\nActiveState=%%s\\nResult=exit-code\\n\\n' \"${f#root/}\" \"$(cat \"$f\")\"; done; true ;;\n"
    "start) for u; do cat become 2>/dev/null > \"root/$u\" || echo active > \"root/$u\"; done ;;\n"
    "stop) for u; do rm -f \"root/$u\"; done ;;\n"
    "esac\n";

struct bed {
    struct scene scene;
    struct loop *loop;
    struct allow allow;
    struct scale *s;
    struct docname name;
    char program[128];
    int told;                    /* how often */
    char why[600];               /* the last word, "" = all is well */
    char drains[600];            /* "+web@3.service -web@3.service" */
    int64_t drain_ms;            /* what drain answers */
};

static void on_result(void *owner, const struct docname *name, const char *why)
{
    struct bed *b = owner;

    ck_assert(docname_equal(name, &b->name));
    b->told++;
    snprintf(b->why, sizeof b->why, "%s", why ? why : "");
}

static int64_t drain(void *owner, const char *unit, bool on)
{
    struct bed *b = owner;
    size_t n = strlen(b->drains);

    snprintf(b->drains + n, sizeof b->drains - n, "%s%c%s", n ? " " : "", on ? '+' : '-', unit);
    return b->drain_ms;
}

static struct loop *one_loop;    /* children belong to one loop as long as the process lives */

static void bed_make(struct bed *b, int64_t look_ms)
{
    char text[sizeof systemctl + 100];

    memset(b, 0, sizeof *b);
    scene_init(&b->scene);
    snprintf(text, sizeof text, systemctl, b->scene.folder);
    scene_write(&b->scene, "systemctl", text);
    snprintf(b->program, sizeof b->program, "%s/systemctl", b->scene.folder);
    ck_assert_int_eq(chmod(b->program, 0755), 0);
    b->allow.systemctl = b->program;
    allow_add_unit(&b->allow, "web@*.service");
    ck_assert(docname_parse(slice_z("scale:web"), &b->name));
    if (!one_loop)
        one_loop = loop_new();
    b->loop = one_loop;
    b->s = scale_new(&(struct scale_opts){.loop = b->loop, .allow = &b->allow, .node = "n1", .look_ms = look_ms, .owner = b,
                                          .on_result = on_result, .drain = drain});
}

static void bed_free(struct bed *b)
{
    scale_free(b->s);
    loop_again(b->loop);
    loop_run_once(b->loop, true);                       /* what was parked goes */
    allow_fini(&b->allow);
    scene_fini(&b->scene);
}

static void want(struct bed *b, int instances)
{
    struct plan_scale p = {.instances = instances, .max = 9, .unit = (char *)"web@.service"};
    struct err e = {0};

    ck_assert_msg(scale_want(b->s, &b->name, &p, &e) == 0, "%s", e.text);
}

static void drop(struct bed *b, const char *file)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", b->scene.folder, file);
    ck_assert_int_eq(unlink(path), 0);
}

static void unit_is(struct bed *b, int number, const char *state)
{
    char path[64];

    snprintf(path, sizeof path, "root/web@%d.service", number);
    if (state)
        scene_write(&b->scene, path, state);
    else
        drop(b, path);
}

#define is(b, state) (scale_state_of((b)->s, &(b)->name) == (int)(state))
#define wait_for(b, state) turn_until((b)->loop, is(b, state))
#define wait_well(b) turn_until((b)->loop, is(b, KS_IDLE) && (b)->told && !(b)->why[0])
#define wait_called(b, text) turn_until((b)->loop, strstr(scene_read(&(b)->scene, "calls"), text))

/* --- the table ------------------------------------------------------------------------------- */

START_TEST(test_each_state_and_event)
{
    enum { NO = -1 };
    static const int next[KS_STATES][KE_KINDS] = {
        /*                 look         right    failed   missing      surplus      moving      done         broken */
        [KS_IDLE]     = {KS_LOOKING,  NO,      NO,      NO,          NO,          NO,         NO,          NO},
        [KS_LOOKING]  = {KS_LOOKING,  KS_IDLE, KS_IDLE, KS_STARTING, KS_DRAINING, KS_WAITING, NO,          KS_IDLE},
        [KS_STARTING] = {KS_STARTING, NO,      NO,      NO,          NO,          NO,         KS_LOOKING,  KS_IDLE},
        [KS_DRAINING] = {KS_LOOKING,  NO,      NO,      NO,          NO,          NO,         KS_STOPPING, NO},
        [KS_STOPPING] = {KS_STOPPING, NO,      NO,      NO,          NO,          NO,         KS_LOOKING,  KS_IDLE},
        [KS_WAITING]  = {KS_LOOKING,  NO,      NO,      NO,          NO,          NO,         NO,          NO},
    };

    for (int s = 0; s < KS_STATES; s++)
        for (int k = 0; k < KE_KINDS; k++)
            ck_assert_msg(scale_next((enum keep_state)s, (enum keep_event)k) == next[s][k], "state %d on event %d", s, k);
    /* Whatever runs may fail, and whoever wants to know is heard everywhere. */
    for (int s = 0; s < KS_STATES; s++) {
        ck_assert_int_ne(next[s][KE_LOOK], NO);
        ck_assert_int_eq(next[s][KE_BROKEN] != NO, s == KS_LOOKING || s == KS_STARTING || s == KS_STOPPING);
    }
}
END_TEST

/* --- its rows, one story each ----------------------------------------------------------------- */

START_TEST(test_started_and_right)
{
    struct bed b;

    bed_make(&b, 0);
    ck_assert(is(&b, -1));
    want(&b, 2);
    ck_assert(is(&b, KS_LOOKING));
    wait_for(&b, KS_STARTING);
    wait_well(&b);
    ck_assert_str_eq(scene_read(&b.scene, "calls"), "show web@*.service\nstart web@1.service web@2.service\nshow web@*.service\n");
    scale_look(b.s);                                    /* all is well: looked at, not told again */
    ck_assert(is(&b, KS_LOOKING));
    wait_for(&b, KS_IDLE);
    ck_assert_int_eq(b.told, 1);
    bed_free(&b);
}
END_TEST

START_TEST(test_a_look_under_way_is_older_than_the_wish)
{
    struct bed b;

    bed_make(&b, 0);
    unit_is(&b, 1, "active");
    scene_write(&b.scene, "hold-show", "");
    want(&b, 1);
    wait_called(&b, "show");
    want(&b, 2);                                        /* what is being read is right for 1 */
    ck_assert(is(&b, KS_LOOKING));
    drop(&b, "hold-show");
    wait_for(&b, KS_WAITING);
    ck_assert_int_eq(b.told, 0);
    wait_well(&b);
    ck_assert(scene_has(&b.scene, "root/web@2.service"));
    ck_assert_int_eq(b.told, 1);
    bed_free(&b);
}
END_TEST

START_TEST(test_changed_while_they_start)
{
    struct bed b;

    bed_make(&b, 0);
    scene_write(&b.scene, "hold-start", "");
    want(&b, 3);
    wait_for(&b, KS_STARTING);
    want(&b, 1);
    scale_look(b.s);
    ck_assert(is(&b, KS_STARTING));                    /* one systemctl at a time */
    drop(&b, "hold-start");
    wait_well(&b);
    ck_assert_str_eq(scene_list(&b.scene, "root"), "web@1.service");
    ck_assert_str_eq(b.drains, "+web@3.service +web@2.service +web@2.service");
    bed_free(&b);
}
END_TEST

START_TEST(test_stopped_one_after_the_other)
{
    struct bed b;

    bed_make(&b, 0);
    for (int i = 1; i <= 4; i++)
        unit_is(&b, i, "active");
    b.drain_ms = 60000;                                /* work goes on */
    want(&b, 2);
    wait_for(&b, KS_DRAINING);
    ck_assert_str_eq(b.drains, "+web@4.service +web@3.service");
    scale_look(b.s);                                    /* is it over by now? */
    ck_assert(is(&b, KS_LOOKING));
    b.drain_ms = 30;
    wait_for(&b, KS_DRAINING);
    ck_assert_ptr_null(strstr(scene_read(&b.scene, "calls"), "stop"));
    turn_until(b.loop, is(&b, KS_LOOKING));             /* so many milliseconds later it asks, and stops nothing */
    b.drain_ms = 0;
    scene_write(&b.scene, "hold-stop", "");
    wait_for(&b, KS_STOPPING);
    scale_look(b.s);
    ck_assert(is(&b, KS_STOPPING));
    wait_called(&b, "stop");
    ck_assert_str_eq(scene_list(&b.scene, "root"), "web@1.service web@2.service web@3.service web@4.service");
    drop(&b, "hold-stop");
    wait_well(&b);
    ck_assert_ptr_nonnull(strstr(scene_read(&b.scene, "calls"), "stop web@4.service\nshow web@*.service\nstop web@3.service\nshow"));
    ck_assert_str_eq(scene_list(&b.scene, "root"), "web@1.service web@2.service");
    bed_free(&b);
}
END_TEST

START_TEST(test_wanted_again_while_draining)
{
    struct bed b;

    bed_make(&b, 0);
    for (int i = 1; i <= 3; i++)
        unit_is(&b, i, "active");
    b.drain_ms = 60000;
    want(&b, 1);
    wait_for(&b, KS_DRAINING);
    want(&b, 2);                                        /* 2 takes work again at once, 3 still goes */
    ck_assert_str_eq(b.drains, "+web@3.service +web@2.service -web@2.service");
    b.drain_ms = 0;
    wait_well(&b);
    ck_assert_str_eq(scene_list(&b.scene, "root"), "web@1.service web@2.service");
    bed_free(&b);
}
END_TEST

START_TEST(test_on_their_way)
{
    struct bed b;

    bed_make(&b, 0);
    unit_is(&b, 1, "activating");
    unit_is(&b, 2, "deactivating");
    want(&b, 1);
    wait_for(&b, KS_WAITING);
    wait_for(&b, KS_LOOKING);
    scale_look(b.s);
    wait_for(&b, KS_WAITING);
    scale_look(b.s);                                    /* sooner than it would */
    ck_assert(is(&b, KS_LOOKING));
    ck_assert_int_eq(b.told, 0);
    unit_is(&b, 1, "active");
    unit_is(&b, 2, NULL);
    wait_well(&b);
    ck_assert_ptr_null(strstr(scene_read(&b.scene, "calls"), "sta"));
    ck_assert_ptr_null(strstr(scene_read(&b.scene, "calls"), "sto"));
    bed_free(&b);
}
END_TEST

START_TEST(test_started_and_failed)
{
    struct bed b;

    bed_make(&b, 300);
    scene_write(&b.scene, "become", "failed");
    want(&b, 1);
    turn_until(b.loop, b.told);
    ck_assert_str_eq(b.why, "web@1.service was started and is failed: exit-code");
    ck_assert(is(&b, KS_IDLE));
    ck_assert_ptr_null(strstr(strstr(scene_read(&b.scene, "calls"), "start") + 1, "start"));      /* not at once again */
    drop(&b, "become");
    wait_well(&b);                                      /* the next look tries again */
    ck_assert_int_eq(b.told, 2);
    bed_free(&b);
}
END_TEST

static void fails(const char *verb, bool up, int instances, const char *word)
{
    struct bed b;
    char file[32];

    bed_make(&b, 100);
    if (up)
        unit_is(&b, 9, "active");
    snprintf(file, sizeof file, "fail-%s", verb);
    scene_write(&b.scene, file, "Failed to connect to bus\nand more");
    want(&b, instances);
    turn_until(b.loop, b.told);
    ck_assert_str_eq(b.why, word);
    ck_assert(is(&b, KS_IDLE));
    for (int again = 0; again < 2; again++) {           /* it is tried again and again, and said once */
        wait_for(&b, KS_LOOKING);
        wait_for(&b, KS_IDLE);
    }
    ck_assert_int_eq(b.told, 1);
    drop(&b, file);
    wait_well(&b);
    bed_free(&b);
}

START_TEST(test_systemctl_fails)
{
    fails("show", true, 0, "systemctl ended with 4: Failed to connect to bus");
    fails("start", false, 1, "systemctl ended with 4: Failed to connect to bus");
    fails("stop", true, 0, "systemctl ended with 4: Failed to connect to bus");
}
END_TEST

START_TEST(test_no_systemd)
{
    struct bed b;

    bed_make(&b, 100);
    scene_write(&b.scene, "fail-show", "System has not been booted with systemd as init system (PID 1).");
    want(&b, 1);
    turn_until(b.loop, b.told);
    ck_assert_str_eq(b.why, "not supported here: systemd does not run on this host");
    bed_free(&b);
    bed_make(&b, 100);
    drop(&b, "systemctl");
    want(&b, 1);
    ck_assert(is(&b, KS_LOOKING));                     /* told by the loop, not from inside */
    ck_assert_int_eq(b.told, 0);
    turn_until(b.loop, b.told);
    ck_assert_msg(strncmp(b.why, "not supported here: ", 20) == 0, "%s", b.why);
    bed_free(&b);
}
END_TEST

/* Whatever it does: it can be let go, and the units stay. */
START_TEST(test_let_go_in_each_state)
{
    static const struct { enum keep_state in; const char *hold; int up, instances; const char *state; } at[] = {
        {KS_IDLE, NULL, 1, 1, "active"},           {KS_LOOKING, "hold-show", 1, 1, "active"}, {KS_STARTING, "hold-start", 0, 2, NULL},
        {KS_DRAINING, NULL, 2, 1, "active"},       {KS_STOPPING, "hold-stop", 2, 1, "active"}, {KS_WAITING, NULL, 1, 1, "activating"},
    };

    ck_assert_int_eq(sizeof at / sizeof at[0], KS_STATES);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        for (int ending = 0; ending < 2; ending++) {
            struct bed b;
            int told;

            bed_make(&b, 0);
            for (int n = 1; n <= at[i].up; n++)
                unit_is(&b, n, at[i].state);
            if (at[i].hold)
                scene_write(&b.scene, at[i].hold, "");
            b.drain_ms = at[i].in == KS_DRAINING ? 60000 : 0;
            want(&b, at[i].instances);
            turn_until(b.loop, is(&b, at[i].in) && (at[i].in != KS_IDLE || b.told));
            told = b.told;
            if (!ending) {
                ck_assert_int_eq(scale_want(b.s, &b.name, NULL, NULL), 0);
                ck_assert(is(&b, -1));
                if (at[i].in == KS_DRAINING)
                    ck_assert_str_eq(b.drains, "+web@2.service -web@2.service");
                for (int turn = 0; turn < 20; turn++) {
                    loop_again(b.loop);
                    loop_run_once(b.loop, true);
                }
            }
            ck_assert_int_eq(b.told, told);
            if (at[i].up)
                ck_assert(scene_has(&b.scene, "root/web@1.service"));
            bed_free(&b);
        }
}
END_TEST

START_TEST(test_refused)
{
    struct bed b;
    struct err e = {0};
    struct plan_scale p = {.instances = 1, .max = 9, .unit = (char *)"ssh@.service"};
    struct plan_scale set = {.instances = 1, .max = 9, .statefulset = (char *)"ns/web"};
    struct docname second;

    bed_make(&b, 0);
    ck_assert_int_eq(scale_want(b.s, &b.name, &p, &e), ERR_REFUSED);
    ck_assert(is(&b, -1));
    ck_assert_int_eq(scale_want(b.s, &b.name, &set, &e), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "not supported here"));
    want(&b, 1);
    p.unit = (char *)"web@.service";
    ck_assert(docname_parse(slice_z("scale:other"), &second));
    ck_assert_int_eq(scale_want(b.s, &second, &p, &e), ERR_REFUSED);
    ck_assert_ptr_nonnull(strstr(e.text, "scale:web"));
    p.unit = (char *)"ssh@.service";                  /* a document that was good and is not any more: let go */
    ck_assert_int_eq(scale_want(b.s, &b.name, &p, &e), ERR_REFUSED);
    ck_assert(is(&b, -1));
    bed_free(&b);
}
END_TEST

SUITE(scale, test_each_state_and_event, test_started_and_right, test_a_look_under_way_is_older_than_the_wish, test_changed_while_they_start,
      test_stopped_one_after_the_other, test_wanted_again_while_draining, test_on_their_way, test_started_and_failed, test_systemctl_fails,
      test_no_systemd, test_let_go_in_each_state, test_refused)

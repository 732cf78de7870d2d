/* One keeper for each scale document. */
#include "agent/shell/scale.h"

#include "agent/core/scale.h"
#include "agent/core/type_scale.h"
#include "common/base/mem.h"
#include "common/io/child.h"
#include "common/io/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 30000
#define SOON_MS 50             /* between two looks while something is on its way ... */
#define SLOW_MS 1000           /* ... and when that takes longer than PATIENT_MS */
#define PATIENT_MS 5000
#define LONG_MS 30000          /* then it is said */
#define SETTLE_MS 1000         /* what was started so recently is not called failed */
#define RETRY_MS 5000          /* after a systemctl that failed */
#define CHILD_MS 30000
#define OUTPUT_MAX ((size_t)1 << 20)
#define UNITS_AT_ONCE 64       /* started by one systemctl */

struct keeper {
    struct scale *scale;
    struct docname name;
    char *unit;
    int want;
    enum keep_state state;
    bool again;                /* changed while a systemctl was under way */
    struct child *child;
    struct timer timer;
    struct instances seen;
    struct scale_answer answer;
    bool tried[SCALE_INSTANCES_MAX + 1];     /* started since the last change of the document or the last calm look */
    bool draining[SCALE_INSTANCES_MAX + 1];  /* said to those who send it work, and not taken back */
    int64_t moving_since_ms, started_at_ms;
    bool drained;              /* the highest one too many may be stopped */
    char why[ERR_TEXT_MAX];    /* of what is broken */
    char *told;                /* the last word, "" = all is well; NULL: none since it was wanted */
};

struct scale {
    struct scale_opts o;
    VEC(struct keeper *) at;
};

static void happen(struct keeper *k, enum keep_event on);

/* --- words --- */

static void tell(struct keeper *k, const char *why)
{
    char name[DOC_KEY_MAX];

    if (k->told && strcmp(k->told, why) == 0)
        return;
    mem_free(k->told);
    k->told = mem_strdup(why);
    if (*why)
        log_warning("document=%s step=scale why=\"%s\"", docname_text(&k->name, name), why);
    else
        log_notice("document=%s step=scale unit=%s active=%d", docname_text(&k->name, name), k->unit, k->want);
    k->scale->o.on_result(k->scale->o.owner, &k->name, *why ? why : NULL);
}

static int64_t now_ms(const struct keeper *k) { return loop_now_ms(k->scale->o.loop); }

/* --- systemctl --- */

static bool was_tried(void *arg, int number) { return ((struct keeper *)arg)->tried[number]; }

/* What the look amounts to. */
static enum keep_event seen_as(struct keeper *k)
{
    static const enum keep_event of[] = {
        [SCALE_RIGHT] = KE_RIGHT, [SCALE_START] = KE_MISSING, [SCALE_STOP] = KE_SURPLUS,
        [SCALE_WAIT] = KE_MOVING, [SCALE_FAILED] = KE_FAILED,
    };

    if (k->again)
        return KE_MOVING;                /* asked before the last wish: once more */
    scale_decide(&k->seen, k->want, was_tried, k, &k->answer);
    if (k->answer.deed == SCALE_FAILED && now_ms(k) - k->started_at_ms < SETTLE_MS)
        return KE_MOVING;                /* its start may not have begun yet */
    return of[k->answer.deed];
}

static void on_end(void *arg, const struct child_end *end)
{
    struct keeper *k = arg;
    struct slice said = end->output;
    const char *line;

    k->child = NULL;
    if (end->exit_code == 0) {
        if (k->state == KS_LOOKING)
            instances_read(said, k->unit, &k->seen);
        happen(k, k->state == KS_LOOKING ? seen_as(k) : KE_DONE);
        return;
    }
    line = memchr(said.p, '\n', said.len);
    if (line)
        said.len = (size_t)(line - said.p);
    if (end->timed_out)
        snprintf(k->why, sizeof k->why, "systemctl did not answer within %d s", CHILD_MS / 1000);
    else if (memmem(said.p, said.len, "not been booted with systemd", 28))
        snprintf(k->why, sizeof k->why, "not supported here: systemd does not run on this host");
    else
        snprintf(k->why, sizeof k->why, "systemctl ended with %d: %.*s", end->exit_code, (int)(said.len > 300 ? 300 : said.len),
                 said.p);
    happen(k, KE_BROKEN);
}

/* When it cannot even be started, KE_BROKEN follows by the timer. */
static void run(struct keeper *k, const char *const *argv, size_t output_max)
{
    struct child_exec x = {.argv = argv, .timeout_ms = CHILD_MS, .output_max = output_max, .dir = "/"};
    struct err e = {0};

    if (child_exec(k->scale->o.loop, &x, on_end, k, &k->child, &e) == 0)
        return;
    k->child = NULL;
    snprintf(k->why, sizeof k->why, "not supported here: %.400s", e.text);
    timer_set(&k->timer, 0);
}

static void ask_systemd(struct keeper *k)
{
    const char *at = strchr(k->unit, '@');
    struct str pattern = {0};

    str_printf(&pattern, "%.*s*%s", (int)(at + 1 - k->unit), k->unit, at + 1);
    const char *argv[] = {k->scale->o.allow->systemctl, "--no-ask-password", "--no-pager", "show",
                          "-p", "Id", "-p", "ActiveState", "-p", "Result", "--", str_c(&pattern), NULL};

    timer_clear(&k->timer);
    k->again = false;
    k->why[0] = 0;
    run(k, argv, OUTPUT_MAX);
    str_fini(&pattern);
}

static void start_missing(struct keeper *k)
{
    const char *argv[5 + UNITS_AT_ONCE + 1] = {k->scale->o.allow->systemctl, "--no-ask-password", "--no-block", "start", "--"};
    struct str names[UNITS_AT_ONCE];
    size_t n = k->answer.start.n < UNITS_AT_ONCE ? k->answer.start.n : UNITS_AT_ONCE;

    memset(names, 0, sizeof names);
    for (size_t i = 0; i < n; i++) {
        int number = k->answer.start.at[i];

        instance_unit(k->unit, number, &names[i]);
        k->tried[number] = true;
        argv[5 + i] = str_c(&names[i]);
    }
    k->started_at_ms = now_ms(k);
    run(k, argv, 4096);
    for (size_t i = 0; i < n; i++)
        str_fini(&names[i]);
}

static int64_t drain(struct keeper *k, int number, bool on)
{
    struct str unit = {0};
    int64_t ms;

    if (!k->scale->o.drain || (!on && !k->draining[number]))
        return 0;
    k->draining[number] = on;
    instance_unit(k->unit, number, &unit);
    ms = k->scale->o.drain(k->scale->o.owner, str_c(&unit), on);
    str_fini(&unit);
    return ms;
}

/* What was about to stop stays after all: let it have work again. */
static void undrain(struct keeper *k, int up_to)
{
    for (int i = 1; i <= up_to; i++)
        (void)drain(k, i, false);
}

/* Those that go are drained all at once, but stopped one after the other. */
static void drain_surplus(struct keeper *k)
{
    int64_t wait_ms = 0;

    for (size_t i = 0; i < k->answer.surplus.n; i++) {
        int64_t ms = drain(k, k->answer.surplus.at[i], true);

        if (i == 0)
            wait_ms = ms;
    }
    k->drained = wait_ms <= 0;
    timer_set(&k->timer, wait_ms > 0 ? wait_ms : 0);
}

static void stop_highest(struct keeper *k)
{
    struct str unit = {0};

    instance_unit(k->unit, k->answer.surplus.at[0], &unit);
    const char *argv[] = {k->scale->o.allow->systemctl, "--no-ask-password", "--no-block", "stop", "--", str_c(&unit), NULL};

    k->tried[k->answer.surplus.at[0]] = false;
    run(k, argv, 4096);
    str_fini(&unit);
}

/* --- states --- */

static void say_right(struct keeper *k)
{
    memset(k->tried, 0, sizeof k->tried);
    k->moving_since_ms = 0;
    tell(k, "");
    timer_set(&k->timer, k->scale->o.look_ms);
}

static void say_failed(struct keeper *k)
{
    const struct instance *i = instances_find(&k->seen, k->answer.failed);
    struct str unit = {0}, why = {0};

    instance_unit(k->unit, k->answer.failed, &unit);
    str_printf(&why, "%s was started and is %s%s%s", str_c(&unit), i && i->state == INSTANCE_FAILED ? "failed" : "not active",
               i && i->result[0] ? ": " : "", i ? i->result : "");
    tell(k, str_c(&why));
    str_fini(&why);
    str_fini(&unit);
    memset(k->tried, 0, sizeof k->tried);        /* the next look tries them again */
    k->moving_since_ms = 0;
    timer_set(&k->timer, k->scale->o.look_ms);
}

static void say_broken(struct keeper *k)
{
    tell(k, k->why);
    memset(k->tried, 0, sizeof k->tried);
    if (strncmp(k->why, "not supported", 13) == 0 || k->scale->o.look_ms < RETRY_MS)
        timer_set(&k->timer, k->scale->o.look_ms);
    else
        timer_set(&k->timer, RETRY_MS);
}

static void wait_a_little(struct keeper *k)
{
    int64_t since;

    if (k->moving_since_ms == 0)
        k->moving_since_ms = now_ms(k);
    since = now_ms(k) - k->moving_since_ms;
    if (since > LONG_MS) {
        struct str unit = {0}, why = {0};

        instance_unit(k->unit, k->answer.waiting ? k->answer.waiting : k->answer.failed, &unit);
        str_printf(&why, "%s is on its way for more than %d s", str_c(&unit), LONG_MS / 1000);
        tell(k, str_c(&why));
        str_fini(&why);
        str_fini(&unit);
    }
    timer_set(&k->timer, since > PATIENT_MS ? SLOW_MS : SOON_MS);
}

static void remember(struct keeper *k) { k->again = true; }

static const struct keep_row {
    enum keep_state in;
    enum keep_event on;
    void (*then)(struct keeper *k);
    enum keep_state to;
    const char *because;
} rows[] = {
    {KS_IDLE,     KE_LOOK,    ask_systemd,    KS_LOOKING,  "what is wanted may have changed, or what is there"},
    {KS_WAITING,  KE_LOOK,    ask_systemd,    KS_LOOKING,  "is it there now?"},
    {KS_LOOKING,  KE_LOOK,    remember,       KS_LOOKING,  "the answer under way may be older than the wish"},
    {KS_STARTING, KE_LOOK,    remember,       KS_STARTING, "a look follows anyway"},
    {KS_STOPPING, KE_LOOK,    remember,       KS_STOPPING, "a look follows anyway"},
    {KS_LOOKING,  KE_RIGHT,   say_right,      KS_IDLE,     "so many are active as are wanted"},
    {KS_LOOKING,  KE_FAILED,  say_failed,     KS_IDLE,     "what was started did not come up"},
    {KS_LOOKING,  KE_MISSING, start_missing,  KS_STARTING, "too few are active"},
    {KS_LOOKING,  KE_SURPLUS, drain_surplus,  KS_DRAINING, "too many are active"},
    {KS_LOOKING,  KE_MOVING,  wait_a_little,  KS_WAITING,  "some are starting or stopping"},
    {KS_LOOKING,  KE_BROKEN,  say_broken,     KS_IDLE,     "systemd could not be asked"},
    {KS_STARTING, KE_DONE,    ask_systemd,    KS_LOOKING,  "they were asked for, are they there?"},
    {KS_STARTING, KE_BROKEN,  say_broken,     KS_IDLE,     "systemd refused to start them"},
    {KS_DRAINING, KE_LOOK,    ask_systemd,    KS_LOOKING,  "work may have ended, or they may be wanted again by now"},
    {KS_DRAINING, KE_DONE,    stop_highest,   KS_STOPPING, "nobody sends it work any more"},
    {KS_STOPPING, KE_DONE,    ask_systemd,    KS_LOOKING,  "was it the last that was too much?"},
    {KS_STOPPING, KE_BROKEN,  say_broken,     KS_IDLE,     "systemd refused to stop it"},
};

static const struct keep_row *row_of(enum keep_state in, enum keep_event on)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].in == in && rows[i].on == on)
            return &rows[i];
    return NULL;
}

static void happen(struct keeper *k, enum keep_event on)
{
    const struct keep_row *row = row_of(k->state, on);

    if (!row)
        return;
    k->state = row->to;
    row->then(k);
}

static void on_timer(struct timer *t, void *arg)
{
    struct keeper *k = arg;

    (void)t;
    switch (k->state) {
    case KS_IDLE:
    case KS_WAITING: happen(k, KE_LOOK); break;
    case KS_DRAINING: happen(k, k->drained ? KE_DONE : KE_LOOK); break;
    case KS_LOOKING:
    case KS_STARTING:
    case KS_STOPPING: happen(k, KE_BROKEN); break;
    case KS_STATES: break;
    }
}

/* --- who keeps what --- */

static struct keeper *keeper_of(const struct scale *s, const struct docname *name)
{
    for (size_t i = 0; i < s->at.n; i++)
        if (docname_equal(&s->at.at[i]->name, name))
            return s->at.at[i];
    return NULL;
}

static void keeper_free(struct keeper *k)
{
    timer_clear(&k->timer);
    if (k->child) {
        child_kill(k->child, SIGTERM);
        child_forget(k->child);
    }
    instances_fini(&k->seen);
    scale_answer_fini(&k->answer);
    mem_free(k->unit);
    mem_free(k->told);
    loop_park(k->scale->o.loop, k, mem_free);
}

static void forget(struct scale *s, struct keeper *k)
{
    undrain(k, SCALE_INSTANCES_MAX);
    for (size_t i = 0; i < s->at.n; i++)
        if (s->at.at[i] == k) {
            vec_remove(&s->at, i);
            break;
        }
    keeper_free(k);
}

static int may(struct scale *s, const struct docname *name, const struct plan_scale *p, int share, struct err *e)
{
    char other[DOC_KEY_MAX];
    int rc = 0;

    if (!p->unit)
        return err_set(e, ERR_REFUSED, "not supported here: this agent does not scale statefulset %.200s", p->statefulset);
    for (int i = 1; rc == 0 && i <= (share ? share : 1); i++) {
        struct str unit = {0};

        instance_unit(p->unit, i, &unit);
        rc = allow_unit(s->o.allow, str_c(&unit), e);
        str_fini(&unit);
    }
    for (size_t i = 0; rc == 0 && i < s->at.n; i++)
        if (strcmp(s->at.at[i]->unit, p->unit) == 0 && !docname_equal(&s->at.at[i]->name, name))
            rc = err_set(e, ERR_REFUSED, "unit: the instances of %s are kept by %s", p->unit,
                         docname_text(&s->at.at[i]->name, other));
    return rc;
}

int scale_want(struct scale *s, const struct docname *name, const struct plan_scale *p, struct err *e)
{
    struct keeper *k = keeper_of(s, name);
    int share = p ? scale_share(p, s->o.node) : 0, rc = p ? may(s, name, p, share, e) : 0;

    if (k && (!p || rc != 0 || strcmp(k->unit, p->unit) != 0)) {
        forget(s, k);
        k = NULL;
    }
    if (!p || rc != 0)
        return rc;
    if (!k) {
        k = mem_zalloc(sizeof *k);
        k->scale = s;
        k->name = *name;
        k->unit = mem_strdup(p->unit);
        timer_init(&k->timer, s->o.loop, on_timer, k);
        vec_push(&s->at, k);
    }
    k->want = share;
    undrain(k, share);
    k->moving_since_ms = 0;
    memset(k->tried, 0, sizeof k->tried);
    mem_free(k->told);
    k->told = NULL;
    happen(k, KE_LOOK);
    return 0;
}

void scale_look(struct scale *s)
{
    for (size_t i = 0; i < s->at.n; i++)
        happen(s->at.at[i], KE_LOOK);
}

int scale_next(enum keep_state in, enum keep_event on)
{
    const struct keep_row *row = row_of(in, on);

    return row ? (int)row->to : -1;
}

int scale_state_of(const struct scale *s, const struct docname *name)
{
    const struct keeper *k = keeper_of(s, name);

    return k ? (int)k->state : -1;
}

struct scale *scale_new(const struct scale_opts *o)
{
    struct scale *s = mem_zalloc(sizeof *s);

    s->o = *o;
    if (s->o.look_ms == 0)
        s->o.look_ms = LOOK_MS;
    return s;
}

void scale_free(struct scale *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->at.n; i++)
        keeper_free(s->at.at[i]);
    vec_fini(&s->at);
    loop_park(s->o.loop, s, mem_free);
}

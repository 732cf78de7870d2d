/* The journal of each group: the last lines in memory, all of them in a file of the state
 * folder. What an earlier process of this sentinel wrote is read at the start and stands
 * before the first line of this one. */
#include "sentinel/shell/formed_inside.h"

#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/log.h"
#include "sentinel/shell/save.h"

#include <limits.h>
#include <stdarg.h>

static void remember(struct fgroup *g, int64_t wall_ms, const char *text)
{
    struct journal_line *j = &g->journal[(g->journal_first + g->journal_n) % JOURNAL_LINES];

    if (g->journal_n == JOURNAL_LINES) {
        mem_free(j->text);
        g->journal_first = (g->journal_first + 1) % JOURNAL_LINES;
    } else {
        g->journal_n++;
    }
    j->wall_ms = wall_ms;
    j->text = mem_strdup(text);
}

/* Said once for each time that the disk begins to refuse. */
static void say_lost(struct formed_groups *all)
{
    const char *why = "";
    uint64_t lost = journal_file_lost(all->journal, &why);

    if (lost > all->journal_lost && *why)
        log_warning("lines of the journal are not kept on disk (%llu so far): %s", (unsigned long long)lost, why);
    all->journal_lost = lost;
}

void fgroup_journal(struct fgroup *g, const char *text)
{
    int64_t now_ms = clock_wall_ms();

    remember(g, now_ms, text);
    if (!g->all->journal)
        return;
    journal_file_add(g->all->journal, now_ms, g->name, text);
    say_lost(g->all);
}

/* ---- at the start -------------------------------------------------------------------------------- */

static void read_line(void *arg, int64_t wall_ms, const char *group, const char *text)
{
    struct formed_groups *all = arg;
    const struct group *known = core_group_named(all->sh->core, group);
    struct fgroup *g = known ? fgroup_get(all, known->id) : NULL;

    if (g)
        remember(g, wall_ms, text);
}

void formed_journal_start(struct formed_groups *all)
{
    const char *dir = all->sh->opt->state_dir;
    char whole[PATH_MAX];
    uint64_t bad = 0;
    struct dict_iter it;
    struct dict_entry *e;
    struct err err = {0};

    if (!dir || file_absolute(dir, whole, sizeof whole, &err) != 0)
        return;
    journal_file_read(whole, read_line, all, &bad);
    if (bad > 0)
        log_warning("%llu lines of the journal in %s are torn or damaged and left out", (unsigned long long)bad, whole);
    if (save_trouble(all->sh->save))           /* a folder that cannot be used, or is another sentinel's */
        return;
    all->journal = journal_file_open(whole, JOURNAL_FILE_MAX);
    dict_iter_init(&it, &all->by_id);
    while ((e = dict_iter_next(&it)))
        fgroup_journal(e->v.p, "this sentinel was started again: what stands before it was seen by an earlier process");
    dict_iter_fini(&it);
}

/* ---- the view ---------------------------------------------------------------------------------------- */

size_t formed_groups_journal(const struct formed_groups *all, core_id group, size_t i, int64_t *wall_ms, const char **line)
{
    const struct fgroup *g = fgroup_find(all, group);
    const struct journal_line *j;

    if (!g || i >= g->journal_n)
        return g ? g->journal_n : 0;
    j = &g->journal[(g->journal_first + i) % JOURNAL_LINES];
    *wall_ms = j->wall_ms;
    *line = j->text;
    return g->journal_n;
}

void formed_groups_note(struct formed_groups *all, core_id group, const char *fmt, ...)
{
    struct fgroup *g = fgroup_get(all, group);
    struct str text = {0};
    va_list ap;

    if (!g)
        return;
    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    fgroup_journal(g, str_c(&text));
    str_fini(&text);
}

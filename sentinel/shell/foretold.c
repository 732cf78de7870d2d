#include "sentinel/shell/foretold.h"

#include "common/io/log.h"
#include "sentinel/shell/explain.h"
#include "sentinel/shell/formed_groups.h"
#include "sentinel/shell/shell.h"

#include <stdio.h>
#include <string.h>

void foretold_begin(struct foretold *f)
{
    memset(f, 0, sizeof *f);
}

static void what_forbids(const struct explanation *x, char out[240])
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < x->lacks.n && n < 200; i++)
        if (x->lacks.at[i].blocks)
            n += (size_t)snprintf(out + n, 240 - n, "%s%s %s", n ? ", " : "", x->lacks.at[i].what, x->lacks.at[i].why);
    if (n == 0)
        snprintf(out, 240, "nobody to lead");
}

/* A try asks every replica anew: "no" for want of a fresh INFO says nothing about how it ends. */
static bool will_be_asked(struct shell *sh, const struct group *g)
{
    for (size_t i = 0; !formed_groups_is_formed(sh->formed, g->id) && i < g->nodes.n; i++)
        if (core_refusal(sh->core, g->nodes.at[i]) == REFUSED_STALE_INFO)
            return true;
    return false;
}

void foretold_look(struct foretold *f, struct shell *sh, const struct group *g)
{
    bool first = !f->said_yes && !f->said_no;
    struct explanation x;
    char at[ADDR_TEXT_MAX];

    explain_group(sh, g, &x);
    if (x.can) {
        f->said_yes = true;
    } else if (!will_be_asked(sh, g)) {
        f->said_no = true;
        what_forbids(&x, f->lacks);
    }
    if (first && x.can)
        formed_groups_note(sh->formed, g->id, "explain: yes, to %s", addr_is_set(&x.to_addr) ? addr_text(&x.to_addr, at) : "?");
    else if (first && f->said_no)
        formed_groups_note(sh->formed, g->id, "explain: no: %s", f->lacks);
    explain_fini(&x);
}

bool foretold_end(struct foretold *f, struct shell *sh, const struct group *g, bool done)
{
    bool asked = f->said_yes || f->said_no, right = !asked || (done ? f->said_yes : f->said_no);

    if (!right) {
        log_warning("explain was wrong about %s: it said %s%s%s, and the failover %s", g->name, done ? "no (" : "yes", done ? f->lacks : "",
                    done ? ")" : "", done ? "was completed" : "was not completed");
        formed_groups_note(sh->formed, g->id, "explain was wrong: it said %s, and the failover %s", done ? "no" : "yes",
                           done ? "was completed" : "was not completed");
    }
    foretold_begin(f);
    return right;
}

/* Telling: addresses become names, and only what moves the plot is kept. */
#include "tests/sim/story.h"

#include "sentinel/core/action.h"
#include "sentinel/core/names.h"
#include "tests/sim/sim_sentinel.h"

#include <stdio.h>
#include <string.h>

void story_line(struct world *w, const char *who, const char *fmt, ...)
{
    char text[700];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (w->tracing)
        fprintf(stderr, "[%6lld] %-3s %s\n", (long long)(world_ms(w) - w->told_from_ms), who, text);
    if (w->telling)
        str_printf(&w->told, "[%6lld] %-3s %s\n", (long long)(world_ms(w) - w->told_from_ms), who, text);
}

/* "10.0.0.4 6379" and "10.0.0.4:6379" -> "n1", run ids -> "s2" */
static void with_names(struct world *w, const char *in, char *out, size_t cap)
{
    size_t n = 0;

    while (*in && n + 8 < cap) {
        bool found = false;
        for (int i = 0; i < w->nprocs && !found; i++) {
            const struct addr *a = world_addr(w, i);
            size_t h = strlen(a->host);
            char port[8];
            int plen = snprintf(port, sizeof port, "%u", a->port);
            if (strncmp(in, a->host, h) == 0 && (in[h] == ' ' || in[h] == ':') &&
                strncmp(in + h + 1, port, (size_t)plen) == 0) {
                n += (size_t)snprintf(out + n, cap - n, "%s", w->procs[i].name);
                in += h + 1 + (size_t)plen;
                found = true;
            }
        }
        if (!found && strspn(in, "0123456789abcdef") == ID_HEX) {
            int who = sentinel_by_id(in);
            if (who >= 0) {
                n += (size_t)snprintf(out + n, cap - n, "s%d", who + 1);
                in += ID_HEX;
                found = true;
            }
        }
        if (!found)
            out[n++] = *in++;
    }
    out[n] = '\0';
}

/* A trace sentence or an order says the rest, and everybody's address book is no plot. */
static bool moves_the_plot(enum news n, const char *about)
{
    switch (n) {
    case NEWS_SDOWN: case NEWS_SDOWN_OVER: case NEWS_REBOOT: case NEWS_CRASH_EVIDENCE_OVER:
        return strncmp(about, "master ", 7) == 0;
    case NEWS_ODOWN: case NEWS_ODOWN_OVER: case NEWS_TILT: case NEWS_TILT_OVER: case NEWS_VOTE: case NEWS_SWITCH_MASTER: case NEWS_CONVERT: case NEWS_FIX_CONFIG:
    case NEWS_CRASH_EVIDENCE: case NEWS_WITHDRAWN: case NEWS_NOT_SAVED: case NEWS_END_TIMEOUT:
    case NEWS_SLAVE_TIMEOUT: case NEWS_NO_GOOD_SLAVE:
        return true;
    default:
        return false;
    }
}

void story_news(struct world *w, struct proc *p, const struct action *a)
{
    char text[600];

    if (!story_on(w))
        return;
    with_names(w, a->text, text, sizeof text);
    if (a->kind == ACT_TRACE) {
        story_line(w, p->name, "%s", text);
        return;
    }
    if (!w->tracing && !moves_the_plot(a->news, a->text))
        return;
    story_line(w, p->name, "%s %s", news_name(a->news), text);
}

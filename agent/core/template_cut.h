/* A template's text as pieces: what is written as it stands, and the tags between. */
#ifndef KV_AGENT_TEMPLATE_CUT_H
#define KV_AGENT_TEMPLATE_CUT_H

#include "agent/core/template.h"
#include "common/base/vec.h"

enum piece_kind { P_TEXT, P_VALUE, P_RAW, P_SECTION, P_INVERTED, P_END, P_PART };

struct piece {
    enum piece_kind kind;
    struct slice text;          /* P_TEXT: the bytes; else the name */
    struct slice otherwise;     /* after ??; p = NULL when there is none */
    struct slice indent;        /* P_PART standing alone: the blanks before it */
    size_t mate;                /* P_SECTION, P_INVERTED: index of its P_END */
    int line;
};

struct pieces {
    VEC(struct piece) at;       /* yours, on failure too: vec_fini */
};

/* The pieces point into text. Sections are balanced and have their mates. ERR_FORMAT, ERR_LIMIT; e: "line 4: ...". */
int template_cut(struct slice text, struct pieces *out, struct err *e);

#endif

/* A syntax text into a tree, and the tree into the maps of COMMAND DOCS.
 *
 *     alternatives := sequence ('|' sequence)*        inside [ ]
 *     sequence     := item*
 *     item         := '[' alternatives ']' | word ('|' word)* | '...'
 *
 * Outside brackets a '|' binds the words it touches only. */
#include "common/text/command_syntax.h"

#include "common/base/mem.h"
#include "common/base/vec.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX 8

enum node_kind { NODE_VALUE, NODE_TOKEN, NODE_BLOCK, NODE_ONEOF };

struct node {
    enum node_kind kind;
    struct slice word;         /* a value's name, or a token */
    struct slice token;        /* said before the value or block; len 0 = none */
    bool optional, multiple;
    VEC(struct node *) kids;
};

typedef VEC(struct node *) node_list;

static struct node *node_new(enum node_kind kind)
{
    struct node *n = mem_zalloc(sizeof *n);

    n->kind = kind;
    return n;
}

static void node_free(struct node *n)
{
    for (size_t i = 0; i < n->kids.n; i++)
        node_free(n->kids.at[i]);
    vec_fini(&n->kids);
    mem_free(n);
}

static bool is_literal(struct slice w)
{
    bool letter = false;

    for (size_t i = 0; i < w.len; i++) {
        if (islower((unsigned char)w.p[i]))
            return false;
        letter = letter || isupper((unsigned char)w.p[i]);
    }
    return letter || (w.len == 1 && !isalnum((unsigned char)w.p[0]));
}

static bool same_shape(const struct node *a, const struct node *b)
{
    return a->kind == b->kind && a->kids.n == 0 && b->kids.n == 0 && slice_eq(a->word, b->word);
}

/* A token takes the values behind it: one becomes "TOKEN value", several a block. */
static void join_tokens(node_list *seq)
{
    node_list out = {0};

    for (size_t i = 0; i < seq->n; i++) {
        struct node *n = seq->at[i], *holder;
        size_t values = 0;

        while (n->kind == NODE_TOKEN && i + 1 + values < seq->n && seq->at[i + 1 + values]->kind == NODE_VALUE &&
               !seq->at[i + 1 + values]->optional && seq->at[i + 1 + values]->token.len == 0)
            values++;
        if (values == 0) {
            vec_push(&out, n);
            continue;
        }
        if (values == 1) {
            holder = seq->at[i + 1];
        } else {
            holder = node_new(NODE_BLOCK);
            holder->word = n->word;
            for (size_t k = 0; k < values; k++)
                vec_push(&holder->kids, seq->at[i + 1 + k]);
        }
        holder->token = n->word;
        holder->multiple = holder->multiple || n->multiple;
        node_free(n);
        vec_push(&out, holder);
        i += values;
    }
    vec_fini(seq);
    seq->at = out.at;
    seq->n = out.n;
    seq->cap = out.cap;
}

/* One node for a whole sequence; takes its nodes. */
static struct node *node_of(node_list *seq)
{
    struct node *n;

    if (seq->n == 1) {
        n = seq->at[0];
    } else {
        n = node_new(NODE_BLOCK);
        n->word = seq->n ? seq->at[0]->word : (struct slice){"", 0};
        for (size_t i = 0; i < seq->n; i++)
            vec_push(&n->kids, seq->at[i]);
    }
    vec_fini(seq);
    return n;
}

static struct node *one_of(node_list *alternatives)
{
    struct node *n;

    if (alternatives->n == 1)
        return node_of(alternatives);
    n = node_new(NODE_ONEOF);
    n->word = alternatives->at[0]->word;
    for (size_t i = 0; i < alternatives->n; i++)
        vec_push(&n->kids, alternatives->at[i]);
    vec_fini(alternatives);
    return n;
}

/* "[field value ...]" behind "field value": what stands there may repeat. */
static bool repeats_last(node_list *seq, const struct node *optional)
{
    const struct node *const *its = (const struct node *const *)optional->kids.at;
    size_t n = optional->kids.n;
    struct node *block;

    if (!optional->multiple)
        return false;
    if (optional->kind != NODE_BLOCK) {
        if (seq->n == 0 || !same_shape(vec_last(seq), optional))
            return false;
        vec_last(seq)->multiple = true;
        return true;
    }
    if (n == 0 || n > seq->n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!same_shape(seq->at[seq->n - n + i], its[i]))
            return false;
    block = node_new(NODE_BLOCK);
    block->word = seq->at[seq->n - n]->word;
    block->multiple = true;
    for (size_t i = 0; i < n; i++)
        vec_push(&block->kids, seq->at[seq->n - n + i]);
    seq->n -= n;
    vec_push(seq, block);
    return true;
}

static struct node *read_alternatives(const char **at, int depth);

static struct node *read_word(const char **at)
{
    struct node *n = node_new(NODE_VALUE);
    const char *from = *at;

    while (**at && !strchr(" []|", **at))
        (*at)++;
    n->word = (struct slice){from, (size_t)(*at - from)};
    if (n->word.len > 2 && n->word.p[0] == '<' && n->word.p[n->word.len - 1] == '>')
        n->word = (struct slice){n->word.p + 1, n->word.len - 2};
    else if (is_literal(n->word))
        n->kind = NODE_TOKEN;
    return n;
}

/* Up to ']' or the end, and inside brackets up to '|'. */
static node_list read_sequence(const char **at, int depth)
{
    node_list seq = {0};

    while (**at && **at != ']') {
        struct node *n;

        if (**at == ' ') {
            (*at)++;
            continue;
        }
        if (**at == '|') {
            if (depth > 0)
                break;
            (*at)++;
            continue;
        }
        if (strncmp(*at, "...", 3) == 0) {
            if (depth == 0 && seq.n)
                vec_last(&seq)->multiple = true;
            *at += 3;
            continue;
        }
        if (**at == '[') {
            const char *from = ++*at;

            if (depth == DEPTH_MAX)
                break;
            n = read_alternatives(at, depth + 1);
            if (*at - from >= 3 && strncmp(*at - 3, "...", 3) == 0)
                n->multiple = true;        /* the dots repeat all that stands in these brackets */
            if (**at == ']')
                (*at)++;
            if (repeats_last(&seq, n)) {
                node_free(n);
                continue;
            }
            n->optional = true;
            vec_push(&seq, n);
            continue;
        }
        n = read_word(at);
        if (depth == 0 && **at == '|') {
            node_list words = {0};

            vec_push(&words, n);
            while (**at == '|' && (*at)[1] && !strchr(" []|", (*at)[1])) {
                (*at)++;
                vec_push(&words, read_word(at));
            }
            n = one_of(&words);
        }
        vec_push(&seq, n);
    }
    join_tokens(&seq);
    return seq;
}

static struct node *read_alternatives(const char **at, int depth)
{
    node_list alternatives = {0};

    for (;;) {
        node_list seq = read_sequence(at, depth);

        vec_push(&alternatives, node_of(&seq));
        if (**at != '|')
            break;
        (*at)++;
    }
    return one_of(&alternatives);
}

/* ---- telling it ---- */

static const char *type_of(const struct node *n)
{
    static const struct {
        const char *begin, *type;
    } types[] = {
        {"key", "key"},          {"source", "key"},       {"destination", "key"}, {"newkey", "key"},
        {"pattern", "pattern"},  {"unix-time", "unix-time"}, {"seconds", "integer"}, {"milliseconds", "integer"},
        {"count", "integer"},    {"index", "integer"},    {"port", "integer"},    {"offset", "integer"},
        {"increment", "integer"}, {"decrement", "integer"}, {"cursor", "integer"}, {"quorum", "integer"},
        {"numkeys", "integer"},  {"numreplicas", "integer"}, {"timeout", "integer"}, {"epoch", "integer"},
    };

    if (n->kind == NODE_TOKEN)
        return "pure-token";
    if (n->kind == NODE_BLOCK)
        return "block";
    if (n->kind == NODE_ONEOF)
        return "oneof";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t len = strlen(types[i].begin);

        if (n->word.len >= len && strncmp(n->word.p, types[i].begin, len) == 0 &&
            (n->word.len == len || n->word.p[len] == '-' || isdigit((unsigned char)n->word.p[len])))
            return types[i].type;
    }
    return "string";
}

static void put_lower(struct reply *r, struct slice w)
{
    struct str s = {0};

    for (size_t i = 0; i < w.len; i++)
        str_append_c(&s, (char)tolower((unsigned char)w.p[i]));
    reply_bulk(r, str_c(&s), s.len);
    str_fini(&s);
}

static void put_node(struct reply *r, const struct node *n)
{
    struct slice token = n->kind == NODE_TOKEN ? n->word : n->token;
    size_t nflags = (size_t)n->optional + n->multiple;

    reply_map(r, 2 + (token.len > 0) + (nflags > 0) + (n->kids.n > 0));
    reply_bulk_z(r, "name");
    put_lower(r, n->word);
    reply_bulk_z(r, "type");
    reply_bulk_z(r, type_of(n));
    if (token.len > 0) {
        reply_bulk_z(r, "token");
        reply_bulk_slice(r, token);
    }
    if (nflags > 0) {
        reply_bulk_z(r, "flags");
        reply_set(r, nflags);
        if (n->optional)
            reply_simple(r, "optional");
        if (n->multiple)
            reply_simple(r, "multiple");
    }
    if (n->kids.n > 0) {
        reply_bulk_z(r, "arguments");
        reply_array(r, n->kids.n);
        for (size_t i = 0; i < n->kids.n; i++)
            put_node(r, n->kids.at[i]);
    }
}

void command_syntax_reply(struct reply *r, const char *syntax)
{
    const char *at = syntax;
    node_list seq = read_sequence(&at, 0);

    reply_array(r, seq.n);
    for (size_t i = 0; i < seq.n; i++) {
        put_node(r, seq.at[i]);
        node_free(seq.at[i]);
    }
    vec_fini(&seq);
}

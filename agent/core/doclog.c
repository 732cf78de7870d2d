/* Entries, words, and the decision as a list of questions. */
#include "agent/core/doclog.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

static const char *key_with(const char *prefix, const struct docname *d, char out[DOC_KEY_MAX])
{
    snprintf(out, DOC_KEY_MAX, "%s:%s:%s", prefix, d->type, d->component);
    return out;
}

const char *docname_meta_key(const struct docname *d, char out[DOC_KEY_MAX]) { return key_with("cfgmeta", d, out); }
const char *docname_log_key(const struct docname *d, char out[DOC_KEY_MAX]) { return key_with("cfglog", d, out); }

void doclog_put(const struct doclog_entry *e, struct str *out)
{
    str_printf(out, "%s %lld %s\n", e->sha, (long long)e->t_ms, e->by);
    str_append(out, e->bytes.p, e->bytes.len);
}

static bool next_word(struct slice *line, struct slice *word)
{
    const char *blank = line->len ? memchr(line->p, ' ', line->len) : NULL;

    word->p = line->p;
    word->len = blank ? (size_t)(blank - line->p) : line->len;
    line->p += word->len + (blank != NULL);
    line->len -= word->len + (blank != NULL);
    return word->len > 0;
}

static bool is_sha(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    return s.len == DOCLOG_SHA;
}

static bool is_author(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

bool doclog_parse(struct slice text, struct doclog_entry *out)
{
    const char *end = text.len ? memchr(text.p, '\n', text.len) : NULL;
    struct slice line = {text.p, end ? (size_t)(end - text.p) : 0}, sha, t, by;
    struct doclog_entry e;

    if (!end || !next_word(&line, &sha) || !next_word(&line, &t) || !next_word(&line, &by) || line.len)
        return false;
    if (!is_sha(sha) || !is_author(by) || !slice_copy_z(sha, e.sha, sizeof e.sha) || !slice_copy_z(by, e.by, sizeof e.by) ||
        !num_i64(t.p, t.len, &e.t_ms))
        return false;
    e.bytes = (struct slice){end + 1, text.len - (size_t)(end + 1 - text.p)};
    *out = e;
    return true;
}

void doclog_author(struct slice said, char out[DOCLOG_BY_MAX + 1])
{
    size_t n = said.len < DOCLOG_BY_MAX ? said.len : DOCLOG_BY_MAX;

    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)said.p[i] <= ' ' || said.p[i] == 0x7f ? '_' : said.p[i];
    out[n] = 0;
    if (!n)
        memcpy(out, "?", 2);
}

static const char *const state_words[DOC_STATES] = {"", "live", "invalid", "vanished", "retired"};
const char *doc_state_word(enum doc_state s) { return state_words[s]; }

enum doc_state doc_state_from_word(struct slice word)
{
    for (int s = DOC_LIVE; s < DOC_STATES; s++)
        if (slice_is(word, state_words[s]))
            return (enum doc_state)s;
    return DOC_UNKNOWN;
}

static bool never_logged(const struct doc_seen *s) { return s->ver == 0 && s->held_ver == 0; }
static bool is_other_type(const struct doc_seen *s) { return s->is == DOC_OTHER_TYPE; }
static bool is_there(const struct doc_seen *s) { return s->is == DOC_BYTES; }
static bool is_retired(const struct doc_seen *s) { return !is_there(s) && s->state == DOC_RETIRED; }
static bool was_never(const struct doc_seen *s) { return !is_there(s) && never_logged(s); }
/* Of a directory that lost its last writes the whole of cfgmeta is older, and the bytes are those of that older version. */
static bool directory_lost_it(const struct doc_seen *s)
{
    return is_there(s) && s->held_live && s->held_bytes && s->ver < s->held_ver && s->ver > 0 && strcmp(s->sha, s->meta_sha) == 0 &&
           strcmp(s->sha, s->held_sha) != 0;
}
static bool is_logged(const struct doc_seen *s)
{
    return is_there(s) && s->ver > 0 && strcmp(s->sha, s->meta_sha) == 0;
}
static bool is_as_it_should(const struct doc_seen *s)
{
    return is_logged(s) && s->state == (s->valid ? DOC_LIVE : DOC_INVALID);
}
/* What is remembered is the last that was logged. */
static bool can_be_held(const struct doc_seen *s)
{
    return s->held_ver > 0 && s->held_ver >= s->ver && s->held_live && s->held_bytes;
}

static bool was_live(const struct doc_seen *s) { return s->ver > 0 && (s->state == DOC_LIVE || s->state == DOC_VANISHED); }
static bool is_noted(const struct doc_seen *s) { return s->state == DOC_VANISHED; }
static bool otherwise(const struct doc_seen *s) { return s != NULL; }

static bool can_come_back(const struct doc_seen *s)
{
    if (is_there(s) || is_noted(s))
        return !is_there(s) && can_be_held(s);
    return can_be_held(s) || was_live(s);
}

/* The first question that is answered with yes. */
static const struct { bool (*question)(const struct doc_seen *s); enum doc_act act; const char *because; } rows[] = {
    {is_other_type,     DOC_LEAVE,         "the key holds another type of value"},
    {is_retired,        DOC_FORGET,        "it was retired"},
    {was_never,         DOC_FORGET,        "nobody knows it"},
    {directory_lost_it, DOC_REPUBLISH,     "the directory lost the last version"},
    {is_as_it_should,   DOC_KEEP,          "logged"},
    {is_logged,         DOC_NOTE_STATE,    "it is there again"},
    {is_there,          DOC_LOG,           "a new version"},
    {can_come_back,     DOC_RESTORE,       "it was deleted, flushed or expired"},
    {is_noted,          DOC_FORGET,        "it vanished, and that is known"},
    {otherwise,         DOC_NOTE_VANISHED, "it was deleted, flushed or expired, and cannot be brought back"},
};

enum doc_act doclog_decide(const struct doc_seen *s, const char **because)
{
    size_t i = 0;

    while (!rows[i].question(s))
        i++;
    *because = rows[i].because;
    return rows[i].act;
}

int64_t doclog_next_version(const struct doc_seen *s) { return (s->ver > s->held_ver ? s->ver : s->held_ver) + 1; }

int64_t doclog_back_version(const struct doc_seen *s) { return can_be_held(s) ? s->held_ver : s->ver; }

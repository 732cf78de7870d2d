/* Two kinds of line; the fields of the first are a table. */
#include "sentinel/wire/formed_text.h"

#include "common/base/num.h"
#include "common/text/ha_text.h"

#include <stddef.h>
#include <string.h>

enum kind { K_U64, K_BALLOT, K_MS, K_ID };

static const struct field {
    const char *name;
    enum kind kind;
    size_t at;
} fields[] = {
    {"life", K_U64, offsetof(struct voter_facts, life)},
    {"promised", K_BALLOT, offsetof(struct voter_facts, promised)},
    {"voted-for", K_ID, offsetof(struct voter_facts, voted_for)},
    {"voted-life", K_U64, offsetof(struct voter_facts, voted_life)},
    {"promise-max", K_MS, offsetof(struct voter_facts, promise_max_ms)},
    {"replace-out", K_ID, offsetof(struct voter_facts, replace_out)},
    {"replace-life", K_U64, offsetof(struct voter_facts, replace_life)},
    {"replace-in", K_ID, offsetof(struct voter_facts, replace_in)},
};
#define FIELDS (sizeof fields / sizeof fields[0])

void formed_text_put(struct str *out, const struct voter_facts *f)
{
    str_append_z(out, "voter");
    for (size_t i = 0; i < FIELDS; i++) {
        const char *at = (const char *)f + fields[i].at;

        switch (fields[i].kind) {
        case K_U64:
        case K_BALLOT:
            if (*(const uint64_t *)at != 0)
                str_printf(out, " %s %llu", fields[i].name, (unsigned long long)*(const uint64_t *)at);
            break;
        case K_MS:
            if (*(const int64_t *)at != 0)
                str_printf(out, " %s %lld", fields[i].name, (long long)*(const int64_t *)at);
            break;
        case K_ID:
            if (*at)
                str_printf(out, " %s %s", fields[i].name, at);
            break;
        }
    }
    str_append_c(out, '\n');
    if (f->rec.gid == 0)
        return;
    str_append_z(out, "record ");
    ha_text_put_record(out, &f->rec);
    str_append_c(out, '\n');
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool read_id(struct slice w, char *to)
{
    if (w.len != ID_HEX)
        return false;
    for (size_t i = 0; i < w.len; i++)
        if (!((w.p[i] >= '0' && w.p[i] <= '9') || (w.p[i] >= 'a' && w.p[i] <= 'f')))
            return false;
    return slice_copy_z(w, to, ID_MAX);
}

static bool read_value(const struct field *d, struct slice w, struct voter_facts *f)
{
    char *at = (char *)f + d->at;

    switch (d->kind) {
    case K_U64: return num_u64(w.p, w.len, (uint64_t *)at);
    case K_BALLOT: return num_u64(w.p, w.len, (uint64_t *)at) && *(uint64_t *)at <= HA_TEXT_BALLOT_MAX;
    case K_MS: return num_i64_in(w.p, w.len, 0, INT32_MAX, (int64_t *)at);
    case K_ID: return read_id(w, at);
    }
    return false;
}

static struct slice next_word(struct slice *line)
{
    const char *blank = memchr(line->p, ' ', line->len);
    struct slice w = {line->p, blank ? (size_t)(blank - line->p) : line->len};
    size_t n = w.len + (blank != NULL);

    line->p += n;
    line->len -= n;
    return w;
}

static int read_voter(struct slice line, struct voter_facts *f, struct err *e)
{
    unsigned seen = 0;

    while (line.len > 0) {
        struct slice name = next_word(&line), value = next_word(&line);
        size_t i = 0;

        while (i < FIELDS && !slice_is(name, fields[i].name))
            i++;
        if (i == FIELDS)
            return err_set(e, ERR_FORMAT, "a field that a voter does not have");
        if (seen & 1u << i)
            return err_set(e, ERR_FORMAT, "'%s' of a voter stands there twice", fields[i].name);
        seen |= 1u << i;
        if (!read_value(&fields[i], value, f))
            return err_set(e, ERR_FORMAT, "'%s' of a voter is not what it should be", fields[i].name);
    }
    return 0;
}

static int check(const struct voter_facts *f, bool voter, struct err *e)
{
    if (!voter || f->life == 0)
        return err_set(e, ERR_FORMAT, "a voter without a life");
    if (f->voted_for[0] != '\0' && (f->voted_life == 0 || f->promised == 0))
        return err_set(e, ERR_FORMAT, "a vote for nobody's life, or in no ballot");
    if ((f->replace_out[0] != '\0') != (f->replace_in[0] != '\0') || (f->replace_out[0] != '\0') != (f->replace_life != 0))
        return err_set(e, ERR_FORMAT, "half a wish to replace a voter");
    if (f->rec.gid == 0)
        return 0;
    if (f->promised < f->rec.ballot)
        return err_set(e, ERR_FORMAT, "the record's ballot is above the promise");
    if (f->promise_max_ms < f->rec.timing.promise_ms)
        return err_set(e, ERR_FORMAT, "the record's promise is longer than the longest");
    return 0;
}

int formed_text_read(struct slice text, struct voter_facts *f, struct err *e)
{
    bool voter = false, record = false;
    const char *wrong = NULL;

    memset(f, 0, sizeof *f);
    while (text.len > 0) {
        const char *nl = memchr(text.p, '\n', text.len);
        struct slice line = {text.p, nl ? (size_t)(nl - text.p) : text.len};
        struct slice what;

        text.len -= line.len + (nl != NULL);
        text.p += line.len + (nl != NULL);
        what = next_word(&line);
        if (slice_is(what, "voter") && !voter) {
            if (read_voter(line, f, e) != 0)
                return ERR_FORMAT;
            voter = true;
        } else if (slice_is(what, "record") && !record) {
            if (!ha_text_record_line(line.p, line.len, &f->rec, &wrong))
                return err_set(e, ERR_FORMAT, "the record of a group: %s", wrong);
            record = true;
        } else {
            return err_set(e, ERR_FORMAT, "a line that is neither a voter nor its one record");
        }
    }
    return check(f, voter, e);
}

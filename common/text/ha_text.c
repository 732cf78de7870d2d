/* One row per field, for writing and for reading. A row says how many words the value has
 * and what they may be; lists (members, voters) are rows that may come again. */
#include "common/text/ha_text.h"

#include "common/base/num.h"

#include <stddef.h>
#include <string.h>

enum kind { K_BALLOT, K_U64, K_CHANGE, K_I64, K_MS, K_ID, K_ADDR, K_POS, K_WHY, K_STATE, K_FLAGS, K_BOOL, K_MODE, K_COUNT,
            K_TIMING, K_MEMBER, K_VOTER };

struct field {
    const char *name;
    enum kind kind;
    size_t at;
};

#define M(name, kind) {#name, kind, offsetof(struct ha_msg, name)}
static const struct field msg_fields[] = {
    M(from, K_ID), M(life, K_U64), M(gid, K_U64), M(old_gid, K_U64), M(ballot, K_BALLOT), M(promised, K_BALLOT),
    M(epoch, K_BALLOT), M(incarnation, K_U64), M(nonce, K_U64), M(sealed, K_BALLOT), M(change, K_CHANGE), M(node, K_ID),
    M(node_life, K_U64), M(addr, K_ADDR), M(pos, K_POS), M(acked, K_I64), M(ms, K_MS), M(why, K_WHY), M(state, K_STATE),
    M(flags, K_FLAGS), M(ok, K_BOOL), M(unproved, K_BOOL), M(ended, K_BOOL),
};
#undef M

#define R(name, kind) {#name, kind, offsetof(struct ha_record, name)}
static const struct field rec_fields[] = {
    R(gid, K_U64), R(ballot, K_BALLOT), R(change, K_CHANGE), R(dissolved, K_BOOL), R(epoch, K_BALLOT), R(born, K_BALLOT),
    R(primary, K_ID), R(incarnation, K_U64), R(mode, K_MODE), R(fsync, K_BOOL), R(k, K_COUNT), R(timing, K_TIMING), R(drop_after_ms, K_MS),
    R(member, K_MEMBER), R(voter, K_VOTER),
};
#undef R

#define ROWS(t) (sizeof(t) / sizeof(t)[0])
_Static_assert(ROWS(msg_fields) < 32 && ROWS(rec_fields) < 32, "one bit per field");

static const int words_of[] = {
    [K_BALLOT] = 1, [K_U64] = 1, [K_CHANGE] = 1, [K_I64] = 1, [K_MS] = 1, [K_ID] = 1, [K_ADDR] = 2, [K_POS] = 2,
    [K_WHY] = 1, [K_STATE] = 1, [K_FLAGS] = 1, [K_BOOL] = 1, [K_MODE] = 1, [K_COUNT] = 1, [K_TIMING] = 5,
    [K_MEMBER] = 8, [K_VOTER] = 4,
};

/* --- writing ------------------------------------------------------------------------------------ */

static bool is_word(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f || p[i] == '"' || p[i] == '\'')
            return false;
    return n > 0;
}

static void put_word(struct str *out, const char *z)
{
    str_append_c(out, ' ');
    str_append_z(out, is_word(z, strlen(z)) ? z : "-");
}

static void put_u64(struct str *out, uint64_t v) { str_printf(out, " %llu", (unsigned long long)v); }
static void put_i64(struct str *out, int64_t v) { str_printf(out, " %lld", (long long)v); }

static void put_addr(struct str *out, const struct addr *a)
{
    put_word(out, a->host);
    put_u64(out, a->port);
}

static void put_timing(struct str *out, const struct ha_timing *t)
{
    put_i64(out, t->heartbeat_ms);
    put_i64(out, t->promise_ms);
    put_i64(out, t->lease_ms);
    put_i64(out, t->down_after_ms);
    put_i64(out, t->election_ms);
}

static void put_member(struct str *out, const struct ha_member *m)
{
    put_word(out, m->id);
    put_u64(out, m->life);
    put_addr(out, &m->addr);
    put_i64(out, m->priority);
    put_word(out, m->zone);
    put_u64(out, m->last.epoch);
    put_i64(out, m->last.offset);
}

static void put_voter(struct str *out, const struct ha_voter *v)
{
    put_word(out, v->id);
    put_u64(out, v->life);
    put_addr(out, &v->addr);
}

/* Zero values are not written: reading begins with zeroes. */
static bool is_zero(const struct field *f, const void *p)
{
    switch (f->kind) {
    case K_BALLOT:
    case K_U64: return *(const uint64_t *)p == 0;
    case K_CHANGE: return *(const uint32_t *)p == 0;
    case K_I64:
    case K_MS: return *(const int64_t *)p == 0;
    case K_ID:
    case K_ADDR: return *(const char *)p == '\0';
    case K_POS: return ((const struct ha_position *)p)->epoch == 0 && ((const struct ha_position *)p)->offset == 0;
    case K_WHY: return *(const enum ha_why *)p == HA_WHY_NONE;
    case K_STATE: return *(const enum ha_node_state *)p == HA_PLAIN;
    case K_FLAGS: return *(const unsigned *)p == 0;
    case K_BOOL: return !*(const bool *)p;
    case K_MODE:
    case K_COUNT:
    case K_TIMING:
    case K_MEMBER:
    case K_VOTER: return false;
    }
    return false;
}

static void put_value(struct str *out, const struct field *f, const void *p)
{
    switch (f->kind) {
    case K_BALLOT:
    case K_U64: put_u64(out, *(const uint64_t *)p); break;
    case K_CHANGE: put_u64(out, *(const uint32_t *)p); break;
    case K_I64:
    case K_MS: put_i64(out, *(const int64_t *)p); break;
    case K_ID: put_word(out, p); break;
    case K_ADDR: put_addr(out, p); break;
    case K_POS:
        put_u64(out, ((const struct ha_position *)p)->epoch);
        put_i64(out, ((const struct ha_position *)p)->offset);
        break;
    case K_WHY: put_word(out, ha_why_name(*(const enum ha_why *)p)); break;
    case K_STATE: put_word(out, ha_node_state_name(*(const enum ha_node_state *)p)); break;
    case K_FLAGS: put_u64(out, *(const unsigned *)p); break;
    case K_BOOL: put_word(out, "yes"); break;
    case K_MODE: put_word(out, ha_mode_name(*(const enum ha_mode *)p)); break;
    case K_COUNT: put_i64(out, *(const int *)p); break;
    case K_TIMING: put_timing(out, p); break;
    case K_MEMBER: put_member(out, p); break;
    case K_VOTER: put_voter(out, p); break;
    }
}

static void put_field(struct str *out, const struct field *f, const void *p)
{
    if (out->len > 0 && out->p[out->len - 1] != ' ')
        str_append_c(out, ' ');
    str_append_z(out, f->name);
    put_value(out, f, p);
}

void ha_text_put_record(struct str *out, const struct ha_record *r)
{
    for (size_t i = 0; i < ROWS(rec_fields); i++) {
        const struct field *f = &rec_fields[i];
        const void *p = (const char *)r + f->at;

        if (f->kind == K_MEMBER)
            for (int m = 0; m < r->n_members; m++)
                put_field(out, f, &r->member[m]);
        else if (f->kind == K_VOTER)
            for (int v = 0; v < r->n_voters; v++)
                put_field(out, f, &r->voter[v]);
        else if (!is_zero(f, p))
            put_field(out, f, p);
    }
}

void ha_text_put_msg(struct str *out, const struct ha_msg *m)
{
    str_append_z(out, ha_kind_name(m->kind));
    for (size_t i = 0; i < ROWS(msg_fields); i++)
        if (!is_zero(&msg_fields[i], (const char *)m + msg_fields[i].at))
            put_field(out, &msg_fields[i], (const char *)m + msg_fields[i].at);
    if (m->rec != NULL) {
        str_append_z(out, " rec ");
        ha_text_put_record(out, m->rec);
    }
}

/* --- reading --------------------------------------------------------------------------------------- */

static bool get_id(struct slice w, char out[ID_MAX])
{
    if (w.len != ID_HEX)
        return false;
    for (size_t i = 0; i < w.len; i++)
        if (!((w.p[i] >= '0' && w.p[i] <= '9') || (w.p[i] >= 'a' && w.p[i] <= 'f')))
            return false;
    return slice_copy_z(w, out, ID_MAX);
}

static bool get_u64(struct slice w, uint64_t max, uint64_t *out)
{
    uint64_t v;

    if (!num_u64(w.p, w.len, &v) || v > max)
        return false;
    *out = v;
    return true;
}

static bool get_int(struct slice w, int64_t lo, int64_t hi, int64_t *out) { return num_i64_in(w.p, w.len, lo, hi, out); }

/* "-" 0 is no address. */
static bool get_addr(const struct slice *w, struct addr *out)
{
    int64_t port;

    if (!num_i64_in(w[1].p, w[1].len, 0, 65535, &port))
        return false;
    if (slice_is(w[0], "-")) {
        out->host[0] = '\0';
        out->port = (uint16_t)port;
        return true;
    }
    return is_word(w[0].p, w[0].len) && addr_set(out, w[0].p, w[0].len, port);
}

static bool get_pos(const struct slice *w, struct ha_position *out)
{
    return get_u64(w[0], HA_TEXT_BALLOT_MAX, &out->epoch) && get_int(w[1], -1, INT64_MAX, &out->offset);
}

/* The index of a name in an enum's names. */
static bool get_name(struct slice w, const char *(*name)(int i), int n, int *out)
{
    for (int i = 0; i < n; i++)
        if (slice_is(w, name(i))) {
            *out = i;
            return true;
        }
    return false;
}
static const char *why_at(int i) { return ha_why_name((enum ha_why)i); }
static const char *state_at(int i) { return ha_node_state_name((enum ha_node_state)i); }
static const char *mode_at(int i) { return ha_mode_name((enum ha_mode)i); }
static const char *kind_at(int i) { return ha_kind_name((enum ha_kind)i); }

static bool get_timing(const struct slice *w, struct ha_timing *t)
{
    int64_t *const to[] = {&t->heartbeat_ms, &t->promise_ms, &t->lease_ms, &t->down_after_ms, &t->election_ms};

    for (int i = 0; i < 5; i++)
        if (!get_int(w[i], 1, INT32_MAX, to[i]))
            return false;
    return true;
}

static bool get_member(const struct slice *w, struct ha_member *m)
{
    int64_t priority;

    if (!get_id(w[0], m->id) || !get_u64(w[1], UINT64_MAX, &m->life) || !get_addr(&w[2], &m->addr) ||
        !get_int(w[4], 0, INT32_MAX, &priority) || !get_pos(&w[6], &m->last))
        return false;
    m->priority = (int32_t)priority;
    if (slice_is(w[5], "-"))
        return true;
    return is_word(w[5].p, w[5].len) && slice_copy_z(w[5], m->zone, sizeof m->zone);
}

static bool get_voter(const struct slice *w, struct ha_voter *v)
{
    return get_id(w[0], v->id) && get_u64(w[1], UINT64_MAX, &v->life) && get_addr(&w[2], &v->addr);
}

static bool get_value(const struct field *f, const struct slice *w, void *p)
{
    uint64_t u = 0;
    int64_t v = 0;
    int i = 0;

    switch (f->kind) {
    case K_BALLOT: return get_u64(*w, HA_TEXT_BALLOT_MAX, p);
    case K_U64: return get_u64(*w, UINT64_MAX, p);
    case K_CHANGE:
        if (!get_u64(*w, 2, &u))
            return false;
        *(uint32_t *)p = (uint32_t)u;
        return true;
    case K_I64: return get_int(*w, -1, INT64_MAX, p);
    case K_MS: return get_int(*w, 0, INT32_MAX, p);
    case K_ID: return get_id(*w, p);
    case K_ADDR: return get_addr(w, p);
    case K_POS: return get_pos(w, p);
    case K_WHY:
        if (!get_name(*w, why_at, HA_WHYS, &i))
            return false;
        *(enum ha_why *)p = (enum ha_why)i;
        return true;
    case K_STATE:
        if (!get_name(*w, state_at, HA_NODE_STATES, &i))
            return false;
        *(enum ha_node_state *)p = (enum ha_node_state)i;
        return true;
    case K_FLAGS:
        if (!get_u64(*w, 0xffff, &u))
            return false;
        *(unsigned *)p = (unsigned)u;
        return true;
    case K_BOOL:
        *(bool *)p = slice_is(*w, "yes");
        return *(bool *)p || slice_is(*w, "no");
    case K_MODE:
        if (!get_name(*w, mode_at, HA_MODES, &i))
            return false;
        *(enum ha_mode *)p = (enum ha_mode)i;
        return true;
    case K_COUNT:
        if (!get_int(*w, 0, HA_MEMBERS_MAX, &v))
            return false;
        *(int *)p = (int)v;
        return true;
    case K_TIMING: return get_timing(w, p);
    case K_MEMBER: return get_member(w, p);
    case K_VOTER: return get_voter(w, p);
    }
    return false;
}

static const struct field *find(const struct field *t, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(name, t[i].name))
            return &t[i];
    return NULL;
}

static bool wrong(const char **error, const char *what)
{
    *error = what;
    return false;
}

/* Where the value of a row goes; NULL: no more of them fit, or it was there already. */
static void *place(struct ha_record *r, const struct field *f, unsigned *seen)
{
    unsigned bit = 1u << (f - rec_fields);

    if (f->kind == K_MEMBER)
        return r->n_members < HA_MEMBERS_MAX ? &r->member[r->n_members++] : NULL;
    if (f->kind == K_VOTER)
        return r->n_voters < HA_VOTERS_MAX ? &r->voter[r->n_voters++] : NULL;
    if (*seen & bit)
        return NULL;
    *seen |= bit;
    return (char *)r + f->at;
}

bool ha_text_record(int argc, const struct slice *argv, struct ha_record *rec, const char **error)
{
    unsigned seen = 0;

    memset(rec, 0, sizeof *rec);
    for (int i = 0; i < argc;) {
        const struct field *f = find(rec_fields, ROWS(rec_fields), argv[i]);
        void *to;

        if (f == NULL)
            return wrong(error, "a record has no such field");
        if (argc - i - 1 < words_of[f->kind])
            return wrong(error, "a field of the record is cut short");
        to = place(rec, f, &seen);
        if (to == NULL)
            return wrong(error, "a field of the record stands there twice, or too often");
        if (!get_value(f, &argv[i + 1], to))
            return wrong(error, "a value of the record is not one");
        i += 1 + words_of[f->kind];
    }
    *error = ha_record_check(rec);
    if (*error == NULL && rec->timing.promise_ms == 0)
        *error = "a record without timing";
    return *error == NULL;
}

bool ha_text_msg(int argc, const struct slice *argv, struct ha_msg *m, struct ha_record *rec, const char **error)
{
    unsigned seen = 0;
    int kind = 0;

    memset(m, 0, sizeof *m);
    if (argc < 1 || !get_name(argv[0], kind_at, HA_KINDS, &kind) || kind == HA_NOTHING)
        return wrong(error, "no such message");
    m->kind = (enum ha_kind)kind;
    for (int i = 1; i < argc;) {
        const struct field *f;
        unsigned bit;

        if (slice_is(argv[i], "rec")) {
            m->rec = rec;
            if (!ha_text_record(argc - i - 1, argv + i + 1, rec, error))
                return false;
            break;
        }
        f = find(msg_fields, ROWS(msg_fields), argv[i]);
        if (f == NULL)
            return wrong(error, "a message has no such field");
        bit = 1u << (f - msg_fields);
        if (seen & bit)
            return wrong(error, "a field of the message stands there twice");
        seen |= bit;
        if (argc - i - 1 < words_of[f->kind])
            return wrong(error, "a field of the message is cut short");
        if (!get_value(f, &argv[i + 1], (char *)m + f->at))
            return wrong(error, "a value of the message is not one");
        i += 1 + words_of[f->kind];
    }
    if (m->from[0] == '\0')
        return wrong(error, "a message without its sender");
    return true;
}

/* --- lines ---------------------------------------------------------------------------------------- */

static int split(const char *p, size_t n, struct slice argv[HA_TEXT_WORDS_MAX])
{
    int argc = 0;
    size_t i = 0;

    while (i < n) {
        size_t from;
        if (p[i] == ' ') {
            i++;
            continue;
        }
        from = i;
        while (i < n && p[i] != ' ')
            i++;
        if (argc == HA_TEXT_WORDS_MAX || !is_word(p + from, i - from))
            return -1;
        argv[argc++] = (struct slice){p + from, i - from};
    }
    return argc;
}

bool ha_text_msg_line(const char *p, size_t n, struct ha_msg *m, struct ha_record *rec, const char **error)
{
    struct slice argv[HA_TEXT_WORDS_MAX];
    int argc = split(p, n, argv);

    return argc < 0 ? wrong(error, "more words than a message has, or bytes that no word holds")
                    : ha_text_msg(argc, argv, m, rec, error);
}

bool ha_text_record_line(const char *p, size_t n, struct ha_record *rec, const char **error)
{
    struct slice argv[HA_TEXT_WORDS_MAX];
    int argc = split(p, n, argv);

    return argc < 0 ? wrong(error, "more words than a record has, or bytes that no word holds")
                    : ha_text_record(argc, argv, rec, error);
}

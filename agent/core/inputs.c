/* A snapshot of the directory, and lists of what to ask it. */
#include "agent/core/inputs.h"

#include "common/base/mem.h"

#include <string.h>

static void input_empty(struct input *i)
{
    str_fini(&i->bytes);
    for (size_t n = 0; n < i->fields.n; n++) {
        str_fini(&i->fields.at[n].name);
        str_fini(&i->fields.at[n].value);
    }
    vec_fini(&i->fields);
    i->kind = INPUT_MISSING;
}

static void input_free(void *v)
{
    struct input *i = v;

    if (!i)
        return;
    input_empty(i);
    mem_free(i);
}

void inputs_init(struct inputs *in) { dict_init(&in->by_source); }
void inputs_fini(struct inputs *in) { dict_fini(&in->by_source, input_free); }
void inputs_clear(struct inputs *in) { dict_clear(&in->by_source, input_free); }
void inputs_swap(struct inputs *a, struct inputs *b) { dict_swap(&a->by_source, &b->by_source); }

struct input *inputs_put(struct inputs *in, struct slice source)
{
    bool is_new;
    struct dict_entry *entry = dict_put(&in->by_source, source.p, source.len, &is_new);

    if (is_new)
        entry->v.p = mem_zalloc(sizeof(struct input));
    else
        input_empty(entry->v.p);
    return entry->v.p;
}

void inputs_put_string(struct inputs *in, const char *source, const void *p, size_t n)
{
    struct input *i = inputs_put(in, slice_z(source));

    i->kind = INPUT_STRING;
    str_set(&i->bytes, p, n);
}

void inputs_put_missing(struct inputs *in, const char *source)
{
    inputs_put(in, slice_z(source));
}

void input_add_field(struct input *i, const void *name, size_t nlen, const void *value, size_t vlen)
{
    struct input_field *f = vec_add(&i->fields);

    i->kind = INPUT_HASH;
    str_set(&f->name, name, nlen);
    str_set(&f->value, value, vlen);
}

const struct input *inputs_get(const struct inputs *in, const char *source)
{
    return dict_get(&in->by_source, source, strlen(source));
}

void inputs_copy_one(struct inputs *to, const struct inputs *from, const char *source)
{
    const struct input *i = inputs_get(from, source);
    struct input *copy;

    if (!i)
        return;
    copy = inputs_put(to, slice_z(source));
    str_set(&copy->bytes, i->bytes.p, i->bytes.len);
    for (size_t n = 0; n < i->fields.n; n++)
        input_add_field(copy, i->fields.at[n].name.p, i->fields.at[n].name.len, i->fields.at[n].value.p,
                        i->fields.at[n].value.len);
    copy->kind = i->kind;
}

static bool starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.len > n && memcmp(s.p, prefix, n) == 0;
}

/* "hash:" only says what the key holds; "svcs:" is part of the key. */
bool source_is_hash(struct slice source) { return starts(source, "hash:") || starts(source, "svcs:"); }

/* Whatever is a source makes its readers read everything again when it changes. */
static bool beats(struct slice source) { return starts(source, "hash:lease:") || starts(source, "hash:node:"); }

bool source_valid(struct slice source)
{
    if (source.len > SOURCE_MAX || beats(source))
        return false;
    for (size_t i = 0; i < source.len; i++)
        if ((unsigned char)source.p[i] < 0x20)
            return false;
    return starts(source, "config:") || starts(source, "cfgschema:") || source_is_hash(source);
}

struct slice source_key(struct slice source)
{
    if (starts(source, "hash:"))
        return (struct slice){source.p + 5, source.len - 5};
    return source;
}

void sources_init(struct sources *s) { memset(s, 0, sizeof *s); }

void sources_fini(struct sources *s)
{
    for (size_t i = 0; i < s->at.n; i++)
        mem_free(s->at.at[i]);
    vec_fini(&s->at);
}

bool sources_has(const struct sources *s, const char *source)
{
    for (size_t i = 0; i < s->at.n; i++)
        if (strcmp(s->at.at[i], source) == 0)
            return true;
    return false;
}

bool sources_add(struct sources *s, const char *source)
{
    if (sources_has(s, source))
        return false;
    vec_push(&s->at, mem_strdup(source));
    return true;
}

bool sources_all_in(const struct sources *s, const struct inputs *in)
{
    for (size_t i = 0; i < s->at.n; i++)
        if (!inputs_get(in, s->at.at[i]))
            return false;
    return true;
}

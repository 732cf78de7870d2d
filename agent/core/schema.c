/* Checks a tree against its table and names the first place that is wrong. */
#include "agent/core/schema.h"

#include "common/base/num.h"
#include "common/base/str.h"

#include <string.h>

static int check_value(const struct shape_field *f, const cJSON *v, struct str *path, struct err *e);

static bool parse_mode(const char *z, int *out)
{
    int v = 0;
    size_t n = strlen(z);

    if (n < 3 || n > 4)
        return false;
    for (; *z; z++) {
        if (*z < '0' || *z > '7')
            return false;
        v = v * 8 + (*z - '0');
    }
    if (v > 0777)
        return false;
    *out = v;
    return true;
}

static int wrong(struct err *e, int code, const struct str *path, const char *what)
{
    return err_set(e, code, "%s: %s", str_c(path), what);
}

static int check_object(const struct shape *s, const cJSON *v, struct str *path, struct err *e)
{
    size_t base = path->len;
    unsigned chosen = 0;
    int rc = 0;

    for (const cJSON *c = v->child; c; c = c->next) {
        const struct shape_field *f = NULL;

        str_printf(path, "%s%.100s", base ? "." : "", c->string);
        for (size_t i = 0; i < s->n; i++)
            if (strcmp(s->fields[i].name, c->string) == 0) {
                f = &s->fields[i];
                if (s->exactly_one && i < s->choice)
                    chosen++;
            }
        if (!f)
            return wrong(e, ERR_UNKNOWN, path, "unknown name");
        rc = check_value(f, c, path, e);
        if (rc != 0)
            return rc;
        str_cut(path, base);
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->fields[i].required && !tree_at(v, s->fields[i].name))
            return err_set(e, ERR_MISSING, "%s%s'%s' is missing", str_c(path), base ? ": " : "", s->fields[i].name);
    if (s->exactly_one && chosen != 1) {
        struct str names = {0};

        for (unsigned i = 0; i < s->choice; i++)
            str_printf(&names, "%s'%s'", i ? ", " : "", s->fields[i].name);
        err_set(e, chosen ? ERR_RANGE : ERR_MISSING, "%s%sjust one of %s must be given", str_c(path), base ? ": " : "",
                str_c(&names));
        str_fini(&names);
        return chosen ? ERR_RANGE : ERR_MISSING;
    }
    return 0;
}

static int check_elements(const struct shape_field *f, const cJSON *v, struct str *path, struct err *e)
{
    size_t base = path->len;
    int64_t n = 0;
    int rc;

    for (const cJSON *c = v->child; c; c = c->next, n++) {
        if (n >= f->max)
            return err_set(e, ERR_LIMIT, "%s: more than %lld entries", str_c(path), (long long)f->max);
        if (f->type == SHAPE_LIST)
            str_printf(path, "[%lld]", (long long)n);
        else
            str_printf(path, ".%.100s", c->string);
        rc = check_value(&f->of->fields[0], c, path, e);
        if (rc != 0)
            return rc;
        str_cut(path, base);
    }
    if (n < f->min)
        return err_set(e, ERR_RANGE, "%s: needs at least %lld entries", str_c(path), (long long)f->min);
    return 0;
}

static int check_word(const struct shape_field *f, const cJSON *v, struct str *path, struct err *e)
{
    struct str allowed = {0};

    for (const char *const *w = f->words; *w; w++) {
        if (cJSON_IsString(v) && strcmp(*w, v->valuestring) == 0) {
            str_fini(&allowed);
            return 0;
        }
        str_printf(&allowed, "%s%s", w == f->words ? "" : ", ", *w);
    }
    err_set(e, ERR_RANGE, "%s: must be one of %s", str_c(path), str_c(&allowed));
    str_fini(&allowed);
    return ERR_RANGE;
}

static int check_value(const struct shape_field *f, const cJSON *v, struct str *path, struct err *e)
{
    int64_t ms;
    int mode;

    switch (f->type) {
    case SHAPE_TEXT:
        if (!cJSON_IsString(v))
            return wrong(e, ERR_FORMAT, path, "must be a string");
        if ((int64_t)strlen(v->valuestring) < f->min)
            return wrong(e, ERR_RANGE, path, "must not be empty");
        if (f->max && (int64_t)strlen(v->valuestring) > f->max)
            return err_set(e, ERR_RANGE, "%s: longer than %lld bytes", str_c(path), (long long)f->max);
        return 0;
    case SHAPE_INT:
        if (!cJSON_IsNumber(v) || !(v->valuedouble >= (double)f->min && v->valuedouble <= (double)f->max) ||
            (double)(int64_t)v->valuedouble != v->valuedouble)
            return err_set(e, ERR_RANGE, "%s: must be a whole number %lld..%lld", str_c(path), (long long)f->min,
                           (long long)f->max);
        return 0;
    case SHAPE_BOOL:
        return cJSON_IsBool(v) ? 0 : wrong(e, ERR_FORMAT, path, "must be true or false");
    case SHAPE_MS:
        if (!cJSON_IsString(v) || !num_duration(v->valuestring, strlen(v->valuestring), 1000, &ms) || ms < f->min ||
            ms > f->max)
            return err_set(e, ERR_RANGE, "%s: must be a duration such as \"500ms\" or \"10s\", %lldms..%lldms",
                           str_c(path), (long long)f->min, (long long)f->max);
        return 0;
    case SHAPE_MODE:
        if (!cJSON_IsString(v) || !parse_mode(v->valuestring, &mode))
            return wrong(e, ERR_RANGE, path, "must be an octal mode such as \"0640\", at most 0777");
        return 0;
    case SHAPE_WORD:
        return check_word(f, v, path, e);
    case SHAPE_OBJECT:
        if (!cJSON_IsObject(v))
            return wrong(e, ERR_FORMAT, path, "must be an object");
        return check_object(f->of, v, path, e);
    case SHAPE_LIST:
        if (!cJSON_IsArray(v))
            return wrong(e, ERR_FORMAT, path, "must be a list");
        return check_elements(f, v, path, e);
    case SHAPE_MAP:
        if (!cJSON_IsObject(v))
            return wrong(e, ERR_FORMAT, path, "must be an object");
        return check_elements(f, v, path, e);
    case SHAPE_ANY:
        return 0;
    case SHAPE_LATER:
        return wrong(e, ERR_REFUSED, path, "not supported yet");
    }
    return wrong(e, ERR_FORMAT, path, "no such shape");
}

int shape_check(const struct shape *s, const cJSON *tree, struct err *e)
{
    struct str path = {0};
    int rc = cJSON_IsObject(tree) ? check_object(s, tree, &path, e) : err_set(e, ERR_FORMAT, "must be an object");

    str_fini(&path);
    return rc;
}

const cJSON *tree_at(const cJSON *tree, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(tree, name);
}

const char *tree_text(const cJSON *tree, const char *name, const char *otherwise)
{
    const cJSON *v = tree_at(tree, name);

    return cJSON_IsString(v) ? v->valuestring : otherwise;
}

int64_t tree_int(const cJSON *tree, const char *name, int64_t otherwise)
{
    const cJSON *v = tree_at(tree, name);

    return cJSON_IsNumber(v) ? (int64_t)v->valuedouble : otherwise;
}

int64_t tree_ms(const cJSON *tree, const char *name, int64_t otherwise)
{
    const char *z = tree_text(tree, name, NULL);
    int64_t ms;

    return z && num_duration(z, strlen(z), 1000, &ms) ? ms : otherwise;
}

int tree_mode(const cJSON *tree, const char *name, int otherwise)
{
    const char *z = tree_text(tree, name, NULL);
    int mode;

    return z && parse_mode(z, &mode) ? mode : otherwise;
}

/* One PCRE2 context for all patterns: the limits never change. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "agent/shell/pattern.h"

#include "common/base/check.h"

#include <pcre2.h>

static pcre2_compile_context *compiling;
static pcre2_match_context *matching;

static void prepare(void)
{
    if (compiling)
        return;
    compiling = pcre2_compile_context_create(NULL);
    matching = pcre2_match_context_create(NULL);
    CHECK(compiling && matching);
    pcre2_set_max_pattern_length(compiling, PATTERN_MAX_CHARS);
    pcre2_set_parens_nest_limit(compiling, PATTERN_MAX_GROUPS_DEEP);
    pcre2_set_newline(compiling, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_compile_extra_options(compiling, PCRE2_EXTRA_ALT_BSUX);
    pcre2_set_match_limit(matching, PATTERN_MAX_STEPS);
    pcre2_set_depth_limit(matching, PATTERN_MAX_DEPTH);
    pcre2_set_heap_limit(matching, PATTERN_MAX_HEAP_KB);
}

static int compile(const char *text, void **out, struct err *e)
{
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF |
                       PCRE2_ALLOW_EMPTY_CLASS | PCRE2_NEVER_BACKSLASH_C;
    PCRE2_SIZE at = 0;
    int code = 0;
    unsigned char why[160];

    prepare();
    *out = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &at, compiling);
    if (*out)
        return 0;
    pcre2_get_error_message(code, why, sizeof why);
    return err_set(e, ERR_FORMAT, "is no regular expression, at character %zu: %s", (size_t)at, (const char *)why);
}

static int matches(const void *pattern, const char *text, size_t n, struct err *e)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    unsigned char why[160];
    int rc;

    CHECK(data);
    rc = pcre2_match(pattern, (PCRE2_SPTR)text, n, 0, 0, data, matching);
    pcre2_match_data_free(data);
    if (rc >= 0)
        return 1;
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    pcre2_get_error_message(rc, why, sizeof why);
    return err_set(e, ERR_LIMIT, "%s", (const char *)why);
}

static void release(void *pattern) { pcre2_code_free(pattern); }

const struct json_patterns agent_patterns = {compile, matches, release};

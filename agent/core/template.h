/* Text with holes + values = text. The language is mustache without lambdas and
 * inheritance, made strict:
 *
 *   {{name}} {{a.b}} {{.}}      the value, escaped as the document says
 *   {{{name}}} {{&name}}        the value as it is
 *   {{name ?? text}}            the text when the name is unknown or null ("..." may hold blanks)
 *   {{#name}} ... {{/name}}     once per element of a list; once, with its names, for an object;
 *                               once for any other value that is neither false nor null nor ""
 *   {{^name}} ... {{/name}}     when that would print nothing
 *   {{#name ?? false}}          what holds when the name is unknown: true or false
 *   {{>part}}                   another text, indented as the tag is
 *   {{!remark}} {{=<% %>=}}     nothing; other delimiters from here on
 *
 * A tag of the last five kinds that stands alone on its line takes the line with it.
 * Unknown names are errors, so that a misspelled name never writes a config file with a
 * hole in it. No clock, no chance: the same values give the same bytes. */
#ifndef KV_AGENT_TEMPLATE_H
#define KV_AGENT_TEMPLATE_H

#include "agent/core/escape.h"
#include "common/base/err.h"
#include "common/base/str.h"

#include <cjson/cJSON.h>

#define TEMPLATE_MAX_OUT ((size_t)4 * 1024 * 1024)
#define TEMPLATE_MAX_PARTS 8              /* texts within texts */
#define TEMPLATE_MAX_NESTING 32           /* sections within sections */
#define TEMPLATE_MAX_WORK 2000000         /* tags, elements and look-up steps of one rendering */

struct template_source {
    struct slice text;
    const cJSON *values;                  /* an object; borrowed */
    const cJSON *parts;                   /* name -> text, or NULL; borrowed */
    enum escape_mode escape;
};

/* Appends to out; on failure out is as it was. e: "line 4: ...". ERR_FORMAT: the text is no
 * template; ERR_UNKNOWN: a name nobody gave; ERR_RANGE: a value that cannot be printed;
 * ERR_LIMIT: too much. */
int template_render(const struct template_source *t, struct str *out, struct err *e);

#endif

/* template_cases: one case of JSON a line comes in ({"template","values","parts","escape"}), one line goes out: '+' and
 * the result as a JSON string, or '-' and the error. tests/house/pystache asks. */
#include "agent/core/template.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const cJSON *v, const char *name)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(v, name);

    return cJSON_IsString(c) ? c->valuestring : "";
}

static void put_json(char sign, const char *text)
{
    cJSON *v = cJSON_CreateString(text);
    char *line = cJSON_PrintUnformatted(v);

    printf("%c%s\n", sign, line);
    cJSON_free(line);
    cJSON_Delete(v);
}

static int run(const char *line)
{
    cJSON *v = cJSON_Parse(line);
    struct template_source t = {.text = slice_z(text_of(v, "template")), .values = cJSON_GetObjectItemCaseSensitive(v, "values"),
                                .parts = cJSON_GetObjectItemCaseSensitive(v, "parts"),
                                .escape = escape_from_word(text_of(v, "escape"))};
    struct str out = {0};
    struct err e = {0};
    bool good = template_render(&t, &out, &e) == 0;

    put_json(good ? '+' : '-', good ? str_c(&out) : e.text);
    str_fini(&out);
    cJSON_Delete(v);
    return 0;
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, stdin) > 0)
        run(line);
    free(line);
    return 0;
}

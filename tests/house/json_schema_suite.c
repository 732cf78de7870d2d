/* json_schema_suite FOLDER: runs the JSON Schema Test Suite's draft7 files against our compiler
 * and checker, with the agent's own regular expressions. Every case must come out as the
 * suite says, but for the rows below; a row that is not needed any more is an error too. */
#include "agent/core/json_schema.h"
#include "agent/shell/pattern.h"
#include "common/base/mem.h"
#include "common/base/vec.h"
#include "common/io/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Groups of which we compile no schema, on purpose. */
static const struct refused {
    const char *file, *group, *says, *because;
} refused[] = {
    {"definitions.json", NULL, "$ref", "needs a schema from the network"},
    {"refRemote.json", NULL, "$", "needs schemas from the network"},
    {"ref.json", "remote ref, containing refs itself", "$ref", "needs a schema from the network"},
    {"ref.json", "escaped pointer ref", "not a keyword", "its targets stand under unknown keywords; unit tests follow such pointers to definitions"},
    {"ref.json", "ref overrides any sibling keywords", "beside $ref", "keywords that draft 07 would ignore are refused"},
    {"ref.json", "Recursive references between schemas", "$", "uses $id below the top"},
    {"additionalItems.json", "items is schema, no additionalItems", "no effect", "a keyword without effect is refused"},
    {"additionalItems.json", "additionalItems as false without items", "no effect", "a keyword without effect is refused"},
    {"if-then-else.json", "ignore then without if", "no effect", "a keyword without effect is refused"},
    {"if-then-else.json", "non-interference across combined schemas", "no effect", "a keyword without effect is refused"},
    {"if-then-else.json", "ignore else without if", "no effect", "a keyword without effect is refused"},
};
static int used[sizeof refused / sizeof refused[0]];

/* Files of optional/ that say something about what is supported. The others are about format and content. */
static const char *const optional[] = {"bignum.json", "zeroTerminatedFloats.json", "ecmascript-regex.json"};

/* Single cases of optional/ that come out otherwise. */
static const struct differs {
    const char *file, *group, *test, *because;
} differs[] = {
    {"optional/ecmascript-regex.json", "ECMA 262 regex non-compliance", "ECMA 262 has no support for \\Z anchor from .NET", "is about format"},
};
static int used_differs[sizeof differs / sizeof differs[0]];

static int passed, left_out, failed;

static const char *text_of(const cJSON *v, const char *name)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(v, name);

    return cJSON_IsString(c) ? c->valuestring : "";
}

static bool may_be_refused(const char *file, const char *group, const char *says)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(refused[i].file, file) == 0 && (!refused[i].group || strcmp(refused[i].group, group) == 0) &&
            strstr(says, refused[i].says)) {
            used[i]++;
            return true;
        }
    return false;
}

static bool may_differ(const char *file, const char *group, const char *test)
{
    for (size_t i = 0; i < sizeof differs / sizeof differs[0]; i++)
        if (strcmp(differs[i].file, file) == 0 && strcmp(differs[i].group, group) == 0 && strcmp(differs[i].test, test) == 0) {
            used_differs[i]++;
            return true;
        }
    return false;
}

static void run_group(const char *file, const cJSON *group)
{
    cJSON *schema = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(group, "schema"), true);
    const cJSON *tests = cJSON_GetObjectItemCaseSensitive(group, "tests"), *t;
    const char *name = text_of(group, "description");
    struct json_schema *s = NULL;
    struct err e = {0};

    if (json_schema_compile(&schema, &agent_patterns, &s, &e) != 0) {
        if (may_be_refused(file, name, e.text)) {
            left_out += cJSON_GetArraySize(tests);
            printf("left out: %s: %s: %s\n", file, name, e.text);
        } else {
            failed++;
            printf("FAILED: %s: %s: the schema is refused: %s\n", file, name, e.text);
        }
    }
    for (t = s && tests ? tests->child : NULL; t; t = t->next) {
        bool want = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(t, "valid"));
        bool is = json_schema_check(s, cJSON_GetObjectItemCaseSensitive(t, "data"), &e) == 0;

        if (is == want) {
            passed++;
        } else if (may_differ(file, name, text_of(t, "description"))) {
            left_out++;
            printf("left out: %s: %s: %s\n", file, name, text_of(t, "description"));
        } else {
            failed++;
            printf("FAILED: %s: %s: %s: is %s%s%s\n", file, name, text_of(t, "description"), is ? "valid" : "refused",
                   is ? "" : ": ", is ? "" : e.text);
        }
    }
    json_schema_free(s);
    cJSON_Delete(schema);
}

static void run_file(const char *folder, const char *file)
{
    struct str path = {0}, text = {0};
    struct err e;
    cJSON *tree = NULL;
    const cJSON *group;

    str_printf(&path, "%s/%s", folder, file);
    if (file_slurp(str_c(&path), (size_t)8 << 20, &text, &e) != 0 ||
        !(tree = cJSON_ParseWithLength(str_c(&text), text.len)) || !cJSON_IsArray(tree)) {
        failed++;
        printf("FAILED: %s cannot be read\n", str_c(&path));
    }
    cJSON_ArrayForEach(group, tree) run_group(file, group);
    cJSON_Delete(tree);
    str_fini(&path);
    str_fini(&text);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int argc, char **argv)
{
    VEC(char *) files = {0};
    struct dirent *d;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        fprintf(stderr, "usage: json_schema_suite <folder of draft7>\n");
        return 2;
    }
    while ((d = readdir(dir)) != NULL)
        if (strlen(d->d_name) > 5 && strcmp(d->d_name + strlen(d->d_name) - 5, ".json") == 0) {
            char *name = mem_strdup(d->d_name);

            vec_push(&files, name);
        }
    closedir(dir);
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        struct str name = {0};
        char *text;

        str_printf(&name, "optional/%s", optional[i]);
        text = str_take(&name);
        vec_push(&files, text);
    }
    if (files.n)
        qsort(files.at, files.n, sizeof *files.at, by_text);
    for (size_t i = 0; i < files.n; i++) {
        run_file(argv[1], files.at[i]);
        mem_free(files.at[i]);
    }
    vec_fini(&files);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (!used[i]) {
            failed++;
            printf("FAILED: the row %s, %s is not needed\n", refused[i].file, refused[i].group ? refused[i].group : "all");
        }
    for (size_t i = 0; i < sizeof differs / sizeof differs[0]; i++)
        if (!used_differs[i]) {
            failed++;
            printf("FAILED: the row %s, %s, %s is not needed\n", differs[i].file, differs[i].group, differs[i].test);
        }
    printf("%d passed, %d left out, %d failed\n", passed, left_out, failed);
    return failed == 0 && passed >= 390 ? 0 : 1;
}

/* Places in trees. */
#include "agent/core/json_pointer.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST(test_places)
{
    static const char text[] = "{\"a\":[1,{\"b/c\":2}],\"\":3,\"x~y\":4,\"p%q\":5,\"1\":6,\"~1\":7}";
    static const struct { const char *pointer; int value; } rows[] = {     /* 0: nothing there, -1: no pointer */
        {"/a/0", 1}, {"/a/1/b~1c", 2}, {"/", 3}, {"/x~0y", 4}, {"/p%25q", 5}, {"/1", 6}, {"/%61/0", 1}, {"/%7E01", 7},
        {"/a/2", 0}, {"/a/00", 0}, {"/a/-1", 0}, {"/a/1/b/c", 0}, {"/A", 0}, {"/a/0/x", 0}, {"/a/99999999999", 0},
        {"a", -1}, {"/~", -1}, {"/~2", -1}, {"/%", -1}, {"/%4", -1}, {"/%zz", -1}, {"/%00", -1}, {"/nothing/~", -1},
    };
    cJSON *tree = cJSON_Parse(text);
    const cJSON *at = NULL;

    ck_assert(json_pointer(tree, "", &at) && at == tree);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool good = json_pointer(tree, rows[i].pointer, &at);

        ck_assert_msg(good == (rows[i].value >= 0), "%s", rows[i].pointer);
        ck_assert_msg((at != NULL) == (rows[i].value > 0), "%s", rows[i].pointer);
        if (at)
            ck_assert_msg(at->valueint == rows[i].value, "%s", rows[i].pointer);
    }
    cJSON_Delete(tree);
}
END_TEST

SUITE(json_pointer, test_places)

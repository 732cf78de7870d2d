/* Runs every suite that registered itself in this program. Arguments: names of suites
 * to run (all when there are none). Exit 0 when every test passed. */
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static struct suite_entry *entries;

void suite_register(struct suite_entry *e)
{
    e->next = entries;
    entries = e;
}

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    SRunner *sr = srunner_create(NULL);
    int failed;

    for (struct suite_entry *e = entries; e; e = e->next) {
        if (!wanted(e->name, argc, argv))
            continue;
        Suite *s = suite_create(e->name);
        TCase *tc = tcase_create("all");
        tcase_set_timeout(tc, 240);      /* for one that hangs; hundreds of deaths take a minute on a busy machine */
        for (int i = 0; i < e->n; i++)
            tcase_add_test(tc, e->tests[i]);
        suite_add_tcase(s, tc);
        srunner_add_suite(sr, s);
    }
    srunner_run_all(sr, CK_ENV);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

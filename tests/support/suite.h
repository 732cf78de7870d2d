/* A check suite in one line. Each test_*.c ends with
 *
 *     SUITE(num, test_sizes, test_durations)
 *
 * where the words after the name are START_TEST names. All suites of one folder
 * are linked into one program (suite_main.c) that runs them and prints one line. */
#ifndef KV_TESTS_SUITE_H
#define KV_TESTS_SUITE_H

#include <check.h>

struct suite_entry {
    const char *name;
    const TTest *const *tests;
    int n;
    struct suite_entry *next;
};
void suite_register(struct suite_entry *e);

#define SUITE(suite, ...)                                                                        \
    static void __attribute__((constructor)) suite_add_##suite(void)                              \
    {                                                                                             \
        const TTest *list[] = {__VA_ARGS__};                                                      \
        static const TTest *tests[sizeof list / sizeof list[0]];                                  \
        static struct suite_entry e = {#suite, tests, (int)(sizeof list / sizeof list[0]), NULL}; \
        for (int i = 0; i < e.n; i++)                                                             \
            tests[i] = list[i];                                                                   \
        suite_register(&e);                                                                       \
    }

#endif

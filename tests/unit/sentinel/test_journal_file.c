/* Journals on disk: read again as they were written, whatever a crash or a disk did to the end of the file. */
#include "common/io/file.h"
#include "sentinel/shell/journal_file.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[FOLDER_MAX];
static struct str told;
static int lines;

static void leave(void)
{
    folder_remove(dir);
    str_fini(&told);
}

static void one(void *arg, int64_t wall_ms, const char *group, const char *text)
{
    (void)arg;
    str_printf(&told, "%lld %s: %s\n", (long long)wall_ms, group, text);
    lines++;
}

static const char *read_all(uint64_t *bad)
{
    str_cut(&told, 0);
    lines = 0;
    journal_file_read(dir, one, NULL, bad);
    return str_c(&told);
}

static void write_one(int64_t wall_ms, const char *group, const char *text)
{
    struct journal_file *j = journal_file_open(dir, JOURNAL_FILE_MAX);

    journal_file_add(j, wall_ms, group, text);
    journal_file_close(j);
}

static void path(char out[128], const char *name) { snprintf(out, 128, "%s/%s", dir, name); }

START_TEST(test_what_was_written_is_read)
{
    uint64_t bad;

    folder_make(dir);
    ck_assert_str_eq(read_all(&bad), "");
    write_one(5, "demo", "ballot 7: voted");
    write_one(6, "a b%\xc3\xa4", "two\nlines\tof text");
    ck_assert_str_eq(read_all(&bad), "5 demo: ballot 7: voted\n6 a b%\xc3\xa4: two lines of text\n");
    ck_assert_uint_eq(bad, 0);
    leave();
}
END_TEST

/* Cut anywhere, the lines before the cut are all there, and the next process begins on a line of its own. */
START_TEST(test_a_torn_end_costs_one_line)
{
    char file[128];
    struct str whole = {0};
    struct err e;
    uint64_t bad;

    folder_make(dir);
    path(file, "journal");
    write_one(1, "g", "first");
    write_one(2, "g", "second");
    ck_assert_int_eq(file_slurp(file, 0, &whole, &e), 0);
    for (size_t cut = whole.len; cut-- > 0;) {
        ck_assert_int_eq(truncate(file, (off_t)cut), 0);
        write_one(3, "g", "third");
        read_all(&bad);
        ck_assert_ptr_nonnull(strstr(str_c(&told), "3 g: third\n"));
        ck_assert_int_eq(lines, 1 + (cut > 0 && (strchr(str_c(&whole), '\n') - str_c(&whole)) < (long)cut));
        ck_assert_uint_eq(bad, 0);
        ck_assert_int_eq(file_replace(file, str_c(&whole), whole.len, 0640, &e), 0);
    }
    str_fini(&whole);
    leave();
}
END_TEST

START_TEST(test_damage_costs_the_line_it_hits)
{
    char file[128];
    struct str whole = {0};
    struct err e;
    uint64_t bad;

    folder_make(dir);
    path(file, "journal");
    for (int i = 0; i < 3; i++)
        write_one(i, "g", "text");
    ck_assert_int_eq(file_slurp(file, 0, &whole, &e), 0);
    for (size_t i = 0; i < whole.len; i++) {
        char was = whole.p[i];
        whole.p[i] ^= 1;
        ck_assert_int_eq(file_replace(file, str_c(&whole), whole.len, 0640, &e), 0);
        read_all(&bad);
        ck_assert_msg(lines >= 1 && lines <= 2 && bad >= 1, "byte %zu: %d lines, %llu bad", i, lines, (unsigned long long)bad);
        whole.p[i] = was;
    }
    str_fini(&whole);
    leave();
}
END_TEST

START_TEST(test_it_has_a_bound)
{
    struct journal_file *j;
    struct stat st;
    char file[128], last[32];
    uint64_t bad;

    folder_make(dir);
    for (int i = 0; i < 200; i++) {
        j = journal_file_open(dir, 1000);
        journal_file_add(j, i, "g", "some forty bytes of text in each line here");
        journal_file_close(j);
    }
    path(file, "journal");
    ck_assert(stat(file, &st) == 0 && st.st_size < 1200);
    path(file, "journal.1");
    ck_assert(stat(file, &st) == 0 && st.st_size < 1200);
    read_all(&bad);
    ck_assert(bad == 0 && lines > 10 && lines < 40);
    snprintf(last, sizeof last, "199 g: some");
    ck_assert_ptr_nonnull(strstr(str_c(&told), last));
    leave();
}
END_TEST

/* Where nothing can be written it says so, and holds up nobody. */
START_TEST(test_a_folder_that_is_gone)
{
    struct journal_file *j;
    const char *why = "";

    folder_make(dir);
    j = journal_file_open("/nowhere/at/all", JOURNAL_FILE_MAX);
    journal_file_add(j, 1, "g", "x");
    for (int i = 0; i < 2000 && journal_file_lost(j, &why) == 0; i++)
        usleep(1000);
    ck_assert_uint_eq(journal_file_lost(j, &why), 1);
    ck_assert_ptr_nonnull(strstr(why, "/nowhere/at/all/journal"));
    journal_file_close(j);
    leave();
}
END_TEST

SUITE(journal_file, test_what_was_written_is_read, test_a_torn_end_costs_one_line, test_damage_costs_the_line_it_hits,
      test_it_has_a_bound, test_a_folder_that_is_gone)

/* One shell at a time. */
#include "tests/unit/sentinel/shell_support.h"

#include "common/io/log.h"
#include "common/text/conf_edit.h"

char dir[FOLDER_MAX];
struct sentinel_options o;
struct loop *loop;
struct shell *sh;

void start(const char *more)
{
    struct conf_source s;
    struct str text = {0};
    struct err err;

    memset(&o, 0, sizeof o);
    ck_assert_int_eq(option_defaults(&sentinel_option_table, &o, &err), 0);
    str_printf(&text, "port 0\nunixsocket %s/s.sock\nstate-dir %s/state\nsentinel monitor m 127.0.0.1 1 2\n%s", dir, dir, more);
    conf_source_init(&s, &sentinel_option_table, &o);
    ck_assert_msg(conf_apply(&s, "t.conf", str_c(&text), text.len, &err) == 0, "%s", err.text);
    conf_source_fini(&s);
    ck_assert_msg(sentinel_options_check(&o, &err) == 0, "%s", err.text);
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new();
    sh = shell_new(loop, &o, NULL);
    ck_assert_msg(shell_start(sh, &err) == 0, "%s", err.text);
    str_fini(&text);
}

void stop(void)
{
    shell_free(sh);
    loop_run_once(loop, false);
    loop_free(loop);
    sentinel_options_fini(&o);
}

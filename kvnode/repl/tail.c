/* Out of the backlog into a file that appears whole or not at all. */
#include "kvnode/repl/tail.h"

#include "common/io/clock.h"
#include "common/io/file.h"
#include "common/io/log.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_tail(const char *name)
{
    size_t n = strlen(name);

    return n > 10 && strncmp(name, "tail-", 5) == 0 && strcmp(name + n - 5, ".resp") == 0;
}

/* The oldest of them, and how many there are. */
static int look(const char *dir, char oldest[300])
{
    struct timespec least = {0};
    struct dirent *x;
    struct stat st;
    int n = 0;
    DIR *d = opendir(dir);

    while (d && (x = readdir(d)) != NULL) {
        char path[300];
        if (!is_tail(x->d_name) || snprintf(path, sizeof path, "%s/%s", dir, x->d_name) >= (int)sizeof path || stat(path, &st) != 0)
            continue;
        if (n++ == 0 || st.st_mtim.tv_sec < least.tv_sec ||
            (st.st_mtim.tv_sec == least.tv_sec && st.st_mtim.tv_nsec < least.tv_nsec)) {
            least = st.st_mtim;
            memcpy(oldest, path, sizeof path);
        }
    }
    if (d)
        closedir(d);
    return n;
}

static void make_room(const char *dir)
{
    char oldest[300];

    for (int i = 0; i < 1000 && look(dir, oldest) >= TAIL_FILES; i++) {
        if (unlink(oldest) != 0)
            return;
        log_notice("Removed %s, the oldest of %d saved tails", oldest, TAIL_FILES);
    }
}

static int write_tail(const char *dir, const struct tail_head *h, const struct buf *bytes, struct tail_lost *out, struct err *e)
{
    struct str text = {0};
    int rc;

    make_room(dir);
    snprintf(out->path, sizeof out->path, "%s%stail-%" PRIu64 "-%" PRId64 "-%" PRId64 ".resp", strcmp(dir, ".") == 0 ? "" : dir,
             strcmp(dir, ".") == 0 ? "" : "/", h->epoch, h->first, h->end);
    tail_text_put_head(&text, h);
    str_append(&text, buf_data(bytes), buf_len(bytes));
    rc = file_replace(out->path, str_c(&text), text.len, 0640, e);
    str_fini(&text);
    if (rc != 0)
        out->path[0] = '\0';
    return rc;
}

int tail_save(const char *dir, const struct backlog *b, uint64_t gid, uint64_t epoch, int64_t fork, int64_t end,
              struct tail_lost *out, struct err *e)
{
    struct tail_head h = {.gid = gid, .epoch = epoch, .fork = fork, .first = fork + 1, .end = end, .made_ms = clock_wall_ms()};
    struct tail_counts counts = {0};
    struct buf bytes = {0};
    struct err ignored = {0};
    int rc;

    *out = (struct tail_lost){.from = fork, .to = end, .bytes = (uint64_t)(end - fork), .fork_known = fork >= 0, .at_ms = h.made_ms};
    if (!backlog_active(b) || b->len == 0)
        return err_set(e, ERR_MISSING, "no backlog was kept");
    if (h.first < b->first)
        h.first = b->first;
    backlog_copy(b, h.first, &bytes);
    if (h.first != fork + 1) {         /* cut somewhere: from the first whole request on */
        size_t skip = tail_text_begin(buf_data(&bytes), buf_len(&bytes));
        buf_consume(&bytes, skip);
        h.first += (int64_t)skip;
    }
    tail_text_walk(buf_data(&bytes), buf_len(&bytes) < TAIL_MAX ? buf_len(&bytes) : TAIL_MAX, NULL, NULL, &counts, &ignored);
    if (counts.bytes < buf_len(&bytes))
        buf_cut(&bytes, counts.bytes);
    h.end = h.first + (int64_t)buf_len(&bytes) - 1;
    h.commands = out->commands = counts.commands;
    out->less = h.first != fork + 1 || h.end < end;
    if (fork < 0) {
        out->from = h.first - 1;
        out->bytes = (uint64_t)(end - out->from);
    }
    rc = buf_len(&bytes) > 0 ? write_tail(dir, &h, &bytes, out, e) : err_set(e, ERR_MISSING, "the backlog holds none of it");
    buf_fini(&bytes);
    return rc;
}

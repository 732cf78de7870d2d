/* Both directions of the vote, for us and for stock sentinels alike. */
#include "sentinel/wire/vote.h"

#include "common/base/num.h"
#include "common/text/reply_walk.h"

#include <hiredis/hiredis.h>
#include <string.h>

static bool read_id(struct slice s, char out[ID_MAX])
{
    if (s.len == 1 && s.p[0] == '*') {
        out[0] = '\0';
        return true;
    }
    if (s.len != ID_HEX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f') || (s.p[i] >= 'A' && s.p[i] <= 'F')))
            return false;
    memcpy(out, s.p, ID_HEX);
    out[ID_HEX] = '\0';
    return true;
}

int vote_request_read(const struct slice argv[4], struct vote_request *out, struct err *e)
{
    struct vote_request q;
    int64_t port, epoch;

    memset(&q, 0, sizeof q);
    if (!num_i64_in(argv[1].p, argv[1].len, 1, 65535, &port) || memchr(argv[0].p, '\0', argv[0].len) ||
        !addr_set(&q.primary, argv[0].p, argv[0].len, port))
        return err_set(e, ERR_FORMAT, "value is not an integer or out of range");
    if (!num_i64_in(argv[2].p, argv[2].len, 0, INT64_MAX, &epoch))
        return err_set(e, ERR_FORMAT, "value is not an integer or out of range");
    q.epoch = (uint64_t)epoch;
    if (!read_id(argv[3], q.candidate))
        return err_set(e, ERR_FORMAT, "the last word is a sentinel's id or *");
    *out = q;
    return 0;
}

void vote_request_write(const struct vote_request *q, struct str text[4])
{
    str_set_z(&text[0], q->primary.host);
    str_clear(&text[1]);
    str_printf(&text[1], "%u", q->primary.port);
    str_clear(&text[2]);
    str_printf(&text[2], "%llu", (unsigned long long)q->epoch);
    str_set_z(&text[3], q->candidate[0] ? q->candidate : "*");
}

bool vote_answer_read(const struct redisReply *r, struct vote_answer *out)
{
    struct vote_answer a;
    struct slice leader;
    int64_t down, epoch;

    memset(&a, 0, sizeof a);
    if (reply_is_error(r) || reply_len(r) != 3 || !reply_i64_at(r, 0, &down) || !reply_text_at(r, 1, &leader) ||
        !reply_i64_at(r, 2, &epoch) || epoch < 0 || !read_id(leader, a.leader))
        return false;
    a.down = down == 1;
    a.leader_epoch = (uint64_t)epoch;
    *out = a;
    return true;
}

void vote_answer_write(const struct vote_answer *a, struct reply *r)
{
    reply_array(r, 3);
    reply_int(r, a->down ? 1 : 0);
    reply_bulk_z(r, a->leader[0] ? a->leader : "*");
    reply_int(r, (int64_t)a->leader_epoch);
}

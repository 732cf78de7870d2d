/* Small readers of strangers' text: numbers, sizes, times, addresses, patterns. What they accept
 * must come out the same when it is printed and read again. */
#include "common/base/addr.h"
#include "common/base/check.h"
#include "common/base/glob.h"
#include "common/base/num.h"

#include <string.h>

static void numbers(const char *p, size_t n)
{
    char text[NUM_F64_MAX];
    int64_t i, back;
    long double l;
    double d, again;

    if (num_i64(p, n, &i))
        CHECK(num_put_i64(text, i) == n && memcmp(text, p, n) == 0);
    if (num_f64(p, n, &d))
        CHECK(num_f64(text, num_put_f64(text, d), &again) ? again == d : d < 1e-300 && d > -1e-300);
    if (num_f80(p, n, &l))
        CHECK(num_put_f80_human(text, l) < NUM_F64_MAX);
    if (num_size(p, n, &i))
        CHECK(i >= 0);
    if (num_duration(p, n, 1000, &i) && num_duration(p, n, 1, &back))
        CHECK(i == back || i == back * 1000);
}

static void addresses(const char *p, size_t n)
{
    char text[ADDR_TEXT_MAX];
    struct addr a, b;

    if (!addr_parse(p, n, &a))
        return;
    CHECK(addr_is_set(&a) && strlen(a.host) < ADDR_HOST_MAX);
    addr_is_ip(a.host);
    addr_text(&a, text);
    CHECK(addr_parse(text, strlen(text), &b) && addr_equal(&a, &b));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const char *p = (const char *)data;
    size_t half;

    if (size < 1 || size > 2048)
        return 0;
    half = data[0] % size;
    numbers(p + 1, size - 1);
    addresses(p + 1, size - 1);
    glob_match(p, half, p + half, size - half, false);
    CHECK(glob_match("*", 1, p, size, true));
    return 0;
}

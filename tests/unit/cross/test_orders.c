/* Two programs hold two tables that must agree: what a sentinel can order (sentinel/core/action.h)
 * and what a node's role understands (kvnode/role). Two primaries come from two programs that
 * disagree, so they are compared here and not in anybody's memory. */
#include "sentinel/core/names.h"
#include "tests/support/suite.h"
#include "tests/unit/cross/orders_role.h"

#include <string.h>

static int orders(void)
{
    int n = 0;
    while (strcmp(order_name((enum order)n), "?") != 0)
        n++;
    return n;
}

START_TEST(test_every_order_is_one_action)
{
    ck_assert_int_gt(orders(), 0);
    for (int o = 0; o < orders(); o++) {
        int actions = 0;
        for (int a = 0; a < ACT_KINDS; a++)
            actions += strcmp(action_kind_name((enum action_kind)a), order_name((enum order)o)) == 0;
        ck_assert_msg(actions == 1, "%s: %d actions", order_name((enum order)o), actions);
    }
}
END_TEST

START_TEST(test_every_order_has_rows_in_every_state)
{
    for (int o = 0; o < orders(); o++) {
        const char *name = order_name((enum order)o), *bad;
        if (role_order_is_a_command(name))
            continue;
        ck_assert_msg(role_event_of_order(name) != NULL, "no node understands %s", name);
        bad = role_order_fails_in(name);
        ck_assert_msg(bad == NULL, "%s goes wrong in state %s", name, bad);
    }
}
END_TEST

START_TEST(test_every_outside_event_has_a_giver)
{
    for (int i = 0; i < role_outside_orders(); i++) {
        const char *event = role_outside_order(i);
        int givers = 0;
        for (int o = 0; o < orders(); o++) {
            const char *name = order_name((enum order)o);
            givers += !role_order_is_a_command(name) && strcmp(role_event_of_order(name), event) == 0;
        }
        ck_assert_msg(givers == (role_order_is_local(event) ? 0 : 1), "%s: %d orders of a sentinel", event, givers);
    }
}
END_TEST

SUITE(orders, test_every_order_is_one_action, test_every_order_has_rows_in_every_state,
      test_every_outside_event_has_a_giver)

/* The node's half of test_orders: the two quiet rooms keep their own words, and no file can
 * include both. Orders are given by the name that the sentinel's room prints for them. */
#ifndef KV_TESTS_ORDERS_ROLE_H
#define KV_TESTS_ORDERS_ROLE_H

#include <stdbool.h>

/* The name of the role event that an order of this name becomes; NULL: no node understands it. */
const char *role_event_of_order(const char *order);
/* True if the node carries it out by a command of its own, not by one event of its role. */
bool role_order_is_a_command(const char *order);
/* How many orders role.h knows that come from outside, and the i-th one's name. */
int role_outside_orders(void);
const char *role_outside_order(int i);
/* True if only an operator or the process itself gives it, never a sentinel. */
bool role_order_is_local(const char *event);
/* Gives the order in every state a node can be in. NULL, or the state in which it had no row or did
 * not lead where it should. */
const char *role_order_fails_in(const char *order);

#endif

/* INFO of primaries and replicas, as several kinds of servers write it. */
#include "sentinel/wire/node_info.h"
#include "tests/support/suite.h"

#include <string.h>

static struct node_info_text t;

static void read_it(const char *z)
{
    node_info_init(&t);
    node_info_read(slice_z(z), &t);
}

START_TEST(test_primary)
{
    read_it("# Server\r\nrun_id:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nloading:0\r\n\r\n# Replication\r\nrole:master\r\n"
            "connected_slaves:2\r\nslave0:ip=10.0.0.2,port=6380,state=online,offset=14,lag=1\r\n"
            "slave1:ip=::1,port=6381,state=wait_bgsave,offset=0,lag=0\r\nmaster_failover_state:no-failover\r\nmaster_replid:bbbb\r\nmaster_repl_offset:28\r\n");
    ck_assert_str_eq(t.info.run_id, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    ck_assert_int_eq(t.info.role, ROLE_PRIMARY);
    ck_assert_int_eq(t.info.offset, 28);
    ck_assert_int_eq(t.info.hands, HANDS_IDLE);
    ck_assert(!t.info.kvnode);
    ck_assert_str_eq(t.info.replid, "bbbb");
    ck_assert_uint_eq(t.info.n_replicas, 2);
    ck_assert_str_eq(t.info.replicas[0].addr.host, "10.0.0.2");
    ck_assert_int_eq(t.info.replicas[0].addr.port, 6380);
    ck_assert_int_eq(t.info.replicas[0].offset, 14);
    ck_assert_str_eq(t.info.replicas[1].addr.host, "::1");
    ck_assert(t.info.announced);
    ck_assert(!addr_is_set(&t.info.primary));
    node_info_fini(&t);
}
END_TEST

START_TEST(test_replica)
{
    read_it("kvorum_version:0.1\nmaster_failover_state:failover-in-progress\n");
    ck_assert_int_eq(t.info.hands, HANDS_OVER);
    ck_assert(t.info.kvnode);
    node_info_fini(&t);
    read_it("role:slave\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:down\n"
            "master_link_down_since_seconds:12\nslave_repl_offset:99\nslave_priority:0\nreplica_announced:0\n"
            "loading:1\nmaster_repl_offset:100\n");
    ck_assert_int_eq(t.info.role, ROLE_REPLICA);
    ck_assert_str_eq(t.info.primary.host, "10.0.0.1");
    ck_assert_int_eq(t.info.primary.port, 6379);
    ck_assert(!t.info.link_up);
    ck_assert_int_eq(t.info.link_down_ms, 12000);
    ck_assert_int_eq(t.info.offset, 99);
    ck_assert_int_eq(t.info.priority, 0);
    ck_assert(!t.info.announced);
    ck_assert(t.info.loading);
    node_info_fini(&t);
}
END_TEST

START_TEST(test_defaults_and_noise)
{
    read_it("");
    ck_assert_int_eq(t.info.role, ROLE_UNKNOWN);
    ck_assert_int_eq(t.info.hands, HANDS_UNKNOWN);
    ck_assert_int_eq(t.info.priority, 100);
    ck_assert(t.info.announced);
    node_info_fini(&t);
    read_it("role:\r\nmaster_host:\r\nmaster_port:x\r\nslave:1\r\nslaveX:ip=1,port=2\r\nslave0:ip=,port=6380\r\n"
            "slave1:ip=10.0.0.1,port=99999\r\nslave2\r\n:\r\nslave_priority:99999999999999999999\r\nrun_id:"
            "0123456789012345678901234567890123456789012345678901234567890123456789\r\nno newline at the end");
    ck_assert_int_eq(t.info.role, ROLE_UNKNOWN);
    ck_assert_uint_eq(t.info.n_replicas, 0);
    ck_assert_int_eq(t.info.priority, 100);
    ck_assert_str_eq(t.info.run_id, "");
    node_info_fini(&t);
}
END_TEST

START_TEST(test_old_form)
{
    read_it("role:master\r\nslave0:10.0.0.2,6380,online\r\n");
    ck_assert_uint_eq(t.info.n_replicas, 1);
    ck_assert_str_eq(t.info.replicas[0].addr.host, "10.0.0.2");
    ck_assert_int_eq(t.info.replicas[0].addr.port, 6380);
    node_info_fini(&t);
}
END_TEST

START_TEST(test_never_linked)
{
    read_it("role:slave\r\nmaster_link_down_since_seconds:-1\r\n");
    ck_assert_int_eq(t.info.link_down_ms, NEVER_MS);
    node_info_fini(&t);
}
END_TEST

START_TEST(test_control_port_and_group)
{
    read_it("role:master\nha_port:16379\nha_state:follower\n");
    ck_assert_int_eq(t.info.ha_port, 16379);
    ck_assert(t.info.bound);
    ck_assert(!t.info.has_data);
    node_info_fini(&t);
    read_it("role:master\nha_port:70000\nha_state:plain\ndb0:keys=1,expires=0\n");
    ck_assert(t.info.has_data);
    ck_assert_int_eq(t.info.ha_port, 0);
    ck_assert(!t.info.bound);
    node_info_fini(&t);
}
END_TEST

START_TEST(test_numbers_that_are_no_place)
{
    read_it("role:slave\r\nslave_repl_offset:-9223372036854775808\r\nmaster_replid2:cccc\r\nsecond_repl_offset:-9223372036854775808\r\n"
            "slave0:ip=10.0.0.2,port=6380,state=online,offset=-5,lag=1\r\n");
    ck_assert_int_eq(t.info.offset, 0);
    ck_assert_int_eq(t.info.second_offset, -1);
    ck_assert_int_eq(t.info.replicas[0].offset, 0);
    node_info_fini(&t);
}
END_TEST

SUITE(node_info, test_primary, test_replica, test_defaults_and_noise, test_old_form, test_never_linked,
      test_control_port_and_group, test_numbers_that_are_no_place)

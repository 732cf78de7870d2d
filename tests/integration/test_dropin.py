"""In the place of a redis-sentinel: its own rewritten file is read as it is, a deployment is taken
over one sentinel at a time, and the corners of SENTINEL that operators and exporters use."""
import os
import shutil
import stat

import pytest
import redis
from harness import Cluster, find, pairs, wait_until

needs_redis = pytest.mark.skipif(shutil.which("redis-sentinel") is None, reason="redis-sentinel is not installed")


@pytest.fixture
def stock():
    """Three redis-sentinels over three redis-servers, all of which know one another."""
    c = Cluster(engine="redis-server", sentinel_engines=["redis-sentinel"] * 3)
    c.wait_settled()
    yield c
    c.close()


def sentinel_lines(path):
    return sorted(line for line in open(path).read().splitlines() if line.startswith("sentinel "))


@needs_redis
def test_a_stock_sentinels_file_is_read_as_it_is(stock):
    s = stock.sentinels[0]
    with s.connect() as c:
        my_id = c.execute_command("SENTINEL MYID")
        c.execute_command("SENTINEL FLUSHCONFIG")
    before = sentinel_lines(s.conf)
    assert any(x.startswith("sentinel known-replica demo") for x in before)
    assert any(x.startswith("sentinel known-sentinel demo") for x in before)
    s.stop()
    s.program = find("kvorum-sentinel")
    s.start()
    with s.connect() as c:
        assert c.execute_command("SENTINEL MYID") == my_id
        m = c.sentinel_master("demo")
        assert int(m["num-slaves"]) == 2 and int(m["num-other-sentinels"]) == 2      # at once: from the file
        c.execute_command("SENTINEL FLUSHCONFIG")
    assert sentinel_lines(s.conf) == before


@needs_redis
def test_a_deployment_is_adopted_one_sentinel_at_a_time(stock):
    for s in stock.sentinels:
        with s.connect() as c:
            c.execute_command("SENTINEL FLUSHCONFIG")
        s.stop()
        s.program = find("kvorum-sentinel")
        s.start()
        stock.wait_settled()
        with s.connect() as c:
            assert c.execute_command("SENTINEL CKQUORUM demo").startswith("OK 3")
    old = stock.primary()
    old.kill()
    stock.wait_new_primary(old)
    old.start()
    stock.wait_roles()


def test_new_listeners_are_told_the_last_switch(cluster_of_kvnodes):
    c = cluster_of_kvnodes
    old = c.primary()
    with c.sentinels[0].connect() as s:
        quiet = s.pubsub()
        quiet.psubscribe("*")
        assert quiet.get_message(timeout=30)["type"] == "psubscribe"
        s.execute_command("SENTINEL FAILOVER demo")
    new = c.wait_new_primary(old)
    with c.sentinels[0].connect() as s:
        for how, channel in (("subscribe", "+switch-master"), ("psubscribe", "+sw*"), ("subscribe", "+sdown")):
            p = s.pubsub()
            getattr(p, how)(channel)
            assert p.get_message(timeout=30)["type"] == how
            m = p.get_message(timeout=0.3 if channel == "+sdown" else 30)
            if channel == "+sdown":
                assert m is None
            else:
                assert m["channel"] == "+switch-master"
                assert m["data"] == "demo 127.0.0.1 %d 127.0.0.1 %d" % (old.port, new.port)


@pytest.fixture
def cluster_of_kvnodes():
    c = Cluster()
    c.wait_settled()
    yield c
    c.close()


@pytest.mark.parametrize("point", ["crash-after-election", "crash-after-promotion"])
def test_simulated_failures_end_the_process(cluster_of_kvnodes, point):
    c = cluster_of_kvnodes
    leader = c.sentinels[0]
    with leader.connect() as s:
        assert point in s.execute_command("SENTINEL SIMULATE-FAILURE HELP")
        with pytest.raises(redis.exceptions.ResponseError, match="Unknown failure simulation"):
            s.execute_command("SENTINEL SIMULATE-FAILURE nonsense")
        assert s.execute_command("SENTINEL SIMULATE-FAILURE " + point)
        try:
            s.execute_command("SENTINEL FAILOVER demo")
        except redis.exceptions.ConnectionError:
            pass
    wait_until(lambda: not leader.is_alive())
    assert leader.proc.wait() == 99
    leader.start()
    c.wait_settled()


def test_info_cache_has_every_node(cluster_of_kvnodes):
    c = cluster_of_kvnodes
    with c.sentinels[0].connect() as s:
        def cached():
            answer = s.execute_command("SENTINEL INFO-CACHE demo nosuch")
            assert len(answer) == 2
            nodes = dict(zip(answer[::2], answer[1::2])) if isinstance(answer, list) else answer
            return nodes["demo"] if all(text for _, text in nodes["demo"]) else None
        nodes = wait_until(cached)
    assert len(nodes) == 3
    assert all("run_id:" in text and 0 <= age < 60000 for age, text in nodes)
    assert "role:master" in nodes[0][1]


def test_scripts_are_listed_and_end_with_the_sentinel(yard, tmp_path):
    script = str(tmp_path / "slow.sh")
    with open(script, "w") as f:
        f.write("#!/bin/sh\nexec sleep 600\n")
    os.chmod(script, os.stat(script).st_mode | stat.S_IXUSR)
    node = yard.node("node")
    s = yard.sentinel("sentinel", lines=["sentinel monitor demo 127.0.0.1 %d 1" % node.port,
                                         "sentinel notification-script demo " + script])
    with s.connect() as c:
        c.execute_command("SENTINEL SET demo quorum 1")          # a warning: the script runs
        job = wait_until(lambda: next((j for j in map(pairs, c.execute_command("SENTINEL PENDING-SCRIPTS")) if j["flags"] == "running"), None))
    assert job["argv"][0] == script
    pid = int(job["pid"])
    s.stop()

    def gone():
        try:
            return open("/proc/%d/stat" % pid).read().split()[2] == "Z"
        except OSError:
            return True
    wait_until(gone)


def test_a_wrong_password_is_misconfigured_and_no_reason_for_a_failover(cluster_of_kvnodes):
    c = cluster_of_kvnodes
    for s in c.sentinels:
        with s.connect() as k:
            k.execute_command("SENTINEL SET demo down-after-milliseconds 1000")
    primary = c.primary()
    with primary.connect() as p:
        p.config_set("requirepass", "secret")
        p.execute_command("AUTH secret")
        p.execute_command("CLIENT KILL TYPE normal SKIPME yes")
        p.execute_command("CLIENT KILL TYPE pubsub SKIPME yes")
    for s in c.sentinels:
        with s.connect() as k:
            wait_until(lambda: "misconfigured" in k.sentinel_master("demo"))
            since = k.sentinel_master("demo")
            # well beyond down-after it is neither down nor replaced
            wait_until(lambda: int(k.sentinel_master("demo")["role-reported-time"]) > int(since["role-reported-time"]) + 3000)
            now = k.sentinel_master("demo")
            assert "s_down" not in now["flags"] and "o_down" not in now["flags"] and int(now["port"]) == primary.port
    for s in c.sentinels:
        assert s.log_text().count("+misconfigured master demo") == 1
        with s.connect() as k:
            k.execute_command("SENTINEL SET demo auth-pass secret")
            wait_until(lambda: "misconfigured" not in k.sentinel_master("demo"))

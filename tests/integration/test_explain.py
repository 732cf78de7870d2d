"""What an operator is told of plain groups, and of settings that cannot be: EXPLAIN says before what then happens."""
import os
import shutil

import pytest
import redis

from harness import free_port, monitor_lines, pairs, wait_until
from told import can, explain, journal, lacks


def priority(node, n):
    with node.connect() as c:
        c.config_set("replica-priority", n)


def test_settings_that_cannot_be(cluster):
    c = cluster(nodes=2).wait_settled()
    s = c.sentinels[0]
    with s.connect() as k:
        def refused(match, *words):
            with pytest.raises(redis.exceptions.ResponseError, match=match):
                k.execute_command("SENTINEL", "SET", "demo", *words)

        refused("append-only file", "mode", "strict+fsync")
        refused("plain, async, prefer or strict", "mode", "safe")
        refused("T3: promise 800 ms", "mode", "strict", "profile", "lan", "down-after-milliseconds", "600")
        refused("sync-acks 3: this group has 1 replica", "sync-acks", "3", "mode", "strict")
        refused("3 or 5 voters", "voters", "4")
        refused("lan, cloud or wan", "profile", "mars")
        m = pairs(k.execute_command("SENTINEL", "MASTER", "demo"))
        assert "mode" not in m and m["down-after-milliseconds"] == "5000"      # nothing was changed
        for command in (["DISSOLVE", "demo"], ["PEERS", "demo", "REPLACE", "a", "b"], ["DROP", "demo", "127.0.0.1", "1"],
                        ["FAILOVER", "demo", "TO", "127.0.0.1", "1"], ["FAILOVER", "demo", "FORCE", "1"]):
            with pytest.raises(redis.exceptions.ResponseError, match="This group is plain"):
                k.execute_command("SENTINEL", *command)
        with pytest.raises(redis.exceptions.ResponseError, match="No such master"):
            k.execute_command("SENTINEL", "EXPLAIN", "nobody")
        # what only matters to a formed group may be said before there is one, and is kept
        assert k.execute_command("SENTINEL", "SET", "demo", "member-drop-after", "5000", "voters", "5")
        assert k.execute_command("SENTINEL", "FLUSHCONFIG")
    with open(s.conf) as f:
        text = f.read()
    assert "sentinel member-drop-after demo 5000" in text and "sentinel voters demo 5" in text


def test_stock_nodes_are_not_formed(cluster):
    c = cluster(nodes=2, engine="redis-server").wait_settled()
    s = c.sentinels[0]
    with s.connect(socket_timeout=40) as k:
        with pytest.raises(redis.exceptions.ResponseError):
            k.execute_command("SENTINEL", "SET", "demo", "mode", "strict", "profile", "lan", "down-after-milliseconds", "1000")
    wait_until(lambda: ("forming", "no-control-link") in lacks(s) and can(s), what="EXPLAIN of both")       # it goes on as a plain group
    with s.connect() as k:
        assert k.execute_command("SENTINEL", "SET", "demo", "mode", "plain")
    wait_until(lambda: ("forming", "no-control-link") not in lacks(s), what="nothing to be formed")
    old = c.primary()
    old.kill()
    c.wait_new_primary(old)


def test_priority_zero(cluster):
    c = cluster(down_after=1000).wait_settled()
    replicas = [n for n in c.nodes if n is not c.primary()]
    wait_until(lambda: all(can(s) and not lacks(s) for s in c.sentinels), what="EXPLAIN to say yes")
    for n in replicas:
        priority(n, 0)
    for s in c.sentinels:
        with s.connect() as k:
            k.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", "200")
    wait_until(lambda: all(("replica", "priority-zero") in lacks(s) and not can(s) for s in c.sentinels), what="EXPLAIN to say no")

    def nobody():
        x = explain(c.sentinels[0])
        return (x["to"] == "" and ("replicas", "no-good-replica") in [(l["what"], l["why"]) for l in x["lacks"]] and
                len([l for l in x["lacks"] if l["why"] == "priority-zero" and l["blocks"] == "yes"]) == 2)

    wait_until(nobody, what="both replicas to be named")
    old = c.primary()
    old.kill()
    wait_until(lambda: any("-failover-abort-" in line for s in c.sentinels for line in journal(s)), 60, what="a try that comes to nothing")
    assert c.primary() is old
    priority(replicas[1], 100)
    assert c.wait_new_primary(old) is replicas[1]


def test_too_few_sentinels(cluster):
    c = cluster(down_after=1000).wait_settled()
    left = c.sentinels[2]
    for s in c.sentinels[:2]:
        s.kill()
    wait_until(lambda: not can(left), what="EXPLAIN to say no")
    wait_until(lambda: {("quorum", "too-few-sentinels"), ("majority", "too-few-sentinels")} <= set(lacks(left)) and
               len([1 for l in explain(left)["lacks"] if l["what"] == "sentinel"]) == 2, what="both to be named")
    old = c.primary()
    old.kill()
    wait_until(lambda: ("primary", "down") in lacks(left), what="the primary to be seen down")
    assert not can(left) and c.primary_addr(left)[1] == old.port
    c.sentinels[0].start()
    wait_until(lambda: can(left), what="EXPLAIN to say yes")
    c.wait_new_primary(old)


def test_unreachable_quorum(cluster):
    c = cluster(quorum=4).wait_settled()
    assert not can(c.sentinels[0]) and ("quorum", "unreachable-quorum") in lacks(c.sentinels[0])


def test_no_replica(cluster):
    c = cluster(nodes=1, sentinels=1, quorum=1).wait_settled()
    assert not can(c.sentinels[0]) and ("replicas", "none") in lacks(c.sentinels[0])


def test_down_replica_and_wrong_password(cluster):
    c = cluster(down_after=1000).wait_settled()
    s = c.sentinels[0]
    replicas = [n for n in c.nodes if n is not c.primary()]
    replicas[0].kill()
    wait_until(lambda: ("replica", "down") in lacks(s), what="the lost replica to be named")
    wait_until(lambda: can(s), what="the other one to suffice")
    with replicas[1].connect() as k:
        k.config_set("requirepass", "secret")
        k.client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: ("node", "misconfigured") in lacks(s), what="the wrong password to be named")
    wait_until(lambda: not can(s), what="EXPLAIN to say no")
    with s.connect() as k:
        k.execute_command("SENTINEL", "SET", "demo", "auth-pass", "secret")
    # the others of the group have no password: what they think of it does not matter here
    wait_until(lambda: can(s) and ("node", "misconfigured") not in lacks(s), what="the password to be taken")


def test_observer_of_a_copied_state(yard):
    node = yard.node("node1")
    state = os.path.join(yard.folder, "state")
    lines = monitor_lines("demo", node.port, quorum=1)
    s = yard.sentinel("s1", lines=lines + ["state-dir " + state])
    s.stop()
    copy = os.path.join(yard.folder, "copy")
    shutil.copytree(state, copy)
    s2 = yard.sentinel("s2", lines=lines + ["state-dir " + copy], port=free_port())
    assert ("sentinel", "observer") in lacks(s2) and not can(s2)
    with s2.connect() as k:
        me = pairs(k.execute_command("SENTINEL", "PEERS", "demo")[0])
        assert me["me"] == "yes" and me["observer"], me


def loss_events(c):
    return [line.split(" +failover-loss ")[1].split(" ") for s in c.sentinels for line in s.log_text().splitlines()
            if " +failover-loss " in line]


def test_loss_of_plain_groups_is_said(cluster):
    c = cluster(down_after=1000).wait_settled()
    with c.primary().connect() as k:
        for i in range(200):
            k.set("k%d" % i, "v" * 50)
    old = c.primary()
    old.kill()
    c.wait_new_primary(old)
    wait_until(lambda: len(loss_events(c)) == 1, what="the account of the failover")
    words = loss_events(c)[0]
    assert words[0] == "demo" and words[4] == "seen", words
    for text in ("failover took: detection", "what the old primary wrote after that is not counted"):
        wait_until(lambda: any(text in line for s in c.sentinels for line in journal(s)), what=text)
    old.start()
    c.wait_roles()
    # handed over by the primary itself: nothing can be missing
    leader = c.sentinels[0]
    old = c.primary()
    with leader.connect() as k:
        wait_until(lambda: k.execute_command("SENTINEL", "FAILOVER", "demo", "COORDINATED"), what="the hand-over to be taken on")
    c.wait_new_primary(old)
    wait_until(lambda: len(loss_events(c)) == 2, what="the account of the hand-over")
    assert [w for w in loss_events(c) if w[1] == "0" and w[4] == "proved"], loss_events(c)


def test_metrics_say_it_too(yard):
    import urllib.request
    node = yard.node("node1")
    port = free_port()
    s = yard.sentinel("s1", lines=monitor_lines("demo", node.port, quorum=1) + ["http-port %d" % port])
    with s.connect() as k:
        k.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", "200")
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port).read().decode()
    assert 'kvorum_sentinel_can_failover{group="demo"} 0' in text
    yard.node("node2", lines=["replicaof 127.0.0.1 %d" % node.port])
    wait_until(lambda: can(s), what="a replica that could lead")
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port).read().decode()
    assert 'kvorum_sentinel_can_failover{group="demo"} 1' in text and 'kvorum_sentinel_formed{group="demo"} 0' in text

"""What only an operator can say of a formed group: which of several nodes with data leads, that a group is over although
not all of it is heard, that a voter is to be replaced; and that it is said once."""
import threading

import pytest
import redis

from formed import Writers
from harness import free_port, wait_until


def waiting_with_data(group):
    """Three nodes that wait for their group, each with data of its own; sentinels that are to form it."""
    g = group(nodes=0, sentinels=0)
    for i in range(3):
        name = "node%d" % (i + 1)
        lines = ["state-dir " + g.state_dir(name), "ha-port %d" % free_port()]
        n = g.yard.node(name, lines=lines)
        g.nodes.append(n)
        with n.connect() as c:
            c.set("mine", str(i))
            c.set("only%d" % i, "x" * 100)
            c.save()
        n.kill()
        g.add_line(n, "ha-group " + g.name)
        n.start()
    g.sentinel_lines += ["sentinel mode %s strict" % g.name] + \
        ["sentinel known-replica %s 127.0.0.1 %d" % (g.name, n.port) for n in g.nodes[1:]]
    for _ in range(3):
        g.add_sentinel()
    wait_until(lambda: all(("forming", "name-the-primary") in g.lacks(s) for s in g.sentinels), what="EXPLAIN to ask for a primary")
    wait_until(lambda: all([l["why"] for l in g.explain(s)["lacks"]].count("has-data") == 3 for s in g.sentinels), what="all three to be known")
    return g


def test_the_primary_is_named(group):
    g = waiting_with_data(group)
    assert any("SENTINEL FORM <group> PRIMARY" in l["text"] for l in g.explain()["lacks"])
    assert len([l for l in g.explain()["lacks"] if l["why"] == "has-data"]) == 3
    wait_until(lambda: "SENTINEL FORM <group> PRIMARY" in g.sentinels[0].log_text(), what="the log to say so")
    with pytest.raises(redis.exceptions.ResponseError, match="No node of this group"):
        g.ask("FORM", g.name, "PRIMARY", "127.0.0.1", "1")
    with pytest.raises(redis.exceptions.ResponseError, match="SENTINEL FORM <group>"):
        g.ask("FORM", g.name, "strict", "127.0.0.1", "1")
    assert g.order("FORM", g.name, "PRIMARY", "127.0.0.1", str(g.nodes[1].port)) == "OK"
    g.wait_whole()
    assert g.primary() is g.nodes[1]
    for n in g.nodes:
        with n.connect() as c:
            assert c.get("mine") == "1" and c.exists("only1") and not c.exists("only0", "only2")
    assert sum("is replaced by a copy" in l for s in g.sentinels for l in g.journal(s)) == 2
    with pytest.raises(redis.exceptions.ResponseError, match="This group is formed"):
        g.ask("FORM", g.name, "PRIMARY", "127.0.0.1", str(g.nodes[0].port))


def test_two_operators_name_two(group):
    """The nodes let one of them through; whoever was not heard out says so, and nothing is formed twice."""
    g = waiting_with_data(group)
    said = []

    def name(sentinel, node):
        try:
            said.append(g.ask("FORM", g.name, "PRIMARY", "127.0.0.1", str(node.port), sentinel=sentinel))
        except redis.exceptions.ResponseError as e:
            said.append(str(e))

    both = [threading.Thread(target=name, args=(g.sentinels[i], g.nodes[i])) for i in range(2)]
    for t in both:
        t.start()
    for t in both:
        t.join()
    if "OK" not in said:                   # each kept a node from the other: both attempts are let go, and it is said again
        assert g.order("FORM", g.name, "PRIMARY", "127.0.0.1", str(g.nodes[0].port)) == "OK", said
    g.wait_whole()
    leads = g.nodes.index(g.primary())
    assert leads in (0, 1)
    for n in g.nodes:
        with n.connect() as c:
            assert c.get("mine") == str(leads)
    ids = {n.info("ha")["ha_group_id"] if "ha_group_id" in n.info("ha") else n.info("replication")["ha_group_id"] for n in g.nodes}
    assert len(ids) == 1


def test_the_primary_is_named_by_kvorumctl(group):
    g = waiting_with_data(group)
    words = ["form", g.name, "strict", "primary", "127.0.0.1:%d" % g.nodes[2].port, "sync-acks", "1"]
    r = g.ctl(*words, typed="what?\n")
    assert r.returncode == 4 and "nothing was done" in r.stderr, r
    assert "127.0.0.1:%d" % g.nodes[0].port in r.stderr and "127.0.0.1:%d" % g.nodes[1].port in r.stderr, r
    assert r.stderr.count("replaces it") == 2, r
    r = wait_until(lambda: (lambda x: x if x.returncode == 0 else None)(g.ctl(*words, typed=g.name + "\n")), 60, what="the group to be formed")
    g.wait_whole()
    assert g.primary() is g.nodes[2] and g.master()["sync-acks"] == "1"


def test_dissolved_without_those_not_heard(group):
    g = group().wait_met()
    w = Writers(g).start()
    g.form("strict")
    g.wait_whole()
    w.go_on()
    acked = w.stop()
    last = next(n for n in g.nodes if n is not g.primary())
    gone = [n for n in g.nodes if n is not last]
    for n in gone:
        n.kill()
    wait_until(lambda: ("seals", "too-few-seals") in g.lacks(), what="EXPLAIN to miss seals")
    with pytest.raises(redis.exceptions.ResponseError, match="NOTATHAND"):
        g.ask("DISSOLVE", g.name)
    with pytest.raises(redis.exceptions.ResponseError, match="may go on as this group among themselves"):
        g.ask("DISSOLVE", g.name, "FORCE")
    assert g.order("FAILOVER", g.name, "FORCE", "0", "TO", "127.0.0.1", str(last.port)) == "OK"
    r = g.ctl("form", g.name, "plain", "force", typed="no\n")
    assert r.returncode == 4 and "nothing was done" in r.stderr and r.stderr.count("stays fenced") == 2, r
    r = wait_until(lambda: (lambda x: x if x.returncode == 0 else None)(g.ctl("form", g.name, "plain", "force", "yes")), 60, what="a plain group")
    wait_until(lambda: last.info("replication")["role"] == "master" and g.primary() is last, what="a plain primary")
    with last.connect() as c:
        assert c.set("alone", "1")
        assert all(c.get(k) == v for k, v in list(acked.items())[:50])
    for n in gone:
        n.start()
    wait_until(lambda: all(n.info("replication").get("master_link_status") == "up" for n in gone), 60, what="the others to follow")
    g.check_all_there(acked)


def test_voters_that_lost_their_memories(group):
    """Two of three: no majority will ever be there again, and the nodes know nobody else."""
    g = group().wait_met()
    g.form("strict")
    g.wait_whole()
    p = g.primary()
    with p.connect() as c:
        c.set("kept", "1")
    lost = g.sentinels[1:]
    for s in lost:
        s.kill()
    with pytest.raises(redis.exceptions.ResponseError):
        g.ask("DISSOLVE", g.name, "FORCE")
    for s in lost:
        g.wipe(s)
        s.start()
    assert g.order("DISSOLVE", g.name, "FORCE", sentinel=g.sentinels[0]) == "OK"
    wait_until(lambda: all(g.master(s).get("mode", "plain") == "plain" for s in g.sentinels), what="a plain group everywhere")
    with p.connect() as c:
        assert c.get("kept") == "1" and c.set("more", "1")
    g.wait_met()
    g.form("strict")
    g.wait_whole()


def test_a_replacement_outlives_the_one_who_was_told(group):
    g = group(sentinels=4).wait_met().form("strict")
    g.wait_whole()
    voters = [s for s in g.sentinels if g.peers()[g.my_id(s)]["voter"] == "yes"]
    spare = next(s for s in g.sentinels if s not in voters)
    told = voters[0]
    old, new = g.my_id(voters[2]), g.my_id(spare)
    voters[2].kill()

    def tell():
        try:
            g.ask("PEERS", g.name, "REPLACE", old, new, sentinel=told)
        except (redis.exceptions.RedisError, OSError):
            pass

    t = threading.Thread(target=tell)
    t.start()
    wait_until(lambda: any("is to be replaced by" in l for l in g.journal(told)), every=0.001, what="the wish to be heard")
    told.kill()
    t.join()
    told.start()
    wait_until(lambda: g.peers(told)[new]["voter"] == "yes" and g.peers(told)[old]["voter"] == "no" if old in g.peers(told)
               else g.peers(told)[new]["voter"] == "yes", 60, what="the voter to be replaced")
    assert g.ctl("peers", g.name, "cancel").returncode == 0


def test_the_journal_outlives_the_sentinel(group):
    g = group().wait_met().form("strict")
    g.wait_whole()
    s = g.sentinels[0]
    before = g.journal(s)
    assert before
    s.kill()
    s.start()
    wait_until(lambda: any("started again" in l for l in g.journal(s)), what="the journal of the sentinel that was started again")
    after = g.journal(s)
    assert after[:len(before)] == before
    path = g.state_dir(s.name) + "/journal"
    wait_until(lambda: "started again" in open(path).read(), what="its line in the file")
    s.kill()                                            # first, or it writes on behind what is torn
    with open(path, "ab") as f:
        f.write(b"0123 torn")
    s.start()
    wait_until(lambda: sum("started again" in l for l in g.journal(s)) == 2, what="the journal again")
    assert g.journal(s)[:len(before)] == before

"""Groups that lose nothing, on real processes: formed at run time under load, and then one thing after the other is
taken away. Each acknowledged write is remembered and must be there at the end; EXPLAIN must have said what then happens."""
import json
import os
import shutil
import time

import pytest
import redis

from formed import Writers
from harness import wait_until


def test_formed_under_load_and_a_crash(group):
    g = group().wait_met()
    w = Writers(g).start()
    w.go_on()
    wait_until(g.can, what="EXPLAIN to say yes")
    g.form("strict")
    assert g.master()["mode"] == "strict" and g.explain()["mode"] == "strict"
    w.go_on()
    g.wait_whole()
    old = g.primary()
    old.kill()
    new = g.wait_other_primary(old)
    w.go_on()
    assert g.explain()["members"] == "3"
    old.start()
    g.wait_whole()
    assert g.primary() is new
    acked = w.stop()
    g.check_all_there(acked)
    wait_until(lambda: [l for l in g.losses() if l[0] == "demo" and l[1] == "0" and l[4] == "proved"], what="the account of the failover")
    wait_until(lambda: any("0 lost; " in line for s in g.sentinels for line in g.journal(s)), what="the journal to say it")


def test_story(group):
    """One thing after the other is lost, and the group is whole again without a human save one PEERS REPLACE."""
    g = group(down_after=2000).wait_met()            # each failover is counted at the end: none for a busy machine
    w = Writers(g).start()
    g.form("strict")
    g.wait_whole()
    w.go_on()

    # a replica: writes go on with the other one; EXPLAIN says that a failover could not be completed now
    replica = next(n for n in g.nodes if n is not g.primary())
    replica.kill()
    w.go_on()
    wait_until(lambda: all(("member", "not-at-hand") in g.lacks(s) and not g.can(s) for s in g.sentinels), what="EXPLAIN to say no")
    with pytest.raises(Exception, match="NOQUORUM"):
        g.ask("CKQUORUM", g.name)
    replica.start()
    g.wait_whole()                                  # its memory is gone: a new life, admitted by a change
    wait_until(lambda: "OK 3 usable" in g.ask("CKQUORUM", g.name), what="all to be usable")
    w.go_on()

    # the primary
    old = g.primary()
    wait_until(g.can, what="EXPLAIN to say yes")
    old.kill()
    g.wait_other_primary(old)
    w.go_on()
    old.start()
    g.wait_whole()

    # a sentinel's disk: it is an observer until its new memory is put in the place of the old
    s = g.sentinels[0]
    its_id = g.my_id(s)
    s.stop()
    g.wipe(s)
    s.start()
    new_id = g.my_id(s)
    assert new_id != its_id
    others = g.sentinels[1:]
    wait_until(lambda: all(new_id in g.peers(x) and g.peers(x)[new_id]["voter"] == "no" for x in others), what="the new one to be seen")
    wait_until(lambda: all(("voter", "not-at-hand") in g.lacks(x) and g.can(x) for x in others), what="EXPLAIN to miss a voter")
    assert g.peers(others[0])[its_id]["up"] == "no"
    assert g.order("PEERS", g.name, "REPLACE", its_id, new_id, sentinel=others[0]) == "OK"
    wait_until(lambda: all(g.peers(x)[new_id]["voter"] == "yes" and its_id not in {i for i, p in g.peers(x).items() if p["voter"] == "yes"}
                           for x in g.sentinels), what="the voter to be replaced")
    g.wait_whole()
    w.go_on()

    # a data node's disk; its configuration says since the group was formed that it belongs to one
    for n in g.nodes:
        g.add_line(n, "ha-group " + g.name)
    replica = next(n for n in g.nodes if n is not g.primary())
    replica.kill()
    g.wipe(replica)
    replica.start()
    g.wait_whole()
    w.go_on()

    # the primary's disk
    old = g.primary()
    old.kill()
    g.wipe(old)
    g.wait_other_primary(old)
    old.start()
    g.wait_whole()
    w.go_on()

    # the primary is handed over
    old = g.primary()
    assert g.order("FAILOVER", g.name, "COORDINATED") == "OK"
    new = g.wait_other_primary(old)
    w.go_on()
    g.wait_whole()
    to = next(n for n in g.nodes if n is not new)
    switches = 3

    def named():
        nonlocal switches
        if g.primary() is not to:
            g.ask("FAILOVER", g.name, "TO", "127.0.0.1", str(to.port))
            switches += 1
        return g.primary() is to

    wait_until(named, every=0.3, what="the node that was named")
    g.wait_whole()
    w.go_on()

    # plain again
    acked = w.stop()
    g.check_all_there(acked)
    assert all(l[1] == "0" and l[4] == "proved" for l in g.losses()), g.losses()
    assert len(g.losses()) == switches
    assert g.order("DISSOLVE", g.name) == "OK"
    wait_until(lambda: all("mode" not in g.master(x) or g.master(x)["mode"] == "plain" for x in g.sentinels), what="a plain group")
    with pytest.raises(Exception, match="NOTFORMED"):
        g.ask("DISSOLVE", g.name)
    wait_until(lambda: all(g.can(x) for x in g.sentinels), what="EXPLAIN of the plain group")
    old = g.primary()
    old.kill()
    g.wait_other_primary(old)
    g.check_all_there(acked)


def test_the_operators_program(group):
    """The same by kvorumctl: form, look, hand over, read what happened, plain again."""
    g = group().wait_met()
    wait_until(lambda: g.ctl("form", g.name, "strict", "sync-acks", "1").returncode == 0, what="the group to be formed")
    g.wait_whole()
    good = lambda *words: wait_until(lambda: (lambda x: x if x.returncode == 0 else None)(g.ctl(*words)), what=" ".join(words))     # noqa: E731
    assert "demo  epoch 1  strict" in good("status").stdout
    r = good("explain", g.name)
    assert "demo (strict): a failover could be completed now, to 127.0.0.1:" in r.stdout, r
    x = json.loads(g.ctl("-o", "json", "explain", g.name).stdout)
    assert x["canFailover"] is True and x["voters"] == 3 and x["members"] == 3 and x["sealsNeeded"] == 2
    r = g.ctl("peers", g.name)
    assert r.returncode == 0 and r.stdout.count(" voter ") == 3, r
    old = g.primary()
    to = next(n for n in g.nodes if n is not old)
    # on a busy machine no majority may answer in time: then all is as it was, and it is said again
    r = wait_until(lambda: (lambda x: x if "ABORTED" not in x.stderr else None)(g.ctl("switchover", g.name, "127.0.0.1:%d" % to.port)))
    assert r.returncode == 0 and r.stdout.startswith("demo: 127.0.0.1:%d -> 127.0.0.1:" % old.port), r
    g.wait_whole()
    to = g.primary()
    r = g.ctl("switchover", g.name, "127.0.0.1:%d" % to.port)
    assert r.returncode == 4 and "primary already" in r.stderr, r
    r = g.ctl("journal", g.name, "300", "all")
    assert r.returncode == 0 and "0 lost; " in r.stdout and ":%d " % g.sentinels[2].port in r.stdout, r
    times = [line[:23] for line in r.stdout.splitlines()]
    assert times == sorted(times)
    r = g.ctl("peers", g.name, "replace", "a", "b")
    assert r.returncode == 4 and "does not vote" in r.stderr, r
    replica = next(n for n in g.nodes if n is not g.primary())
    replica.kill()
    words = ("could not be completed", "! seals ", "not-at-hand")
    wait_until(lambda: (lambda x: x.returncode == 6 and all(w in x.stdout for w in words))(g.ctl("explain", g.name)), what="kvorumctl explain to say no")
    replica.start()
    g.wait_whole()
    wait_until(lambda: g.ctl("form", g.name, "plain").returncode == 0 or "strict" not in g.ctl("status").stdout, 60, what="the order to be taken")
    wait_until(lambda: "strict" not in g.ctl("status").stdout, what="a plain group")
    assert g.ctl("tail", "/nowhere/at/all").returncode == 1


def test_prefer_goes_on_alone(group):
    """prefer: the set shrinks down to the primary, recorded first; who comes back enters again and is as good as any."""
    g = group(sentinel_lines=["sentinel profile demo lan"]).wait_met()
    w = Writers(g).start()
    g.form("prefer")
    g.wait_whole()
    replicas = [n for n in g.nodes if n is not g.primary()]
    for n in replicas:
        n.kill()
    wait_until(lambda: g.members() == 1, timeout=60, what="the set to shrink to the primary")
    w.go_on()
    assert not g.can()
    for n in replicas:
        n.start()
    g.wait_whole()
    assert g.members() == 3 and g.master()["sync-acks"] == "1"
    w.go_on()
    old = g.primary()
    old.kill()
    g.wait_other_primary(old)
    w.go_on()
    old.start()
    g.wait_whole()
    g.check_all_there(w.stop())
    assert all(l[1] == "0" and l[4] == "proved" for l in g.losses()), g.losses()


def test_async_says_what_was_lost(group):
    g = group().wait_met()
    w = Writers(g).start()
    g.form("async")
    g.wait_whole()
    w.go_on()
    old = g.primary()
    old.kill()
    g.wait_other_primary(old)
    w.go_on()
    wait_until(g.losses, what="the account of the failover")
    assert len(g.losses()) == 1 and g.losses()[0][4] in ("seen", "bound", "proved", "unknown"), g.losses()
    old.start()
    g.wait_whole()
    new = g.primary()
    assert g.order("FAILOVER", g.name) == "OK"       # and nothing when it is handed over
    g.wait_other_primary(new)
    wait_until(lambda: len(g.losses()) > 1, what="the account of the hand-over")
    assert len(g.losses()) == 2 and [l for l in g.losses() if l[1] == "0" and l[4] == "proved"], g.losses()
    w.stop()


def test_strict_waits_rather_than_lose(group):
    """Without its replicas a primary of a strict group answers nothing; EXPLAIN says so, and nobody is promoted."""
    g = group().wait_met()
    g.form("strict")
    g.wait_whole()
    p = g.primary()
    with p.connect() as c:
        c.set("before", "1")
    replicas = [n for n in g.nodes if n is not p]
    for n in replicas:
        n.kill()
    with p.connect(retry=None) as c:
        with pytest.raises((redis.exceptions.ResponseError, redis.exceptions.ConnectionError), match="UNCONFIRMED|NOREPLICAS|closed"):
            c.set("during", "1")
    wait_until(lambda: not g.can() and ("seals", "too-few-seals") in g.lacks(), what="EXPLAIN to say no")
    for n in replicas:
        n.start()
    g.wait_whole()
    with p.connect() as c:
        c.set("after", "1")
        assert c.get("before") == "1" and g.primary() is p


def test_leases_without_sentinels(group):
    """Promises of replicas carry the primary's lease while no sentinel lives; without either it refuses writes by itself."""
    g = group(down_after=2000).wait_met()
    g.form("strict")
    g.wait_whole()
    p = g.primary()
    for s in g.sentinels:
        s.kill()
    with p.connect() as c:
        end = time.monotonic() + 6                   # four leases
        while time.monotonic() < end:
            c.set("alive", str(time.monotonic()))
    replicas = [n for n in g.nodes if n is not p]
    for n in replicas:
        n.kill()

    def refused():
        try:
            with p.connect(retry=None) as c:
                c.set("alone", "1")
        except redis.exceptions.ResponseError as e:
            return "NOREPLICAS" in str(e)
        except redis.exceptions.ConnectionError:
            return False

    wait_until(refused, what="a primary without a lease to refuse writes")
    for x in replicas + g.sentinels:
        x.start()
    g.wait_whole()
    with g.primary().connect() as c:
        assert c.set("back", "1")


def test_an_operator_decides_what_no_rule_can(group):
    """Two of three memories are lost at once: nobody is promoted by itself, EXPLAIN says why, FORCE says what it may cost."""
    g = group().wait_met()
    g.form("strict")
    g.wait_whole()
    old = g.primary()
    with old.connect() as c:
        c.set("kept", "1")
    replicas = [n for n in g.nodes if n is not old]
    replicas[0].kill()
    old.kill()
    left = replicas[1]
    replicas[0].start()                             # a new life: what it had is not known to be whole
    wait_until(lambda: all(not g.can(s) and {("member", "new-life"), ("seals", "too-few-seals")} <= g.lacks(s) for s in g.sentinels),
               what="EXPLAIN to say no")
    assert any("FORCE 1 [TO host port]" in l["text"] for l in g.explain()["lacks"]), g.explain()
    # tries are made, and come to nothing
    wait_until(lambda: sum("given up" in line for s in g.sentinels for line in g.journal(s)) >= 2, 60, what="tries that are given up")
    assert g.primary() is old
    with pytest.raises(redis.exceptions.ResponseError, match="name the node"):
        g.ask("FAILOVER", g.name, "FORCE", "0")

    def forced():
        g.ask("FAILOVER", g.name, "FORCE", "1", "TO", "127.0.0.1", str(left.port))
        return True

    wait_until(forced, 60, what="the order to be carried out")
    wait_until(lambda: g.primary() is left and left.info("replication")["role"] == "master", what="the forced promotion")
    wait_until(lambda: any("confirmed writes may be lost" in line for s in g.sentinels for line in g.journal(s)), what="the journal to say it")
    wait_until(lambda: [l for l in g.losses() if l[4] != "proved"], what="the account of it")
    old.start()
    g.wait_whole()
    with left.connect() as c:
        assert c.get("kept") == "1" and c.set("more", "1")


def test_a_replica_that_is_gone_for_long_leaves(group):
    """Then the others suffice: a failover that was not possible becomes possible, as EXPLAIN says."""
    g = group(sentinel_lines=["sentinel member-drop-after demo 1500"]).wait_met()
    w = Writers(g).start()
    g.form("strict")
    g.wait_whole()
    gone = next(n for n in g.nodes if n is not g.primary())
    gone.kill()
    wait_until(lambda: all(g.members(s) == 2 and g.can(s) for s in g.sentinels), what="the lost replica to leave")
    w.go_on()
    old = g.primary()
    old.kill()
    g.wait_other_primary(old)
    old.start()                                      # k = 1: until it is back nothing can be confirmed
    w.go_on()
    gone.start()
    g.wait_whole()
    g.check_all_there(w.stop())
    assert all(l[1] == "0" and l[4] == "proved" for l in g.losses()), g.losses()


def test_every_memory_lost_at_once(group):
    """A power cut: no node can prove what it had. It stays down until an operator names the one to begin from."""
    g = group().wait_met()
    g.form("strict")
    g.wait_whole()
    with g.primary().connect() as c:
        c.set("kept", "1")
    for n in g.nodes:
        with n.connect() as c:
            wait_until(lambda: c.get("kept") == "1")
            assert c.save()
    for n in g.nodes:
        n.kill()
    for n in g.nodes:
        n.start()
    wait_until(lambda: all(not g.can(s) and ("member", "new-life") in g.lacks(s) for s in g.sentinels), what="EXPLAIN to say no")
    assert any("FORCE 0 TO host port" in l["text"] for l in g.explain()["lacks"]), g.explain()
    with g.nodes[0].connect(retry=None) as c:
        with pytest.raises((redis.exceptions.ResponseError, redis.exceptions.ConnectionError), match="NOREPLICAS|READONLY|read only replica"):
            c.set("no", "1")
    g.order("FAILOVER", g.name, "FORCE", "0", "TO", "127.0.0.1", str(g.nodes[1].port))
    wait_until(lambda: g.primary() is g.nodes[1], what="the node that was named")
    g.wait_whole()
    with g.primary().connect() as c:
        assert c.get("kept") == "1" and c.set("more", "1")
    wait_until(lambda: [l for l in g.losses() if l[4] in ("unknown", "seen", "bound")], what="the account of it")


def test_sigterm_hands_over(group):
    """A primary that is told to stop asks for the hand-over first: no agent, no script, nothing lost."""
    g = group().wait_met()
    w = Writers(g).start()
    g.form("strict")
    g.wait_whole()
    w.go_on()
    old = g.primary()
    assert old.stop() == 0
    g.wait_other_primary(old)
    w.go_on()
    old.start()
    g.wait_whole()
    g.check_all_there(w.stop())
    assert all(l[1] == "0" and l[4] == "proved" for l in g.losses()), g.losses()


def test_reset_forgets_neither_members_nor_voters(group):
    g = group().wait_met()
    w = Writers(g).start()
    g.form("strict")
    g.wait_whole()
    before = [g.master(s)["group-id"] for s in g.sentinels]
    for s in g.sentinels:
        assert g.ask("RESET", g.name, sentinel=s) == 1
    old = g.primary()
    old.kill()                                       # at once: what was forgotten stands in the record
    g.wait_other_primary(old)
    w.go_on()
    old.start()
    g.wait_whole()
    assert [g.master(s)["group-id"] for s in g.sentinels] == before and g.members() == 3
    g.check_all_there(w.stop())


def test_settings_reach_every_sentinel(group):
    """Said to one, shown and kept by all: they are in the record. A change of settings is a change like any other, under load."""
    g = group(down_after=2000).wait_met()
    w = Writers(g).start()
    g.form("strict")
    g.wait_whole()
    a, b, _ = g.sentinels
    g.order("SET", g.name, "sync-acks", "2", sentinel=b)
    wait_until(lambda: all(g.master(s)["sync-acks"] == "2" for s in g.sentinels), what="sync-acks everywhere")
    w.go_on()
    assert all(int(g.explain(s)["seals-needed"]) == 1 for s in g.sentinels)
    g.order("SET", g.name, "profile", "lan", "down-after-milliseconds", "1000", sentinel=a)
    wait_until(lambda: all(g.master(s)["down-after-milliseconds"] == "1000" for s in g.sentinels), what="the profile everywhere")
    g.order("SET", g.name, "mode", "prefer", sentinel=b)
    wait_until(lambda: all(g.master(s)["mode"] == "prefer" for s in g.sentinels), what="the mode everywhere")
    w.go_on()
    with pytest.raises(redis.exceptions.ResponseError, match="T3"):
        g.ask("SET", g.name, "down-after-milliseconds", "850", sentinel=b)
    with pytest.raises(redis.exceptions.ResponseError, match="DISSOLVE"):
        g.ask("SET", g.name, "mode", "plain", sentinel=b)
    for s in g.sentinels:
        s.kill()
    for s in g.sentinels:
        s.start()
    g.wait_whole()
    assert all(g.master(s)["mode"] == "prefer" and g.master(s)["sync-acks"] == "2" and
               g.master(s)["down-after-milliseconds"] == "1000" for s in g.sentinels), [g.master(s) for s in g.sentinels]
    g.check_all_there(w.stop())


def test_data_of_its_own_is_not_thrown_away(group):
    """A node comes back with another disk: it is not let in by itself, EXPLAIN says so, and an operator's word lets it in."""
    g = group().wait_met()
    g.form("strict")
    g.wait_whole()
    n = g.nodes[0]                                   # its configuration follows nobody
    g.order("FAILOVER", g.name)
    p = g.wait_other_primary(n)
    g.wait_whole()
    with p.connect() as c:
        c.set("ours", "1")
    other = g.yard.node("other")
    with other.connect() as c:
        c.set("theirs", "1")
        assert c.save()
    n.kill()
    g.wipe(n)
    shutil.copy(os.path.join(other.folder, "dump.rdb"), os.path.join(n.folder, "dump.rdb"))
    n.launch()
    wait_until(lambda: ("node", "own-data") in g.lacks(), what="EXPLAIN to name it")
    with n.connect() as c:
        assert c.get("theirs") == "1"
        c.execute_command("REPLICAOF", "127.0.0.1", str(p.port))
    g.wait_whole()
    with n.connect() as c:
        wait_until(lambda: c.get("ours") == "1" and c.get("theirs") is None, what="the group's data")

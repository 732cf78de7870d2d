"""Groups that lose nothing, on real processes: formed at run time under load, and then one thing after the other is
taken away. Each acknowledged write is remembered and must be there at the end; EXPLAIN must have said what then happens."""
import pytest

from formed import FormedGroup, Writers
from harness import wait_until


@pytest.fixture
def group(request):
    made = []

    def make(**kw):
        made.append(FormedGroup(**kw))
        return made[-1]

    yield make
    from conftest import _finish
    _finish(request, [g.yard for g in made])


def test_formed_under_load_and_a_crash(group):
    g = group().wait_met()
    w = Writers(g).start()
    w.go_on()
    assert g.can()
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
    assert [l for l in g.losses() if l[0] == "demo" and l[1] == "0" and l[4] == "proved"], g.losses()
    assert any("0 lost; " in line for s in g.sentinels for line in g.journal(s))


def test_story(group):
    """One thing after the other is lost, and the group is whole again without a human save one PEERS REPLACE."""
    g = group(sentinel_lines=["sentinel member-drop-after demo 1500"]).wait_met()
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
    assert "OK 3 usable" in g.ask("CKQUORUM", g.name)
    w.go_on()

    # the primary
    old = g.primary()
    assert g.can()
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
    assert g.ask("PEERS", g.name, "REPLACE", its_id, new_id, sentinel=others[0], timeout=60) == "OK"
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
    assert g.ask("FAILOVER", g.name, "COORDINATED") == "OK"
    new = g.wait_other_primary(old)
    w.go_on()
    g.wait_whole()
    to = next(n for n in g.nodes if n is not new)
    assert g.ask("FAILOVER", g.name, "TO", "127.0.0.1", str(to.port)) == "OK"
    wait_until(lambda: g.primary() is to, what="the node that was named")
    g.wait_whole()
    w.go_on()

    # plain again
    acked = w.stop()
    g.check_all_there(acked)
    assert all(l[1] == "0" and l[4] == "proved" for l in g.losses()), g.losses()
    assert len(g.losses()) == 4
    assert g.ask("DISSOLVE", g.name) == "OK"
    wait_until(lambda: all("mode" not in g.master(x) or g.master(x)["mode"] == "plain" for x in g.sentinels), what="a plain group")
    with pytest.raises(Exception, match="NOTFORMED"):
        g.ask("DISSOLVE", g.name)
    wait_until(lambda: all(g.can(x) for x in g.sentinels), what="EXPLAIN of the plain group")
    old = g.primary()
    old.kill()
    g.wait_other_primary(old)
    g.check_all_there(acked)

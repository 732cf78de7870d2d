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

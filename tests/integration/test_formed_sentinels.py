"""The sentinels' half of a formed group on real processes: what they must not mistake for a crash, what they survive,
whom they do not listen to, and who is nobody's but the plain repair's."""
import re
import signal
import time
import urllib.request

import pytest
import redis

from formed import Writers
from harness import find, free_port, monitor_lines, wait_until


def switches(g):
    return sum(s.log_text().count("+switch-master " + g.name) for s in g.sentinels)


@pytest.mark.alone
def test_a_busy_primary_is_not_a_dead_one(group):
    g = group().wait_met().form("strict")
    g.wait_whole()
    p = g.primary()
    with p.connect(socket_timeout=20) as c:
        c.execute_command("DEBUG", "SLEEP", "1.5")      # longer than down-after, shorter than stall-max
    for _ in range(3):
        p.signal(signal.SIGSTOP)
        time.sleep(0.7)
        p.signal(signal.SIGCONT)
        time.sleep(0.3)
    assert switches(g) == 0 and g.primary() is p
    with pytest.raises(redis.exceptions.RedisError), p.connect(socket_timeout=1) as c:
        c.execute_command("DEBUG", "SLEEP", "6")
    g.wait_other_primary(p)
    g.wait_whole()
    assert switches(g) == 3                             # once, as each sentinel tells it


def test_all_sentinels_gone_for_a_while(group):
    """Members lend the primary its lease meanwhile; what the sentinels promised they still know."""
    g = group(down_after=2000).wait_met()
    w = Writers(g).start()
    g.form("strict")
    g.wait_whole()
    for s in g.sentinels:
        s.kill()
    at = g.nodes[0]
    with at.connect() as c:
        end = time.monotonic() + 6
        while time.monotonic() < end:
            c.set("alone", "1")
            time.sleep(0.05)
    at.kill()
    for s in g.sentinels:
        s.start()
    g.wait_other_primary(at)
    w.go_on()
    at.start()
    g.wait_whole()
    g.check_all_there(w.stop())


def test_facts_that_cannot_be_read(group):
    """In sentinel.conf: it begins a new life, says so, and is counted again when it was put in its own place."""
    g = group(sentinels=2).wait_met()
    old = g.yard.sentinel("sentinel3", lines=monitor_lines(g.name, g.nodes[0].port, 2, g.down_after))
    g.sentinels.append(old)
    g.wait_met().form("strict")
    g.wait_whole()
    its_id = g.my_id(old)
    old.stop()
    with open(old.conf) as f:
        text = f.read()
    assert "sentinel formed " + g.name in text
    with open(old.conf, "w") as f:
        f.write(re.sub(r'(sentinel formed %s ")voter life' % g.name, r"\1voter wife", text))
    old.start()
    others = g.sentinels[:2]
    wait_until(lambda: "begins a new life" in old.log_text(), what="the log to say so")
    assert g.my_id(old) == its_id
    wait_until(lambda: all(("voter", "new-life") in g.lacks(s) and g.can(s) for s in others), what="EXPLAIN to say so")
    w = Writers(g, threads=1).start()
    w.go_on()
    assert g.order("PEERS", g.name, "REPLACE", its_id, its_id, sentinel=others[0]) == "OK"
    wait_until(lambda: all(("voter", "new-life") not in g.lacks(s) for s in g.sentinels), what="its new life to be counted")
    others[0].kill()
    p = g.primary(others[1])
    p.kill()                                            # two of three voters, and it is one of them
    g.wait_other_primary(p)
    w.go_on()
    g.check_all_there(w.stop())


def test_strangers_are_ignored_and_counted(group):
    port = free_port()
    g = group(sentinel_lines=["http-port %d" % port], sentinels=1)
    g.sentinel_lines = []
    g.add_sentinel()
    g.add_sentinel()
    g.wait_met().form("strict")
    g.wait_whole()
    before = g.ask("JOURNAL", g.name, "512")
    stranger, own = "f" * 40, g.my_id(g.sentinels[1])
    line = "vote from %s life 7 gid 1 ballot 99999" % stranger
    for words in ((stranger, g.name, line),             # nobody knows it
                  (own, g.name, line),                  # from another than it says
                  (own, "nosuch", "alive from %s life 7" % own),
                  (own, g.name, "vote from %s life 7 ballot %d" % (own, 2 ** 63)),
                  (own, g.name, "gibberish \x00\r\n")):
        assert g.ask("HA", *words) == "OK"
    for words in ((own,), (own, g.name), (own, g.name, line, g.name)):
        with pytest.raises(redis.exceptions.ResponseError):
            g.ask("HA", *words)
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=30).read().decode()
    assert float(re.search(r"^kvorum_sentinel_messages_ignored_total (\S+)", text, re.M).group(1)) == 5
    assert g.ask("JOURNAL", g.name, "512") == before
    wait_until(g.can, what="EXPLAIN to say yes")


def test_a_disk_that_was_lost_and_nobody_said_so(group):
    """No ha-group in its file: it comes back as an empty primary of nothing, and is shown its primary."""
    g = group().wait_met().form("strict")
    g.wait_whole()
    w = Writers(g, threads=1).start()
    w.go_on()
    lost = g.nodes[2]
    lost.kill()
    g.wipe(lost)
    with open(lost.conf) as f:
        text = f.read()
    with open(lost.conf, "w") as f:
        f.write(re.sub(r"(?m)^replicaof .*$", "", text))
    lost.start()
    g.wait_whole()
    g.check_all_there(w.stop())


@pytest.mark.skipif(not find("redis-server"), reason="no redis-server here")
def test_a_stock_replica_follows_and_does_not_count(group):
    g = group().wait_met().form("strict")
    g.wait_whole()
    stock = g.yard.node("stock", "redis-server", lines=["replicaof 127.0.0.1 %d" % g.primary().port])
    up = lambda: stock.info("replication").get("master_link_status") == "up"    # noqa: E731
    wait_until(up, what="the stock replica to be fed")
    wait_until(lambda: all(len(g.replicas(s)) == 3 for s in g.sentinels), 60, what="the stock replica to be seen")
    old = g.primary()
    old.kill()
    new = g.wait_other_primary(old)
    wait_until(lambda: int(stock.info("replication")["master_port"]) == new.port and up(), 60, what="it to follow the new primary")
    old.start()
    wait_until(lambda: g.can(), what="the group to be whole")
    assert g.explain()["members"] == "3"


def test_more_voters_and_fewer_again(group):
    """One in or out at a time; sentinels that do not vote know the group all the same."""
    g = group().wait_met().form("strict")
    g.wait_whole()
    w = Writers(g, threads=1).start()
    with pytest.raises(redis.exceptions.ResponseError, match="Fewer sentinels"):
        g.ask("SET", g.name, "voters", "5")
    for _ in range(2):
        s = g.add_sentinel(primary=g.primary())
        wait_until(lambda: g.explain(s)["mode"] == "strict" and g.can(s), 60, what="a sentinel that does not vote to know")
    wait_until(lambda: all(len(g.peers(s)) == 5 for s in g.sentinels), what="all to know all")
    voting = lambda s: sum(p["voter"] == "yes" for p in g.peers(s).values())    # noqa: E731
    assert g.order("SET", g.name, "voters", "5") == "OK"
    wait_until(lambda: all(voting(s) == 5 for s in g.sentinels), what="five voters")
    for s in g.sentinels[:2]:
        s.kill()
    old = g.primary()
    old.kill()
    g.wait_other_primary(old)
    w.go_on()
    for p in g.sentinels[:2] + [old]:
        p.start()
    g.wait_whole()
    assert g.order("SET", g.name, "voters", "3") == "OK"
    wait_until(lambda: all(voting(s) == 3 and g.master(s)["voters"] == "3" for s in g.sentinels), what="three voters")
    g.check_all_there(w.stop())


def test_a_sentinel_that_missed_new_settings_does_not_take_them_back(group):
    g = group(sentinel_lines=["sentinel sync-acks demo 1"]).wait_met().form("strict")
    g.wait_whole()
    away = g.sentinels[2]
    away.stop()
    assert g.order("SET", g.name, "sync-acks", "2") == "OK"
    away.start()
    wait_until(lambda: g.master(away).get("sync-acks") == "2", what="it to show the new setting")
    g.wait_whole()
    p = g.primary()
    p.kill()                                            # whoever leads now, and takes its time to look around
    g.wait_other_primary(p)
    p.start()
    g.wait_whole()
    time.sleep(1)
    assert [g.master(s).get("sync-acks") for s in g.sentinels] == ["2", "2", "2"]

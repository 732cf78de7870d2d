"""The controller's history of documents: versions, who said so, what is brought back and what stays away."""
import hashlib
import json
import signal
import time

import pytest
from conftest import need
from fleet import ENGINES, Fleet, log, meta
from harness import wait_until


@pytest.mark.parametrize("engine", ENGINES)
def test_history_and_restoring(yard, engine):
    need(engine)
    f = Fleet(yard, engine, agents=2)
    f.wait_up("n1", "n2")
    f.wait_known_controller()
    c = f.c
    texts = ['{"host": "10.0.0.%d", "port": 6379}' % i for i in range(1, 6)]
    for i, text in enumerate(texts):
        c.set("config:redis:demo", text)
        wait_until(lambda: meta(c, "redis:demo").get("ver") == str(i + 1))
    m, versions = meta(c, "redis:demo"), log(c, "redis:demo")
    assert m["state"] == "live" and m["by"] == "?" and sorted(versions) == [1, 2, 3, 4, 5]
    assert [versions[v][3] for v in sorted(versions)] == texts and versions[5][0] == m["sha"]
    # Deleted: back at once, the same bytes, the same version.
    gaps = 0
    for how in ("del", "expire", "unlink", "rename"):
        if how == "del":
            c.delete("config:redis:demo")
        elif how == "expire":
            c.pexpire("config:redis:demo", 1)
        elif how == "unlink":
            c.unlink("config:redis:demo")
        else:
            c.rename("config:redis:demo", "elsewhere")
        wait_until(lambda: c.get("config:redis:demo") == texts[4] and c.ttl("config:redis:demo") == -1, every=0.001)
        gaps += 1
        wait_until(lambda: f.said("+restored redis:demo") == gaps)
    assert meta(c, "redis:demo")["ver"] == "5"
    # Flushed: all of it.
    before = {k: c.get(k) for k in c.keys("config:*")}
    c.flushall()
    wait_until(lambda: {k: c.get(k) for k in c.keys("config:*")} == before)
    wait_until(lambda: meta(c, "redis:demo")["ver"] == "5" and log(c, "redis:demo")[5][3] == texts[4])
    # Retired by an operator: it stays away, also for the next controller. Written again: it is back.
    p = c.pipeline()
    p.hset("cfgmeta:redis:demo", "state", "retired")
    p.delete("config:redis:demo")
    p.execute()
    holder = f.wait_controller()
    f.agents[holder].stop()
    wait_until(lambda: f.holder() not in (None, holder))
    time.sleep(2)
    assert c.get("config:redis:demo") is None
    c.set("config:redis:demo", texts[0])
    wait_until(lambda: meta(c, "redis:demo").get("state") == "live" and meta(c, "redis:demo")["ver"] == "6")
    # An author who says so, in the same transaction.
    text = texts[1]
    p = c.pipeline()
    p.set("config:redis:demo", text)
    p.hset("cfgmeta:redis:demo", mapping={"said_by": "alice", "said_sha": hashlib.sha256(text.encode()).hexdigest()})
    p.execute()
    wait_until(lambda: meta(c, "redis:demo").get("by") == "alice")
    # What this controller has not seen itself comes from cfglog.
    c.delete("config:redis:demo")
    wait_until(lambda: c.get("config:redis:demo") == text)


def test_deleted_while_nobody_had_the_role(yard):
    """Nobody saw it go: the next controller finds it by what is written of it. What was retired stays away."""
    f = Fleet(yard, agents=1)
    f.wait_up("n1")
    f.wait_controller()
    c, text = f.c, '{"host": "10.0.0.1", "port": 6379}'
    for name in ("demo", "old"):
        c.set("config:redis:" + name, text)
        wait_until(lambda: meta(c, "redis:" + name).get("state") == "live")
    f.agents["n1"].stop()
    c.delete("config:redis:demo", "config:redis:old")
    c.hset("cfgmeta:redis:old", "state", "retired")
    c.hset("cfgmeta:not a document", "state", "live")
    f.agents["n1"].start()
    wait_until(lambda: c.get("config:redis:demo") == text)
    wait_until(lambda: meta(c, "redis:demo")["ver"] == "1" and f.said("+restored redis:demo") == 1)
    c.set("config:redis:demo", text + " ")
    wait_until(lambda: meta(c, "redis:demo").get("ver") == "2")      # that was read, and what was behind it, too
    assert c.get("config:redis:old") is None and meta(c, "redis:old")["state"] == "retired"


def test_history_is_bounded_and_takes_anything(yard):
    f = Fleet(yard, agents=1)
    f.wait_up("n1")
    f.wait_controller()
    c = f.c
    c.set("config:redis:bad", "no json")
    c.set("config:redis:binary", b"\x00\xff\n\n")
    c.set("config:redis:huge", "x" * 3000000)
    c.hset("config:redis:hash", "a", "b")
    c.set("config:nonsense", "1")
    c.set("config:redis:" + "x" * 300, "{}")
    wait_until(lambda: meta(c, "redis:bad").get("state") == "invalid")
    wait_until(lambda: meta(c, "redis:binary").get("state") == "invalid")
    assert meta(c, "redis:huge") == {} and meta(c, "redis:hash") == {}
    c.delete("config:redis:bad")
    wait_until(lambda: meta(c, "redis:bad").get("state") == "vanished")
    assert c.get("config:redis:bad") is None, "what was no document is not brought back"
    for i in range(230):
        c.set("config:redis:often", json.dumps({"port": i}))
        wait_until(lambda: meta(c, "redis:often").get("ver") == str(i + 1), every=0.001)
    wait_until(lambda: sorted(log(c, "redis:often")) == list(range(31, 231)))
    c.hset("cfgmeta:redis:often", "ver", "z" * 100)
    c.set("config:redis:often", "{}")
    assert f.agents["n1"].is_alive()


def test_many_documents_at_one_time(yard):
    """Ten times what is looked into at one time, written and deleted while the controller is busy with them."""
    f = Fleet(yard, agents=1)
    f.wait_up("n1")
    f.wait_controller()
    c = f.c
    p = c.pipeline(False)
    for i in range(1500):
        p.set("config:redis:d%d" % i, json.dumps({"port": i}))
    p.execute()
    wait_until(lambda: len(c.keys("cfgmeta:redis:d*")) == 1500, 60)
    p = c.pipeline(False)
    for i in range(0, 1500, 2):
        p.delete("config:redis:d%d" % i)
    for i in range(1, 1500, 2):
        p.set("config:redis:d%d" % i, json.dumps({"port": -i}))
    p.execute()
    wait_until(lambda: len(c.keys("config:redis:d*")) == 1500, 60)
    wait_until(lambda: all(c.hget("cfgmeta:redis:d%d" % i, "ver") == "2" for i in range(1, 1500, 2)), 60, every=0.5)
    assert c.get("config:redis:d4") == json.dumps({"port": 4})


def test_a_version_that_a_failover_lost(cluster):
    """The replica slept while a version was written; it becomes the primary, and the controller writes that version again."""
    need("redis-server")
    cluster = cluster(nodes=2, sentinels=3, engine="redis-server", down_after=1500).wait_settled()
    c = cluster.client(socket_timeout=10)
    lines = ["directory-sentinel %s %d" % at for at in cluster.sentinel_ports()] + \
            ["directory-group demo", "ping-interval 200ms", "ping-timeout 1500ms"]
    agent = cluster.yard.agent("n1", lines)
    c.set("config:redis:x", '{"port": 1}')
    c.set("config:redis:gone", '{"port": 3}')
    wait_until(lambda: c.hget("cfgmeta:redis:x", "ver") == "1" and c.hget("cfgmeta:redis:gone", "ver") == "1")
    old = cluster.primary()
    replica = [n for n in cluster.nodes if n is not old][0]
    wait_until(lambda: replica.connect().hget("cfgmeta:redis:gone", "ver") == "1")
    c.hset("cfgmeta:redis:gone", "state", "retired")
    c.delete("config:redis:gone")
    wait_until(lambda: not replica.connect().exists("config:redis:gone"))
    replica.signal(signal.SIGSTOP)
    old.connect().execute_command("CLIENT", "KILL", "TYPE", "replica")      # or its socket would keep the writes for it
    c.set("config:redis:x", '{"port": 2}')
    c.set("config:redis:y", '{"port": 7}')
    wait_until(lambda: c.hget("cfgmeta:redis:x", "ver") == "2" and c.hget("cfgmeta:redis:y", "ver") == "1")
    old.kill()
    replica.signal(signal.SIGCONT)
    d = cluster.wait_new_primary(old).connect()
    wait_until(lambda: d.get("config:redis:x") == '{"port": 2}' and d.get("config:redis:y") == '{"port": 7}')
    wait_until(lambda: meta(d, "redis:x")["ver"] == "2" and sorted(log(d, "redis:x")) == [1, 2])
    wait_until(lambda: "+republished redis:x" in agent.log_text() and "+restored redis:y" in agent.log_text())
    assert d.get("config:redis:gone") is None, "what was retired stays away"

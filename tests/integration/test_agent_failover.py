"""The agent follows its directory through failovers, of stock sentinels and of ours."""
import json
import os
import time

import pytest
import redis
from agent_site import ENGINES, FILE, line
from conftest import need
from harness import monitor_lines, wait_until


def test_follows_a_failover_of_stock_redis(yard):
    need("redis-server")
    need("redis-sentinel")
    first = yard.node("first", "redis-server")
    second = yard.node("second", "redis-server", ["replicaof 127.0.0.1 %d" % first.port])
    sentinels = [yard.sentinel("s%d" % i, "redis-sentinel", monitor_lines("dir", first.port, 2, 500, 3000)) for i in range(3)]
    wait_until(lambda: all(s.connect().sentinel_master("dir")["num-slaves"] == 1 and
                           s.connect().sentinel_master("dir")["num-other-sentinels"] == 2 for s in sentinels), 40,
               what="the sentinels to know each other")
    root = os.path.join(yard.folder, "root")
    os.makedirs(root)
    c = first.connect()
    c.set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": first.port}))
    c.set("config:files:demo", json.dumps({"files": [FILE]}))
    c.set("config:agent:default", json.dumps({"apply": ["files:demo"]}))
    agent = yard.agent("n1", ["root files " + root, "directory-group dir"] +
                       ["directory-sentinel 127.0.0.1 %d" % s.port for s in sentinels])
    text = lambda: open(os.path.join(root, "app.conf")).read()  # noqa: E731
    wait_until(lambda: text() == line(first.port), what="the first rendering")
    wait_until(lambda: second.info("replication")["master_link_status"] == "up", what="the replica")
    assert c.wait(1, 10000) == 1
    first.kill()
    wait_until(lambda: second.info("replication")["role"] == "master", 30, what="the promotion")
    c = second.connect()
    wait_until(lambda: c.set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": second.port})), what="the write")
    t = time.monotonic()
    wait_until(lambda: text() == line(second.port), 30, every=0.002, what="the new address in the file; log:\n" + agent.tail())
    took = time.monotonic() - t
    wait_until(lambda: json.loads(c.hget("cfgack:files:demo", "n1"))["st"] == "ok", what="the answer at the new primary")
    print("the file followed %.0f ms after the write" % (took * 1000))
    # And back, by command, with both nodes alive.
    first.start()
    first.connect().execute_command("REPLICAOF", "127.0.0.1", second.port)
    wait_until(lambda: first.info("replication")["master_link_status"] == "up", 40, what="the old one as replica")
    wait_until(lambda: any(r["port"] == first.port and r["is_slave"] and not r["is_sdown"]
                           for r in sentinels[0].connect().sentinel_slaves("dir")), 30, what="the sentinels to see it")
    time.sleep(1)

    def moved():
        if first.info("replication")["role"] == "master":
            return True              # looked at first: an order behind the switch would begin another one
        try:
            sentinels[0].connect().execute_command("SENTINEL", "FAILOVER", "dir")
        except redis.exceptions.ResponseError:
            pass
        return False

    wait_until(moved, 30, every=0.3, what="the failover by command")
    first.connect().set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": 7777}))
    wait_until(lambda: text() == line(7777), 30, every=0.002, what="the file to follow back; log:\n" + agent.tail())


@pytest.mark.parametrize("engine", ENGINES)
def test_follows_a_crash_with_our_sentinels(cluster, engine):
    """The demo's shape: the group is its own directory, and the sentinel writes the new address."""
    need(engine)
    need("kvorum-sentinel")
    c = cluster(engine=engine, down_after=5000, sentinel_lines=["sentinel directory demo demo"])
    c.wait_settled()
    primary = c.primary()
    with primary.connect() as r:
        r.set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": primary.port, "db": 0}))
        r.set("config:files:demo", json.dumps({"files": [FILE]}))
        r.set("config:agent:default", json.dumps({"v": 1, "apply": ["files:demo"]}))
        assert r.wait(2, 10000) == 2, "the replicas have it, or a crash now would lose it"
    root = os.path.join(c.yard.folder, "root")

    def agent_lines(i, name):
        os.makedirs(os.path.join(root, name))
        return ["root files " + os.path.join(root, name), "directory-group demo"] + \
               ["directory-sentinel 127.0.0.1 %d" % s.port for s in c.sentinels]

    c.add_agents(3, agent_lines)

    def texts():
        out = set()
        for a in c.agents:
            with open(os.path.join(root, a.name, "app.conf")) as f:
                out.add(f.read())
        return out

    wait_until(lambda: texts() == {line(primary.port)}, 40, what="three first renderings")
    primary.kill()
    new = c.wait_new_primary(primary)
    with new.connect() as r:
        wait_until(lambda: json.loads(r.get("config:redis:demo"))["port"] == new.port, 40, every=0.002, what="the sentinel's write")
        t = time.monotonic()
        wait_until(lambda: texts() == {line(new.port)}, 30, every=0.002, what="three new renderings; log:\n" + c.agents[0].tail())
        took = time.monotonic() - t
        print("three files followed %.0f ms after the write" % (took * 1000))
        assert took < 10, "pushed: a resync would take up to a minute"
        wait_until(lambda: len(r.hgetall("cfgack:files:demo")) == 3, what="three answers")

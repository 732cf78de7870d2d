"""Planned switches of plain groups: the primary hands over, nothing is lost,
and what does not work leaves the office where it was or is done as ever."""
import signal
import socket
import time

import pytest
import redis
from conftest import need
from harness import wait_until
from replicas import Writer

E = redis.exceptions.ResponseError


def order(c, *words, sentinel=0):
    with c.sentinels[sentinel].connect() as s:
        return s.execute_command("SENTINEL", "FAILOVER", c.group, *words)


def listen(sentinel):
    p = sentinel.connect().pubsub()
    p.psubscribe("*")
    return p


def told(p, seconds=0.5):
    """Names of the events so far."""
    out, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        m = p.get_message(timeout=0.05)
        if m and m["type"] == "pmessage":
            out.append(m["channel"])
    return out


def wait_online(c):
    """A primary refuses to hand over to a replica that it does not stream to yet, and redis-server begins that up to a second late."""
    with c.primary().connect() as k:
        k.set("streamed", 1)
        wait_until(lambda: k.wait(len(c.nodes) - 1, 1000) == len(c.nodes) - 1, what="all replicas to have it")


def load(c, n=3):
    wait_online(c)
    ws = [Writer(c.nodes, "w%d" % i) for i in range(n)]
    for w in ws:
        w.start()
    wait_until(lambda: all(len(w.acked) > 200 for w in ws), 30)
    return ws


def stop(ws, node):
    seen = [len(w.acked) for w in ws]
    wait_until(lambda: all(len(w.acked) > n + 100 for w, n in zip(ws, seen)), 30)
    for w in ws:
        w.stop_now = True
        w.join()
    with node.connect() as k:
        for w in ws:
            for i in range(0, len(w.acked), 1000):
                part = w.acked[i:i + 1000]
                assert k.exists(*part) == len(part)


@pytest.mark.parametrize("engine,words", [("kvnode", ()), ("kvnode", ("COORDINATED",)), ("redis-server", ()),
                                          ("redis-server", ("coordinated",))])
def test_no_write_is_lost(cluster, engine, words):
    need(engine)
    c = cluster(engine=engine).wait_settled()
    old = c.primary()
    p = listen(c.sentinels[0])
    ws = load(c)
    assert order(c, *words) == "OK"
    new = c.wait_new_primary(old)
    stop(ws, new)
    c.wait_roles()
    names = told(p)
    assert "+failover-state-send-failover" in names and "+switch-master" in names
    assert "-failover-not-handed-over" not in names
    assert new.info("stats")["sync_full"] <= 1               # partial resyncs only, whatever it had been before
    # it stays so over restarts: the files say it
    for n in (old, new):
        with open(n.conf) as f:
            text = f.read()
        assert ("replicaof 127.0.0.1 %d" % new.port in text) == (n is old)


RIGHTS = "user sentinel on >pw allkeys allchannels +@all"
AS_USER = ["sentinel auth-user demo sentinel", "sentinel auth-pass demo pw"]


@pytest.mark.parametrize("engine,may", [("redis-server", True), ("redis-server", False), ("kvnode", False)])
def test_the_replica_is_asked_to_acknowledge(cluster, engine, may):
    """A stock primary waits up to a second for it otherwise; a kvnode asks by itself. Not being allowed to is no obstacle."""
    need(engine)
    c = cluster(nodes=2, engine=engine, node_lines=[RIGHTS + ("" if may else " -replconf")], sentinel_lines=AS_USER).wait_settled()
    old, new = c.primary(), c.nodes[1]
    wait_online(c)
    with new.connect() as k:
        k.execute_command("ACL", "LOG", "RESET")
        assert order(c, "COORDINATED") == "OK"
        assert c.wait_new_primary(old) is new
        denied = [e for e in k.acl_log() if e["username"] == "sentinel" and e["object"] == "replconf"]
        assert len(denied) == (1 if engine == "redis-server" and not may else 0)
    c.wait_roles()
    logs = "".join(s.log_text() for s in c.sentinels)
    assert ("cannot be asked to acknowledge" in logs) == (len(denied) > 0)


@pytest.mark.parametrize("engine", ["redis-server", "kvnode"])
def test_a_replica_acknowledges_when_anybody_says_so(yard, engine):
    """What the above builds on: REPLCONF GETACK from a client is not answered, and the primary hears at once."""
    need(engine)
    a = yard.node("node1", engine)
    b = yard.node("node2", engine, ["replicaof 127.0.0.1 %d" % a.port])
    wait_until(lambda: b.info("replication")["master_link_status"] == "up", 20)
    acks = lambda: a.info("commandstats")["cmdstat_replconf"]["calls"]
    before = acks()
    with socket.create_connection(("127.0.0.1", b.port)) as k:
        for _ in range(100):
            k.sendall(b"REPLCONF GETACK *\r\n")
            time.sleep(0.002)
        k.sendall(b"PING\r\n")
        assert k.recv(100) == b"+PONG\r\n"
    wait_until(lambda: acks() >= before + 50, 5)


def test_replies(cluster):
    c = cluster().wait_settled()
    with c.sentinels[0].connect() as s:
        with pytest.raises(E, match="Unknown failover option specified"):
            s.execute_command("SENTINEL", "FAILOVER", c.group, "GENTLY")
        with pytest.raises(E, match="No such master with that name"):
            s.execute_command("SENTINEL", "FAILOVER", "nobody", "COORDINATED")
    lone = cluster(nodes=1).wait_settled()
    with pytest.raises(E, match="NOGOODSLAVE"):
        order(lone, "COORDINATED")
    # a node whose INFO tells of no FAILOVER (older than 6.2)
    old = cluster(nodes=2, node_lines=["rename-command INFO HIDDENINFO"])
    with pytest.raises(E, match="NOGOODSLAVE|NOGOODPRIMARY"):
        order(old, "COORDINATED")


def test_coordinated_or_not_at_all(cluster):
    """Replicas that hang: the primary keeps its office and takes writes again, and nothing else happens."""
    c = cluster(nodes=2, down_after=20000, failover_timeout=1000).wait_settled()
    a, b = c.nodes
    p = listen(c.sentinels[0])
    ws = load(c, 1)
    b.signal(signal.SIGSTOP)
    time.sleep(0.1)
    try:
        got = order(c, "COORDINATED")
    except E as e:
        got = str(e)
    assert got in ("OK", "NOGOODSLAVE No suitable replica to promote")
    wait_until(lambda: "-failover-not-handed-over" in told(p, 0.2) or "-failover-abort-no-good-slave" in c.sentinels[0].log_text() or
               got != "OK", 30)
    n = len(ws[0].acked)
    wait_until(lambda: len(ws[0].acked) > n + 50, 20)
    b.signal(signal.SIGCONT)
    assert c.primary() is a and a.info("replication")["role"] == "master"
    wait_until(lambda: b.info("replication")["master_link_status"] == "up", 20)
    stop(ws, a)


def test_taken_when_it_cannot_be_handed_over(cluster):
    """The primary is not allowed to: the default way goes on without its help."""
    c = cluster(nodes=3, node_lines=["rename-command FAILOVER \"\""]).wait_settled()
    p = listen(c.sentinels[0])
    old = c.primary()
    assert order(c) == "OK"
    c.wait_new_primary(old)
    c.wait_roles()
    assert "-failover-not-handed-over" in told(p)


def test_kept_when_it_cannot_be_handed_over(cluster):
    c = cluster(nodes=3, node_lines=["rename-command FAILOVER \"\""]).wait_settled()
    p = listen(c.sentinels[0])
    old = c.primary()
    assert order(c, "COORDINATED") == "OK"
    wait_until(lambda: "-failover-not-handed-over" in told(p, 0.2), 20)
    with c.sentinels[0].connect() as s:
        wait_until(lambda: "failover-state" not in s.sentinel_master(c.group), 10)
    assert c.primary() is old and old.info("replication")["role"] == "master"


def test_another_name_for_failover(cluster):
    """rename-command of the group is used for it too."""
    c = cluster(nodes=2, node_lines=["rename-command FAILOVER switch"],
                sentinel_lines=["sentinel rename-command demo FAILOVER switch"]).wait_settled()
    wait_online(c)
    old = c.primary()
    assert order(c, "COORDINATED") == "OK"
    c.wait_new_primary(old)
    c.wait_roles()

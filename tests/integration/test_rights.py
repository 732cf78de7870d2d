"""What a failover would need on a node is asked for before it is needed, and nothing is done by asking."""
import signal
import time

import pytest
import redis
from conftest import need
from harness import monitor_lines, pairs, wait_until
from told import can

ENGINES = ["redis-server", "kvnode"]
ALL = "+multi +exec +ping +info +slaveof +config|rewrite +client|kill +client|setname +publish +subscribe +script|kill +failover &*"


def rights(s, what="MASTER"):
    with s.connect() as c:
        got = c.execute_command("SENTINEL", what, "demo")
        return pairs(got[0] if what == "REPLICAS" else got).get("rights")


def watch(yard, a, extra=()):
    a.signal(signal.SIGSTOP)               # nothing is found out before somebody listens
    s = yard.sentinel(lines=monitor_lines("demo", a.port, quorum=1, extra=extra))
    p = s.connect().pubsub()
    p.psubscribe("*misconfigured")
    assert p.get_message(timeout=30)["type"] == "psubscribe"
    a.signal(signal.SIGCONT)
    return s, p


def told(p):
    out = []
    while True:
        m = p.get_message(timeout=0.1)
        if m is None:
            return out
        if m["type"] == "pmessage":
            out.append((m["channel"], m["data"]))


def soon(s):
    """It looks again and again."""
    with s.connect() as c:
        c.execute_command("SENTINEL", "DEBUG", "RIGHTS-PERIOD", 300)


@pytest.mark.parametrize("engine", ENGINES)
def test_all_is_there_and_nothing_is_done(yard, engine):
    need(engine)
    a = yard.node("node1", engine)
    b = yard.node("node2", engine, ["replicaof 127.0.0.1 %d" % a.port])
    wait_until(lambda: b.info("replication")["master_link_status"] == "up", 20)
    with a.connect() as c:
        c.set("k", 1)
    s, p = watch(yard, a)
    soon(s)
    wait_until(lambda: rights(s) == "ok" and rights(s, "REPLICAS") == "ok")
    time.sleep(1)                                            # some more looks
    assert told(p) == []
    assert a.info("replication")["role"] == "master" and b.info("replication")["role"] == "slave"
    assert a.info("replication")["connected_slaves"] == 1
    for n in (a, b):
        stats = n.info("commandstats")
        for never in ("slaveof", "replicaof", "config|rewrite", "client|kill", "failover", "script|kill"):
            assert stats.get("cmdstat_" + never, {"calls": 0})["calls"] == 0, never


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("less,name", [("-slaveof", "SLAVEOF"), ("-config|rewrite", "CONFIG REWRITE"), ("-client|kill", "CLIENT KILL"),
                                       ("resetchannels", "PUBLISH"), ("-failover", "FAILOVER"), ("-multi", "MULTI"), ("-exec", "EXEC")])
def test_a_right_is_missing(yard, engine, less, name):
    need(engine)
    a = yard.node("node1", engine)
    user = ["ACL", "SETUSER", "sen", "on", ">pw"] + [w for w in ALL.split() if engine != "kvnode" or "script" not in w]
    with a.connect() as c:
        c.execute_command(*(user + [less]))
    s, p = watch(yard, a, ["sentinel auth-user demo sen", "sentinel auth-pass demo pw"])
    soon(s)
    got = wait_until(lambda: rights(s))
    assert got.startswith(name + " (") and "NOPERM" in got and "), " not in got
    events = wait_until(lambda: told(p))
    assert events[0][0] == "+misconfigured" and "#rights: " + name in events[0][1]
    with a.connect() as c:
        c.execute_command(*user)                             # given: told once that all is well
    wait_until(lambda: rights(s) == "ok")
    assert [e[0] for e in wait_until(lambda: told(p))] == ["-misconfigured"]
    assert a.info("replication")["role"] == "master"


@pytest.mark.parametrize("less,enough", [("-failover", True), ("-script|kill", True), ("-failover -slaveof", False), ("-client|kill", False)])
def test_a_failover_gets_along_without_some(cluster, less, enough):
    """Users that were made for a redis-sentinel have no FAILOVER: EXPLAIN says what then happens."""
    need("redis-server")
    c = cluster(nodes=2, engine="redis-server", node_lines=["user sen on >pw ~* %s %s" % (ALL, less)],
                sentinel_lines=["sentinel auth-user demo sen", "sentinel auth-pass demo pw"]).wait_settled()
    s = c.sentinels[0]
    wait_until(lambda: all(rights(s, what) not in (None, "ok") for what in ("MASTER", "REPLICAS")))
    assert can(s) == enough
    if enough:
        old = c.primary()
        with s.connect() as k:
            assert k.execute_command("SENTINEL", "FAILOVER", "demo") == "OK"
        c.wait_new_primary(old)
        c.wait_roles()


def test_a_command_has_another_name(yard):
    need("redis-server")
    a = yard.node("node1", "redis-server", ["rename-command CONFIG hiddenconfig", "rename-command SLAVEOF \"\""])
    s, p = watch(yard, a)
    soon(s)
    got = wait_until(lambda: rights(s))
    assert "SLAVEOF (ERR unknown command" in got and "CONFIG REWRITE (ERR unknown command" in got
    with s.connect() as c:
        c.execute_command("SENTINEL", "SET", "demo", "rename-command", "CONFIG", "hiddenconfig")
    wait_until(lambda: "CONFIG" not in rights(s))
    assert rights(s).startswith("SLAVEOF")
    events = []
    wait_until(lambda: events.extend(told(p)) or len(events) >= 2, what="both to be told")
    assert [e[0] for e in events] == ["+misconfigured"] * 2


def test_a_wrong_password_is_told_once(yard):
    a = yard.node("node1", lines=["requirepass right"])
    s, p = watch(yard, a, ["sentinel auth-pass demo wrong"])
    soon(s)
    wait_until(lambda: pairs(s.connect().execute_command("SENTINEL", "MASTER", "demo")).get("misconfigured"))
    time.sleep(1.5)
    assert rights(s) is None
    assert s.log_text().count("+misconfigured") == 1
    with pytest.raises(redis.exceptions.ResponseError):
        s.connect().execute_command("SENTINEL", "FAILOVER", "demo")
